package history

import (
	"cmp"
	"slices"
	"time"
)

// reads judges the readers: whether an answer is true, and whether it is new enough.
func (c *checker) reads() {
	acks := c.acknowledged()
	for i := range c.history.Reads {
		r := &c.history.Reads[i]
		t := c.truths[r.Resource]
		if t == nil {
			c.report("truth", r.Reader, "no history of %q", r.Resource)
			continue
		}
		if r.Key != "" {
			c.get(r, t, acks)
			continue
		}
		if !c.inGap(r.Revision) {
			if d := t.at(r.Revision, Selector{}).difference(r.Items); d != "" {
				c.report("true", r.Reader, "the list at %d: %s", r.Revision, d)
			}
		}
		if r.Revision < r.NotOlder {
			c.report("fresh", r.Reader, "a list not older than %d is of %d", r.NotOlder, r.Revision)
		}
		if w := acks.before(r.Resource, r.Begin); r.NotOlder == 0 && r.Revision < w {
			c.report("fresh", r.Reader, "a list at %d began after the write at %d was acknowledged", r.Revision, w)
		}
	}
}

// acknowledged has, for each resource and for each object ("resource key"), the writes by the time when their answer
// was there, each with the highest revision up to then.
type acknowledged map[string][]ack

type ack struct {
	end      time.Duration
	revision uint64
}

func (c *checker) acknowledged() acknowledged {
	a := acknowledged{}
	for i := range c.history.Writes {
		w := &c.history.Writes[i]
		if t := c.truths[w.Resource]; t != nil {
			one := ack{w.End, revisionOf(w, t)}
			a[w.Resource] = append(a[w.Resource], one)
			a[w.Resource+" "+w.Key] = append(a[w.Resource+" "+w.Key], one)
		}
	}
	for _, all := range a {
		slices.SortFunc(all, func(x, y ack) int { return cmp.Compare(x.end, y.end) })
		for i := range all[1:] {
			all[i+1].revision = max(all[i+1].revision, all[i].revision)
		}
	}
	return a
}

// before is the highest revision that was acknowledged before the time.
func (a acknowledged) before(what string, begin time.Duration) uint64 {
	all := a[what]
	n, _ := slices.BinarySearchFunc(all, begin, func(one ack, begin time.Duration) int { return cmp.Compare(one.end, begin) })
	if n == 0 {
		return 0
	}
	return all[n-1].revision
}

// revisionOf a write. A deletion's answer has none; it is the next one of the object that was deleted.
func revisionOf(w *Write, t *truth) uint64 {
	if !w.Deleted {
		return w.Revision
	}
	for _, e := range t.events[t.after(w.Revision):] {
		if e.Object.Key == w.Key && e.Type == "DELETED" {
			return e.Object.Revision
		}
	}
	return w.Revision
}

// get wants the object in a state that it had at the acknowledged revision, or later.
func (c *checker) get(r *Read, t *truth, acks acknowledged) {
	from := r.NotOlder
	if from == 0 {
		from = acks.before(r.Resource+" "+r.Key, r.Begin)
	}
	fits := func(o Object, there bool) bool {
		return there == (len(r.Items) == 1) && (!there || same(o, r.Items[0]))
	}
	o, there := t.at(from, Selector{})[r.Key]
	if fits(o, there) {
		return
	}
	for _, e := range t.events[t.after(from):] {
		if e.Object.Key == r.Key && fits(e.Object, e.Type != "DELETED") {
			return
		}
	}
	got := "nothing"
	if len(r.Items) == 1 {
		got = describe(r.Items[0])
	}
	c.report("fresh", r.Reader, "a GET of %s gives %s, which it was neither at %d nor later", r.Key, got, from)
}
