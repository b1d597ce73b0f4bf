// Package flame shows where a process spends its CPU time: it samples stacks with perf and draws them as a flame graph.
package flame

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const samplesPerSecond = 997 // Prime, so as to fall in step with nothing.

// Record samples the process while work runs and draws what it saw into the SVG file out. It needs perf, and stacks by
// frame pointers, which Weir's release builds keep.
func Record(pid int, title, out string, work func() error) error {
	dir, err := os.MkdirTemp("", "weir-flame-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data := filepath.Join(dir, "perf.data")
	var said bytes.Buffer
	// By the clock: a virtual machine has no counters.
	perf := exec.Command("perf", "record", "--quiet", "-e", "cpu-clock", "-F", strconv.Itoa(samplesPerSecond), "-g", "-p", strconv.Itoa(pid), "-o", data)
	perf.Stderr = &said
	if err := perf.Start(); err != nil {
		return err
	}
	time.Sleep(300 * time.Millisecond) // Until it is attached.
	worked := work()
	if err := perf.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	if err := perf.Wait(); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.ExitCode() > 0 { // The signal is how it ends.
			return fmt.Errorf("perf record: %w: %s", err, said.Bytes())
		}
	}
	if worked != nil {
		return worked
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, "perf", "script", "-i", data, "-F", "comm,ip,sym,dso", "--no-inline")
	text, err := script.Output()
	if err != nil {
		return fmt.Errorf("perf script: %w", err)
	}
	root := Fold(bytes.NewReader(text))
	if root.Samples == 0 {
		return fmt.Errorf("no sample of process %d: it did nothing", pid)
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	Draw(file, root, title)
	return file.Close()
}
