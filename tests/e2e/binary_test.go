package e2e

import (
	"debug/elf"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir.dev/e2e/oracle"
)

// TestReleaseBinaryIsHardened reads the program that users run: what cmake/Weir.cmake asks the compiler and the linker
// for is in it.
func TestReleaseBinaryIsHardened(t *testing.T) {
	needsWeir(t)
	file, err := elf.Open(oracle.WeirBinary())
	must(t, err)
	defer file.Close()
	symbols, err := file.ImportedSymbols()
	must(t, err)
	imports := map[string]bool{}
	for _, s := range symbols {
		imports[s.Name] = true
	}
	if slices.ContainsFunc(symbols, func(s elf.ImportedSymbol) bool { return strings.HasPrefix(s.Name, "__asan_") }) {
		t.Skip("a build with sanitizers")
	}

	if file.Type != elf.ET_DYN || dynamicFlags(t, file, elf.DT_FLAGS_1)&uint64(elf.DF_1_PIE) == 0 {
		t.Error("not position independent")
	}
	if dynamicFlags(t, file, elf.DT_FLAGS_1)&uint64(elf.DF_1_NOW) == 0 {
		t.Error("symbols are bound lazily, so RELRO is partial")
	}
	var relro, stack *elf.Prog
	for _, p := range file.Progs {
		switch {
		case p.Type == elf.PT_GNU_RELRO:
			relro = p
		case p.Type == elf.PT_GNU_STACK:
			stack = p
		case p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0:
			t.Error("a segment is writable and executable")
		}
	}
	if relro == nil {
		t.Error("no RELRO")
	}
	if stack == nil || stack.Flags&elf.PF_X != 0 {
		t.Error("the stack is executable")
	}
	if !imports["__stack_chk_fail"] {
		t.Error("no stack protector")
	}
	if !slices.ContainsFunc(symbols, func(s elf.ImportedSymbol) bool {
		return strings.HasSuffix(s.Name, "_chk") && s.Name != "__stack_chk_fail"
	}) {
		t.Error("nothing of _FORTIFY_SOURCE")
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		if paths, err := file.DynString(tag); err == nil && len(paths) > 0 {
			t.Errorf("%v: %q", tag, paths)
		}
	}
	if runtime.GOARCH == "amd64" {
		// Indirect branches land on endbr64. The mark of the whole program depends on every object that is linked in, the
		// C library's start files included; the instructions are ours.
		text := file.Section(".text")
		code, err := text.Data()
		must(t, err)
		if n := strings.Count(string(code), "\xf3\x0f\x1e\xfa"); n < 100 {
			t.Errorf("%d endbr64: no control-flow protection", n)
		}
	}
}

func dynamicFlags(t *testing.T, file *elf.File, tag elf.DynTag) (flags uint64) {
	t.Helper()
	values, err := file.DynValue(tag)
	must(t, err)
	for _, v := range values {
		flags |= v
	}
	return flags
}

// TestRunsAsAnyUserOnAReadOnlyRoot: no capability, no home, no writable place at all.
func TestRunsAsAnyUserOnAReadOnlyRoot(t *testing.T) {
	needsWeir(t)
	if os.Getuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	if out, err := exec.Command("unshare", "--mount", "sh", "-c", "mount --make-rprivate / && mount --rbind / /mnt && mount -o remount,ro,bind /mnt").CombinedOutput(); err != nil {
		t.Skipf("no mount namespaces here: %s", out)
	}
	// Somebody else can read what Weir is given, and nothing else: the cluster's folder is the test's own.
	readable(t, cluster.Dir)
	o := oracle.WeirOptions{Name: "weir-readonly", DoNotWait: true}
	args, err := cluster.WeirArgs(o)
	must(t, err)
	readable(t, cluster.Dir)
	program := filepath.Join(cluster.Dir, "weir-program")
	copyFile(t, oracle.WeirBinary(), program)
	// Every mount of the tree is made read-only; /proc stays, as in a container.
	script := `set -e
mount --make-rprivate /
awk '{print $2}' /proc/self/mounts | sort -u | while read -r m; do mount -o remount,ro,bind "$m" 2>/dev/null || true; done
if touch ` + cluster.Dir + `/x 2>/dev/null; then echo "still writable"; exit 9; fi
exec setpriv --reuid=54321 --regid=54321 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all env -i "$@"`
	command := append([]string{"--mount", "sh", "-c", script, "sh", program}, args...)
	p, err := oracle.StartProcess("weir-readonly", filepath.Join(cluster.Dir, "weir-readonly.log"), "unshare", command...)
	must(t, err)
	t.Cleanup(p.Kill)
	w := &oracle.Weir{Process: p, URL: "https://127.0.0.1:" + argument(args, "--secure-port"), AdminURL: "http://" + argument(args, "--admin-bind-address")}
	waitReady(t, w)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	must(t, err)
	for _, want := range []string{"Uid:\t54321\t54321", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("the process is not what it should be: no %q in\n%s", want, status)
		}
	}
	c := newCaller(t, w.URL, cluster.Admin, true)
	if a := c.ask(request{Path: "/api/v1/namespaces/a/configmaps?resourceVersion=0"}); a.Status != http.StatusOK {
		t.Errorf("a list: %d %.200s %v", a.Status, a.Body, a.Err)
	}
	if a := c.ask(request{Path: "/version"}); a.Status != http.StatusOK {
		t.Errorf("forwarded: %d %.200s %v", a.Status, a.Body, a.Err)
	}
	must(t, w.Stop())
}

// TestNoCoreDump: a crash leaves nothing of the objects and keys in memory behind.
func TestNoCoreDump(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{})
	pid := w.Process.Pid()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	must(t, err)
	found := false
	for line := range strings.Lines(string(limits)) {
		if strings.HasPrefix(line, "Max core file size") {
			found = slices.Equal(strings.Fields(line)[4:6], []string{"0", "0"})
		}
	}
	if !found {
		t.Errorf("a core file may be written:\n%s", limits)
	}
	// What is not dumpable belongs to root in /proc, so that its own user cannot read its memory.
	info, err := os.Stat(fmt.Sprintf("/proc/%d/mem", pid))
	must(t, err)
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("/proc/%d/mem belongs to %d", pid, owner)
	}
	must(t, w.Process.Signal(syscall.SIGABRT))
	for range 100 {
		if !w.Process.Running() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if w.Process.Running() {
		t.Fatal("still running after SIGABRT")
	}
	for _, folder := range []string{".", cluster.Dir} {
		cores, err := filepath.Glob(filepath.Join(folder, "core*"))
		must(t, err)
		if len(cores) > 0 {
			t.Errorf("left behind: %q", cores)
		}
	}
}

func argument(args []string, name string) string {
	if i := slices.Index(args, name); i >= 0 {
		return args[i+1]
	}
	return ""
}

func waitReady(t *testing.T, w *oracle.Weir) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		status, _, err := w.Admin("/readyz")
		if err == nil && status == http.StatusOK {
			return
		}
		if !w.Process.Running() || time.Since(start) > 20*time.Second {
			t.Fatalf("not ready: %d %v\n%s", status, err, w.Process.LogTail())
		}
	}
}

// readable lets everybody read the folder and what is in it.
func readable(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	must(t, os.Chmod(folder, 0o755))
	for _, e := range entries {
		if e.Type().IsRegular() {
			must(t, os.Chmod(filepath.Join(folder, e.Name()), 0o644))
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o755))
}
