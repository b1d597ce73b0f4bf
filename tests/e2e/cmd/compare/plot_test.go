package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"weir.dev/e2e/oracle"
)

// TestPlots checks that the charts are XML and show what the table says.
func TestPlots(t *testing.T) {
	l := &lab{weirs: []*weir{{options: oracle.WeirOptions{Name: serverWeir}, openssl: "3.0.19"}}}
	var r rows
	for _, server := range []string{serverAPI, serverWeir} {
		value := map[string]float64{serverAPI: 30, serverWeir: 1.5}[server]
		for _, row := range []string{rowListH2, rowAge1000P50, rowAge1000P99, "of <nothing>"} {
			r.add(row, server, value)
		}
	}
	for name, p := range map[string]plot{"ratios": l.ratioPlot(&r), "latency": l.latencyPlot(&r)} {
		text := p.svg()
		decoder := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
		}
		want := map[string]string{"ratios": ">20<", "latency": ">30 to 30<"}[name]
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %s in\n%s", name, want, text)
		}
	}
	if line := l.ratioPlot(&r).lines[0]; line.floor != 12 || line.goal != 18 || line.colour != colourGoal {
		t.Errorf("%+v", line)
	}
}

func TestAims(t *testing.T) {
	for name, all := range aims {
		for _, a := range all {
			if better := a.goal > a.floor; better != a.atLeast() {
				t.Errorf("%s: %s: the goal is easier than the floor", name, a.text())
			}
			if a.reached(a.goal, "3.5.1") != "goal" || a.floor != 0 && a.reached(a.floor, "3.5.1") != "floor" {
				t.Errorf("%s: %s", name, a.text())
			}
		}
	}
}

func TestPercentile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	if got := percentile(values, 0.5); got != 3 {
		t.Errorf("p50 %v", got)
	}
	if got := percentile(values, 0.99); got != 5 {
		t.Errorf("p99 %v", got)
	}
}

func TestWrittenAt(t *testing.T) {
	const digits = "1700000000123456789"
	for _, piece := range []string{
		`{"annotations":{"` + timeKey + `":"` + digits + `"}`,
		`{"f:` + timeKey + `":{},"x":"y and some more text"}}{"` + timeKey + `":"` + digits + `"`,
		timeKey + "\x12\x13" + digits + "\x12",
	} {
		if at, ok := writtenAt([]byte(piece)); !ok || at.UnixNano() != 1700000000123456789 {
			t.Errorf("%q: %v, %v", piece, at, ok)
		}
	}
	if _, ok := writtenAt([]byte(timeKey + `":"17000`)); ok {
		t.Error("half a time")
	}
}
