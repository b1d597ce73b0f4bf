// Compares Weir with kube-apiserver and with plain TCP, in one run, on the same pods and the same machine. See
// bench/README.md; bench/compare builds what it needs and starts it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"weir.dev/e2e/measure"
)

type options struct {
	pods, podBytes, rounds, watchers, idle int
	rate, seconds                          float64
	out, profiles                          string
}

func main() {
	var o options
	flag.IntVar(&o.pods, "pods", 10_000, "pods in the cluster")
	flag.IntVar(&o.podBytes, "pod-bytes", 5_100, "JSON of a pod")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds, of which medians are taken")
	flag.IntVar(&o.watchers, "watchers", 200, "watchers of all pods")
	flag.IntVar(&o.idle, "idle", 500, "idle watches, by name")
	flag.Float64Var(&o.rate, "rate", 10, "events per second")
	flag.Float64Var(&o.seconds, "seconds", 8, "seconds of events per round")
	flag.StringVar(&o.out, "out", "", "file for the table; empty: only standard output")
	flag.StringVar(&o.profiles, "profiles", "", "folder for flame graphs of Weir's LIST and WATCH, made with perf after the measurements")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.pods < o.idle || o.rounds < 1 || o.rate*o.seconds < 1 {
		return errors.New("needs as many pods as idle watches, a round, and an event in it")
	}
	l, err := openLab(o)
	if l != nil {
		defer l.close()
	}
	if err != nil {
		return err
	}
	if err := l.fill(); err != nil {
		return err
	}
	if err := l.sameList(); err != nil {
		return err
	}
	var r rows
	phases := []struct {
		name string
		run  func(*rows) error
	}{{"LIST", l.listRound}, {"WATCH", l.watchRound}, {"GET", l.getRound}}
	for round := range o.rounds {
		for _, phase := range phases {
			l.log("round %d of %d: %s", round+1, o.rounds, phase.name)
			if err := phase.run(&r); err != nil {
				return fmt.Errorf("%s: %w", phase.name, err)
			}
		}
	}
	for round := range o.rounds {
		l.log("round %d of %d: memory", round+1, o.rounds)
		if err := l.memoryRound(&r); err != nil {
			return fmt.Errorf("memory: %w", err)
		}
	}
	for round := range o.rounds { // Last: they make Weir keep a second encoding.
		l.log("round %d of %d: other forms", round+1, o.rounds)
		if err := l.formsRound(&r); err != nil {
			return fmt.Errorf("forms: %w", err)
		}
	}
	if o.profiles != "" {
		if err := l.profile(); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	text := l.report(&r)
	fmt.Print(text)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

// revision is that of a list of one pod, from the server's cache.
func (l *lab) revision(t *target) (string, error) {
	body, err := t.read("/api/v1/pods?resourceVersion=0&limit=1")
	if err != nil {
		return "", err
	}
	var list struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	return list.Metadata.ResourceVersion, json.Unmarshal(body, &list)
}

// report is the table, in Markdown.
func (l *lab) report(r *rows) string {
	o := l.options
	var b strings.Builder
	fmt.Fprintf(&b, "# Weir, kube-apiserver and plain TCP, %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "`bench/compare %s`\n\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintf(&b, "%s. %d pods; a LIST has %d bytes, %d per pod; a watch event %.0f. %d watchers, %g events/s, %g s a round.\n",
		measure.Machine(), o.pods, l.listBytes, l.listBytes/int64(o.pods), l.eventBytes, o.watchers, o.rate, o.seconds)
	fmt.Fprintf(&b, "Medians of %d interleaved rounds; in parentheses the least and the most. R_api: kube-apiserver ÷ Weir. R_tcp: plain TCP ÷ Weir.\n\n", o.rounds)
	b.WriteString("| quantity | kube-apiserver | Weir | plain TCP | R_api | R_tcp |\n|---|---|---|---|---|---|\n")
	for _, name := range r.names {
		v := r.values[name]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", name, cell(v[serverAPI]), cell(v[serverWeir]), cell(v[serverPlain]),
			ratio(v[serverAPI], v[serverWeir]), ratio(v[serverPlain], v[serverWeir]))
	}
	perPod := float64(l.listBytes) / float64(o.pods)
	added := median(r.values[rowGet][serverWeir]) - median(r.values[rowGet][serverAPI])
	fmt.Fprintf(&b, "\n- resident per cached pod ÷ its bytes on the wire: kube-apiserver %.2f, Weir %.2f\n",
		median(r.values[rowPod][serverAPI])/perPod, median(r.values[rowPod][serverWeir])/perPod)
	fmt.Fprintf(&b, "- added latency of a forwarded GET, p50: %.3f ms\n", added)
	return b.String()
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
	least, most := values[0], values[0]
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	return fmt.Sprintf("%s (%s–%s)", number(median(values)), number(least), number(most))
}

func ratio(over, under []float64) string {
	if len(over) == 0 || len(under) == 0 || median(under) <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", median(over)/median(under))
}
