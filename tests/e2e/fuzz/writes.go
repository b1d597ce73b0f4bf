package fuzz

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Label keys and values. Numbers for `>` and `<`, empty values, and keys that are words of the grammar.
var (
	labelKeys   = []string{"app", "tier", "example.com/zone", "in", "notin", "e"}
	labelValues = []string{"web", "nginx", "", "1", "5", "12", "-", "in", "9223372036854775807"}
)

func randomLabels(r *rand.Rand) object {
	labels := object{}
	for range r.IntN(4) {
		value := pick(r, labelValues...)
		if value == "-" {
			value = "a-b_c.d"
		}
		labels[pick(r, labelKeys...)] = value
	}
	return labels
}

func randomMetadata(r *rand.Rand, k *kind, namespace, name string) object {
	metadata := object{"name": name, "labels": randomLabels(r)}
	if !k.cluster {
		metadata["namespace"] = namespace
	}
	if chance(r, 40) {
		metadata["annotations"] = object{"note": text(r), "other": text(r)}
	}
	if chance(r, 6) && k.resource != "namespaces" {
		metadata["finalizers"] = []any{"example.com/keep"}
	}
	if chance(r, 6) {
		metadata["ownerReferences"] = []any{object{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "00000000-0000-0000-0000-000000000001"}}
	}
	return metadata
}

// populate makes most of the objects that may be.
func (w *world) populate() {
	r := w.random(0, 0)
	for _, k := range w.kinds {
		if k.body == nil {
			continue
		}
		scopes := written
		if k.cluster {
			scopes = []string{""}
		}
		for _, namespace := range scopes {
			for i := range objectNames {
				if chance(r, 70) {
					w.create(r, w.direct, k, namespace, k.nameOf(r, i))
				}
			}
		}
	}
}

func (k *kind) nameOf(r *rand.Rand, n int) string {
	if k.names != nil {
		return k.names(r, n)
	}
	return objectNames[n]
}

// burst makes n random writes, some through Weir, and notes their revisions.
func (w *world) burst(r *rand.Rand, n int) {
	var writable []*kind
	for _, k := range w.kinds {
		if k.body != nil {
			for range k.weight {
				writable = append(writable, k)
			}
		}
	}
	w.recent = append(w.recent, nil)
	if len(w.recent) > 4 { // The API server's memory of a busy kind reaches 75 s back.
		w.recent = w.recent[1:]
	}
	for range n {
		k := pick(r, writable...)
		namespace := ""
		if !k.cluster {
			namespace = pick(r, written...)
		}
		client := w.direct
		if chance(r, 25) {
			client = w.through
		}
		w.write(r, client, k, namespace, k.nameOf(r, r.IntN(len(objectNames))))
	}
}

func (k *kind) key(namespace, name string) string { return k.resource + "/" + namespace + "/" + name }

func (w *world) write(r *rand.Rand, client dynamic.Interface, k *kind, namespace, name string) {
	if !w.known[k.key(namespace, name)] {
		w.create(r, client, k, namespace, name)
		return
	}
	metadata := object{}
	switch r.IntN(10) {
	case 0, 1:
		w.delete(r, client, k, namespace, name)
		return
	case 2, 3, 4:
		labels := randomLabels(r)
		for _, key := range labelKeys {
			if _, stays := labels[key]; !stays {
				labels[key] = nil
			}
		}
		metadata["labels"] = labels
	case 5:
		metadata["annotations"] = object{"note": text(r)}
	case 6:
		metadata["finalizers"] = nil
	case 7, 8:
		if k.status != nil {
			w.patch(client, k, namespace, name, k.status(r), "status")
			return
		}
		fallthrough
	default:
		if k.change != nil {
			w.patch(client, k, namespace, name, k.change(r))
			return
		}
		metadata["annotations"] = object{"other": text(r)}
	}
	w.patch(client, k, namespace, name, object{"metadata": metadata})
}

func (w *world) create(r *rand.Rand, client dynamic.Interface, k *kind, namespace, name string) {
	body := object{"apiVersion": k.apiVersion(), "kind": k.name, "metadata": randomMetadata(r, k, namespace, name)}
	maps.Copy(body, k.body(r))
	if target, ok := body["involvedObject"].(object); ok {
		target["namespace"] = namespace // An event is where its object is.
	}
	made, err := clientOf(client, k, namespace).Create(context.Background(), &unstructured.Unstructured{Object: plain(body)}, metav1.CreateOptions{})
	if w.note(k, "create "+k.key(namespace, name), made, err); err == nil || apierrors.IsAlreadyExists(err) {
		w.known[k.key(namespace, name)] = true
	}
}

func (w *world) patch(client dynamic.Interface, k *kind, namespace, name string, patch object, subresource ...string) {
	text, err := json.Marshal(patch)
	if err != nil {
		panic(err) // A kind's own literals.
	}
	made, err := clientOf(client, k, namespace).Patch(context.Background(), name, types.MergePatchType, text, metav1.PatchOptions{}, subresource...)
	if w.note(k, fmt.Sprintf("patch %s %s", k.key(namespace, name), text), made, err); apierrors.IsNotFound(err) {
		delete(w.known, k.key(namespace, name)) // Its last finalizer was taken away before.
	}
}

// delete leaves the object behind where it has a finalizer, or where a pod has time to end in order.
func (w *world) delete(r *rand.Rand, client dynamic.Interface, k *kind, namespace, name string) {
	policy := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{PropagationPolicy: &policy}
	if zero := int64(0); chance(r, 70) {
		options.GracePeriodSeconds = &zero
	}
	err := clientOf(client, k, namespace).Delete(context.Background(), name, options)
	w.note(k, "delete "+k.key(namespace, name), nil, err)
	if _, err := clientOf(w.direct, k, namespace).Get(context.Background(), name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		delete(w.known, k.key(namespace, name))
	}
}

func (w *world) note(k *kind, what string, made *unstructured.Unstructured, err error) {
	w.written++
	for _, other := range w.kinds { // Other versions of the type change too.
		if other.resource == k.resource {
			w.touched[other] = true
		}
	}
	switch {
	case err == nil && made != nil:
		revision, _ := strconv.ParseInt(made.GetResourceVersion(), 10, 64)
		if len(w.recent) > 0 {
			w.recent[len(w.recent)-1] = append(w.recent[len(w.recent)-1], revision)
		}
	case err == nil || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err):
	default:
		w.failed = append(w.failed, fmt.Sprintf("%.300s: %v", what, err))
	}
}

func clientOf(client dynamic.Interface, k *kind, namespace string) dynamic.ResourceInterface {
	if k.cluster {
		return client.Resource(k.resourceType())
	}
	return client.Resource(k.resourceType()).Namespace(namespace)
}

// plain is the object with numbers as decoded JSON has them.
func plain(o object) object {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // A kind's own literals.
	}
	out := unstructured.Unstructured{}
	if err := json.Unmarshal(text, &out.Object); err != nil {
		panic(err)
	}
	return out.Object
}
