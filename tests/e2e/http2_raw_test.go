package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir.dev/e2e/oracle"
)

// An h2conn speaks HTTP/2 frame by frame, with nothing checked.
type h2conn struct {
	*http2.Framer
	t     *testing.T
	conn  *tls.Conn
	block bytes.Buffer
	coder *hpack.Encoder
}

type h2field struct{ name, value string }

func dialHTTP2(t *testing.T, server string, user oracle.User) *h2conn {
	t.Helper()
	config, err := user.TLSClient(cluster.CAFile(), "h2")
	must(t, err)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(server, "https://"), config)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	c := newH2conn(conn)
	c.t = t
	must(t, c.greet())
	return c
}

func newH2conn(conn *tls.Conn) *h2conn {
	c := &h2conn{Framer: http2.NewFramer(conn, conn), conn: conn}
	c.AllowIllegalWrites = true
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.SetMaxReadFrameSize(1 << 20)
	c.coder = hpack.NewEncoder(&c.block)
	return c
}

func (c *h2conn) greet() error {
	if _, err := c.conn.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	return c.WriteSettings()
}

func (c *h2conn) request(id uint32, end bool, fields ...h2field) error {
	c.block.Reset()
	for _, f := range fields {
		if err := c.coder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			return err
		}
	}
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
}

// outcome is what becomes of the stream: a status, a reset, or the connection's end.
func (c *h2conn) outcome(id uint32) string {
	status, going := "", ""
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			if going != "" {
				return going
			}
			return "closed"
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == id && !strings.HasPrefix(f.PseudoValue("status"), "1") {
				status = f.PseudoValue("status")
			}
			if f.StreamID == id && f.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if f.StreamID == id && f.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return "RST_STREAM " + f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				going = "GOAWAY " + f.ErrCode.String()
			}
		}
	}
}

func h2get(user oracle.User, path string, more ...h2field) []h2field {
	fields := []h2field{{":method", "GET"}, {":scheme", "https"}, {":authority", "127.0.0.1"}, {":path", path}}
	if user.Token != "" {
		fields = append(fields, h2field{"authorization", "Bearer " + user.Token})
	}
	return append(fields, more...)
}

// TestRawHTTP2MeansTheSame: odd requests, frame by frame, to the API server and through Weir. What Weir takes the API
// server takes and answers alike; where Weir is stricter the case says so.
func TestRawHTTP2MeansTheSame(t *testing.T) {
	if !offersHTTP2 {
		t.Skip("no HTTP/2")
	}
	const path = "/api/v1/namespaces/a/configmaps?limit=1"
	user := cluster.Admin
	without := func(name string) (fields []h2field) {
		for _, f := range h2get(user, path) {
			if f.name != name {
				fields = append(fields, f)
			}
		}
		return fields
	}
	with := func(name, value string) (fields []h2field) {
		for _, f := range h2get(user, path) {
			if f.name == name {
				f.value = value
			}
			fields = append(fields, f)
		}
		return fields
	}
	const malformed = "RST_STREAM PROTOCOL_ERROR"
	cases := []struct {
		name    string
		fields  []h2field
		body    string // Sent where not empty.
		differs string // Weir's outcome, where it is another.
	}{
		{name: "plain", fields: h2get(user, path)},
		{name: "no authority", fields: without(":authority"), differs: malformed},
		{name: "http", fields: with(":scheme", "http")},
		{name: "ftp", fields: with(":scheme", "ftp")},
		{name: "no path", fields: without(":path")},
		{name: "no method", fields: without(":method")},
		{name: "no scheme", fields: without(":scheme")},
		{name: "empty path", fields: with(":path", "")},
		{name: "relative path", fields: with(":path", "api")},
		{name: "absolute path", fields: with(":path", "https://127.0.0.1/api")},
		{name: "space in the path", fields: with(":path", "/api /v1"), differs: malformed},
		{name: "bad escape", fields: with(":path", "/api/%zz")},
		{name: "fragment", fields: with(":path", "/api#v1"), differs: malformed},
		{name: "star", fields: with(":path", "*"), differs: malformed},
		{name: "odd method", fields: with(":method", "G(T"), differs: malformed},
		{name: "unknown method", fields: with(":method", "BREW")},
		{name: "upper-case name", fields: h2get(user, path, h2field{"X-Y", "z"})},
		{name: "LF in a value", fields: h2get(user, path, h2field{"x-y", "a\nb"})},
		{name: "NUL in a value", fields: h2get(user, path, h2field{"x-y", "a\x00b"})},
		{name: "spaces around a value", fields: h2get(user, path, h2field{"accept-encoding", "  gzip "})},
		{name: "tabs around a value", fields: h2get(user, path, h2field{"accept", "\tapplication/json\t"}), differs: "200"}, // As over HTTP/1.1.
		{name: "spaces around the token", fields: with("authorization", "  Bearer "+user.Token+" ")},
		{name: "space before a name", fields: h2get(user, path, h2field{" accept", "text/plain"})},
		{name: "spaces around a length", fields: h2get(user, path, h2field{"content-length", " 2 "}), body: "{}"},
		{name: "spaces around the path", fields: with(":path", " "+path+" ")},
		{name: "spaces around the method", fields: with(":method", " GET "), differs: malformed},
		{name: "spaces around the authority", fields: with(":authority", " 127.0.0.1 "), differs: malformed},
		{name: "late pseudo-header", fields: append(without(":path"), h2field{":path", path})},
		{name: "unknown pseudo-header", fields: append([]h2field{{":x", "y"}}, h2get(user, path)...)},
		{name: "two methods", fields: append([]h2field{{":method", "GET"}}, h2get(user, path)...)},
		{name: "extended CONNECT", fields: append([]h2field{{":protocol", "websocket"}}, with(":method", "CONNECT")...)},
		{name: "connection", fields: h2get(user, path, h2field{"connection", "keep-alive"}), differs: malformed},
		{name: "transfer-encoding", fields: h2get(user, path, h2field{"transfer-encoding", "chunked"}), differs: malformed},
		{name: "upgrade", fields: h2get(user, path, h2field{"upgrade", "websocket"}), differs: malformed},
		{name: "te", fields: h2get(user, path, h2field{"te", "gzip"}), differs: malformed},
		{name: "te trailers", fields: h2get(user, path, h2field{"te", "trailers"})},
		{name: "another host", fields: h2get(user, path, h2field{"host", "elsewhere"}), differs: malformed},
		{name: "odd expectation", fields: h2get(user, path, h2field{"expect", "miracles"})},
		{name: "two tokens", fields: h2get(user, path, h2field{"authorization", "Bearer x"}), differs: "400"},
		{name: "length without a body", fields: h2get(user, path, h2field{"content-length", "5"}), differs: malformed},
		{name: "longer body", fields: h2get(user, path, h2field{"content-length", "2"}), body: "longer"},
		{name: "body of a GET", fields: h2get(user, path, h2field{"content-length", "2"}), body: "{}"},
		{name: "exec", fields: h2get(user, "/api/v1/namespaces/a/pods/none/exec?command=ls")},
		{name: "WebSocket without an upgrade", fields: h2get(user, "/api/v1/namespaces/a/configmaps?watch=1&timeoutSeconds=1&resourceVersion=0", h2field{"sec-websocket-version", "13"})},
		{name: "bad token", fields: h2get(oracle.User{Token: "nobody"}, path)},
		{name: "no token", fields: h2get(oracle.User{}, path)},
		{name: "health without a token", fields: h2get(oracle.User{}, "/livez")},
		{name: "options of a resource", fields: with(":method", "OPTIONS")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var outcomes [2]string
			for i, server := range []string{cluster.URL(), weir.URL} {
				conn := dialHTTP2(t, server, oracle.User{})
				must(t, conn.request(1, c.body == "", c.fields...))
				if c.body != "" {
					must(t, conn.WriteData(1, true, []byte(c.body)))
				}
				outcomes[i] = conn.outcome(1)
			}
			want := outcomes[0]
			if c.differs != "" && !selfCheck {
				want = c.differs
			}
			if outcomes[1] != want {
				t.Errorf("%s from the API server, %s by Weir", outcomes[0], outcomes[1])
			}
		})
	}
}

// TestHTTP2EndsWhereUpstreamEndsIt: a connection is told to go with the first answer to nobody, before that answer, and
// stays open for everybody else.
func TestHTTP2EndsWhereUpstreamEndsIt(t *testing.T) {
	if !offersHTTP2 {
		t.Skip("no HTTP/2")
	}
	cert, err := cluster.CertUser("h2-cert")
	must(t, err)
	nobody := oracle.User{}
	for _, c := range []struct {
		name   string
		user   oracle.User // Of the connection.
		fields []h2field
	}{
		{"bad token", nobody, h2get(oracle.User{Token: "nobody"}, "/api")},
		{"anonymous", nobody, h2get(nobody, "/livez")},
		{"anonymous and forbidden", nobody, h2get(nobody, "/api/v1/nodes")},
		{"token", nobody, h2get(cluster.Admin, "/api")},
		{"token and not found", nobody, h2get(cluster.Admin, "/none")},
		{"certificate and forbidden", cert, h2get(nobody, "/api/v1/nodes")},
	} {
		// Go's server hands the headers and the GOAWAY to the writer of the connection on two channels, so under load
		// either may be the first: the order that it mostly has is wanted.
		var order [2]string
		for range 5 {
			for i, server := range []string{cluster.URL(), weir.URL} {
				conn := dialHTTP2(t, server, c.user)
				must(t, conn.request(1, true, c.fields...))
				order[i] = conn.order()
			}
			if order[0] == order[1] {
				break
			}
		}
		if order[0] != order[1] {
			t.Errorf("%s: %s from the API server, %s by Weir", c.name, order[0], order[1])
		}
	}
}

// order is what came about stream 1 and of the connection, in order, until one of them is over and a PING was answered.
func (c *h2conn) order() string {
	var seen []string
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return strings.Join(append(seen, "end"), " ")
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			seen = append(seen, f.PseudoValue("status"))
		case *http2.GoAwayFrame:
			seen = append(seen, fmt.Sprintf("GOAWAY(%d, %s)", f.LastStreamID, f.ErrCode))
		case *http2.PingFrame:
			return strings.Join(append(seen, "open"), " ")
		case *http2.DataFrame:
			if f.StreamEnded() && len(seen) == 1 {
				must(c.t, c.WritePing(false, [8]byte{}))
			}
		}
	}
}
