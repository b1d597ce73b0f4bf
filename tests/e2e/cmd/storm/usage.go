package main

import (
	"context"
	"sync/atomic"
	"time"

	"weir.dev/e2e/measure"
)

// cpuOf is 0 if there is no such process.
func cpuOf(pid int) float64 {
	seconds, _ := measure.CPU(pid)
	return seconds
}

// watchPeak looks at the resident memory from now on; what it returns gives the most of it.
func watchPeak(ctx context.Context, pid int) func() float64 {
	var most atomic.Int64
	go func() {
		for ctx.Err() == nil {
			if now, err := measure.Resident(pid); err == nil && int64(now) > most.Load() {
				most.Store(int64(now))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return func() float64 { return float64(most.Load()) }
}
