package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir.dev/e2e/measure"
)

// What h2load, which is nobody's of ours, says of the servers, beside nginx with the same bytes in a file.

const (
	serverNginx       = "nginx"
	h2loadConnections = 8
	h2loadStreams     = 10
)

var h2loads = []struct {
	name, path    string
	atAPI, atRest int // Requests a round.
}{
	{"GET by name, revision 0", podPath(7) + "?resourceVersion=0", 4000, 40000},
	{"LIST of one node's 50 pods, revision 0", oneNode, 1000, 8000},
}

// An attacked is a server under h2load.
type attacked struct {
	name, url string
	cpu       func() (float64, error)
}

// runH2load measures as often as there are rounds, servers taking turns, and gives the table.
func (l *lab) runH2load() (string, error) {
	if _, err := exec.LookPath("h2load"); err != nil {
		return "", fmt.Errorf("%w (apt: nghttp2-client)", err)
	}
	answers := map[string][]byte{}
	for _, load := range h2loads {
		body, err := l.api.read(load.path)
		if err != nil {
			return "", err
		}
		path, _, _ := strings.Cut(load.path, "?")
		answers[path] = body
	}
	front, err := startNginx(l.dir, l.cluster, answers)
	if err != nil {
		return "", err
	}
	defer front.process.Kill()
	servers := []attacked{{serverNginx, front.url, front.cpu}}
	for _, t := range l.servers() {
		servers = append(servers, attacked{t.name, t.url, func() (float64, error) { return measure.CPU(t.pid()) }})
	}
	var r rows
	for round := range l.options.rounds {
		for _, load := range h2loads {
			path, _, _ := strings.Cut(load.path, "?")
			for _, s := range servers {
				requests := load.atRest
				if s.name == serverAPI {
					requests = load.atAPI
				}
				// Not counted: connects everything, touches all memory.
				if _, _, err := l.h2load(s, load.path, requests/10, len(answers[path])); err != nil {
					return "", err
				}
				perSecond, cpu, err := l.h2load(s, load.path, requests, len(answers[path]))
				if err != nil {
					return "", err
				}
				l.log("round %d of %d: %s: %s: %.0f/s, %.1f µs", round+1, l.options.rounds, load.name, s.name, perSecond, cpu)
				r.add(load.name+": requests/s", s.name, perSecond)
				r.add(load.name+": CPU µs a request", s.name, cpu)
			}
		}
	}
	return l.h2loadReport(&r, front.version), nil
}

var (
	h2loadRate   = regexp.MustCompile(`finished in [^,]+, ([0-9.]+) req/s`)
	h2loadDone   = regexp.MustCompile(`requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded`)
	h2loadStatus = regexp.MustCompile(`status codes: (\d+) 2xx`)
	h2loadData   = regexp.MustCompile(`\((\d+)\) data`)
)

// h2load asks so often and gives the requests per second and the server's CPU time for each, in microseconds. It fails
// unless every answer is 200 and has as many bytes as the API server's.
func (l *lab) h2load(s attacked, path string, requests, size int) (perSecond, cpu float64, err error) {
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	output, err := exec.Command("h2load", "-n", strconv.Itoa(requests), "-c", strconv.Itoa(h2loadConnections), "-m", strconv.Itoa(h2loadStreams),
		"-H", "authorization: Bearer "+l.cluster.Admin.Token, "-H", "accept: application/json", s.url+path).Output()
	if err != nil {
		return 0, 0, fmt.Errorf("h2load at %s: %w", s.name, err)
	}
	after, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	found := func(pattern *regexp.Regexp) float64 {
		if match := pattern.FindSubmatch(output); match != nil {
			value, _ := strconv.ParseFloat(string(match[1]), 64)
			return value
		}
		return -1
	}
	n := float64(requests)
	if found(h2loadDone) != n || found(h2loadStatus) != n || found(h2loadData) != n*float64(size) {
		return 0, 0, fmt.Errorf("h2load at %s: not %d answers of %d bytes:\n%s", s.name, requests, size, output)
	}
	return found(h2loadRate), (after - before) / n * 1e6, nil
}

func (l *lab) h2loadReport(r *rows, nginxVersion string) string {
	version, _ := exec.Command("h2load", "--version").Output()
	var b strings.Builder
	fmt.Fprintf(&b, "# h2load against Weir, kube-apiserver and nginx, %s\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "`bench/h2load %s`\n\n", strings.Join(withoutFlag(os.Args[1:], "h2load"), " "))
	fmt.Fprintf(&b, "%s. %s, %d connections of %d requests at a time, HTTP/2 over TLS 1.3, %d pods. %s serves the same bytes from a file. ",
		measure.Machine(), strings.TrimSpace(string(version)), h2loadConnections, h2loadStreams, l.options.pods, nginxVersion)
	b.WriteString("h2load has no client certificate: Weir and kube-apiserver are shown a bearer token of `system:masters` with every request. ")
	fmt.Fprintf(&b, "Medians of %d interleaved rounds (least–most). h2load runs on the same cores, which bounds the requests per second, and its sockets have the servers' congestion control.\n\n", l.options.rounds)
	b.WriteString("| quantity | kube-apiserver |")
	for _, w := range l.weirs {
		fmt.Fprintf(&b, " Weir, OpenSSL %s |", w.openssl)
	}
	b.WriteString(" nginx | Weir is better than kube-apiserver, × | than nginx, × |\n|---|---|" + strings.Repeat("---|", len(l.weirs)) + "---|---|---|\n")
	for _, name := range r.names {
		v := r.values[name]
		more := strings.HasSuffix(name, "/s")
		fmt.Fprintf(&b, "| %s | %s |", name, cell(v[serverAPI]))
		ratios := [2][]string{}
		for _, w := range l.weirs {
			own := v[w.options.Name]
			fmt.Fprintf(&b, " %s |", cell(own))
			for i, other := range []string{serverAPI, serverNginx} {
				ratios[i] = append(ratios[i], fmt.Sprintf("%.2f", gain(v[other], own, more)))
			}
		}
		fmt.Fprintf(&b, " %s | %s | %s |\n", cell(v[serverNginx]), strings.Join(ratios[0], "; "), strings.Join(ratios[1], "; "))
	}
	return b.String()
}

// withoutFlag leaves out a flag without a value.
func withoutFlag(args []string, name string) []string {
	var rest []string
	for _, arg := range args {
		if strings.TrimLeft(arg, "-") != name {
			rest = append(rest, arg)
		}
	}
	return rest
}
