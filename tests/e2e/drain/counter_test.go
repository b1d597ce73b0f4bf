package drain

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"testing"
)

// frame is an event of a watch in protobuf: its type, and something behind it.
func frame(kind string, size int) []byte {
	event := append([]byte{0x0a, byte(len(kind))}, kind...)
	event = append(event, bytes.Repeat([]byte{'x'}, size)...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(event))), event...)
}

// inPieces gives the counter the body in pieces of every size.
func inPieces(t *testing.T, body []byte, fresh func() Counter, check func(c Counter)) {
	t.Helper()
	for size := 1; size <= len(body); size++ {
		c := fresh()
		for at := 0; at < len(body); at += size {
			c.Take(body[at:min(at+size, len(body))])
		}
		check(c)
	}
}

func TestProtobuf(t *testing.T) {
	body := bytes.Join([][]byte{frame("ADDED", 100), frame("BOOKMARK", 3), frame("MODIFIED", 0), frame("DELETED", 77)}, nil)
	inPieces(t, body, func() Counter { return new(Protobuf) }, func(c Counter) {
		if c.Events() != 3 || c.Bytes() != int64(len(body)) {
			t.Fatalf("%d events, %d of %d bytes", c.Events(), c.Bytes(), len(body))
		}
	})
}

func TestJSON(t *testing.T) {
	body := []byte("{\"type\":\"ADDED\"}\n{\"type\":\"DELETED\"}\n")
	inPieces(t, body, func() Counter { return new(JSON) }, func(c Counter) {
		if c.Events() != 2 || c.Bytes() != int64(len(body)) {
			t.Fatalf("%d events, %d bytes", c.Events(), c.Bytes())
		}
	})
}

func TestGzip(t *testing.T) {
	var body []byte
	want := int64(0)
	for i := range 5 {
		event := frame("MODIFIED", 50*i)
		want += int64(len(event))
		var member bytes.Buffer
		w, err := gzip.NewWriterLevel(&member, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(event)
		_ = w.Close()
		one := member.Bytes()
		if !bytes.HasPrefix(one, memberHead) {
			t.Fatalf("Go begins a member with %x", one[:len(memberHead)])
		}
		body = append(body, one...)
	}
	inPieces(t, body, func() Counter { return new(Gzip) }, func(c Counter) {
		if c.Bytes() != want {
			t.Fatalf("%d of %d bytes", c.Bytes(), want)
		}
	})
}
