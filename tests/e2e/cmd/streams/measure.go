package main

import (
	"fmt"
	"net/http"
	"time"
)

// measure goes from no connection to all watches, and looks at Weir after each step.
func (l *lab) measure() ([]row, error) {
	var rows []row
	add := func(name, format string, args ...any) {
		rows = append(rows, row{name, fmt.Sprintf(format, args...)})
		log("%s: %s", name, rows[len(rows)-1].value)
	}
	connections, further := float64(l.options.connections), l.options.streams-1

	// One of each, so that the caches are there and have what they need.
	if err := l.warm(); err != nil {
		return nil, err
	}
	start, err := l.rest()
	if err != nil {
		return nil, err
	}
	alone, err := l.foreign(0)
	if err != nil {
		return nil, err
	}

	before, err := l.rest()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := l.connect(); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := l.rest()
	if err != nil {
		return nil, err
	}
	add("resident before the first connection, MB", "%.0f", start.resident/1e6)
	add("a connection without a stream: resident bytes", "%.0f", (after.resident-before.resident)/connections)
	add("its handshake with a client certificate: CPU µs; all took s", "%.0f; %.1f", (after.cpu-before.cpu)/connections*1e6, took.Seconds())

	steps := []struct {
		name        string
		first, each int
	}{{"its first watch", 0, 1}, {"each further one", 1, further}}
	for _, step := range steps {
		if step.each == 0 {
			continue
		}
		if before, err = l.now(); err != nil {
			return nil, err
		}
		began = time.Now()
		err := l.watch(func(c int) []string {
			var paths []string
			for i := step.first; i < step.first+step.each; i++ {
				paths = append(paths, fmt.Sprintf("%s?resourceVersion=0&fieldSelector=metadata.name%%3Dconfig-of-workload-%07d", configMaps, c*l.options.streams+i))
			}
			return paths
		})
		if err != nil {
			return nil, err
		}
		took = time.Since(began)
		if after, err = l.rest(); err != nil {
			return nil, err
		}
		n := connections * float64(step.each)
		add(step.name+": resident bytes", "%.0f", (after.resident-before.resident)/n)
		add(step.name+": CPU µs to begin; all took s", "%.0f; %.1f", (after.cpu-before.cpu)/n*1e6, took.Seconds())
	}

	many, err := l.foreign(l.options.events)
	if err != nil {
		return nil, err
	}
	add(fmt.Sprintf("an event that none of %d watches wants: CPU µs; without any of them", int(connections)*l.options.streams), "%.0f; %.0f", many*1e6, alone*1e6)

	if err := l.watch(func(int) []string { return []string{services + "?resourceVersion=0"} }); err != nil {
		return nil, err
	}
	each, size, seconds, err := l.shared()
	if err != nil {
		return nil, err
	}
	add(fmt.Sprintf("an event of %d bytes that %d connections want: CPU µs for each", size, int(connections)), "%.1f", each*1e6)
	add("written until all have it, s", "%.2f", seconds)
	each, count, err := l.bookmarks()
	if err != nil {
		return nil, err
	}
	add(fmt.Sprintf("bookmarks: %d in a minute; CPU µs each", count), "%.1f", each*1e6)
	if after, err = l.now(); err != nil {
		return nil, err
	}
	add("resident at the end, MB; all watches", "%.0f; %d", after.resident/1e6, int(connections)*(l.options.streams+1))
	return rows, nil
}

// warm has one connection watch what all will, which starts the feeds.
func (l *lab) warm() error {
	all := l.options.connections
	l.options.connections = 1
	defer func() { l.options.connections = all }()
	if err := l.connect(); err != nil {
		return err
	}
	err := l.watch(func(int) []string {
		return []string{configMaps + "?resourceVersion=0&fieldSelector=metadata.name%3Dwarm", services + "?resourceVersion=0&fieldSelector=metadata.name%3Dwarm"}
	})
	l.connections[0].Close()
	l.connections = nil
	l.seen.answered.Store(0)
	return err
}

// foreign gives the CPU seconds of Weir for an event that nobody wants. versions are those written before.
func (l *lab) foreign(versions int) (float64, error) {
	before, err := l.now()
	if err != nil {
		return 0, err
	}
	for i := range l.options.events {
		if err := l.write(http.MethodPut, configMaps+"/nobodys", configMap(versions+i+1)); err != nil {
			return 0, err
		}
	}
	after, err := l.now()
	return (after.cpu - before.cpu) / float64(l.options.events), err
}

// shared changes what every connection watches, and gives the CPU seconds for each delivery, and the seconds until the
// last had it. The bookmarks that fall into that time are in it.
func (l *lab) shared() (each float64, size int64, seconds float64, err error) {
	const first = 1 // All watches begin with the service as it is.
	connections := int64(len(l.connections))
	if err := l.seen.until(&l.seen.events, first*connections, "events"); err != nil {
		return 0, 0, 0, err
	}
	before, err := l.rest()
	if err != nil {
		return 0, 0, 0, err
	}
	events, bytes := max(l.options.events/100, 5), l.seen.eventBytes.Load()
	for i := range events {
		began := time.Now()
		if err := l.write(http.MethodPut, services+"/everybodys", service(i+1)); err != nil {
			return 0, 0, 0, err
		}
		if err := l.seen.until(&l.seen.events, connections*int64(first+i+1), "events"); err != nil {
			return 0, 0, 0, err
		}
		seconds += time.Since(began).Seconds() / float64(events)
	}
	deliveries := int64(events) * connections
	after, err := l.now()
	return (after.cpu - before.cpu) / float64(deliveries), (l.seen.eventBytes.Load() - bytes) / deliveries, seconds, err
}

// bookmarks looks at a minute in which nothing happens.
func (l *lab) bookmarks() (each float64, count int64, err error) {
	time.Sleep(5 * time.Second)
	before, err := l.now()
	if err != nil {
		return 0, 0, err
	}
	count = l.seen.bookmarks.Load()
	time.Sleep(time.Minute)
	after, err := l.now()
	if err != nil {
		return 0, 0, err
	}
	if count = l.seen.bookmarks.Load() - count; count == 0 {
		return 0, 0, fmt.Errorf("no bookmarks in a minute")
	}
	return (after.cpu - before.cpu) / float64(count), count, nil
}
