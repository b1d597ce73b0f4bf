package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2/hpack"
	"golang.org/x/sys/unix"
	"k8s.io/client-go/rest"

	"weir.dev/e2e/barehttp2"
	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

const (
	namespace = "streams"
	patience  = 2 * time.Minute // For whatever is waited for.
)

// A lab is Weir, its API server, and the connections to Weir.
type lab struct {
	options options
	weir    *oracle.Weir
	api     *http.Client
	apiURL  string
	users   []*tls.Config
	seen    seen

	mu          sync.Mutex
	connections []*barehttp2.Connection
}

type object = map[string]any

func openLab(o options, cluster *oracle.Cluster, weir *oracle.Weir) (*lab, error) {
	l := &lab{options: o, weir: weir, apiURL: cluster.URL()}
	var err error
	if l.api, err = rest.HTTPClientFor(cluster.Admin.RESTConfig(cluster.URL(), cluster.CAFile())); err != nil {
		return nil, err
	}
	// Shared by connections, but by few enough that nobody meets the bound for one user.
	for i := range 50 {
		user, err := cluster.CertUser(fmt.Sprintf("system:node:streams-%d", i), "system:masters")
		if err != nil {
			return nil, err
		}
		config, err := user.TLSClient(cluster.CAFile(), "h2")
		if err != nil {
			return nil, err
		}
		config.ServerName = "127.0.0.1"
		l.users = append(l.users, config)
	}
	if err := l.write(http.MethodPost, "/api/v1/namespaces", object{"metadata": object{"name": namespace}}); err != nil {
		return nil, err
	}
	if err := l.write(http.MethodPost, configMaps, configMap(0)); err != nil {
		return nil, err
	}
	return l, l.write(http.MethodPost, services, service(0))
}

func (l *lab) close() {
	for _, c := range l.connections {
		c.Close()
	}
}

const (
	configMaps = "/api/v1/namespaces/" + namespace + "/configmaps"
	services   = "/api/v1/namespaces/" + namespace + "/services"
)

func configMap(version int) object {
	return object{"metadata": object{"name": "nobodys"}, "data": object{"version": fmt.Sprint(version), "text": strings.Repeat("x", 1000)}}
}

func service(version int) object {
	return object{
		"metadata": object{"name": "everybodys", "annotations": object{"version": fmt.Sprint(version), "text": strings.Repeat("x", 600)}},
		"spec":     object{"clusterIP": "None", "ports": []any{object{"name": "http", "port": 80}}},
	}
}

func (l *lab) write(method, path string, o object) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, l.apiURL+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := l.api.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %.200s", method, path, response.StatusCode, body)
	}
	return nil
}

// connect opens all connections, without a stream.
func (l *lab) connect() error {
	return l.each(l.options.connections, func(i int) error {
		dialer := net.Dialer{
			// Several addresses, as there are several nodes.
			LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%200))},
			Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) {
					_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
				})
			},
		}
		raw, err := dialer.Dial("tcp", strings.TrimPrefix(l.weir.URL, "https://"))
		if err != nil {
			return err
		}
		secure := tls.Client(raw, l.users[i%len(l.users)])
		if err := secure.Handshake(); err != nil {
			raw.Close()
			return err
		}
		c, err := barehttp2.New(secure, 2<<10)
		if err != nil {
			raw.Close()
			return err
		}
		l.mu.Lock()
		l.connections = append(l.connections, c)
		l.mu.Unlock()
		go func() {
			for c.Read() == nil {
			}
		}()
		return nil
	})
}

// watch opens watches on all connections, as paths gives them for each, and waits until all are answered.
func (l *lab) watch(paths func(connection int) []string) error {
	var asked atomic.Int64
	before := l.seen.answered.Load()
	err := l.each(len(l.connections), func(i int) error {
		for _, path := range paths(i) {
			asked.Add(1)
			if err := l.connections[i].Get(path+"&watch=true&allowWatchBookmarks=true&timeoutSeconds=3600", &stream{seen: &l.seen},
				hpack.HeaderField{Name: "accept", Value: "application/vnd.kubernetes.protobuf"}, hpack.HeaderField{Name: "user-agent", Value: "streams"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.seen.until(&l.seen.answered, before+asked.Load(), "answered watches")
}

// each calls do for 0 to n, some at once.
func (l *lab) each(n int, do func(i int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make(chan error, 16)
	for range cap(errs) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}

// A usage is what Weir holds and has spent.
type usage struct{ resident, cpu float64 }

// rest waits until Weir has nothing to do, and has given back what it does not need.
func (l *lab) rest() (u usage, err error) {
	time.Sleep(5 * time.Second)
	return l.now()
}

func (l *lab) now() (u usage, err error) {
	pid := l.weir.Process.Pid()
	if u.resident, err = measure.Resident(pid); err != nil {
		return u, err
	}
	u.cpu, err = measure.CPU(pid)
	return u, err
}
