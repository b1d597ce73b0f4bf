package e2e

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir.dev/e2e/oracle"
)

// TestHTTP2FloodsEndTheirConnectionsOnly: clients that open streams to reset them, ask for acknowledgements, never end a
// field block, or take answers byte by byte, each again as soon as it was cut. Memory stays where it was, the API server
// hears little of it, and a bystander is served meanwhile.
func TestHTTP2FloodsEndTheirConnectionsOnly(t *testing.T) {
	needsWeir(t)
	if !offersHTTP2 {
		t.Skip("no HTTP/2")
	}
	w := startWeir(t, oracle.WeirOptions{Args: []string{"--workers=1", "--max-handshakes-per-second=0"}})
	bystander(t, w, cluster.Admin)
	const path = "/api/v1/namespaces/a/configmaps?resourceVersion=0"
	floods := map[string]func(c *h2conn, n uint32) error{
		"rapid reset": func(c *h2conn, n uint32) error {
			if err := c.request(2*n+1, true, h2get(cluster.Admin, "/version")...); err != nil {
				return err
			}
			return c.WriteRSTStream(2*n+1, http2.ErrCodeCancel)
		},
		"made you reset": func(c *h2conn, n uint32) error {
			if err := c.request(2*n+1, true, h2get(cluster.Admin, "/version")...); err != nil {
				return err
			}
			return c.WriteWindowUpdate(2*n+1, 1<<31-1)
		},
		"ping": func(c *h2conn, n uint32) error { return c.WritePing(false, [8]byte{}) },
		"settings": func(c *h2conn, n uint32) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000 + n%2})
		},
		"continuation": func(c *h2conn, n uint32) error {
			if n == 0 {
				return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}, EndStream: true})
			}
			return c.WriteContinuation(1, false, []byte{0x00, 0x01, 'x', 0x01, 'y'})
		},
		"byte by byte": func(c *h2conn, n uint32) error {
			if n == 0 {
				if err := c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
					return err
				}
				if err := c.request(1, true, h2get(cluster.Admin, path)...); err != nil {
					return err
				}
			}
			return c.WriteWindowUpdate(1, 1)
		},
	}
	for name, frame := range floods {
		t.Run(name, func(t *testing.T) {
			before := metric(t, w, "weir_http2_floods_total")
			memory := residentBytes(t, w)
			forwards := metric(t, w, "weir_upstream_requests_total")
			stop := time.Now().Add(3 * time.Second)
			var attackers sync.WaitGroup
			for range 4 {
				attackers.Go(func() {
					for time.Now().Before(stop) {
						c := dialHTTP2(t, w.URL, oracle.User{})
						go func() { // Reads, so that nothing but the flood is in the way.
							for {
								if _, err := c.ReadFrame(); err != nil {
									return
								}
							}
						}()
						for n := uint32(0); time.Now().Before(stop); n++ {
							if err := frame(c, n); err != nil {
								break
							}
						}
						_ = c.conn.Close()
					}
				})
			}
			for range 4 {
				bystander(t, w, cluster.Admin)
				time.Sleep(300 * time.Millisecond)
			}
			attackers.Wait()
			cut := metric(t, w, "weir_http2_floods_total") - before
			asked := metric(t, w, "weir_upstream_requests_total") - forwards
			t.Logf("%.0f connections cut, %.0f requests upstream", cut, asked)
			if cut == 0 {
				t.Error("no connection was cut")
			}
			if asked > 400*(cut+4) {
				t.Errorf("%.0f requests went upstream for %.0f connections", asked, cut)
			}
			until(t, w, "weir_http2_connections", 5*time.Second, func(n float64) bool { return n <= 1 })
			if grown := residentBytes(t, w) - memory; grown > 64<<20 {
				t.Errorf("resident size grew by %d bytes", grown)
			}
		})
	}
	bystander(t, w, cluster.Admin)
}
