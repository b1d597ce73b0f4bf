// Package e2e asks the same of a kube-apiserver and of Weir in front of it, and accepts no difference but the ones
// that README.md lists.
package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"weir.dev/e2e/oracle"
)

// The one oracle and the one Weir that most tests share. A test that disturbs them puts them back in order.
var (
	cluster *oracle.Cluster
	weir    *oracle.Weir
	admin   kubernetes.Interface // Straight to the API server.
	adminDy dynamic.Interface
)

// offersHTTP2 tells whether Weir agrees to HTTP/2 in the TLS handshake.
var offersHTTP2 bool

// selfCheck compares the API server with itself (WEIR_E2E_SELF=1): every comparison must hold then, which proves the
// comparers. Tests of the Weir process are left out.
var selfCheck = os.Getenv("WEIR_E2E_SELF") != ""

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	// Informers use the LIST and WATCH that Weir answers itself; read once, before client-go starts.
	os.Setenv("KUBE_FEATURE_WatchListClient", "false")
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if cluster, err = oracle.Start(dir); err != nil {
		return 1, err
	}
	defer cluster.Close()
	if admin, err = cluster.Client(); err != nil {
		return 1, err
	}
	if adminDy, err = dynamic.NewForConfig(cluster.Admin.RESTConfig(cluster.URL(), cluster.CAFile())); err != nil {
		return 1, err
	}
	if err = seed(); err != nil {
		return 1, fmt.Errorf("seeding: %w", err)
	}
	// A new API server knows nothing older than its start, and etcd has forgotten it.
	if err = cluster.ForgetHistory(); err != nil {
		return 1, err
	}
	if selfCheck {
		weir = &oracle.Weir{URL: cluster.URL()}
	} else if weir, err = cluster.StartWeir(oracle.WeirOptions{Args: []string{"-v=10"}}); err != nil {
		return 1, err
	}
	if offersHTTP2, err = cluster.AgreesTo(weir.URL, "h2"); err != nil {
		return 1, err
	}
	code := m.Run()
	if !selfCheck {
		if err := talksOutOfSchool(weir); err != nil {
			return 1, err
		}
		if err := weir.Stop(); err != nil {
			return 1, err
		}
	}
	if code != 0 || os.Getenv("WEIR_E2E_KEEP") != "" {
		fmt.Fprintln(os.Stderr, "logs are in", oracle.KeepLogs(dir, "e2e-logs"))
	}
	return code, nil
}

// needsWeir skips a test that has no meaning without a Weir process.
func needsWeir(t *testing.T) {
	t.Helper()
	if selfCheck {
		t.Skip("only with Weir")
	}
}

// startWeir starts a Weir of the test's own: cold, and free to be stopped.
func startWeir(t *testing.T, o oracle.WeirOptions) *oracle.Weir {
	t.Helper()
	needsWeir(t)
	if o.Name == "" {
		o.Name = "weir-" + filepath.Base(t.Name())
	}
	w, err := cluster.StartWeir(o)
	if w != nil && w.Process != nil {
		t.Cleanup(w.Process.Kill)
	}
	must(t, err)
	return w
}

// revision is etcd's current revision.
func revision(t *testing.T) int64 {
	t.Helper()
	rv, err := cluster.Revision()
	must(t, err)
	return rv
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
