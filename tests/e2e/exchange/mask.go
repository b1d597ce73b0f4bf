package exchange

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Masked body is one with the parts cut out that may differ, and those parts.
type Masked struct {
	Text     []byte
	Revision string // Of a list.
	RawToken string // Its continue token, as it was sent.
	Token    string // The same decoded, without the revision and without a leading slash of the key.
	TokenRV  int64
}

// The patterns take a body in one line and an indented one. White space stays in the masked text.
var (
	// A list's own metadata: at the front of a built-in list, at the end of a custom resource's.
	builtinHead = regexp.MustCompile(`^\{\s*"kind":\s*"[A-Za-z]+List",\s*"apiVersion":\s*"[a-z0-9./]+",\s*"metadata":\s*\{\s*"resourceVersion":\s*"(\d+)"(?:,\s*"continue":\s*"([^"]*)")?`)
	customTail  = regexp.MustCompile(`"kind":\s*"[A-Za-z]+List",\s*"metadata":\s*\{\s*"continue":\s*"([^"]*)",\s*(?:"remainingItemCount":\s*\d+,\s*)?"resourceVersion":\s*"(\d+)"\s*\}\s*\}\n?$`)
	// The token that an expired one is answered with.
	freshToken = regexp.MustCompile(`^(\{\s*"kind":\s*"Status",\s*"apiVersion":\s*"v1",\s*"metadata":\s*\{\s*)"continue":\s*"([^"]*)"`)
	// Where a server's cache stands.
	tooLarge = regexp.MustCompile(`(Too large resource version: \d+, current: )\d+`)
	tooOld   = regexp.MustCompile(`(too old resource version: \d+ \()\d+`)
	// When a review was asked for: of who one is, and of what one may do.
	accessReview = regexp.MustCompile(`^\{\s*"kind":\s*"SelfSubjectAccessReview",(?s:.*?)"time":\s*"([^"]*)"`)
	reviewHead   = regexp.MustCompile(`^\{\s*"kind":\s*"SelfSubjectReview",\s*"apiVersion":\s*"authentication.k8s.io/v1",\s*"metadata":\s*\{\s*"creationTimestamp":\s*"([^"]*)"`)
	// The age of an object in a Table is the time of the request.
	tableHead = regexp.MustCompile(`^\{\s*"kind":\s*"Table"|^apiVersion: meta.k8s.io/v1(?:beta1)?\ncolumnDefinitions:`)
	tableAge  = regexp.MustCompile(`"(?:\d+[smhdy])+"|(?m:^  - (?:\d+[smhdy])+$)`)
)

// Mask cuts out of a body what depends on when and whom one asked.
func Mask(body []byte) Masked {
	if isEnvelope(body) {
		return maskEnvelope(body)
	}
	m := Masked{Text: body}
	cut := func(span []int, name string) {
		m.Text = slices.Concat(m.Text[:span[0]], []byte(name), m.Text[span[1]:])
	}
	if s := builtinHead.FindSubmatchIndex(body); s != nil {
		m.Revision = string(body[s[2]:s[3]])
		if s[4] >= 0 {
			m.setToken(string(body[s[4]:s[5]]))
			cut(s[4:6], "TOKEN")
		}
		cut(s[2:4], "REVISION")
	} else if s := customTail.FindSubmatchIndex(tail(body)); s != nil {
		at := len(body) - len(tail(body))
		for i := range s {
			s[i] += at
		}
		m.Revision = string(body[s[4]:s[5]])
		cut(s[4:6], "REVISION")
		if s[2] < s[3] {
			m.setToken(string(body[s[2]:s[3]]))
			cut(s[2:4], "TOKEN")
		}
	} else if s := freshToken.FindSubmatchIndex(body); s != nil {
		m.setToken(string(body[s[4]:s[5]]))
		cut(s[4:6], "TOKEN")
	} else if s := reviewHead.FindSubmatchIndex(body); s != nil {
		cut(s[2:4], "TIME")
	} else if s := accessReview.FindSubmatchIndex(body); s != nil {
		cut(s[2:4], "TIME")
	} else if tableHead.Match(body) {
		m.Text = tableAge.ReplaceAll(m.Text, []byte(`"AGE"`))
	}
	m.Text = maskMessage(m.Text)
	return m
}

// tail is the end of a body that a list's metadata fit into; to look for them from the front takes long.
func tail(body []byte) []byte { return body[max(0, len(body)-1000):] }

// maskMessage masks the texts of errors. Only they hold these words: the objects of the tests do not.
func maskMessage(text []byte) []byte {
	if len(text) > 2000 {
		return text
	}
	text = tooLarge.ReplaceAll(text, []byte("${1}NOW"))
	return tooOld.ReplaceAll(text, []byte("${1}OLDEST"))
}

// maskEnvelope does the same to protobuf: ListMeta {2: resourceVersion, 3: continue} is field 1 of every list and of
// Status, whose message is field 3.
func maskEnvelope(body []byte) Masked {
	m := Masked{Text: body}
	kind, _ := lookUp(body[4:], 1, 2)
	change := func(path []int, f func([]byte) []byte) {
		if text, err := editEnvelope(m.Text, path, f); err == nil {
			m.Text = text
		}
	}
	token := func(value []byte) []byte {
		if len(value) == 0 {
			return value
		}
		m.setToken(string(value))
		return []byte("TOKEN")
	}
	switch {
	case strings.HasSuffix(string(kind), "List"):
		change([]int{2, 1, 2}, func(value []byte) []byte {
			m.Revision = string(value)
			return []byte("REVISION")
		})
		change([]int{2, 1, 3}, token)
	case string(kind) == "Status":
		change([]int{2, 1, 3}, token)
		change([]int{2, 3}, maskMessage)
	}
	return m
}

func (m *Masked) setToken(text string) {
	m.RawToken = text
	raw, err := base64.RawURLEncoding.DecodeString(text)
	var token struct {
		V     string `json:"v"`
		RV    int64  `json:"rv"`
		Start string `json:"start"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &token)
	}
	if err != nil {
		m.Token = "undecodable: " + text
		return
	}
	m.Token = fmt.Sprintf("v=%s start=%q", token.V, strings.TrimPrefix(token.Start, "/"))
	m.TokenRV = token.RV
}
