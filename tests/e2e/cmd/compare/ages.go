package main

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	"weir.dev/e2e/drain"
)

// ages are the seconds from the writes of events until watchers had them.
type ages struct {
	mu      sync.Mutex
	seconds []float64
}

func (a *ages) add(piece []byte) {
	sent, ok := writtenAt(piece)
	if !ok {
		return
	}
	age := time.Since(sent).Seconds()
	a.mu.Lock()
	a.seconds = append(a.seconds, age)
	a.mu.Unlock()
}

// take gives the ages so far, and forgets them.
func (a *ages) take() []float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	seconds := a.seconds
	a.seconds = nil
	return seconds
}

// writtenAt finds the first time that a piece of events has, in JSON or protobuf. In managedFields the key has no value.
func writtenAt(piece []byte) (time.Time, bool) {
	const digits = 19 // Nanoseconds, until 2286.
	for at := 0; ; {
		next := bytes.Index(piece[at:], []byte(timeKey))
		if next < 0 {
			return time.Time{}, false
		}
		at += next + len(timeKey)
		value := bytes.TrimPrefix(piece[at:], []byte(`":"`))
		if len(value) == len(piece)-at && len(value) > 2 {
			value = value[2:] // Protobuf: a tag and a length.
		}
		if len(value) < digits {
			return time.Time{}, false
		}
		if sent, err := strconv.ParseInt(string(value[:digits]), 10, 64); err == nil {
			return time.Unix(0, sent), true
		}
	}
}

// A timedCounter times events too. Where several come in one piece, it times the first, which waited longest.
type timedCounter struct {
	drain.Counter
	ages *ages
}

func (c *timedCounter) Take(piece []byte) {
	c.Counter.Take(piece)
	c.ages.add(piece)
}
