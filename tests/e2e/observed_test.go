package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// An observed informer: what its handler was told, and what its requests came to.
type observed struct {
	name      string
	form      form
	gvr       schema.GroupVersionResource
	namespace string
	options   metav1.ListOptions
	informer  cache.SharedIndexInformer
	traffic   *traffic

	mu       sync.Mutex
	state    map[string]version // By the events alone.
	problems []string
	events   int
}

// A version of an object.
type version struct {
	uid      types.UID
	revision uint64
}

// A truth is what the API server has: objects by key.
type truth map[string]*unstructured.Unstructured

func newObserved(name string, f form, gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions) *observed {
	return &observed{
		name: name, form: f, gvr: gvr, namespace: namespace, options: options,
		traffic: &traffic{}, state: map[string]version{},
	}
}

func (o *observed) observe(t *testing.T) {
	t.Helper()
	_, err := o.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: o.added, UpdateFunc: o.updated, DeleteFunc: o.deleted})
	must(t, err)
}

// settle waits until the informer equals the API server, then judges its history. truths keeps what the API server
// said, since nothing changes any more.
func (o *observed) settle(t *testing.T, truths map[string]truth) {
	what := fmt.Sprint(o.gvr, o.namespace, o.options)
	if truths[what] == nil {
		var err error
		truths[what], err = readTruth(o.gvr, o.namespace, o.options)
		must(t, err)
	}
	want := truths[what]
	o.wait(t, want)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.compareStore(t, want)
	lists, watches, gone := o.traffic.lists.Load(), o.traffic.watches.Load(), o.traffic.gone.Load()
	t.Logf("%d objects, %d events, %d lists, %d watches, %d times 410", len(want), o.events, lists, watches, gone)
	problems := o.traffic.takeProblems()
	if o.form.cached() || selfCheck {
		if lists-1 > gone {
			t.Errorf("%d lists, but only %d times 410", lists, gone)
		}
	}
	if o.form.cached() && (gone > 0 || watches > 1) {
		t.Errorf("%d times 410 and %d watches: Weir had all it needs to spare its clients that", gone, watches)
	}
	if lists == 1 && gone == 0 { // A relist replaces, and what it skips is no fault of the stream.
		problems = append(problems, o.problems...)
	}
	for i, problem := range problems {
		if i == 10 {
			t.Errorf("… %d in all", len(problems))
			break
		}
		t.Error(problem)
	}
}

func (o *observed) wait(t *testing.T, want truth) {
	t.Helper()
	versions := map[string]version{}
	for key, object := range want {
		versions[key] = versionOf(object)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		o.mu.Lock()
		difference := compareVersions(versions, o.state)
		o.mu.Unlock()
		if difference == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never equal to the API server: %s", difference)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// compareStore wants the same objects, field by field, as far as the form carries them.
func (o *observed) compareStore(t *testing.T, want truth) {
	t.Helper()
	store := o.informer.GetStore().List()
	if len(store) != len(want) {
		t.Errorf("the store has %d objects, the API server %d", len(store), len(want))
	}
	for _, object := range store {
		key := keyOf(object)
		if want[key] == nil {
			continue // Counted above.
		}
		got, err := contentOf(object, o.form.metadata)
		must(t, err)
		expected, err := contentOf(want[key], o.form.metadata)
		must(t, err)
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("%s is\n%v\nand for the API server\n%v", key, got, expected)
			return
		}
	}
}

// contentOf is an object's JSON, without its type, which typed objects do not have.
func contentOf(object any, metadataOnly bool) (map[string]any, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	if metadataOnly {
		return map[string]any{"metadata": all["metadata"]}, nil
	}
	delete(all, "kind")
	delete(all, "apiVersion")
	return all, nil
}

func (o *observed) report(format string, args ...any) {
	o.problems = append(o.problems, fmt.Sprintf(format, args...))
}

func (o *observed) added(object any) { o.see(object, false) }

func (o *observed) updated(before, after any) {
	if b, a := versionOf(before), versionOf(after); b.uid != a.uid {
		o.mu.Lock()
		o.report("%s: uid %s became %s without a deletion", keyOf(after), b.uid, a.uid)
		o.mu.Unlock()
	}
	o.see(after, true)
}

func (o *observed) see(object any, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events++
	key, now := keyOf(object), versionOf(object)
	last, have := o.state[key]
	if have != known {
		o.report("%s at %d: known %v, the informer says %v", key, now.revision, have, known)
	}
	if have && now.revision <= last.revision {
		o.report("%s: revision %d after %d", key, now.revision, last.revision)
	}
	o.state[key] = now
}

func (o *observed) deleted(object any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events++
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		o.report("%s vanished without an event", unknown.Key)
		delete(o.state, unknown.Key)
		return
	}
	key := keyOf(object)
	if last, have := o.state[key]; !have || versionOf(object).revision <= last.revision {
		o.report("%s: deleted at %d, last seen %v at %d", key, versionOf(object).revision, have, last.revision)
	}
	delete(o.state, key)
}

func keyOf(object any) string {
	key, err := cache.MetaNamespaceKeyFunc(object)
	if err != nil {
		return err.Error()
	}
	return key
}

func versionOf(object any) version {
	o, err := meta.Accessor(object)
	if err != nil {
		return version{}
	}
	rv, _ := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	return version{o.GetUID(), rv}
}

// readTruth asks the API server itself.
func readTruth(gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions) (truth, error) {
	list, err := adminDy.Resource(gvr).Namespace(namespace).List(context.Background(), options)
	if err != nil {
		return nil, err
	}
	all := truth{}
	for i := range list.Items {
		all[keyOf(&list.Items[i])] = &list.Items[i]
	}
	return all, nil
}

func versionsBy(client dynamic.Interface, gvr schema.GroupVersionResource, options metav1.ListOptions) (map[string]version, error) {
	list, err := client.Resource(gvr).List(context.Background(), options)
	if err != nil {
		return nil, err
	}
	all := map[string]version{}
	for i := range list.Items {
		all[keyOf(&list.Items[i])] = versionOf(&list.Items[i])
	}
	return all, nil
}

func compareVersions(want, got map[string]version) string {
	var missing, extra, other []string
	for key, v := range want {
		if g, ok := got[key]; !ok {
			missing = append(missing, key)
		} else if g != v {
			other = append(other, fmt.Sprintf("%s at %d, not %d", key, g.revision, v.revision))
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			extra = append(extra, key)
		}
	}
	if len(missing)+len(extra)+len(other) == 0 {
		return ""
	}
	short := func(list []string) string {
		slices.Sort(list)
		return fmt.Sprintf("%d %v", len(list), list[:min(3, len(list))])
	}
	return fmt.Sprintf("missing %s, too many %s, other %s", short(missing), short(extra), short(other))
}
