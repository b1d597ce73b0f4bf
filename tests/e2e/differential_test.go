package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/e2e/oracle"
)

// TestDifferential sends every row of the table to the API server and to Weir, at a quiet point, over both versions of
// HTTP, and wants the same answer.
func TestDifferential(t *testing.T) {
	at := makeHistory(t)
	users := people(t)
	var rows []row
	for _, part := range [][]row{generatedRows(), handwrittenRows(), acceptRows(), randomAcceptRows(), errorRows(), headerRows(), methodRows(), userRows()} {
		rows = append(rows, part...)
	}
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			callers := map[string][2]*caller{}
			for name, user := range users {
				callers[name] = [2]*caller{
					newCaller(t, cluster.URL(), user, protocol == "HTTP2"),
					newCaller(t, weir.URL, user, protocol == "HTTP2"),
				}
			}
			differences := inParallel(8, len(rows), func(i int) string {
				r := rows[i]
				if r.user == "" {
					r.user = "admin"
				}
				r.Path = at.fill(r.Path)
				pair, ok := callers[r.user]
				if !ok {
					return "no such user: " + r.user
				}
				d := difference(r.request, pair[0].ask(r.request), pair[1].ask(r.request))
				for again := 0; d != "" && again < 3 && strings.Contains(r.Path, noTime); again++ {
					d = difference(r.request, pair[0].ask(r.request), pair[1].ask(r.request))
				}
				if d != "" {
					d = fmt.Sprintf("%s (as %s)\n%s", r.request, r.user, d)
				}
				return d
			})
			for i, r := range rows {
				t.Run(subtestName(r.name), func(t *testing.T) {
					if differences[i] != "" {
						t.Error(differences[i])
					}
				})
			}
		})
	}
}

// TestPages reads a collection page by page, from one server and from the other in turns: a token of either is good
// for both.
func TestPages(t *testing.T) {
	at := makeHistory(t)
	up := newCaller(t, cluster.URL(), cluster.Admin, true)
	down := newCaller(t, weir.URL, cluster.Admin, true)
	paths := []string{
		"/api/v1/configmaps?limit=3", "/api/v1/namespaces/a/configmaps?limit=3", "/api/v1/nodes?limit=1", "/api/v1/events?limit=1",
		"/apis/stable.example.com/v1/crontabs?limit=2", "/api/v1/configmaps?limit=2&labelSelector=app%3Dweb",
		"/api/v1/pods?limit=1&fieldSelector=spec.nodeName%3Dn1", "/api/v1/namespaces?limit=4",
	}
	for _, first := range []string{"", "&resourceVersion={now}", "&resourceVersion={earlier}&resourceVersionMatch=Exact"} {
		for _, path := range paths {
			t.Run(subtestName(path+first), func(t *testing.T) {
				want := walkPages(t, at.fill(path+first), path, up)
				for name, servers := range map[string][]*caller{"Weir": {down}, "Weir first": {down, up}, "API server first": {up, down}} {
					if got := walkPages(t, at.fill(path+first), path, servers...); got != want {
						t.Errorf("%s: the pages are\n%s\nand by the API server alone\n%s", name, got, want)
					}
				}
			})
		}
	}
}

// walkPages returns all pages with their revisions and tokens cut out, one a line. Page n is asked of server n modulo
// their number; next is the path of all pages but the first.
func walkPages(t *testing.T, first, next string, servers ...*caller) string {
	t.Helper()
	var pages strings.Builder
	path := first
	for n := 0; n < 100; n++ {
		a := servers[n%len(servers)].ask(request{Path: path})
		must(t, a.Err)
		m := mask(a.Body)
		fmt.Fprintf(&pages, "%d %s %s\n", a.Status, m.Token, m.Text)
		if m.RawToken == "" {
			return pages.String()
		}
		path = next + "&continue=" + m.RawToken
	}
	t.Fatalf("%s never ends", first)
	return ""
}

// people are the users of the tables.
func people(t *testing.T) map[string]oracle.User {
	t.Helper()
	users := map[string]oracle.User{
		"anonymous": {Name: "anonymous"},
		"bad-token": {Name: "bad-token", Token: "nonsense"},
	}
	for _, name := range []string{"admin", "alice", "bob", "carol", "dave"} {
		users[name] = cluster.TokenUser(name)
	}
	for name, groups := range map[string][]string{"alice": nil, "bob": {"x", "y"}, "admin": {"system:masters"}} {
		user, err := cluster.CertUser(name, groups...)
		must(t, err)
		users[name+"-cert"] = user
	}
	users["foreign-cert"] = oracle.User{Name: "foreign", Cert: foreignCertificate(t, oracle.ClientCertificate{Name: "admin", Groups: []string{"system:masters"}})}
	return users
}

// foreignCertificate is one of a CA that nobody trusts.
func foreignCertificate(t *testing.T, c oracle.ClientCertificate) oracle.Pair {
	t.Helper()
	ca, err := oracle.NewCA(t.TempDir(), "foreign-ca")
	must(t, err)
	pair, err := ca.Client("foreign", c)
	must(t, err)
	return pair
}

// makeHistory warms Weir's caches, then changes things, so that both servers have a past: the revision {earlier} lies
// in it. {gone} lies before the start of the API server.
func makeHistory(t *testing.T) points {
	t.Helper()
	down := newCaller(t, weir.URL, cluster.Admin, true)
	for _, k := range kinds {
		if a := down.ask(request{Path: k.group + "/" + k.name + "?resourceVersion=0&limit=1"}); a.Status != http.StatusOK {
			t.Fatalf("warming %s: %d %s %v", k.name, a.Status, a.Body, a.Err)
		}
	}
	touch(t, "1")
	at := points{gone: 5, earlier: revision(t)}
	touch(t, "2")
	at.now = revision(t)
	// A consistent read of each kind ends when Weir has seen the last change.
	for _, k := range kinds {
		down.ask(request{Path: k.group + "/" + k.name})
	}
	return at
}

// touch changes one object of several kinds, and creates and deletes one.
func touch(t *testing.T, value string) {
	t.Helper()
	ctx := context.Background()
	patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%s-%d"}}}`, value, time.Now().UnixNano()))
	for _, k := range kinds {
		if k.object == "absent" {
			continue
		}
		gvr := resourceOf(k.group, k.name)
		var err error
		if k.clusterScoped {
			_, err = adminDy.Resource(gvr).Patch(ctx, k.object, types.MergePatchType, patch, metav1.PatchOptions{})
		} else {
			_, err = adminDy.Resource(gvr).Namespace("a").Patch(ctx, k.object, types.MergePatchType, patch, metav1.PatchOptions{})
		}
		must(t, err)
	}
	name := "passing-" + value
	must(t, createConfigMap(ctx, "a", name, map[string]string{"app": "web"}, value))
	must(t, admin.CoreV1().ConfigMaps("a").Delete(ctx, name, metav1.DeleteOptions{}))
	_, err := adminDy.Resource(crontabGVR).Namespace("a").Create(ctx, crontab("a", name, 9, nil), metav1.CreateOptions{})
	must(t, err)
	must(t, adminDy.Resource(crontabGVR).Namespace("a").Delete(ctx, name, metav1.DeleteOptions{}))
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

// subtestName keeps slashes out of names, where `go test` sees levels.
func subtestName(name string) string { return strings.ReplaceAll(name, "/", "∕") }
