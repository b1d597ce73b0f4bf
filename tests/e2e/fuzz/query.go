package fuzz

import (
	"net/http"
	"strings"

	"weir.dev/e2e/exchange"
)

// A query is a request in parts, so that it can be made smaller.
type query struct {
	user       string
	http2      bool
	method     string
	path       string
	parameters []string // "name=value" as they are sent.
	header     [][2]string
	watch      bool
	live       bool // A watch that lasts over a burst of writes.
	slow       bool // It asks for a revision from the future, and waits for seconds.
}

func (q query) request() exchange.Request {
	r := exchange.Request{Method: q.method, Path: q.path, Header: http.Header{}}
	if len(q.parameters) > 0 {
		r.Path += "?" + strings.Join(q.parameters, "&")
	}
	for _, h := range q.header {
		r.Header.Add(h[0], h[1])
	}
	return r
}

// smaller are the queries with one thing less: a parameter, a header, a part of a list.
func (q query) smaller() []query {
	var all []query
	if q.user != "admin" && q.user != "" {
		c := q
		c.user = "admin"
		all = append(all, c)
	}
	for i := range q.parameters {
		if q.watch && (strings.HasPrefix(q.parameters[i], "watch") || strings.HasPrefix(q.parameters[i], "timeoutSeconds")) {
			continue // Another request altogether, or one that never ends.
		}
		c := q
		c.parameters = without(q.parameters, i)
		all = append(all, c)
	}
	for i := range q.header {
		c := q
		c.header = without(q.header, i)
		all = append(all, c)
	}
	for i, parameter := range q.parameters {
		name, value, _ := strings.Cut(parameter, "=")
		for _, less := range shorter(value, "%2C", ",") {
			c := q
			c.parameters = replaced(q.parameters, i, name+"="+less)
			all = append(all, c)
		}
	}
	for i, h := range q.header {
		for _, less := range append(shorter(h[1], ","), shorter(h[1], ";")...) {
			c := q
			c.header = replaced(q.header, i, [2]string{h[0], less})
			all = append(all, c)
		}
	}
	return all
}

// shorter is a list with one of its parts left out. The first separator that occurs is taken.
func shorter(list string, separators ...string) []string {
	for _, separator := range separators {
		parts := strings.Split(list, separator)
		if len(parts) == 1 {
			continue
		}
		var all []string
		for i := range parts {
			all = append(all, strings.Join(without(parts, i), separator))
		}
		return all
	}
	return nil
}

func without[T any](list []T, i int) []T {
	return append(append(make([]T, 0, len(list)), list[:i]...), list[i+1:]...)
}

func replaced[T any](list []T, i int, by T) []T {
	list = append(make([]T, 0, len(list)), list...)
	list[i] = by
	return list
}
