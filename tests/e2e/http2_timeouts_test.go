package e2e

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir.dev/e2e/oracle"
)

// TestHTTP2QuietConnectionsEndAlike: a client that never says a word is left after ten seconds, one that has nothing
// more to ask after ninety, and told so; both by the API server and by Weir.
func TestHTTP2QuietConnectionsEndAlike(t *testing.T) {
	needsWeir(t)
	if !offersHTTP2 {
		t.Skip("no HTTP/2")
	}
	w := startWeir(t, oracle.WeirOptions{})
	kinds := []struct {
		name     string
		speaks   bool
		least    time.Duration
		most     time.Duration
		farewell bool
	}{
		{"silent", false, 9 * time.Second, 20 * time.Second, false},
		{"idle", true, 88 * time.Second, 110 * time.Second, true},
	}
	var group sync.WaitGroup
	for _, kind := range kinds {
		for server, url := range map[string]string{"API server": cluster.URL(), "Weir": w.URL} {
			group.Go(func() {
				took, farewell, err := quiet(url, kind.speaks)
				what := fmt.Sprintf("%s, %s", server, kind.name)
				switch {
				case err != nil:
					t.Errorf("%s: %v", what, err)
				case took < kind.least || took > kind.most:
					t.Errorf("%s: the connection ended after %v", what, took)
				case farewell != kind.farewell:
					t.Errorf("%s: GOAWAY before the end: %v", what, farewell)
				}
			})
		}
	}
	group.Wait()
}

// quiet connects, asks once if it speaks at all, and tells when the connection ended since, and whether a GOAWAY said so.
func quiet(url string, speaks bool) (took time.Duration, farewell bool, err error) {
	config, err := cluster.Admin.TLSClient(cluster.CAFile(), "h2")
	if err != nil {
		return 0, false, err
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), config)
	if err != nil {
		return 0, false, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return 0, false, err
	}
	c := newH2conn(conn)
	if speaks {
		if err := c.greet(); err != nil {
			return 0, false, err
		}
		if err := c.request(1, true, h2get(cluster.Admin, "/version")...); err != nil {
			return 0, false, err
		}
	}
	begin := time.Now()
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			if time.Since(begin) > 110*time.Second {
				return 0, false, fmt.Errorf("still open: %w", err)
			}
			return time.Since(begin), farewell, nil
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			farewell = true
		case *http2.MetaHeadersFrame:
			begin = time.Now()
		case *http2.SettingsFrame:
			if speaks && !frame.IsAck() {
				if err := c.WriteSettingsAck(); err != nil {
					return 0, false, err
				}
			}
		}
	}
}
