package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

// A lab is everything that runs: etcd, the API server, Weir in front of it, and the plain sender.
type lab struct {
	options options
	dir     string
	cluster *oracle.Cluster
	proxy   *oracle.Weir
	plain   *plain
	api     *target
	weir    *target

	listBytes  int64             // One LIST of all pods.
	emptyBytes float64           // The API server's memory before there was a pod.
	writes     int               // Events so far: which pod is next.
	eventBytes float64           // Of a watch event, as measured.
	stored     map[string][]byte // Pods as etcd holds them, once written by us.
	log        func(format string, args ...any)
}

const podsFromCache = "/api/v1/pods?resourceVersion=0"

func openLab(o options) (*lab, error) {
	l := &lab{options: o, stored: map[string][]byte{}, log: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
	}}
	var err error
	if l.dir, err = os.MkdirTemp("", "weir-compare-"); err != nil {
		return nil, err
	}
	if l.cluster, err = oracle.Start(l.dir); err != nil {
		return nil, err
	}
	if l.api, err = newTarget("kube-apiserver", l.cluster.URL(), l.cluster.CAFile(), l.cluster.Admin, l.cluster.APIServerPid); err != nil {
		return nil, err
	}
	binary := filepath.Join(oracle.RepositoryDir(), "build", "release", "bin", "weir-plain")
	if l.plain, err = startPlain(binary); err != nil {
		return nil, fmt.Errorf("%s: %w", binary, err)
	}
	return l, nil
}

func (l *lab) close() {
	if l.plain != nil {
		l.plain.stop()
	}
	if l.proxy != nil {
		l.proxy.Process.Kill()
	}
	if l.cluster != nil {
		l.cluster.Close()
	}
	os.RemoveAll(l.dir)
}

// startWeir starts a Weir that has cached nothing yet.
func (l *lab) startWeir() error {
	var err error
	if l.proxy != nil {
		l.proxy.Process.Kill()
	}
	if l.proxy, err = l.cluster.StartWeir(oracle.WeirOptions{}); err != nil {
		return err
	}
	process := l.proxy.Process
	l.weir, err = newTarget("weir", l.proxy.URL, l.cluster.CAFile(), l.cluster.Admin, process.Pid)
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
	body, err := l.api.read(podsFromCache)
	if err != nil {
		return err
	}
	l.listBytes = int64(len(body))
	l.log("a LIST is %d bytes, %d per pod", l.listBytes, l.listBytes/int64(l.options.pods))
	return l.startWeir()
}

// sameList tells whether Weir answers what the API server does, so that equal work is compared.
func (l *lab) sameList() error {
	direct, err := l.api.drain(podsFromCache)
	if err != nil {
		return err
	}
	through, err := l.weir.drain(podsFromCache)
	if err != nil {
		return err
	}
	if direct != through {
		return fmt.Errorf("the API server's list has %d bytes, Weir's %d", direct, through)
	}
	return nil
}
