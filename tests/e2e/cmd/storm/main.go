// The storm: N nodes connect at once, as after a restart of what they were connected to. Each has two mTLS connections
// over HTTP/2 with six watches each, begun by WatchList in protobuf and gzip, as today's kubelet, kube-proxy and network
// agent begin theirs. How long until all of them know everything, and what does that cost the server?
//
// bench/storm builds what it needs and starts it. See bench/README.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"weir.dev/e2e/flame"
	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

type options struct {
	nodes, podsPerNode, services int
	timeout                      time.Duration
	servers                      string
	out, profile                 string
}

func main() {
	var o options
	flag.IntVar(&o.nodes, "nodes", 1000, "nodes that connect, of twelve watches each")
	flag.IntVar(&o.podsPerNode, "pods-per-node", 10, "pods on each")
	flag.IntVar(&o.services, "services", 1000, "services, with an endpoint slice each")
	flag.DurationVar(&o.timeout, "timeout", 3*time.Minute, "of one storm")
	flag.StringVar(&o.servers, "servers", "weir,kube-apiserver", "who is stormed, in this order")
	flag.StringVar(&o.out, "out", "", "file for the table; empty: only standard output")
	flag.StringVar(&o.profile, "profile", "", "file for a flame graph of Weir in the storm, made with perf, which costs it a little")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(1)
	}
}

func log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "weir-storm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cluster, err := oracle.Start(dir)
	if err != nil {
		return err
	}
	defer cluster.Close()
	users, err := nodeUsers(cluster)
	if err != nil {
		return err
	}
	log("filling: %d nodes, %d pods, %d services", o.nodes, o.nodes*o.podsPerNode, o.services)
	if err := fill(cluster, o); err != nil {
		return err
	}
	weir, err := cluster.StartWeir(oracle.WeirOptions{})
	if err != nil {
		return err
	}
	defer weir.Process.Kill()

	var rows []row
	for _, name := range strings.Split(o.servers, ",") {
		s := storm{options: o, name: name, users: users, upstream: cluster.APIServerPid()}
		switch name {
		case "weir":
			s.url, s.pid = weir.URL, weir.Process.Pid()
		case "kube-apiserver":
			s.url, s.pid = cluster.URL(), cluster.APIServerPid()
		default:
			return fmt.Errorf("--servers: %q is neither weir nor kube-apiserver", name)
		}
		var r row
		storm := func() (err error) {
			r, err = s.run()
			return err
		}
		if name == "weir" && o.profile != "" {
			err = flame.Record(s.pid, fmt.Sprintf("%d nodes connect at once", o.nodes), o.profile, storm)
		} else {
			err = storm()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		log("%s: %d of %d synced in %.1f s, %.1f CPU-s, %d cut", name, r.synced, r.watches, r.seconds, r.cpu, r.cut)
		rows = append(rows, r)
	}
	text := report(o, rows)
	fmt.Print(text)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

// A row is one storm.
type row struct {
	name                 string
	watches, synced, cut int
	refused              map[string]int // By status.
	seconds              float64        // Until the last one was synced.
	p50                  float64        // Until half of them were.
	cpu, upstreamCPU     float64        // Of the server; and of the API server meanwhile.
	before, peak, after  float64        // Resident memory, bytes; the last with all watches at rest.
	wire, plain          int64          // Bytes on the streams, and what they are uncompressed.
}

func report(o options, rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %d nodes connect at once, %s\n\n", o.nodes, time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "`bench/storm %s`\n\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintf(&b, "%s. Two mTLS connections over HTTP/2 a node, %d watches each, begun by WatchList in protobuf and gzip; %d pods, %d services and endpoint slices. ",
		measure.Machine(), watchesPerConnection, o.nodes*o.podsPerNode, o.services)
	b.WriteString("Clients of `system:masters`: nobody's rights are asked for. The clients run on the same cores.\n\n")
	b.WriteString("| | synced | cut | half; all synced, s | CPU-s | of the API server meanwhile | resident before; most; at rest, MB | KB at rest per watch | MB on the streams; uncompressed |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		refused := ""
		for status, n := range r.refused {
			refused += fmt.Sprintf(", %d × %s", n, status)
		}
		fmt.Fprintf(&b, "| %s | %d of %d | %d%s | %.1f; %.1f | %.1f | %.1f | %.0f; %.0f; %.0f | %.1f | %.0f; %.0f |\n", r.name, r.synced, r.watches, r.cut, refused,
			r.p50, r.seconds, r.cpu, r.upstreamCPU, r.before/1e6, r.peak/1e6, r.after/1e6, (r.after-r.before)/1e3/float64(max(1, r.synced)), float64(r.wire)/1e6, float64(r.plain)/1e6)
	}
	if len(rows) == 2 && rows[0].name == "weir" && rows[0].cpu > 0 {
		fmt.Fprintf(&b, "\nR_api, CPU: %.1f\n", rows[1].cpu/rows[0].cpu)
	}
	return b.String()
}
