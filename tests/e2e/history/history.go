// Package history judges what clients saw. A History is what a run recorded: the API server's own history, and of each
// client its lists, its watches and its reads, in order. Check says which promises it breaks:
//
//	ordered     behind its start, a watch's revisions rise
//	unique      no event comes twice to a client, however often it reconnects
//	complete    a client is told every change that its selector sees, with the right type and content
//	resumable   a client that goes on from its last revision is not refused
//	truthful    nothing at or below a bookmark's revision comes after it, and it is not from the future
//	true        a list is the state at its revision
//	agreeing    a list and the events after it make a later list
//	fresh       a read without a revision shows what was acknowledged before it; one with a revision is not older
//
// Where the API server itself lost its history (it was killed while others wrote) there is a gap. Within it Weir may
// tell the net change instead of each, so only the sum must be right.
package history

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// An Object as a client saw it. Digest is of its bytes without the revision; 0 if they were of a form that is not
// compared.
type Object struct {
	Key      string // "namespace/name".
	UID      string
	Revision uint64
	Digest   uint64            `json:",omitempty"`
	Labels   map[string]string `json:",omitempty"`
	Field    string            `json:",omitempty"` // The one field that this history's selectors know: a pod's node.
}

// An Event of a watch. A BOOKMARK's object has only a revision; End marks the one behind initial events.
type Event struct {
	Type   string
	Object Object
	End    bool `json:",omitempty"`
}

// A Selector is what a client asked for. The zero value selects everything.
type Selector struct {
	Namespace  string
	Name       string
	Label      string // The key, with its value; "" for none.
	LabelValue string
	ByField    bool
	Field      string
}

// Sees tells whether the object is selected.
func (s Selector) Sees(o Object) bool {
	namespace, name := split(o.Key)
	return (s.Namespace == "" || s.Namespace == namespace) && (s.Name == "" || s.Name == name) &&
		(s.Label == "" || o.Labels[s.Label] == s.LabelValue) && (!s.ByField || s.Field == o.Field)
}

func split(key string) (namespace, name string) {
	for i := range len(key) {
		if key[i] == '/' {
			return key[:i], key[i+1:]
		}
	}
	return "", key
}

// A Step of a client: a list or a watch.
type Step struct {
	List  *List
	Watch *Watch
}

// A List is an answer. Base lists are what the client goes on from; others are a look aside.
type List struct {
	Base     bool
	Revision uint64
	Items    []Object
}

// A Watch is one stream from its start to its end. One with initial events starts with them, up to the bookmark that
// ends them, and is a base as a list is.
type Watch struct {
	From    uint64
	Initial bool
	Events  []Event
	Expired bool // It ended by 410, at its start or later.
}

// A Client is one that keeps up with a collection.
type Client struct {
	Name     string
	Resource string
	Selector Selector
	Spared   bool // Weir answers it from its cache, and spares it the API server's loss of history.
	Steps    []Step
}

// A Read is one request of a reader that keeps nothing.
type Read struct {
	Reader     string
	Resource   string
	Begin, End time.Duration // Since the start of the run.
	Key        string        // Of a GET; "" for a LIST of everything.
	NotOlder   uint64        // The revision that was asked for; 0: the latest state.
	Revision   uint64        // Of the list.
	Items      []Object      // Of a GET: one, or none if it was not found.
}

// A Write that was acknowledged.
type Write struct {
	Resource string
	Key      string
	Revision uint64 // Of a deletion: what the object had before; the answer does not tell.
	Deleted  bool
	End      time.Duration
}

// A Gap is where history may have been lost: after From, up to To.
type Gap struct{ From, To uint64 }

// A History is a recorded run.
type History struct {
	Truth   map[string][]Event  // By resource: the API server's own events, from before the first client on.
	Start   map[string][]Object // The state before them.
	StartAt map[string]uint64   // Its revision.
	Last    uint64              // No client is there any more, and all have had the time to see this revision.
	Gaps    []Gap
	Clients []Client
	Reads   []Read
	Writes  []Write
}

// A Problem is a broken promise.
type Problem struct {
	Rule   string
	Client string
	Text   string
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Client, p.Rule, p.Text) }

// Check returns what is wrong, at most a few problems for each client.
func Check(h *History) []Problem {
	c := &checker{history: h, truths: map[string]*truth{}}
	for _, resource := range slices.Sorted(maps.Keys(h.Truth)) {
		t, problem := newTruth(h.StartAt[resource], h.Start[resource], h.Truth[resource])
		if problem != "" {
			return []Problem{{"truth", resource, problem}} // Nothing can be said on such ground.
		}
		c.truths[resource] = t
	}
	for i := range h.Clients {
		c.client(&h.Clients[i])
	}
	c.reads()
	return c.problems
}

type checker struct {
	history  *History
	truths   map[string]*truth
	problems []Problem
}

const toldPerClient = 5

func (c *checker) report(rule, client, format string, args ...any) {
	told := 0
	for _, p := range c.problems {
		if p.Client == client {
			told++
		}
	}
	if told < toldPerClient {
		c.problems = append(c.problems, Problem{rule, client, fmt.Sprintf(format, args...)})
	}
}

// inGap tells whether the revision lies strictly within a gap: a state that nobody but the API server can know.
func (c *checker) inGap(revision uint64) bool {
	return slices.ContainsFunc(c.history.Gaps, func(g Gap) bool { return g.From < revision && revision < g.To })
}
