package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"

	"golang.org/x/net/http2/hpack"

	"weir.dev/e2e/barehttp2"
)

// open asks for what a client of today asks for.
func open(c *barehttp2.Connection, w *watch) error {
	return c.Get(target(w.path), w,
		hpack.HeaderField{Name: "accept", Value: "application/vnd.kubernetes.protobuf,application/json"},
		hpack.HeaderField{Name: "accept-encoding", Value: "gzip"}, hpack.HeaderField{Name: "user-agent", Value: "storm"})
}

// A watch is one stream.
type watch struct {
	path     string
	whole    bool // Reads all of it, to find the end of the initial events.
	expected int  // Otherwise: where that is, uncompressed.

	status   string
	gzip     bool
	wire     int
	plain    int
	synced   bool
	over     bool
	body     []byte // If whole.
	tail     []byte // The last bytes.
	finished int    // Bytes that whole members hold, but the last.
}

// Over, Head and Data make it a barehttp2.Stream.
func (w *watch) Over() { w.over = true }

func (w *watch) Head(fields []hpack.HeaderField) {
	for _, f := range fields {
		switch f.Name {
		case ":status":
			w.status = f.Value
		case "content-encoding":
			w.gzip = f.Value == "gzip"
		}
	}
}

// Both servers begin each gzip member alike; the length of what it holds stands at its end.
var memberHead = []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff")

func (w *watch) Data(payload []byte) {
	w.wire += len(payload)
	switch {
	case w.synced:
	case w.whole:
		w.body = append(w.body, payload...)
		w.readWhole()
	case !w.gzip:
		w.plain = w.wire
		w.synced = w.plain == w.expected
	default:
		w.countMembers(payload)
	}
}

// countMembers adds up what the members hold, without reading them.
func (w *watch) countMembers(payload []byte) {
	known := len(w.tail)
	text := append(w.tail, payload...)
	begins := w.wire == len(payload)
	for at := max(0, known-len(memberHead)+1); ; at++ {
		next := bytes.Index(text[at:], memberHead)
		if next < 0 {
			break
		}
		at += next
		if !(begins && at == 0) && at >= 4 {
			w.finished += int(binary.LittleEndian.Uint32(text[at-4:]))
		}
	}
	// Bookmarks of later may come with the one that is waited for.
	if w.synced = w.finished >= w.expected; !w.synced && len(text) >= 4 {
		w.synced = w.finished+int(binary.LittleEndian.Uint32(text[len(text)-4:])) == w.expected
	}
	if w.synced {
		w.plain = w.expected
	}
	w.tail = append(w.tail[:0], text[max(0, len(text)-len(memberHead)-3):]...)
}

const endMark = "k8s.io/initial-events-end"

func (w *watch) readWhole() {
	text := w.body
	if w.gzip {
		reader, err := gzip.NewReader(bytes.NewReader(w.body))
		if err != nil {
			return
		}
		text, _ = io.ReadAll(reader) // Up to where it has come.
	}
	for at := 0; at+4 <= len(text); {
		end := at + 4 + int(binary.BigEndian.Uint32(text[at:]))
		if end > len(text) {
			return
		}
		if bytes.Contains(text[at:end], []byte(endMark)) {
			w.synced, w.plain, w.body = true, end, nil
			return
		}
		at = end
	}
}
