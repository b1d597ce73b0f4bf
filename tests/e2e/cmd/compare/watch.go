package main

import (
	"fmt"
	"time"

	"weir.dev/e2e/measure"
)

const (
	rowWatch      = "WATCH, 10/s, one stream a connection, JSON: CPU µs per delivered event, net of intake"
	rowWatchGross = "WATCH, 10/s, the same with intake: CPU µs per delivered event"
	rowAge        = "WATCH, 10/s: write to etcd to a watcher, p50 ms"
)

// settle is given to what is under way after the last write.
const settle = 300 * time.Millisecond

// alone is what each server uses for the same changes without watchers.
func (l *lab) alone(key func(i int) string, rate, seconds float64) (map[string]float64, error) {
	used := map[string]float64{}
	for _, t := range l.servers() {
		now, err := measure.CPU(t.pid())
		if err != nil {
			return nil, err
		}
		used[t.name] = -now
	}
	if _, err := l.write(key, rate, seconds); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	for _, t := range l.servers() {
		now, err := measure.CPU(t.pid())
		if err != nil {
			return nil, err
		}
		used[t.name] += now
	}
	return used, nil
}

// watchRound measures intake alone, then with watchers at each server in turn.
func (l *lab) watchRound(r *rows) error {
	alone, err := l.alone(podKey, l.options.rate, l.options.seconds)
	if err != nil {
		return err
	}
	for _, t := range l.servers() {
		if err := l.watchServer(r, t, alone[t.name]); err != nil {
			return err
		}
	}
	return l.watchPlain(r)
}

// openAllPods starts watchers of all pods, a connection each, over HTTP/1.1.
func (l *lab) openAllPods(t *target, count int) (*watchers, error) {
	revision, err := l.revision(t)
	if err != nil {
		return nil, err
	}
	query := fmt.Sprintf("/api/v1/pods?watch=true&resourceVersion=%s&timeoutSeconds=600", revision)
	w, err := openWatches(t, count, func(int) string { return query })
	time.Sleep(time.Second)
	return w, err
}

func (l *lab) watchServer(r *rows, t *target, alone float64) error {
	w, err := l.openAllPods(t, l.options.watchers)
	if err != nil {
		return err
	}
	defer w.close()
	var wanted float64
	used, err := spent(t.pid(), func() error {
		count, err := l.write(podKey, l.options.rate, l.options.seconds)
		wanted = float64(count * l.options.watchers)
		time.Sleep(settle)
		return err
	})
	if err != nil {
		return err
	}
	delivered := float64(w.events.Load())
	if w.failed.Load() > 0 || delivered != wanted {
		return fmt.Errorf("%s: %d watches failed, %.0f of %.0f events came", t.name, w.failed.Load(), delivered, wanted)
	}
	r.add(rowWatch, t.name, (used-alone)/delivered*1e6)
	r.add(rowWatchGross, t.name, used/delivered*1e6)
	r.add(rowAge, t.name, percentile(w.ages.take(), 0.5)*1e3)
	l.eventBytes = float64(w.bytes.Load()) / delivered
	return nil
}

func (l *lab) watchPlain(r *rows) error {
	w, err := l.plain.subscribe(l.options.watchers)
	if err != nil {
		return err
	}
	defer w.close()
	control, err := l.plain.dial("publish 16")
	if err != nil {
		return err
	}
	defer control.Close()
	time.Sleep(settle)
	size, events := int(l.eventBytes), int(l.options.rate*l.options.seconds)
	start := w.bytes.Load()
	used, err := spent(l.plain.cmd.Process.Pid, func() error {
		for range events {
			time.Sleep(time.Duration(float64(time.Second) / l.options.rate))
			if _, err := fmt.Fprintf(control, "publish %d\n", size); err != nil {
				return err
			}
		}
		time.Sleep(settle)
		return nil
	})
	if err != nil {
		return err
	}
	delivered := events * l.options.watchers
	if got := w.bytes.Load() - start; got != int64(delivered*size) {
		return fmt.Errorf("plain TCP: %d of %d bytes came", got, delivered*size)
	}
	r.add(rowWatch, serverPlain, used/float64(delivered)*1e6)
	return nil
}
