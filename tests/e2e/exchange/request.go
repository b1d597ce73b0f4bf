// Package exchange asks a server and tells whether two answers say the same. What may differ between the API server's
// answer and Weir's is in mask.go and difference.go, and in the list in README.md of the tests; all else must be equal
// to the byte.
package exchange

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Request as it is sent to both servers. Path is the raw request target.
type Request struct {
	Method string // GET if empty.
	Path   string
	Header http.Header
	Body   string
}

// Verb is the HTTP method.
func (r Request) Verb() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func (r Request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Verb(), r.Path)
	for _, name := range sortedKeys(r.Header) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, "\n  %s: %s", name, value)
		}
	}
	return b.String()
}

// Curl is the request as one line for a shell, to a server that the shell knows as $SERVER and a user as $TOKEN.
func (r Request) Curl() string {
	var b strings.Builder
	b.WriteString("curl -sk --path-as-is -H \"Authorization: Bearer $TOKEN\"")
	if r.Verb() == http.MethodHead {
		b.WriteString(" --head")
	} else if r.Verb() != http.MethodGet {
		b.WriteString(" -X " + r.Verb())
	}
	for _, name := range sortedKeys(r.Header) {
		for _, value := range r.Header[name] {
			b.WriteString(" -H " + quoted(name+": "+value))
		}
	}
	if r.Body != "" {
		b.WriteString(" -d " + quoted(r.Body))
	}
	b.WriteString(" \"$SERVER\"" + quoted(r.Path))
	return b.String()
}

// quoted is text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// isCustom tells whether the path is of a custom resource: all of the tests' are in groups below example.com.
func isCustom(path string) bool {
	rest, found := strings.CutPrefix(path, "/apis/")
	group, _, _ := strings.Cut(rest, "/")
	return found && strings.HasSuffix(group, ".example.com")
}

// timeout is the first timeoutSeconds of the request; long where it has none that is a number.
func (r Request) timeout() time.Duration {
	_, query, _ := strings.Cut(r.Path, "?")
	for part := range strings.SplitSeq(query, "&") {
		if value, found := strings.CutPrefix(part, "timeoutSeconds="); found {
			plain, err := url.QueryUnescape(value)
			if err != nil {
				break
			}
			if seconds, err := strconv.Atoi(plain); err == nil && seconds > 0 {
				return time.Duration(seconds) * time.Second
			}
			break
		}
	}
	return time.Hour
}

// FirstDifference is the first index where a and b differ; the length of the shorter one where it begins the other.
func FirstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Excerpt is the text around a place, quoted.
func Excerpt(text []byte, at int) string {
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
