// Compares Weir with kube-apiserver and with plain TCP, in one run, on the same pods and the same machine. See
// bench/README.md; bench/compare builds what it needs and starts it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

type options struct {
	pods, podBytes, rounds, watchers, idle int
	rate, seconds                          float64
	quick, h2load, rootfs                  bool
	only                                   string
	out, profiles                          string
}

func main() {
	var o options
	flag.IntVar(&o.pods, "pods", 50_000, "pods in the cluster")
	flag.IntVar(&o.podBytes, "pod-bytes", 5_100, "JSON of a pod")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds, of which medians are taken")
	flag.IntVar(&o.watchers, "watchers", 200, "watchers of all pods, where one event is one write")
	flag.IntVar(&o.idle, "idle", 500, "idle watches, by name")
	flag.Float64Var(&o.rate, "rate", 10, "events per second for them")
	flag.Float64Var(&o.seconds, "seconds", 5, "seconds of events per round")
	flag.BoolVar(&o.quick, "quick", false, "10,000 pods, 2 rounds of 3 seconds, unless said otherwise")
	flag.BoolVar(&o.h2load, "h2load", false, "only what bench/h2load measures")
	flag.BoolVar(&o.rootfs, "rootfs", false, "also a Weir with the libraries of Debian 13, which has OpenSSL 3.5 (bench/rootfs)")
	flag.StringVar(&o.only, "only", "", "only these phases, such as LIST,GET; see bench/README.md")
	flag.StringVar(&o.out, "out", "", "file for the table, with .svg files beside it; empty: only standard output")
	flag.StringVar(&o.profiles, "profiles", "", "folder for flame graphs of Weir's LIST and WATCH, made with perf after the measurements")
	flag.Parse()
	if o.quick {
		o.makeQuick()
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// makeQuick leaves alone what the command line names.
func (o *options) makeQuick() {
	named := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { named[f.Name] = true })
	if !named["pods"] {
		o.pods = 10_000
	}
	if !named["rounds"] {
		o.rounds = 2
	}
	if !named["seconds"] {
		o.seconds = 3
	}
}

// A phase is measured once a round, at all servers in turn.
type phase struct {
	name string
	run  func(*lab, *rows) error
}

// phases are visited group by group: the rounds of one are over before the next begins. The first has Weirs that cache
// JSON only; the second starts all servers anew.
var phases = [][]phase{
	{{"LIST", (*lab).listRound}, {"first", (*lab).firstByteRound}, {"WATCH", (*lab).watchRound}, {"GET", (*lab).getRound}, {"handshakes", (*lab).handshakeRound}},
	{{"memory", (*lab).memoryRound}, {"restart", (*lab).restartRound}},
	{{"protobuf", (*lab).protobufRound}, {"forms", (*lab).formsRound}, {"sixteen", (*lab).sixteenRound}},
	{{"loads", (*lab).loadsRound}, {"latency", (*lab).latencyRound}, {"most", (*lab).mostRound}},
}

// wanted tells whether --only leaves the phase in.
func (o options) wanted(p phase) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), p.name)
}

func run(o options) error {
	if o.pods < max(o.idle, touchedObjects, 2*podsPerApp) || o.rounds < 1 || o.rate*o.seconds < 1 {
		return fmt.Errorf("needs %d pods, as many as idle watches, a round, and an event in it", 2*podsPerApp)
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
	if o.h2load {
		text, err := l.runH2load()
		if err != nil {
			return err
		}
		return publish(o, text)
	}
	r, err := l.measureAll()
	if err != nil {
		return err
	}
	if o.profiles != "" {
		if err := l.profile(); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	if err := publish(o, l.report(r)); err != nil || o.out == "" {
		return err
	}
	return l.writePlots(r, o.out)
}

// publish prints a table and writes it where it is wanted.
func publish(o options, table string) error {
	fmt.Print(table)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(table), 0o644)
}

// measureAll visits all phases that are wanted.
func (l *lab) measureAll() (*rows, error) {
	r := new(rows)
	for _, group := range phases {
		for round := range l.options.rounds {
			for _, phase := range group {
				if !l.options.wanted(phase) {
					continue
				}
				l.log("round %d of %d: %s", round+1, l.options.rounds, phase.name)
				if err := phase.run(l, r); err != nil {
					return nil, fmt.Errorf("%s: %w", phase.name, err)
				}
			}
		}
	}
	return r, nil
}

// revision is that of a list of one pod, from the server's cache.
func (l *lab) revision(t *target) (string, error) {
	body, err := t.read("/api/v1/pods?resourceVersion=0&limit=1")
	if err != nil {
		return "", err
	}
	return revisionOf(body)
}

func revisionOf(body []byte) (string, error) {
	var list struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	err := json.Unmarshal(body, &list)
	return list.Metadata.ResourceVersion, err
}
