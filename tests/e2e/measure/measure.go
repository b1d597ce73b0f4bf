// Package measure reads what processes cost, from /proc and the kernel's CPU clocks.
package measure

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CPU is user plus system time of a process so far, in seconds, threads that have ended included. It is the process's
// CPU clock, which counts nanoseconds; /proc/PID/stat has ticks of 10 ms.
func CPU(pid int) (float64, error) {
	const scheduled = 2 // CPUCLOCK_SCHED, of all threads: as clock_getcpuclockid(3) puts it together.
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &now); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return float64(now.Sec) + float64(now.Nsec)/1e9, nil
}

// Resident memory of a process, in bytes.
func Resident(pid int) (float64, error) { return status(pid, "VmRSS:") }

// Peak is the most resident memory of a process since it began or since ForgetPeak, in bytes.
func Peak(pid int) (float64, error) { return status(pid, "VmHWM:") }

// ForgetPeak makes what is resident now the peak of a process of one's own user.
func ForgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

func status(pid int, field string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status: no %s", pid, field)
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
