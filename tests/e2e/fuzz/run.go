// Package fuzz compares Weir with the API server by random requests. From a seed it makes objects and changes them in
// bursts, watches the bursts through both servers, and between two bursts, when nothing changes, asks both the same
// questions. exchange.Difference and exchange.StreamDifferences judge.
package fuzz

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// Options of a run. The cluster must be fresh; the run changes it.
type Options struct {
	Cluster *oracle.Cluster
	// StartWeir is called once the cluster has all objects and has forgotten how they came; it returns Weir's URL.
	StartWeir func() (string, error)
	HTTP2     func(url string) (bool, error) // Whether Weir offers it.
	Seed      uint64
	Requests  int
	Log       func(format string, args ...any)
}

// A Report is the result of a run.
type Report struct {
	Requests, Watches, Events, Writes int
	Undecided                         int      // Watches that were over before the burst was, and pairs that flow control shed.
	Different                         int      // Requests that were answered differently.
	Differences                       []string // The first of each sort, told in full.
	Sorts                             []string // How often each sort came.
	FailedWrites                      []string
	ByStatus                          map[int]int
}

// Per round. A round takes about as long as its watches last.
const (
	liveWatches   = 120
	writesInBurst = 40
	quietRequests = 1100
	workers       = 20
	told          = 48 // Differences told in full, and made smaller.
)

// Run asks until the number of requests is reached.
func Run(o Options) (*Report, error) {
	w, err := newWorld(o.Cluster, o.Seed, o.Log)
	if err != nil {
		return nil, err
	}
	weir, err := o.StartWeir()
	if err != nil {
		return nil, err
	}
	http2, err := o.HTTP2(weir)
	if err != nil {
		return nil, err
	}
	protocols := []bool{false}
	if http2 {
		protocols = append(protocols, true)
	}
	if err := w.connect(weir, protocols); err != nil {
		return nil, err
	}
	run := &run{world: w, report: &Report{ByStatus: map[int]int{}}, sorts: map[string]int{}}
	for _, k := range w.kinds {
		w.touched[k] = true
	}
	found, err := w.quieten() // Starts all of Weir's feeds.
	if err != nil {
		return nil, err
	}
	w.floor = w.now
	for _, d := range found {
		run.tell("settle", d)
	}
	for round := 1; run.report.Requests < o.Requests; round++ {
		if err := run.round(round, o.Requests-run.report.Requests); err != nil {
			return run.report, err
		}
	}
	run.report.Writes, run.report.FailedWrites, run.report.Sorts = w.written, w.failed, run.sortLines()
	return run.report, nil
}

// A run holds what its rounds have found so far.
type run struct {
	*world
	mu     sync.Mutex
	report *Report
	sorts  map[string]int // Of differences, and how often each came.
}

// round is: open watches, write, and while the watches go on to their end, ask at the quiet point.
func (x *run) round(round, wanted int) error {
	start := time.Now()
	live := x.openLive(round, min(liveWatches, wanted))
	opened := time.Since(start)
	x.burst(x.random(round, -1), writesInBurst)
	written := time.Now()
	found, err := x.quieten()
	if err != nil {
		return err
	}
	for _, d := range found {
		x.tell("settle", fmt.Sprintf("seed %d round %d: %s", x.seed, round, d))
	}
	quiet := time.Now()
	x.ask(round, min(quietRequests, wanted-len(live.queries)))
	asked := time.Now()
	x.closeLive(round, live, written)
	now, err := x.cluster.Revision()
	if err != nil {
		return err
	}
	if now != x.now {
		x.log("round %d: etcd moved from %d to %d at the quiet point", round, x.now, now)
	}
	x.log("round %d: %d requests; opening %s, writing %s, settling %s, asking %s, waiting %s", round, x.report.Requests,
		opened.Round(time.Millisecond), written.Sub(start.Add(opened)).Round(time.Millisecond), quiet.Sub(written).Round(time.Millisecond),
		asked.Sub(quiet).Round(time.Millisecond), time.Since(asked).Round(time.Millisecond))
	return nil
}

// ask sends n requests: answers from a few workers, short watches and those that wait for the future all at once,
// since they hold nobody up.
func (x *run) ask(round, n int) {
	var quick []int
	queries := make([]query, n)
	var slow sync.WaitGroup
	slots := make(chan struct{}, 150)
	for i := range n {
		queries[i] = x.generate(x.random(round, i), false)
		if queries[i].watch || queries[i].slow {
			slow.Go(func() {
				slots <- struct{}{}
				x.compare(round, i, queries[i])
				<-slots
			})
		} else {
			quick = append(quick, i)
		}
	}
	inParallel(workers, len(quick), func(i int) string {
		x.compare(round, quick[i], queries[quick[i]])
		return ""
	})
	slow.Wait()
}

// compare asks both servers and tells the difference. A page is followed by the next, by a token of either server.
func (x *run) compare(round, i int, q query) {
	r := x.random(round, i+1<<20)
	for page := 0; ; page++ {
		d, token := x.difference(q, 1+r.IntN(2))
		if d != "" {
			x.explain(round, i, q, d)
		}
		if token == "" || page == 3 || d != "" {
			return
		}
		q = q.nextPage(token)
	}
}

// nextPage is the same list behind the token.
func (q query) nextPage(token string) query {
	var parameters []string
	for _, p := range q.parameters {
		if !strings.HasPrefix(p, "resourceVersion") && !strings.HasPrefix(p, "continue") {
			parameters = append(parameters, p)
		}
	}
	q.parameters = append(parameters, "continue="+token)
	return q
}

// difference asks both and compares; source says whose token goes on, if any: 1 the API server's, 2 Weir's.
func (x *run) difference(q query, source int) (difference, token string) {
	pair := x.pair(q)
	r := q.request()
	if q.watch {
		up, down := readBoth(pair, r, watchLimit, func() {})
		x.count(up.Status, len(up.Events))
		d := exchange.StreamDifferences(r, up, down)
		for again := 0; len(d) > 0 && again < 3 && q.cutShort(up, down); again++ {
			if up, down = readBoth(pair, r, watchLimit, func() {}); len(exchange.StreamDifferences(r, up, down)) == 0 {
				x.undecided()
				d = nil
			}
		}
		return strings.Join(d, "\n"), ""
	}
	up, down := askBoth(pair, r, q.slow)
	x.count(up.Status, 0)
	difference = exchange.Difference(r, up, down)
	if difference == "" && up.Status == 200 {
		token = exchange.Mask([2]exchange.Answer{up, down}[source-1].Body).RawToken
	}
	return difference, token
}

func askBoth(pair *[2]*exchange.Caller, r exchange.Request, together bool) (up, down exchange.Answer) {
	if !together {
		return pair[0].Ask(r), pair[1].Ask(r)
	}
	var group sync.WaitGroup
	group.Go(func() { up = pair[0].Ask(r) })
	group.Go(func() { down = pair[1].Ask(r) })
	group.Wait()
	return up, down
}

func (x *run) pair(q query) *[2]*exchange.Caller {
	pairs := x.callers[q.user]
	if q.http2 {
		return pairs[len(pairs)-1]
	}
	return pairs[0]
}

func (x *run) count(status, events int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.report.Requests++
	x.report.ByStatus[status]++
	x.report.Events += events
	if events > 0 {
		x.report.Watches++
	}
}

// inParallel calls f for 0 … n-1 from a few goroutines and returns the results in order.
func inParallel(workers, n int, f func(int) string) []string {
	results := make([]string, n)
	next := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range next {
				results[i] = f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	return results
}
