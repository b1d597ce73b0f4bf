package fuzz

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"weir.dev/e2e/oracle"
)

// testLiar runs the fuzzer against a proxy that lies in two ways: it changes a byte in every protobuf answer that is
// not short, but for those that a run waits for, and it keeps deletions from watches in JSON. Both must be found and
// made small.
func testLiar(t *testing.T, cluster *oracle.Cluster) {
	config, err := cluster.Admin.TLSClient(cluster.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      &http.Transport{TLSClientConfig: config, DisableCompression: true, MaxIdleConnsPerHost: 512},
		ModifyResponse: lie, FlushInterval: -1,
	})
	serving, err := cluster.ServingConfig()
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = serving
	server.StartTLS()
	defer server.Close()
	lies := map[string][]string{
		"a changed byte":    {`body at byte`, `still differs \(user admin\):\n  curl -sk --path-as-is -H "\S+ \S+ \$TOKEN" -H 'Accept: application/vnd.kubernetes.protobuf' "\$SERVER"'[^?]*'\n`},
		"a hidden deletion": {`event \d+ differs|after event`, `type\S+DELETED`},
	}
	// Only the first differences are told; which lies are among them is chance, so that more seeds than one have theirs.
	told := ""
	for seed := uint64(1); seed <= 3 && untold(told, lies) != ""; seed++ {
		report, err := Run(Options{
			Cluster: cluster, Seed: seed, Requests: 1200, Log: t.Logf,
			StartWeir: func() (string, error) { return server.URL, nil },
			HTTP2:     func(string) (bool, error) { return false, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		told += "\n\n" + strings.Join(report.Differences, "\n\n")
	}
	if missing := untold(told, lies); missing != "" {
		t.Error(missing)
	}
	if t.Failed() {
		t.Log(told)
	}
}

// untold says which lie has a sign that is not in the text; "" for none.
func untold(told string, lies map[string][]string) string {
	for lie, signs := range lies {
		for _, sign := range signs {
			if !regexp.MustCompile(sign).MatchString(told) {
				return fmt.Sprintf("%s: nothing says %q", lie, sign)
			}
		}
	}
	return ""
}

func lie(r *http.Response) error {
	contentType := r.Header.Get("Content-Type")
	switch {
	case contentType == protobufType && r.StatusCode == http.StatusOK && r.Request.URL.RawQuery != "resourceVersion=0":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body.Close()
		if len(body) > 300 && r.Header.Get("Content-Encoding") == "" {
			body[len(body)*3/4] ^= 1
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	case contentType == jsonType && strings.Contains(r.Request.URL.RawQuery, "watch"):
		r.Body = &censor{lines: bufio.NewReader(r.Body), Closer: r.Body}
	}
	return nil
}

// A censor leaves out lines.
type censor struct {
	lines *bufio.Reader
	io.Closer
	rest []byte
}

func (c *censor) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		line, err := c.lines.ReadBytes('\n')
		if err != nil && len(line) == 0 {
			return 0, err
		}
		if !bytes.HasPrefix(line, []byte(`{"type":"DELETED"`)) {
			c.rest = line
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
