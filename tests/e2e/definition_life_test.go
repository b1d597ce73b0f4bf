package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

const (
	definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	apiServices = "/apis/apiregistration.k8s.io/v1/apiservices"
	// How long Weir may take to learn that a type is another than before.
	learning = 10 * time.Second
)

// A definitionLife has the two servers, and changes what both are to agree on.
type definitionLife struct {
	t        *testing.T
	up, down *caller
	group    string
}

func newDefinitionLife(t *testing.T, group string) *definitionLife {
	l := &definitionLife{t: t, up: newCaller(t, cluster.URL(), cluster.Admin, true), down: newCaller(t, weir.URL, cluster.Admin, true), group: group}
	t.Cleanup(l.remove)
	return l
}

func (l *definitionLife) base() string { return "/apis/" + l.group + "/v1" }

// define creates the definition of widgets.
func (l *definitionLife) define(scope, schema string) {
	l.create(definitions, fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"widgets.%[1]s"},
		"spec":{"group":%[1]q,"scope":%[2]q,"names":{"plural":"widgets","singular":"widget","kind":"Widget"},
		"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":%[3]s}}]}}`, l.group, scope, schema))
}

// create tries until the API server has taken up what it is to be created in.
func (l *definitionLife) create(path, body string) {
	l.t.Helper()
	r := request{Method: "POST", Path: path, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		a := l.up.ask(r)
		if a.Status == http.StatusCreated {
			return
		}
		if time.Since(start) > learning {
			l.t.Fatalf("creating in %s: %d %s %v", path, a.Status, a.Body, a.Err)
		}
	}
}

func (l *definitionLife) patch(path, body string) {
	l.t.Helper()
	a := l.up.ask(request{Method: "PATCH", Path: path, Header: http.Header{"Content-Type": {"application/merge-patch+json"}}, Body: body})
	if a.Status != http.StatusOK {
		l.t.Fatalf("changing %s: %d %s %v", path, a.Status, a.Body, a.Err)
	}
}

// removeDefinition returns when it, and all of its objects, are gone.
func (l *definitionLife) removeDefinition() {
	path := definitions + "/widgets." + l.group
	l.up.ask(request{Method: "DELETE", Path: path})
	for start := time.Now(); l.up.ask(request{Path: path}).Status != http.StatusNotFound; time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			l.t.Errorf("%s does not go", path)
			return
		}
	}
}

func (l *definitionLife) remove() {
	l.up.ask(request{Method: "DELETE", Path: apiServices + "/v1." + l.group})
	l.removeDefinition()
}

func (l *definitionLife) widget(namespace, name, rest string) {
	l.t.Helper()
	path, in := l.base()+"/widgets", ""
	if namespace != "" {
		path, in = l.base()+"/namespaces/"+namespace+"/widgets", fmt.Sprintf(`"namespace":%q,`, namespace)
	}
	l.create(path, fmt.Sprintf(`{"apiVersion":"%s/v1","kind":"Widget","metadata":{%s"name":%q}%s}`, l.group, in, name, rest))
}

// agree waits until both servers answer alike twice, half a second apart.
func (l *definitionLife) agree(when string, wantStatus int, paths ...string) {
	l.t.Helper()
	for _, path := range paths {
		r := request{Path: path}
		for start, quiet := time.Now(), 0; quiet < 2; time.Sleep(500 * time.Millisecond) {
			a, b := l.up.ask(r), l.down.ask(r)
			d := difference(r, a, b)
			if a.Status != wantStatus {
				d = fmt.Sprintf("the API server answers %d, to be %d", a.Status, wantStatus)
			}
			if d == "" {
				quiet++
				continue
			}
			quiet = 0
			if time.Since(start) > learning {
				l.t.Errorf("%s: %s\n%s", when, path, d)
				return
			}
		}
	}
}

// watchBoth reads every path at both servers while `during` runs, and wants the same of both, `atLeast` events of each.
func (l *definitionLife) watchBoth(paths []string, atLeast int, during func()) {
	streams := make([][2]exchange.Stream, len(paths))
	var opened, ended sync.WaitGroup
	for i, path := range paths {
		for j, c := range []*caller{l.up, l.down} {
			opened.Add(1)
			ended.Go(func() {
				streams[i][j] = exchange.ReadWatch(c.Caller, request{Path: path}, time.Minute, opened.Done)
			})
		}
	}
	opened.Wait()
	during()
	ended.Wait()
	for i, path := range paths {
		// The API server takes a second to end them, which is no rule.
		streams[i][1].Duration = streams[i][0].Duration
		for _, d := range exchange.StreamDifferences(request{Path: path}, streams[i][0], streams[i][1]) {
			l.t.Errorf("%s: %s", path, d)
		}
		if len(streams[i][1].Events) < atLeast {
			l.t.Errorf("%s: %d events", path, len(streams[i][1].Events))
		}
	}
}

// TestDefinitionComesBackWithAnotherScope: the watches of a type whose definition is deleted see its objects go and
// end; what comes under its name afterwards is another type.
func TestDefinitionComesBackWithAnotherScope(t *testing.T) {
	needsWeir(t)
	l := newDefinitionLife(t, "scope.example.com")
	const anything = `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`
	l.define("Namespaced", anything)
	for i := range 300 { // So many that their deletion takes a while.
		l.widget("a", fmt.Sprintf("w%d", i), "")
	}
	all, one := l.base()+"/widgets?resourceVersion=0", l.base()+"/namespaces/a/widgets/w1?resourceVersion=0"
	l.agree("at first", 200, all, one)
	l.watchBoth([]string{
		l.base() + "/widgets?watch=1&timeoutSeconds=20",
		l.base() + "/namespaces/a/widgets?watch=1&timeoutSeconds=20&fieldSelector=metadata.name%3Dw1",
		fmt.Sprintf("%s/widgets?watch=1&timeoutSeconds=20&resourceVersion=%d", l.base(), revision(t)),
	}, 1, func() {
		l.removeDefinition()
		l.define("Cluster", anything)
	})
	l.widget("", "w1", "")
	l.agree("cluster-wide", 200, all, l.base()+"/widgets/w1?resourceVersion=0")
	l.agree("of a namespace no more", 404, one, l.base()+"/namespaces/a/widgets?resourceVersion=0")
}

// TestDefinitionWithAnotherSchema: what the API server no longer shows of the objects in etcd, Weir does not either.
func TestDefinitionWithAnotherSchema(t *testing.T) {
	needsWeir(t)
	l := newDefinitionLife(t, "schema.example.com")
	schema := func(fields ...string) string {
		properties := []string{}
		for _, f := range fields {
			properties = append(properties, fmt.Sprintf(`%q:{"type":"string"}`, f))
		}
		return fmt.Sprintf(`{"type":"object","properties":{"spec":{"type":"object","properties":{%s}}}}`, strings.Join(properties, ","))
	}
	l.define("Namespaced", schema("kept", "dropped"))
	l.widget("a", "w", `,"spec":{"kept":"k","dropped":"d"}`)
	paths := []string{l.base() + "/widgets?resourceVersion=0", l.base() + "/namespaces/a/widgets/w?resourceVersion=0", l.base() + "/widgets"}
	l.agree("at first", 200, paths...)
	version := func(schema string) string {
		return fmt.Sprintf(`{"spec":{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":%s}}]}}`, schema)
	}
	l.patch(definitions+"/widgets."+l.group, version(schema("kept")))
	l.agree("with a field less", 200, paths...)
	if a := l.down.ask(request{Path: paths[0]}); strings.Contains(string(a.Body), `"dropped":"d"`) {
		t.Errorf("still there: %s", a.Body)
	}
	l.patch(definitions+"/widgets."+l.group, version(schema("kept", "dropped", "new")))
	l.agree("with a field more", 200, paths...)
	l.patch(definitions+"/widgets."+l.group, `{"spec":{"versions":[{"name":"v1","served":false,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}},
		{"name":"v2","served":true,"storage":false,"schema":{"openAPIV3Schema":`+schema("kept")+`}}]}}`)
	l.agree("another version", 404, paths...)
	l.agree("another version", 200, strings.Replace(paths[0], "/v1/", "/v2/", 1), strings.Replace(paths[1], "/v1/", "/v2/", 1))
}

// TestAGroupIsTakenOverByAnotherServer: what an APIService takes to another server is no longer answered from the cache.
func TestAGroupIsTakenOverByAnotherServer(t *testing.T) {
	needsWeir(t)
	l := newDefinitionLife(t, "taken.example.com")
	l.define("Namespaced", `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`)
	l.widget("a", "w", "")
	paths := []string{l.base() + "/widgets?resourceVersion=0", l.base() + "/namespaces/a/widgets/w?resourceVersion=0"}
	l.agree("at first", 200, paths...)
	l.patch(apiServices+"/v1."+l.group, `{"metadata":{"labels":null},"spec":{"service":{"namespace":"a","name":"nobody"},"insecureSkipTLSVerify":true}}`)
	l.agree("taken over by nobody", 503, paths...)
	l.up.ask(request{Method: "DELETE", Path: apiServices + "/v1." + l.group})
	l.agree("given back", 200, paths...)
}

// TestWatchListWhereTheAPIServerHasNone: Weir offers it in front of an API server that is too old to, with the answers
// of one that is not.
func TestWatchListWhereTheAPIServerHasNone(t *testing.T) {
	needsWeir(t)
	replica, err := cluster.StartReplica("--feature-gates=WatchList=false")
	must(t, err)
	t.Cleanup(cluster.StopReplica)
	before := startWeir(t, oracle.WeirOptions{Upstream: replica})
	up, down := newCaller(t, cluster.URL(), cluster.Admin, true), newCaller(t, before.URL, cluster.Admin, true)
	const initial = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=2"
	if a := newCaller(t, replica, cluster.Admin, true).ask(request{Path: "/api/v1/configmaps?" + initial}); a.Status == http.StatusOK {
		t.Fatal("that API server knows WatchList")
	}
	queries := []string{
		initial, initial + "&allowWatchBookmarks=true", initial + "&resourceVersion=1&allowWatchBookmarks=true",
		"watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=0&timeoutSeconds=2",
		"watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=2",
		"watch=1&timeoutSeconds=2",
	}
	var rows []request
	for _, path := range []string{"/api/v1/configmaps", "/apis/stable.example.com/v1/crontabs"} {
		for start := time.Now(); up.ask(request{Path: path + "?watch=1&timeoutSeconds=1"}).Status != 200 && time.Since(start) < learning; {
			time.Sleep(100 * time.Millisecond)
		}
		for _, accept := range []string{"application/json", protobuf + ",application/json", protobuf + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"} {
			for _, q := range queries {
				rows = append(rows, request{Path: path + "?" + q, Header: http.Header{"Accept": {accept}}})
			}
		}
	}
	for _, p := range inParallel(6, len(rows), func(i int) string {
		want := exchange.ReadWatch(up.Caller, rows[i], 20*time.Second, func() {})
		got := exchange.ReadWatch(down.Caller, rows[i], 20*time.Second, func() {})
		d := slices.DeleteFunc(exchange.StreamDifferences(rows[i], want, got), func(d string) bool {
			return strings.HasPrefix(d, "the initial events are of revision") // Of two API servers' caches.
		})
		if len(d) > 0 {
			return fmt.Sprintf("%s [%s] %s", rows[i].Path, rows[i].Header.Get("Accept"), strings.Join(d, "\n"))
		}
		return ""
	}) {
		if p != "" {
			t.Error(p)
		}
	}
}
