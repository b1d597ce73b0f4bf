package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/e2e/exchange"
)

// TestWatchResumesAnywhere: a watch that starts at the revision of any event goes on with the next one, at the API
// server and at Weir alike. Selectors hold through the replay.
func TestWatchResumesAnywhere(t *testing.T) {
	ctx := context.Background()
	down := newCaller(t, weir.URL, cluster.Admin, true)
	if a := down.ask(request{Path: "/api/v1/namespaces/empty/configmaps"}); a.Err != nil || a.Status != 200 {
		t.Fatalf("warming: %d %v", a.Status, a.Err)
	}
	start := revision(t)
	configMaps := admin.CoreV1().ConfigMaps("empty")
	for i := range 4 {
		name := fmt.Sprintf("resumed-%d", i)
		must(t, createConfigMap(ctx, "empty", name, map[string]string{"app": "web"}, oddText))
		for _, app := range []string{"nginx", "web"} {
			_, err := configMaps.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"labels":{"app":"`+app+`"}}}`), metav1.PatchOptions{})
			must(t, err)
		}
		// A revision that this kind does not see.
		_, err := admin.CoreV1().Nodes().Patch(ctx, "n1", types.MergePatchType, []byte(fmt.Sprintf(`{"metadata":{"annotations":{"n":"%d"}}}`, i)), metav1.PatchOptions{})
		must(t, err)
	}
	for i := range 4 {
		must(t, configMaps.Delete(ctx, fmt.Sprintf("resumed-%d", i), metav1.DeleteOptions{}))
	}
	end := revision(t)

	for _, selector := range []string{"", "&labelSelector=app%3Dweb", "&fieldSelector=metadata.name%3Dresumed-2", "&labelSelector=app%21%3Dweb"} {
		t.Run(subtestName("watch"+selector), func(t *testing.T) {
			path := func(rv int64) request {
				return request{Path: fmt.Sprintf("/api/v1/namespaces/empty/configmaps?watch=1&timeoutSeconds=1&resourceVersion=%d%s", rv, selector)}
			}
			whole := newCaller(t, cluster.URL(), cluster.Admin, true).ask(path(start))
			must(t, whole.Err)
			problems := inParallel(16, int(end-start)+1, func(i int) string {
				rv := start + int64(i)
				a := down.ask(path(rv))
				if want := eventsAfter(whole.Body, rv); a.Err != nil || !bytes.Equal(a.Body, want) {
					return fmt.Sprintf("from %d: %d %v\n  want %d bytes: %.200s\n  got  %d bytes: %.200s", rv, a.Status, a.Err, len(want), want, len(a.Body), a.Body)
				}
				return ""
			})
			for _, problem := range problems {
				if problem != "" {
					t.Error(problem)
				}
			}
		})
	}
}

// eventsAfter is the rest of a stream behind a revision.
func eventsAfter(events []byte, revision int64) []byte {
	for _, line := range exchange.SplitLines(events) {
		var e struct {
			Object struct {
				Metadata struct {
					ResourceVersion int64 `json:",string"`
				}
			}
		}
		if json.Unmarshal(line, &e) != nil || e.Object.Metadata.ResourceVersion > revision {
			return events
		}
		events = events[len(line):]
	}
	return events
}
