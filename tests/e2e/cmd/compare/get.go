package main

import (
	"time"

	"weir.dev/e2e/measure"
)

const (
	rowGet       = "GET, revision unset (Weir forwards): p50 ms"
	rowGetCPU    = "GET, revision unset: CPU µs"
	rowAdded     = "GET, revision unset: p50 that Weir adds, ms"
	rowCached    = "GET, revision 0 (from the cache): p50 ms"
	rowCachedCPU = "GET, revision 0: CPU µs"
	rowCachedH2  = "GET, revision 0, HTTP/2: CPU µs"

	rowHandshakes = "mTLS handshakes per second and core (P-256, X25519)"
)

var getKinds = []struct{ protocol, query, time, cpu string }{
	{"http/1.1", "", rowGet, rowGetCPU},
	{"http/1.1", "?resourceVersion=0", rowCached, rowCachedCPU},
	{"h2", "?resourceVersion=0", "", rowCachedH2},
}

// getRound alternates between the servers in blocks, one request at a time on one connection.
func (l *lab) getRound(r *rows) error {
	const blocks, perBlock = 5, 200
	for _, kind := range getKinds {
		servers, err := each(l.servers(), kind.protocol)
		if err != nil {
			return err
		}
		defer closeAll(servers)
		times, used := map[string][]float64{}, map[string]float64{}
		for block := range blocks + 1 { // The first is not counted.
			for _, t := range servers {
				took := make([]float64, 0, perBlock)
				spent, err := spent(t.pid(), func() error {
					for i := range perBlock {
						start := time.Now()
						if _, err := t.drain(podPath(i%l.options.pods) + kind.query); err != nil {
							return err
						}
						took = append(took, time.Since(start).Seconds())
					}
					return nil
				})
				if err != nil {
					return err
				}
				if block > 0 {
					used[t.name] += spent
					times[t.name] = append(times[t.name], took...)
				}
			}
		}
		for _, t := range servers {
			p50 := percentile(times[t.name], 0.5) * 1e3
			r.add(kind.cpu, t.name, used[t.name]/(blocks*perBlock)*1e6)
			if kind.time != "" {
				r.add(kind.time, t.name, p50)
			}
			if kind.time == rowGet && t.name != serverAPI {
				r.add(rowAdded, t.name, p50-percentile(times[serverAPI], 0.5)*1e3)
			}
		}
	}
	return nil
}

// handshakeRound connects with a client certificate.
func (l *lab) handshakeRound(r *rows) error {
	const count, parallel = 1000, 4
	user, err := l.cluster.CertUser("compare-handshakes")
	if err != nil {
		return err
	}
	config, err := user.TLSClient(l.cluster.CAFile())
	if err != nil {
		return err
	}
	for _, t := range l.servers() {
		if err := measure.Handshakes(t.url, config, 50, parallel); err != nil {
			return err
		}
		used, err := spent(t.pid(), func() error { return measure.Handshakes(t.url, config, count, parallel) })
		if err != nil {
			return err
		}
		r.add(rowHandshakes, t.name, count/used)
	}
	return nil
}
