package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir.dev/e2e/exchange"
)

// TestEventsThatExpireTogether: etcd ends the keys of one lease at one revision. Watches and lists through Weir show
// them all gone, as the API server's do.
func TestEventsThatExpireTogether(t *testing.T) {
	// With one of 20 s the API server shares a lease among the events of a second.
	const ttl, count = 20 * time.Second, 60
	replica, err := cluster.StartReplica(fmt.Sprintf("--event-ttl=%s", ttl))
	must(t, err)
	t.Cleanup(cluster.StopReplica)
	servers := [2]*caller{newCaller(t, cluster.URL(), cluster.Admin, false), newCaller(t, weir.URL, cluster.Admin, true)}
	const collection = "/api/v1/namespaces/a/events"
	// Weir's caches run from here on.
	for _, accept := range []string{"application/json", protobuf} {
		servers[1].ask(request{Path: collection + "?resourceVersion=0", Header: http.Header{"Accept": {accept}}})
	}

	requests := []request{}
	for _, query := range []string{
		fmt.Sprintf("resourceVersion=%d", revision(t)),
		"resourceVersion=0&allowWatchBookmarks=true",
		fmt.Sprintf("resourceVersion=%d&fieldSelector=reason%%3DOdd", revision(t)),
	} {
		for _, accept := range []string{"application/json", protobuf, partialOne} {
			requests = append(requests, request{
				Path:   fmt.Sprintf("%s?watch=1&timeoutSeconds=%d&%s", collection, int(ttl.Seconds())+10, query),
				Header: http.Header{"Accept": {accept}},
			})
		}
	}
	streams := make([][2]exchange.Stream, len(requests))
	var opened, ended sync.WaitGroup
	for i, r := range requests {
		for j, server := range servers {
			opened.Add(1)
			ended.Go(func() { streams[i][j] = exchange.ReadWatch(server.Caller, r, ttl+30*time.Second, opened.Done) })
		}
	}
	opened.Wait()
	writer := newCaller(t, replica, cluster.Admin, true)
	for i := range count {
		reason := []string{"Even", "Odd"}[i%2]
		a := writer.ask(request{Method: "POST", Path: collection, Header: http.Header{"Content-Type": {"application/json"}}, Body: fmt.Sprintf(
			`{"metadata":{"name":"short-%d"},"involvedObject":{"namespace":"a","kind":"Pod","name":"p"},"reason":"%s"}`, i, reason)})
		if a.Status != http.StatusCreated {
			t.Fatalf("%d %s %v", a.Status, a.Body, a.Err)
		}
	}
	during := servers[1].ask(request{Path: collection + "?resourceVersion=0"})
	if n := strings.Count(string(during.Body), `"name":"short-`); n == 0 || n > count {
		t.Errorf("%d of the events are listed", n)
	}
	ended.Wait()
	for i, r := range requests {
		compareStreams(t, r.Path+" "+r.Header.Get("Accept"), streams[i][0], streams[i][1])
	}
	deleted := map[uint64]int{}
	for _, e := range streams[0][1].Events {
		if e.Type == "DELETED" {
			deleted[e.Revision]++
		}
	}
	if len(deleted) == 0 || len(deleted) > count/2 {
		t.Errorf("%d events expired at %d revisions: they did not share them", count, len(deleted))
	}
	after := [2]answer{}
	for i, server := range servers {
		after[i] = server.ask(request{Path: collection + "?resourceVersion=0"})
	}
	if d := difference(request{Path: collection + "?resourceVersion=0"}, after[0], after[1]); d != "" {
		t.Error(d)
	}
}
