package oracle

import (
	"io"
	"net"
	"net/url"
	"sync"
)

// A Relay is the network between Weir and the API server. It passes bytes until it is told to cut.
type Relay struct {
	URL string // https, as the target's.

	target   string
	listener net.Listener
	mu       sync.Mutex
	conns    map[*net.TCPConn]bool // Both ends of every connection.
}

// StartRelay listens on a free port and passes connections to the target, whether that is there or not.
func StartRelay(target string) (*Relay, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{URL: "https://" + l.Addr().String(), target: u.Host, listener: l, conns: map[*net.TCPConn]bool{}}
	go r.accept()
	return r, nil
}

// Cut resets all connections at once and returns how many there were. New ones are passed on.
func (r *Relay) Cut() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.conns) / 2
	for c := range r.conns {
		_ = c.SetLinger(0) // No word of goodbye.
		_ = c.Close()
		delete(r.conns, c)
	}
	return n
}

// Close ends the relay.
func (r *Relay) Close() {
	r.listener.Close()
	r.Cut()
}

func (r *Relay) accept() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.pass(c.(*net.TCPConn))
	}
}

func (r *Relay) pass(near *net.TCPConn) {
	c, err := net.Dial("tcp", r.target)
	if err != nil {
		_ = near.SetLinger(0)
		_ = near.Close()
		return
	}
	far := c.(*net.TCPConn)
	r.mu.Lock()
	r.conns[near], r.conns[far] = true, true
	r.mu.Unlock()
	var group sync.WaitGroup
	group.Go(func() { _, _ = io.Copy(far, near); _ = far.CloseWrite() })
	group.Go(func() { _, _ = io.Copy(near, far); _ = near.CloseWrite() })
	group.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, end := range []*net.TCPConn{near, far} {
		_ = end.Close()
		delete(r.conns, end)
	}
}
