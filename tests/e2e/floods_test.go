package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// A flood holds many raw connections to one Weir.
type flood struct {
	t     *testing.T
	w     *oracle.Weir
	conns []net.Conn
}

func (f *flood) host() string { return strings.TrimPrefix(f.w.URL, "https://") }

// dial opens a TLS connection; nil where Weir closed it instead.
func (f *flood) dial(user oracle.User) *tls.Conn {
	f.t.Helper()
	config, err := user.TLSClient(cluster.CAFile(), "http/1.1")
	must(f.t, err)
	raw, err := net.DialTimeout("tcp", f.host(), 5*time.Second)
	if err != nil {
		return nil
	}
	_ = raw.(*net.TCPConn).SetReadBuffer(8 << 10) // So that little is on its way.
	config.ServerName = "127.0.0.1"
	conn := tls.Client(raw, config)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := conn.Handshake(); err != nil {
		raw.Close()
		return nil
	}
	f.conns = append(f.conns, conn)
	return conn
}

func (f *flood) send(user oracle.User, text string) *tls.Conn {
	f.t.Helper()
	conn := f.dial(user)
	if conn == nil {
		f.t.Fatal("no connection")
	}
	_, err := io.WriteString(conn, strings.NewReplacer("HOST", f.host(), "TOKEN", user.Token).Replace(text))
	must(f.t, err)
	return conn
}

func (f *flood) end() {
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

// metric is the sum of a family's samples.
func metric(t *testing.T, w *oracle.Weir, name string) (sum float64) {
	t.Helper()
	_, text, err := w.Admin("/metrics")
	must(t, err)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{") {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			must(t, err)
			sum += value
		}
	}
	return sum
}

// until waits for a metric to be as it should.
func until(t *testing.T, w *oracle.Weir, name string, limit time.Duration, good func(float64) bool) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		value := metric(t, w, name)
		if good(value) {
			return
		}
		if time.Since(start) > limit {
			t.Fatalf("%s is still %v after %s", name, value, limit)
		}
	}
}

// bystander fails where somebody who does nothing wrong is not served, and quickly.
func bystander(t *testing.T, w *oracle.Weir, user oracle.User) {
	t.Helper()
	for _, path := range []string{"/api/v1/namespaces/a/configmaps?resourceVersion=0", "/version"} {
		a := newCaller(t, w.URL, user, false).ask(request{Path: path})
		if a.Status != http.StatusOK || a.Took > 2*time.Second {
			t.Errorf("a bystander's %s: %d after %s, %v", path, a.Status, a.Took, a.Err)
		}
	}
}

// TestFloodsAreBoundedAndNobodyElseNotices: of each limit more than there is room for, at once; memory and what is held
// for the flood stay within what the limits say, and a bystander is served meanwhile.
func TestFloodsAreBoundedAndNobodyElseNotices(t *testing.T) {
	ctx := context.Background()
	_, err := admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "flood"}}, metav1.CreateOptions{})
	must(t, err)
	for i := range 100 {
		must(t, createConfigMap(ctx, "flood", fmt.Sprintf("big-%d", i), nil, strings.Repeat("x", 100_000)))
	}
	t.Cleanup(func() {
		must(t, admin.CoreV1().ConfigMaps("flood").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	})
	w := startWeir(t, oracle.WeirOptions{Args: []string{
		"--workers=2", "--max-cached-requests-inflight=200", "--max-share-per-user=50", "--max-handshakes-inflight=64", "--max-connections=600",
		"--write-stall-timeout=4s", "--read-header-timeout=3s", "--tls-handshake-timeout=3s", "--max-handshakes-per-second=0",
	}})
	const big = "GET /api/v1/namespaces/flood/configmaps?resourceVersion=0 HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n"
	bystander(t, w, cluster.Admin)
	if a := newCaller(t, w.URL, cluster.Admin, false).ask(request{Path: "/api/v1/namespaces/flood/configmaps?resourceVersion=0"}); len(a.Body) < 9_000_000 {
		t.Fatalf("the list is no large one: %d bytes, %d", len(a.Body), a.Status)
	}
	cert, err := cluster.CertUser("flooder")
	must(t, err)
	grantAll(t, "flooder")

	t.Run("slow readers", func(t *testing.T) {
		f := &flood{t: t, w: w}
		defer f.end()
		before := residentBytes(t, w)
		for range 100 {
			f.send(cert, big)
		}
		until(t, w, `weir_admission_in_use{pool="cached"}`, 5*time.Second, func(n float64) bool { return n == 100 })
		time.Sleep(500 * time.Millisecond)
		unsent := metric(t, w, "weir_unsent_bytes")
		grown := residentBytes(t, w) - before
		t.Logf("100 readers of 10 MB each that take nothing: %.0f bytes held, resident size grew by %d", unsent, grown)
		if unsent == 0 || unsent > 100*300<<10 {
			t.Errorf("%.0f bytes are held for 100 readers", unsent)
		}
		if grown > 80<<20 {
			t.Errorf("resident size grew by %d bytes", grown)
		}
		// The user's share is used up, and only his.
		conn := f.send(cert, big)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "1" || string(body) != "Too many requests, please try again later.\n" {
			t.Errorf("the 101st: %d %v %q", response.StatusCode, response.Header, body)
		}
		bystander(t, w, cluster.Admin)
		until(t, w, "weir_unsent_bytes", 15*time.Second, func(n float64) bool { return n == 0 })
		until(t, w, `weir_admission_in_use{pool="cached"}`, 5*time.Second, func(n float64) bool { return n == 0 })
	})

	t.Run("slow heads", func(t *testing.T) {
		f := &flood{t: t, w: w}
		defer f.end()
		for range 250 {
			f.send(cert, "GET /version HTTP/1.1\r\nHost: HOST\r\nX-Slow: ")
		}
		bystander(t, w, cluster.Admin)
		until(t, w, "weir_connections", 15*time.Second, func(n float64) bool { return n < 10 })
	})

	t.Run("heads that never end", func(t *testing.T) {
		f := &flood{t: t, w: w}
		defer f.end()
		before := residentBytes(t, w)
		for range 100 {
			conn := f.dial(cert)
			if conn == nil {
				t.Fatal("no connection")
			}
			go func() {
				_, _ = io.WriteString(conn, "GET /version HTTP/1.1\r\nHost: x\r\n")
				for range 200 {
					if _, err := io.WriteString(conn, "X-Any: "+strings.Repeat("a", 8000)+"\r\n"); err != nil {
						return
					}
				}
			}()
		}
		bystander(t, w, cluster.Admin)
		until(t, w, "weir_connections", 15*time.Second, func(n float64) bool { return n < 10 })
		if grown := residentBytes(t, w) - before; grown > 60<<20 {
			t.Errorf("resident size grew by %d bytes", grown)
		}
	})

	t.Run("bodies that never come", func(t *testing.T) {
		f := &flood{t: t, w: w}
		defer f.end()
		for range 250 {
			f.send(cert, "POST /api/v1/namespaces/a/configmaps HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")
		}
		if n := metric(t, w, `weir_admission_in_use{pool="forwarded-write"}`); n != 0 {
			t.Errorf("%v of them take the room of forwarded requests", n)
		}
		bystander(t, w, cluster.Admin)
	})

	t.Run("handshakes that never begin", func(t *testing.T) {
		shed := metric(t, w, "weir_tls_handshakes_shed_total")
		f := &flood{t: t, w: w}
		defer f.end()
		for range 300 {
			conn, err := net.DialTimeout("tcp", f.host(), 5*time.Second)
			must(t, err)
			f.conns = append(f.conns, conn)
		}
		until(t, w, "weir_tls_handshakes_shed_total", 5*time.Second, func(n float64) bool { return n >= shed+300-64 })
		if n := metric(t, w, "weir_tls_handshakes_in_flight"); n > 64 {
			t.Errorf("%v handshakes are under way", n)
		}
		bystander(t, w, cluster.Admin)
		until(t, w, "weir_tls_handshakes_in_flight", 10*time.Second, func(n float64) bool { return n == 0 })
	})

	t.Run("connections of one user", func(t *testing.T) {
		until(t, w, "weir_connections", 15*time.Second, func(n float64) bool { return n < 10 })
		f := &flood{t: t, w: w}
		defer f.end()
		for range 350 {
			f.dial(cert)
		}
		until(t, w, `weir_admission_in_use{pool="user-connection"}`, 5*time.Second, func(n float64) bool { return n >= 300 && n < 310 })
		bystander(t, w, cluster.Admin)
	})
}

// grantAll lets a user read everything.
func grantAll(t *testing.T, user string) {
	t.Helper()
	_, err := admin.RbacV1().ClusterRoleBindings().Create(context.Background(), clusterBinding(user), metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		must(t, admin.RbacV1().ClusterRoleBindings().Delete(context.Background(), user, metav1.DeleteOptions{}))
	})
}

func residentBytes(t *testing.T, w *oracle.Weir) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.Process.Pid()))
	must(t, err)
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	must(t, err)
	return pages * int64(os.Getpagesize())
}

func clusterBinding(user string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
	}
}

// TestWithoutFileDescriptorsClientsAreClosedAndLaterOnesServed: who cannot be taken learns it at once.
func TestWithoutFileDescriptorsClientsAreClosedAndLaterOnesServed(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{Args: []string{"--workers=1"}})
	bystander(t, w, cluster.Admin)
	limit := func(files int) {
		t.Helper()
		if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(w.Process.Pid()), fmt.Sprintf("--nofile=%d:", files)).CombinedOutput(); err != nil {
			t.Skipf("prlimit: %s", out)
		}
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.Process.Pid()))
	must(t, err)
	limit(len(open) / 2) // Whatever is open stays; there is nothing more.
	for range 3 {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(w.URL, "https://"), 5*time.Second)
		must(t, err)
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(3 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Errorf("a client that cannot be taken is left waiting: %v", err)
		}
	}
	limit(4096)
	bystander(t, w, cluster.Admin)
}

// TestConnectionsFitTheFileDescriptors: a small limit of the machine lowers --max-connections, and is told.
func TestConnectionsFitTheFileDescriptors(t *testing.T) {
	needsWeir(t)
	args, err := cluster.WeirArgs(oracle.WeirOptions{Name: "weir-few-files"})
	must(t, err)
	p, err := oracle.StartProcess("weir-few-files", filepath.Join(cluster.Dir, "weir-few-files.log"), "prlimit",
		append([]string{"--nofile=800:800", oracle.WeirBinary()}, args...)...)
	must(t, err)
	t.Cleanup(p.Kill)
	w := &oracle.Weir{Process: p, URL: "https://127.0.0.1:" + argument(args, "--secure-port"), AdminURL: "http://" + argument(args, "--admin-bind-address")}
	waitReady(t, w)
	f := &flood{t: t, w: w}
	defer f.end()
	for range 200 {
		f.dial(cluster.Admin)
	}
	if n := metric(t, w, "weir_connections"); n > 800-64-400-200 {
		t.Errorf("%v connections with 800 file descriptors", n)
	}
	text, err := os.ReadFile(p.LogFile)
	must(t, err)
	if !strings.Contains(string(text), "Too few file descriptors for --max-connections") {
		t.Error("nothing in the log")
	}
	f.end()
	until(t, w, "weir_connections", 5*time.Second, func(n float64) bool { return n == 0 })
	bystander(t, w, cluster.Admin)
}
