// Package golden encodes objects, lists, watch events and errors as kube-apiserver does, with its own serializers. The
// results are stored in tests/protocol/k8s/golden, where the tests of protocol/k8s compare with them what Weir reads and
// writes.
//
// A file is a sequence of records with a blank line behind each; a line of a record is a name, a space and a value.
// Protobuf is in hexadecimal.
package golden

import (
	"bytes"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// Files returns the stored files by name.
func Files() map[string]string {
	return map[string]string{
		"objects.txt":   objects(),
		"lists.txt":     lists(),
		"statuses.txt":  statuses(),
		"bookmarks.txt": bookmarks(),
	}
}

// protobufOf is what the API server answers a GET or LIST with.
func protobufOf(object runtime.Object) []byte {
	serializer := protobuf.NewSerializerWithOptions(scheme.Scheme, scheme.Scheme,
		protobuf.SerializerOptions{StreamingCollectionsEncoding: true})
	return encode(serializer, object)
}

// jsonOf is the same in JSON, without the newline at its end.
func jsonOf(object runtime.Object) string {
	serializer := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{})
	return strings.TrimSuffix(string(encode(serializer, object)), "\n")
}

// frameOf is an event of a watch in protobuf, with the length before it.
func frameOf(event watch.EventType, object runtime.Object) []byte {
	var frame bytes.Buffer
	writer := protobuf.LengthDelimitedFramer.NewFrameWriter(&frame)
	message := &metav1.WatchEvent{Type: string(event), Object: runtime.RawExtension{Raw: protobufOf(object)}}
	if _, err := writer.Write(encode(protobuf.NewRawSerializer(scheme.Scheme, scheme.Scheme), message)); err != nil {
		panic(err)
	}
	return frame.Bytes()
}

func encode(encoder runtime.Encoder, object runtime.Object) []byte {
	var out bytes.Buffer
	if err := encoder.Encode(object, &out); err != nil {
		panic(err)
	}
	return out.Bytes()
}

type record struct{ strings.Builder }

func (r *record) text(name, value string)       { fmt.Fprintf(r, "%s %s\n", name, value) }
func (r *record) hex(name string, value []byte) { fmt.Fprintf(r, "%s %x\n", name, value) }
func (r *record) end()                          { r.WriteString("\n") }
