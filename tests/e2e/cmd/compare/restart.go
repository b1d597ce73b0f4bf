package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"weir.dev/e2e/measure"
)

const (
	rowStart        = "start until every pod can be listed, s (kube-apiserver: its own LIST, protobuf, HTTP/2)"
	rowStartCPU     = "start until every pod can be listed, or that LIST: CPU s"
	rowAPIStart     = "kube-apiserver's own start until it is ready, s"
	startTimeout    = 2 * time.Minute
	startPollPeriod = 10 * time.Millisecond
)

// restartRound starts Weirs that are told to cache pods, beside what one LIST takes upstream: no start can be quicker.
// Then the API server itself, which has its pods from etcd.
func (l *lab) restartRound(r *rows) error {
	f := form{row: rowStart, path: podsFromCache, accept: protobufType}
	upstream, err := l.api.over("h2")
	if err != nil {
		return err
	}
	size, err := f.bodyOf(upstream)
	if err != nil {
		return err
	}
	start := time.Now()
	used, err := spent(l.api.pid(), func() error { _, err := f.bodyOf(upstream); return err })
	if err != nil {
		return err
	}
	r.add(rowStart, serverAPI, time.Since(start).Seconds())
	r.add(rowStartCPU, serverAPI, used)
	for _, w := range l.weirs {
		took, err := l.timeStart(w)
		if err != nil {
			return err
		}
		r.add(rowStart, w.options.Name, took)
		used, err := measure.CPU(w.proxy.Process.Pid())
		if err != nil {
			return err
		}
		r.add(rowStartCPU, w.options.Name, used)
		got, err := f.bodyOf(w.target)
		if err == nil && got != size {
			err = fmt.Errorf("%s, started anew: %d of %d bytes", w.options.Name, got, size)
		}
		if err != nil {
			return err
		}
	}
	closeAll([]*target{upstream})
	if err := l.cluster.StopAPIServer(false); err != nil {
		return err
	}
	l.api.client.CloseIdleConnections()
	start = time.Now()
	if err := l.cluster.StartAPIServer(); err != nil {
		return err
	}
	r.add(rowAPIStart, serverAPI, time.Since(start).Seconds())
	return nil
}

// timeStart is from the start of the process until it says that it is ready and has all pods.
func (l *lab) timeStart(w *weir) (float64, error) {
	w.stop()
	start := time.Now()
	if err := l.startWeir(w, true, "--cache-prewarm", "pods"); err != nil {
		return 0, err
	}
	for time.Since(start) < startTimeout {
		if ready, _, err := w.proxy.Admin("/readyz"); err == nil && ready == http.StatusOK {
			if status, text, err := w.proxy.Admin("/metrics"); err == nil && status == http.StatusOK && podsSynced.MatchString(text) {
				return time.Since(start).Seconds(), nil
			}
		}
		time.Sleep(startPollPeriod)
	}
	return 0, errors.New(w.options.Name + " is not ready after " + startTimeout.String())
}

var podsSynced = regexp.MustCompile(`weir_feed_state\{group="",version="v1",resource="pods",encoding="protobuf",state="synced"\} 1`)
