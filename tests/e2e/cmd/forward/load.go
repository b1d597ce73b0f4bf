package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

const lateAfter = 5 * time.Millisecond

// A load asks one server at a fixed rate, whether it answers in time or not.
type load struct {
	options
	server  server
	user    oracle.User
	api     int // The API server's process.
	rate    int
	path    func(int) string // Of the i-th request.
	missing bool             // 404 is the answer.
}

// into runs one block, after a tenth of it that is not counted.
func (l *load) into(r *row, cluster *oracle.Cluster) error {
	config, err := l.user.TLSClient(cluster.CAFile(), "http/1.1")
	if err != nil {
		return err
	}
	conns := make([]*conn, l.connections)
	for i := range conns {
		if conns[i], err = l.dial(config); err != nil {
			return fmt.Errorf("%s: %w", l.server.name, err)
		}
		defer conns[i].Close()
	}
	total := int(float64(l.rate) * l.seconds)
	if _, _, err := l.ask(conns, 0, total/10); err != nil {
		return fmt.Errorf("%s, %s: %w", l.server.name, r.load, err)
	}
	cpu, api, err := l.cpu()
	if err != nil {
		return err
	}
	took, late, err := l.ask(conns, total/10, total)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", l.server.name, r.load, err)
	}
	cpuAfter, apiAfter, err := l.cpu()
	if err != nil {
		return err
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	n := float64(len(took))
	r.samples = append(r.samples, sample{
		p50: ms(took[len(took)/2]), p99: ms(took[len(took)*99/100]),
		cpu: (cpuAfter - cpu) / n * 1e6, apiCPU: (apiAfter - api) / n * 1e6, late: float64(late) / n,
	})
	return nil
}

func (l *load) cpu() (own, api float64, err error) {
	if own, err = measure.CPU(l.server.pid); err != nil {
		return 0, 0, err
	}
	api, err = measure.CPU(l.api)
	return own, api, err
}

// ask sends requests from to until on time, each on the connection whose turn it is, and says how long each took since it
// was due, and how many were sent late though their connection was free.
func (l *load) ask(conns []*conn, from, until int) (took []time.Duration, late int64, err error) {
	took = make([]time.Duration, until-from)
	start := time.Now().Add(20 * time.Millisecond)
	var failed atomic.Pointer[error]
	var lateCount atomic.Int64
	var wait sync.WaitGroup
	for c, each := range conns {
		wait.Go(func() {
			for i := from + c; i < until; i += len(conns) {
				due := start.Add(time.Duration(i-from) * time.Second / time.Duration(l.rate))
				if pause := time.Until(due); pause > 0 {
					time.Sleep(pause)
					if time.Since(due) > lateAfter {
						lateCount.Add(1)
					}
				}
				status, err := each.get(l.path(i))
				want := http.StatusOK
				if l.missing {
					want = http.StatusNotFound
				}
				if err == nil && status != want {
					err = fmt.Errorf("%s: %d", l.path(i), status)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
				took[i-from] = time.Since(due)
			}
		})
	}
	wait.Wait()
	if e := failed.Load(); e != nil {
		return nil, 0, *e
	}
	return took, lateCount.Load(), nil
}

// A conn is one keep-alive connection: net/http's own client would cost more than the servers do.
type conn struct {
	*tls.Conn
	reader *bufio.Reader
	rest   string // Of the request's head.
}

func (l *load) dial(config *tls.Config) (*conn, error) {
	host := strings.TrimPrefix(l.server.url, "https://")
	c, err := tls.Dial("tcp", host, config)
	if err != nil {
		return nil, err
	}
	rest := " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: forward\r\nAccept: application/json\r\n"
	if l.user.Token != "" {
		rest += "Authorization: Bearer " + l.user.Token + "\r\n"
	}
	return &conn{c, bufio.NewReader(c), rest + "\r\n"}, nil
}

func (c *conn) get(path string) (int, error) {
	if _, err := io.WriteString(c.Conn, "GET "+path+c.rest); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return answer.StatusCode, err
}

// shakeHands connects with a client certificate, eight at a time.
func shakeHands(o options, s server, user oracle.User, caFile string) (sample, error) {
	config, err := user.TLSClient(caFile)
	if err != nil {
		return sample{}, err
	}
	before, err := measure.CPU(s.pid)
	if err != nil {
		return sample{}, err
	}
	if err := measure.Handshakes(s.url, config, o.handshakes, 8); err != nil {
		return sample{}, err
	}
	after, err := measure.CPU(s.pid)
	return sample{cpu: (after - before) / float64(o.handshakes) * 1e6}, err
}
