package fuzz

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir.dev/e2e/oracle"
)

// TestFuzz compares answers and watches of random requests. WEIR_FUZZ_REQUESTS is how many, WEIR_FUZZ_SEED from which
// seed.
func TestFuzz(t *testing.T) {
	dir := t.TempDir()
	cluster, err := oracle.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	t.Run("a server that lies", func(t *testing.T) { testLiar(t, cluster) })
	t.Run("Weir", func(t *testing.T) { testWeir(t, cluster) })
	if t.Failed() {
		t.Log("logs are in ", oracle.KeepLogs(dir, "fuzz-logs"))
	}
}

func testWeir(t *testing.T, cluster *oracle.Cluster) {
	requests := number(t, "WEIR_FUZZ_REQUESTS", 20_000)
	seed := number(t, "WEIR_FUZZ_SEED", 1)
	var weir *oracle.Weir
	start := time.Now()
	report, err := Run(Options{
		Cluster: cluster, Seed: uint64(seed), Requests: requests,
		HTTP2: func(url string) (bool, error) { return cluster.AgreesTo(url, "h2") },
		Log: func(format string, args ...any) {
			t.Logf("%5.1f "+format, append([]any{time.Since(start).Seconds()}, args...)...)
		},
		StartWeir: func() (string, error) {
			if os.Getenv("WEIR_E2E_SELF") != "" { // The API server against itself: proves the comparison.
				return cluster.URL(), nil
			}
			var err error
			if weir, err = cluster.StartWeir(oracle.WeirOptions{}); err != nil {
				return "", err
			}
			t.Cleanup(weir.Process.Kill)
			return weir.URL, nil
		},
	})
	if report != nil {
		judge(t, report, seed)
	}
	if err != nil {
		t.Error(err)
	}
	if weir != nil {
		checkSources(t, weir)
	}
}

func judge(t *testing.T, report *Report, seed int) {
	t.Helper()
	t.Logf("seed %d: %d requests, %d watches with %d events, %d writes (%d refused), %d undecided, by status %v", seed,
		report.Requests, report.Watches, report.Events, report.Writes, len(report.FailedWrites), report.Undecided, report.ByStatus)
	for _, d := range report.Differences {
		t.Error(d)
	}
	if report.Different > 0 {
		t.Errorf("%d differences, of these sorts:\n%s", report.Different, strings.Join(report.Sorts, "\n"))
	}
	if report.Undecided > report.Requests/100 {
		t.Errorf("%d watches were undecided", report.Undecided)
	}
	if refused := report.FailedWrites; len(refused) > report.Writes/20 {
		t.Errorf("%d of %d writes refused:\n%s", len(refused), report.Writes, strings.Join(refused[:min(20, len(refused))], "\n"))
	}
}

// checkSources tells who answered. Where all is forwarded all is equal, and nothing is proved.
func checkSources(t *testing.T, weir *oracle.Weir) {
	t.Helper()
	_, text, err := weir.Admin("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	answered := map[string]int{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.Atoi(value)
		switch {
		case n == 0:
		case strings.HasPrefix(name, "weir_request_total"):
			_, source, _ := strings.Cut(name, `source="`)
			source, _, _ = strings.Cut(source, `"`)
			answered[source] += n
		case strings.HasPrefix(name, "weir_forwarded_total"):
			lines = append(lines, fmt.Sprintf("%6d %s", n, strings.TrimPrefix(name, "weir_forwarded_total")))
		}
	}
	t.Logf("answered by %v; forwarded:\n%s", answered, strings.Join(lines, "\n"))
	if total := answered["cache"] + answered["forward"]; answered["cache"]*10 < total {
		t.Errorf("only %d of %d were answered from the cache", answered["cache"], total)
	}
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
