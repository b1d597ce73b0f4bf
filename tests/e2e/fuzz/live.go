package fuzz

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir.dev/e2e/exchange"
)

// watchLimit is how long a watch is read at most; one that has no end of its own ends here, in order.
const watchLimit = 12 * time.Second

// A batch is the watches that see one burst.
type batch struct {
	queries []query
	streams [][2]exchange.Stream
	ended   [][2]time.Time
	done    sync.WaitGroup
}

// openLive opens the watches of the next burst at both servers, and returns when all have begun or were refused.
func (x *run) openLive(round, n int) *batch {
	b := &batch{queries: make([]query, n), streams: make([][2]exchange.Stream, n), ended: make([][2]time.Time, n)}
	var opened sync.WaitGroup
	for i := range n {
		b.queries[i] = x.generate(x.random(round, i+1<<24), true)
		r := b.queries[i].request()
		for side, server := range x.pair(b.queries[i]) {
			opened.Add(1)
			b.done.Go(func() {
				b.streams[i][side] = exchange.ReadWatch(server, r, watchLimit, opened.Done)
				b.ended[i][side] = time.Now()
			})
		}
	}
	opened.Wait()
	return b
}

// closeLive waits for the watches to end and compares them.
func (x *run) closeLive(round int, b *batch, written time.Time) {
	b.done.Wait()
	for i, q := range b.queries {
		up, down := b.streams[i][0], b.streams[i][1]
		x.count(up.Status, len(up.Events))
		if !q.lasted(up, b.ended[i][0], written) || !q.lasted(down, b.ended[i][1], written) {
			x.undecided()
			continue
		}
		if d := exchange.StreamDifferences(q.request(), up, down); len(d) > 0 {
			x.explain(round, i+1<<24, q, strings.Join(d, "\n"))
		}
	}
}

// lasted tells whether a stream that ended by its timeoutSeconds did so after the last write, with time to spare.
func (q query) lasted(s exchange.Stream, ended, written time.Time) bool {
	if q.seconds() == 0 || s.Err != nil || s.Duration < time.Duration(q.seconds())*time.Second-200*time.Millisecond {
		return true
	}
	return ended.After(written.Add(500 * time.Millisecond))
}

func (x *run) undecided() {
	x.mu.Lock()
	x.report.Undecided++
	x.mu.Unlock()
}

// cutShort tells whether the API server's stream of a second or two agrees with Weir's as far as it goes, but was over
// before it had come as far: it had no time to send the rest. That Weir's is the shorter one is never excused.
func (q query) cutShort(up, down exchange.Stream) bool {
	if q.seconds() < 1 || q.seconds() > 2 || up.Err != nil || down.Err != nil || up.Status != 200 || down.Status != 200 {
		return false
	}
	if len(up.Events) >= len(down.Events) {
		return false
	}
	down.Events = down.Events[:len(up.Events)]
	up.Marks, up.Initial, down.Marks, down.Initial = nil, -1, nil, -1
	return len(exchange.StreamDifferences(q.request(), up, down)) == 0
}

// seconds is the timeoutSeconds that the servers will keep to.
func (q query) seconds() int {
	for _, p := range q.parameters {
		if value, found := strings.CutPrefix(p, "timeoutSeconds="); found {
			if plain, err := url.QueryUnescape(value); err == nil {
				value = plain
			}
			seconds, _ := strconv.Atoi(value)
			return max(0, seconds)
		}
	}
	return 0
}

func readBoth(pair *[2]*exchange.Caller, r exchange.Request, limit time.Duration, opened func()) (up, down exchange.Stream) {
	var group sync.WaitGroup
	group.Go(func() { up = exchange.ReadWatch(pair[0], r, limit, opened) })
	group.Go(func() { down = exchange.ReadWatch(pair[1], r, limit, opened) })
	group.Wait()
	return up, down
}

// again is a live watch as one that looks back at the same burst: all that can be asked when the burst is over.
func (q query) again() query {
	c := q
	c.live = false
	for i, p := range c.parameters {
		if strings.HasPrefix(p, "timeoutSeconds=") {
			c.parameters = replaced(c.parameters, i, "timeoutSeconds=1")
		}
	}
	return c
}

// place names a request of a run.
func (x *run) place(round, i int) string {
	return fmt.Sprintf("seed %d, round %d, request %d", x.seed, round, i)
}
