package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// traffic counts an informer's requests and reads along in its watches.
type traffic struct {
	lists, watches, gone atomic.Int64
	broken               bool // Whether streams may end within an event: those of the API server do when it is killed.
	mu                   sync.Mutex
	problems             []string
}

const protobufType = "application/vnd.kubernetes.protobuf"

// configure makes a client ask in this form, and the traffic see its requests.
func (t *traffic) configure(config *rest.Config, f form) {
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	if f.protobuf {
		config.ContentType, config.AcceptContentTypes = protobufType, protobufType+",application/json"
	}
	t.broken = !f.cached()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if f.metadata && !f.protobuf { // The metadata client asks for protobuf first, whatever its configuration says.
				r = r.Clone(r.Context())
				r.Header.Set("Accept", withoutProtobuf(r.Header.Get("Accept")))
			}
			return t.see(next, r)
		})
	})
}

func withoutProtobuf(accept string) string {
	var kept []string
	for _, one := range strings.Split(accept, ",") {
		if !strings.HasPrefix(one, protobufType) {
			kept = append(kept, one)
		}
	}
	return strings.Join(kept, ",")
}

// see counts. A watch that begins with all objects is a list too; a LIST at an exact revision is the consistency
// detector's.
func (t *traffic) see(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	response, err := next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	if response.StatusCode == http.StatusGone {
		t.gone.Add(1)
	}
	if response.StatusCode != http.StatusOK || query.Get("resourceVersionMatch") == "Exact" {
		return response, nil
	}
	stream := query.Get("sendInitialEvents") == "true"
	if query.Get("watch") == "true" {
		t.watches.Add(1)
		body := &watchBody{ReadCloser: response.Body, traffic: t, path: r.URL.String(), initial: stream}
		body.protobuf = strings.HasPrefix(response.Header.Get("Content-Type"), protobufType)
		response.Body = body
	}
	if (stream || query.Get("watch") != "true") && query.Get("continue") == "" {
		t.lists.Add(1)
	}
	return response, nil
}

func (t *traffic) takeProblems() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problems
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watchBody checks that revisions rise strictly on one stream, and that the stream ends between two events. The initial
// events of a WatchList come in another order, none of them beyond the bookmark that ends them.
type watchBody struct {
	io.ReadCloser
	traffic  *traffic
	path     string
	protobuf bool
	initial  bool // Initial events are under way.
	rest     []byte
	last     uint64
}

func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.rest = append(b.rest, p[:n]...)
	for {
		frame, size := b.frame()
		if size == 0 {
			break
		}
		if e, problem := b.decode(frame); problem != nil {
			b.report("no event: %v: %.100q", problem, frame)
		} else {
			b.event(e)
		}
		b.rest = b.rest[size:]
	}
	if errors.Is(err, io.EOF) && len(b.rest) > 0 && !b.traffic.broken {
		b.report("the stream ended within an event: %.100q", b.rest)
	}
	return n, err
}

// frame is the first whole event in the rest, and the bytes that it takes there; none if those are 0.
func (b *watchBody) frame() (frame []byte, size int) {
	if !b.protobuf {
		line, _, found := bytes.Cut(b.rest, []byte("\n"))
		if !found {
			return nil, 0
		}
		return line, len(line) + 1
	}
	if len(b.rest) < 4 {
		return nil, 0
	}
	size = 4 + int(binary.BigEndian.Uint32(b.rest))
	if len(b.rest) < size {
		return nil, 0
	}
	return b.rest[4:size], size
}

// A watchEvent is what is looked at.
type watchEvent struct {
	Type   string
	Object struct {
		Code     int
		Metadata metav1.ObjectMeta
	}
}

func (b *watchBody) decode(frame []byte) (e watchEvent, err error) {
	if !b.protobuf {
		return e, json.Unmarshal(frame, &e)
	}
	var wrapped metav1.WatchEvent
	if err := wrapped.Unmarshal(frame); err != nil {
		return e, err
	}
	e.Type = wrapped.Type
	raw, found := bytes.CutPrefix(wrapped.Object.Raw, []byte("k8s\x00"))
	if !found {
		return e, errors.New("no magic number")
	}
	var unknown runtime.Unknown
	if err := unknown.Unmarshal(raw); err != nil {
		return e, err
	}
	if unknown.Kind == "Status" {
		var status metav1.Status
		err := status.Unmarshal(unknown.Raw)
		e.Object.Code = int(status.Code)
		return e, err
	}
	var partial metav1.PartialObjectMetadata // Every object has its metadata where this one has it.
	err = partial.Unmarshal(unknown.Raw)
	e.Object.Metadata = partial.ObjectMeta
	return e, err
}

func (b *watchBody) event(e watchEvent) {
	if e.Type == "ERROR" {
		if e.Object.Code == http.StatusGone {
			b.traffic.gone.Add(1)
		}
		return
	}
	rv, _ := strconv.ParseUint(e.Object.Metadata.ResourceVersion, 10, 64)
	ends := e.Type == "BOOKMARK" && e.Object.Metadata.Annotations[metav1.InitialEventsAnnotationKey] == "true"
	switch {
	case b.initial && !ends:
		if e.Type != "ADDED" {
			b.report("%s at %d among the initial events", e.Type, rv)
		}
		b.last = max(b.last, rv)
		return
	case b.initial:
		b.initial = false
	case ends:
		b.report("a second end of the initial events at %d", rv)
	}
	if rv < b.last || (rv == b.last && e.Type != "BOOKMARK") {
		b.report("%s at %d after %d", e.Type, rv, b.last)
	}
	b.last = rv
}

func (b *watchBody) report(format string, args ...any) {
	b.traffic.mu.Lock()
	defer b.traffic.mu.Unlock()
	b.traffic.problems = append(b.traffic.problems, b.path+": "+fmt.Sprintf(format, args...))
}
