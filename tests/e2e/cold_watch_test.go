package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// TestAWatchGoesOnFromBeforeItsCache: a client lists one object, which the API server answers, and watches from there;
// the cache that its watch begins is younger than what it names. Weir asks the API server to go on, which remembers.
func TestAWatchGoesOnFromBeforeItsCache(t *testing.T) {
	cold := startWeir(t, oracle.WeirOptions{})
	up, down := newCaller(t, cluster.URL(), cluster.Admin, true), newCaller(t, cold.URL, cluster.Admin, true)
	ctx := context.Background()
	const path = "/api/v1/namespaces/empty/configmaps?fieldSelector=metadata.name%3Dcold"
	t.Cleanup(func() {
		_ = admin.CoreV1().ConfigMaps("empty").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
	})
	must(t, createConfigMap(ctx, "empty", "cold-before", nil, "x"))
	a := down.ask(request{Path: path})
	var list metav1.PartialObjectMetadataList
	must(t, json.Unmarshal(a.Body, &list))
	for _, name := range []string{"cold-other", "cold", "cold-last"} {
		must(t, createConfigMap(ctx, "empty", name, nil, "x"))
	}
	must(t, admin.CoreV1().ConfigMaps("empty").Delete(ctx, "cold", metav1.DeleteOptions{}))

	resume := request{Path: path + "&watch=1&timeoutSeconds=3&allowWatchBookmarks=true&resourceVersion=" + list.ResourceVersion}
	read := func(c *caller) exchange.Stream {
		return exchange.ReadWatch(c.Caller, resume, 20*time.Second, func() {})
	}
	want, got := read(up), read(down)
	for _, d := range exchange.StreamDifferences(resume, want, got) {
		t.Error(d)
	}
	if len(got.Events) != 2 {
		t.Errorf("%d events, want ADDED and DELETED", len(got.Events))
	}
	if n := metric(t, cold, `weir_forwarded_total{reason="history"}`); n != 1 {
		t.Errorf("forwarded for its history: %v", n)
	}

	// What even the API server does not remember has its words.
	gone := request{Path: path + "&watch=1&timeoutSeconds=3&resourceVersion=5"}
	for _, d := range exchange.StreamDifferences(gone, exchange.ReadWatch(up.Caller, gone, 20*time.Second, func() {}), exchange.ReadWatch(down.Caller, gone, 20*time.Second, func() {})) {
		t.Error(d)
	}
}

// TestARestartIsNoStormUpstream: of the watches that all come back to a Weir that has just begun, a hundred go on at the
// API server; the others get the 410 that they would get from an API server that has just begun, and list from the cache.
func TestARestartIsNoStormUpstream(t *testing.T) {
	cold := startWeir(t, oracle.WeirOptions{})
	ctx := context.Background()
	at := revision(t)
	must(t, createConfigMap(ctx, "empty", "storm", nil, "x"))
	t.Cleanup(func() { _ = admin.CoreV1().ConfigMaps("empty").Delete(ctx, "storm", metav1.DeleteOptions{}) })
	const watches = 400
	down := newCaller(t, cold.URL, cluster.Admin, true)
	r := request{Path: fmt.Sprintf("/api/v1/configmaps?watch=1&timeoutSeconds=10&resourceVersion=%d", at)}
	began := time.Now()
	outcomes := inParallel(200, watches, func(int) string {
		s := exchange.ReadWatch(down.Caller, r, 30*time.Second, func() {})
		switch {
		case s.Err != nil || len(s.Events) == 0:
			return fmt.Sprintf("%d events, %v", len(s.Events), s.Err)
		case s.Events[0].Type == "ERROR" && strings.Contains(string(s.Events[0].Raw), `"code":410`):
			return "410"
		}
		return "went on"
	})
	seconds := int(time.Since(began).Seconds())
	count := map[string]int{}
	for _, o := range outcomes {
		count[o]++
	}
	on := count["went on"]
	if on < 100 || on > 100+10*(seconds+1) || on+count["410"] != watches {
		t.Errorf("in %d s: %v", seconds, count)
	}
}
