package exchange

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"weir.dev/e2e/oracle"
)

// An Answer read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // Decompressed.
	Err    error  // Of the transport, or of a body that broke off.
	Took   time.Duration
}

// A Caller asks one server as one user over one protocol. Connections are kept. Safe for any number of goroutines.
type Caller struct {
	server string
	client *http.Client
	token  string
	close  func()
}

// NewCaller makes a caller over HTTP/2 or HTTP/1.1. No retries, no redirects, no compression unless a request asks for
// it.
func NewCaller(server, caFile string, user oracle.User, useHTTP2 bool) (*Caller, error) {
	protocol := "http/1.1"
	if useHTTP2 {
		protocol = "h2"
	}
	config, err := user.TLSClient(caFile, protocol)
	if err != nil {
		return nil, err
	}
	c := &Caller{server: server, token: user.Token}
	var transport http.RoundTripper
	if useHTTP2 {
		h2 := &http2.Transport{TLSClientConfig: config, DisableCompression: true}
		transport, c.close = h2, h2.CloseIdleConnections
	} else {
		h1 := &http.Transport{TLSClientConfig: config, DisableCompression: true, MaxIdleConnsPerHost: 1024}
		transport, c.close = h1, h1.CloseIdleConnections
	}
	c.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close closes idle connections.
func (c *Caller) Close() { c.close() }

// Open sends the request and returns when the headers are there. The caller closes the body.
func (c *Caller) Open(ctx context.Context, r Request) (*http.Response, error) {
	var body io.Reader
	if r.Body != "" {
		body = strings.NewReader(r.Body)
	}
	q, err := http.NewRequestWithContext(ctx, r.Verb(), c.server, body)
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(r.Path, "?")
	q.URL.Opaque = "" // The target goes out as written: the path raw, the query raw.
	q.URL.Path, q.URL.RawPath = unescaped(path), path
	q.URL.RawQuery = query
	for name, values := range r.Header {
		q.Header[name] = values
	}
	if _, ok := q.Header["User-Agent"]; !ok {
		q.Header.Set("User-Agent", "weir-e2e")
	}
	if c.token != "" && q.Header.Get("Authorization") == "" {
		q.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.client.Do(q)
}

// Ask sends the request and reads the whole answer. What the API server's flow control sheds is asked again, as
// clients do: which of two equal requests it sheds is chance.
func (c *Caller) Ask(r Request) Answer {
	for n := 0; ; n++ {
		a := c.askOnce(r)
		if n == 10 || !isShed(a.Status, a.Body) {
			return a
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func isShed(status int, body []byte) bool {
	return status == http.StatusTooManyRequests && bytes.HasPrefix(body, []byte("Too many requests"))
}

func (c *Caller) askOnce(r Request) Answer {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	start := time.Now()
	response, err := c.Open(ctx, r)
	if err != nil {
		return Answer{Err: err, Took: time.Since(start)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a := Answer{Status: response.StatusCode, Header: response.Header, Body: body, Err: err, Took: time.Since(start)}
	if err == nil && r.Verb() != http.MethodHead {
		a.Body, a.Err = decompressed(response.Header, body)
	}
	return a
}

// decompressed is the body behind its Content-Encoding. A watch is many gzip members; all of them are read.
func decompressed(header http.Header, body []byte) ([]byte, error) {
	switch encoding := header.Get("Content-Encoding"); encoding {
	case "":
		return body, nil
	case "gzip":
		if len(body) == 0 {
			return nil, nil // A watch without an event: no member was begun.
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return body, err
		}
		return io.ReadAll(z)
	default:
		return body, fmt.Errorf("content-encoding %q, which nobody asked for", encoding)
	}
}
