// Package barehttp2 is a client of HTTP/2 that does as little as it can, for loads whose clients share the cores of the
// server that is measured: no goroutine and no buffer for a stream, nothing decoded but heads.
package barehttp2

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	streamWindow     = 4 << 20 // As Go's client.
	connectionWindow = 1 << 30
)

// ErrProtocol ends a connection whose server sends what this client does not read.
var ErrProtocol = errors.New("not HTTP/2")

// A Stream is told what comes. The bytes are valid during the call. It must not call its connection.
type Stream interface {
	Head(fields []hpack.HeaderField)
	Data(payload []byte)
	// Over says that the server has ended the stream, or reset it.
	Over()
}

// A Connection is read by one goroutine, in which its streams hear what comes. Others may Get and Close.
type Connection struct {
	conn    *tls.Conn
	reader  *bufio.Reader
	payload []byte

	mu      sync.Mutex
	framer  *http2.Framer // Writes.
	encoder *hpack.Encoder
	block   bytes.Buffer
	decoder *hpack.Decoder
	streams map[uint32]*open
	next    uint32
	unacked uint32 // Of the connection's window.
}

type open struct {
	stream  Stream
	unacked uint32
}

// New speaks HTTP/2 on a connection that has agreed to, with a read buffer of so many bytes.
func New(conn *tls.Conn, readBuffer int) (*Connection, error) {
	c := &Connection{conn: conn, reader: bufio.NewReaderSize(conn, readBuffer), streams: map[uint32]*open{}, next: 1}
	c.encoder = hpack.NewEncoder(&c.block)
	c.decoder = hpack.NewDecoder(4096, nil)
	out := bufio.NewWriter(conn)
	c.framer = http2.NewFramer(conn, nil)
	first := http2.NewFramer(out, nil)
	_, _ = out.WriteString(http2.ClientPreface)
	_ = first.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow})
	_ = first.WriteWindowUpdate(0, connectionWindow)
	return c, out.Flush()
}

// Close ends a Read.
func (c *Connection) Close() { c.conn.Close() }

// Get asks for a path, with further header fields.
func (c *Connection) Get(path string, s Stream, fields ...hpack.HeaderField) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.block.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "127.0.0.1"}, {Name: ":path", Value: path},
	}, fields...) {
		if err := c.encoder.WriteField(f); err != nil {
			return err
		}
	}
	id := c.next
	c.next += 2
	c.streams[id] = &open{stream: s}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
}

// Read takes one frame.
func (c *Connection) Read() error {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[id]
	switch http2.FrameType(head[3]) {
	case http2.FrameSettings:
		if !flags.Has(http2.FlagSettingsAck) {
			return c.framer.WriteSettingsAck()
		}
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) {
			if length != 8 {
				return ErrProtocol
			}
			return c.framer.WritePing(true, [8]byte(payload))
		}
	case http2.FrameGoAway:
		return fmt.Errorf("GOAWAY %x", payload)
	case http2.FrameRSTStream:
		c.over(id, s)
	case http2.FrameHeaders:
		if !flags.Has(http2.FlagHeadersEndHeaders) || flags.Has(http2.FlagHeadersPadded) {
			return ErrProtocol
		}
		fields, err := c.decoder.DecodeFull(payload)
		if err != nil {
			return err
		}
		if s != nil {
			s.stream.Head(fields)
		}
		if flags.Has(http2.FlagHeadersEndStream) {
			c.over(id, s)
		}
	case http2.FrameData:
		if s == nil || flags.Has(http2.FlagDataPadded) {
			return ErrProtocol
		}
		s.stream.Data(payload)
		ends := flags.Has(http2.FlagDataEndStream)
		if ends {
			c.over(id, s)
		}
		return c.consumed(id, s, uint32(length), ends)
	}
	return nil
}

func (c *Connection) over(id uint32, s *open) {
	if s != nil {
		delete(c.streams, id)
		s.stream.Over()
	}
}

func (c *Connection) consumed(id uint32, s *open, n uint32, ends bool) error {
	if c.unacked += n; c.unacked > connectionWindow/2 {
		if err := c.framer.WriteWindowUpdate(0, c.unacked); err != nil {
			return err
		}
		c.unacked = 0
	}
	if s.unacked += n; s.unacked < streamWindow/2 || ends {
		return nil
	}
	n, s.unacked = s.unacked, 0
	return c.framer.WriteWindowUpdate(id, n)
}
