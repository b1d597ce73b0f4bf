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

// A target is a server under measurement: the API server or Weir.
type target struct {
	name   string
	url    string
	pid    func() int
	token  string
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

// newTarget speaks HTTP/1.1 over TLS and takes no compression.
func newTarget(name, url, caFile string, user oracle.User, pid func() int) (*target, error) {
	return newTargetOver("http/1.1", name, url, caFile, user, pid)
}

// newTargetOver speaks what ALPN calls protocol; over "h2" all its requests share one connection.
func newTargetOver(protocol, name, url, caFile string, user oracle.User, pid func() int) (*target, error) {
	config, err := user.TLSClient(caFile, protocol)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig: config, DialContext: dialer().DialContext, ForceAttemptHTTP2: protocol == "h2",
		DisableCompression: true, MaxIdleConnsPerHost: 4, ReadBufferSize: 64 << 10,
	}
	return &target{name: name, url: url, pid: pid, token: user.Token, client: &http.Client{Transport: transport}}, nil
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
	request.Header.Set("Authorization", "Bearer "+t.token)
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
