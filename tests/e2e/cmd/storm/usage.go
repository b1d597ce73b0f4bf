package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// cpuOf is user plus system time of a process, in seconds; 0 if there is none.
func cpuOf(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100 // USER_HZ, fixed on Linux.
}

func residentBytes(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * float64(os.Getpagesize()), err
}

// watchPeak looks at the resident memory from now on; what it returns gives the most of it.
func watchPeak(ctx context.Context, pid int) func() float64 {
	var most atomic.Int64
	go func() {
		for ctx.Err() == nil {
			if now, err := residentBytes(pid); err == nil && int64(now) > most.Load() {
				most.Store(int64(now))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return func() float64 { return float64(most.Load()) }
}
