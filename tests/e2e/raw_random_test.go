package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a request is bent with. Each is what has told two parsers apart somewhere before.
var (
	oddFields = []string{
		"Content-Length: 0", "Content-Length: 5", "content-length: 00", "Content-Length: 0, 0", "Content-Length:\t0", "Content-Length: 0x0",
		"Content-Length: -0", "Content-Length: +0", "Content-Length: 1e1", "Content-Length: 0 0", "Content-Length : 0", "Content_Length: 5",
		"Content-Length: 18446744073709551616", "Content-Length: 9223372036854775808", "Content-Length: ٣",
		"Transfer-Encoding: chunked", "Transfer-Encoding: Chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity",
		"Transfer-Encoding:\tchunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked\t",
		"Transfer-Encoding: ,chunked", "Transfer-Encoding:", "Transfer_Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding: x\r\n chunked",
		"TE: trailers", "TE: chunked", "Trailer: Content-Length", "Trailer: Authorization",
		"Connection: close", "Connection: keep-alive", "Connection: Content-Length", "Connection: Transfer-Encoding", "Connection: Host",
		"Connection: close, keep-alive", "Connection: upgrade", "Keep-Alive: timeout=1", "Proxy-Connection: close",
		"Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Expect: 100-continue", "Expect: 100-CONTINUE", "Expect: 200-ok",
		"Host: other.example.com", "host: HOST", "Host : HOST", "X-Forwarded-Host: other", "X-HTTP-Method-Override: DELETE", "X-Original-URL: /api/v1/secrets",
		"Authorization: Bearer other", "authorization: Basic eDp5", "Authorization_: Bearer other", "X-Remote-User: admin", "X-Remote-Group: system:masters",
		"X_Remote_User: admin", "Impersonate-User: alice", "Accept-Encoding: gzip", "Accept-Encoding: gzip;q=0", "Range: bytes=0-1", "If-None-Match: *",
		"X-Any:", ":", ": a", "X-Any", "X-Any\t: a", " X-Any: a", "\tX-Any: a", "X-Any: a\x00b", "X-Any: a\x7f", "X-Any: \xc3\xa9", "X-Any: a\x0bb", "X(Any: a",
		"X-Any: a\rHost: b", "X-Any: a\n\tb", "é: a",
	}
	oddTargets = []string{
		"/version", "//version", "/version/", "/./version", "/x/../version", "/version?", "/version??a", "/version?a;b", "/version#a", "/version%23a",
		"/%76ersion", "/version%00", "/version%0d%0aX:%20y", "/version%2", "/version%zz", "/ver sion", "/version\t", "/version\x7f", "/version\xc3\xa9", "/version|a",
		"/version\\a", "/version\"a", "/version<a>", "version", "*", "", "?", "https://HOST/version", "http://HOST/version", "https://other/version", "//HOST/version",
		"https://HOST", "https://user@HOST/version", "HOST", "/api/v1/namespaces/a/configmaps?limit=1&resourceVersion=0",
		"/api/v1/namespaces/a%2Fconfigmaps?resourceVersion=0", "/api/v1/namespaces/a/configmaps/..;/x", "/api/v1/namespaces/a/configmaps/%2e%2e/%2e%2e",
		"/api/v1/namespaces/a/configmaps?resourceVersion=0&resourceVersion=1", "/api/v1/namespaces/a/configmaps?resourceVersion=0%26limit=1",
		"/api/v1/namespaces/a/configmaps?resourceVersion=0;limit=1", "/api/v1/namespaces/a/configmaps?limit=1&limit=%31&resourceVersion=0",
	}
	oddVersions = []string{"HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/1.11", "HTTP/01.1", "http/1.1", "HTTP/1.1 ", "HTTP /1.1", "HTTP/2.0", "HTTP/1", "HTTP/1.1.1", "HTTP/ 1.1", ""}
	oddMethods  = []string{"GET", "get", "HEAD", "OPTIONS", "POST", "TRACE", "CONNECT", "GET\t", "G ET", "", "PRI", "\x00GET", "GET@"}
	oddEnds     = []string{"\r\n", "\n", "\r", "\r\r\n", "\n\r", "\r\n\r\n", " \r\n", "\x00\r\n"}
	oddBytes    = []byte("\x00\x01\t\n\x0b\r \"#%&'(),/:;=?@[\\]{}\x7f\x80\xa0\xff0aA")
	oddSizes    = []string{"%x", "%X", "0%x", "00000000%x", "0x%x", "+%x", "-%x", " %x", "%x ", "%x\t", "%x;a", "%x;a=b", "%x;a=\"b\"", "%x;a=\"\r\n\"", "%x ;a", "%xg", "%x,%x", "000000000000000000%x", "%x;" + strings.Repeat("e", 300), "%x\x00"}
	oddTrailers = []string{"", "X-T: 1\r\n", "Content-Length: 5\r\n", "Authorization: Bearer other\r\n", "X-T : 1\r\n", "X-T\r\n", "X-T: 1\n", " X-T: 1\r\n", "Transfer-Encoding: chunked\r\n", "X-T: " + strings.Repeat("t", 9000) + "\r\n"}
)

// An oddRequest is put together from a random choice of these; all of it comes from the random source.
func oddRequest(random *rand.Rand) string {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	sometimes := func(oneIn int) bool { return random.IntN(oneIn) == 0 }
	method, target, version, end := "GET", "/api/v1/namespaces/a/configmaps/cm-1?resourceVersion=0", "HTTP/1.1", "\r\n"
	fields := []string{"Host: HOST", "Authorization: Bearer TOKEN", "Audit-ID: first"}
	body := ""
	if sometimes(2) {
		method, target = "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
		fields = append(fields, "Content-Type: application/json")
		if sometimes(2) {
			fields = append(fields, fmt.Sprintf("Content-Length: %d", len(review)))
			body = review
		} else {
			fields = append(fields, "Transfer-Encoding: chunked")
			body = oddChunks(random)
		}
	}
	if sometimes(3) {
		target = pick(oddTargets)
	}
	if sometimes(8) {
		version = pick(oddVersions)
	}
	if sometimes(8) {
		method = pick(oddMethods)
	}
	for sometimes(2) {
		fields = slices.Insert(fields, random.IntN(len(fields)+1), pick(oddFields))
	}
	if sometimes(10) {
		fields = append(fields, fields[random.IntN(len(fields))])
	}
	if sometimes(12) {
		fields = slices.Delete(fields, 0, 1)
	}
	lines := append([]string{method + " " + target + " " + version}, fields...)
	if sometimes(12) {
		i := random.IntN(len(lines))
		lines[i] = strings.ReplaceAll(lines[i], " ", pick([]string{"", "  ", "\t", "\x0b", "\xa0"}))
	}
	var head strings.Builder
	for _, line := range lines {
		head.WriteString(line)
		if sometimes(60) {
			head.WriteString(pick(oddEnds))
		} else {
			head.WriteString(end)
		}
	}
	text := head.String()
	for sometimes(4) {
		at := random.IntN(len(text))
		switch random.IntN(3) {
		case 0: // A byte more,
			text = text[:at] + string(oddBytes[random.IntN(len(oddBytes)):][:1]) + text[at:]
		case 1: // one less,
			text = text[:at] + text[at+1:]
		case 2: // another one.
			text = text[:at] + string(oddBytes[random.IntN(len(oddBytes)):][:1]) + text[at+1:]
		}
	}
	return text + "\r\n" + body
}

func oddChunks(random *rand.Rand) string {
	var b strings.Builder
	odd := random.IntN(3) == 0
	for chunk := range slices.Chunk([]byte(review), 1+random.IntN(len(review))) {
		size := "%x"
		if odd && random.IntN(3) == 0 {
			size = oddSizes[random.IntN(len(oddSizes))]
		}
		end := "\r\n"
		if odd && random.IntN(8) == 0 {
			end = oddEnds[random.IntN(len(oddEnds))]
		}
		size = strings.NewReplacer("%x", fmt.Sprintf("%x", len(chunk)), "%X", fmt.Sprintf("%X", len(chunk))).Replace(size)
		b.WriteString(size + end + string(chunk) + "\r\n")
	}
	b.WriteString("0\r\n")
	if odd {
		b.WriteString(oddTrailers[random.IntN(len(oddTrailers))])
	}
	b.WriteString("\r\n")
	return b.String()
}

// One server's reading of raw bytes: every answer, in order.
type reading struct {
	statuses []int
	ids      []string
	bodies   [][]byte
	closes   bool // The first answer is the last, or says that the connection ends.
}

// A question that changes what is there would be another one the second time.
func (r reading) first() int {
	if len(r.statuses) == 0 {
		return 0
	}
	return r.statuses[0]
}

const patience = 1500 * time.Millisecond

// readOdd sends the bytes, and a good request behind them.
func readOdd(server string, config *tls.Config, text string) (r reading, err error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", server, config)
	if err != nil {
		return r, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, text+"GET /version HTTP/1.1\r\nHost: "+server+"\r\nAudit-ID: second\r\n\r\n")
	reader := bufio.NewReader(conn)
	method, _, _ := strings.Cut(text, " ")
	for {
		response, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			return r, nil
		}
		if response.StatusCode == http.StatusContinue {
			continue
		}
		body, _ := io.ReadAll(response.Body)
		r.statuses = append(r.statuses, response.StatusCode)
		r.ids = append(r.ids, response.Header.Get("Audit-Id"))
		r.bodies = append(r.bodies, body)
		if len(r.statuses) == 1 {
			r.closes = response.Close
		}
		method = "GET"
	}
}

// strange counts the answers to requests that named no Audit-ID of ours, where it was not the ID that was bent.
func strange(ids []string) (n int) {
	for _, id := range ids {
		if id != "" && id != "first" && id != "second" {
			n++
		}
	}
	return n
}

// misread says how Weir's reading of bytes differs from the API server's in a way that matters: nothing where Weir
// refuses and closes, for it may be stricter; else it must have read the same requests, and answer them the same.
func misread(up, down reading) string {
	refusals := []int{400, 405, 411, 413, 414, 417, 431, 501, 505}
	if down.first() == 0 || (slices.Contains(refusals, down.first()) && len(down.statuses) == 1) {
		return ""
	}
	if strange(down.ids) > strange(up.ids) {
		return fmt.Sprintf("API server answers requests %q, Weir %q: one that was never sent", up.ids, down.ids)
	}
	if !slices.Equal(up.statuses, down.statuses) {
		// One request of HTTP/1.0 ends Weir's connection; the rest is not read.
		if len(down.statuses) == 1 && down.closes && up.first() == down.first() {
			return ""
		}
		return fmt.Sprintf("API server answers %v, Weir %v", up.statuses, down.statuses)
	}
	for i := range down.bodies {
		if down.statuses[i] < 300 && !bytes.Equal(withoutTimes(up.bodies[i]), withoutTimes(down.bodies[i])) {
			return fmt.Sprintf("answer %d: API server %.200q, Weir %.200q", i, up.bodies[i], down.bodies[i])
		}
	}
	return ""
}

// TestNoOddRequestIsReadInTwoWays sends random odd bytes to both. WEIR_E2E_RAW_SEED=n:count asks for others.
func TestNoOddRequestIsReadInTwoWays(t *testing.T) {
	needsWeir(t)
	seed, count := uint64(1), 1500
	if text := os.Getenv("WEIR_E2E_RAW_SEED"); text != "" {
		first, second, _ := strings.Cut(text, ":")
		var err error
		seed, err = strconv.ParseUint(first, 10, 64)
		must(t, err)
		if second != "" {
			count, err = strconv.Atoi(second)
			must(t, err)
		}
	}
	type side struct {
		host   string
		config *tls.Config
	}
	var sides [2]side
	for i, server := range []string{cluster.URL(), weir.URL} {
		u, err := url.Parse(server)
		must(t, err)
		config, err := cluster.Admin.TLSClient(cluster.CAFile(), "http/1.1")
		must(t, err)
		sides[i] = side{u.Host, config}
	}
	ask := func(s side, text string) (reading, error) {
		return readOdd(s.host, s.config, strings.NewReplacer("TOKEN", cluster.Admin.Token, "HOST", s.host).Replace(text))
	}
	served := make([]bool, count)
	problems := inParallel(24, count, func(i int) string {
		text := oddRequest(rand.New(rand.NewPCG(seed, uint64(i))))
		down, err := ask(sides[1], text)
		if err != nil {
			return fmt.Sprintf("Weir: %v", err)
		}
		if slices.Contains([]int{0, 400, 505}, down.first()) && len(down.statuses) <= 1 {
			return "" // Refused: no need to know what the API server thinks.
		}
		up, err := ask(sides[0], text)
		if err != nil {
			return fmt.Sprintf("API server: %v", err)
		}
		served[i] = down.first() < 300 && up.first() == down.first()
		if problem := misread(up, down); problem != "" {
			return fmt.Sprintf("seed %d, case %d: %s\n%q", seed, i, problem, text)
		}
		return ""
	})
	both := 0
	for i, problem := range problems {
		if problem != "" {
			t.Error(problem)
		}
		if served[i] {
			both++
		}
	}
	t.Logf("seed %d: %d odd requests, %d of them served by both", seed, count, both)
	if both < count/20 {
		t.Error("nearly all is refused: the requests prove little")
	}
	if a := newCaller(t, weir.URL, cluster.Admin, true).ask(request{Path: "/version"}); a.Status != http.StatusOK {
		t.Errorf("afterwards: %d %v", a.Status, a.Err)
	}
}

// TestMisreadIsNoticed: the judge of the test above is judged.
func TestMisreadIsNoticed(t *testing.T) {
	one := reading{statuses: []int{200, 200}, ids: []string{"first", "second"}, bodies: [][]byte{[]byte("a"), []byte("b")}}
	with := func(change func(*reading)) reading {
		r := reading{slices.Clone(one.statuses), slices.Clone(one.ids), slices.Clone(one.bodies), false}
		change(&r)
		return r
	}
	good := []reading{one, {}, with(func(r *reading) {
		*r = reading{statuses: []int{400}, ids: []string{""}, bodies: [][]byte{nil}, closes: true}
	})}
	bad := []reading{
		with(func(r *reading) { r.statuses[0] = 404 }),
		with(func(r *reading) { r.bodies[0] = []byte("x") }),
		with(func(r *reading) {
			r.statuses, r.ids, r.bodies = append(r.statuses, 403), append(r.ids, "somebody"), append(r.bodies, nil)
		}),
		with(func(r *reading) { r.statuses, r.ids, r.bodies = r.statuses[:1], r.ids[:1], r.bodies[:1] }),
	}
	for i, r := range good {
		if problem := misread(one, r); problem != "" {
			t.Errorf("good %d: %s", i, problem)
		}
	}
	for i, r := range bad {
		if misread(one, r) == "" {
			t.Errorf("bad %d passes", i)
		}
	}
}
