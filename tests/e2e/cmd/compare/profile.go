package main

import (
	"path/filepath"

	"weir.dev/e2e/flame"
)

// profile draws what Weir does in a LIST and in a WATCH, each as the rounds measure it.
func (l *lab) profile() error {
	l.log("profiles")
	weir := l.weirs[0].target
	if _, err := weir.drain(podsFromCache); err != nil { // Touches all memory.
		return err
	}
	lists := func() error {
		for range 60 {
			if _, err := weir.drain(podsFromCache); err != nil {
				return err
			}
		}
		return nil
	}
	if err := flame.Record(weir.pid(), "LIST of all pods, JSON, HTTP/1.1", filepath.Join(l.options.profiles, "list.svg"), lists); err != nil {
		return err
	}
	watches := func() error { return l.watchServer(new(rows), weir, 0) }
	return flame.Record(weir.pid(), "WATCH of all pods, JSON, HTTP/1.1", filepath.Join(l.options.profiles, "watch.svg"), watches)
}
