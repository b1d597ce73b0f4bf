package main

import (
	"fmt"
	"time"
)

const (
	rowAge1000P50 = "1,000 watchers, 10/s, HTTP/1.1: ms from the write to etcd to a watcher, p50"
	rowAge1000P99 = "1,000 watchers, 10/s, HTTP/1.1: ms from the write to etcd to a watcher, p99"
	rowAge10kP50  = "10,000 watchers, 1/s, HTTP/2, ten streams: ms from the write to etcd to a watcher, p50"
	rowAge10kP99  = "10,000 watchers, 1/s, HTTP/2, ten streams: ms from the write to etcd to a watcher, p99"
)

// latencyRound times every event of every watcher.
func (l *lab) latencyRound(r *rows) error {
	for _, t := range l.servers() {
		if err := l.excuse(r, rowAge1000P99, t, l.latencyHTTP1(r, t)); err != nil {
			return err
		}
	}
	for _, t := range l.servers() {
		if err := l.excuse(r, rowAge10kP99, t, l.latencyHTTP2(r, t)); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) latencyHTTP1(r *rows, t *target) error {
	const watchers = 1000
	w, err := l.openAllPods(t, watchers)
	if err != nil {
		return err
	}
	defer w.close()
	count, err := l.write(podKey, 10, l.options.seconds)
	if err != nil {
		return err
	}
	wanted := int64(count * watchers)
	for start := time.Now(); w.events.Load() < wanted && time.Since(start) < arriveTimeout; {
		time.Sleep(10 * time.Millisecond)
	}
	if w.failed.Load() > 0 || w.events.Load() != wanted {
		return fmt.Errorf("%s: %w: %d of %d came, %d watches failed", t.name, errLate, w.events.Load(), wanted, w.failed.Load())
	}
	seconds := w.ages.take()
	r.add(rowAge1000P50, t.name, percentile(seconds, 0.5)*1e3)
	r.add(rowAge1000P99, t.name, percentile(seconds, 0.99)*1e3)
	return nil
}

func (l *lab) latencyHTTP2(r *rows, t *target) error {
	c, err := l.gather(t, gathering{path: podsPath, accept: "application/json", connections: 1000, streams: 10, timed: true})
	if err != nil {
		return err
	}
	defer c.close()
	time.Sleep(2 * time.Second)
	since := c.standing()
	c.ages.take()
	count, err := l.write(podKey, 1, max(5, l.options.seconds))
	if err != nil {
		return err
	}
	if err := c.await(since, count, arriveTimeout); err != nil {
		return err
	}
	seconds := c.ages.take()
	r.add(rowAge10kP50, t.name, percentile(seconds, 0.5)*1e3)
	r.add(rowAge10kP99, t.name, percentile(seconds, 0.99)*1e3)
	return nil
}
