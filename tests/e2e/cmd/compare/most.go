package main

import (
	"errors"
	"time"
)

const rowMost = "most deliveries, nobody cut, leases, HTTP/2, ten streams, protobuf: millions a second"

// A search goes up by half until a server no longer keeps up.
const (
	mostConnections, mostStreams = 400, 10
	mostStep                     = 1.5
	mostSeconds                  = 3.0
	mostLag                      = 2 * time.Second // All events must have come so long after the last write.
)

// mostStart is in writes a second: what a server should manage.
func mostStart(t *target) float64 {
	if t.name == serverAPI {
		return 15
	}
	return 100
}

// mostRound looks for the highest rate at which every watcher has every event, none is ended, and they are not late.
func (l *lab) mostRound(r *rows) error {
	for _, t := range l.servers() {
		best := 0.0
		for start := mostStart(t); best == 0 && start > 1; start /= 4 {
			var err error
			if best, err = l.mostOf(t, start); err != nil {
				return err
			}
			time.Sleep(5 * time.Second) // A server that was overrun comes to rest.
		}
		r.add(rowMost, t.name, best/1e6)
	}
	return nil
}

// mostOf goes up from a rate; 0 if that is too much already.
func (l *lab) mostOf(t *target, rate float64) (best float64, err error) {
	c, err := l.gather(t, gathering{path: leasesPath, accept: protobufType, connections: mostConnections, streams: mostStreams})
	if err != nil {
		return 0, err
	}
	defer c.close()
	for ; ; rate *= mostStep {
		time.Sleep(time.Second)
		got, err := l.deliveries(c, rate)
		if errors.Is(err, errSlowWriter) || errors.Is(err, errCut) || errors.Is(err, errLate) {
			l.log("%s at %.0f writes/s: %v", t.name, rate, err)
			return best, nil
		}
		if err != nil {
			return 0, err
		}
		l.log("%s at %.0f writes/s: %.0f deliveries/s", t.name, rate, got)
		best = max(best, got)
	}
}

// deliveries are those a second, from the first write until the last event has come.
func (l *lab) deliveries(c *crowd, rate float64) (float64, error) {
	since, start := c.standing(), time.Now()
	count, err := l.write(leaseKey, rate, mostSeconds)
	if err != nil {
		return 0, err
	}
	if err := c.await(since, count, mostLag); err != nil {
		return 0, err
	}
	return float64(count*len(since)) / time.Since(start).Seconds(), nil
}
