package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"weir.dev/e2e/drain"
)

// A crowd is many watches of the same at one server, over HTTP/2.
type crowd struct {
	server      *target
	connections []*drain.Connection
	// One more watch, uncompressed and without bookmarks, that tells how many bytes the events have.
	reference *drain.Connection
	ages      *ages // nil: not timed.
}

// A gathering says what a crowd watches and how.
type gathering struct {
	path, accept         string
	key                  func(i int) string // Of the objects that change, in etcd.
	gzip                 bool               // Begun by WatchList.
	connections, streams int
	timed                bool
}

const (
	leasesPath = "/apis/coordination.k8s.io/v1/leases"
	podsPath   = "/api/v1/pods"

	openTimeout = 60 * time.Second
)

func (g gathering) counter(a *ages) drain.Counter {
	var c drain.Counter
	switch {
	case g.gzip:
		c = new(drain.Gzip)
	case g.accept == protobufType:
		c = new(drain.Protobuf)
	default:
		c = new(drain.JSON)
	}
	if a != nil {
		return &timedCounter{c, a}
	}
	return c
}

// gather opens the watches and waits until all have their initial events.
func (l *lab) gather(t *target, g gathering) (*crowd, error) {
	body, err := t.read(g.path + "?resourceVersion=0&limit=1")
	if err != nil {
		return nil, err
	}
	revision, err := revisionOf(body)
	if err != nil {
		return nil, err
	}
	c := &crowd{server: t}
	if g.timed {
		c.ages = new(ages)
	}
	plain := drain.Request{Path: g.path + "?watch=true&timeoutSeconds=900&resourceVersion=" + revision, Token: t.user.Token, Accept: g.accept}
	request := plain
	if g.gzip {
		request.Gzip = true
		request.Path = g.path + "?watch=true&timeoutSeconds=900&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
	}
	if c.reference, err = connect(t, []drain.Request{plain}, []drain.Counter{gathering{accept: g.accept}.counter(nil)}); err != nil {
		return nil, err
	}
	c.connections = make([]*drain.Connection, g.connections)
	var group errgroup.Group
	group.SetLimit(4)
	for i := range c.connections {
		group.Go(func() error {
			requests, counters := make([]drain.Request, g.streams), make([]drain.Counter, g.streams)
			for k := range requests {
				requests[k], counters[k] = request, g.counter(c.ages)
			}
			var err error
			c.connections[i], err = connect(t, requests, counters)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		c.close()
		return nil, err
	}
	if err := c.awaitOpen(g.gzip); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func connect(t *target, requests []drain.Request, counters []drain.Counter) (*drain.Connection, error) {
	config, err := t.user.TLSClient(t.caFile, "h2")
	if err != nil {
		return nil, err
	}
	conn, err := tls.DialWithDialer(dialer(), "tcp", strings.TrimPrefix(t.url, "https://"), config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return drain.Open(conn, requests, counters)
}

// awaitOpen returns when every watch is answered and, if they have initial events, nothing comes any more.
func (c *crowd) awaitOpen(initial bool) error {
	before := int64(-1)
	for start := time.Now(); time.Since(start) < openTimeout; time.Sleep(200 * time.Millisecond) {
		open, bytes := true, int64(0)
		for _, s := range c.streams() {
			open = open && s.Answered()
			bytes += s.Bytes()
		}
		if open && (!initial || bytes > 0 && bytes == before) {
			return nil
		}
		before = bytes
	}
	return errors.New(c.server.name + ": watches are not open after " + openTimeout.String())
}

func (c *crowd) streams() []*drain.Stream {
	all := []*drain.Stream{c.reference.Streams[0]}
	for _, conn := range c.connections {
		all = append(all, conn.Streams...)
	}
	return all
}

func (c *crowd) close() {
	for _, conn := range append(c.connections, c.reference) {
		if conn != nil {
			conn.Close()
		}
	}
}

// A standing is how far each watch has come.
type standing []struct{ events, bytes int64 }

func (c *crowd) standing() standing {
	streams := c.streams()
	now := make(standing, len(streams))
	for i, s := range streams {
		now[i].events, now[i].bytes = s.Events(), s.Bytes()
	}
	return now
}

// arrived tells how many watches have just these events since then, and how many the server has ended.
func (c *crowd) arrived(since standing, events int) (complete, cut int) {
	const bookmarks = 512 // Bytes of those that a compressed watch may have had meanwhile.
	want := c.reference.Streams[0].Bytes() - since[0].bytes
	whole := c.reference.Streams[0].Events()-since[0].events == int64(events)
	for i, s := range c.streams() {
		if s.IsOver() {
			cut++
		}
		got := s.Events()-since[i].events == int64(events)
		if s.Events() < 0 {
			excess := s.Bytes() - since[i].bytes - want
			got = whole && excess >= 0 && excess < bookmarks
		}
		if got {
			complete++
		}
	}
	return complete, cut
}

// await returns how long it took until all events were there, or an error that says what is missing.
func (c *crowd) await(since standing, events int, timeout time.Duration) error {
	all := len(since)
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		complete, cut := c.arrived(since, events)
		switch {
		case cut > 0:
			return fmt.Errorf("%s: %w: %d of %d watches", c.server.name, errCut, cut, all)
		case complete == all:
			return nil
		case time.Since(start) > timeout:
			return fmt.Errorf("%s: %w: %d of %d watches have all %d events", c.server.name, errLate, complete, all, events)
		}
	}
}

var (
	errCut  = errors.New("watches were ended")
	errLate = errors.New("events are missing")
)
