package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Difference is "" if Weir's answer is as good as the API server's; else it says what differs.
func Difference(r Request, upstream, weir Answer) string {
	if upstream.Err != nil || weir.Err != nil {
		if (upstream.Err == nil) == (weir.Err == nil) {
			return ""
		}
		return fmt.Sprintf("transport: API server %v, Weir %v", upstream.Err, weir.Err)
	}
	var found []string
	if upstream.Status != weir.Status {
		found = append(found, fmt.Sprintf("status: API server %d, Weir %d", upstream.Status, weir.Status))
	}
	found = append(found, HeaderDifferences(r, upstream.Header, weir.Header)...)
	up, down := Mask(upstream.Body), Mask(weir.Body)
	if !equalBodies(r, up.Text, down.Text) {
		at := FirstDifference(up.Text, down.Text)
		found = append(found, fmt.Sprintf("body at byte %d (%d and %d bytes):\n  API server …%s\n  Weir       …%s",
			at, len(up.Text), len(down.Text), Excerpt(up.Text, at), Excerpt(down.Text, at)))
	} else if d := revisionDifference(r, up, down); d != "" {
		found = append(found, d)
	}
	return strings.Join(found, "\n")
}

// freeHeaders may have any value: when and how, not what. Last-Modified is OpenAPI's: when the API server put it together.
var freeHeaders = []string{"Date", "Last-Modified", "Content-Length", "X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid"}

// HeaderDifferences compares all other headers.
func HeaderDifferences(r Request, upstream, weir http.Header) []string {
	var found []string
	free := freeHeaders
	if r.Header.Get("Audit-Id") == "" {
		free = append(slices.Clone(free), "Audit-Id")
		if (upstream.Get("Audit-Id") == "") != (weir.Get("Audit-Id") == "") {
			found = append(found, fmt.Sprintf("Audit-Id: API server %q, Weir %q", upstream["Audit-Id"], weir["Audit-Id"]))
		}
	}
	if upstream.Get("Content-Encoding") == "gzip" && weir.Get("Content-Encoding") == "" {
		// Weir does not compress what it serves from its cache: identity is always acceptable.
		free = append(slices.Clone(free), "Content-Encoding", "Vary")
	}
	names := map[string]bool{}
	for name := range upstream {
		names[name] = true
	}
	for name := range weir {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		if !slices.Contains(free, name) && !slices.Equal(upstream[name], weir[name]) {
			found = append(found, fmt.Sprintf("header %s: API server %q, Weir %q", name, upstream[name], weir[name]))
		}
	}
	return found
}

// equalBodies compares masked texts. The metadata of custom resources is decoded and written anew by the API server
// when it is asked for alone, in another order of keys than within the object. Weir cuts it out: the same keys and
// values, the same bytes but for their order.
func equalBodies(r Request, upstream, weir []byte) bool {
	if bytes.Equal(upstream, weir) {
		return true
	}
	if !isCustom(r.Path) || len(upstream) != len(weir) || !bytes.Contains(upstream, []byte("PartialObjectMetadata")) {
		return false
	}
	up, ok := sortedJSON(upstream)
	down, fine := sortedJSON(weir)
	return ok && fine && bytes.Equal(up, down)
}

// sortedJSON is the text with the keys of every object in order, and without white space.
func sortedJSON(text []byte) ([]byte, bool) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	sorted, err := json.Marshal(value)
	return sorted, err == nil
}

// revisionDifference compares the parts that Mask has cut out: the revision of a list and its token. Where the request
// fixes the revision they must be equal. Elsewhere both servers may say how far their cache is: Weir's may be behind
// the API server's, since the items are the same, but never ahead, and a token names its own list's revision.
func revisionDifference(r Request, upstream, weir Masked) string {
	if upstream.Token != weir.Token {
		return fmt.Sprintf("continue token: API server %s, Weir %s", upstream.Token, weir.Token)
	}
	if upstream.Revision == "" {
		if upstream.TokenRV != weir.TokenRV {
			return fmt.Sprintf("continue token: API server rv %d, Weir rv %d", upstream.TokenRV, weir.TokenRV)
		}
		return ""
	}
	if weir.Token != "" && strconv.FormatInt(weir.TokenRV, 10) != weir.Revision {
		return fmt.Sprintf("continue token has rv %d in a list at %s", weir.TokenRV, weir.Revision)
	}
	up, _ := strconv.ParseInt(upstream.Revision, 10, 64)
	down, _ := strconv.ParseInt(weir.Revision, 10, 64)
	if down > up || (fixesRevision(r.Path) && up != down) {
		return fmt.Sprintf("list revision: API server %d, Weir %d", up, down)
	}
	return ""
}

// fixesRevision tells whether the answer's revision is named by the request: Exact, the legacy rule of a limit with
// a revision, or a token that is not for the latest state.
func fixesRevision(path string) bool {
	_, query, _ := strings.Cut(path, "?")
	parts := strings.Split(query, "&")
	value := func(name string) string { // "" for 0 too.
		for _, part := range parts {
			if value, found := strings.CutPrefix(part, name+"="); found && value != "0" {
				return value
			}
		}
		return ""
	}
	if text := value("continue"); text != "" {
		var token Masked
		token.setToken(unescaped(text))
		return token.TokenRV > 0
	}
	match := value("resourceVersionMatch")
	return match == "Exact" || (match == "" && value("resourceVersion") != "" && value("limit") != "")
}
