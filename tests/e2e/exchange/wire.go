package exchange

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Protobuf without schemas: walks the wire format along a path of field numbers. Every length and tag must be in its
// shortest form, as the API server writes them; otherwise the walk fails, and nothing is masked.

var errWire = errors.New("not the shortest protobuf")

// A field of a message. Value is what stands behind the tag, for a length-delimited field behind its length too.
type field struct {
	number int
	kind   int // Wire type.
	raw    []byte
	value  []byte
}

const lengthDelimited = 2

// nextField cuts the first field off a message.
func nextField(message []byte) (f field, rest []byte, err error) {
	tag, n := uvarint(message)
	if n == 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
		return f, nil, errWire
	}
	f.number, f.kind = int(tag>>3), int(tag&7)
	size := 0
	switch f.kind {
	case 0:
		_, size = uvarint(message[n:])
		if size == 0 {
			return f, nil, errWire
		}
	case 1:
		size = 8
	case 5:
		size = 4
	case lengthDelimited:
		length, m := uvarint(message[n:])
		if m == 0 || length > uint64(len(message)) {
			return f, nil, errWire
		}
		n += m
		size = int(length)
	default:
		return f, nil, errWire
	}
	if n+size > len(message) {
		return f, nil, errWire
	}
	f.value, f.raw = message[n:n+size], message[:n+size]
	return f, message[n+size:], nil
}

// uvarint reads a number in its shortest form; n is 0 if there is none.
func uvarint(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b)
	if n <= 0 || (n > 1 && b[n-1] == 0) {
		return 0, 0
	}
	return v, n
}

// edit replaces the length-delimited values at the end of the path, in every message on it, and rewrites the lengths
// around them.
func edit(message []byte, path []int, change func(value []byte) []byte) ([]byte, error) {
	var out []byte
	for rest := message; len(rest) > 0; {
		f, after, err := nextField(rest)
		if err != nil {
			return nil, err
		}
		rest = after
		if f.number != path[0] || f.kind != lengthDelimited {
			out = append(out, f.raw...)
			continue
		}
		value := f.value
		if len(path) == 1 {
			value = change(value)
		} else if value, err = edit(value, path[1:], change); err != nil {
			return nil, err
		}
		out = binary.AppendUvarint(out, uint64(f.number<<3|lengthDelimited))
		out = binary.AppendUvarint(out, uint64(len(value)))
		out = append(out, value...)
	}
	return out, nil
}

// lookUp is the first length-delimited value at the end of the path.
func lookUp(message []byte, path ...int) (value []byte, found bool) {
	for rest := message; len(rest) > 0; {
		f, after, err := nextField(rest)
		if err != nil {
			return nil, false
		}
		rest = after
		if f.number != path[0] || f.kind != lengthDelimited {
			continue
		}
		if len(path) == 1 {
			return f.value, true
		}
		if value, found = lookUp(f.value, path[1:]...); found {
			return value, true
		}
	}
	return nil, false
}

// mapValue is the value of a key in the map<string, string> that field `number` of the message is.
func mapValue(message []byte, number int, key string) (value string, found bool) {
	for rest := message; len(rest) > 0; {
		f, after, err := nextField(rest)
		if err != nil {
			return "", false
		}
		rest = after
		if f.number != number || f.kind != lengthDelimited {
			continue
		}
		if k, ok := lookUp(f.value, 1); ok && string(k) == key {
			v, _ := lookUp(f.value, 2)
			return string(v), true
		}
	}
	return "", false
}

// Kubernetes' envelope: four bytes, then runtime.Unknown {1: TypeMeta {1: apiVersion, 2: kind}, 2: raw}.
const envelopeMagic = "k8s\x00"

func isEnvelope(body []byte) bool { return len(body) > 4 && string(body[:4]) == envelopeMagic }

// editEnvelope edits inside an envelope; the path starts in Unknown.
func editEnvelope(body []byte, path []int, change func([]byte) []byte) ([]byte, error) {
	out, err := edit(body[4:], path, change)
	if err != nil {
		return nil, err
	}
	return slices.Concat(body[:4], out), nil
}
