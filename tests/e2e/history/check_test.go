package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// one is an event in words: "ADDED a 5" or "ADDED a 5 web u2": type, key, revision, label, UID. Content follows from
// the revision, but for DELETED, whose content is the one before: "DELETED a 7 web u1 5".
func one(text string) Event {
	parts := strings.Fields(text)
	if parts[0] == "BOOKMARK" || parts[0] == "END" {
		revision, _ := strconv.ParseUint(parts[1], 10, 64)
		return Event{Type: "BOOKMARK", Object: Object{Revision: revision}, End: parts[0] == "END"}
	}
	revision, _ := strconv.ParseUint(parts[2], 10, 64)
	o := Object{Key: parts[1], Revision: revision, Digest: revision, UID: "u1", Labels: map[string]string{"app": "web"}}
	if len(parts) > 3 {
		o.Labels = map[string]string{"app": parts[3]}
	}
	if len(parts) > 4 {
		o.UID = parts[4]
	}
	if len(parts) > 5 {
		o.Digest, _ = strconv.ParseUint(parts[5], 10, 64)
	}
	return Event{Type: parts[0], Object: o}
}

func events(texts ...string) []Event {
	var all []Event
	for _, text := range texts {
		all = append(all, one(text))
	}
	return all
}

// truthOfTests: a leaves label web at 13 and comes back at 14, b is deleted at 15 and made again at 16, c comes at 17.
var truthOfTests = events("ADDED n/a 10", "ADDED n/b 11", "MODIFIED n/a 12", "MODIFIED n/a 13 nginx", "MODIFIED n/a 14",
	"DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")

func list(base bool, revision uint64, items ...string) Step {
	l := &List{Base: base, Revision: revision}
	for _, text := range items {
		l.Items = append(l.Items, one("ADDED "+text).Object)
	}
	return Step{List: l}
}

func watch(from uint64, texts ...string) Step {
	return Step{Watch: &Watch{From: from, Events: events(texts...)}}
}

func initial(texts ...string) Step {
	return Step{Watch: &Watch{Initial: true, Events: events(texts...)}}
}

func expired(from uint64, texts ...string) Step {
	return Step{Watch: &Watch{From: from, Events: events(texts...), Expired: true}}
}

var web = Selector{Label: "app", LabelValue: "web"}

// Each row is a client of truthOfTests; rule is what it breaks, "" for nothing.
var clients = []struct {
	name     string
	rule     string
	selector Selector
	spared   bool
	gaps     []Gap
	steps    []Step
}{
	{name: "all in one stream", steps: []Step{list(true, 9), watch(9, "ADDED n/a 10", "ADDED n/b 11", "MODIFIED n/a 12", "MODIFIED n/a 13 nginx",
		"MODIFIED n/a 14", "DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "in three streams", steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "MODIFIED n/a 13 nginx"), watch(13),
		watch(13, "MODIFIED n/a 14", "DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "by label", selector: web, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/a 13 web u1 12", "ADDED n/a 14",
		"DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "by name, with bookmarks", selector: Selector{Name: "a"}, steps: []Step{list(true, 11, "n/a 10"), watch(11, "MODIFIED n/a 12", "BOOKMARK 12",
		"MODIFIED n/a 13 nginx", "MODIFIED n/a 14", "BOOKMARK 19"), watch(19, "BOOKMARK 21")}},
	{name: "initial events", steps: []Step{initial("ADDED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 17", "END 18", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "initial events that never end are nothing", steps: []Step{initial("ADDED n/a 14"), list(true, 21, "n/a 14", "n/b 16 web u2", "n/c 21")}},
	{name: "lists aside", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "ADDED n/c 17", "BOOKMARK 18"),
		list(false, 18, "n/a 14", "n/b 16 web u2", "n/c 17"), list(false, 21, "n/a 14", "n/b 16 web u2", "n/c 21"), watch(18, "MODIFIED n/c 20", "MODIFIED n/c 21")}},

	{name: "an event at the end is missing", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "ADDED n/c 17", "MODIFIED n/c 20")}},
	{name: "an event in between is missing", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "ADDED n/c 17", "MODIFIED n/c 21")}},
	{name: "an event between two streams is missing", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "ADDED n/c 17"),
		watch(17, "MODIFIED n/c 21")}},
	{name: "an event that a bookmark skips", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "BOOKMARK 18"),
		watch(18, "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "an event before a new list is missing", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "BOOKMARK 18"),
		list(true, 21, "n/a 14", "n/b 16 web u2", "n/c 21")}},
	{name: "an event that never happened", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"),
		watch(16, "ADDED n/c 17", "MODIFIED n/a 18", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "another type", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "MODIFIED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "another content", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "ADDED n/c 17 web u1 5", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "another object under the name", rule: "complete", steps: []Step{list(true, 16, "n/a 14", "n/b 16 web u2"), watch(16, "ADDED n/c 17 web u9 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "one that left the selector says MODIFIED", rule: "complete", selector: web, steps: []Step{list(true, 12, "n/a 12", "n/b 11"),
		watch(12, "MODIFIED n/a 13 nginx", "ADDED n/a 14", "DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "one that left the selector with its new content", rule: "complete", selector: web, steps: []Step{list(true, 12, "n/a 12", "n/b 11"),
		watch(12, "DELETED n/a 13", "ADDED n/a 14", "DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "one that the selector does not see", rule: "complete", selector: Selector{Name: "c"}, steps: []Step{list(true, 13),
		watch(13, "MODIFIED n/a 14", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "an event twice in a stream", rule: "unique", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "MODIFIED n/c 20", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "an event twice in two streams", rule: "unique", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "MODIFIED n/c 20"),
		watch(20, "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "another order", rule: "ordered", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "MODIFIED n/c 21", "MODIFIED n/c 20")}},
	{name: "an event of the list", rule: "ordered", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "an event at its bookmark", rule: "truthful", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "BOOKMARK 20", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "a bookmark that falls", rule: "truthful", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "MODIFIED n/c 20", "BOOKMARK 19", "MODIFIED n/c 21")}},
	{name: "a bookmark from the future", rule: "truthful", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "MODIFIED n/c 20", "MODIFIED n/c 21", "BOOKMARK 23")}},
	{name: "two ends of the initial events", rule: "truthful", steps: []Step{initial("ADDED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 17", "END 18", "END 19", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "an update among the initial events", rule: "ordered", steps: []Step{initial("ADDED n/a 14", "MODIFIED n/b 16 web u2", "END 18")}},
	{name: "initial events without one", rule: "true", steps: []Step{initial("ADDED n/a 14", "ADDED n/c 17", "END 18", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "initial events in another order", rule: "true", steps: []Step{initial("ADDED n/a 14", "ADDED n/c 17", "ADDED n/b 16 web u2", "END 18", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "a list that is behind its revision", rule: "true", steps: []Step{list(true, 12, "n/a 10", "n/b 11")}},
	{name: "a list that is ahead of its revision", rule: "true", steps: []Step{list(true, 12, "n/a 13 nginx", "n/b 11")}},
	{name: "a list with one too many", rule: "true", steps: []Step{list(true, 12, "n/a 12", "n/b 11", "n/c 17")}},
	{name: "a list with one twice", rule: "true", steps: []Step{list(true, 12, "n/a 12", "n/a 12", "n/b 11")}},
	{name: "a list aside that forgets", rule: "agreeing", gaps: []Gap{{17, 19}}, steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(17, "BOOKMARK 19"),
		list(false, 18, "n/a 14", "n/c 17"), watch(19, "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "410", rule: "resumable", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), expired(17, "MODIFIED n/c 20"), list(true, 21, "n/a 14", "n/b 16 web u2", "n/c 21")}},
	{name: "410 behind a gap", rule: "resumable", gaps: []Gap{{15, 17}}, steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), expired(17), list(true, 21, "n/a 14", "n/b 16 web u2", "n/c 21")}},
	{name: "410 before a gap, though spared", rule: "resumable", spared: true, gaps: []Gap{{17, 20}}, steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), expired(17), list(true, 21, "n/a 14", "n/b 16 web u2", "n/c 21")}},
	{name: "a watch from elsewhere", rule: "recorder", steps: []Step{list(true, 17, "n/a 14", "n/b 16 web u2", "n/c 17"), watch(18, "MODIFIED n/c 20", "MODIFIED n/c 21")}},

	// The gap from 12 to 20.
	{name: "each event though there is a gap", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "MODIFIED n/a 13 nginx", "MODIFIED n/a 14",
		"DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "the net change", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "some events and the net change of the rest", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "MODIFIED n/a 13 nginx", "MODIFIED n/a 14",
		"DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "the net change of a part, each event before and behind", gaps: []Gap{{9, 21}}, steps: []Step{list(true, 9), watch(9, "ADDED n/a 10", "ADDED n/b 11",
		"DELETED n/b 12 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "the net change of a part that ends like the truth", gaps: []Gap{{9, 21}}, steps: []Step{list(true, 9), watch(9, "ADDED n/a 10", "ADDED n/b 11",
		"MODIFIED n/a 12", "DELETED n/b 13 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 21")}},
	{name: "a list in the gap, from the API server, and each event", gaps: lost, steps: []Step{list(true, 14, "n/a 14", "n/b 11"), watch(14,
		"DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 20", "MODIFIED n/c 21")}},
	{name: "two net changes", rule: "complete", gaps: []Gap{{9, 21}}, steps: []Step{list(true, 9), watch(9, "ADDED n/b 11", "ADDED n/a 13 nginx",
		"MODIFIED n/a 14", "DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 21")}},
	{name: "the net change by label", gaps: lost, selector: web, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "a list in the gap", gaps: lost, steps: []Step{list(true, 13, "n/a 12"), watch(13, "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "410 in the gap", gaps: lost, spared: true, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11"), expired(13), list(true, 21, "n/a 14", "n/b 16 web u2", "n/c 21")}},
	{name: "410 before the gap of one who is not spared", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), expired(12), list(true, 21, "n/a 14", "n/b 16 web u2", "n/c 21")}},
	{name: "the net change without a deletion", rule: "complete", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "MODIFIED n/a 14", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "the net change without an update", rule: "complete", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "the net change without a creation", rule: "complete", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "MODIFIED n/c 21")}},
	{name: "an update of another object in the gap", rule: "complete", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "MODIFIED n/a 14", "MODIFIED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "a deletion in the gap of what is still there", rule: "complete", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/a 13 web u1 12", "ADDED n/a 14",
		"DELETED n/b 15 web u1 11", "ADDED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
	{name: "an old state in the gap", rule: "complete", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 17", "MODIFIED n/c 21")}},
	{name: "what comes behind the gap is missing", rule: "complete", gaps: lost, steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 20")}},
	{name: "a net change without a gap", rule: "complete", steps: []Step{list(true, 12, "n/a 12", "n/b 11"), watch(12, "DELETED n/b 13 web u1 11", "MODIFIED n/a 14", "ADDED n/b 16 web u2", "ADDED n/c 20", "MODIFIED n/c 21")}},
}

var lost = []Gap{{12, 20}}

func historyOfTests() *History {
	return &History{
		Truth: map[string][]Event{"pods": truthOfTests}, Start: map[string][]Object{}, StartAt: map[string]uint64{"pods": 9}, Last: 22,
	}
}

func TestClients(t *testing.T) {
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			h := historyOfTests()
			h.Gaps = row.gaps
			h.Clients = []Client{{Name: "client", Resource: "pods", Selector: row.selector, Spared: row.spared, Steps: row.steps}}
			expect(t, Check(h), row.rule)
		})
	}
}

// expect wants a problem of the rule, or no problem at all.
func expect(t *testing.T, problems []Problem, rule string) {
	t.Helper()
	found := slices.ContainsFunc(problems, func(p Problem) bool { return p.Rule == rule })
	if found != (rule != "") || (rule == "" && len(problems) > 0) {
		t.Errorf("want a problem of rule %q, got %v", rule, problems)
	}
}

func TestReads(t *testing.T) {
	at := func(n int) time.Duration { return time.Duration(n) * time.Second }
	writes := []Write{
		{Resource: "pods", Key: "n/a", Revision: 14, End: at(14)}, {Resource: "pods", Key: "n/b", Revision: 11, Deleted: true, End: at(15)},
		{Resource: "pods", Key: "n/b", Revision: 16, End: at(16)}, {Resource: "nodes", Key: "n/a", Revision: 99, End: at(1)},
	}
	items := func(texts ...string) []Object {
		var all []Object
		for _, text := range texts {
			all = append(all, one("ADDED "+text).Object)
		}
		return all
	}
	for _, row := range []struct {
		name, rule string
		read       Read
	}{
		{"a list of the latest state", "", Read{Begin: at(17), Revision: 16, Items: items("n/a 14", "n/b 16 web u2")}},
		{"a list while a write is under way", "", Read{Begin: at(14), Revision: 13, Items: items("n/a 13 nginx", "n/b 11")}},
		{"a list not older than an old revision", "", Read{Begin: at(17), NotOlder: 12, Revision: 12, Items: items("n/a 12", "n/b 11")}},
		{"a GET", "", Read{Begin: at(17), Key: "n/a", Items: items("n/a 14")}},
		{"a GET of what was made later", "", Read{Begin: at(1), Key: "n/c", Items: items("n/c 20")}},
		{"a GET of what was not made yet", "", Read{Begin: at(1), Key: "n/c"}},
		{"a GET of what was deleted", "", Read{Begin: at(15), Key: "n/b"}},
		{"a list that misses a write", "fresh", Read{Begin: at(15), Revision: 13, Items: items("n/a 13 nginx", "n/b 11")}},
		{"a list that misses a deletion", "fresh", Read{Begin: at(16), Revision: 14, Items: items("n/a 14", "n/b 11")}},
		{"a list older than wanted", "fresh", Read{Begin: at(1), NotOlder: 14, Revision: 13, Items: items("n/a 13 nginx", "n/b 11")}},
		{"a list that is not true", "true", Read{Begin: at(17), Revision: 16, Items: items("n/a 14")}},
		{"a GET of an old state", "fresh", Read{Begin: at(17), Key: "n/a", Items: items("n/a 13 nginx")}},
		{"a GET of another content", "fresh", Read{Begin: at(17), Key: "n/a", Items: items("n/a 14 web u1 3")}},
		{"a GET of what was deleted, found", "fresh", Read{Begin: at(16), Key: "n/b", Items: items("n/b 11")}},
		{"a GET of what is there, not found", "fresh", Read{Begin: at(17), Key: "n/a"}},
		{"a GET older than wanted", "fresh", Read{Begin: at(1), NotOlder: 14, Key: "n/a", Items: items("n/a 12")}},
		{"a read of nothing that is known", "truth", Read{Resource: "jobs"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := historyOfTests()
			h.Writes = writes
			row.read.Reader = "reader"
			if row.read.Resource == "" {
				row.read.Resource = "pods"
			}
			h.Reads = []Read{row.read}
			expect(t, Check(h), row.rule)
		})
	}
}

func TestATruthMustBeOne(t *testing.T) {
	h := historyOfTests()
	h.Truth["pods"] = events("ADDED n/a 10", "MODIFIED n/a 10")
	expect(t, Check(h), "truth")
	h = historyOfTests()
	h.Clients = []Client{{Name: "client", Resource: "jobs"}}
	expect(t, Check(h), "truth")
}

// TestNotEverythingIsTold: a client that is wrong throughout does not hide the others.
func TestNotEverythingIsTold(t *testing.T) {
	h := historyOfTests()
	var wrong []string
	for i := range 100 {
		wrong = append(wrong, fmt.Sprintf("ADDED n/x %d", 100-i))
	}
	h.Clients = []Client{{Name: "wrong", Resource: "pods", Steps: []Step{list(true, 9), watch(9, wrong...)}}, {Name: "late", Resource: "pods", Steps: []Step{list(true, 9)}}}
	problems := Check(h)
	if len(problems) != toldPerClient+1 || problems[toldPerClient].Client != "late" {
		t.Errorf("%d problems, the last one %v", len(problems), problems[len(problems)-1])
	}
}
