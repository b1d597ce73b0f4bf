package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// writePlots draws what the table says into files beside it, of the same stem.
func (l *lab) writePlots(r *rows, table string) error {
	stem := strings.TrimSuffix(table, filepath.Ext(table))
	for suffix, p := range map[string]plot{"-ratios.svg": l.ratioPlot(r), "-latency.svg": l.latencyPlot(r)} {
		if len(p.lines) == 0 {
			continue
		}
		if err := os.WriteFile(stem+suffix, []byte(p.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var verdictColours = map[string]string{"goal": colourGoal, "floor": colourLow, "**no**": colourNo, "not the goal": colourLow}

// ratioPlot has each row's R_api, with the bounds of those that have any for it.
func (l *lab) ratioPlot(r *rows) plot {
	p := plot{title: "How many times better than kube-apiserver (R_api)", unit: "×"}
	for _, name := range sortedByTarget(r.names) {
		v := r.values[name]
		for _, w := range l.weirs {
			a := aim{of: ratioAPI}
			line := plotLine{label: name, colour: colourBare}
			for i, each := range aims[name] {
				if i == 0 {
					a.target = each.target
				}
				if each.of == ratioAPI {
					a = each
				}
			}
			value, ok := a.value(v, w.options.Name)
			if !ok {
				continue
			}
			line.to, line.text = value, number(value)
			if a.goal > 0 {
				line.floor, line.goal = a.floor, a.goalWith(w.openssl)
				line.colour = verdictColours[a.reached(value, w.openssl)]
			}
			line.label = l.labelled(a.target, name, w)
			p.lines = append(p.lines, line)
		}
	}
	return p
}

var inParentheses = regexp.MustCompile(` \([^)]*\)`)

// labelled is the row's name, not too long, with the target's number.
func (l *lab) labelled(target int, name string, w *weir) string {
	name = inParentheses.ReplaceAllString(name, "")
	const most = 76
	if len(name) > most {
		name = name[:most-1] + "…"
	}
	if target > 0 {
		name = fmt.Sprintf("%s  #%d", name, target)
	}
	if len(l.weirs) > 1 {
		name += ", " + strings.Join(strings.SplitN(w.openssl, ".", 3)[:2], ".")
	}
	return name
}

// latencyPlot has a bar from p50 to p99 for each server.
func (l *lab) latencyPlot(r *rows) plot {
	p := plot{title: "Write to etcd until a watcher has it: p50 to p99, ms"}
	for _, each := range []struct{ name, p50, p99 string }{
		{"1,000 watchers, 10/s, HTTP/1.1", rowAge1000P50, rowAge1000P99},
		{"10,000 watchers, 1/s, HTTP/2", rowAge10kP50, rowAge10kP99},
	} {
		p50, p99 := r.values[each.p50], r.values[each.p99]
		if len(p50[serverAPI]) > 0 {
			p.lines = append(p.lines, latencyLine(each.name+": kube-apiserver", p50[serverAPI], p99[serverAPI]))
		}
		for _, w := range l.weirs {
			name := w.options.Name
			if len(p50[name]) == 0 {
				continue
			}
			line := latencyLine(l.labelled(aims[each.p99][0].target, each.name+": Weir", w), p50[name], p99[name])
			a := aims[each.p99][0]
			line.floor, line.goal = a.floor, a.goal
			line.colour = verdictColours[a.reached(median(p99[name]), w.openssl)]
			p.lines = append(p.lines, line)
		}
	}
	return p
}

func latencyLine(label string, p50, p99 []float64) plotLine {
	from, to := median(p50), median(p99)
	return plotLine{label: label, from: from, to: to, text: number(from) + " to " + number(to), colour: colourBare}
}
