// Package measure reads what processes cost, from /proc.
package measure

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

const ticksPerSecond = 100 // USER_HZ, fixed on Linux.

// CPU is user plus system time of a process so far, in seconds, threads that have ended included.
func CPU(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold spaces.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	var ticks float64
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks / ticksPerSecond, nil
}

// Resident memory of a process, in bytes.
func Resident(pid int) (float64, error) {
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

// Machine describes where numbers come from: processors, kernel, and the congestion control that servers have.
func Machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	control, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	trim := func(b []byte) string { return strings.TrimSpace(string(b)) }
	return fmt.Sprintf("%d × %s, Linux %s; servers' congestion control %s, the client's cubic",
		runtime.NumCPU(), model, trim(kernel), trim(control))
}
