package history

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir.dev/e2e/exchange"
)

// A witness watches one resource at the API server that nobody disturbs.
type witness struct {
	startAt uint64
	start   []Object
	mu      sync.Mutex
	events  []Event
	err     error
}

func (l *lab) newWitness(r resource) (*witness, error) {
	caller, err := l.caller(l.replica)
	if err != nil {
		return nil, err
	}
	w := &witness{}
	if err := waitFor("the replica to serve "+r.name, func() bool {
		w.start, w.startAt, _, err = readList(caller.Ask(exchange.Request{Path: r.all()}))
		return err == nil
	}); err != nil {
		return nil, err
	}
	body, _, err := openWatch(context.Background(), caller, r.all()+fmt.Sprintf("?watch=1&timeoutSeconds=3600&resourceVersion=%d", w.startAt), "application/json")
	if err != nil {
		return nil, err
	}
	go func() {
		err := eachEvent(body, false, func(e Event, code int) error {
			if code != 0 {
				return fmt.Errorf("error %d", code)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
			return nil
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = err
	}()
	return w, nil
}

func (w *witness) at() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return w.startAt
	}
	return w.events[len(w.events)-1].Object.Revision
}

func (w *witness) whole() *truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &truth{w.startAt, w.start, w.events[:len(w.events):len(w.events)]}
}

// openWatch returns the stream once it has begun, or a statusError.
func openWatch(ctx context.Context, caller *exchange.Caller, path, accept string) (body io.ReadCloser, protobuf bool, err error) {
	response, err := caller.Open(ctx, exchange.Request{Path: path, Header: http.Header{"Accept": {accept}}})
	if err != nil {
		return nil, false, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		response.Body.Close()
		return nil, false, &statusError{response.StatusCode, text}
	}
	return response.Body, strings.HasPrefix(response.Header.Get("Content-Type"), exchange.Protobuf), nil
}

// eachEvent calls f for each whole event until the stream ends or f fails. A part of one at the end is nothing.
func eachEvent(body io.ReadCloser, protobuf bool, f func(e Event, code int) error) error {
	defer body.Close()
	reader := bufio.NewReaderSize(body, 64<<10)
	for {
		raw, err := nextEvent(reader, protobuf)
		if err != nil {
			return err
		}
		e, code, err := readEvent(raw, protobuf)
		if err != nil {
			return fmt.Errorf("%w: %.200q", errNoEvent, raw)
		}
		if err := f(e, code); err != nil {
			return err
		}
	}
}

var errNoEvent = errors.New("not an event")

func nextEvent(reader *bufio.Reader, protobuf bool) ([]byte, error) {
	if !protobuf {
		return reader.ReadBytes('\n')
	}
	head, err := reader.Peek(4)
	if err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(head))
	_, err = io.ReadFull(reader, frame)
	return frame, err
}

// A client lists and watches like an informer: from where it was, after whatever interrupts it. It records every step.
type client struct {
	Client
	lab       *lab
	caller    *exchange.Caller
	random    *rand.Rand
	accept    string // Of lists and watches.
	listAs    string
	bookmarks bool
	initial   bool // It starts with initial events instead of a list.
	aside     bool // It looks aside at times.
	based     bool
	position  atomic.Uint64
}

const (
	protobufType  = exchange.Protobuf
	partialJSON   = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	partialLists  = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	protobufMeta  = protobufType + ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	protobufMetas = protobufType + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// startClients makes the clients: each resource with each selector, and some in other forms.
func (l *lab) startClients(ctx context.Context) error {
	selectors := []Selector{{}, {}, {Namespace: "h"}, {Label: "app", LabelValue: "web"}, {Namespace: "h-a", Label: "app", LabelValue: "nginx"}, {Namespace: "h0", Name: "w0-1"}}
	for _, r := range resources {
		of := append([]Selector{}, selectors...)
		if r.hasNode {
			of = append(of, Selector{ByField: true, Field: "n1"}, Selector{ByField: true, Field: ""})
		}
		for i, s := range of {
			for _, c := range l.clientsFor(r, s, i) {
				if err := l.launch(ctx, c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// A form is how a client asks: by lists, or by initial events.
type form struct {
	name                string
	accept, listAs      string
	initial             bool
	ofCustom, ofBuiltIn bool // Which resources have it.
}

var forms = []form{
	{"JSON", "application/json", "application/json", false, true, true},
	{"JSON, initial events", "application/json", "", true, true, true},
	{"protobuf", protobufType, protobufType, false, false, true},
	{"protobuf, initial events", protobufType, "", true, false, true},
	{"metadata", partialJSON, partialLists, false, true, true},
	{"metadata in protobuf", protobufMeta, protobufMetas, false, true, true},
	{"metadata in protobuf, initial events", protobufMeta, "", true, true, true},
}

// clientsFor gives each selector a client in JSON, and in two of the other forms in turn; what sees everything has all.
func (l *lab) clientsFor(r resource, s Selector, i int) []*client {
	var all []*client
	for n, f := range forms {
		if has := f.ofBuiltIn && r.kind != "Note" || f.ofCustom && r.kind == "Note"; !has {
			continue
		}
		if n > 0 && i > 0 && (n+i)%3 != 0 {
			continue
		}
		c := &client{lab: l, accept: f.accept, listAs: f.listAs, initial: f.initial, bookmarks: f.initial || i%2 == 1, aside: !f.initial && i%2 == 0}
		c.Client = Client{Name: fmt.Sprintf("%s %+v %s %d", r.name, s, f.name, i), Resource: r.name, Selector: s, Spared: !selfCheck}
		all = append(all, c)
	}
	return all
}

func (l *lab) launch(ctx context.Context, c *client) error {
	var err error
	if c.caller, err = l.caller(l.weir.URL); err != nil {
		return err
	}
	c.random = random(100 + len(l.clients))
	l.clients = append(l.clients, c)
	l.group.Go(func() {
		defer c.caller.Close()
		for ctx.Err() == nil {
			c.step(ctx)
		}
	})
	return nil
}

func (c *client) at() uint64 { return c.position.Load() }

// step is a list, if there is nothing to go on from, or else a watch, and now and then a look aside.
func (c *client) step(ctx context.Context) {
	switch {
	case !c.based && c.initial:
		c.watch(ctx, true)
	case !c.based:
		c.list(true)
	default:
		c.watch(ctx, false)
		if c.based && c.aside && c.random.IntN(3) == 0 {
			c.list(false)
		}
	}
}

func (c *client) path(parameters ...string) string {
	r := resourceNamed(c.Resource)
	path := r.all()
	if c.Selector.Namespace != "" {
		path = r.in(c.Selector.Namespace)
	}
	if c.Selector.Label != "" {
		parameters = append(parameters, "labelSelector="+url.QueryEscape(c.Selector.Label+"="+c.Selector.LabelValue))
	}
	if c.Selector.Name != "" {
		parameters = append(parameters, "fieldSelector="+url.QueryEscape("metadata.name="+c.Selector.Name))
	}
	if c.Selector.ByField {
		parameters = append(parameters, "fieldSelector="+url.QueryEscape("spec.nodeName="+c.Selector.Field))
	}
	return path + "?" + strings.Join(parameters, "&")
}

// list takes the first base from any state, later ones from the latest, and looks aside at what is not older than what
// it has.
func (c *client) list(base bool) {
	path := c.path("resourceVersion=0")
	if base && c.at() > 0 {
		path = c.path()
	} else if !base {
		path = c.path(fmt.Sprintf("resourceVersion=%d", c.at()), "resourceVersionMatch=NotOlderThan")
	}
	items, revision, _, err := readList(c.caller.Ask(exchange.Request{Path: path, Header: http.Header{"Accept": {c.listAs}}}))
	if err != nil {
		c.pause()
		return
	}
	c.Steps = append(c.Steps, Step{List: &List{Base: base, Revision: revision, Items: items}})
	if base {
		c.based = true
		c.position.Store(revision)
	}
}

func (c *client) pause() { time.Sleep(time.Duration(20+c.random.IntN(150)) * time.Millisecond) }

var errExpired = errors.New("410")

// watch goes on from the last revision until something ends it: the time it asked for, itself, or a fault.
func (c *client) watch(ctx context.Context, initial bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(500+c.random.IntN(9000))*time.Millisecond)
	defer cancel()
	parameters := []string{"watch=1", fmt.Sprintf("timeoutSeconds=%d", 1+c.random.IntN(8))}
	if initial {
		parameters = append(parameters, "sendInitialEvents=true", "resourceVersionMatch=NotOlderThan")
	} else {
		parameters = append(parameters, fmt.Sprintf("resourceVersion=%d", c.at()))
	}
	if c.bookmarks {
		parameters = append(parameters, "allowWatchBookmarks=true")
	}
	body, protobuf, err := openWatch(ctx, c.caller, c.path(parameters...), c.accept)
	var refused *statusError
	if errors.As(err, &refused) && refused.status == http.StatusGone {
		c.Steps = append(c.Steps, Step{Watch: &Watch{From: c.at(), Expired: true}})
		c.based = false
		return
	}
	if err != nil {
		c.pause()
		return
	}
	w := &Watch{From: c.at(), Initial: initial}
	err = eachEvent(body, protobuf, func(e Event, code int) error { return c.take(w, e, code) })
	if errors.Is(err, errNoEvent) {
		c.lab.log("%s: %v", c.Name, err)
	}
	if w.Expired = errors.Is(err, errExpired); w.Expired {
		c.based = false
	}
	c.Steps = append(c.Steps, Step{Watch: w})
}

// take records an event. What comes before the end of the initial events is no position to go on from.
func (c *client) take(w *Watch, e Event, code int) error {
	switch {
	case code == http.StatusGone:
		return errExpired
	case code != 0:
		return fmt.Errorf("error %d", code)
	}
	w.Events = append(w.Events, e)
	if w.Initial && !c.based {
		if !e.End {
			return nil
		}
		c.based = true
	}
	c.position.Store(max(c.at(), e.Object.Revision))
	return nil
}
