package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir.dev/e2e/oracle"
)

// A server is under measurement: the API server or a Weir.
type server struct {
	name   string // By which the table knows it.
	url    string
	caFile string
	user   oracle.User
	pid    func() int
}

// A target is a server with a client of its own.
type target struct {
	server
	client *http.Client
}

// dialer opens sockets without delay and, where the kernel has it, with cubic.
func dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
		})
	}}
}

// over gives a new client, which takes no compression unless asked to, and speaks what ALPN calls protocol; over "h2" all
// its requests share one connection.
func (s server) over(protocol string) (*target, error) {
	config, err := s.user.TLSClient(s.caFile, protocol)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: config, DialContext: dialer().DialContext, ForceAttemptHTTP2: protocol == "h2",
		DisableCompression: true, MaxIdleConnsPerHost: 4, ReadBufferSize: 64 << 10,
	}
	return &target{s, &http.Client{Transport: transport}}, nil
}

// each gives a client of every server.
func each(servers []*target, protocol string) ([]*target, error) {
	all := make([]*target, len(servers))
	for i, t := range servers {
		var err error
		if all[i], err = t.over(protocol); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func closeAll(targets []*target) {
	for _, t := range targets {
		if t != nil {
			t.client.CloseIdleConnections()
		}
	}
}

// get asks for JSON; the caller closes the body.
func (t *target) get(ctx context.Context, path string) (*http.Response, error) {
	return t.do(ctx, http.MethodGet, path, "", nil)
}

func (t *target) do(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+t.user.Token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "weir-compare")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := t.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	if response.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		response.Body.Close()
		return nil, fmt.Errorf("%s: %s %s: %s: %s", t.name, method, path, response.Status, text)
	}
	return response, nil
}

// drain reads a whole answer and returns its size.
func (t *target) drain(path string) (int64, error) {
	response, err := t.get(context.Background(), path)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, make([]byte, 256<<10))
}

// read is a whole answer.
func (t *target) read(path string) ([]byte, error) {
	response, err := t.get(context.Background(), path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}
