package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// A selectable is a collection with the labels that field selectors may name there, each with values that some object
// has. Every value, none and an unknown one are asked for with = and with !=.
type selectable struct {
	path   string
	labels map[string][]string
	events bool // See fromCache.
	custom bool
	// Custom resources have no protobuf, and their metadata in protobuf none of their fields: the API server answers.
	forwarded bool
}

// Without a value in any object, whatever there is.
var noValue = []string{}

var selectables = []selectable{
	{path: "/api/v1/pods", labels: map[string][]string{
		"metadata.name": {"full", "plain"}, "metadata.namespace": {fieldsNamespace, "a"},
		"spec.nodeName": {"n1", "n2"}, "spec.host": {"n1"}, "spec.restartPolicy": {"Always", "Never", "OnFailure"},
		"spec.schedulerName": {"default-scheduler", "own"}, "spec.serviceAccountName": {"builder"}, "spec.hostNetwork": {"true", "false"},
		"status.phase": {"Pending", "Running", "Failed"}, "status.podIP": {"10.9.0.1", "fd00::2"}, "status.podIPs": noValue,
		"status.nominatedNodeName": {"n2"},
	}},
	{path: "/api/v1/nodes", labels: map[string][]string{"metadata.name": {"n1"}, "spec.unschedulable": {"true", "false"}}},
	{path: "/api/v1/namespaces", labels: map[string][]string{"metadata.name": {"a"}, "status.phase": {"Active", "Terminating"}}},
	{path: "/api/v1/secrets", labels: map[string][]string{"metadata.namespace": {"a"}, "type": {"example.com/typed", "Opaque"}}},
	{path: "/api/v1/services", labels: map[string][]string{
		"metadata.namespace": {"a"}, "spec.clusterIP": {"None", "10.0.200.7"}, "spec.type": {"ClusterIP", "NodePort", "ExternalName"},
	}},
	{path: "/api/v1/replicationcontrollers", labels: map[string][]string{"metadata.namespace": {fieldsNamespace}, "status.replicas": {"0", "300"}}},
	{path: "/apis/batch/v1/jobs", labels: map[string][]string{"metadata.namespace": {fieldsNamespace}, "status.successful": {"0", "2"}}},
	{path: "/api/v1/events", events: true, labels: map[string][]string{
		"metadata.namespace": {fieldsNamespace}, "involvedObject.kind": {"Pod", "Job"}, "involvedObject.namespace": {fieldsNamespace},
		"involvedObject.name": {"full", "a<b>&c"}, "involvedObject.uid": {"u-1"}, "involvedObject.apiVersion": {"v1"},
		"involvedObject.resourceVersion": {"17"}, "involvedObject.fieldPath": {"spec.containers{c}"},
		"reason": {"Started"}, "reportingComponent": {"example.com/controller"}, "source": {"kubelet", "example.com/controller"},
		"type": {"Normal", "Warning"},
	}},
	{path: "/apis/events.k8s.io/v1/events", events: true, labels: map[string][]string{
		"metadata.namespace": {fieldsNamespace}, "regarding.kind": {"Pod", "Job"}, "regarding.namespace": {fieldsNamespace},
		"regarding.name": {"full", "a<b>&c"}, "regarding.uid": {"u-1"}, "regarding.apiVersion": {"v1"}, "regarding.resourceVersion": {"17"},
		"regarding.fieldPath": {"spec.containers{c}"}, "reason": {"Started"}, "reportingController": {"example.com/controller"},
		"type": {"Normal", "Warning"},
	}},
	{path: "/apis/certificates.k8s.io/v1/certificatesigningrequests", labels: map[string][]string{"spec.signerName": {"example.com/one", "example.com/two"}}},
	{path: "/apis/certificates.k8s.io/v1/clustertrustbundles", labels: map[string][]string{"spec.signerName": {"example.com/signer"}}},
	{path: "/apis/certificates.k8s.io/v1/podcertificaterequests", labels: map[string][]string{
		"spec.signerName": {"example.com/one"}, "spec.podName": {"pod-example.com-one"}, "spec.nodeName": {"node-example.com-two"},
	}},
	{path: "/apis/resource.k8s.io/v1/resourceslices", labels: map[string][]string{
		"spec.driver": {"gpu.example.com"}, "spec.pool.name": {"pool-1", "pool-2"}, "spec.nodeName": {"n1"},
	}},
	{path: "/api/v1/persistentvolumes", labels: map[string][]string{"metadata.name": {"fields-volume"}, "metadata.namespace": noValue}},
	{path: "/apis/apps/v1/replicasets", labels: map[string][]string{"metadata.namespace": {fieldsNamespace}}},
	{path: "/apis/fields.example.com/v1/shirts", custom: true, labels: map[string][]string{
		"metadata.name": {"red"}, "metadata.namespace": {fieldsNamespace}, "spec.color": {"red", "true"},
		"spec.size": {"7", "0", "-9007199254740993", "9007199254740993"}, "spec.cut.long": {"true", "false"}, "spec.node-name_1": {"n1"},
		"spec.optional": noValue,
	}},
	{path: "/apis/fields.example.com/v1beta1/shirts", custom: true, labels: map[string][]string{"metadata.name": {"red"}, "metadata.namespace": {fieldsNamespace}}},
	{path: "/apis/fields.example.com/v1/flags", custom: true, labels: map[string][]string{"metadata.name": {"blue"}, "spec.color": {"blue"}}},
}

// refusedFields are labels that no type has, or only some: every type that does not list them refuses them.
var refusedFields = []string{
	"spec.foo", "name", "metadata.uid", "metadata.namespace", "spec.host", "spec.nodeName", "status.replicas", "status.phase", "type",
	"source", "involvedObject.name", "spec.color", "spec.Color", ".spec.color", "spec", "spec.cut", "metadata.labels.app", "",
}

func fieldsPath(s selectable, selector string, more ...string) string {
	return s.path + "?" + strings.Join(append([]string{"resourceVersion=0", "fieldSelector=" + url.QueryEscape(selector)}, more...), "&")
}

// fieldsServers are the API server and a Weir that caches everything it can.
func fieldsServers(t *testing.T) (up, down *caller, w *oracle.Weir) {
	t.Helper()
	w = weir
	if !selfCheck {
		w = startWeir(t, oracle.WeirOptions{Args: []string{"--cache-never="}})
	}
	return newCaller(t, cluster.URL(), cluster.Admin, true), newCaller(t, w.URL, cluster.Admin, true), w
}

// warm makes Weir's caches of all collections, and makes them as new as the last change.
func warm(t *testing.T, down *caller) {
	t.Helper()
	for _, s := range selectables {
		for _, accept := range []string{"application/json", protobuf} {
			a := down.ask(request{Path: s.path, Header: http.Header{"Accept": {accept}}})
			if custom := s.custom && accept == protobuf; a.Status != http.StatusOK && !custom {
				t.Fatalf("%s: %d %s %v", s.path, a.Status, a.Body, a.Err)
			}
		}
	}
}

// TestFieldSelectors asks for every label that any type has: which objects have the value, and which have not.
func TestFieldSelectors(t *testing.T) {
	seedFields(t)
	up, down, w := fieldsServers(t)
	warm(t, down)
	forwarded := forwardedLists(t, w)
	for _, s := range selectables {
		t.Run(subtestName(s.path), func(t *testing.T) {
			before := forwarded()
			for label, values := range s.labels {
				for _, value := range values {
					if a := up.ask(request{Path: fieldsPath(s, label+"="+value)}); a.Status != http.StatusOK || itemsOf(a.Body) == 0 {
						t.Errorf("no object has %s=%s: %d %s", label, value, a.Status, a.Body)
					}
				}
				for _, value := range append(slices.Clone(values), "", "nope", "0", "false") {
					for _, operator := range []string{"=", "!="} {
						compareFields(t, up, down, s, label+operator+value)
					}
				}
			}
			if n := forwarded() - before; n > 0 && fromCache.fieldSelectors && (fromCache.events || !s.events) {
				t.Errorf("Weir has forwarded %d lists", n)
			}
		})
	}
}

// TestFieldSelectorsTogether: requirements on several fields, and in a namespace.
func TestFieldSelectorsTogether(t *testing.T) {
	seedFields(t)
	up, down, _ := fieldsServers(t)
	warm(t, down)
	for path, selectors := range map[string][]string{
		"/api/v1/pods": {
			"spec.nodeName=n1,status.phase=Running", "spec.nodeName!=n1,status.phase!=Running", "spec.host=n1,spec.nodeName=n2",
			"spec.host=n1,spec.nodeName=n1,spec.hostNetwork=true", "status.phase!=Running,status.phase!=Failed", "status.podIPs!=x,spec.nodeName=",
			"metadata.namespace=fields,spec.hostNetwork=false", "metadata.name=full,spec.hostNetwork=true", "metadata.name=full,spec.hostNetwork=false",
			"metadata.namespace=a,status.phase=Running", "=,status.phase=Running", "spec.nodeName=n1,spec.foo=1", "status.phase==Running",
		},
		"/api/v1/namespaces/fields/pods": {"status.phase=Running", "spec.schedulerName=own,metadata.namespace=fields", "metadata.namespace=a"},
		"/apis/fields.example.com/v1/shirts": {
			"spec.color=red,spec.size=7", "spec.color!=red,spec.size!=7", "spec.cut.long=true,metadata.namespace=fields", "spec.color=red,kind=Shirt",
			"kind=Shirt", "kind!=Shirt", `spec.color=<"\\ ü`, "spec.color=red,spec.foo=1",
		},
		"/apis/fields.example.com/v1/namespaces/fields/shirts": {"spec.color=red", "spec.size=0", "metadata.namespace=a,spec.color=red"},
	} {
		for _, selector := range selectors {
			s := selectable{path: path, custom: strings.Contains(path, "shirts"), forwarded: true}
			compareFields(t, up, down, s, selector)
			compareFields(t, up, down, s, selector, "limit=1")
		}
	}
}

// TestFieldSelectorsThatAreRefused: upstream's words for every label that a type does not have.
func TestFieldSelectorsThatAreRefused(t *testing.T) {
	seedFields(t)
	up, down, _ := fieldsServers(t)
	warm(t, down)
	for _, s := range selectables {
		for _, label := range refusedFields {
			if _, accepted := s.labels[label]; accepted {
				continue
			}
			for _, watch := range []string{"watch=false", "watch=true&timeoutSeconds=1"} {
				r := request{Path: fieldsPath(s, label+"=x", watch)}
				upstream := up.ask(r)
				if upstream.Status == http.StatusOK && label != "metadata.namespace" {
					t.Errorf("%s is accepted: the table of this test is not complete", r.Path)
				}
				if d := difference(r, upstream, down.ask(r)); d != "" && upstream.Status != http.StatusOK {
					t.Errorf("%s\n%s", r, d)
				}
			}
		}
	}
}

// compareFields compares the lists: every byte of those in JSON, and which objects are in those of other forms.
func compareFields(t *testing.T, up, down *caller, s selectable, selector string, more ...string) {
	t.Helper()
	accepts := []string{"application/json", partialList}
	if !s.custom || s.forwarded {
		accepts = append(accepts, protobuf, protobuf+";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
	}
	for _, accept := range accepts {
		r := request{Path: fieldsPath(s, selector, more...), Header: http.Header{"Accept": {accept}}}
		upstream, through := up.ask(r), down.ask(r)
		var d string
		if accept != "application/json" && upstream.Status == http.StatusOK {
			if want, got := decodedItems(t, upstream), decodedItems(t, through); want != got {
				d = fmt.Sprintf("API server %s\nWeir %s", want, got)
			}
		} else {
			d = difference(r, upstream, through)
		}
		if d != "" {
			t.Errorf("%s\n%s\n%s", r, selector, d)
		}
	}
}

// fieldsCodecs know all built-in types and metadata alone.
var fieldsCodecs = func() serializer.CodecFactory {
	s := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(s))
	utilruntime.Must(metav1.AddMetaToScheme(s))
	return serializer.NewCodecFactory(s)
}()

// decodedItems are the names and revisions of a list's items.
func decodedItems(t *testing.T, a answer) string {
	t.Helper()
	if a.Err != nil || a.Status != http.StatusOK {
		return fmt.Sprintf("%d %s %v", a.Status, a.Body, a.Err)
	}
	object, _, err := fieldsCodecs.UniversalDeserializer().Decode(a.Body, nil, nil)
	must(t, err)
	items, err := meta.ExtractList(object)
	must(t, err)
	var names []string
	for _, item := range items {
		m, err := meta.Accessor(item)
		must(t, err)
		names = append(names, m.GetNamespace()+"/"+m.GetName()+"@"+m.GetResourceVersion())
	}
	return strings.Join(names, " ")
}

func itemsOf(body []byte) int {
	var list struct{ Items []json.RawMessage }
	if json.Unmarshal(body, &list) != nil {
		return 0
	}
	return len(list.Items)
}

// forwardedLists counts the lists that Weir has forwarded.
func forwardedLists(t *testing.T, w *oracle.Weir) func() int {
	return func() int {
		if selfCheck {
			return 0
		}
		status, metrics, err := w.Admin("/metrics")
		must(t, err)
		if status != http.StatusOK {
			t.Fatalf("/metrics: %d", status)
		}
		return sumRequests(metrics)["LIST forward"]
	}
}

var fieldsWatches = []string{
	"/api/v1/pods status.phase=Running", "/api/v1/pods status.phase!=Running", "/api/v1/pods status.podIP=10.9.0.9", "/api/v1/pods status.podIP=",
	"/api/v1/pods status.nominatedNodeName=n3", "/api/v1/pods status.podIPs=", "/api/v1/pods spec.host=n3", "/api/v1/pods spec.nodeName=n3,status.phase=Running",
	"/api/v1/pods spec.hostNetwork=false,metadata.namespace=fields", "/api/v1/nodes spec.unschedulable=true", "/api/v1/nodes spec.unschedulable=false",
	"/api/v1/namespaces status.phase=Terminating", "/api/v1/namespaces status.phase!=Terminating", "/api/v1/services spec.type=NodePort",
	"/api/v1/services spec.type!=ClusterIP,metadata.namespace=fields", "/api/v1/secrets type=Opaque", "/api/v1/replicationcontrollers status.replicas=1",
	"/apis/batch/v1/jobs status.successful=0", "/apis/batch/v1/jobs status.successful=1", "/apis/batch/v1/jobs status.successful!=0",
	"/apis/resource.k8s.io/v1/resourceslices spec.nodeName=n3", "/apis/resource.k8s.io/v1/resourceslices spec.pool.name=moving",
	"/apis/fields.example.com/v1/shirts spec.color=green", "/apis/fields.example.com/v1/shirts spec.color=", "/apis/fields.example.com/v1/shirts spec.size=8",
	"/apis/fields.example.com/v1/shirts spec.cut.long=true", "/apis/fields.example.com/v1/shirts spec.cut.long!=true",
	"/apis/fields.example.com/v1/flags spec.color=green",
}

// TestFieldSelectorWatches: objects enter and leave selectors; both servers tell it alike.
func TestFieldSelectorWatches(t *testing.T) {
	seedFields(t)
	up, down, _ := fieldsServers(t)
	warm(t, down)
	now := revision(t)
	accepts := []string{"application/json", protobuf}
	streams := make([][2]exchange.Stream, len(fieldsWatches)*len(accepts))
	paths := make([]string, len(streams))
	var opened, ended sync.WaitGroup
	for i := range streams {
		path, selector, _ := strings.Cut(fieldsWatches[i/len(accepts)], " ")
		accept := accepts[i%len(accepts)]
		if accept == protobuf && strings.Contains(path, "fields.example.com") {
			accept += ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
		}
		r := request{
			Path:   fmt.Sprintf("%s?watch=1&resourceVersion=%d&timeoutSeconds=%d&fieldSelector=%s", path, now, watchSeconds, url.QueryEscape(selector)),
			Header: http.Header{"Accept": {accept}},
		}
		paths[i] = r.Path
		for j, server := range []*caller{up, down} {
			opened.Add(1)
			ended.Go(func() { streams[i][j] = readWatch(server, r, opened.Done) })
		}
	}
	opened.Wait()
	moveFields(t)
	ended.Wait()
	for i := range streams {
		name := fieldsWatches[i/len(accepts)]
		t.Run(subtestName(name+" "+accepts[i%len(accepts)]), func(t *testing.T) {
			compareStreams(t, paths[i], streams[i][0], streams[i][1])
		})
		if len(streams[i][0].Events) == 0 {
			t.Errorf("%s: nothing happened", name)
		}
	}
}

// moveFields changes one object of each type so that it enters and leaves the selectors of fieldsWatches.
func moveFields(t *testing.T) {
	t.Helper()
	suffix := fmt.Sprint(time.Now().UnixNano())
	ctx := context.Background()
	for _, move := range []struct {
		collection, manifest string
		clustered            bool
		status, patches      []string
	}{
		{collection: "/api/v1/pods", manifest: `{"metadata":{"name":%q},"spec":{"nodeName":"n3","containers":[{"name":"c","image":"example.com/c:1"}]}}`,
			status: []string{`{"status":{"phase":"Running","podIP":"10.9.0.9","podIPs":[{"ip":"10.9.0.9"}]}}`, `{"status":{"phase":"Succeeded"}}`}},
		{collection: "/api/v1/pods", manifest: `{"metadata":{"name":%q},"spec":{"containers":[{"name":"c","image":"example.com/c:1"}]}}`,
			status: []string{`{"status":{"nominatedNodeName":"n3"}}`, `{"status":{"nominatedNodeName":null}}`}},
		{collection: "/api/v1/nodes", clustered: true, manifest: `{"metadata":{"name":%q}}`,
			patches: []string{`{"spec":{"unschedulable":true}}`, `{"spec":{"unschedulable":null}}`}},
		{collection: "/api/v1/namespaces", clustered: true, manifest: `{"metadata":{"name":%q}}`},
		{collection: "/api/v1/services", manifest: `{"metadata":{"name":%q},"spec":{"ports":[{"port":80}]}}`,
			patches: []string{`{"spec":{"type":"NodePort"}}`, `{"metadata":{"labels":{"a":"b"}}}`, `{"spec":{"type":"LoadBalancer"}}`}},
		{collection: "/api/v1/secrets", manifest: `{"metadata":{"name":%q}}`, patches: []string{`{"data":{"a":"eA=="}}`}},
		{collection: "/api/v1/replicationcontrollers",
			manifest: `{"metadata":{"name":%q},"spec":{"replicas":1,"selector":{"app":"x"},` + fmt.Sprintf(podTemplate, "Always") + `}}`,
			status:   []string{`{"status":{"replicas":1}}`, `{"status":{"replicas":0}}`}},
		{collection: "/apis/batch/v1/jobs", manifest: `{"metadata":{"name":%q},"spec":{"completions":5,` + fmt.Sprintf(podTemplate, "Never") + `}}`,
			status: []string{`{"status":{"startTime":"2026-01-01T00:00:00Z","succeeded":1}}`, `{"status":{"succeeded":2}}`}},
		{collection: "/apis/resource.k8s.io/v1/resourceslices", clustered: true,
			manifest: `{"metadata":{"name":%q},"spec":{"driver":"gpu.example.com","pool":{"name":"moving","generation":1,"resourceSliceCount":1},"nodeName":"n3"}}`,
			patches:  []string{`{"metadata":{"labels":{"a":"b"}}}`}},
		{collection: "/apis/fields.example.com/v1/shirts", manifest: `{"metadata":{"name":%q},"spec":{"cut":{"long":true}}}`,
			patches: []string{`{"spec":{"color":"green","size":8}}`, `{"spec":{"size":9,"cut":null}}`, `{"spec":{"color":"blue"}}`}},
		{collection: "/apis/fields.example.com/v1/flags", clustered: true, manifest: `{"metadata":{"name":%q},"spec":{"color":"green"}}`,
			patches: []string{`{"spec":{"color":"blue"}}`, `{"spec":{"color":"green"}}`}},
	} {
		slash := strings.LastIndex(move.collection, "/")
		gvr := resourceOf(move.collection[:slash], move.collection[slash+1:])
		client := adminDy.Resource(gvr).Namespace(fieldsNamespace)
		if move.clustered {
			client = adminDy.Resource(gvr)
		}
		var object unstructured.Unstructured
		must(t, json.Unmarshal(fmt.Appendf(nil, move.manifest, "moving-"+suffix), &object.Object))
		object.SetGroupVersionKind(kindOf(t, gvr))
		_, err := client.Create(ctx, &object, metav1.CreateOptions{})
		must(t, err)
		for _, patch := range move.status {
			_, err := client.Patch(ctx, object.GetName(), types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
			must(t, err)
		}
		for _, patch := range move.patches {
			_, err := client.Patch(ctx, object.GetName(), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			must(t, err)
		}
		zero := int64(0)
		must(t, client.Delete(ctx, object.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &zero}))
	}
}

// TestSelectableFieldsOfADefinitionChange: what selectors may name follows the CustomResourceDefinition, and a watch
// by a field that is gone ends.
func TestSelectableFieldsOfADefinitionChange(t *testing.T) {
	seedFields(t)
	up, down, _ := fieldsServers(t)
	warm(t, down)
	shirts := selectable{path: "/apis/fields.example.com/v1/shirts", custom: true}
	define := func(paths ...string) {
		var definition map[string]any
		must(t, json.Unmarshal([]byte(shirtsDefinition(paths...)), &definition))
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"versions": definition["spec"].(map[string]any)["versions"]}})
		must(t, err)
		_, err = adminDy.Resource(crdGVR).Patch(context.Background(), "shirts.fields.example.com", types.MergePatchType, patch, metav1.PatchOptions{})
		must(t, err)
	}
	defer define(shirtPaths...)

	var opened, ended sync.WaitGroup
	opened.Add(1)
	var watch exchange.Stream
	ended.Go(func() {
		watch = readWatch(down, request{Path: fieldsPath(shirts, "spec.color=red", "watch=true&timeoutSeconds=60")}, opened.Done)
	})
	opened.Wait()
	define(".spec.size")
	ended.Wait()
	if watch.Err != nil || watch.Duration > watchSeconds*time.Second {
		t.Errorf("the watch ended after %s with %v", watch.Duration, watch.Err)
	}
	for _, server := range []*caller{up, down} {
		must(t, wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
			return server.ask(request{Path: fieldsPath(shirts, "spec.color=red")}).Status == http.StatusBadRequest, nil
		}))
	}
	for _, selector := range []string{"spec.size=7", "spec.size!=7", "spec.color=red", "spec.size=7,spec.color=red"} {
		compareFields(t, up, down, shirts, selector)
	}
}
