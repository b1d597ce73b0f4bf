package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/e2e/exchange"
)

// How long the compared watches last. The writes take less than half of it.
const watchSeconds = 6

// A watchRow is one watch; timeoutSeconds is added. {now} and {earlier} are as in the table.
type watchRow struct {
	name, path, accept string
}

var watchRows = []watchRow{
	{name: "everything from now", path: "/api/v1/configmaps?watch=1&resourceVersion={now}"},
	{name: "from earlier", path: "/api/v1/configmaps?watch=1&resourceVersion={earlier}"},
	{name: "from 0", path: "/api/v1/configmaps?watch=1&resourceVersion=0"},
	{name: "from nowhere", path: "/api/v1/namespaces/a/configmaps?watch=1"},
	{name: "from 0 with bookmarks", path: "/api/v1/namespaces/a/configmaps?watch=1&resourceVersion=0&allowWatchBookmarks=true"},
	{name: "with bookmarks", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&allowWatchBookmarks=true"},
	{name: "initial events", path: "/api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"},
	{name: "initial events without bookmarks", path: "/api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion={earlier}"},
	{name: "a namespace", path: "/api/v1/namespaces/a/configmaps?watch=1&resourceVersion={now}"},
	{name: "another namespace", path: "/api/v1/namespaces/a-b/configmaps?watch=1&resourceVersion={now}"},
	{name: "label web: objects leave", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&labelSelector=app%3Dweb"},
	{name: "label nginx: objects arrive", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&labelSelector=app%3Dnginx"},
	{name: "label that is absent", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&labelSelector=!app"},
	{name: "label set", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&labelSelector=app+in+(web,nginx)"},
	{name: "label, from earlier", path: "/api/v1/configmaps?watch=1&resourceVersion={earlier}&labelSelector=app%3Dweb"},
	{name: "one name", path: "/api/v1/namespaces/a/configmaps?watch=1&resourceVersion={now}&fieldSelector=metadata.name%3Dw-0"},
	{name: "one name everywhere", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&fieldSelector=metadata.name%3Dw-1"},
	{name: "all but a name", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&fieldSelector=metadata.name!%3Dw-1"},
	{name: "a namespace by field", path: "/api/v1/configmaps?watch=1&resourceVersion={now}&fieldSelector=metadata.namespace%3Da-b"},
	{name: "a namespace that is absent", path: "/api/v1/namespaces/nope/configmaps?watch=1&resourceVersion={now}"},
	{name: "the future", path: "/api/v1/configmaps?watch=1&resourceVersion=99999999"},
	{name: "pods", path: "/api/v1/pods?watch=1&resourceVersion={now}"},
	{name: "pods of a node", path: "/api/v1/pods?watch=1&resourceVersion={now}&fieldSelector=spec.nodeName%3Dn2"},
	{name: "pods of no node: they leave when bound", path: "/api/v1/pods?watch=1&resourceVersion={now}&fieldSelector=spec.nodeName%3D"},
	{name: "pods by phase", path: "/api/v1/pods?watch=1&resourceVersion={now}&fieldSelector=status.phase%3DRunning"},
	{name: "pods of a node, from 0", path: "/api/v1/pods?watch=1&resourceVersion=0&fieldSelector=spec.nodeName%3Dn1"},
	{name: "pods by node and label", path: "/api/v1/pods?watch=1&resourceVersion={now}&fieldSelector=spec.nodeName%3Dn2&labelSelector=app%3Dweb"},
	{name: "custom resources", path: "/apis/stable.example.com/v1/crontabs?watch=1&resourceVersion={now}"},
	{name: "custom resources from 0 with bookmarks", path: "/apis/stable.example.com/v1/crontabs?watch=1&resourceVersion=0&allowWatchBookmarks=true"},
	{name: "custom resources by field", path: "/apis/stable.example.com/v1/crontabs?watch=1&resourceVersion={now}&fieldSelector=spec.replicas%3D7"},
	{name: "custom resources by label", path: "/apis/stable.example.com/v1/namespaces/a/crontabs?watch=1&resourceVersion={now}&labelSelector=app%3Dweb"},
	{name: "leases", path: "/apis/coordination.k8s.io/v1/leases?watch=1&resourceVersion={now}"},
	{name: "namespaces", path: "/api/v1/namespaces?watch=1&resourceVersion={now}"},
	{name: "nodes", path: "/api/v1/nodes?watch=1&resourceVersion={now}&fieldSelector=metadata.name%3Dn1"},
	{name: "secrets", path: "/api/v1/secrets?watch=1&resourceVersion={now}"},
	{name: "events", path: "/api/v1/namespaces/a/events?watch=1&resourceVersion={now}"},
	{name: "metadata only", path: "/api/v1/configmaps?watch=1&resourceVersion={now}", accept: partialOne},
	{name: "metadata only, from 0", path: "/api/v1/pods?watch=1&resourceVersion=0", accept: partialOne},
	{name: "metadata only, custom", path: "/apis/stable.example.com/v1/crontabs?watch=1&resourceVersion={now}", accept: partialOne},
	{name: "protobuf", path: "/api/v1/configmaps?watch=1&resourceVersion={now}", accept: protobuf},
	{name: "protobuf by label", path: "/api/v1/pods?watch=1&resourceVersion=0&labelSelector=app%3Dweb", accept: protobuf},
	{name: "protobuf metadata, custom", path: "/apis/stable.example.com/v1/crontabs?watch=1&resourceVersion={now}",
		accept: protobuf + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"},
	{name: "the old path", path: "/api/v1/watch/namespaces/a/configmaps?resourceVersion={now}"},
}

// TestWatchSequences opens every watch at both servers, then writes, and wants the same events from both until both
// end in time.
func TestWatchSequences(t *testing.T) {
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			at := makeHistory(t)
			servers := [2]*caller{
				newCaller(t, cluster.URL(), cluster.Admin, protocol == "HTTP2"),
				newCaller(t, weir.URL, cluster.Admin, protocol == "HTTP2"),
			}
			streams := make([][2]exchange.Stream, len(watchRows))
			var opened, ended sync.WaitGroup
			for i, r := range watchRows {
				path := at.fill(r.path) + fmt.Sprintf("&timeoutSeconds=%d", watchSeconds)
				header := http.Header{}
				if r.accept != "" {
					header.Set("Accept", r.accept)
				}
				for j, server := range servers {
					opened.Add(1)
					ended.Go(func() {
						streams[i][j] = readWatch(server, request{Path: path, Header: header}, opened.Done)
					})
				}
			}
			opened.Wait()
			script(t, protocol)
			ended.Wait()
			for i, r := range watchRows {
				t.Run(subtestName(r.name), func(t *testing.T) {
					compareStreams(t, at.fill(r.path)+fmt.Sprintf("&timeoutSeconds=%d", watchSeconds), streams[i][0], streams[i][1])
				})
			}
		})
	}
}

// readWatch reads until the end; opened is called once the headers are there, or will never be.
func readWatch(c *caller, r request, opened func()) exchange.Stream {
	return exchange.ReadWatch(c.Caller, r, (watchSeconds+15)*time.Second, opened)
}

func compareStreams(t *testing.T, path string, up, down exchange.Stream) {
	t.Helper()
	t.Log(path)
	for _, d := range exchange.StreamDifferences(request{Path: path}, up, down) {
		t.Error(d)
	}
}

// script is what happens while the watches are open. Objects are new in each run.
func script(t *testing.T, run string) {
	t.Helper()
	ctx := context.Background()
	start := time.Now()
	configMaps, pods := admin.CoreV1().ConfigMaps("a"), admin.CoreV1().Pods("a")
	label := func(name, app string) {
		patch := fmt.Sprintf(`{"metadata":{"labels":{"app":%s}}}`, app)
		_, err := configMaps.Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		must(t, err)
	}
	for i := range 3 {
		must(t, createConfigMap(ctx, "a", fmt.Sprintf("w-%d", i), map[string]string{"app": "web"}, oddText+run))
	}
	must(t, createConfigMap(ctx, "a-b", "w-1", map[string]string{"app": "nginx"}, run))
	label("w-0", `"nginx"`) // Leaves one selector, enters the other.
	label("w-1", `null`)
	label("w-0", `"web"`)
	must(t, configMaps.Delete(ctx, "w-0", metav1.DeleteOptions{}))
	must(t, createConfigMap(ctx, "a", "w-0", map[string]string{"app": "nginx"}, "again"))

	for i, node := range []string{"n2", ""} {
		_, err := pods.Create(ctx, pod("a", fmt.Sprintf("wp-%d", i), node, map[string]string{"app": "web"}), metav1.CreateOptions{})
		must(t, err)
	}
	must(t, pods.Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "wp-1"}, Target: corev1.ObjectReference{Kind: "Node", Name: "n2"},
	}, metav1.CreateOptions{}))
	for _, phase := range []string{"Running", "Succeeded"} {
		_, err := pods.Patch(ctx, "wp-0", types.MergePatchType, []byte(`{"status":{"phase":"`+phase+`"}}`), metav1.PatchOptions{}, "status")
		must(t, err)
	}
	tabs := adminDy.Resource(crontabGVR).Namespace("a")
	_, err := tabs.Create(ctx, crontab("a", "wt", 7, map[string]any{"app": "web"}), metav1.CreateOptions{})
	must(t, err)
	_, err = tabs.Patch(ctx, "wt", types.MergePatchType, []byte(`{"spec":{"replicas":8}}`), metav1.PatchOptions{})
	must(t, err)
	touch(t, "watched")

	zero := int64(0)
	now := metav1.DeleteOptions{GracePeriodSeconds: &zero}
	for i := range 3 {
		must(t, configMaps.Delete(ctx, fmt.Sprintf("w-%d", i), now))
	}
	must(t, admin.CoreV1().ConfigMaps("a-b").Delete(ctx, "w-1", now))
	must(t, pods.Delete(ctx, "wp-0", now))
	must(t, pods.Delete(ctx, "wp-1", now))
	must(t, tabs.Delete(ctx, "wt", now))
	if took := time.Since(start); took > (watchSeconds-3)*time.Second {
		t.Logf("the writes took %s", took)
	}
}

// TestWatchOutlivesManyEvents: a burst of changes while the client does not read, then all of them in order.
func TestWatchOutlivesManyEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	const count = 300
	down := newCaller(t, weir.URL, cluster.Admin, true)
	response, err := down.open(ctx, request{Path: fmt.Sprintf("/api/v1/namespaces/empty/configmaps?watch=1&resourceVersion=%d", revision(t))})
	must(t, err)
	defer response.Body.Close()
	must(t, createConfigMap(ctx, "empty", "burst", nil, strings.Repeat("x", 8000)))
	last := ""
	for i := range count {
		patched, err := admin.CoreV1().ConfigMaps("empty").Patch(ctx, "burst", types.MergePatchType,
			[]byte(fmt.Sprintf(`{"metadata":{"annotations":{"n":"%d"}}}`, i)), metav1.PatchOptions{})
		must(t, err)
		last = patched.ResourceVersion
	}
	must(t, admin.CoreV1().ConfigMaps("empty").Delete(ctx, "burst", metav1.DeleteOptions{}))
	decoder := json.NewDecoder(response.Body)
	var seen []string
	for {
		var e struct {
			Type   string
			Object struct {
				Metadata struct{ ResourceVersion string }
			}
		}
		if err := decoder.Decode(&e); err != nil {
			t.Fatalf("after %d events: %v", len(seen), err)
		}
		seen = append(seen, e.Type)
		if e.Type == "DELETED" {
			break
		}
		if len(seen) == count+1 && e.Object.Metadata.ResourceVersion != last {
			t.Errorf("the last change has revision %s, Weir says %s", last, e.Object.Metadata.ResourceVersion)
		}
	}
	if len(seen) != count+2 || seen[0] != "ADDED" || strings.Count(strings.Join(seen, " "), "MODIFIED") != count {
		t.Errorf("%d events: %s … %s", len(seen), seen[0], seen[len(seen)-1])
	}
}
