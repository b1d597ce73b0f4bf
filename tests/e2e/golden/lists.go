package golden

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func lists() string {
	var out record
	pods := &corev1.PodList{Items: []corev1.Pod{*pod(), {ObjectMeta: bareMeta("bare")}}}
	metadata := &metav1.PartialObjectMetadataList{}
	metadata.SetGroupVersionKind(partialKind("List"))
	for i := range pods.Items {
		metadata.Items = append(metadata.Items, metav1.PartialObjectMetadata{ObjectMeta: pods.Items[i].ObjectMeta})
	}
	many := &corev1.ConfigMapList{}
	for i := range 40 {
		many.Items = append(many.Items, corev1.ConfigMap{ObjectMeta: meta("shop", fmt.Sprintf("settings-%d", i))})
	}
	out.list(&corev1.PodList{}, metav1.ListMeta{ResourceVersion: "100"})
	out.list(pods, metav1.ListMeta{ResourceVersion: "12746"})
	out.list(pods, metav1.ListMeta{ResourceVersion: "12746", Continue: "token", RemainingItemCount: new(int64(300))})
	out.list(metadata, metav1.ListMeta{ResourceVersion: "12746", Continue: "token"})
	out.list(many, metav1.ListMeta{ResourceVersion: "18446744073709551615"})
	return out.String()
}

// list has the items' envelopes one by one, and the list in its own.
func (r *record) list(list metav1.ListInterface, listMeta metav1.ListMeta) {
	list.SetResourceVersion(listMeta.ResourceVersion)
	list.SetContinue(listMeta.Continue)
	list.SetRemainingItemCount(listMeta.RemainingItemCount)
	object := list.(runtime.Object)
	gvk := withKind(object).GetObjectKind().GroupVersionKind()
	r.text("api_version", gvk.GroupVersion().String())
	r.text("kind", gvk.Kind)
	r.text("revision", listMeta.ResourceVersion)
	r.text("continue", listMeta.Continue)
	if listMeta.RemainingItemCount != nil {
		r.text("remaining", fmt.Sprint(*listMeta.RemainingItemCount))
	}
	r.text("items", fmt.Sprint(itemsOf(object)))
	r.hex("list", protobufOf(object))
	r.end()
}

func itemsOf(list runtime.Object) int {
	switch list := list.(type) {
	case *corev1.PodList:
		return len(list.Items)
	case *corev1.ConfigMapList:
		return len(list.Items)
	case *metav1.PartialObjectMetadataList:
		return len(list.Items)
	}
	panic(list)
}
