package main

import (
	"fmt"
	"time"
)

const (
	rowListH1    = "LIST of all pods, JSON, HTTP/1.1: CPU-s per GB"
	rowListH2    = "LIST of all pods, JSON, HTTP/2: CPU-s per GB"
	rowListProto = "LIST of all pods, protobuf, HTTP/2: CPU-s per GB"
	rowListTime  = "LIST of all pods, JSON, HTTP/1.1: wall-clock s per GB"

	sendSize = 256 << 10 // As Weir sends a LIST.
)

// listRound lists over HTTP/1.1, then over HTTP/2.
func (l *lab) listRound(r *rows) error {
	if err := l.wholeList(r, rowListH1, rowListTime, "http/1.1", "application/json"); err != nil {
		return err
	}
	return l.wholeList(r, rowListH2, "", "h2", "application/json")
}

// protobufRound is apart: it makes Weir keep a second encoding.
func (l *lab) protobufRound(r *rows) error {
	return l.wholeList(r, rowListProto, "", "h2", protobufType)
}

// wholeList lists as often at each server as gives a tenth of a second of CPU at least, and lets plain TCP send as much.
func (l *lab) wholeList(r *rows, row, timeRow, protocol, accept string) error {
	servers, err := each(l.servers(), protocol)
	if err != nil {
		return err
	}
	defer closeAll(servers)
	f := form{row: row, path: podsFromCache, accept: accept}
	size, err := f.bodyOf(servers[0]) // Starts the feed.
	if err != nil {
		return err
	}
	measured := func(name string, pid, lists int, list func() (int64, error)) error {
		if _, err := list(); err != nil { // Touches all memory.
			return err
		}
		start := time.Now()
		used, err := spent(pid, func() error {
			for range lists {
				got, err := list()
				if err == nil && got != size {
					err = fmt.Errorf("%s: %s: %d of %d bytes", name, row, got, size)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		gigabytes := float64(size) * float64(lists) / 1e9
		r.add(row, name, used/gigabytes)
		if timeRow != "" {
			r.add(timeRow, name, time.Since(start).Seconds()/gigabytes)
		}
		return nil
	}
	err = measured(serverPlain, l.plain.cmd.Process.Pid, l.repeated(20), func() (int64, error) {
		return size, l.plain.bulk(size, sendSize)
	})
	for _, t := range servers {
		if err == nil {
			err = measured(t.name, t.pid(), l.repeatedAt(t, 2, 12), func() (int64, error) { return f.bodyOf(t) })
		}
	}
	return err
}

// repeated makes more of what is done so often with 50,000 pods, if there are far fewer.
func (l *lab) repeated(times int) int { return times * max(1, min(5, 20_000/l.options.pods)) }

func (l *lab) repeatedAt(t *target, atAPI, atWeir int) int {
	if t.name == serverAPI {
		return l.repeated(atAPI)
	}
	return l.repeated(atWeir)
}
