package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A connection reads HTTP/2 with as little work as it can: the servers run on the same cores.
type connection struct {
	conn    *tls.Conn
	reader  *bufio.Reader
	framer  *http2.Framer // Writes.
	encoder *hpack.Encoder
	block   bytes.Buffer
	decoder *hpack.Decoder
	streams map[uint32]*watch
	next    uint32
	unacked uint32 // Of the connection's window.
	payload []byte
}

const (
	streamWindow     = 4 << 20 // As Go's client.
	connectionWindow = 1 << 30
)

func newConnection(conn *tls.Conn) (*connection, error) {
	c := &connection{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10), streams: map[uint32]*watch{}, next: 1}
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

func (c *connection) close() { c.conn.Close() }

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
	unacked  uint32
	body     []byte // If whole.
	tail     []byte // The last bytes.
	finished int    // Bytes that whole members hold, but the last.
}

func (c *connection) open(w *watch) error {
	c.block.Reset()
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "127.0.0.1"}, {Name: ":path", Value: target(w.path)},
		{Name: "accept", Value: "application/vnd.kubernetes.protobuf,application/json"}, {Name: "accept-encoding", Value: "gzip"},
		{Name: "user-agent", Value: "storm"},
	} {
		if err := c.encoder.WriteField(f); err != nil {
			return err
		}
	}
	id := c.next
	c.next += 2
	c.streams[id] = w
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndStream: true, EndHeaders: true})
}

// read takes one frame.
func (c *connection) read() error {
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
	w := c.streams[id]
	switch http2.FrameType(head[3]) {
	case http2.FrameSettings:
		if !flags.Has(http2.FlagSettingsAck) {
			return c.framer.WriteSettingsAck()
		}
	case http2.FramePing:
		if !flags.Has(http2.FlagPingAck) {
			return c.framer.WritePing(true, [8]byte(payload))
		}
	case http2.FrameGoAway:
		return fmt.Errorf("GOAWAY %x", payload)
	case http2.FrameRSTStream:
		if w != nil {
			w.over = true
		}
	case http2.FrameHeaders:
		if !flags.Has(http2.FlagHeadersEndHeaders) || flags.Has(http2.FlagHeadersPadded) {
			return errProtocol
		}
		fields, err := c.decoder.DecodeFull(payload)
		if err != nil {
			return err
		}
		if w != nil {
			w.head(fields)
			w.over = w.over || flags.Has(http2.FlagHeadersEndStream)
		}
	case http2.FrameData:
		if w == nil || flags.Has(http2.FlagDataPadded) {
			return errProtocol
		}
		w.data(payload)
		w.over = w.over || flags.Has(http2.FlagDataEndStream)
		return c.consumed(id, w, uint32(length))
	}
	return nil
}

func (c *connection) consumed(id uint32, w *watch, n uint32) error {
	if c.unacked += n; c.unacked > connectionWindow/2 {
		if err := c.framer.WriteWindowUpdate(0, c.unacked); err != nil {
			return err
		}
		c.unacked = 0
	}
	if w.unacked += n; w.unacked < streamWindow/2 || w.over {
		return nil
	}
	n, w.unacked = w.unacked, 0
	return c.framer.WriteWindowUpdate(id, n)
}

func (w *watch) head(fields []hpack.HeaderField) {
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

func (w *watch) data(payload []byte) {
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
