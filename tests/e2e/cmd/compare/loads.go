package main

import (
	"errors"
	"fmt"
	"time"
)

const (
	rowTen      = "WATCH, 10/s, HTTP/2, ten streams a connection, JSON: CPU µs per delivered event, net of intake"
	rowTenProto = "WATCH, 10/s, HTTP/2, ten streams a connection, protobuf: CPU µs per delivered event, net of intake"
	rowBusy     = "WATCH, leases, 150/s, HTTP/2, ten streams, protobuf: CPU µs per delivered event, net of intake"
	rowBusyGzip = "WATCH, leases, 150/s, HTTP/2, ten streams, through WatchList with gzip: CPU µs per delivered event, net of intake"
)

// A load is a crowd and how often what it watches changes.
type load struct {
	row string
	gathering
	rate float64
}

var loads = []load{
	{rowTen, gathering{path: podsPath, accept: "application/json", key: podKey, connections: 50, streams: 10}, 10},
	{rowTenProto, gathering{path: podsPath, accept: protobufType, key: podKey, connections: 50, streams: 10}, 10},
	{rowBusy, gathering{path: leasesPath, accept: protobufType, key: leaseKey, connections: 20, streams: 10}, 150},
	{rowBusyGzip, gathering{path: leasesPath, accept: protobufType, key: leaseKey, gzip: true, connections: 10, streams: 10}, 150},
}

// arriveTimeout is given to events after the last write.
const arriveTimeout = 10 * time.Second

// loadsRound measures each load at all servers, less what the changes alone cost them.
func (l *lab) loadsRound(r *rows) error {
	for _, load := range loads {
		for _, t := range l.servers() { // Starts the feed.
			if _, err := (form{row: load.row, path: load.path + "?resourceVersion=0", accept: load.accept}).bodyOf(t); err != nil {
				return err
			}
		}
		alone, err := l.alone(load.key, load.rate, l.options.seconds)
		if err != nil {
			return err
		}
		for _, t := range l.servers() {
			err := l.measureLoad(r, load, t, alone[t.name])
			if err := l.excuse(r, load.row, t, err); err != nil {
				return fmt.Errorf("%s: %w", load.row, err)
			}
		}
	}
	return nil
}

func (l *lab) measureLoad(r *rows, load load, t *target, alone float64) error {
	c, err := l.gather(t, load.gathering)
	if err != nil {
		return err
	}
	defer c.close()
	time.Sleep(time.Second)
	since, count := c.standing(), 0
	used, err := spent(t.pid(), func() error {
		var err error
		if count, err = l.write(load.key, load.rate, l.options.seconds); err != nil {
			return err
		}
		if err := c.await(since, count, arriveTimeout); err != nil {
			return err
		}
		time.Sleep(settle)
		return nil
	})
	if err != nil {
		return err
	}
	r.add(load.row, t.name, (used-alone)/float64(count*len(since))*1e6)
	return nil
}

// excuse lets the round go on without a value if the API server, of which nothing was promised, did not keep up.
func (l *lab) excuse(r *rows, row string, t *target, err error) error {
	if t.name != serverAPI || !errors.Is(err, errCut) && !errors.Is(err, errLate) {
		return err
	}
	l.log("%s: %v", row, err)
	r.notes = append(r.notes, fmt.Sprintf("%s: %v", row, err))
	time.Sleep(5 * time.Second) // It comes to rest.
	return nil
}
