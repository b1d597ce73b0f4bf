package main

import (
	"fmt"
	"time"

	"weir.dev/e2e/measure"
)

// rows collects each quantity's values by server, in the order in which they first came.
type rows struct {
	names  []string
	values map[string]map[string][]float64
}

func (r *rows) add(name, server string, value float64) {
	if r.values == nil {
		r.values = map[string]map[string][]float64{}
	}
	if r.values[name] == nil {
		r.values[name] = map[string][]float64{}
		r.names = append(r.names, name)
	}
	r.values[name][server] = append(r.values[name][server], value)
}

const (
	rowList       = "LIST, JSON, HTTP/1.1: CPU-s per GB"
	rowListTime   = "LIST: wall-clock s per GB"
	rowWatch      = "WATCH: CPU µs per delivered event, net of intake"
	rowWatchGross = "WATCH: the same with intake"
	rowAge        = "WATCH: write to etcd to a watcher, p50 ms"
	rowPod        = "resident bytes per cached pod"
	rowIdle       = "KB per idle watch by name (kube-apiserver: live heap and stacks; Weir: resident)"
	rowIdleH2     = "the same over HTTP/2, ten streams a connection"
	rowFurther    = "bytes of a further such stream of the connection"
	rowGet        = "GET, revision unset (Weir forwards): p50 ms"
	rowGetCPU     = "GET, revision unset: CPU µs"
	rowCached     = "GET, revision 0 (from the cache): p50 ms"
	rowCachedCPU  = "GET, revision 0: CPU µs"

	serverAPI, serverWeir, serverPlain = "kube-apiserver", "weir", "plain"
)

const sendSize = 256 << 10 // As Weir sends a LIST.

// listRound lists about as many bytes per server as give a tenth of a second of CPU at least.
func (l *lab) listRound(r *rows) error {
	steps := []struct {
		server string
		pid    int
		lists  int
		list   func() error
	}{
		{serverPlain, l.plain.cmd.Process.Pid, 40, func() error { return l.plain.bulk(l.listBytes, sendSize) }},
		{serverWeir, l.weir.pid(), 20, func() error { _, err := l.weir.drain(podsFromCache); return err }},
		{serverAPI, l.api.pid(), 3, func() error { _, err := l.api.drain(podsFromCache); return err }},
	}
	for _, s := range steps {
		if err := s.list(); err != nil { // Touches all memory.
			return err
		}
		start := time.Now()
		used, err := spent(s.pid, func() error {
			for range s.lists {
				if err := s.list(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		gigabytes := float64(l.listBytes) * float64(s.lists) / 1e9
		r.add(rowList, s.server, used/gigabytes)
		r.add(rowListTime, s.server, time.Since(start).Seconds()/gigabytes)
	}
	return nil
}

// writeFor makes changes at the wanted rate and gives the CPU that the process used meanwhile.
func (l *lab) writeFor(pid int) (float64, error) {
	return spent(pid, func() error {
		first := l.writes
		l.writes += int(l.options.rate * l.options.seconds)
		err := every(l.options.rate, l.options.seconds, first, func(i int) error {
			return l.touch(i % l.options.pods)
		})
		time.Sleep(200 * time.Millisecond) // What is under way.
		return err
	})
}

// watchRound measures intake alone, then with watchers at each server in turn.
func (l *lab) watchRound(r *rows) error {
	weirPid, apiPid := l.weir.pid(), l.api.pid()
	idleWeir, err := measure.CPU(weirPid)
	if err != nil {
		return err
	}
	alone := map[string]float64{}
	if alone[serverAPI], err = l.writeFor(apiPid); err != nil {
		return err
	}
	busyWeir, err := measure.CPU(weirPid)
	if err != nil {
		return err
	}
	alone[serverWeir] = busyWeir - idleWeir
	for _, t := range []*target{l.weir, l.api} {
		if err := l.watchServer(r, t, alone[t.name]); err != nil {
			return err
		}
	}
	return l.watchPlain(r)
}

func (l *lab) watchServer(r *rows, t *target, alone float64) error {
	revision, err := l.revision(t)
	if err != nil {
		return err
	}
	query := fmt.Sprintf("/api/v1/pods?watch=true&resourceVersion=%s&timeoutSeconds=600", revision)
	w, err := openWatches(t, l.options.watchers, func(int) string { return query })
	if err != nil {
		return err
	}
	defer w.close()
	time.Sleep(time.Second)
	before := w.events.Load()
	used, err := l.writeFor(t.pid())
	if err != nil {
		return err
	}
	delivered := float64(w.events.Load() - before)
	wanted := float64(int(l.options.rate*l.options.seconds) * l.options.watchers)
	if w.failed.Load() > 0 || delivered != wanted {
		return fmt.Errorf("%s: %d watches failed, %.0f of %.0f events came", t.name, w.failed.Load(), delivered, wanted)
	}
	r.add(rowWatch, t.name, (used-alone)/delivered*1e6)
	r.add(rowWatchGross, t.name, used/delivered*1e6)
	w.mu.Lock()
	r.add(rowAge, t.name, median(w.ages)*1e3)
	w.mu.Unlock()
	l.eventBytes = float64(w.bytes.Load()) / float64(max(1, w.events.Load()))
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
	size := int(l.eventBytes)
	used, err := spent(l.plain.cmd.Process.Pid, func() error {
		return every(l.options.rate, l.options.seconds, 0, func(int) error {
			_, err := fmt.Fprintf(control, "publish %d\n", size)
			return err
		})
	})
	if err != nil {
		return err
	}
	delivered := float64(int(l.options.rate*l.options.seconds) * l.options.watchers)
	r.add(rowWatch, serverPlain, used/delivered*1e6)
	return nil
}

// getRound alternates between the servers in blocks, one request at a time on one connection.
func (l *lab) getRound(r *rows) error {
	const blocks, perBlock = 5, 200
	for _, kind := range []struct{ query, time, cpu string }{
		{"", rowGet, rowGetCPU}, {"?resourceVersion=0", rowCached, rowCachedCPU},
	} {
		times := map[string][]float64{}
		used := map[string]float64{}
		for range blocks {
			for _, t := range []*target{l.api, l.weir} {
				spent, err := spent(t.pid(), func() error {
					for i := range perBlock {
						start := time.Now()
						if _, err := t.drain(podPath(i%l.options.pods) + kind.query); err != nil {
							return err
						}
						times[t.name] = append(times[t.name], time.Since(start).Seconds())
					}
					return nil
				})
				if err != nil {
					return err
				}
				used[t.name] += spent
			}
		}
		for name, values := range times {
			r.add(kind.time, name, median(values)*1e3)
			r.add(kind.cpu, name, used[name]/float64(len(values))*1e6)
		}
	}
	return nil
}

// memoryRound starts both servers anew: what they hold after one LIST, and with idle watches.
func (l *lab) memoryRound(r *rows) error {
	if err := l.restartAPI(); err != nil {
		return err
	}
	if err := l.startWeir(); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	for _, t := range []*target{l.weir, l.api} {
		before := l.emptyBytes
		if t == l.weir {
			var err error
			if before, err = measure.Resident(t.pid()); err != nil {
				return err
			}
		}
		if _, err := t.drain(podsFromCache); err != nil {
			return err
		}
		time.Sleep(2 * time.Second)
		full, err := measure.Resident(t.pid())
		if err != nil {
			return err
		}
		r.add(rowPod, t.name, (full-before)/float64(l.options.pods))
		if err := l.idleWatches(r, t); err != nil {
			return err
		}
	}
	// Anew: what closed connections have freed would hide what streams take.
	if err := l.startWeir(); err != nil {
		return err
	}
	for _, t := range []*target{l.weir, l.api} {
		if _, err := t.drain(podsFromCache); err != nil {
			return err
		}
		if err := l.idleStreams(r, t); err != nil {
			return err
		}
	}
	return nil
}
