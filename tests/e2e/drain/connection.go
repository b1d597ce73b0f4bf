// Package drain counts what watches deliver, by the thousand and without decoding it: the servers that are measured run
// on the same cores.
package drain

import (
	"crypto/tls"
	"sync/atomic"

	"golang.org/x/net/http2/hpack"

	"weir.dev/e2e/barehttp2"
)

const readBuffer = 64 << 10

// A Request is what a stream sends.
type Request struct {
	Path, Token, Accept string
	Gzip                bool
}

// A Stream is one watch. Its numbers may be read at any time.
type Stream struct {
	Counter
	answered atomic.Bool
	over     atomic.Bool
}

// Answered tells whether the answer has begun, with 200.
func (s *Stream) Answered() bool { return s.answered.Load() }

// IsOver tells whether the server has ended it, or the connection has failed.
func (s *Stream) IsOver() bool { return s.over.Load() }

// Head is for the connection.
func (s *Stream) Head(fields []hpack.HeaderField) {
	for _, f := range fields {
		if f.Name == ":status" && f.Value == "200" {
			s.answered.Store(true)
		}
	}
}

// Data is for the connection.
func (s *Stream) Data(payload []byte) { s.Counter.Take(payload) }

// Over is for the connection.
func (s *Stream) Over() { s.over.Store(true) }

// A Connection has streams, which a goroutine of its own reads.
type Connection struct {
	Streams []*Stream

	conn *barehttp2.Connection
	done chan struct{}
}

// Open sends the requests on a connection that has agreed to HTTP/2, of which it becomes the owner, and reads until Close.
// The counters are of the streams, in order.
func Open(conn *tls.Conn, requests []Request, counters []Counter) (*Connection, error) {
	bare, err := barehttp2.New(conn, readBuffer)
	c := &Connection{conn: bare, done: make(chan struct{})}
	for i, r := range requests {
		if err != nil {
			break
		}
		c.Streams = append(c.Streams, &Stream{Counter: counters[i]})
		err = bare.Get(r.Path, c.Streams[i], r.fields()...)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	go c.read()
	return c, nil
}

func (r Request) fields() []hpack.HeaderField {
	fields := []hpack.HeaderField{
		{Name: "authorization", Value: "Bearer " + r.Token}, {Name: "accept", Value: r.Accept}, {Name: "user-agent", Value: "weir-compare"},
	}
	if r.Gzip {
		fields = append(fields, hpack.HeaderField{Name: "accept-encoding", Value: "gzip"})
	}
	return fields
}

func (c *Connection) read() {
	defer close(c.done)
	for c.conn.Read() == nil {
	}
	for _, s := range c.Streams {
		s.Over()
	}
}

// Close ends the connection and waits until nobody reads it any more.
func (c *Connection) Close() {
	c.conn.Close()
	<-c.done
}
