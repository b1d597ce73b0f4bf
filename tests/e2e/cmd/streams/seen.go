package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

// What all streams together have seen.
type seen struct {
	answered, refused, over       atomic.Int64
	events, eventBytes, bookmarks atomic.Int64
}

// until waits for a count, unless a stream was refused or ended.
func (s *seen) until(count *atomic.Int64, wanted int64, what string) error {
	for end := time.Now().Add(patience); count.Load() < wanted; time.Sleep(20 * time.Millisecond) {
		if s.refused.Load() > 0 || s.over.Load() > 0 || time.Now().After(end) {
			return fmt.Errorf("%d of %d %s; %d streams refused, %d over", count.Load(), wanted, what, s.refused.Load(), s.over.Load())
		}
	}
	return nil
}

// A stream is a watch in protobuf: frames of four bytes of length and an event.
type stream struct {
	seen *seen
	head [4]byte
	have uint8  // Of the head.
	left uint32 // Of the event.
}

func (s *stream) Head(fields []hpack.HeaderField) {
	for _, f := range fields {
		if f.Name == ":status" && f.Value != "200" {
			s.seen.refused.Add(1)
		}
	}
	s.seen.answered.Add(1)
}

func (s *stream) Over() { s.seen.over.Add(1) }

var bookmark = []byte("\x0a\x08BOOKMARK")

func (s *stream) Data(p []byte) {
	for len(p) > 0 {
		if s.left > 0 {
			n := min(len(p), int(s.left))
			p, s.left = p[n:], s.left-uint32(n)
			continue
		}
		n := copy(s.head[s.have:], p)
		p, s.have = p[n:], s.have+uint8(n)
		if s.have < uint8(len(s.head)) {
			return
		}
		s.have, s.left = 0, binary.BigEndian.Uint32(s.head[:])
		if bytes.HasPrefix(p, bookmark) { // It is written with its head.
			s.seen.bookmarks.Add(1)
		} else {
			s.seen.events.Add(1)
			s.seen.eventBytes.Add(int64(len(s.head)) + int64(s.left))
		}
	}
}
