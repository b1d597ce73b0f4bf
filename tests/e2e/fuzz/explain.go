package fuzz

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// explain tells a difference: where it came, the request as it was, what differs, and the smallest request that still
// differs. Of differences that look alike only the first is told.
func (x *run) explain(round, i int, q query, difference string) {
	sort := sortOf(q, difference)
	x.mu.Lock()
	x.sorts[sort]++
	first := x.sorts[sort] == 1 && len(x.sorts) <= told
	x.mu.Unlock()
	if !first {
		x.tell(sort, "")
		return
	}
	text := fmt.Sprintf("%s (user %s)\n  %s\n%s", x.place(round, i), q.user, q.request().Curl(), difference)
	if small, d := x.shrink(q); d == "" {
		text += "\n  asked again there is no difference"
	} else if small.request().Curl() != q.request().Curl() || d != difference {
		text += fmt.Sprintf("\nstill differs (user %s):\n  %s\n%s", small.user, small.request().Curl(), d)
	}
	x.tell(sort, text)
}

// shrink drops one thing after the other as long as the answers differ. It asks at most a hundred times.
func (x *run) shrink(q query) (smallest query, difference string) {
	q = q.again()
	if difference, _ = x.difference(q, 1); difference == "" {
		return q, ""
	}
	for budget := 100; ; {
		better := false
		for _, c := range q.smaller() {
			if budget--; budget < 0 {
				return q, difference
			}
			if d, _ := x.difference(c, 1); d != "" {
				q, difference, better = c, d, true
				break
			}
		}
		if !better {
			return q, difference
		}
	}
}

var (
	numbers = regexp.MustCompile(`\d+`)
	strays  = regexp.MustCompile(`…".*`)
)

// sortOf is the same for differences that have most likely one cause: the form that was asked for, and the words of
// the difference without its numbers and excerpts.
func sortOf(q query, difference string) string {
	form := "plain"
	for _, h := range q.header {
		if h[0] == "Accept" {
			form = numbers.ReplaceAllString(h[1], "")
		}
	}
	verb := "read"
	if q.watch {
		verb = "watch"
	}
	words, _, _ := strings.Cut(difference, "\n")
	return verb + " " + form + ": " + numbers.ReplaceAllString(strays.ReplaceAllString(words, ""), "N")
}

// tell adds to the report; text is "" for one more of a sort that was told.
func (x *run) tell(sort, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.report.Different++
	if text != "" {
		x.report.Differences = append(x.report.Differences, text)
	}
}

// sortLines says how often each sort of difference came.
func (x *run) sortLines() []string {
	var lines []string
	for _, sort := range slices.Sorted(maps.Keys(x.sorts)) {
		lines = append(lines, fmt.Sprintf("%6d × %s", x.sorts[sort], sort))
	}
	return lines
}
