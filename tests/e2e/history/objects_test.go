package history

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"

	corev1 "k8s.io/api/core/v1"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// A resource that the run writes and watches.
type resource struct {
	name, prefix string
	apiVersion   string
	kind         string
	hasNode      bool
}

var resources = []resource{
	{name: "configmaps", prefix: "/api/v1", apiVersion: "v1", kind: "ConfigMap"},
	{name: "pods", prefix: "/api/v1", apiVersion: "v1", kind: "Pod", hasNode: true},
	{name: "notes", prefix: "/apis/history.example.com/v1", apiVersion: "history.example.com/v1", kind: "Note"},
}

func resourceNamed(name string) resource {
	for _, r := range resources {
		if r.name == name {
			return r
		}
	}
	panic("no resource " + name)
}

var namespaces = []string{"h", "h-a", "h0"}

func (r resource) all() string { return r.prefix + "/" + r.name }

func (r resource) in(namespace string) string {
	return r.prefix + "/namespaces/" + namespace + "/" + r.name
}

// prepare makes the namespaces and the custom resource.
func prepare(cluster *oracle.Cluster) error {
	client, err := dynamic.NewForConfig(cluster.Admin.RESTConfig(cluster.URL(), cluster.CAFile()))
	if err != nil {
		return err
	}
	ctx := context.Background()
	for _, namespace := range namespaces {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}}
		if _, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Create(ctx, o, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	free := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "notes.history.example.com"},
		"spec": map[string]any{
			"group": "history.example.com", "scope": "Namespaced", "names": map[string]any{"plural": "notes", "kind": "Note"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{"openAPIV3Schema": free}}},
		},
	}}
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	if _, err := client.Resource(definitions).Create(ctx, definition, metav1.CreateOptions{}); err != nil {
		return err
	}
	notes := schema.GroupVersionResource{Group: "history.example.com", Version: "v1", Resource: "notes"}
	return waitFor("the custom resource", func() bool {
		_, err := client.Resource(notes).List(ctx, metav1.ListOptions{})
		time.Sleep(50 * time.Millisecond)
		return err == nil
	})
}

var revisionInText = regexp.MustCompile(`"resourceVersion":"\d+"`)

// fromJSON reads an object as it came. Lists leave out kind and apiVersion of built-in types, so its content is what
// stands behind them, without the revision.
func fromJSON(text []byte) (Object, error) {
	var o struct {
		Kind     string
		Metadata metadata
		Spec     struct{ NodeName string }
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return Object{}, err
	}
	object := o.Metadata.object()
	object.Field = o.Spec.NodeName
	if o.Kind != "PartialObjectMetadata" {
		object.Digest = digest(text)
	}
	return object, nil
}

func digest(text []byte) uint64 {
	if at := bytes.Index(text, []byte(`"metadata":`)); at > 0 && at < 100 {
		text = text[at:]
	}
	if span := revisionInText.FindIndex(text); span != nil {
		text = append(bytes.Clone(text[:span[0]]), text[span[1]:]...)
	}
	h := fnv.New64a()
	_, _ = h.Write(bytes.TrimSpace(text))
	return h.Sum64()
}

type metadata struct {
	Namespace, Name, UID, ResourceVersion string
	Labels, Annotations                   map[string]string
}

func (m metadata) object() Object {
	revision, _ := strconv.ParseUint(m.ResourceVersion, 10, 64)
	return Object{Key: m.Namespace + "/" + m.Name, UID: m.UID, Revision: revision, Labels: m.Labels}
}

// fromGo reads a decoded object, of protobuf. Its content is what it would be in JSON.
func fromGo(o runtime.Object) (Object, error) {
	m, err := meta.Accessor(o)
	if err != nil {
		return Object{}, err
	}
	object := metadata{m.GetNamespace(), m.GetName(), string(m.GetUID()), m.GetResourceVersion(), m.GetLabels(), m.GetAnnotations()}.object()
	if pod, ok := o.(*corev1.Pod); ok {
		object.Field = pod.Spec.NodeName
	}
	if _, partial := o.(*metav1.PartialObjectMetadata); partial {
		return object, nil
	}
	text, err := json.Marshal(o)
	object.Digest = digest(text)
	return object, err
}

// decoder knows the built-in types, and their metadata alone.
var decoder = func() runtime.Decoder {
	all := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(all))
	utilruntime.Must(metav1.AddMetaToScheme(all))
	return serializer.NewCodecFactory(all).UniversalDeserializer()
}()

// readList reads a list in JSON or protobuf, with its continue token.
func readList(a exchange.Answer) (items []Object, revision uint64, token string, err error) {
	if a.Err != nil {
		return nil, 0, "", a.Err
	}
	if a.Status != 200 {
		return nil, 0, "", &statusError{a.Status, a.Body}
	}
	if strings.HasPrefix(a.Header.Get("Content-Type"), exchange.Protobuf) {
		return readProtobufList(a.Body)
	}
	var list struct {
		Metadata struct{ ResourceVersion, Continue string }
		Items    []json.RawMessage
	}
	if err := json.Unmarshal(a.Body, &list); err != nil {
		return nil, 0, "", err
	}
	for _, text := range list.Items {
		o, err := fromJSON(text)
		if err != nil {
			return nil, 0, "", err
		}
		items = append(items, o)
	}
	revision, err = strconv.ParseUint(list.Metadata.ResourceVersion, 10, 64)
	return items, revision, list.Metadata.Continue, err
}

func readProtobufList(body []byte) (items []Object, revision uint64, token string, err error) {
	list, _, err := decoder.Decode(body, nil, nil)
	if err != nil {
		return nil, 0, "", err
	}
	m, err := meta.ListAccessor(list)
	if err != nil {
		return nil, 0, "", err
	}
	err = meta.EachListItem(list, func(o runtime.Object) error {
		item, err := fromGo(o)
		items = append(items, item)
		return err
	})
	if err == nil {
		revision, err = strconv.ParseUint(m.GetResourceVersion(), 10, 64)
	}
	return items, revision, m.GetContinue(), err
}

// A statusError is an answer that is not 200.
type statusError struct {
	status int
	body   []byte
}

func (e *statusError) Error() string { return fmt.Sprintf("%d %.200s", e.status, e.body) }

// readEvent reads one event of a watch; code is that of an ERROR.
func readEvent(raw []byte, protobuf bool) (e Event, code int, err error) {
	if protobuf {
		return readFrame(raw)
	}
	var line struct {
		Type   string
		Object json.RawMessage
	}
	if err := json.Unmarshal(raw, &line); err != nil {
		return e, 0, err
	}
	var peek struct {
		Code     int
		Metadata metadata
	}
	if err := json.Unmarshal(line.Object, &peek); err != nil {
		return e, 0, err
	}
	e.Type = line.Type
	switch line.Type {
	case "ERROR":
		return e, peek.Code, nil
	case "BOOKMARK":
		e.Object.Revision, e.End = peek.Metadata.object().Revision, peek.Metadata.Annotations[endAnnotation] == "true"
		return e, 0, nil
	}
	e.Object, err = fromJSON(line.Object)
	return e, 0, err
}

const endAnnotation = "k8s.io/initial-events-end"

func readFrame(frame []byte) (e Event, code int, err error) {
	var event metav1.WatchEvent
	if err := event.Unmarshal(frame[4:]); err != nil {
		return e, 0, err
	}
	o, _, err := decoder.Decode(event.Object.Raw, nil, nil)
	if err != nil {
		return e, 0, err
	}
	e.Type = event.Type
	if status, ok := o.(*metav1.Status); ok {
		return e, int(status.Code), nil
	}
	if e.Object, err = fromGo(o); err != nil {
		return e, 0, err
	}
	if event.Type == "BOOKMARK" {
		m, err := meta.Accessor(o)
		if err != nil {
			return e, 0, err
		}
		e.Object, e.End = Object{Revision: e.Object.Revision}, m.GetAnnotations()[endAnnotation] == "true"
	}
	return e, 0, nil
}

// readObject reads the answer of a GET.
func readObject(a exchange.Answer) (Object, error) {
	if a.Header.Get("Content-Type") != exchange.Protobuf {
		return fromJSON(a.Body)
	}
	o, _, err := decoder.Decode(a.Body, nil, nil)
	if err != nil {
		return Object{}, err
	}
	return fromGo(o)
}
