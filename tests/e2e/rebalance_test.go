package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// A balanced client is Go's own, whose connections go where the balancer says at that time.
type balancedClient struct {
	*http2.Transport
	dials  atomic.Int32
	events atomic.Int32 // Lines of its watch.
	over   atomic.Bool  // Its watch is.
	cancel context.CancelFunc
}

func (c *balancedClient) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1"+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+cluster.Admin.Token)
	return c.RoundTrip(r)
}

func (c *balancedClient) watch(path string) error {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	r, err := c.get(ctx, path)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("a watch is answered %s", r.Status)
	}
	if err != nil {
		return err
	}
	go func() {
		defer r.Body.Close()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			c.events.Add(1)
		}
		c.over.Store(true)
	}()
	return nil
}

// TestReplicasShareTheirClients: of two replicas one has all clients. It tells the half of them to connect anew, no
// quicker than it may, and then no more; their watches go on, and what they ask next they ask the other replica.
func TestReplicasShareTheirClients(t *testing.T) {
	needsWeir(t)
	if !offersHTTP2 {
		t.Skip("no HTTP/2")
	}
	const (
		clients   = 120
		perSecond = 20
		looks     = 7 * time.Second // The longest time until one has begun, and is over.
		path      = "/api/v1/namespaces/empty/configmaps?resourceVersion=0"
	)
	start := func(name string) (*oracle.Weir, func(text string)) {
		file := filepath.Join(t.TempDir(), "weir.yaml")
		write := func(text string) {
			must(t, os.WriteFile(file+".new", []byte("apiVersion: weir/v1alpha1\nkind: WeirConfiguration\n"+text), 0o600))
			must(t, os.Rename(file+".new", file))
		}
		write("")
		return startWeir(t, oracle.WeirOptions{Name: "weir-rebalance-" + name, Args: []string{"--config", file, "--workers=2",
			fmt.Sprintf("--rebalance-per-second=%d", perSecond)}}), write
	}
	a, tellA := start("a")
	b, tellB := start("b")

	var target atomic.Pointer[oracle.Weir] // Of the balancer.
	target.Store(a)
	config, err := cluster.Admin.TLSClient(cluster.CAFile(), "h2")
	must(t, err)
	config.ServerName = "127.0.0.1"
	all := make([]*balancedClient, clients)
	for i := range all {
		c := &balancedClient{}
		c.Transport = &http2.Transport{TLSClientConfig: config, DialTLSContext: func(ctx context.Context, network, _ string, config *tls.Config) (net.Conn, error) {
			c.dials.Add(1)
			dialer := tls.Dialer{Config: config}
			return dialer.DialContext(ctx, network, strings.TrimPrefix(target.Load().URL, "https://"))
		}}
		must(t, c.watch(path+"&watch=1"))
		defer c.cancel()
		all[i] = c
	}
	const taking = "weir_http2_connections_taking_requests"
	until(t, a, taking, 5*time.Second, func(n float64) bool { return n == clients })

	everybodySees := func(number int32) {
		t.Helper()
		name := fmt.Sprintf("rebalance-%d", number)
		must(t, createConfigMap(context.Background(), "empty", name, nil, ""))
		t.Cleanup(func() {
			must(t, admin.CoreV1().ConfigMaps("empty").Delete(context.Background(), name, metav1.DeleteOptions{}))
		})
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			seen := 0
			for _, c := range all {
				if c.over.Load() {
					t.Fatal("a watch has ended")
				}
				if c.events.Load() == number {
					seen++
				}
			}
			if seen == clients {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d watches have seen %d events", seen, clients, number)
			}
		}
	}
	everybodySees(1)

	// Each knows both, and itself among them.
	peers := fmt.Sprintf("rebalancePeers: [%q, %q]\n", strings.TrimPrefix(a.AdminURL, "http://"), strings.TrimPrefix(b.AdminURL, "http://"))
	tellA(peers)
	tellB(peers)
	const goaways = "weir_rebalance_goaways_total"
	type sample struct {
		at  time.Time
		sum float64
	}
	samples := []sample{{time.Now(), 0}}
	for deadline := time.Now().Add(20 * time.Second); samples[len(samples)-1].sum < clients/2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v were told to go", samples[len(samples)-1].sum)
		}
		before := time.Now()
		samples = append(samples, sample{before, metric(t, a, goaways)})
		for _, s := range samples {
			// Within a second, the reading of the last one included.
			if told := samples[len(samples)-1].sum - s.sum; time.Since(s.at) < time.Second && told > perSecond {
				t.Fatalf("%v were told to go in %s", told, time.Since(s.at))
			}
		}
	}

	// That was the half; nobody has come to the other one yet, as all have what they want.
	time.Sleep(looks)
	expect := func(w *oracle.Weir, name string, want float64) {
		t.Helper()
		if got := metric(t, w, name); got != want {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
	settled := func() {
		t.Helper()
		expect(a, goaways, clients/2)
		expect(b, goaways, 0)
		expect(a, "weir_rebalance_peers", 1)
		expect(b, "weir_rebalance_peers", 1)
		expect(a, taking, clients/2)
	}
	settled()
	everybodySees(2)

	target.Store(b)
	moved := 0
	for _, c := range all {
		r, err := c.get(context.Background(), path)
		must(t, err)
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("a list is answered %s", r.Status)
		}
		moved += int(c.dials.Load()) - 1
	}
	if moved != clients/2 {
		t.Errorf("%d clients have connected anew, not %d", moved, clients/2)
	}
	expect(b, taking, clients/2)
	time.Sleep(looks)
	settled()
	everybodySees(3)

	// Those that moved watch where they are now. The old connections end with their watches.
	for _, c := range all {
		if c.dials.Load() == 2 {
			c.cancel()
		}
	}
	until(t, a, "weir_http2_connections", 5*time.Second, func(n float64) bool { return n == clients/2 })
	time.Sleep(looks)
	settled()
	expect(b, taking, clients/2)
	_, page, err := b.Admin("/rebalancez")
	must(t, err)
	if want := fmt.Sprintf(`"connections":%d,"leaving":0,"ready":true}`, clients/2); !strings.HasSuffix(page, want) {
		t.Errorf("/rebalancez says %s", page)
	}
	if log := a.Process.LogTail(); !strings.Contains(log, "Sending clients away") || !strings.Contains(log, "No more clients are sent away") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
}
