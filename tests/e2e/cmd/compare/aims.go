package main

import (
	"fmt"
	"strings"
)

// A compared is what an aim says something about.
type compared int

const (
	ratioAPI    compared = iota // kube-apiserver ÷ Weir, at least.
	ratioPlain                  // Plain TCP ÷ Weir, at least.
	rate                        // Of Weir, at least.
	cost                        // Of Weir, at most.
	timesOfList                 // Weir ÷ kube-apiserver, at most.
)

// An aim is one of the project's targets, by its number: what must be reached, and what is to be. 0: there is none.
type aim struct {
	target      int
	of          compared
	floor, goal float64
	goal30      float64 // With OpenSSL 3.0, where that makes the difference.
}

// aims are the targets by row. Of 18 (ingest) see micro/, of 19 storm, of 21 also forward, of 24 tests/.
var aims = map[string][]aim{
	rowListH2:     {{1, ratioAPI, 12, 30, 18}, {1, ratioPlain, 0, 0.85, 0.45}},
	rowListH1:     {{1, ratioAPI, 8, 22, 13}},
	rowListProto:  {{1, ratioAPI, 8, 20, 12}},
	rowGzipCold:   {{2, ratioAPI, 5, 10, 0}},
	rowGzipWarm:   {{2, ratioAPI, 30, 100, 0}},
	rowWatchList:  {{3, ratioAPI, 20, 40, 0}},
	rowWatchProto: {{3, ratioAPI, 8, 20, 0}},
	rowWatchGzip:  {{3, ratioAPI, 20, 80, 0}},
	rowPages:      {{4, ratioAPI, 20, 50, 0}},
	rowMetadata:   {{5, ratioAPI, 4, 10, 0}},
	rowNode:       {{6, cost, 0.35, 0.14, 0}, {6, ratioAPI, 8, 20, 0}},
	rowLabel:      {{7, ratioAPI, 12, 30, 0}},
	rowSixteen:    {{8, ratioAPI, 10, 25, 0}},
	rowSixteenMem: {{8, cost, 64, 8, 0}},
	rowFirstByte:  {{9, cost, 5, 1, 0}},
	rowWatch:      {{10, ratioAPI, 2, 2.8, 0}},
	rowTen:        {{11, ratioAPI, 6, 13, 0}},
	rowTenProto:   {{11, ratioAPI, 6, 13, 0}},
	rowBusy:       {{12, ratioAPI, 6, 15, 0}},
	rowBusyGzip:   {{12, ratioAPI, 8, 25, 0}},
	rowMost:       {{13, rate, 1, 2, 0}, {13, ratioAPI, 7, 13, 0}},
	rowAge1000P99: {{14, cost, 40, 15, 0}},
	rowAge10kP99:  {{14, cost, 250, 120, 0}},
	rowIdle:       {{15, cost, 20, 14, 0}},
	rowIdleH2:     {{15, cost, 6, 3.5, 0}},
	rowFurther:    {{16, cost, 1024, 256, 0}},
	rowPodWire:    {{17, cost, 1.3, 1.1, 0}},
	rowHandshakes: {{20, rate, 2000, 2700, 0}},
	rowAdded:      {{21, cost, 0.25, 0.10, 0}},
	rowGetCPU:     {{21, cost, 150, 60, 0}},
	rowCachedCPU:  {{22, ratioAPI, 4, 10, 0}},
	rowCachedH2:   {{22, ratioAPI, 4, 10, 0}},
	rowStart:      {{23, timesOfList, 1.3, 1.1, 0}},
}

// goalWith is the goal for a Weir with this OpenSSL.
func (a aim) goalWith(openssl string) float64 {
	if a.goal30 != 0 && strings.HasPrefix(openssl, "3.0.") {
		return a.goal30
	}
	return a.goal
}

// text is "R_api ≥ 12; 30 (18)".
func (a aim) text() string {
	name, sign := map[compared]string{ratioAPI: "R_api ", ratioPlain: "R_tcp ", timesOfList: "÷ LIST "}[a.of], "≤"
	if a.atLeast() {
		sign = "≥"
	}
	floor := "–"
	if a.floor != 0 {
		floor = number(a.floor)
	}
	text := fmt.Sprintf("%s%s %s; %s", name, sign, floor, number(a.goal))
	if a.goal30 != 0 {
		text += fmt.Sprintf(" (%s)", number(a.goal30))
	}
	return text
}

func (a aim) atLeast() bool { return a.of == ratioAPI || a.of == ratioPlain || a.of == rate }

// value is what the aim is about, of this Weir; false if that was not measured.
func (a aim) value(values map[string][]float64, weir string) (float64, bool) {
	own := values[weir]
	over := map[compared][]float64{ratioAPI: values[serverAPI], ratioPlain: values[serverPlain], timesOfList: values[serverAPI]}[a.of]
	switch {
	case len(own) == 0:
		return 0, false
	case a.of == rate || a.of == cost:
		return median(own), true
	case len(over) == 0 || median(own) <= 0 || median(over) <= 0:
		return 0, false
	case a.of == timesOfList:
		return median(own) / median(over), true
	}
	return gain(over, own, moreIsBetter(a.target)), true
}

// moreIsBetter tells whether the rows of a target have rates, not costs.
func moreIsBetter(target int) bool { return target == 13 || target == 20 }

// gain is how many times better Weir is.
func gain(other, weir []float64, more bool) float64 {
	if more {
		other, weir = weir, other
	}
	return median(other) / median(weir)
}

// reached is "goal", "floor" or "**no**".
func (a aim) reached(value float64, openssl string) string {
	meets := func(bound float64) bool {
		if a.atLeast() {
			return value >= bound
		}
		return value <= bound
	}
	switch {
	case meets(a.goalWith(openssl)):
		return "goal"
	case a.floor == 0:
		return "not the goal"
	case meets(a.floor):
		return "floor"
	}
	return "**no**"
}
