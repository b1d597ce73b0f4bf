package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"weir.dev/e2e/measure"
)

// report is the table, in Markdown.
func (l *lab) report(r *rows) string {
	o := l.options
	var b strings.Builder
	fmt.Fprintf(&b, "# Weir, kube-apiserver and plain TCP, %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "`bench/compare %s`\n\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintf(&b, "%s. %d pods; a LIST has %d bytes, %d per pod; a watch event %.0f. %d watchers, %g events/s, %g s a round.\n",
		measure.Machine(), o.pods, l.listBytes, l.listBytes/int64(o.pods), l.eventBytes, o.watchers, o.rate, o.seconds)
	fmt.Fprintf(&b, "Medians of %d interleaved rounds; in parentheses the least and the most. R_api: kube-apiserver ÷ Weir, of rates Weir ÷ kube-apiserver. R_tcp: plain TCP ÷ Weir. ", o.rounds)
	b.WriteString("The first column is the number of the target, the last two its floor and goal (in parentheses the goal with OpenSSL 3.0), and which of them is reached.\n\n")
	l.table(&b, r)
	perPod := float64(l.listBytes) / float64(o.pods)
	if values := r.values[rowPod][serverAPI]; len(values) > 0 {
		fmt.Fprintf(&b, "\n- kube-apiserver holds %.2f times the bytes that a pod has on the wire\n", median(values)/perPod)
	}
	for _, note := range r.notes {
		fmt.Fprintf(&b, "- a round without a value: %s\n", note)
	}
	return b.String()
}

// table has the rows with a target first, by its number.
func (l *lab) table(b *strings.Builder, r *rows) {
	heads, line := []string{"#", "quantity", "kube-apiserver"}, "|---|---|---|"
	for _, w := range l.weirs {
		heads, line = append(heads, "Weir, OpenSSL "+w.openssl), line+"---|"
	}
	heads, line = append(heads, "plain TCP"), line+"---|"
	for _, ratio := range []string{"R_api", "R_tcp"} {
		for _, w := range l.weirs {
			head := ratio
			if len(l.weirs) > 1 {
				head += ", " + w.openssl
			}
			heads, line = append(heads, head), line+"---|"
		}
	}
	fmt.Fprintf(b, "| %s | floor; goal | reached |\n%s---|---|\n", strings.Join(heads, " | "), line)
	for _, name := range sortedByTarget(r.names) {
		v := r.values[name]
		cells := []string{"", name, cell(v[serverAPI])}
		for _, w := range l.weirs {
			cells = append(cells, cell(v[w.options.Name]))
		}
		cells = append(cells, cell(v[serverPlain]))
		for _, over := range []string{serverAPI, serverPlain} {
			for _, w := range l.weirs {
				cells = append(cells, ratio(name, v[over], v[w.options.Name]))
			}
		}
		bounds, verdicts := []string{}, []string{}
		for _, a := range aims[name] {
			cells[0] = fmt.Sprint(a.target)
			bounds = append(bounds, a.text())
			each := []string{}
			for _, w := range l.weirs {
				if value, ok := a.value(v, w.options.Name); ok {
					each = append(each, a.reached(value, w.openssl))
				}
			}
			verdicts = append(verdicts, strings.Join(each, "; "))
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", strings.Join(cells, " | "), strings.Join(bounds, "<br>"), strings.Join(verdicts, "<br>"))
	}
}

func sortedByTarget(names []string) []string {
	targetOf := func(name string) int {
		if len(aims[name]) == 0 {
			return 1 << 30
		}
		return aims[name][0].target
	}
	return slices.SortedStableFunc(slices.Values(names), func(a, b string) int { return targetOf(a) - targetOf(b) })
}

func number(v float64) string {
	if v >= 1000 || v <= -1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func cell(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s–%s)", number(median(values)), number(slices.Min(values)), number(slices.Max(values)))
}

func ratio(name string, other, weir []float64) string {
	if len(other) == 0 || len(weir) == 0 || median(weir) <= 0 || median(other) <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", gain(other, weir, len(aims[name]) > 0 && moreIsBetter(aims[name][0].target)))
}
