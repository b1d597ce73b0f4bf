package e2e

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

type (
	request = exchange.Request
	answer  = exchange.Answer
)

// A caller asks one server as one user over one protocol.
type caller struct{ *exchange.Caller }

// protocols are the versions of HTTP that the tables go through: all that Weir offers.
func protocols() []string {
	if offersHTTP2 {
		return []string{"HTTP2", "HTTP1"}
	}
	return []string{"HTTP1"}
}

// newCaller makes a caller; useHTTP2 chooses between HTTP/2, where Weir offers it, and HTTP/1.1.
func newCaller(t *testing.T, server string, user oracle.User, useHTTP2 bool) *caller {
	t.Helper()
	c, err := exchange.NewCaller(server, cluster.CAFile(), user, useHTTP2 && offersHTTP2)
	must(t, err)
	t.Cleanup(c.Close)
	return &caller{c}
}

func (c *caller) ask(r request) answer { return c.Ask(r) }

func (c *caller) open(ctx context.Context, r request) (*http.Response, error) { return c.Open(ctx, r) }

// difference is "" if Weir's answer is as good as the API server's; else it says what differs.
func difference(r request, upstream, weir answer) string {
	return exchange.Difference(r, upstream, weir)
}

func mask(body []byte) exchange.Masked { return exchange.Mask(body) }

func firstDifference(a, b []byte) int { return exchange.FirstDifference(a, b) }

func excerpt(text []byte, at int) string { return exchange.Excerpt(text, at) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
