package golden

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// Revisions of changes by which an object leaves a selector: with more digits than its own, and with as many.
const (
	longerRevision  = "18446744073709551615"
	anotherRevision = "12747"
)

func objects() string {
	var out record
	for _, each := range samples() {
		gvk := each.object.GetObjectKind().GroupVersionKind()
		out.text("group", gvk.Group)
		out.text("version", gvk.Version)
		out.text("resource", each.resource)
		out.text("kind", gvk.Kind)
		out.text("json", jsonOf(each.object))
		out.hex("object", protobufOf(each.object))
		out.hex("partial", protobufOf(partial(each.object)))
		out.hex("added", frameOf(watch.Added, each.object))
		out.hex("left", frameOf(watch.Deleted, at(each.object, longerRevision)))
		out.hex("left_same", frameOf(watch.Deleted, at(each.object, anotherRevision)))
		out.hex("left_partial", frameOf(watch.Deleted, partial(at(each.object, longerRevision))))
		out.end()
	}
	return out.String()
}

// withKind sets what the API server's encoder would, unless it is set.
func withKind(object runtime.Object) runtime.Object {
	if !object.GetObjectKind().GroupVersionKind().Empty() {
		return object
	}
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		panic(err)
	}
	object.GetObjectKind().SetGroupVersionKind(kinds[0])
	return object
}

func accessor(object runtime.Object) metav1.Object {
	meta, err := apimeta.Accessor(object)
	if err != nil {
		panic(err)
	}
	return meta
}

func at(object runtime.Object, revision string) runtime.Object {
	moved := object.DeepCopyObject()
	accessor(moved).SetResourceVersion(revision)
	return moved
}

func partial(object runtime.Object) runtime.Object {
	out := apimeta.AsPartialObjectMetadata(accessor(object))
	out.SetGroupVersionKind(partialKind(""))
	return out
}

// partialKind is PartialObjectMetadata or, with "List", its list.
func partialKind(suffix string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "meta.k8s.io", Version: "v1", Kind: "PartialObjectMetadata" + suffix}
}
