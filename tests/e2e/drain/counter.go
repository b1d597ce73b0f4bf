package drain

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
)

// A Counter counts what comes on one stream. Take is the reader's; the rest may be asked at any time.
type Counter interface {
	Take(piece []byte)
	Events() int64 // But for bookmarks.
	Bytes() int64  // Of events and bookmarks, before compression.
}

// JSON counts lines.
type JSON struct{ events, bytes atomic.Int64 }

// Take adds a piece of the body.
func (c *JSON) Take(piece []byte) {
	c.events.Add(int64(bytes.Count(piece, []byte{'\n'})))
	c.bytes.Add(int64(len(piece)))
}

// Events counts bookmarks too: watches in JSON do not ask for them here.
func (c *JSON) Events() int64 { return c.events.Load() }

// Bytes of the body.
func (c *JSON) Bytes() int64 { return c.bytes.Load() }

// Protobuf walks over the frames of a watch: four bytes of length, then a WatchEvent, whose first field is its type.
type Protobuf struct {
	events, bytes atomic.Int64

	head []byte // Of the frame that begins, until its type is known.
	skip int    // Bytes left of the frame.
}

const typeAt = 4 + 2 // Behind the length, the field's tag and its length.

// Take adds a piece of the body.
func (c *Protobuf) Take(piece []byte) {
	c.bytes.Add(int64(len(piece)))
	events := int64(0)
	for len(piece) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(piece))
			c.skip -= n
			piece = piece[n:]
			continue
		}
		n := min(typeAt+1-len(c.head), len(piece))
		c.head = append(c.head, piece[:n]...)
		piece = piece[n:]
		if len(c.head) < typeAt+1 {
			break
		}
		if c.head[typeAt] != 'B' { // BOOKMARK
			events++
		}
		c.skip = max(0, int(binary.BigEndian.Uint32(c.head))+4-len(c.head))
		c.head = c.head[:0]
	}
	c.events.Add(events)
}

// Events without bookmarks.
func (c *Protobuf) Events() int64 { return c.events.Load() }

// Bytes of the body.
func (c *Protobuf) Bytes() int64 { return c.bytes.Load() }

// Gzip adds up what the members of a compressed watch hold, without reading them: the length of what a member holds
// stands at its end. Both servers end a member with each flush and begin each alike.
type Gzip struct {
	bytes atomic.Int64 // With the last member's, if a member ends where the body has come to.

	finished int64  // Bytes in the members before the last.
	tail     []byte // The last bytes.
	begun    bool
}

var memberHead = []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff")

const lengthSize = 4

// Take adds a piece of the body.
func (c *Gzip) Take(piece []byte) {
	known := len(c.tail)
	text := append(c.tail, piece...)
	for at := max(0, known-len(memberHead)+1); ; at++ {
		next := bytes.Index(text[at:], memberHead)
		if next < 0 {
			break
		}
		if at += next; c.begun && at >= lengthSize {
			c.finished += int64(binary.LittleEndian.Uint32(text[at-lengthSize:]))
		}
		c.begun = true
	}
	if len(text) >= lengthSize {
		c.bytes.Store(c.finished + int64(binary.LittleEndian.Uint32(text[len(text)-lengthSize:])))
	}
	c.tail = append(c.tail[:0], text[max(0, len(text)-len(memberHead)-lengthSize+1):]...)
}

// Events are not known of what is not read.
func (c *Gzip) Events() int64 { return -1 }

// Bytes before compression; right whenever nothing is under way.
func (c *Gzip) Bytes() int64 { return c.bytes.Load() }
