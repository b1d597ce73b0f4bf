package history

import (
	"fmt"
	"sort"
)

// A truth is the API server's history of one resource, and its state at any revision.
type truth struct {
	startAt uint64
	start   []Object
	events  []Event
}

// state is what there is: objects by key.
type state map[string]Object

func newTruth(at uint64, start []Object, events []Event) (*truth, string) {
	last := at
	for _, e := range events {
		if e.Object.Revision <= last {
			return nil, fmt.Sprintf("revision %d comes after %d", e.Object.Revision, last)
		}
		last = e.Object.Revision
	}
	return &truth{at, start, events}, ""
}

// after is the index of the first event behind the revision.
func (t *truth) after(revision uint64) int {
	return sort.Search(len(t.events), func(i int) bool { return t.events[i].Object.Revision > revision })
}

// at is the whole state at a revision, as the selector sees it.
func (t *truth) at(revision uint64, selector Selector) state {
	s := state{}
	for _, o := range t.start {
		s[o.Key] = o
	}
	for _, e := range t.events[:t.after(revision)] {
		if e.Type == "DELETED" {
			delete(s, e.Object.Key)
		} else {
			s[e.Object.Key] = e.Object
		}
	}
	for key, o := range s {
		if !selector.Sees(o) {
			delete(s, key)
		}
	}
	return s
}

// events are what a watch with the selector is told of the changes behind `from`, up to `to`.
func (t *truth) seen(from, to uint64, selector Selector) []Event {
	before := t.at(from, Selector{})
	var seen []Event
	for _, e := range t.events[t.after(from):t.after(to)] {
		old, had := before[e.Object.Key]
		saw, sees := had && selector.Sees(old), e.Type != "DELETED" && selector.Sees(e.Object)
		if e.Type == "DELETED" {
			delete(before, e.Object.Key)
		} else {
			before[e.Object.Key] = e.Object
		}
		switch {
		case saw && sees:
			seen = append(seen, Event{Type: "MODIFIED", Object: e.Object})
		case sees:
			seen = append(seen, Event{Type: "ADDED", Object: e.Object})
		case saw: // The object as it was, with the revision of the change.
			old.Revision = e.Object.Revision
			seen = append(seen, Event{Type: "DELETED", Object: old})
		}
	}
	return seen
}

// same tells whether two saw the same object in the same state.
func same(a, b Object) bool {
	return a.Key == b.Key && a.UID == b.UID && a.Revision == b.Revision && sameContent(a, b)
}

func sameContent(a, b Object) bool { return a.Digest == b.Digest || a.Digest == 0 || b.Digest == 0 }

// difference of a list from the state that it should be; "" for none.
func (s state) difference(items []Object) string {
	seen := map[string]bool{}
	last := ""
	for _, o := range items {
		want, ok := s[o.Key]
		switch {
		case seen[o.Key]:
			return fmt.Sprintf("%s is there twice", o.Key)
		case o.Key < last:
			return fmt.Sprintf("%s comes after %s", o.Key, last)
		case !ok:
			return fmt.Sprintf("%s at %d should not be there", o.Key, o.Revision)
		case !same(want, o):
			return fmt.Sprintf("%s is %s, not %s", o.Key, describe(o), describe(want))
		}
		seen[o.Key], last = true, o.Key
	}
	for key, want := range s {
		if !seen[key] {
			return fmt.Sprintf("%s, %s, is missing", key, describe(want))
		}
	}
	return ""
}

func describe(o Object) string {
	return fmt.Sprintf("at %d (uid %s, content %x)", o.Revision, o.UID, o.Digest)
}
