package golden

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

func statuses() string {
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	tooLarge := apierrors.NewTimeoutError("Too large resource version: 999, current: 100", 1)
	tooLarge.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}}
	expired := apierrors.NewResourceExpired("the token is old")
	expired.ErrStatus.ListMeta.Continue = "fresh"
	var out record
	for _, each := range []struct {
		name  string
		error *apierrors.StatusError
	}{
		{"unauthorized", apierrors.NewUnauthorized("Unauthorized")},
		{"forbidden", apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New(`User "u" cannot list`))},
		{"not_found", apierrors.NewNotFound(deployments, "nope")},
		{"too_large", tooLarge},
		{"watch_expired", apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", 5, 100))},
		{"continue_expired", expired},
		{"too_many_requests", apierrors.NewTooManyRequests("storage is (re)initializing", 3)},
		{"plain", &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 502, Message: "<&> \"no\""}}},
	} {
		status := &each.error.ErrStatus
		status.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Status"})
		out.text("name", each.name)
		out.text("json", jsonOf(status))
		out.hex("body", protobufOf(status))
		out.hex("frame", frameOf(watch.Error, status))
		out.end()
	}
	return out.String()
}

// bookmarks are zero objects of their type. Those that write more than their metadata are to be read only.
func bookmarks() string {
	var out record
	add := func(object runtime.Object, how string, end bool) {
		accessor(withKind(object)).SetResourceVersion("12746")
		if end {
			accessor(object).SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
		}
		gvk := object.GetObjectKind().GroupVersionKind()
		out.text("api_version", gvk.GroupVersion().String())
		out.text("kind", gvk.Kind)
		out.text(how, fmt.Sprint(end))
		out.hex("frame", frameOf(watch.Bookmark, object))
		out.end()
	}
	metadata := func() runtime.Object {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(partialKind(""))
		return object
	}
	for _, end := range []bool{false, true} {
		add(metadata(), "written", end)
		add(&corev1.ConfigMap{}, "written", end)
		add(&corev1.Pod{}, "read", end)
		add(&discoveryv1.EndpointSlice{}, "read", end)
	}
	return out.String()
}
