package history

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// TestHistory lets writers, watchers and readers work through Weir while its connections are cut and the API server is
// killed and started again, records what all of them see, and has it judged. A second API server, which nobody disturbs,
// keeps the truth; some writers go on there while the first one is away.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	lab, err := openLab(dir)
	if lab != nil {
		defer lab.close()
	}
	if err != nil {
		t.Fatal(err)
	}
	lab.log = t.Logf
	if err := lab.run(); err != nil {
		t.Error(err)
	}
	h := lab.history()
	told(t, h)
	problems := Check(h)
	for _, p := range problems {
		t.Error(p)
	}
	if t.Failed() {
		file := filepath.Join(dir, "history.log")
		if text, err := json.Marshal(h); err == nil {
			_ = os.WriteFile(file, text, 0o644)
		}
		t.Log("logs, and the history as JSON, are in ", oracle.KeepLogs(dir, "history-logs"))
	}
}

// told logs how much was seen, and fails where it was too little to prove anything.
func told(t *testing.T, h *History) {
	t.Helper()
	lists, watches, events, marks, expired, changes := 0, 0, 0, 0, 0, 0
	for _, all := range h.Truth {
		changes += len(all)
	}
	for _, c := range h.Clients {
		for _, s := range c.Steps {
			if s.Watch == nil {
				lists++
				continue
			}
			watches++
			for _, e := range s.Watch.Events {
				if e.Type == "BOOKMARK" {
					marks++
				} else {
					events++
				}
			}
			if s.Watch.Expired {
				expired++
			}
		}
	}
	t.Logf("%d changes, %d writes acknowledged; %d clients with %d lists, %d watches, %d events, %d bookmarks, %d times 410; %d reads; gaps %v",
		changes, len(h.Writes), len(h.Clients), lists, watches, events, marks, expired, len(h.Reads), h.Gaps)
	for what, n := range map[string][2]int{
		"changes": {changes, 800}, "writes": {len(h.Writes), 500}, "watches": {watches, 200}, "events": {events, 5000},
		"bookmarks": {marks, 20}, "lists": {lists, 60}, "reads": {len(h.Reads), 400},
	} {
		if n[0] < n[1] {
			t.Errorf("only %d %s, want %d", n[0], what, n[1])
		}
	}
}

// A lab is all that runs, and the record of it.
type lab struct {
	cluster *oracle.Cluster
	relay   *oracle.Relay
	weir    *oracle.Weir
	replica string
	log     func(format string, args ...any)
	start   time.Time

	truth   map[string]*witness
	clients []*client
	writers []*writer
	readers []*reader
	gaps    []Gap
	last    uint64
	stop    context.CancelFunc // Of clients and readers.
	group   sync.WaitGroup
}

func openLab(dir string) (*lab, error) {
	cluster, err := oracle.Start(dir)
	if err != nil {
		return nil, err
	}
	l := &lab{cluster: cluster, truth: map[string]*witness{}, log: func(string, ...any) {}}
	if err := prepare(cluster); err != nil {
		return l, err
	}
	if l.replica, err = cluster.StartReplica(); err != nil {
		return l, err
	}
	if l.relay, err = oracle.StartRelay(cluster.URL()); err != nil {
		return l, err
	}
	if selfCheck {
		l.weir = &oracle.Weir{URL: l.relay.URL}
		return l, nil
	}
	l.weir, err = cluster.StartWeir(oracle.WeirOptions{Upstream: l.relay.URL})
	return l, err
}

// selfCheck puts the API server itself, behind the same bad network, where Weir would be: its history must be judged
// good, or the judge is wrong.
var selfCheck = os.Getenv("WEIR_E2E_SELF") != ""

func (l *lab) close() {
	if l.stop != nil {
		l.stop()
		l.group.Wait()
	}
	if l.weir != nil && l.weir.Process != nil {
		l.weir.Process.Kill()
	}
	if l.relay != nil {
		l.relay.Close()
	}
	l.cluster.Close()
}

func (l *lab) caller(server string) (*exchange.Caller, error) {
	return exchange.NewCaller(server, l.cluster.CAFile(), l.cluster.Admin, false)
}

// now is the time since the start, for all that is recorded.
func (l *lab) now() time.Duration { return time.Since(l.start) }

func (l *lab) run() error {
	l.start = time.Now()
	for _, r := range resources {
		w, err := l.newWitness(r)
		if err != nil {
			return err
		}
		l.truth[r.name] = w
	}
	if err := l.newWriters(); err != nil {
		return err
	}
	if err := l.newReaders(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	if err := l.startClients(ctx); err != nil {
		return err
	}
	writing, endOfWriting := context.WithCancel(ctx)
	defer endOfWriting()
	var writers sync.WaitGroup
	for _, w := range l.writers {
		writers.Go(func() { w.run(writing) })
	}
	for _, r := range l.readers {
		l.group.Go(func() { r.run(ctx) })
	}
	err := l.disturb()
	endOfWriting()
	writers.Wait()
	if err == nil {
		err = l.settle()
	}
	stop()
	l.group.Wait()
	return err
}

// disturb is what goes wrong while they work.
func (l *lab) disturb() error {
	wait := func(seconds float64) { time.Sleep(time.Duration(seconds * float64(time.Second))) }
	cut := func() { l.log("%5.1f %d connections cut", l.now().Seconds(), l.relay.Cut()) }
	wait(4)
	cut()
	wait(1)
	cut()
	wait(0.2)
	cut()
	wait(3)
	if err := l.outage(true); err != nil {
		return err
	}
	wait(2)
	cut()
	wait(2)
	if err := l.outage(false); err != nil {
		return err
	}
	cut()
	wait(3)
	if err := l.outage(true); err != nil {
		return err
	}
	wait(3)
	return nil
}

// outage ends the API server and starts it again, while others write. What happened between the last change that Weir
// is known to have had before, and the first one that it is known to have had afterwards, is a gap. Clients that see
// everything tell, in each form.
func (l *lab) outage(hard bool) error {
	var gap Gap
	for _, probe := range l.probes() {
		acknowledged := l.acknowledged(probe.Resource)
		if err := waitFor("Weir to be up to date with "+probe.Name, func() bool { return probe.at() >= acknowledged }); err != nil {
			return err
		}
		if gap.From == 0 || acknowledged < gap.From {
			gap.From = acknowledged
		}
	}
	if err := l.cluster.StopAPIServer(hard); err != nil {
		return err
	}
	l.log("%5.1f the API server is away", l.now().Seconds())
	time.Sleep(time.Second)
	if err := l.cluster.StartAPIServer(); err != nil {
		return err
	}
	back, err := l.cluster.Revision()
	if err != nil {
		return err
	}
	for _, probe := range l.probes() {
		if err := waitFor("Weir to go on with "+probe.Name, func() bool { return probe.at() > uint64(back) }); err != nil {
			return err
		}
	}
	now, err := l.cluster.Revision()
	gap.To = uint64(now)
	l.gaps = append(l.gaps, gap)
	l.log("%5.1f Weir goes on; gap %v", l.now().Seconds(), gap)
	return err
}

func (l *lab) probes() []*client {
	return slices.DeleteFunc(slices.Clone(l.clients), func(c *client) bool { return c.Selector != Selector{} })
}

// acknowledged is the last revision of the resource that some writer knows of.
func (l *lab) acknowledged(resource string) uint64 {
	var last uint64
	for _, w := range l.writers {
		last = max(last, w.last(resource))
	}
	return last
}

func waitFor(what string, done func() bool) error {
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited 30 s for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// settle gives the truth and every client the time to see the last change. A client that never does is the checker's.
func (l *lab) settle() error {
	last, err := l.cluster.Revision()
	if err != nil {
		return err
	}
	l.last = uint64(last)
	for name, w := range l.truth {
		acknowledged := l.acknowledged(name)
		if err := waitFor("the truth about "+name, func() bool { return w.at() >= acknowledged }); err != nil {
			return err
		}
	}
	time.Sleep(200 * time.Millisecond) // Writes that were done and never acknowledged.
	for _, c := range l.clients {
		w := l.truth[c.Resource]
		seen := w.whole().seen(w.startAt, l.last, c.Selector)
		if len(seen) == 0 {
			continue
		}
		end := seen[len(seen)-1].Object.Revision
		if err := waitFor("", func() bool { return c.at() >= end }); err != nil {
			l.log("%s is at %d, and should be at %d", c.Name, c.at(), end)
		}
	}
	return nil
}

// history puts the records together.
func (l *lab) history() *History {
	h := &History{Truth: map[string][]Event{}, Start: map[string][]Object{}, StartAt: map[string]uint64{}, Last: l.last, Gaps: l.gaps}
	for name, w := range l.truth {
		h.Truth[name], h.Start[name], h.StartAt[name] = w.events, w.start, w.startAt
	}
	for _, c := range l.clients {
		h.Clients = append(h.Clients, c.Client)
	}
	for _, r := range l.readers {
		h.Reads = append(h.Reads, r.reads...)
	}
	for _, w := range l.writers {
		h.Writes = append(h.Writes, w.writes...)
	}
	slices.SortFunc(h.Clients, func(a, b Client) int { return len(a.Steps) - len(b.Steps) })
	return h
}

// random is seeded alike in each run, as far as threads allow.
func random(n int) *rand.Rand { return rand.New(rand.NewPCG(1, uint64(n))) }
