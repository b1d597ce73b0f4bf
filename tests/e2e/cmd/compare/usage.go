package main

import (
	"slices"

	"weir.dev/e2e/measure"
)

// spent is the CPU time that the process used while f ran.
func spent(pid int, f func() error) (float64, error) {
	before, err := measure.CPU(pid)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := measure.CPU(pid)
	return after - before, err
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// percentile is the value that a share of them, such as 0.99, does not exceed; 0 if there are none.
func percentile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
