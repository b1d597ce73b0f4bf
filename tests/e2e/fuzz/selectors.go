package fuzz

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// labelSelector is a label selector, mostly sound, often with white space where the grammar allows it.
func labelSelector(r *rand.Rand) string {
	space := func() string {
		if chance(r, 12) {
			return pick(r, " ", "  ", "\t", "\n")
		}
		return ""
	}
	var requirements []string
	for range 1 + r.IntN(3)*r.IntN(2) {
		requirements = append(requirements, space()+requirement(r, space)+space())
	}
	return broken(r, strings.Join(requirements, ","), "=!(),<> in-.ab/\x00\u00e9")
}

func requirement(r *rand.Rand, space func() string) string {
	key := pick(r, labelKeys...)
	if chance(r, 5) {
		key = pick(r, "absent", "a/b/c", "-x", "UPPER.example.com/x", strings.Repeat("k", 64), "/x", "x/")
	}
	value := func() string {
		if chance(r, 6) {
			return pick(r, "-b", strings.Repeat("v", 64), "a b", "a_b.c-d", "WEB")
		}
		return pick(r, labelValues...)
	}
	switch r.IntN(9) {
	case 0, 1, 2:
		return key + space() + pick(r, "=", "==") + space() + value()
	case 3:
		return key + space() + "!=" + space() + value()
	case 4, 5:
		values := []string{value()}
		for range r.IntN(3) {
			values = append(values, space()+value())
		}
		if chance(r, 5) {
			values = nil
		}
		return key + " " + pick(r, "in", "notin") + space() + "(" + strings.Join(values, ",") + ")"
	case 6:
		return key
	case 7:
		return "!" + space() + key
	default:
		return key + space() + pick(r, ">", "<") + space() + pick(r, "1", "4", "12", "-1", "x", "9223372036854775807", "9223372036854775808")
	}
}

// broken breaks a few texts: a character more, fewer, or another.
func broken(r *rand.Rand, text, alphabet string) string {
	if !chance(r, 6) || text == "" {
		return text
	}
	letters := []rune(alphabet)
	letter, at := string(letters[r.IntN(len(letters))]), r.IntN(len(text))
	switch r.IntN(3) {
	case 0:
		return text[:at] + letter + text[at:]
	case 1:
		return text[:at] + text[at+1:]
	default:
		return text[:at] + letter + text[at+1:]
	}
}

// fieldSelector asks for fields that the kind supports, now and then for others.
func (w *world) fieldSelector(r *rand.Rand, k *kind) string {
	var terms []string
	for range 1 + r.IntN(2)*r.IntN(2) {
		terms = append(terms, w.fieldTerm(r, k))
	}
	return broken(r, strings.Join(terms, ","), `=!,\ a."`)
}

func (w *world) fieldTerm(r *rand.Rand, k *kind) string {
	label, value := "metadata.name", pick(r, objectNames...)
	switch n := r.IntN(20); {
	case n < 4:
		if items := w.objects[k]; len(items) > 0 && chance(r, 70) {
			value = pick(r, items...).name
		}
		if chance(r, 6) {
			value = pick(r, "", "..", "a/b", "a%b", "UPPER", strings.Repeat("n", 300))
		}
	case n < 6:
		label, value = "metadata.namespace", pick(r, append(namespaces, "", "UPPER", "f/x")...)
	case n < 7:
		label, value = pick(r, "spec.unknown", "metadata.uid", "metadata.labels", "", "spec", "METADATA.NAME"), "x"
	case n < 8: // Another kind's.
		other := w.kinds[r.IntN(len(w.kinds))]
		if len(other.fields) > 0 {
			label, value = randomField(r, other)
		}
	default:
		if len(k.fields) > 0 {
			label, value = randomField(r, k)
		}
	}
	return label + pick(r, "=", "=", "==", "!=") + strings.NewReplacer(`\`, `\\`, ",", `\,`, "=", `\=`).Replace(value)
}

func randomField(r *rand.Rand, k *kind) (label, value string) {
	labels := make([]string, 0, len(k.fields))
	for label := range k.fields {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	label = pick(r, labels...)
	if chance(r, 4) {
		return label, pick(r, "nonsense", " ", "TRUE", "00")
	}
	return label, pick(r, k.fields[label]...)
}

// escaped is a value in a query. Some characters may stand as they are, and some clients let them.
func escaped(r *rand.Rand, value string) string {
	raw := chance(r, 30)
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		case c == ' ' && chance(r, 50):
			b.WriteByte('+')
		case raw && strings.IndexByte("=!(),/:", c) >= 0:
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
