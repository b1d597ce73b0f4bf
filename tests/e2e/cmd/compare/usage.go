package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A usage is the CPU time that a process has used so far.
type usage struct{ seconds float64 }

const ticksPerSecond = 100 // USER_HZ, fixed on Linux.

// cpuOf is user plus system time of a process, threads that have ended included.
func cpuOf(pid int) (usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	// The name, in parentheses, may hold spaces.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	if len(fields) < 13 {
		return usage{}, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	var ticks float64
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return usage{}, err
		}
		ticks += n
	}
	return usage{ticks / ticksPerSecond}, nil
}

// measure is the CPU time that the process used while f ran.
func measure(pid int, f func() error) (float64, error) {
	before, err := cpuOf(pid)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := cpuOf(pid)
	return after.seconds - before.seconds, err
}

// residentBytes is the resident memory of a process.
func residentBytes(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status: no VmRSS", pid)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
