package main

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// watchers are streams whose events are counted and timed.
type watchers struct {
	events, bytes atomic.Int64
	failed        atomic.Int64
	cancel        context.CancelFunc
	done          sync.WaitGroup
	ages          ages
}

// openWatches starts `count` watches on connections of their own; `path` gives each its own query.
func openWatches(t *target, count int, path func(i int) string) (*watchers, error) {
	return openWatchesOn([]*target{t}, count, path)
}

// openWatchesOn starts `count` watches at the targets in turn.
func openWatchesOn(targets []*target, count int, path func(i int) string) (*watchers, error) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watchers{cancel: cancel}
	var opening sync.WaitGroup
	errs := make(chan error, count)
	slots := make(chan struct{}, 16)
	for i := range count {
		opening.Add(1)
		w.done.Go(func() {
			slots <- struct{}{}
			response, err := targets[i%len(targets)].get(ctx, path(i))
			<-slots
			opening.Done()
			if err != nil {
				errs <- err
				return
			}
			defer response.Body.Close()
			w.count(ctx, response.Body, true)
		})
	}
	opening.Wait()
	select {
	case err := <-errs:
		w.close()
		return nil, err
	default:
		return w, nil
	}
}

func (w *watchers) count(ctx context.Context, body interface{ Read([]byte) (int, error) }, timed bool) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := body.Read(buffer)
		w.bytes.Add(int64(n))
		w.events.Add(int64(bytes.Count(buffer[:n], []byte{'\n'})))
		if timed {
			w.ages.add(buffer[:n])
		}
		if err != nil {
			if ctx.Err() == nil {
				w.failed.Add(1)
			}
			return
		}
	}
}

func (w *watchers) close() {
	w.cancel()
	w.done.Wait()
}

// subscribe opens `count` connections for what weir-plain publishes.
func (p *plain) subscribe(count int) (*watchers, error) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watchers{}
	conns := make([]net.Conn, 0, count)
	w.cancel = func() {
		cancel()
		for _, c := range conns {
			c.Close()
		}
	}
	for range count {
		conn, err := p.dial("events")
		if err != nil {
			w.close()
			return nil, err
		}
		conns = append(conns, conn)
		w.done.Go(func() { w.count(ctx, conn, false) })
	}
	time.Sleep(100 * time.Millisecond) // Until the last line has been read.
	return w, nil
}
