// Package drain reads watches over HTTP/2 with as little work as it can, since the servers that are measured run on the
// same cores: frames are skipped by their lengths, events are counted and not decoded.
package drain

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	streamWindow     = 4 << 20 // As Go's client.
	connectionWindow = 1 << 30
	readBuffer       = 64 << 10
)

// A Request is what each stream sends.
type Request struct {
	Path, Token, Accept string
	Gzip                bool
}

// A Stream is one watch. Its numbers may be read at any time.
type Stream struct {
	Counter
	answered atomic.Bool // With 200.
	over     atomic.Bool
	unacked  uint32
}

// Answered tells whether the answer has begun, with 200.
func (s *Stream) Answered() bool { return s.answered.Load() }

// Over tells whether the server has ended it, or refused it, or the connection has failed.
func (s *Stream) Over() bool { return s.over.Load() }

// A Connection has streams; one goroutine reads them all.
type Connection struct {
	Streams []*Stream

	conn    net.Conn
	reader  *bufio.Reader
	framer  *http2.Framer // Writes.
	encoder *hpack.Encoder
	block   bytes.Buffer
	decoder *hpack.Decoder
	unacked uint32 // Of the connection's window.
	payload []byte
	done    chan struct{}
	err     error
}

// Open begins the requests on a connection that has agreed to HTTP/2, and reads until Close. It owns the connection.
// `counters` are of the streams, in order.
func Open(conn *tls.Conn, requests []Request, counters []Counter) (*Connection, error) {
	c := &Connection{conn: conn, reader: bufio.NewReaderSize(conn, readBuffer), done: make(chan struct{})}
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, nil)
	out := bufio.NewWriter(conn)
	c.framer = http2.NewFramer(out, nil)
	_, _ = out.WriteString(http2.ClientPreface)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow})
	_ = c.framer.WriteWindowUpdate(0, connectionWindow)
	for i, r := range requests {
		c.Streams = append(c.Streams, &Stream{Counter: counters[i]})
		if err := c.ask(uint32(2*i+1), r, conn.RemoteAddr().String()); err != nil {
			conn.Close()
			return nil, err
		}
	}
	if err := out.Flush(); err != nil {
		conn.Close()
		return nil, err
	}
	c.framer = http2.NewFramer(conn, nil)
	go c.run()
	return c, nil
}

// Close ends the connection and waits until nobody reads it any more.
func (c *Connection) Close() {
	c.conn.Close()
	<-c.done
}

func (c *Connection) ask(id uint32, r Request, authority string) error {
	c.block.Reset()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: authority}, {Name: ":path", Value: r.Path},
		{Name: "authorization", Value: "Bearer " + r.Token}, {Name: "accept", Value: r.Accept}, {Name: "user-agent", Value: "weir-compare"},
	}
	if r.Gzip {
		fields = append(fields, hpack.HeaderField{Name: "accept-encoding", Value: "gzip"})
	}
	for _, f := range fields {
		if err := c.encoder.WriteField(f); err != nil {
			return err
		}
	}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
}

func (c *Connection) run() {
	defer close(c.done)
	for c.err == nil {
		c.err = c.read()
	}
	for _, s := range c.Streams {
		s.over.Store(true)
	}
}

func (c *Connection) stream(id uint32) *Stream {
	if i := int(id / 2); id%2 == 1 && i < len(c.Streams) {
		return c.Streams[i]
	}
	return nil
}

// read takes one frame.
func (c *Connection) read() error {
	var head [9]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return err
	}
	length := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	flags, id := http2.Flags(head[4]), binary.BigEndian.Uint32(head[5:])&(1<<31-1)
	if cap(c.payload) < length {
		c.payload = make([]byte, length)
	}
	payload := c.payload[:length]
	if _, err := io.ReadFull(c.reader, payload); err != nil {
		return err
	}
	return c.take(http2.FrameType(head[3]), flags, id, payload)
}

var errUnexpected = errors.New("HTTP/2: a frame that no server sends here")

func (c *Connection) take(kind http2.FrameType, flags http2.Flags, id uint32, payload []byte) error {
	s := c.stream(id)
	switch kind {
	case http2.FrameSettings:
		if !flags.Has(http2.FlagSettingsAck) {
			return c.framer.WriteSettingsAck()
		}
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) && len(payload) == 8 {
			return c.framer.WritePing(true, [8]byte(payload))
		}
	case http2.FrameGoAway:
		return fmt.Errorf("HTTP/2: GOAWAY %x", payload)
	case http2.FrameRSTStream:
		if s != nil {
			s.over.Store(true)
		}
	case http2.FrameHeaders:
		if s == nil || !flags.Has(http2.FlagHeadersEndHeaders) || flags.Has(http2.FlagHeadersPadded) {
			return errUnexpected
		}
		fields, err := c.decoder.DecodeFull(payload)
		if err != nil {
			return err
		}
		for _, f := range fields {
			if f.Name == ":status" && f.Value == "200" {
				s.answered.Store(true)
			}
		}
		if flags.Has(http2.FlagHeadersEndStream) {
			s.over.Store(true)
		}
	case http2.FrameData:
		if s == nil || flags.Has(http2.FlagDataPadded) {
			return errUnexpected
		}
		s.Counter.Take(payload)
		if flags.Has(http2.FlagDataEndStream) {
			s.over.Store(true)
		}
		return c.consumed(id, s, uint32(len(payload)))
	}
	return nil
}

// consumed opens windows again before they are half closed.
func (c *Connection) consumed(id uint32, s *Stream, n uint32) error {
	if c.unacked += n; c.unacked > connectionWindow/2 {
		if err := c.framer.WriteWindowUpdate(0, c.unacked); err != nil {
			return err
		}
		c.unacked = 0
	}
	if s.unacked += n; s.unacked < streamWindow/2 || s.over.Load() {
		return nil
	}
	n, s.unacked = s.unacked, 0
	return c.framer.WriteWindowUpdate(id, n)
}
