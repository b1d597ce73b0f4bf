package exchange

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func token(rv int64, start string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"v":"meta.k8s.io/v1","rv":%d,"start":"%s\u0000"}`, rv, start)))
}

// message joins fields: number, value, number, value …
func message(parts ...any) []byte {
	var out []byte
	for i := 0; i < len(parts); i += 2 {
		value := fmt.Append(nil, parts[i+1])
		if b, ok := parts[i+1].([]byte); ok {
			value = b
		}
		out = binary.AppendUvarint(out, uint64(parts[i].(int)<<3|lengthDelimited))
		out = binary.AppendUvarint(out, uint64(len(value)))
		out = append(out, value...)
	}
	return out
}

func envelope(kind string, raw []byte) string {
	return envelopeMagic + string(message(1, message(1, "v1", 2, kind), 2, raw, 3, "", 4, ""))
}

func protobufList(revision, token string, items ...string) string {
	meta := message(1, "", 2, revision, 3, token)
	list := message(1, meta)
	for _, item := range items {
		list = append(list, message(2, item)...)
	}
	return envelope("PodList", list)
}

func jsonList(revision int64, rest string) string {
	return fmt.Sprintf(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"%d"%s},"items":[]}`+"\n", revision, rest)
}

func customList(revision int64, token, items string) string {
	return fmt.Sprintf(`{"apiVersion":"a.example.com/v1","items":[%s],"kind":"GadgetList","metadata":{"continue":"%s","resourceVersion":"%d"}}`+"\n", items, token, revision)
}

// One that holds is masked on purpose; one that differs must never be.
var bodies = []struct {
	name, path, up, down string
	equal                bool
}{
	{name: "the same", up: "x", down: "x", equal: true},
	{name: "not the same", up: "x", down: "y"},
	{name: "a list behind", up: jsonList(12, ""), down: jsonList(9, ""), equal: true},
	{name: "a list ahead", up: jsonList(12, ""), down: jsonList(13, "")},
	{name: "a list behind where the request names the revision", path: "/api/v1/pods?resourceVersion=12&resourceVersionMatch=Exact", up: jsonList(12, ""), down: jsonList(9, "")},
	{name: "a list behind where the legacy rule names the revision", path: "/api/v1/pods?resourceVersion=12&limit=1", up: jsonList(12, ""), down: jsonList(9, "")},
	{name: "a page behind", path: "/api/v1/pods?limit=1&continue=" + token(12, "a/x"), up: jsonList(12, ""), down: jsonList(9, "")},
	{name: "a page of the latest state, behind", path: "/api/v1/pods?limit=1&continue=" + token(-1, "a/x"), up: jsonList(12, ""), down: jsonList(9, ""), equal: true},
	{name: "remaining items", up: jsonList(12, `,"remainingItemCount":2`), down: jsonList(12, `,"remainingItemCount":3`)},
	{name: "another kind of list", up: jsonList(12, ""), down: strings.Replace(jsonList(12, ""), "PodList", "NodeList", 1)},
	{name: "tokens with their lists' revisions, one with a slash",
		up: jsonList(12, `,"continue":"`+token(12, "/a/x")+`"`), down: jsonList(9, `,"continue":"`+token(9, "a/x")+`"`), equal: true},
	{name: "a token of another key", up: jsonList(12, `,"continue":"`+token(12, "/a/x")+`"`), down: jsonList(12, `,"continue":"`+token(12, "/a/y")+`"`)},
	{name: "a token of another revision than its list", up: jsonList(12, `,"continue":"`+token(12, "a/x")+`"`), down: jsonList(9, `,"continue":"`+token(12, "a/x")+`"`)},
	{name: "no token", up: jsonList(12, `,"continue":"`+token(12, "/a/x")+`"`), down: jsonList(12, "")},
	{name: "an indented list behind",
		up:    "{\n  \"kind\": \"PodList\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"resourceVersion\": \"12\"\n  },\n  \"items\": []\n}",
		down:  "{\n  \"kind\": \"PodList\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"resourceVersion\": \"9\"\n  },\n  \"items\": []\n}",
		equal: true},
	{name: "an indented list and one that is not", up: "{\n  \"kind\": \"PodList\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"resourceVersion\": \"12\"\n  },\n  \"items\": []\n}", down: jsonList(12, "")},
	{name: "a custom list behind", up: customList(12, "", ""), down: customList(9, "", ""), equal: true},
	{name: "a custom list with tokens", up: customList(12, token(12, "/a/x"), ""), down: customList(9, token(9, "/a/x"), ""), equal: true},
	{name: "a custom list of other items", up: customList(12, "", `{"a":1}`), down: customList(12, "", `{"a":2}`)},
	{name: "what looks like a list's metadata within an item", up: customList(12, "", `{"kind":"XList","metadata":{"continue":"","resourceVersion":"1"}}`),
		down: customList(12, "", `{"kind":"XList","metadata":{"continue":"","resourceVersion":"2"}}`)},
	{name: "a protobuf list behind, with fewer digits", up: protobufList("100", "", "item"), down: protobufList("99", "", "item"), equal: true},
	{name: "a protobuf list ahead", up: protobufList("99", "", "item"), down: protobufList("100", "", "item")},
	{name: "a protobuf list with tokens", up: protobufList("100", token(100, "/a/x"), "item"), down: protobufList("99", token(99, "a/x"), "item"), equal: true},
	{name: "a protobuf list with another token", up: protobufList("100", token(100, "/a/x"), "item"), down: protobufList("100", token(100, "a/y"), "item")},
	{name: "a protobuf list of other items", up: protobufList("100", "", "item"), down: protobufList("100", "", "iteM")},
	{name: "a protobuf list of more items", up: protobufList("100", "", "item"), down: protobufList("100", "", "item", "item")},
	{name: "a protobuf list without the empty fields behind", up: protobufList("100", "", "item"), down: strings.TrimSuffix(protobufList("100", "", "item"), "\x1a\x00\x22\x00")},
	{name: "a protobuf list with a longer length than needed", up: protobufList("100", "", "item"),
		down: strings.Replace(protobufList("100", "", "item"), "\x12\x04item", "\x12\x84\x00item", 1)},
	{name: "how far a server is", up: `Too large resource version: 9, current: 5`, down: `Too large resource version: 9, current: 4`, equal: true},
	{name: "which revision was too large", up: `Too large resource version: 9, current: 5`, down: `Too large resource version: 8, current: 5`},
	{name: "how old is too old", up: `too old resource version: 1 (5)`, down: `too old resource version: 1 (77)`, equal: true},
	{name: "how far a server is, in protobuf", up: envelope("Status", message(3, "Too large resource version: 9, current: 5")),
		down: envelope("Status", message(3, "Too large resource version: 9, current: 14")), equal: true},
	{name: "another message in protobuf", up: envelope("Status", message(3, "abc")), down: envelope("Status", message(3, "abd"))},
	{name: "ages in a table", up: `{"kind":"Table","cells":["x","1m59s"]}`, down: `{"kind":"Table","cells":["x","2m"]}`, equal: true},
	{name: "ages in a table in YAML", up: "apiVersion: meta.k8s.io/v1\ncolumnDefinitions: []\nrows:\n- cells:\n  - x\n  - 81s\n",
		down: "apiVersion: meta.k8s.io/v1\ncolumnDefinitions: []\nrows:\n- cells:\n  - x\n  - 82s\n", equal: true},
	{name: "another cell in a table in YAML", up: "apiVersion: meta.k8s.io/v1\ncolumnDefinitions: []\nrows:\n- cells:\n  - x\n  - 81s\n",
		down: "apiVersion: meta.k8s.io/v1\ncolumnDefinitions: []\nrows:\n- cells:\n  - y\n  - 81s\n"},
	{name: "another cell in a table", up: `{"kind":"Table","cells":["x","5s"]}`, down: `{"kind":"Table","cells":["y","5s"]}`},
	{name: "the time of a review", up: `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","metadata":{"creationTimestamp":"2026-01-01T00:00:01Z"},"status":{"userInfo":{"username":"a"}}}`,
		down: `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","metadata":{"creationTimestamp":"2026-01-01T00:00:02Z"},"status":{"userInfo":{"username":"a"}}}`, equal: true},
	{name: "the time of an access review", up: `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"managedFields":[{"manager":"a","time":"2026-01-01T00:00:01Z"}]},"status":{"allowed":true}}`,
		down: `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"managedFields":[{"manager":"a","time":"2026-01-01T00:00:02Z"}]},"status":{"allowed":true}}`, equal: true},
	{name: "another answer of an access review", up: `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"managedFields":[{"manager":"a","time":"2026-01-01T00:00:01Z"}]},"status":{"allowed":true}}`,
		down: `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{"managedFields":[{"manager":"a","time":"2026-01-01T00:00:01Z"}]},"status":{"allowed":false}}`},
	{name: "another user in a review", up: `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","metadata":{"creationTimestamp":"2026-01-01T00:00:01Z"},"status":{"userInfo":{"username":"a"}}}`,
		down: `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","metadata":{"creationTimestamp":"2026-01-01T00:00:01Z"},"status":{"userInfo":{"username":"b"}}}`},
	{name: "ages elsewhere", up: `{"kind":"Pod","cells":["5s"]}`, down: `{"kind":"Pod","cells":["6s"]}`},
	{name: "a custom resource's metadata alone, keys in another order", path: "/apis/a.example.com/v1/gadgets",
		up:    `{"kind":"PartialObjectMetadata","metadata":{"name":"a","labels":{"x":"y"}}}`,
		down:  `{"kind":"PartialObjectMetadata","metadata":{"labels":{"x":"y"},"name":"a"}}`,
		equal: true},
	{name: "a built-in one's, keys in another order", path: "/api/v1/pods",
		up:   `{"kind":"PartialObjectMetadata","metadata":{"name":"a","labels":{"x":"y"}}}`,
		down: `{"kind":"PartialObjectMetadata","metadata":{"labels":{"x":"y"},"name":"a"}}`},
	{name: "a custom resource's metadata alone, another value", path: "/apis/a.example.com/v1/gadgets",
		up:   `{"kind":"PartialObjectMetadata","metadata":{"name":"a","labels":{"x":"y"}}}`,
		down: `{"kind":"PartialObjectMetadata","metadata":{"labels":{"x":"z"},"name":"a"}}`},
}

func TestBodies(t *testing.T) {
	for _, row := range bodies {
		t.Run(row.name, func(t *testing.T) {
			of := func(body string) Answer { return Answer{Status: 200, Header: http.Header{}, Body: []byte(body)} }
			if d := Difference(Request{Path: row.path}, of(row.up), of(row.down)); (d == "") != row.equal {
				t.Errorf("said %q", d)
			}
		})
	}
}

func TestHeads(t *testing.T) {
	of := func(status int, pairs ...string) Answer {
		a := Answer{Status: status, Header: http.Header{}}
		for i := 0; i < len(pairs); i += 2 {
			a.Header.Add(pairs[i], pairs[i+1])
		}
		return a
	}
	broken := Answer{Err: errors.New("broken")}
	for _, row := range []struct {
		name     string
		up, down Answer
		equal    bool
	}{
		{"the same", of(200, "A", "b"), of(200, "A", "b"), true},
		{"another status", of(200), of(201), false},
		{"another value", of(200, "A", "b"), of(200, "A", "c"), false},
		{"one that is missing", of(200, "A", "b"), of(200), false},
		{"one too many", of(200), of(200, "A", "b"), false},
		{"one twice", of(200, "A", "b"), of(200, "A", "b", "A", "b"), false},
		{"a length", of(200, "Content-Length", "5"), of(200), true},
		{"other audit IDs", of(200, "Audit-Id", "a"), of(200, "Audit-Id", "b"), true},
		{"no audit ID", of(200, "Audit-Id", "a"), of(200), false},
		{"no compression", of(200, "Content-Encoding", "gzip", "Vary", "Accept-Encoding"), of(200), true},
		{"compression that upstream has not", of(200), of(200, "Content-Encoding", "gzip", "Vary", "Accept-Encoding"), false},
		{"compression without Vary", of(200, "Content-Encoding", "gzip", "Vary", "Accept-Encoding"), of(200, "Content-Encoding", "gzip"), false},
		{"both broken", broken, broken, true},
		{"one broken", of(200), broken, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if d := Difference(Request{}, row.up, row.down); (d == "") != row.equal {
				t.Errorf("said %q", d)
			}
		})
	}
}

func frame(kind, object string) string {
	event := message(1, kind, 2, message(1, object))
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(event)))) + string(event)
}

func podFrame(kind, revision string, end bool) string {
	meta := message(1, "x", 6, revision)
	if end {
		meta = append(meta, message(12, message(1, endOfInitialEvents, 2, "true"))...)
	}
	return frame(kind, envelope("Pod", message(1, meta)))
}

func podLine(kind, revision string, end bool) string {
	note := ""
	if end {
		note = `,"annotations":{"k8s.io/initial-events-end":"true"}`
	}
	return fmt.Sprintf(`{"type":"%s","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"%s"%s}}}`+"\n", kind, revision, note)
}

func TestStreams(t *testing.T) {
	const bookmarks = "/api/v1/pods?watch=1&allowWatchBookmarks=true"
	for _, row := range []struct {
		name, path string
		up, down   []string // ADDED 5, BOOKMARK 7, END 7; anything else as it is.
		problem    string
	}{
		{name: "the same", up: []string{"ADDED 5", "MODIFIED 6"}, down: []string{"ADDED 5", "MODIFIED 6"}},
		{name: "nothing", up: nil, down: nil},
		{name: "one fewer", up: []string{"ADDED 5", "MODIFIED 6"}, down: []string{"ADDED 5"}, problem: "sends 2 events"},
		{name: "one more", up: []string{"ADDED 5"}, down: []string{"ADDED 5", "MODIFIED 6"}, problem: "sends 1 events"},
		{name: "another order", up: []string{"ADDED 5", "ADDED 6"}, down: []string{"ADDED 6", "ADDED 5"}, problem: "event 0 differs"},
		{name: "another type", up: []string{"ADDED 5"}, down: []string{"MODIFIED 5"}, problem: "event 0 differs"},
		{name: "bookmarks at other places", path: bookmarks, up: []string{"ADDED 5", "BOOKMARK 9"}, down: []string{"BOOKMARK 4", "ADDED 5", "BOOKMARK 6", "BOOKMARK 7"}},
		{name: "a bookmark that lies", path: bookmarks, up: []string{"ADDED 5"}, down: []string{"BOOKMARK 5", "ADDED 5"}, problem: "an event at 5 behind a bookmark at 5"},
		{name: "a bookmark that falls", path: bookmarks, up: []string{"ADDED 5"}, down: []string{"BOOKMARK 4", "BOOKMARK 3", "ADDED 5"}, problem: "a bookmark at 3"},
		{name: "a bookmark below an event", path: bookmarks, up: []string{"ADDED 5"}, down: []string{"ADDED 5", "BOOKMARK 4"}, problem: "a bookmark at 4"},
		{name: "a bookmark without a revision", path: bookmarks, up: nil, down: []string{"BOOKMARK "}, problem: "a bookmark at 0"},
		{name: "a bookmark unasked", up: nil, down: []string{"BOOKMARK 4"}, problem: "nobody asked"},
		{name: "the end of the initial events, earlier", path: bookmarks, up: []string{"ADDED 7", "ADDED 5", "END 9"}, down: []string{"ADDED 7", "ADDED 5", "END 8"}},
		{name: "the end of the initial events, from the future", path: bookmarks, up: []string{"ADDED 5", "END 9"}, down: []string{"ADDED 5", "END 10"}, problem: "of revision 10 at Weir"},
		{name: "the end of the initial events, below one", path: bookmarks, up: []string{"ADDED 7", "END 9"}, down: []string{"ADDED 7", "END 6"}, problem: "a bookmark at 6"},
		{name: "the end of the initial events at another place", path: bookmarks, up: []string{"ADDED 5", "END 9", "ADDED 10"}, down: []string{"ADDED 5", "ADDED 10", "END 10"}, problem: "the end of the initial events"},
		{name: "no end of the initial events", path: bookmarks, up: []string{"ADDED 5", "END 9"}, down: []string{"ADDED 5"}, problem: "the end of the initial events"},
		{name: "two ends of the initial events", path: bookmarks, up: []string{"END 9", "ADDED 10"}, down: []string{"END 9", "ADDED 10", "END 11"}, problem: "the end of the initial events"},
		{name: "an event in two parts", up: []string{"ADDED 5"}, down: []string{"ADDED 5", "\x00"}, problem: "a part of one"},
	} {
		for _, form := range []string{"application/json", Protobuf + ";stream=watch"} {
			t.Run(row.name+" "+form[12:16], func(t *testing.T) {
				make := podLine
				if form != "application/json" {
					make = podFrame
				}
				up, down := streamOf(form, make, row.up), streamOf(form, make, row.down)
				got := strings.Join(StreamDifferences(Request{Path: row.path}, up, down), "\n")
				if (got == "") != (row.problem == "") || !strings.Contains(got, row.problem) {
					t.Errorf("said %q", got)
				}
			})
		}
	}
}

func streamOf(form string, make func(kind, revision string, end bool) string, events []string) Stream {
	body := ""
	for _, e := range events {
		kind, revision, spaced := strings.Cut(e, " ")
		switch {
		case !spaced:
			body += e
		case kind == "END":
			body += make("BOOKMARK", revision, true)
		default:
			body += make(kind, revision, false)
		}
	}
	s := Stream{Status: 200, Header: http.Header{"Content-Type": {form}}, Initial: -1}
	s.take([]byte(body), false)
	return s
}

// TestErrorEvents: the mask of an error is that of the same error as an answer, in both encodings.
func TestErrorEvents(t *testing.T) {
	status := func(oldest string) string {
		return envelope("Status", message(3, "too old resource version: 1 ("+oldest+")"))
	}
	a := Stream{Status: 200, Header: http.Header{"Content-Type": {Protobuf}}, Initial: -1}
	b := a
	a.take([]byte(frame("ERROR", status("9"))), false)
	b.take([]byte(frame("ERROR", status("10"))), false)
	if d := StreamDifferences(Request{}, a, b); len(d) > 0 {
		t.Error(d)
	}
	b.Events = nil
	b.take([]byte(frame("ERROR", envelope("Status", message(3, "too old resource version: 2 (9)")))), false)
	if d := StreamDifferences(Request{}, a, b); len(d) == 0 {
		t.Error("another error is taken for the same")
	}
}

// TestEditKeepsWhatItDoesNotChange: an edit that changes nothing gives the same bytes, or fails.
func TestEditKeepsWhatItDoesNotChange(t *testing.T) {
	body := []byte(protobufList("100", "", strings.Repeat("x", 300), ""))
	same, err := editEnvelope(body, []int{2, 1, 2}, func(value []byte) []byte { return value })
	if err != nil || !slices.Equal(same, body) {
		t.Errorf("%v\n%q\n%q", err, body, same)
	}
	for n := range len(body) - 4 { // No cut makes it crash.
		_, _ = editEnvelope(body[:n+4], []int{2, 1, 2}, func(value []byte) []byte { return value })
		lookUp(body[4:n+4], 2, 1, 2)
	}
}
