package e2e

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/fields"
	clientfeatures "k8s.io/client-go/features"

	"weir.dev/e2e/oracle"
)

// fromCache says which ways of asking Weir answers from its cache; what it does not is forwarded. Watches of cached
// forms outlive the API server and their clients never list again; the tests hold them to that. Of the others they
// want no more than the right end. A form that Weir learns is switched on here, and all tests of clients with it.
var fromCache = struct {
	protobuf, metadata, watchList, fieldSelectors, events bool
}{
	protobuf:       true,  // application/vnd.kubernetes.protobuf.
	metadata:       true,  // PartialObjectMetadata, in either encoding.
	watchList:      true,  // sendInitialEvents.
	fieldSelectors: true,  // Others than metadata.name, metadata.namespace and spec.nodeName.
	events:         false, // The resource of that name.
}

// A form is how a client asks for objects.
type form struct {
	protobuf, metadata, watchList bool
}

func (f form) cached() bool {
	return !selfCheck && (fromCache.protobuf || !f.protobuf) && (fromCache.metadata || !f.metadata) && (fromCache.watchList || !f.watchList)
}

// forwardedAnyway tells of a LIST or WATCH that Weir leaves to the API server in every form.
func forwardedAnyway(e oracle.AuditEvent) bool {
	switch e.ObjectRef.Resource {
	case "secrets": // --cache-never.
		return true
	case "events":
		return !fromCache.events
	case "daemonsets", "horizontalpodautoscalers":
		// As metadata alone, which only these two ask for: upstream leaves out annotations that the whole object has.
		user := e.User.Username
		if strings.HasSuffix(user, ":namespace-controller") || strings.HasSuffix(user, ":generic-garbage-collector") {
			return true
		}
	}
	target, err := url.Parse(e.RequestURI)
	if err != nil {
		return false
	}
	selector, err := fields.ParseSelector(target.Query().Get("fieldSelector"))
	return err == nil && !fromCache.fieldSelectors && slices.ContainsFunc(selector.Requirements(), func(r fields.Requirement) bool {
		return !slices.Contains([]string{"metadata.name", "metadata.namespace", "spec.nodeName"}, r.Field)
	})
}

// client is the form as client-go's components are configured.
func (f form) client() oracle.ClientForm {
	c := oracle.ClientForm{ContentType: "application/json", WatchList: f.watchList}
	if f.protobuf {
		c.ContentType = "application/vnd.kubernetes.protobuf"
	}
	return c
}

// setWatchList decides how informers begin that start from now on. They look when they start to run, so the caller
// waits for those that are on their way.
func setWatchList(t *testing.T, on bool) {
	t.Helper()
	gates, ok := clientfeatures.FeatureGates().(interface {
		Set(clientfeatures.Feature, bool) error
	})
	if !ok {
		t.Fatal("client-go's feature gates cannot be set")
	}
	must(t, gates.Set(clientfeatures.WatchListClient, on))
}
