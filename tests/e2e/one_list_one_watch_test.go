package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"weir.dev/e2e/oracle"
)

// TestOneListOneWatch: whatever the number of clients, the API server is asked for one LIST and one WATCH of each
// resource, by Weir, and its audit log has no read of a client.
func TestOneListOneWatch(t *testing.T) {
	identity, err := cluster.CertUser("weir-counted", oracle.WeirGroup)
	must(t, err)
	w := startWeir(t, oracle.WeirOptions{Identity: identity})
	mark, err := cluster.AuditMark()
	must(t, err)

	paths := map[string]string{
		"pods": "/api/v1/pods", "configmaps": "/api/v1/configmaps", "crontabs": "/apis/stable.example.com/v1/crontabs",
		"events": "/api/v1/events",
	}
	const clients = 40
	users := []oracle.User{cluster.Admin, cluster.TokenUser("alice"), cluster.TokenUser("dave")}
	admin, err := cluster.CertUser("admin", "system:masters")
	must(t, err)
	users = append(users, admin)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var group, watching sync.WaitGroup
	for i := range clients {
		c := newCaller(t, w.URL, users[i%len(users)], i%2 == 0)
		for resource, path := range paths {
			watching.Add(1)
			group.Go(func() {
				opened := sync.OnceFunc(watching.Done)
				defer opened()
				if a := c.ask(request{Path: path + "?resourceVersion=0"}); a.Err != nil || (a.Status != http.StatusOK && a.Status != http.StatusForbidden) {
					t.Errorf("LIST of %s: %d %s %v", resource, a.Status, a.Body, a.Err)
				}
				response, err := c.open(ctx, request{Path: fmt.Sprintf("%s?watch=1&resourceVersion=0&allowWatchBookmarks=true&timeoutSeconds=8&labelSelector=client%%3Dc-%d", path, i)})
				opened()
				if err != nil {
					t.Errorf("WATCH of %s: %v", resource, err)
					return
				}
				defer response.Body.Close()
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					t.Errorf("WATCH of %s broke off: %v", resource, err)
				}
			})
		}
	}
	watching.Wait()
	group.Wait()

	events, err := cluster.AuditSince(mark)
	must(t, err)
	lists, watches := map[string][]string{}, map[string][]string{}
	for _, e := range events {
		if _, ours := paths[e.ObjectRef.Resource]; !ours || (e.Verb != "list" && e.Verb != "watch") {
			continue
		}
		if e.User.Username != "weir-counted" {
			if e.User.Username == "alice" || e.User.Username == "dave" || e.User.Username == "admin" {
				t.Errorf("the API server was asked by %s: %s %s", e.User.Username, e.Verb, e.RequestURI)
			}
			continue
		}
		switch {
		case e.Verb == "watch" && e.Stage == "ResponseStarted":
			watches[e.ObjectRef.Resource] = append(watches[e.ObjectRef.Resource], e.RequestURI)
		// A probe of the revision reads one object; later pages of one LIST are the same LIST.
		case e.Verb == "list" && e.Stage == "ResponseComplete" && !strings.Contains(e.RequestURI, "continue=") && !strings.HasSuffix(e.RequestURI, "limit=1"):
			lists[e.ObjectRef.Resource] = append(lists[e.ObjectRef.Resource], e.RequestURI)
		}
	}
	for resource := range paths {
		if len(lists[resource]) != 1 || len(watches[resource]) != 1 {
			t.Errorf("%s: lists %q, watches %q", resource, lists[resource], watches[resource])
		}
	}
}
