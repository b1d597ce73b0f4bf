package main

import (
	"time"

	"weir.dev/e2e/measure"
)

const (
	rowPod     = "resident bytes per cached pod"
	rowPodWire = "resident bytes per cached pod ÷ its bytes on the wire"
	rowIdle    = "KB per idle watch by name (kube-apiserver: live heap and stacks; Weir: resident)"
	rowIdleH2  = "KB per idle watch over HTTP/2, ten streams a connection"
	rowFurther = "bytes of a further such stream of the connection"
)

// memoryRound starts all servers anew: what they hold after one LIST, and with idle watches.
func (l *lab) memoryRound(r *rows) error {
	if err := l.restartAPI(); err != nil {
		return err
	}
	if err := l.startWeirs(); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	for _, t := range l.servers() {
		before := l.emptyBytes
		if t != l.api {
			var err error
			if before, err = measure.Resident(t.pid()); err != nil {
				return err
			}
		}
		if _, err := t.drain(podsFromCache); err != nil {
			return err
		}
		time.Sleep(2 * time.Second)
		full, err := measure.Resident(t.pid())
		if err != nil {
			return err
		}
		perPod := (full - before) / float64(l.options.pods)
		r.add(rowPod, t.name, perPod)
		r.add(rowPodWire, t.name, perPod*float64(l.options.pods)/float64(l.listBytes))
		if err := l.idleWatches(r, t); err != nil {
			return err
		}
		if err := l.coldGzip(r, t); err != nil {
			return err
		}
	}
	// Anew: what closed connections have freed would hide what streams take.
	if err := l.startWeirs(); err != nil {
		return err
	}
	for _, t := range l.servers() {
		if _, err := t.drain(podsFromCache); err != nil {
			return err
		}
		if err := l.idleStreams(r, t); err != nil {
			return err
		}
	}
	return nil
}

// coldGzip is the first compressed LIST of a server's life; the cache itself is full.
func (l *lab) coldGzip(r *rows, t *target) error {
	h2, err := t.over("h2")
	if err != nil {
		return err
	}
	defer closeAll([]*target{h2})
	f := form{row: rowGzipCold, path: podsFromCache, accept: "application/json", gzip: true}
	used, err := spent(t.pid(), func() error {
		_, err := f.bodyOf(h2)
		return err
	})
	r.add(rowGzipCold, t.name, used*1e3)
	return err
}
