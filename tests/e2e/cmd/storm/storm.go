package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weir.dev/e2e/barehttp2"
	"weir.dev/e2e/measure"
)

// A storm is one run against one server.
type storm struct {
	options  options
	name     string
	url      string
	pid      int
	upstream int // The API server's process.
	users    []*tls.Config

	expected map[string]int // By path: bytes up to the end of the initial events, uncompressed.
	started  time.Time

	mu      sync.Mutex
	syncs   []float64 // Seconds.
	cut     int
	refused map[string]int
	wire    int64
	plain   int64
	pending sync.WaitGroup // Watches that are neither synced nor over.
}

const watchesPerConnection = 6

const proxySelector = "labelSelector=%21service.kubernetes.io%2Fheadless%2C%21service.kubernetes.io%2Fservice-proxy-name"

// plan is what a node's two connections watch.
func plan(node int) [2][]string {
	own := "fieldSelector=metadata.name%3D" + nodeName(node)
	return [2][]string{
		{ // Kubelet.
			"/api/v1/pods?fieldSelector=spec.nodeName%3D" + nodeName(node),
			"/api/v1/nodes?" + own,
			"/api/v1/services?",
			"/apis/storage.k8s.io/v1/csidrivers?",
			"/apis/node.k8s.io/v1/runtimeclasses?",
			"/api/v1/namespaces/" + namespaceOf(node) + "/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt",
		},
		{ // Kube-proxy, and an agent of the network.
			"/api/v1/services?" + proxySelector,
			"/apis/discovery.k8s.io/v1/endpointslices?" + proxySelector,
			"/api/v1/nodes?" + own,
			"/apis/networking.k8s.io/v1/servicecidrs?",
			"/apis/networking.k8s.io/v1/networkpolicies?",
			"/api/v1/namespaces?",
		},
	}
}

func target(path string) string {
	return path + "&watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=600"
}

// ofAll tells whether every node asks for the same.
func ofAll(path string) bool { return !strings.Contains(path, "fieldSelector") }

func (s *storm) run() (row, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.timeout)
	defer cancel()
	if err := s.learn(ctx); err != nil {
		return row{}, err
	}
	time.Sleep(3 * time.Second)
	r := row{name: s.name, watches: s.options.nodes * 2 * watchesPerConnection}
	var err error
	if r.before, err = measure.Resident(s.pid); err != nil {
		return r, err
	}
	before, upstreamBefore := cpuOf(s.pid), cpuOf(s.upstream)
	peak := watchPeak(ctx, s.pid)
	s.refused = map[string]int{}
	s.started = time.Now()
	s.pending.Add(r.watches)
	for node := range s.options.nodes {
		for half, paths := range plan(node) {
			go s.connect(ctx, node, half, paths)
		}
	}
	done := make(chan struct{})
	go func() { s.pending.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	r.cpu, r.upstreamCPU = cpuOf(s.pid)-before, cpuOf(s.upstream)-upstreamBefore
	time.Sleep(5 * time.Second)
	if r.after, err = measure.Resident(s.pid); err != nil {
		return r, err
	}
	cancel()
	r.peak = peak()
	s.mu.Lock()
	defer s.mu.Unlock()
	r.synced, r.cut, r.refused, r.wire, r.plain = len(s.syncs), s.cut, s.refused, s.wire, s.plain
	slices.Sort(s.syncs)
	if n := len(s.syncs); n > 0 {
		r.seconds, r.p50 = s.syncs[n-1], s.syncs[n/2]
	}
	return r, nil
}

// learn watches each path that all nodes share once, reading everything, so that in the storm counting is enough. It
// also leaves nothing for a cache to do but to serve.
func (s *storm) learn(ctx context.Context) error {
	s.expected = map[string]int{}
	for _, paths := range plan(0) {
		conn, err := s.dial(ctx, 0)
		if err != nil {
			return err
		}
		for _, path := range paths {
			w := &watch{path: path, whole: true}
			if err := open(conn, w); err != nil {
				return err
			}
			for !w.synced {
				if err := conn.Read(); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				if w.over {
					return fmt.Errorf("%s: ended, status %q", path, w.status)
				}
			}
			s.expected[path] = w.plain
		}
		conn.Close()
	}
	return nil
}

func (s *storm) dial(ctx context.Context, node int) (*barehttp2.Connection, error) {
	dialer := net.Dialer{
		// Several addresses, as there are several nodes.
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+node%200))},
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
			})
		},
	}
	raw, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "https://"))
	if err != nil {
		return nil, err
	}
	config := s.users[node%len(s.users)].Clone()
	config.ServerName = "127.0.0.1"
	secure := tls.Client(raw, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	if protocol := secure.ConnectionState().NegotiatedProtocol; protocol != "h2" {
		raw.Close()
		return nil, fmt.Errorf("%s speaks %q, not h2", s.name, protocol)
	}
	context.AfterFunc(ctx, func() { raw.Close() })
	return barehttp2.New(secure, 64<<10)
}

// connect is half of a node: a connection and its watches, until the storm is over. A connection that fails is tried
// again, as clients do; a watch that ends is cut.
func (s *storm) connect(ctx context.Context, node, half int, paths []string) {
	left := len(paths)
	over := func() {
		left--
		s.pending.Done()
	}
	var conn *barehttp2.Connection
	for {
		var err error
		if conn, err = s.dial(ctx, node); err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		s.count(reasonOf(err), 1)
		time.Sleep(time.Duration(200+node%300) * time.Millisecond)
	}
	defer conn.Close()
	watches := make([]*watch, len(paths))
	for i, path := range paths {
		watches[i] = &watch{path: path, whole: !ofAll(path), expected: s.expected[path]}
		if err := open(conn, watches[i]); err != nil {
			break
		}
	}
	counted := make([]bool, len(paths))
	for left > 0 {
		err := conn.Read()
		for i, w := range watches {
			if w == nil || counted[i] || !(w.synced || w.over || err != nil) {
				continue
			}
			counted[i] = true
			if ctx.Err() == nil || w.synced {
				s.finished(w)
			} else {
				log("never synced: %s: status %q, %d bytes, uncompressed %d of %d", w.path, w.status, w.wire, w.plain, w.expected)
			}
			over()
		}
		if err != nil {
			return
		}
	}
	for ctx.Err() == nil { // Stays, as a node does.
		if conn.Read() != nil {
			return
		}
	}
}

func (s *storm) finished(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wire += int64(w.wire)
	s.plain += int64(w.plain)
	switch {
	case w.synced:
		s.syncs = append(s.syncs, time.Since(s.started).Seconds())
	case w.status != "" && w.status != "200":
		s.refused[w.status]++
	default:
		s.cut++
	}
}

func (s *storm) count(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[what] += n
}

// reasonOf says why there is no connection, without what differs from one to the next.
func reasonOf(err error) string {
	var system syscall.Errno
	switch {
	case errors.As(err, &system):
		return "no connection: " + system.Error()
	case errors.Is(err, io.EOF):
		return "no connection: closed in the handshake"
	}
	return "no connection: " + err.Error()
}
