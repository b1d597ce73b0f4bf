package exchange

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Protobuf is the media type.
const Protobuf = "application/vnd.kubernetes.protobuf"

// A Stream is a watch that was read to its end.
type Stream struct {
	Status   int
	Header   http.Header
	Events   []Event // Without bookmarks.
	Marks    []Mark
	Initial  int // Events before the bookmark that ends the initial ones; -1 without it.
	Duration time.Duration
	Err      error // Of the transport, or of a stream that broke off or ended within an event.
}

// An Event of a watch: the line or frame as it came, and what all events have.
type Event struct {
	Raw      []byte
	Type     string
	Kind     string
	Version  string // apiVersion.
	Revision uint64 // 0 if it has none.
	Object   []byte // The object in its own encoding.
	ends     bool   // It is the bookmark behind the initial events.
}

// A Mark is a bookmark and its place: how many events came before it.
type Mark struct {
	Event
	After int
}

// ReadWatch reads a watch until the server ends it, at most for `limit`, which is then its end in order. `opened` is
// called once, when the headers are there or will never be.
func ReadWatch(c *Caller, r Request, limit time.Duration, opened func()) Stream {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s := Stream{Initial: -1}
	start := time.Now()
	response, err := c.openWatch(ctx, r)
	opened()
	if err != nil {
		s.Err = err
		return s
	}
	defer response.Body.Close()
	s.Status, s.Header = response.StatusCode, response.Header
	body, err := io.ReadAll(response.Body)
	if s.Duration = time.Since(start); err != nil && ctx.Err() == nil {
		s.Err = err
		return s
	}
	s.take(body, ctx.Err() != nil)
	return s
}

// openWatch asks again what flow control sheds.
func (c *Caller) openWatch(ctx context.Context, r Request) (*http.Response, error) {
	for n := 0; ; n++ {
		response, err := c.Open(ctx, r)
		if err != nil || n == 10 || response.StatusCode != http.StatusTooManyRequests {
			return response, err
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if !isShed(response.StatusCode, body) {
			response.Body = io.NopCloser(bytes.NewReader(body))
			return response, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// take cuts a body into events. One that was cut by us may end anywhere.
func (s *Stream) take(body []byte, cut bool) {
	var err error
	if body, err = decompressed(s.Header, body); err != nil && !cut {
		s.Err = err
		return
	}
	if s.Status != http.StatusOK {
		s.Events = []Event{{Raw: body}}
		return
	}
	split, parse := SplitLines, parseLine
	if strings.HasPrefix(s.Header.Get("Content-Type"), Protobuf) {
		split, parse = SplitFrames, parseFrame
	}
	pieces := split(body)
	for i, piece := range pieces {
		if len(piece) == 0 {
			continue
		}
		e, ok := parse(piece)
		if !ok {
			if last := i == len(pieces)-1; !last || !cut {
				s.Err = fmt.Errorf("no event, or a part of one: %s", Excerpt(piece, 0))
			}
			return
		}
		if e.Type != "BOOKMARK" {
			s.Events = append(s.Events, e)
			continue
		}
		if e.ends {
			s.Initial = len(s.Events)
		}
		s.Marks = append(s.Marks, Mark{Event: e, After: len(s.Events)})
	}
}

// SplitLines cuts behind each line; the last piece is empty unless a line is cut.
func SplitLines(body []byte) [][]byte { return bytes.SplitAfter(body, []byte("\n")) }

// SplitFrames cuts behind each length-delimited frame; the last piece is empty unless a frame is cut.
func SplitFrames(body []byte) [][]byte {
	var frames [][]byte
	for len(body) >= 4 {
		n := int(binary.BigEndian.Uint32(body)) + 4
		if n > len(body) {
			break
		}
		frames = append(frames, body[:n])
		body = body[n:]
	}
	return append(frames, body)
}

const endOfInitialEvents = "k8s.io/initial-events-end"

func parseLine(line []byte) (Event, bool) {
	var e struct {
		Type   string
		Object json.RawMessage
	}
	var object struct {
		Kind, APIVersion string
		Metadata         struct {
			ResourceVersion string
			Annotations     map[string]string
		}
	}
	if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &e) != nil || json.Unmarshal(e.Object, &object) != nil {
		return Event{}, false
	}
	revision, _ := strconv.ParseUint(object.Metadata.ResourceVersion, 10, 64)
	return Event{
		Raw: line, Type: e.Type, Kind: object.Kind, Version: object.APIVersion, Revision: revision, Object: e.Object,
		ends: object.Metadata.Annotations[endOfInitialEvents] == "true",
	}, true
}

// parseFrame reads WatchEvent {1: type, 2: RawExtension {1: envelope}}. ObjectMeta is field 1 of every object, with the
// revision as its field 6 and the annotations as field 12.
func parseFrame(frame []byte) (Event, bool) {
	if len(frame) < 4 || int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
		return Event{}, false
	}
	kindOfEvent, ok := lookUp(frame[4:], 1)
	object, fine := lookUp(frame[4:], 2, 1)
	if !ok || !fine || !isEnvelope(object) {
		return Event{}, false
	}
	version, _ := lookUp(object[4:], 1, 1)
	kind, _ := lookUp(object[4:], 1, 2)
	meta, _ := lookUp(object[4:], 2, 1)
	text, _ := lookUp(meta, 6)
	revision, _ := strconv.ParseUint(string(text), 10, 64)
	end, _ := mapValue(meta, 12, endOfInitialEvents)
	return Event{
		Raw: frame, Type: string(kindOfEvent), Kind: string(kind), Version: string(version), Revision: revision, Object: object,
		ends: end == "true",
	}, true
}

// StreamDifferences is what differs between two streams of the same watch. Bookmarks are compared by what they say and
// not by when they come, but for the one that ends the initial events.
func StreamDifferences(r Request, upstream, weir Stream) []string {
	if upstream.Err != nil || weir.Err != nil {
		return []string{fmt.Sprintf("broken off: API server %v, Weir %v", upstream.Err, weir.Err)}
	}
	if upstream.Status != weir.Status {
		return []string{fmt.Sprintf("status: API server %d, Weir %d\n  API server %.300q\n  Weir       %.300q",
			upstream.Status, weir.Status, rawOf(upstream.Events, 0), rawOf(weir.Events, 0))}
	}
	found := HeaderDifferences(r, upstream.Header, weir.Header)
	if d := eventDifference(r, upstream.Events, weir.Events); d != "" {
		found = append(found, d)
	}
	if upstream.Initial != weir.Initial {
		found = append(found, fmt.Sprintf("the end of the initial events: API server after %d, Weir after %d (-1: none)", upstream.Initial, weir.Initial))
	}
	if d := durationDifference(r, upstream, weir); d != "" {
		found = append(found, d)
	}
	if !strings.Contains(r.Path, "allowWatchBookmarks") && len(weir.Marks) > 0 {
		found = append(found, fmt.Sprintf("a bookmark that nobody asked for: %q", weir.Marks[0].Raw))
	}
	if up, down := upstream.startRevision(), weir.startRevision(); down > up {
		found = append(found, fmt.Sprintf("the initial events are of revision %d at Weir, of %d at the API server", down, up))
	}
	return append(found, orderProblems(upstream, weir)...)
}

// startRevision is what the bookmark behind the initial events says. Both streams were opened at a quiet point, so that
// Weir's may be behind, as in a list, but not ahead.
func (s Stream) startRevision() uint64 {
	for _, mark := range s.Marks {
		if mark.ends {
			return mark.Revision
		}
	}
	return 0
}

// durationDifference: Weir's stream ends by its timeoutSeconds, or when the API server's has, at most two seconds later.
// One that ends by an error may have waited longer before: for a revision that did not come.
func durationDifference(r Request, up, down Stream) string {
	if up.Status != http.StatusOK || endedByError(down) {
		return ""
	}
	if d := down.Duration - up.Duration; d > 2*time.Second || (d < -300*time.Millisecond && down.Duration < r.timeout()) {
		return fmt.Sprintf("the API server ended after %s, Weir after %s", up.Duration, down.Duration)
	}
	return ""
}

func endedByError(s Stream) bool {
	n := len(s.Events)
	return n > 0 && s.Events[n-1].Type == "ERROR"
}

func eventDifference(r Request, up, down []Event) string {
	for i := range max(len(up), len(down)) {
		if i >= len(up) || i >= len(down) {
			return fmt.Sprintf("the API server sends %d events, Weir %d; after event %d\n  API server %.300q\n  Weir       %.300q",
				len(up), len(down), i, rawOf(up, i), rawOf(down, i))
		}
		if a, b := maskEvent(up[i]), maskEvent(down[i]); !equalBodies(r, a, b) {
			n := FirstDifference(a, b)
			return fmt.Sprintf("event %d differs at byte %d:\n  API server …%s\n  Weir       …%s", i, n, Excerpt(a, n), Excerpt(b, n))
		}
	}
	return ""
}

// maskEvent masks the Status in an error; every other event must be equal as it is. What follows Type in an event is
// not of protobuf's own making where lengths change with the text, so it is left out there.
func maskEvent(e Event) []byte {
	if e.Type == "ERROR" && isEnvelope(e.Object) {
		return slices.Concat([]byte(e.Type+" "), Mask(e.Object).Text)
	}
	if e.Type == "ERROR" || e.Type == "" {
		return Mask(e.Raw).Text
	}
	return e.Raw
}

// orderProblems: behind the initial events revisions rise. A bookmark's never falls, nothing at or below it comes
// after it, and it is of the watched type.
func orderProblems(up, down Stream) []string {
	var found []string
	var last, marked uint64
	next := 0
	for i := range len(down.Events) + 1 {
		for ; next < len(down.Marks) && down.Marks[next].After == i; next++ {
			mark := down.Marks[next]
			if mark.Revision < max(last, marked) || mark.Revision == 0 {
				found = append(found, fmt.Sprintf("a bookmark at %d behind an event at %d and a bookmark at %d: %q", mark.Revision, last, marked, mark.Raw))
			}
			if mark.ends && i != down.Initial {
				found = append(found, fmt.Sprintf("a second end of the initial events: %q", mark.Raw))
			}
			if len(up.Marks) > 0 && (mark.Kind != up.Marks[0].Kind || mark.Version != up.Marks[0].Version) {
				found = append(found, fmt.Sprintf("a bookmark of another type: API server %q, Weir %q", up.Marks[0].Raw, mark.Raw))
			}
			marked = mark.Revision
		}
		if i == len(down.Events) || down.Events[i].Type == "ERROR" {
			continue
		}
		if revision := down.Events[i].Revision; revision <= marked && revision != 0 {
			found = append(found, fmt.Sprintf("an event at %d behind a bookmark at %d: %.200q", revision, marked, down.Events[i].Raw))
		}
		last = max(last, down.Events[i].Revision)
	}
	return found
}

func rawOf(events []Event, i int) []byte {
	if i < len(events) {
		return events[i].Raw
	}
	return []byte("(end)")
}
