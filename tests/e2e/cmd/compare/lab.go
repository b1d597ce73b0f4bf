package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

// A weir is one of the Weirs: how it is started, and what runs.
type weir struct {
	options oracle.WeirOptions
	proxy   *oracle.Weir
	target  *target
	openssl string // The library's version, as the process has mapped it.
}

// A lab is everything that runs: etcd, the API server, Weir in front of it, and the plain sender.
type lab struct {
	options options
	dir     string
	cluster *oracle.Cluster
	etcd    *clientv3.Client
	plain   *plain
	api     *target
	weirs   []*weir // The one that was built here, and with --rootfs the one with Debian 13's libraries.

	listBytes  int64             // One LIST of all pods.
	emptyBytes float64           // The API server's memory before there was a pod.
	writes     int               // Changes so far: which object is next.
	eventBytes float64           // Of a watch event, as measured.
	stored     map[string][]byte // Objects as etcd holds them, once written by us.
	log        func(format string, args ...any)
}

const podsFromCache = "/api/v1/pods?resourceVersion=0"

// openLab starts what does not wait for pods. What it gives must be closed, with an error too.
func openLab(o options) (*lab, error) {
	l := &lab{options: o, stored: map[string][]byte{}, log: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
	}}
	var err error
	if l.dir, err = os.MkdirTemp("", "weir-compare-"); err != nil {
		return nil, err
	}
	if l.cluster, err = oracle.Start(l.dir); err != nil {
		return l, err
	}
	if l.etcd, err = openEtcd(l.cluster.EtcdURL()); err != nil {
		return l, err
	}
	api := server{serverAPI, l.cluster.URL(), l.cluster.CAFile(), l.cluster.Admin, func() int { return l.cluster.APIServerPid() }}
	if l.api, err = api.over("http/1.1"); err != nil {
		return l, err
	}
	l.weirs = []*weir{{options: oracle.WeirOptions{Name: serverWeir}}}
	if o.rootfs {
		launcher, err := rootfsLauncher(filepath.Join(oracle.RepositoryDir(), "build", "rootfs"), filepath.Join(l.dir, "lent"))
		if err != nil {
			return l, err
		}
		l.weirs = append(l.weirs, &weir{options: oracle.WeirOptions{Name: serverRootfs, Launcher: launcher}})
	}
	binary := filepath.Join(oracle.RepositoryDir(), "build", "release", "bin", "weir-plain")
	if l.plain, err = startPlain(binary); err != nil {
		return l, fmt.Errorf("%s: %w", binary, err)
	}
	return l, nil
}

func (l *lab) close() {
	if l.plain != nil {
		l.plain.stop()
	}
	for _, w := range l.weirs {
		w.stop()
	}
	if l.etcd != nil {
		l.etcd.Close()
	}
	if l.cluster != nil {
		l.cluster.Close()
	}
	os.RemoveAll(l.dir)
}

// servers are all under measurement, the Weirs first.
func (l *lab) servers() []*target {
	var all []*target
	for _, w := range l.weirs {
		all = append(all, w.target)
	}
	return append(all, l.api)
}

func (w *weir) stop() {
	if w.proxy != nil {
		w.proxy.Process.Kill()
		w.proxy = nil
	}
	if w.target != nil {
		closeAll([]*target{w.target})
	}
}

// startWeirs starts Weirs that have cached nothing yet, in place of those that run.
func (l *lab) startWeirs() error {
	for _, w := range l.weirs {
		if err := l.startWeir(w, false); err != nil {
			return err
		}
	}
	return nil
}

// startWeir starts one; unready leaves the waiting for /readyz to the caller.
func (l *lab) startWeir(w *weir, unready bool, args ...string) error {
	w.stop()
	options := w.options
	options.Args = append([]string{"--cache-index", indexedLabel}, args...)
	options.DoNotWait = unready
	proxy, err := l.cluster.StartWeir(options)
	if err != nil {
		return err
	}
	w.proxy = proxy
	s := server{options.Name, proxy.URL, l.cluster.CAFile(), l.cluster.Admin, proxy.Process.Pid}
	if w.target, err = s.over("http/1.1"); err != nil || unready {
		return err
	}
	w.openssl, err = mappedOpenSSL(proxy.Process.Pid())
	return err
}

// restartAPI gives a new API server process, whose memory holds what it must and no more.
func (l *lab) restartAPI() error {
	if err := l.cluster.StopAPIServer(false); err != nil {
		return err
	}
	l.api.client.CloseIdleConnections()
	return l.cluster.StartAPIServer()
}

// fill makes the pods, lists them once, and starts Weir.
func (l *lab) fill() error {
	time.Sleep(3 * time.Second)
	var err error
	if l.emptyBytes, err = measure.Resident(l.api.pid()); err != nil {
		return err
	}
	l.log("creating %d pods", l.options.pods)
	if err := createPods(l.api, l.options.pods, l.options.podBytes); err != nil {
		return err
	}
	if err := createLeases(l.api); err != nil {
		return err
	}
	body, err := l.api.read(podsFromCache)
	if err != nil {
		return err
	}
	l.listBytes = int64(len(body))
	l.log("a LIST is %d bytes, %d per pod", l.listBytes, l.listBytes/int64(l.options.pods))
	return l.startWeirs()
}

// sameList tells whether a Weir answers what the API server does, so that equal work is compared.
func (l *lab) sameList() error {
	for _, t := range l.servers() {
		size, err := t.drain(podsFromCache)
		if err != nil {
			return err
		}
		if size != l.listBytes {
			return fmt.Errorf("%s's list has %d bytes, not %d", t.name, size, l.listBytes)
		}
	}
	return nil
}
