package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// connectionsTo counts the established TCP connections of a process to a port of this machine.
func connectionsTo(t *testing.T, pid, port int) int {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(t, err)
	own := map[string]bool{}
	for _, fd := range fds {
		if link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())); err == nil {
			if inode, found := strings.CutPrefix(link, "socket:["); found {
				own[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	must(t, err)
	count := 0
	for _, line := range strings.Split(string(table), "\n") {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] == "01" && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", port)) && own[f[9]] {
			count++
		}
	}
	return count
}

// TestForwardedWatchesShareConnections: hundreds of forwarded watches of secrets are carried by a few connections, each
// sees its event, a write with a large body passes beside them, and a restart of the API server ends them as without Weir.
func TestForwardedWatchesShareConnections(t *testing.T) {
	needsWeir(t)
	if !offersHTTP2 {
		t.Skip("this Weir offers no HTTP/2")
	}
	const watches, perClient = 300, 50
	ctx := context.Background()
	w := startWeir(t, oracle.WeirOptions{Name: "weir-shared", Args: []string{"--workers", "2", "--max-share-per-user", "100"}})
	var port int
	_, err := fmt.Sscanf(cluster.URL(), "https://127.0.0.1:%d", &port)
	must(t, err)
	before := connectionsTo(t, w.Process.Pid(), port)

	streams := make([]exchange.Stream, watches)
	var opened, ended sync.WaitGroup
	var c *caller
	for i := range watches {
		if i%perClient == 0 {
			c = newCaller(t, w.URL, cluster.Admin, true)
		}
		client := c
		opened.Add(1)
		ended.Go(func() {
			r := request{Path: fmt.Sprintf("/api/v1/namespaces/empty/secrets?watch=1&timeoutSeconds=15&fieldSelector=metadata.name%%3Dshared-%d", i%3)}
			streams[i] = exchange.ReadWatch(client.Caller, r, 60*time.Second, opened.Done)
		})
	}
	opened.Wait()
	if used := connectionsTo(t, w.Process.Pid(), port) - before; used > 12 {
		t.Errorf("%d watches take %d connections to the API server", watches, used)
	}
	big := strings.Repeat("b", 900_000)
	for i := range 3 {
		name := fmt.Sprintf("shared-%d", i)
		body := fmt.Sprintf(`{"kind":"Secret","apiVersion":"v1","metadata":{"name":%q},"stringData":{"k":%q}}`, name, big)
		a := c.ask(request{Method: "POST", Path: "/api/v1/namespaces/empty/secrets", Header: http.Header{"Content-Type": {"application/json"}}, Body: body})
		if a.Status != http.StatusCreated {
			t.Errorf("a secret of 900 KB: %d %.200s %v", a.Status, a.Body, a.Err)
		}
		t.Cleanup(func() { _ = admin.CoreV1().Secrets("empty").Delete(ctx, name, metav1.DeleteOptions{}) })
	}
	ended.Wait()
	for i, s := range streams {
		if len(s.Events) == 0 || !bytes.Contains(s.Events[len(s.Events)-1].Object, []byte(fmt.Sprintf("shared-%d", i%3))) {
			t.Fatalf("watch %d: %d, %d events, %v", i, s.Status, len(s.Events), s.Err)
		}
	}

	// The API server ends: what is under way breaks off, and what is asked afterwards finds the new one.
	var restarted sync.WaitGroup
	restarted.Go(func() {
		must(t, cluster.StopAPIServer(true))
		must(t, cluster.StartAPIServer())
	})
	r := request{Path: "/api/v1/namespaces/empty/secrets?watch=1&timeoutSeconds=60"}
	if s := exchange.ReadWatch(c.Caller, r, 60*time.Second, func() {}); s.Status == http.StatusOK && s.Err == nil {
		t.Error("a watch did not break off with its API server")
	}
	restarted.Wait()
	a := c.ask(request{Path: "/api/v1/namespaces/empty/secrets/shared-0"})
	if a.Status != http.StatusOK {
		t.Errorf("after the restart: %d %.200s %v", a.Status, a.Body, a.Err)
	}
}
