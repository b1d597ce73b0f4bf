package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// TestAdminPort: health and metrics are on a port of their own, in plain text; the proxy port has the API server's.
func TestAdminPort(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{})
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body, err := w.Admin(path); err != nil || status != http.StatusOK || strings.TrimSpace(body) != "ok" {
			t.Errorf("%s: %d %q %v", path, status, body, err)
		}
		if status, body, err := w.Admin(path + "?verbose"); err != nil || status != http.StatusOK || !strings.Contains(body, "[+]") || !strings.Contains(body, " ok\n") {
			t.Errorf("%s?verbose: %d %q %v", path, status, body, err)
		}
	}
	c := newCaller(t, w.URL, cluster.Admin, true)
	for range 3 {
		if a := c.ask(request{Path: "/api/v1/namespaces/a/configmaps?resourceVersion=0"}); a.Status != http.StatusOK {
			t.Fatalf("a list: %d %s %v", a.Status, a.Body, a.Err)
		}
	}
	status, metrics, err := w.Admin("/metrics")
	if err != nil || status != http.StatusOK {
		t.Fatalf("/metrics: %d %v", status, err)
	}
	for _, want := range []string{"weir_request_total{", "weir_build_info{", "# TYPE weir_request_total counter"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	for _, never := range []string{"cm-1", "admin-token", marker, `username="admin"`} {
		if strings.Contains(metrics, never) {
			t.Errorf("/metrics names %q", never)
		}
	}
	if status, _, _ := w.Admin("/api/v1/pods"); status != http.StatusNotFound {
		t.Errorf("the admin port serves /api/v1/pods with %d", status)
	}
	if a := c.ask(request{Path: "/metrics"}); a.Status != http.StatusOK || !strings.Contains(string(a.Body), "apiserver_request_total") {
		t.Errorf("/metrics of the proxy port is not the API server's: %d", a.Status)
	}
}

// TestTerminationEndsWatchesCleanly: SIGTERM turns /readyz, ends watches between two events without an error, and the
// process exits with 0 while clients are connected.
func TestTerminationEndsWatchesCleanly(t *testing.T) {
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			w := startWeir(t, oracle.WeirOptions{Name: "weir-termination-" + protocol})
			c := newCaller(t, w.URL, cluster.Admin, protocol == "HTTP2")
			const count = 20
			streams := make(chan exchange.Stream, count)
			opened := make(chan struct{}, count)
			for i := range count {
				path := "/api/v1/configmaps?watch=1&resourceVersion=0&timeoutSeconds=18"
				if i%2 == 1 {
					path = "/api/v1/namespaces/a/pods?watch=1&resourceVersion=0&timeoutSeconds=18"
				}
				go func() { streams <- readWatch(c, request{Path: path}, func() { opened <- struct{}{} }) }()
			}
			for range count {
				<-opened
			}
			time.Sleep(300 * time.Millisecond) // The initial events are under way.
			start := time.Now()
			must(t, w.Stop())
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("the end took %s", took)
			}
			for range count {
				s := <-streams
				if s.Err != nil || s.Status != http.StatusOK || len(s.Events) == 0 {
					t.Errorf("a watch ended with %v, status %d, %d events", s.Err, s.Status, len(s.Events))
				}
			}
		})
	}
}

// TestShutdownDelay: while the delay lasts /readyz fails and requests are served.
func TestShutdownDelay(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{Args: []string{"--shutdown-delay-duration", "2s"}})
	must(t, w.Process.Signal(syscall.SIGTERM))
	time.Sleep(500 * time.Millisecond)
	if status, body, err := w.Admin("/readyz"); err != nil || status != http.StatusInternalServerError || !strings.Contains(body, "[-]shutdown failed") {
		t.Errorf("/readyz: %d %q %v", status, body, err)
	}
	if status, _, err := w.Admin("/livez"); err != nil || status != http.StatusOK {
		t.Errorf("/livez: %d %v", status, err)
	}
	c := newCaller(t, w.URL, cluster.Admin, true)
	if a := c.ask(request{Path: "/api/v1/namespaces/a/configmaps?resourceVersion=0"}); a.Status != http.StatusOK {
		t.Errorf("a list during the delay: %d %s %v", a.Status, a.Body, a.Err)
	}
	if code, err := w.Process.Wait(20 * time.Second); err != nil || code != 0 {
		t.Errorf("exit %d %v", code, err)
	}
}

// TestUnreachableUpstream: Weir lives, says that it is not ready, and refuses with 503 what it cannot answer.
func TestUnreachableUpstream(t *testing.T) {
	port, err := oracle.FreePort()
	must(t, err)
	w := startWeir(t, oracle.WeirOptions{Upstream: fmt.Sprintf("https://127.0.0.1:%d", port), DoNotWait: true})
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, body, err := w.Admin("/readyz")
		if err == nil && status == http.StatusInternalServerError && strings.Contains(body, "[-]upstream-reachable failed") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz: %d %q %v\n%s", status, body, err, w.Process.LogTail())
		}
		time.Sleep(100 * time.Millisecond)
	}
	if status, body, err := w.Admin("/livez"); err != nil || status != http.StatusOK {
		t.Errorf("/livez: %d %q %v", status, body, err)
	}
	c := newCaller(t, w.URL, cluster.Admin, true)
	for _, path := range []string{"/version", "/api/v1/configmaps?resourceVersion=0"} {
		a := c.ask(request{Path: path})
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(string(a.Body), `"kind":"Status"`) {
			t.Errorf("%s: %d %q %s %v", path, a.Status, a.Header["Retry-After"], a.Body, a.Err)
		}
	}
	must(t, w.Stop())
}

// TestUpstreamOutage: reads that allow it are answered from the cache while the API server is away, watches stay, and
// afterwards everything goes on.
func TestUpstreamOutage(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{})
	c := newCaller(t, w.URL, cluster.Admin, true)
	path := "/api/v1/namespaces/a/configmaps?resourceVersion=0"
	before := c.ask(request{Path: path})
	if before.Status != http.StatusOK {
		t.Fatalf("before: %d %s %v", before.Status, before.Body, before.Err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	watch, err := c.open(ctx, request{Path: fmt.Sprintf("/api/v1/namespaces/a/configmaps?watch=1&resourceVersion=%s", mask(before.Body).Revision)})
	must(t, err)
	defer watch.Body.Close()

	must(t, cluster.StopAPIServer(true))
	// The verdict on the token is still good.
	during := c.ask(request{Path: path})
	if during.Status != http.StatusOK || string(mask(during.Body).Text) != string(mask(before.Body).Text) {
		t.Errorf("during the outage: %d %.200s %v", during.Status, during.Body, during.Err)
	}
	if a := c.ask(request{Path: "/version"}); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("a forwarded request during the outage: %d %s %v", a.Status, a.Body, a.Err)
	}
	must(t, cluster.StartAPIServer())

	must(t, createConfigMap(ctx, "a", "after-the-outage", nil, ""))
	t.Cleanup(func() { deleteConfigMap(t, "after-the-outage") })
	buffer := make([]byte, 4096)
	n, err := watch.Body.Read(buffer)
	if err != nil || !strings.HasPrefix(string(buffer[:n]), `{"type":"ADDED"`) || !strings.Contains(string(buffer[:n]), "after-the-outage") {
		t.Errorf("the watch goes on with %q (%v)", buffer[:n], err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for a := c.ask(request{Path: "/version"}); a.Status != http.StatusOK; a = c.ask(request{Path: "/version"}) {
		if time.Now().After(deadline) {
			t.Fatalf("forwarding does not recover: %d %s %v", a.Status, a.Body, a.Err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestBadConfigurationIsRefused: exit code 2, and one line that names what is wrong.
func TestBadConfigurationIsRefused(t *testing.T) {
	needsWeir(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	rows := []struct{ name, says, flag, value string }{
		{"a missing kubeconfig", "kubeconfig", "--kubeconfig", filepath.Join(dir, "absent")},
		{"a broken kubeconfig", "kubeconfig", "--kubeconfig", write("broken", "clusters: [")},
		{"a certificate that is none", "tls-cert-file", "--tls-cert-file", write("cert", "nonsense")},
		{"a key that does not fit", "tls-", "--tls-private-key-file", cluster.FrontProxy.KeyFile},
		{"a CA that is none", "client-ca-file", "--client-ca-file", write("ca", "")},
		{"a port beyond the last", "secure-port", "--secure-port", "70000"},
		{"an address that is none", "bind-address", "--bind-address", "nowhere"},
		{"a duration without a unit", "shutdown-delay-duration", "--shutdown-delay-duration", "10"},
		{"an unknown flag", "no-such-flag", "--no-such-flag", "1"},
		{"a front-proxy key that does not fit", "proxy-client", "--proxy-client-key-file", filepath.Join(filepath.Dir(cluster.FrontProxy.KeyFile), "weir-serving.key")},
		{"a configuration file with an unknown field", "nonsense", "--config", write("config", "apiVersion: weir/v1alpha1\nkind: WeirConfiguration\nnonsense: 1\n")},
		{"an admin port open to all without TLS", "admin", "--admin-bind-address", "0.0.0.0:18081"},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			name := fmt.Sprintf("weir-refused-%d", i)
			args, err := cluster.WeirArgs(oracle.WeirOptions{Name: name})
			must(t, err)
			log := filepath.Join(dir, name+".log")
			p, err := oracle.StartProcess(name, log, oracle.WeirBinary(), replaceFlag(args, row.flag, row.value)...)
			must(t, err)
			code, err := p.Wait(10 * time.Second)
			must(t, err)
			text, err := os.ReadFile(log)
			must(t, err)
			lines := strings.Split(strings.TrimSpace(string(text)), "\n")
			if code != 2 || len(lines) != 1 || !strings.Contains(lines[0], row.says) {
				t.Errorf("exit %d:\n%s", code, text)
			}
		})
	}
}

// replaceFlag sets a flag's value in a command line, or adds it.
func replaceFlag(args []string, flag, value string) []string {
	for i := range args {
		if args[i] == flag {
			args[i+1] = value
			return args
		}
	}
	return append(args, flag, value)
}
