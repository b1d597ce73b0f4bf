package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"weir.dev/e2e/oracle"
)

// A request as it is sent to both. Path is the raw request target.
type request struct {
	Method string // GET if empty.
	Path   string
	Header http.Header
	Body   string
}

func (r request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.method(), r.Path)
	for _, name := range sortedKeys(r.Header) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, "\n  %s: %s", name, value)
		}
	}
	return b.String()
}

// An answer read to its end.
type answer struct {
	Status int
	Header http.Header
	Body   []byte // Decompressed.
	Err    error  // Of the transport, or of a body that broke off.
}

// A caller asks one server as one user over one protocol. Connections are kept.
type caller struct {
	server string
	client *http.Client
	token  string
}

// protocols are the versions of HTTP that the tables go through: all that Weir offers.
func protocols() []string {
	if offersHTTP2 {
		return []string{"HTTP2", "HTTP1"}
	}
	return []string{"HTTP1"}
}

// newCaller makes a caller; useHTTP2 chooses between HTTP/2, where Weir offers it, and HTTP/1.1. No retries, no
// redirects, no compression unless a request asks for it.
func newCaller(t *testing.T, server string, user oracle.User, useHTTP2 bool) *caller {
	t.Helper()
	useHTTP2 = useHTTP2 && offersHTTP2
	protocol := "http/1.1"
	if useHTTP2 {
		protocol = "h2"
	}
	config, err := user.TLSClient(cluster.CAFile(), protocol)
	must(t, err)
	var transport http.RoundTripper
	if useHTTP2 {
		h2 := &http2.Transport{TLSClientConfig: config, DisableCompression: true}
		transport = h2
		t.Cleanup(h2.CloseIdleConnections)
	} else {
		h1 := &http.Transport{TLSClientConfig: config, DisableCompression: true, MaxIdleConnsPerHost: 64}
		transport = h1
		t.Cleanup(h1.CloseIdleConnections)
	}
	return &caller{
		server: server,
		token:  user.Token,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// open sends the request and returns when the headers are there. The caller closes the body.
func (c *caller) open(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.Body != "" {
		body = strings.NewReader(r.Body)
	}
	q, err := http.NewRequestWithContext(ctx, r.method(), c.server, body)
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(r.Path, "?")
	q.URL.Opaque = "" // The target goes out as written: the path raw, the query raw.
	q.URL.Path, q.URL.RawPath = unescaped(path), path
	q.URL.RawQuery = query
	for name, values := range r.Header {
		q.Header[name] = values
	}
	if _, ok := q.Header["User-Agent"]; !ok {
		q.Header.Set("User-Agent", "weir-e2e")
	}
	if c.token != "" && q.Header.Get("Authorization") == "" {
		q.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.client.Do(q)
}

// ask sends the request and reads the whole answer. What the API server's flow control sheds is asked again, as
// clients do: which of two equal requests it sheds is chance.
func (c *caller) ask(r request) answer {
	for n := 0; ; n++ {
		a := c.askOnce(r)
		if n == 10 || a.Status != http.StatusTooManyRequests || !bytes.HasPrefix(a.Body, []byte("Too many requests")) {
			return a
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *caller) askOnce(r request) answer {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	response, err := c.open(ctx, r)
	if err != nil {
		return answer{Err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a := answer{Status: response.StatusCode, Header: response.Header, Body: body, Err: err}
	if err == nil && response.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(bytes.NewReader(body)); err != nil {
			a.Err = err
		} else {
			a.Body, a.Err = io.ReadAll(z)
		}
	}
	return a
}

// Headers whose value may differ: when and how, not what. README.md lists them.
var freeHeaders = []string{"Date", "Content-Length", "X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid"}

// difference is "" if Weir's answer is as good as the API server's; else it says what differs.
func difference(r request, upstream, weir answer) string {
	if upstream.Err != nil || weir.Err != nil {
		if (upstream.Err == nil) == (weir.Err == nil) {
			return ""
		}
		return fmt.Sprintf("transport: API server %v, Weir %v", upstream.Err, weir.Err)
	}
	var found []string
	if upstream.Status != weir.Status {
		found = append(found, fmt.Sprintf("status: API server %d, Weir %d", upstream.Status, weir.Status))
	}
	found = append(found, headerDifferences(r, upstream.Header, weir.Header)...)
	up, down := mask(upstream.Body), mask(weir.Body)
	if !bytes.Equal(up.text, down.text) {
		at := firstDifference(up.text, down.text)
		found = append(found, fmt.Sprintf("body at byte %d (%d and %d bytes):\n  API server …%s\n  Weir       …%s",
			at, len(up.text), len(down.text), excerpt(up.text, at), excerpt(down.text, at)))
	} else if d := revisionDifference(r, up, down); d != "" {
		found = append(found, d)
	}
	return strings.Join(found, "\n")
}

func headerDifferences(r request, upstream, weir http.Header) []string {
	var found []string
	free := freeHeaders
	if r.Header.Get("Audit-Id") == "" {
		free = append(slices.Clone(free), "Audit-Id")
		if (upstream.Get("Audit-Id") == "") != (weir.Get("Audit-Id") == "") {
			found = append(found, fmt.Sprintf("Audit-Id: API server %q, Weir %q", upstream["Audit-Id"], weir["Audit-Id"]))
		}
	}
	if upstream.Get("Content-Encoding") == "gzip" && weir.Get("Content-Encoding") == "" {
		// Weir does not compress what it serves from its cache: identity is always acceptable.
		free = append(slices.Clone(free), "Content-Encoding", "Vary")
	}
	names := map[string]bool{}
	for name := range upstream {
		names[name] = true
	}
	for name := range weir {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		if !slices.Contains(free, name) && !slices.Equal(upstream[name], weir[name]) {
			found = append(found, fmt.Sprintf("header %s: API server %q, Weir %q", name, upstream[name], weir[name]))
		}
	}
	return found
}

// masked is a body with the parts cut out that may differ, and those parts.
type masked struct {
	text     []byte
	revision string // Of a list.
	token    string // Its continue token, decoded, without the revision and without a leading slash of the key.
	tokenRV  int64
}

var (
	// A list's own metadata: at the front of a built-in list, at the end of a custom resource's.
	builtinHead = regexp.MustCompile(`^\{"kind":"[A-Za-z]+List","apiVersion":"[a-z0-9./]+","metadata":\{"resourceVersion":"(\d+)"(?:,"continue":"([^"]*)")?`)
	customTail  = regexp.MustCompile(`"kind":"[A-Za-z]+List","metadata":\{"continue":"([^"]*)",(?:"remainingItemCount":\d+,)?"resourceVersion":"(\d+)"\}\}\n$`)
	// Where a server's cache stands.
	tooLarge = regexp.MustCompile(`(Too large resource version: \d+, current: )\d+`)
	tooOld   = regexp.MustCompile(`(too old resource version: \d+ \()\d+`)
	// The token that an expired one is answered with.
	freshToken = regexp.MustCompile(`^(\{"kind":"Status","apiVersion":"v1","metadata":\{)"continue":"([^"]*)"`)
)

func mask(body []byte) masked {
	m := masked{text: body}
	cut := func(span []int, name string) {
		m.text = slices.Concat(m.text[:span[0]], []byte(name), m.text[span[1]:])
	}
	if s := builtinHead.FindSubmatchIndex(body); s != nil {
		m.revision = string(body[s[2]:s[3]])
		if s[4] >= 0 {
			m.setToken(string(body[s[4]:s[5]]))
			cut(s[4:6], "TOKEN")
		}
		cut(s[2:4], "REVISION")
	} else if s := customTail.FindSubmatchIndex(body); s != nil {
		m.revision = string(body[s[4]:s[5]])
		cut(s[4:6], "REVISION")
		if s[2] < s[3] {
			m.setToken(string(body[s[2]:s[3]]))
			cut(s[2:4], "TOKEN")
		}
	} else if s := freshToken.FindSubmatchIndex(body); s != nil {
		m.setToken(string(body[s[4]:s[5]]))
		cut(s[4:6], "TOKEN")
	}
	m.text = tooLarge.ReplaceAll(m.text, []byte("${1}NOW"))
	m.text = tooOld.ReplaceAll(m.text, []byte("${1}OLDEST"))
	return m
}

func (m *masked) setToken(text string) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	var token struct {
		V     string `json:"v"`
		RV    int64  `json:"rv"`
		Start string `json:"start"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &token)
	}
	if err != nil {
		m.token = "undecodable: " + text
		return
	}
	m.token = fmt.Sprintf("v=%s start=%q", token.V, strings.TrimPrefix(token.Start, "/"))
	m.tokenRV = token.RV
}

// revisionDifference compares the parts that mask has cut out: the revision of a list and its token. Where the request
// fixes the revision they must be equal. Elsewhere both servers may say how far their cache is: Weir's may be behind
// the API server's, since the items are the same, but never ahead, and a token names its own list's revision.
func revisionDifference(r request, upstream, weir masked) string {
	if upstream.token != weir.token {
		return fmt.Sprintf("continue token: API server %s, Weir %s", upstream.token, weir.token)
	}
	if upstream.revision == "" {
		if upstream.tokenRV != weir.tokenRV {
			return fmt.Sprintf("continue token: API server rv %d, Weir rv %d", upstream.tokenRV, weir.tokenRV)
		}
		return ""
	}
	if weir.token != "" && strconv.FormatInt(weir.tokenRV, 10) != weir.revision {
		return fmt.Sprintf("continue token has rv %d in a list at %s", weir.tokenRV, weir.revision)
	}
	up, _ := strconv.ParseInt(upstream.revision, 10, 64)
	down, _ := strconv.ParseInt(weir.revision, 10, 64)
	if down > up || (fixesRevision(r.Path) && up != down) {
		return fmt.Sprintf("list revision: API server %d, Weir %d", up, down)
	}
	return ""
}

// fixesRevision tells whether the answer's revision is named by the request: Exact, the legacy rule of a limit with
// a revision, or a token.
func fixesRevision(path string) bool {
	_, query, _ := strings.Cut(path, "?")
	has := func(prefix string) bool {
		for _, part := range strings.Split(query, "&") {
			if strings.HasPrefix(part, prefix) && part != prefix && part != prefix+"0" {
				return true
			}
		}
		return false
	}
	legacy := has("resourceVersion=") && has("limit=") && !has("resourceVersionMatch=")
	return has("resourceVersionMatch=Exact") || legacy || has("continue=")
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func excerpt(text []byte, at int) string {
	from, to := max(0, at-60), min(len(text), at+200)
	return strconv.Quote(string(text[from:to]))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// unescaped is the decoded path where it decodes; URL needs it beside the raw one.
func unescaped(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if v, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
