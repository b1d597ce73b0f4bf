package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/exchange"
)

// TestBookmarksOfAQuietType: a watch that ends soon gets its last bookmark before it does, though nothing happens in
// its type, so that its client goes on from near the present.
func TestBookmarksOfAQuietType(t *testing.T) {
	needsWeir(t)
	ctx := context.Background()
	const path = "/apis/networking.k8s.io/v1/ingresses"
	servers := [2]*caller{newCaller(t, cluster.URL(), cluster.Admin, true), newCaller(t, weir.URL, cluster.Admin, true)}
	for _, c := range servers {
		c.ask(request{Path: path + "?resourceVersion=0"})
	}
	now := revision(t)
	queries := []string{
		fmt.Sprintf("watch=1&allowWatchBookmarks=true&resourceVersion=%d&timeoutSeconds=8", now),
		"watch=1&allowWatchBookmarks=true&resourceVersion=0&timeoutSeconds=8",
		"watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=8",
		"watch=1&resourceVersion=0&timeoutSeconds=8",
	}
	streams := make([][2]exchange.Stream, len(queries))
	var opened, ended sync.WaitGroup
	for i, q := range queries {
		for j, c := range servers {
			opened.Add(1)
			ended.Go(func() {
				streams[i][j] = exchange.ReadWatch(c.Caller, request{Path: path + "?" + q}, 30*time.Second, opened.Done)
			})
		}
	}
	opened.Wait()
	for i := range 20 { // Revisions that this type does not see.
		must(t, createConfigMap(ctx, "empty", fmt.Sprintf("elsewhere-%d", i), nil, "x"))
		time.Sleep(200 * time.Millisecond)
	}
	ended.Wait()
	must(t, admin.CoreV1().ConfigMaps("empty").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	for i, q := range queries {
		for _, d := range exchange.StreamDifferences(request{Path: path + "?" + q}, streams[i][0], streams[i][1]) {
			t.Errorf("%s: %s", q, d)
		}
		asked := i < 3
		if marks := len(streams[i][1].Marks); asked != (marks > 0) {
			t.Errorf("%s: %d bookmarks", q, marks)
		}
	}
}
