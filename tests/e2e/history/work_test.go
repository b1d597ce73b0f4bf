package history

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"weir.dev/e2e/exchange"
)

// A writer has objects of its own, so that it knows what it has made of them.
type writer struct {
	lab    *lab
	number int
	caller *exchange.Caller // Of Weir, or of the API server that nobody disturbs.
	direct *exchange.Caller // Of the latter, to look what became of a write without an answer.
	random *rand.Rand
	there  map[string]uint64 // By resource and key: the revision; absent if there is no such object.

	mu     sync.Mutex
	writes []Write
	newest map[string]uint64 // By resource.
}

const (
	countOfWriters = 5
	ownObjects     = 6 // Of each resource.
)

func (l *lab) newWriters() error {
	for i := range countOfWriters {
		w := &writer{lab: l, number: i, random: random(i), there: map[string]uint64{}, newest: map[string]uint64{}}
		var err error
		if w.direct, err = l.caller(l.replica); err != nil {
			return err
		}
		if w.caller = w.direct; i%2 == 0 {
			if w.caller, err = l.caller(l.weir.URL); err != nil {
				return err
			}
		}
		l.writers = append(l.writers, w)
	}
	return nil
}

func (w *writer) last(resource string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest[resource]
}

func (w *writer) run(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(10+w.random.IntN(60)) * time.Millisecond)
		w.write()
	}
}

// write creates, changes or deletes one of its objects.
func (w *writer) write() {
	r := resources[w.random.IntN(len(resources))]
	n := w.random.IntN(ownObjects)
	namespace, name := namespaces[n%len(namespaces)], fmt.Sprintf("w%d-%d", w.number, n/len(namespaces))
	key := namespace + "/" + name
	before, exists := w.there[r.name+" "+key]
	q := exchange.Request{Method: "POST", Path: r.in(namespace), Header: http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}}}
	deleted := false
	switch choice := w.random.IntN(10); {
	case !exists:
		q.Body = w.fresh(r, namespace, name)
	case choice < 2:
		q.Method, q.Path, deleted = "DELETE", q.Path+"/"+name, true
		q.Body = `{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}`
	case choice < 4 && r.hasNode:
		q.Path += "/" + name + "/binding"
		q.Body = fmt.Sprintf(`{"apiVersion":"v1","kind":"Binding","metadata":{"name":"%s","namespace":"%s"},"target":{"kind":"Node","name":"n1"}}`, name, namespace)
	default:
		q.Method, q.Path = "PATCH", q.Path+"/"+name
		q.Header.Set("Content-Type", "application/merge-patch+json")
		q.Body = fmt.Sprintf(`{"metadata":{"labels":{"app":"%s"},"annotations":{"n":"%d"}}}`, []string{"web", "nginx"}[w.random.IntN(2)], w.random.IntN(1<<30))
	}
	a := w.caller.Ask(q)
	end := w.lab.now()
	if a.Err != nil || a.Status >= 300 {
		w.look(r, namespace, name)
		return
	}
	var answer struct{ Metadata metadata }
	if err := json.Unmarshal(a.Body, &answer); err != nil {
		w.lab.log("writer %d: %v: %.200s", w.number, err, a.Body)
		return
	}
	o := answer.Metadata.object()
	switch {
	case deleted:
		delete(w.there, r.name+" "+key)
		w.note(Write{Resource: r.name, Key: key, Revision: before, Deleted: true, End: end})
	case o.Revision == 0: // A binding answers with a Status.
		w.look(r, namespace, name)
	default:
		w.there[r.name+" "+key] = o.Revision
		w.note(Write{Resource: r.name, Key: key, Revision: o.Revision, End: end})
	}
}

func (w *writer) fresh(r resource, namespace, name string) string {
	o := map[string]any{"apiVersion": r.apiVersion, "kind": r.kind, "metadata": map[string]any{
		"namespace": namespace, "name": name, "labels": map[string]any{"app": []string{"web", "nginx"}[w.random.IntN(2)]}}}
	if r.hasNode {
		o["spec"] = map[string]any{"containers": []any{map[string]any{"name": "c", "image": "example.com/c:1"}}}
	}
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // Literals.
	}
	return string(text)
}

// look finds out what became of an object.
func (w *writer) look(r resource, namespace, name string) {
	a := w.direct.Ask(exchange.Request{Path: r.in(namespace) + "/" + name})
	key := r.name + " " + namespace + "/" + name
	switch {
	case a.Err == nil && a.Status == http.StatusNotFound:
		delete(w.there, key)
	case a.Err == nil && a.Status == http.StatusOK:
		if o, err := fromJSON(a.Body); err == nil {
			w.there[key] = o.Revision
		}
	}
	time.Sleep(50 * time.Millisecond)
}

func (w *writer) note(one Write) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, one)
	w.newest[one.Resource] = max(w.newest[one.Resource], one.Revision)
}

// A reader asks for the latest state, or for one that is not older than what it has seen.
type reader struct {
	lab    *lab
	name   string
	caller *exchange.Caller
	random *rand.Rand
	accept string
	seen   map[string]uint64 // By resource.
	reads  []Read
}

func (l *lab) newReaders() error {
	for i, accept := range []string{"application/json", "application/json", "application/json", protobufType} {
		caller, err := l.caller(l.weir.URL)
		if err != nil {
			return err
		}
		l.readers = append(l.readers, &reader{lab: l, name: fmt.Sprintf("reader %d", i), caller: caller, random: random(1000 + i), accept: accept, seen: map[string]uint64{}})
	}
	return nil
}

func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(5+r.random.IntN(40)) * time.Millisecond)
		r.read()
	}
}

func (r *reader) read() {
	of := resources[r.random.IntN(len(resources))]
	if r.accept == protobufType && of.kind == "Note" {
		return
	}
	one := Read{Reader: r.name, Resource: of.name}
	query := ""
	if seen := r.seen[of.name]; seen > 0 && r.random.IntN(2) == 0 {
		one.NotOlder = seen
		query = fmt.Sprintf("?resourceVersion=%d", seen)
	}
	one.Begin = r.lab.now()
	var err error
	if r.random.IntN(2) == 0 {
		err = r.get(of, query, &one)
	} else {
		err = r.list(of, query, &one)
	}
	if one.End = r.lab.now(); err == nil {
		r.reads = append(r.reads, one)
	}
}

func (r *reader) ask(path string) exchange.Answer {
	return r.caller.Ask(exchange.Request{Path: path, Header: http.Header{"Accept": {r.accept}}})
}

func (r *reader) list(of resource, query string, one *Read) (err error) {
	if one.NotOlder > 0 {
		query += "&resourceVersionMatch=NotOlderThan"
	} else if r.random.IntN(4) == 0 {
		return r.pages(of, one)
	}
	one.Items, one.Revision, _, err = readList(r.ask(of.all() + query))
	if err == nil {
		r.seen[of.name] = max(r.seen[of.name], one.Revision)
	}
	return err
}

// pages reads a list in parts, all of one revision.
func (r *reader) pages(of resource, one *Read) error {
	token := ""
	for {
		items, revision, next, err := readList(r.ask(of.all() + "?limit=7&continue=" + token))
		if err != nil {
			return err
		}
		if one.Revision != 0 && revision != one.Revision {
			return fmt.Errorf("a page of %d after one of %d", revision, one.Revision)
		}
		one.Items, one.Revision, token = append(one.Items, items...), revision, next
		if token == "" {
			return nil
		}
	}
}

func (r *reader) get(of resource, query string, one *Read) error {
	n := r.random.IntN(ownObjects)
	namespace, name := namespaces[n%len(namespaces)], fmt.Sprintf("w%d-%d", r.random.IntN(countOfWriters), n/len(namespaces))
	one.Key = namespace + "/" + name
	a := r.ask(of.in(namespace) + "/" + name + query)
	switch {
	case a.Err != nil:
		return a.Err
	case a.Status == http.StatusNotFound:
		return nil
	case a.Status != http.StatusOK:
		return &statusError{a.Status, a.Body}
	}
	o, err := readObject(a)
	if err == nil {
		one.Items = []Object{o}
		r.seen[of.name] = max(r.seen[of.name], o.Revision)
	}
	return err
}
