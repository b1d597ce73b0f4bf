// Streams measures what real watches hold and cost: thousands of mTLS connections over HTTP/2, each with many watches of
// one config map by name, as kubelets hold them, and one of all services, as kube-proxies do.
//
// bench/streams builds what it needs and starts it. See bench/README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

type options struct {
	connections, streams, events int
	out                          string
}

func main() {
	var o options
	flag.IntVar(&o.connections, "connections", 9000, "mTLS connections; two descriptors each, of two processes")
	flag.IntVar(&o.streams, "streams", 20, "watches by name on each, 1 to 98")
	flag.IntVar(&o.events, "events", 2000, "changes of a config map that nobody watches; a hundredth as many of a service that all do")
	flag.StringVar(&o.out, "out", "", "file for the table; empty: only standard output")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "streams:", err)
		os.Exit(1)
	}
}

func log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func run(o options) error {
	if o.connections < 1 || o.connections > 19_000 || o.streams < 1 || o.streams > 98 || o.events < 100 {
		return errors.New("--connections 1 to 19000, --streams 1 to 98, --events 100 and more")
	}
	dir, err := os.MkdirTemp("", "weir-streams-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cluster, err := oracle.Start(dir)
	if err != nil {
		return err
	}
	defer cluster.Close()
	weir, err := cluster.StartWeir(oracle.WeirOptions{})
	if err != nil {
		return err
	}
	defer weir.Process.Kill()
	l, err := openLab(o, cluster, weir)
	if err != nil {
		return err
	}
	defer l.close()
	rows, err := l.measure()
	if err != nil {
		return fmt.Errorf("%w; %s", err, weir.Process.LogTail())
	}
	text := report(o, rows)
	fmt.Print(text)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

// A row is one quantity.
type row struct {
	name  string
	value string
}

func report(o options, rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %d connections with %d watches each, %s\n\n", o.connections, o.streams+1, time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "`bench/streams %s`\n\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintf(&b, "%s. mTLS, HTTP/2, protobuf; %d watches of a config map by name on each connection, all of different ones, and one of all services. ",
		measure.Machine(), o.streams)
	b.WriteString("The client runs on the same cores. Resident memory and CPU time of Weir's process.\n\n| quantity | |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s |\n", r.name, r.value)
	}
	return b.String()
}
