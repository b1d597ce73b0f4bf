package history

import (
	"fmt"
	"maps"
)

// client judges one client: its steps one by one, then the events between two bases against the truth.
func (c *checker) client(client *Client) {
	t := c.truths[client.Resource]
	if t == nil {
		c.report("truth", client.Name, "no history of %q", client.Resource)
		return
	}
	f := &follower{checker: c, client: client, truth: t}
	for _, step := range client.Steps {
		switch {
		case step.List != nil && step.List.Base:
			f.finish(f.position)
			f.begin(step.List.Revision, step.List.Items)
		case step.List != nil:
			f.lookAside(step.List)
		case step.Watch != nil:
			f.watch(step.Watch)
		}
	}
	f.finish(c.history.Last)
}

// A follower goes through a client's steps.
type follower struct {
	*checker
	client   *Client
	truth    *truth
	based    bool
	base     uint64
	items    []Object
	position uint64         // The last revision the client was told of, by an event or a bookmark.
	events   []Event        // Since the base, bookmarks left out.
	seen     map[event]bool // Since ever.
	gone     bool           // The last watch ended by 410: nothing more is owed until the next base.
}

// An event is one thing that happened to one object.
type event struct {
	key      string
	revision uint64
}

func (f *follower) report(rule, format string, args ...any) {
	f.checker.report(rule, f.client.Name, format, args...)
}

// begin starts anew from a list, or from initial events.
func (f *follower) begin(revision uint64, items []Object) {
	f.based, f.base, f.items, f.gone = true, revision, items, false
	f.position, f.events = revision, nil
	f.checkList(revision, items)
}

func (f *follower) checkList(revision uint64, items []Object) {
	if f.inGap(revision) {
		return
	}
	if d := f.truth.at(revision, f.client.Selector).difference(items); d != "" {
		f.report("true", "the list at %d: %s", revision, d)
	}
}

// lookAside compares a list with the truth, and with the client's own events.
func (f *follower) lookAside(list *List) {
	f.checkList(list.Revision, list.Items)
	if !f.based || list.Revision > f.position {
		return // It is ahead of what the client was told.
	}
	own := state{}
	for _, o := range f.items {
		own[o.Key] = o
	}
	for _, e := range f.events {
		if e.Object.Revision > list.Revision {
			break
		}
		own.apply(e)
	}
	if d := own.difference(list.Items); d != "" {
		f.report("agreeing", "the list at %d differs from the list at %d and the events up to it: %s", list.Revision, f.base, d)
	}
}

func (s state) apply(e Event) {
	if e.Type == "DELETED" {
		delete(s, e.Object.Key)
	} else {
		s[e.Object.Key] = e.Object
	}
}

// watch judges one stream by itself and adds its events.
func (f *follower) watch(w *Watch) {
	events := w.Events
	if w.Initial {
		if events = f.initial(w); events == nil {
			return
		}
	} else if f.based && w.From != f.position {
		f.report("recorder", "a watch from %d by a client at %d", w.From, f.position)
	}
	if f.seen == nil {
		f.seen = map[event]bool{}
	}
	var marked uint64
	for _, e := range events {
		r := e.Object.Revision
		if e.Type == "BOOKMARK" {
			f.bookmark(r, e.End && w.Initial)
			marked, f.position = max(marked, r), max(f.position, r)
			continue
		}
		id := event{e.Object.Key, r}
		switch {
		case f.seen[id]:
			f.report("unique", "%s %s at %d comes again", e.Type, e.Object.Key, r)
			continue
		case r <= marked:
			f.report("truthful", "%s %s at %d comes after a bookmark at %d", e.Type, e.Object.Key, r, marked)
		case r <= f.position:
			f.report("ordered", "%s %s at %d comes after %d", e.Type, e.Object.Key, r, f.position)
		}
		f.seen[id] = true
		f.events = append(f.events, e)
		f.position = max(f.position, r)
	}
	if w.Expired {
		f.expired()
	}
}

// initial takes the initial events of a watch for a list. It returns what follows, nil if they never ended.
func (f *follower) initial(w *Watch) []Event {
	for i, e := range w.Events {
		switch {
		case e.Type == "BOOKMARK" && e.End:
			f.finish(f.position)
			items := make([]Object, 0, i)
			for _, e := range w.Events[:i] {
				items = append(items, e.Object)
			}
			f.begin(e.Object.Revision, items)
			return append([]Event{}, w.Events[i+1:]...)
		case e.Type != "ADDED":
			f.report("ordered", "%s %s at %d among the initial events", e.Type, e.Object.Key, e.Object.Revision)
			return nil
		}
	}
	return nil
}

func (f *follower) bookmark(revision uint64, second bool) {
	switch {
	case second:
		f.report("truthful", "a second end of the initial events, at %d", revision)
	case revision < f.position:
		f.report("truthful", "a bookmark at %d comes after %d", revision, f.position)
	case revision > f.history.Last:
		f.report("truthful", "a bookmark at %d, and %d was the last revision", revision, f.history.Last)
	}
}

// expired: a client may be refused its last revision only where history was lost. Weir spares its own even that, but
// for revisions within the gap.
func (f *follower) expired() {
	f.gone = true
	for _, g := range f.history.Gaps {
		if f.position < g.To && (!f.client.Spared || f.position > g.From) {
			return
		}
	}
	f.report("resumable", "410 at revision %d", f.position)
}

// finish compares the events since the base with the truth, up to a revision that they must reach.
func (f *follower) finish(to uint64) {
	if !f.based {
		return
	}
	if f.gone {
		to = f.position
	}
	f.based = false
	at, got := f.base, f.events
	for _, g := range f.history.Gaps {
		if g.To <= at || g.From >= to {
			continue
		}
		var ok bool
		if from := max(at, g.From); from > at {
			if got, ok = f.exactly(at, from, got); !ok {
				return
			}
			at = from
		}
		if to < g.To {
			return // The state at its end cannot be known.
		}
		if got, ok = f.inSum(at, g.To, got); !ok {
			return
		}
		at = g.To
	}
	f.exactly(at, to, got)
}

// exactly wants each event behind `from` up to `to`, and returns the ones behind.
func (f *follower) exactly(from, to uint64, got []Event) (rest []Event, ok bool) {
	want := f.truth.seen(from, to, f.client.Selector)
	n := 0
	for n < len(got) && got[n].Object.Revision <= to {
		n++
	}
	for i := range max(n, len(want)) {
		switch {
		case i >= n:
			return nil, f.incomplete("%s is missing, behind %d of %d events between %d and %d", name(want[i]), i, len(want), from, to)
		case i >= len(want):
			return nil, f.incomplete("%s never happened", name(got[i]))
		case !equal(got[i], want[i]):
			return nil, f.incomplete("%s, %s, should be %s, %s", name(got[i]), describe(got[i].Object), name(want[i]), describe(want[i].Object))
		}
	}
	return got[n:], true
}

// incomplete is false.
func (f *follower) incomplete(format string, args ...any) bool {
	f.report("complete", format, args...)
	return false
}

func name(e Event) string { return fmt.Sprintf("%s %s at %d", e.Type, e.Object.Key, e.Object.Revision) }

// inSum judges the events of a gap: each as it was up to some revision; from there to another one the net change, each
// object at most deleted and made again; and then each as it was. Which revisions those are only the events tell.
func (f *follower) inSum(from, to uint64, got []Event) (rest []Event, ok bool) {
	n := 0
	for n < len(got) && got[n].Object.Revision <= to {
		n++
	}
	got, rest = got[:n], got[n:]
	now, want, got := f.asFarAsTrue(from, to, got)
	longest := 0
	for longest < min(len(got), len(want)) && equal(got[len(got)-1-longest], want[len(want)-1-longest]) {
		longest++
	}
	problem := ""
	for n := longest; n >= 0; n-- { // The true one may be shorter: a net change can look like the last event.
		end := to
		if n > 0 {
			end = want[len(want)-n].Object.Revision - 1
		}
		text := netProblem(maps.Clone(now), f.truth.at(end, f.client.Selector), got[:len(got)-n])
		if text == "" {
			return rest, true
		}
		if problem == "" {
			problem = fmt.Sprintf("in the gap from %d to %d, for the part up to %d: %s", from, to, end, text)
		}
	}
	return nil, f.incomplete("%s", problem)
}

// asFarAsTrue takes away what is as it was from the beginning on, of what should and of what did come, and gives the
// state behind it. A client that has listed within the gap may have only its list to start from.
func (f *follower) asFarAsTrue(from, to uint64, got []Event) (now state, want, rest []Event) {
	now, want = f.truth.at(from, f.client.Selector), f.truth.seen(from, to, f.client.Selector)
	if from == f.base && now.difference(f.items) != "" {
		now = state{}
		for _, o := range f.items {
			now[o.Key] = o
		}
		return now, want, got
	}
	for len(got) > 0 && len(want) > 0 && equal(got[0], want[0]) {
		now.apply(got[0])
		got, want = got[1:], want[1:]
	}
	return now, want, got
}

func equal(a, b Event) bool { return a.Type == b.Type && same(a.Object, b.Object) }

// netProblem is "" if the events lead from one state to the other by the net change.
func netProblem(now, last state, events []Event) string {
	for _, e := range events {
		old, had := now[e.Object.Key]
		final, stays := last[e.Object.Key]
		switch {
		case e.Type == "DELETED" && (!had || old.UID != e.Object.UID || !sameContent(old, e.Object)):
			return fmt.Sprintf("%s, %s, which was %s", name(e), describe(e.Object), describeIf(old, had))
		case e.Type == "DELETED" && stays && final.UID == old.UID:
			return fmt.Sprintf("%s, which stays %s", name(e), describe(final))
		case e.Type == "ADDED" && had, e.Type == "MODIFIED" && (!had || old.UID != e.Object.UID):
			return fmt.Sprintf("%s, %s, which was %s", name(e), describe(e.Object), describeIf(old, had))
		case e.Type != "DELETED" && (!stays || !same(final, e.Object)):
			return fmt.Sprintf("%s, %s, which should be %s", name(e), describe(e.Object), describeIf(final, stays))
		}
		now.apply(e)
	}
	for key, o := range now {
		if final, stays := last[key]; !stays || !same(final, o) {
			return fmt.Sprintf("%s is left %s, and should be %s", key, describe(o), describeIf(final, stays))
		}
	}
	for key, o := range last {
		if _, have := now[key]; !have {
			return fmt.Sprintf("%s, %s, is missing", key, describe(o))
		}
	}
	return ""
}

func describeIf(o Object, there bool) string {
	if !there {
		return "not there"
	}
	return describe(o)
}
