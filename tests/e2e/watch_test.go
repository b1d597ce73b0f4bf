package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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

// A stream is a watch that was read to its end.
type stream struct {
	status   int
	header   http.Header
	events   [][]byte // Lines or frames, without bookmarks.
	marks    [][]byte // Bookmarks.
	initial  int      // Events before the bookmark that ends the initial ones; -1 without it.
	duration time.Duration
	err      error
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
			streams := make([][2]stream, len(watchRows))
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
					compareStreams(t, at.fill(r.path), streams[i][0], streams[i][1])
				})
			}
		})
	}
}

// readWatch reads until the end; opened is called once the headers are there, or will never be.
func readWatch(c *caller, r request, opened func()) stream {
	ctx, cancel := context.WithTimeout(context.Background(), (watchSeconds+15)*time.Second)
	defer cancel()
	s := stream{initial: -1}
	start := time.Now()
	response, err := c.open(ctx, r)
	opened()
	if err != nil {
		s.err = err
		return s
	}
	defer response.Body.Close()
	s.status, s.header = response.StatusCode, response.Header
	body, err := io.ReadAll(response.Body)
	s.duration, s.err = time.Since(start), err
	split := splitLines
	if strings.HasPrefix(response.Header.Get("Content-Type"), protobuf) {
		split = splitFrames
	}
	for _, event := range split(body) {
		if !isBookmark(event) {
			s.events = append(s.events, event)
			continue
		}
		if bytes.Contains(event, []byte("k8s.io/initial-events-end")) {
			s.initial = len(s.events)
		}
		s.marks = append(s.marks, event)
	}
	return s
}

func splitLines(body []byte) [][]byte { return bytes.SplitAfter(body, []byte("\n")) }

func splitFrames(body []byte) [][]byte {
	var frames [][]byte
	for len(body) >= 4 {
		n := int(binary.BigEndian.Uint32(body)) + 4
		if n > len(body) {
			break
		}
		frames = append(frames, body[:n])
		body = body[n:]
	}
	return append(frames, body) // Nothing, unless the last frame is cut.
}

func isBookmark(event []byte) bool {
	return bytes.HasPrefix(event, []byte(`{"type":"BOOKMARK"`)) || (len(event) > 14 && bytes.Equal(event[4:14], []byte("\n\x08BOOKMARK")))
}

func compareStreams(t *testing.T, path string, up, down stream) {
	t.Helper()
	t.Log(path)
	if up.err != nil || down.err != nil {
		t.Fatalf("broken off: API server %v, Weir %v", up.err, down.err)
	}
	if up.status != down.status {
		t.Fatalf("status: API server %d, Weir %d", up.status, down.status)
	}
	for _, d := range headerDifferences(request{}, up.header, down.header) {
		t.Error(d)
	}
	for i := range max(len(up.events), len(down.events)) {
		if i >= len(up.events) || i >= len(down.events) {
			t.Errorf("the API server sends %d events, Weir %d; after event %d\n  API server %.300s\n  Weir       %.300s",
				len(up.events), len(down.events), i, at(up.events, i), at(down.events, i))
			break
		}
		if !bytes.Equal(up.events[i], down.events[i]) {
			n := firstDifference(up.events[i], down.events[i])
			t.Errorf("event %d differs at byte %d:\n  API server …%s\n  Weir       …%s", i, n, excerpt(up.events[i], n), excerpt(down.events[i], n))
			break
		}
	}
	if up.initial != down.initial {
		t.Errorf("the end of the initial events: API server after %d, Weir after %d (-1: none)", up.initial, down.initial)
	}
	if d := down.duration - watchSeconds*time.Second; d < -200*time.Millisecond || d > 2*time.Second {
		t.Errorf("Weir ended after %s", down.duration)
	}
	if !strings.Contains(path, "allowWatchBookmarks") && len(down.marks) > 0 {
		t.Errorf("a bookmark that nobody asked for: %s", down.marks[0])
	}
	checkBookmarks(t, up.marks, down.marks)
}

// checkBookmarks: Weir's come when it likes, their revisions never fall, and they are of the right type.
func checkBookmarks(t *testing.T, up, down [][]byte) {
	t.Helper()
	type bookmark struct {
		Object struct {
			Kind, APIVersion string
			Metadata         struct {
				ResourceVersion string
				Annotations     map[string]string
			}
		}
	}
	var last uint64
	for i, text := range down {
		var b, model bookmark
		if json.Unmarshal(text, &b) != nil {
			continue // Protobuf is forwarded or checked by decoders elsewhere.
		}
		rv, err := strconv.ParseUint(b.Object.Metadata.ResourceVersion, 10, 64)
		if err != nil || rv < last || (i > 0 && len(b.Object.Metadata.Annotations) > 0 && b.Object.Metadata.Annotations["k8s.io/initial-events-end"] != "") {
			t.Errorf("bookmark %d after revision %d: %s", i, last, text)
		}
		last = rv
		if len(up) > 0 && json.Unmarshal(up[0], &model) == nil &&
			(model.Object.Kind != b.Object.Kind || model.Object.APIVersion != b.Object.APIVersion) {
			t.Errorf("bookmark type: API server %s, Weir %s", up[0], text)
		}
	}
}

func at(events [][]byte, i int) []byte {
	if i < len(events) {
		return events[i]
	}
	return []byte("(end)")
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
