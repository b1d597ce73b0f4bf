// Package oracle runs what the end-to-end tests compare with: a real etcd, a real kube-apiserver, and a Weir in
// front of them. Everything lives in one temporary directory and listens on free ports of 127.0.0.1; no process
// outlives the test program.
package oracle

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// KubernetesVersion is the release the oracle is built from, and what it says at /version.
const KubernetesVersion = "v1.37.2"

// Binaries are the programs that the tests run. ControlPlane is kube-apiserver, kube-controller-manager or
// kube-scheduler, as its first argument says; Kubectl is of the same release.
type Binaries struct {
	Etcd, ControlPlane, Kubectl string
}

// moduleDir is tests/e2e, wherever the tests are started from.
func moduleDir() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("no caller information")
	}
	return filepath.Dir(filepath.Dir(file))
}

// RepositoryDir is the root of the repository.
func RepositoryDir() string { return filepath.Dir(filepath.Dir(moduleDir())) }

// Build builds the three programs into build/oracle. The first time takes minutes; afterwards `go build` finds them up
// to date in about a second each.
func Build() (*Binaries, error) {
	dir := filepath.Join(RepositoryDir(), "build", "oracle")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	b := &Binaries{
		Etcd:         filepath.Join(dir, "etcd"),
		ControlPlane: filepath.Join(dir, "control-plane"),
		Kubectl:      filepath.Join(dir, "kubectl"),
	}
	steps := []struct{ in, pkg, out string }{
		{filepath.Join(moduleDir(), "etcd"), ".", b.Etcd},
		{moduleDir(), "./cmd/control-plane", b.ControlPlane},
		{moduleDir(), "./cmd/kubectl", b.Kubectl},
	}
	for _, s := range steps {
		// Without VCS stamping: a commit would make every binary stale.
		cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags", versionFlags(), "-o", s.out, s.pkg)
		cmd.Dir = s.in
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build %s in %s: %w\n%s", s.pkg, s.in, err, out)
		}
	}
	return b, nil
}

// versionFlags gives the control plane and kubectl the version they would have as released binaries.
func versionFlags() string {
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for name, value := range map[string]string{
			"gitVersion": KubernetesVersion, "gitMajor": "1", "gitMinor": "37", "gitTreeState": "clean",
		} {
			flags = append(flags, fmt.Sprintf("-X %s.%s=%s", pkg, name, value))
		}
	}
	slices.Sort(flags[2:]) // A stable command line, or `go build` would link again.
	return strings.Join(flags, " ")
}

// KeepLogs copies the logs of all processes to a directory below build/ and returns its path.
func KeepLogs(dir, name string) string {
	to := filepath.Join(RepositoryDir(), "build", name)
	_ = os.RemoveAll(to)
	_ = os.MkdirAll(to, 0o755)
	for _, pattern := range []string{"*.log", "*/*.log"} { // A cluster of a test's own has a folder in this one.
		logs, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, file := range logs {
			name, _ := filepath.Rel(dir, file)
			if text, err := os.ReadFile(file); err == nil {
				_ = os.WriteFile(filepath.Join(to, strings.ReplaceAll(name, "/", "-")), text, 0o644)
			}
		}
	}
	return to
}

// WeirBinary is $WEIR_BINARY, or the release build.
func WeirBinary() string {
	if path := os.Getenv("WEIR_BINARY"); path != "" {
		return path
	}
	return filepath.Join(RepositoryDir(), "build", "release", "bin", "weir")
}
