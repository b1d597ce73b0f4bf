package main

import (
	"fmt"
	"strconv"
	"strings"
)

// liveBytes is what the API server's heap and stacks hold after a garbage collection. Its resident memory says nothing
// of a few megabytes more: they fit into what earlier garbage has left free.
func (t *target) liveBytes() (float64, error) {
	if _, err := t.drain("/debug/pprof/heap?gc=1"); err != nil {
		return 0, err
	}
	text, err := t.read("/metrics")
	if err != nil {
		return 0, err
	}
	var sum float64
	found := 0
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "go_memstats_heap_alloc_bytes" && name != "go_memstats_stack_inuse_bytes" {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		sum += n
		found++
	}
	if found != 2 {
		return 0, fmt.Errorf("%s: no memory statistics at /metrics", t.name)
	}
	return sum, nil
}
