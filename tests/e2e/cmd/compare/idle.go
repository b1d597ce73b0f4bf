package main

import (
	"fmt"
	"time"

	"weir.dev/e2e/measure"
)

// idleWatches measures what watches hold that wait for one pod each, on a connection each.
func (l *lab) idleWatches(r *rows, t *target) error {
	path, err := l.watchOfOne(t)
	if err != nil {
		return err
	}
	before, err := l.held(t)
	if err != nil {
		return err
	}
	w, err := openWatches(t, l.options.idle, path)
	if err != nil {
		return err
	}
	defer w.close()
	after, err := l.held(t)
	if err != nil {
		return err
	}
	r.add(rowIdle, t.name, (after-before)/float64(l.options.idle)/1024)
	return nil
}

// idleStreams does the same over HTTP/2: first ten streams on each connection, then as many more as it takes.
func (l *lab) idleStreams(r *rows, t *target) error {
	const connections, first, further = 20, 10, 85
	path, err := l.watchOfOne(t)
	if err != nil {
		return err
	}
	var shared []*target
	for range connections {
		h2, err := t.over("h2")
		if err != nil {
			return err
		}
		shared = append(shared, h2)
	}
	defer closeAll(shared)
	holds := make([]float64, 3)
	for i, watches := range []int{0, connections * first, connections * further} {
		opened, err := openWatchesOn(shared, watches, func(n int) string { return path((n + i) % l.options.pods) })
		if err != nil {
			return err
		}
		defer opened.close()
		if holds[i], err = l.held(t); err != nil {
			return err
		}
	}
	r.add(rowIdleH2, t.name, (holds[1]-holds[0])/(connections*first)/1024)
	r.add(rowFurther, t.name, (holds[2]-holds[1])/(connections*further))
	return nil
}

// watchOfOne gives the path of a watch of pod i from now on.
func (l *lab) watchOfOne(t *target) (func(i int) string, error) {
	revision, err := l.revision(t)
	return func(i int) string {
		return fmt.Sprintf("/api/v1/namespaces/%s/pods?watch=true&resourceVersion=%s&fieldSelector=metadata.name%%3D%s&timeoutSeconds=600",
			podNamespace(i), revision, podName(i))
	}, err
}

// held is the memory of a server that has had time to come to rest.
func (l *lab) held(t *target) (float64, error) {
	time.Sleep(2 * time.Second)
	if t == l.api {
		return t.liveBytes()
	}
	return measure.Resident(t.pid())
}
