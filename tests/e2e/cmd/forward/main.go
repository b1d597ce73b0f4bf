// What forwarding, authorisation and handshakes cost: Weir beside HAProxy, which ends TLS and encrypts anew before the
// same API server, and beside that API server alone.
//
// bench/forward builds what it needs and starts it. See bench/README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

type options struct {
	rates       string
	connections int
	seconds     float64
	rounds      int
	handshakes  int
	path        string
	out         string
}

func main() {
	var o options
	flag.StringVar(&o.rates, "rates", "500,1000,2000", "requests a second, of each its own block")
	flag.IntVar(&o.connections, "connections", 64, "connections that share them")
	flag.Float64Var(&o.seconds, "seconds", 4, "of each block")
	flag.IntVar(&o.rounds, "rounds", 5, "visits of each server, taking turns")
	flag.IntVar(&o.handshakes, "handshakes", 1000, "TLS handshakes of each block")
	flag.StringVar(&o.path, "path", "/version", "what is asked for by forwarded requests")
	flag.StringVar(&o.out, "out", "", "file for the table; empty: only standard output")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "forward:", err)
		os.Exit(1)
	}
}

func log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// A server under load: its address, and the processes whose time is counted.
type server struct {
	name, url string
	pid       int
}

// A sample is what one block has cost.
type sample struct {
	p50, p99 float64 // Milliseconds, from when a request was due.
	cpu      float64 // Microseconds of the server's process per request.
	apiCPU   float64 // And of the API server's.
	late     float64 // Share of the requests that were sent more than 5 ms late: the client was too slow.
}

// A row is one kind of load on one server.
type row struct {
	load, server string
	samples      []sample
}

func median(samples []sample, of func(sample) float64) (middle, least, most float64) {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2], values[0], values[len(values)-1]
}

func run(o options) error {
	dir, err := os.MkdirTemp("", "weir-forward-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cluster, err := oracle.Start(dir)
	if err != nil {
		return err
	}
	defer cluster.Close()
	reader := cluster.TokenUser("carol")
	if err := letRead(cluster, reader.Name); err != nil {
		return err
	}
	certified, err := cluster.CertUser("handshakes")
	if err != nil {
		return err
	}
	weir, err := cluster.StartWeir(oracle.WeirOptions{})
	if err != nil {
		return err
	}
	defer weir.Process.Kill()
	servers := []server{
		{"kube-apiserver", cluster.URL(), cluster.APIServerPid()},
		{"weir", weir.URL, weir.Process.Pid()},
	}
	haproxy, version, err := startHAProxy(dir, cluster)
	if err != nil {
		return err
	}
	if haproxy != nil {
		defer haproxy.process.Kill()
		servers = append(servers, haproxy.server)
	}

	var rows []*row
	rowOf := func(load, name string) *row {
		for _, r := range rows {
			if r.load == load && r.server == name {
				return r
			}
		}
		rows = append(rows, &row{load: load, server: name})
		return rows[len(rows)-1]
	}
	admin := cluster.TokenUser("admin")
	for round := range o.rounds {
		for _, text := range strings.Split(o.rates, ",") {
			rate, err := strconv.Atoi(text)
			if err != nil || rate < 1 {
				return fmt.Errorf("--rates: %q is no number of requests", text)
			}
			for _, s := range servers {
				l := load{options: o, server: s, user: admin, api: cluster.APIServerPid(), rate: rate, path: func(int) string { return o.path }}
				if err := l.into(rowOf(fmt.Sprintf("forwarded, %d/s", rate), s.name), cluster); err != nil {
					return err
				}
			}
		}
		// Of Weir alone: the API server decides in its own process, from its own memory.
		for _, each := range []struct {
			name string
			path func(int) string
		}{
			{"GET at revision 0, access known, 500/s", func(int) string { return "/api/v1/namespaces/default/configmaps/none?resourceVersion=0" }},
			{"GET at revision 0, access asked for each time, 500/s", func(i int) string {
				return fmt.Sprintf("/api/v1/namespaces/default/configmaps/none-%d-%d?resourceVersion=0", round, i)
			}},
		} {
			for _, s := range servers[:2] {
				l := load{options: o, server: s, user: reader, api: cluster.APIServerPid(), rate: 500, path: each.path, missing: true}
				if err := l.into(rowOf(each.name, s.name), cluster); err != nil {
					return err
				}
			}
		}
		for _, s := range servers {
			r := rowOf("handshake with a client certificate", s.name)
			sample, err := shakeHands(o, s, certified, cluster.CAFile())
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			r.samples = append(r.samples, sample)
		}
		log("round %d of %d", round+1, o.rounds)
	}
	text := report(o, rows, version)
	fmt.Print(text)
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, []byte(text), 0o644)
}

// letRead grants what Weir has to ask for: a master's rights would be known.
func letRead(cluster *oracle.Cluster, user string) error {
	client, err := cluster.Client()
	if err != nil {
		return err
	}
	ctx := context.Background()
	_, err = client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-reader"},
		Rules:      []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-reader"},
		Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "bench-reader"},
	}, metav1.CreateOptions{})
	return err
}

func report(o options, rows []*row, haproxy string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Forwarding, authorisation, handshakes, %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "`bench/forward %s`\n\n", strings.Join(os.Args[1:], " "))
	fmt.Fprintf(&b, "%s. HTTP/1.1 over TLS 1.3, %d connections, `%s`; %s. Medians of %d rounds (least to most). Client, proxies and API server share the cores; latency counts from when a request was due.\n\n",
		measure.Machine(), o.connections, o.path, haproxy, o.rounds)
	b.WriteString("| load | server | p50, ms | p99, ms | CPU of the process, µs each | of the API server behind it, µs each | sent late |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		cell := func(of func(sample) float64, format string) string {
			middle, least, most := median(r.samples, of)
			return fmt.Sprintf(format+" ("+format+" to "+format+")", middle, least, most)
		}
		latency := func(of func(sample) float64) string {
			if middle, _, _ := median(r.samples, of); middle == 0 {
				return ""
			}
			return cell(of, "%.2f")
		}
		behind := ""
		if r.server != "kube-apiserver" {
			behind = cell(func(s sample) float64 { return s.apiCPU }, "%.0f")
		}
		late, _, _ := median(r.samples, func(s sample) float64 { return s.late })
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.1f %% |\n", r.load, r.server,
			latency(func(s sample) float64 { return s.p50 }), latency(func(s sample) float64 { return s.p99 }),
			cell(func(s sample) float64 { return s.cpu }, "%.0f"), behind, 100*late)
	}
	return b.String()
}
