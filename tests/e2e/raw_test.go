package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir.dev/e2e/oracle"
)

// A rawRow is an HTTP/1.1 head (and body) as bytes. TOKEN and HOST are filled in.
//
// want is the status Weir must answer with; 0 means: as the API server. Where want is not 0, Weir is stricter than the
// API server on purpose, or may be (auth-and-forwarding E.1, "Ours"), and must close the connection after it.
type rawRow struct {
	name, bytes string
	want        []int
	closes      bool // Weir closes the connection, the API server need not: HTTP/1.0 is served without keep-alive.
}

const (
	okHead   = "Host: HOST\r\nAuthorization: Bearer TOKEN\r\n"
	okObject = "GET /api/v1/namespaces/a/configmaps/cm-1?resourceVersion=0 HTTP/1.1\r\n" + okHead
	okPost   = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews HTTP/1.1\r\n" + okHead + "Content-Type: application/json\r\n"
	review   = `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"nonResourceAttributes":{"verb":"get","path":"/x"}}}`
)

var bad = []int{400}

var rawRows = []rawRow{
	// As the API server.
	{name: "a plain request", bytes: okObject + "\r\n"},
	{name: "a plain post", bytes: okPost + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(review)) + review},
	{name: "a chunked post", bytes: okPost + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", len(review)) + review + "\r\n0\r\n\r\n"},
	{name: "a chunked post in small chunks", bytes: okPost + "Transfer-Encoding: chunked\r\n\r\n" + inChunks(review, 7) + "0\r\n\r\n"},
	{name: "a trailer", bytes: okPost + "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n" + inChunks(review, 50) + "0\r\nX-T: 1\r\n\r\n"},
	{name: "field names in another case", bytes: strings.ReplaceAll(okObject, "Authorization", "aUTHORIZATION") + "\r\n"},
	{name: "spaces around a value", bytes: okObject + "X-Any:  \t a \t\r\n\r\n"},
	{name: "an empty value", bytes: okObject + "X-Any:\r\n\r\n"},
	{name: "connection: close", bytes: okObject + "Connection: close\r\n\r\n"},
	{name: "HTTP/1.0", bytes: strings.Replace(okObject, "HTTP/1.1", "HTTP/1.0", 1) + "\r\n"},
	{name: "HTTP/1.0 and a list", bytes: "GET /api/v1/namespaces/a/configmaps?resourceVersion=0 HTTP/1.0\r\n" + okHead + "\r\n"},
	{name: "HTTP/1.0, keep-alive", closes: true, bytes: strings.Replace(okObject, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n\r\n"},
	{name: "no Host", bytes: "GET /version HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n\r\n"},
	{name: "two Hosts", bytes: okObject + "Host: other\r\n\r\n"},
	{name: "a bad Host", bytes: "GET /version HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{name: "no path", bytes: "GET HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a path without slash", bytes: "GET version HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a space in the path", bytes: "GET /api/v1/a b HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a bad escape in the path", bytes: "GET /api/v1/%zz HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a space before the colon", bytes: okObject + "X-Any : a\r\n\r\n"},
	{name: "an empty name", bytes: okObject + ": a\r\n\r\n"},
	{name: "a bad name", bytes: okObject + "X(Any): a\r\n\r\n"},
	{name: "NUL in a value", bytes: okObject + "X-Any: a\x00b\r\n\r\n"},
	{name: "a control byte in a value", bytes: okObject + "X-Any: a\x01b\r\n\r\n"},
	{name: "CR in a value", bytes: okObject + "X-Any: a\rb\r\n\r\n"},
	{name: "a line without colon", bytes: okObject + "nonsense\r\n\r\n"},
	{name: "CRLF in front", bytes: "\r\n" + okObject + "\r\n"},
	{name: "differing Content-Lengths", bytes: okPost + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
	{name: "a signed Content-Length", bytes: okPost + "Content-Length: +3\r\n\r\nabc"},
	{name: "a negative Content-Length", bytes: okPost + "Content-Length: -1\r\n\r\n"},
	{name: "a hexadecimal Content-Length", bytes: okPost + "Content-Length: 0x3\r\n\r\nabc"},
	{name: "an empty Content-Length", bytes: okPost + "Content-Length:\r\n\r\n"},
	{name: "a huge Content-Length", bytes: okPost + "Content-Length: 99999999999999999999\r\n\r\n"},
	{name: "a list of Content-Lengths", bytes: okPost + "Content-Length: 3, 3\r\n\r\nabc"},
	{name: "an unknown Transfer-Encoding", bytes: okPost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{name: "identity", bytes: okPost + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", want: []int{400, 501}},
	{name: "chunked twice", bytes: okPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: []int{400, 501}},
	{name: "HTTP/2.0 as text", bytes: "GET /version HTTP/2.0\r\n" + okHead + "\r\n"},
	{name: "HTTP/0.9", bytes: "GET /version\r\n\r\n"},
	{name: "HTTP/3.0", bytes: "GET /version HTTP/3.0\r\n" + okHead + "\r\n"},
	{name: "a version that is none", bytes: "GET /version HTTQ/1.1\r\n" + okHead + "\r\n"},
	{name: "an unknown method", bytes: "BREW /api/v1/pods HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a bad method", bytes: "G(T /api/v1/pods HTTP/1.1\r\n" + okHead + "\r\n"},

	// Stricter than the API server, by design.
	{name: "Content-Length and chunked", want: bad,
		bytes: okPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{name: "equal Content-Lengths", want: bad,
		bytes: okPost + strings.Repeat(fmt.Sprintf("Content-Length: %d\r\n", len(review)), 2) + "\r\n" + review},
	{name: "a folded line", want: bad, bytes: okObject + "X-Any: a\r\n b\r\n\r\n"},
	{name: "bare LF line ends", want: bad, bytes: strings.ReplaceAll(okObject, "\r\n", "\n") + "\n"},
	{name: "an empty Host", want: bad, bytes: "GET /version HTTP/1.1\r\nHost:\r\nAuthorization: Bearer TOKEN\r\n\r\n"},
	{name: "two Authorizations", want: bad, bytes: okObject + "Authorization: Bearer other\r\n\r\n"},
	{name: "Transfer-Encoding with HTTP/1.0", want: []int{400, 501},
		bytes: strings.Replace(okPost, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{name: "xchunked", want: []int{400, 501}, bytes: okPost + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	{name: "chunked with a tab", want: []int{400, 501}, bytes: okPost + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},
	{name: "absolute form of another host", want: bad, bytes: "GET https://other.example.com/version HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a fragment", want: bad, bytes: "GET /version#x HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a byte above 0x7E in the path", want: bad, bytes: "GET /version\xff HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "CONNECT", want: []int{400, 405}, bytes: "CONNECT HOST HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "Connection lists an identity header", want: bad, bytes: okObject + "Connection: Authorization\r\n\r\n"},
	{name: "Connection lists an impersonation header", want: bad, bytes: okObject + "Impersonate-User: alice\r\nConnection: impersonate-user\r\n\r\n"},
	{name: "a chunk size with 0x", want: bad, bytes: okPost + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"},
	{name: "a chunk size with a sign", want: bad, bytes: okPost + "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n"},
	{name: "a chunk size of 17 digits", want: bad, bytes: okPost + "Transfer-Encoding: chunked\r\n\r\n00000000000000003\r\nabc\r\n0\r\n\r\n"},
	{name: "bare LF in chunk framing", want: bad, bytes: okPost + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n"},
	{name: "a long head", want: []int{431, 400}, bytes: okObject + "X-Any: " + strings.Repeat("a", 70_000) + "\r\n\r\n"},
	{name: "many fields", want: []int{431, 400}, bytes: okObject + strings.Repeat("X-Any: a\r\n", 300) + "\r\n"},
	{name: "a long target", want: []int{414, 431, 400}, bytes: "GET /version?" + strings.Repeat("a", 20_000) + " HTTP/1.1\r\n" + okHead + "\r\n"},
	{name: "a long method", want: []int{400, 501, 405}, bytes: strings.Repeat("G", 200) + " /version HTTP/1.1\r\n" + okHead + "\r\n"},
}

func inChunks(text string, size int) string {
	var b strings.Builder
	for chunk := range slices.Chunk([]byte(text), size) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	return b.String()
}

// A rawAnswer is the first answer to raw bytes, and what came of a second request on the same connection.
type rawAnswer struct {
	status int
	body   []byte
	header http.Header
	// The Audit-Ids of everything that was answered. A smuggled request would show here.
	ids    []string
	closed bool
	err    error
}

// TestRawHeads sends each head to both; a request with a known Audit-ID follows each, and no answer may belong to
// anything else.
func TestRawHeads(t *testing.T) {
	for _, row := range rawRows {
		t.Run(subtestName(row.name), func(t *testing.T) {
			up := sendRaw(t, cluster.URL(), cluster.Admin, row.bytes)
			down := sendRaw(t, weir.URL, cluster.Admin, row.bytes)
			if row.want != nil && selfCheck {
				t.Skip("the API server is less strict")
			}
			if down.err != nil {
				t.Fatalf("Weir: %v (API server: %d %v)", down.err, up.status, up.err)
			}
			for _, id := range down.ids {
				if id != "" && id != "second" && id != "first" && row.want != nil {
					t.Errorf("an answer to something that was never asked: Audit-Id %q", id)
				}
			}
			if row.want != nil {
				if !slices.Contains(row.want, down.status) || !down.closed {
					t.Errorf("Weir answers %d, closed %v; it must refuse with one of %v and close. The API server: %d\n%s",
						down.status, down.closed, row.want, up.status, down.body)
				}
				return
			}
			if up.err != nil {
				t.Fatalf("API server: %v", up.err)
			}
			if up.status != down.status || (up.closed != down.closed && !row.closes) {
				t.Errorf("API server %d, closed %v; Weir %d, closed %v\n%s", up.status, up.closed, down.status, down.closed, down.body)
			}
			if up.status < 400 && !bytes.Equal(withoutTimes(up.body), withoutTimes(down.body)) {
				t.Errorf("API server: %.300s\nWeir: %.300s", up.body, down.body)
			}
		})
	}
}

// withoutTimes is a body masked, and without the seconds at which the two servers were asked.
func withoutTimes(body []byte) []byte {
	return regexp.MustCompile(`"time":"[^"]+"`).ReplaceAll(mask(body).Text, nil)
}

// sendRaw writes the bytes and, a moment later, a good request.
func sendRaw(t *testing.T, server string, user oracle.User, text string) rawAnswer {
	t.Helper()
	u, err := url.Parse(server)
	must(t, err)
	config, err := user.TLSClient(cluster.CAFile(), "http/1.1")
	must(t, err)
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", u.Host, config)
	must(t, err)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))

	fill := strings.NewReplacer("TOKEN", user.Token, "HOST", u.Host)
	second := "GET /version HTTP/1.1\r\nHost: HOST\r\nAudit-ID: second\r\n\r\n"
	if _, err := io.WriteString(conn, fill.Replace(text)); err != nil {
		return rawAnswer{err: err}
	}
	_, _ = io.WriteString(conn, fill.Replace(second)) // It may be closed by now.

	var a rawAnswer
	reader := bufio.NewReader(conn)
	method := strings.TrimSpace(text[:strings.IndexAny(text+" ", " \r\n")])
	for n := 0; ; n++ {
		response, err := http.ReadResponse(reader, &http.Request{Method: map[bool]string{true: "GET", false: method}[n > 0 || method == ""]})
		if err != nil {
			a.closed = true
			if n == 0 {
				a.err = err
			}
			return a
		}
		body, err := io.ReadAll(response.Body)
		if n == 0 {
			a.status, a.body, a.header, a.err = response.StatusCode, body, response.Header, err
		}
		a.ids = append(a.ids, response.Header.Get("Audit-Id"))
		if response.Header.Get("Audit-Id") == "second" {
			a.closed = response.Close
			return a
		}
	}
}

// TestPlainHTTPToTheTLSPort: someone who forgot the s.
func TestPlainHTTPToTheTLSPort(t *testing.T) {
	answers := map[string]string{}
	for name, server := range map[string]string{"API server": cluster.URL(), "Weir": weir.URL} {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(server, "https://"), 5*time.Second)
		must(t, err)
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(conn, "GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
		text, _ := io.ReadAll(conn)
		conn.Close()
		answers[name] = string(text)
	}
	if answers["API server"] != answers["Weir"] && answers["Weir"] != "" {
		t.Errorf("API server: %q\nWeir: %q (or nothing at all)", answers["API server"], answers["Weir"])
	}
}

// TestTLSVersionsAndProtocols: TLS 1.1 is refused, 1.2 and 1.3 are served, and ALPN is answered as upstream does.
func TestTLSVersionsAndProtocols(t *testing.T) {
	rows := []struct {
		name      string
		min, max  uint16
		protocols []string
	}{
		{"TLS 1.1", tls.VersionTLS10, tls.VersionTLS11, []string{"h2"}},
		{"TLS 1.2", tls.VersionTLS12, tls.VersionTLS12, []string{"h2", "http/1.1"}},
		{"TLS 1.3", tls.VersionTLS13, tls.VersionTLS13, []string{"h2", "http/1.1"}},
		{"no ALPN", tls.VersionTLS12, tls.VersionTLS13, nil},
		{"HTTP/1.1 only", tls.VersionTLS12, tls.VersionTLS13, []string{"http/1.1"}},
		{"an unknown protocol", tls.VersionTLS12, tls.VersionTLS13, []string{"spdy/3"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if !offersHTTP2 {
				row.protocols = slices.DeleteFunc(row.protocols, func(p string) bool { return p == "h2" })
			}
			results := [2]string{}
			for i, server := range []string{cluster.URL(), weir.URL} {
				config, err := cluster.Admin.TLSClient(cluster.CAFile(), row.protocols...)
				must(t, err)
				config.MinVersion, config.MaxVersion = row.min, row.max
				conn, err := tls.Dial("tcp", strings.TrimPrefix(server, "https://"), config)
				if err != nil {
					results[i] = "refused"
					continue
				}
				state := conn.ConnectionState()
				results[i] = fmt.Sprintf("%s %q", tls.VersionName(state.Version), state.NegotiatedProtocol)
				conn.Close()
			}
			if results[0] != results[1] {
				t.Errorf("API server: %s, Weir: %s", results[0], results[1])
			}
		})
	}
}
