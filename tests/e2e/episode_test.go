package e2e

import (
	"maps"
	"slices"
	"strings"
)

// A change of a namespace, as the one who made it knows it. The revision of a deletion is not told.
type change struct {
	kind, name, revision, value string
}

// An episode is a part of a namespace's history. Of one that is net a client sees only what it came to, since the API
// server remembers no more.
type episode struct {
	net     bool
	before  map[string]bool // What was there at its beginning.
	changes []change
}

func (c *foreignClient) begin(net bool) {
	c.episodes = append(c.episodes, &episode{net: net, before: maps.Clone(c.has)})
}

func (c *foreignClient) note(kind, name, revision, value string) {
	e := c.episodes[len(c.episodes)-1]
	e.changes = append(e.changes, change{kind, name, revision, value})
	c.has[name] = kind != "DELETED"
}

// netChanges are what the episode came to, by name; an object that was made anew is deleted and added.
func (e *episode) netChanges() []change {
	last, replaced := map[string]change{}, map[string]bool{}
	for _, one := range e.changes {
		last[one.name] = one
		replaced[one.name] = replaced[one.name] || one.kind == "DELETED"
	}
	var net []change
	for _, name := range slices.Sorted(maps.Keys(last)) {
		now := last[name]
		if e.before[name] && replaced[name] {
			net = append(net, change{kind: "DELETED", name: name})
		}
		if now.kind == "DELETED" {
			continue
		}
		now.kind = "MODIFIED"
		if !e.before[name] || replaced[name] {
			now.kind = "ADDED"
		}
		net = append(net, now)
	}
	return net
}

// sortByName keeps the order of what happened to one name.
func sortByName(events []said) {
	slices.SortStableFunc(events, func(a, b said) int { return strings.Compare(a.Name, b.Name) })
}

// is tells whether a client saw this change. Some clients do not tell added from modified.
func (s said) is(c change) bool {
	kind := s.Event == c.kind || (s.Event == "APPLIED" && c.kind != "DELETED")
	return kind && s.Name == c.name && (c.kind == "DELETED" || (s.Revision == c.revision && s.Value == c.value))
}
