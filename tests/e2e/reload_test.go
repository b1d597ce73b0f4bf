package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir.dev/e2e/oracle"
)

// A volume holds files as the kubelet mounts a secret: file ─▶ ..data/file, ..data ─▶ the newest folder.
type volume struct {
	t        *testing.T
	folder   string
	versions int
}

func (v *volume) path(file string) string { return filepath.Join(v.folder, file) }

// exchange puts all files into a new folder and lets ..data lead there, at once.
func (v *volume) exchange(files map[string]string) {
	v.t.Helper()
	v.versions++
	next := fmt.Sprintf("..%d", v.versions)
	must(v.t, os.MkdirAll(v.path(next), 0o700))
	for name, from := range files {
		text, err := os.ReadFile(from)
		must(v.t, err)
		must(v.t, os.WriteFile(filepath.Join(v.path(next), name), text, 0o600))
		if _, err := os.Lstat(v.path(name)); err != nil {
			must(v.t, os.Symlink("..data/"+name, v.path(name)))
		}
	}
	must(v.t, os.Symlink(next, v.path("..tmp")))
	must(v.t, os.Rename(v.path("..tmp"), v.path("..data")))
	if v.versions > 1 {
		must(v.t, os.RemoveAll(v.path(fmt.Sprintf("..%d", v.versions-1))))
	}
}

// takenUp waits for what a changed file is to bring about; the files are read every minute in any case.
func takenUp(t *testing.T, w *oracle.Weir, what string, done func() bool) {
	t.Helper()
	const soon = 10 * time.Second
	for start := time.Now(); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > soon {
			t.Fatalf("%s: not within %s\n%s", what, soon, w.Process.LogTail())
		}
	}
}

// TestRotatedFilesAreTakenUpAtOnce: a serving certificate and a CA bundle that are exchanged on disk are in use within
// seconds, without a signal; what cannot be used changes nothing.
func TestRotatedFilesAreTakenUpAtOnce(t *testing.T) {
	needsWeir(t)
	ca := cluster.ClientCA
	other, err := oracle.NewCA(t.TempDir(), "other-ca")
	must(t, err)
	both := filepath.Join(t.TempDir(), "both.crt")
	bundle := []byte{}
	for _, file := range []string{ca.CertFile, other.CertFile} {
		text, err := os.ReadFile(file)
		must(t, err)
		bundle = append(bundle, text...)
	}
	must(t, os.WriteFile(both, bundle, 0o600))
	garbage := filepath.Join(t.TempDir(), "garbage")
	must(t, os.WriteFile(garbage, []byte("no certificate"), 0o600))
	first, err := ca.Server("rotated-first")
	must(t, err)
	second, err := ca.Server("rotated-second")
	must(t, err)
	stranger, err := other.Client("stranger", oracle.ClientCertificate{Name: "stranger", Groups: []string{"system:masters"}})
	must(t, err)

	v := &volume{t: t, folder: t.TempDir()}
	v.exchange(map[string]string{"tls.crt": first.CertFile, "tls.key": first.KeyFile, "ca.crt": ca.CertFile})
	w := startWeir(t, oracle.WeirOptions{Name: "weir-rotated", Args: []string{
		"--tls-cert-file", v.path("tls.crt"), "--tls-private-key-file", v.path("tls.key"), "--client-ca-file", v.path("ca.crt"),
	}})
	server := func() string {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(w.URL, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	// As whom the other CA's certificate counts: of an unknown CA nobody's, and so a 401.
	status := func() int {
		return newCaller(t, w.URL, oracle.User{Name: "stranger", Cert: stranger}, false).ask(
			request{Path: "/api/v1/namespaces/a/configmaps?resourceVersion=0"}).Status
	}
	within := func(what string, done func() bool) {
		t.Helper()
		takenUp(t, w, what, done)
	}
	if name := server(); name != "rotated-first" {
		t.Fatalf("serves as %q", name)
	}
	if s := status(); s != http.StatusUnauthorized {
		t.Fatalf("a certificate of an unknown CA: %d", s)
	}

	v.exchange(map[string]string{"tls.crt": second.CertFile, "tls.key": second.KeyFile, "ca.crt": ca.CertFile})
	within("another serving certificate", func() bool { return server() == "rotated-second" })
	v.exchange(map[string]string{"tls.crt": second.CertFile, "tls.key": second.KeyFile, "ca.crt": both})
	within("a CA more", func() bool { return status() == http.StatusOK })

	v.exchange(map[string]string{"tls.crt": first.CertFile, "tls.key": garbage, "ca.crt": garbage})
	for _, what := range []string{"Keeping the serving certificate that is in use", "Keeping the client CA bundle that is in use"} {
		within(what, func() bool { return strings.Contains(w.Process.LogTail(), what) })
	}
	if name, s := server(), status(); name != "rotated-second" || s != http.StatusOK {
		t.Errorf("after files that cannot be used: serves as %q, the other CA's user gets %d", name, s)
	}
	v.exchange(map[string]string{"tls.crt": first.CertFile, "tls.key": first.KeyFile, "ca.crt": ca.CertFile})
	within("the first ones once more", func() bool { return server() == "rotated-first" && status() == http.StatusUnauthorized })
}

// TestEmptiedFilesChangeNothing: a file that a rotation has cut to nothing is not taken up. Without a CA the system's would
// be trusted in its place, and every client's token would go to whoever has a certificate of one of those.
func TestEmptiedFilesChangeNothing(t *testing.T) {
	needsWeir(t)
	args, err := cluster.WeirArgs(oracle.WeirOptions{Name: "weir-emptied"})
	must(t, err)
	folder := t.TempDir()
	var own []string
	for i := 0; i+1 < len(args); i++ {
		if name := strings.TrimPrefix(args[i], "--proxy-client-"); name != args[i] {
			text, err := os.ReadFile(args[i+1])
			must(t, err)
			file := filepath.Join(folder, name)
			must(t, os.WriteFile(file, text, 0o600))
			own = append(own, args[i], file)
		}
	}
	if len(own) != 4 {
		t.Fatalf("no front-proxy certificate among %q", args)
	}
	w := startWeir(t, oracle.WeirOptions{Name: "weir-emptied", Args: own})
	user, err := cluster.CertUser("emptied", "system:masters")
	must(t, err)
	c := newCaller(t, w.URL, user, false)
	ask := func() int { return c.ask(request{Path: "/api/v1/namespaces/a/configmaps/absent"}).Status }
	if s := ask(); s != http.StatusNotFound {
		t.Fatalf("at first: %d", s)
	}
	for i := 1; i < len(own); i += 2 {
		text, err := os.ReadFile(own[i])
		must(t, err)
		must(t, os.Truncate(own[i], 0))
		must(t, w.Process.Signal(syscall.SIGHUP))
		takenUp(t, w, own[i]+" in the log", func() bool { return strings.Contains(w.Process.LogTail(), filepath.Base(own[i])) })
		if s := ask(); s != http.StatusNotFound {
			t.Errorf("with %s emptied: %d", own[i], s)
		}
		must(t, os.WriteFile(own[i], text, 0o600))
	}
}

// TestTheConfigurationIsTakenUp: limits follow the file, connections that are open included; a file that cannot be used
// changes nothing, and what only a start can take up is said to wait.
func TestTheConfigurationIsTakenUp(t *testing.T) {
	needsWeir(t)
	file := filepath.Join(t.TempDir(), "weir.yaml")
	write := func(text string) {
		must(t, os.WriteFile(file+".new", []byte("apiVersion: weir/v1alpha1\nkind: WeirConfiguration\n"+text), 0o600))
		must(t, os.Rename(file+".new", file))
	}
	write("maxUrlBytes: 2000\n")
	w := startWeir(t, oracle.WeirOptions{Args: []string{"--config", file}})
	clients := []*caller{newCaller(t, w.URL, cluster.Admin, true), newCaller(t, w.URL, cluster.Admin, false)}
	long := request{Path: "/api/v1/namespaces/a/configmaps?resourceVersion=0&labelSelector=x+in+(" + strings.Repeat("a,", 1500) + "a)"}
	within := func(what string, done func() bool) {
		t.Helper()
		takenUp(t, w, what, done)
	}
	all := func(status int) func() bool {
		return func() bool {
			for _, c := range clients {
				if c.ask(long).Status != status {
					return false
				}
			}
			return true
		}
	}
	logged := func(text string) func() bool {
		return func() bool { return strings.Contains(w.Process.LogTail(), text) }
	}
	within("at first", all(http.StatusRequestURITooLong))
	write("maxUrlBytes: 8000\ncacheIdleTimeout: 11m\n")
	within("a longer URL", func() bool { return clients[1].ask(long).Status == http.StatusOK })
	within("what waits", logged(`Option is taken up at the next start`))
	write("maxUrlBytes: 8000\nmaxWatches: many\n")
	within("what is no number", logged(`Keeping the configuration that is in use`))
	write("maxUrlBytes: 2000\n")
	within("as at first", func() bool { return clients[1].ask(long).Status == http.StatusRequestURITooLong })
	write("maxUrlBytes: 8000\n")
	clients[0] = newCaller(t, w.URL, cluster.Admin, true) // An HTTP/2 connection keeps what it began with.
	within("a new connection", func() bool { return clients[1].ask(long).Status == http.StatusOK })
	within("both", all(http.StatusOK))
}
