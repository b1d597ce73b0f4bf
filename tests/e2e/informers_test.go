package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// TestInformersSurviveTheAPIServer runs client-go informers through Weir over 2,000 objects under churn, while the API
// server is killed and started again three times, history goes on without it, and etcd is compacted. At the end every
// informer equals the API server; none has lost an event, seen one twice or out of order, and none had to list again.
func TestInformersSurviveTheAPIServer(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fillChurn(t)
	defer emptyChurn(t)

	list := startInformers(t, ctx)
	churn := startChurn(t, weir.URL)
	time.Sleep(2 * time.Second)

	// Killed, and back at once.
	must(t, cluster.StopAPIServer(true))
	must(t, cluster.StartAPIServer())
	time.Sleep(2 * time.Second)

	// Away in order; another API server goes on writing meanwhile.
	outage := func(hard, compact bool) {
		replica, err := cluster.StartReplica()
		must(t, err)
		churn.writeTo(replica)
		must(t, cluster.StopAPIServer(hard))
		time.Sleep(2 * time.Second)
		if compact {
			must(t, cluster.Compact(revision(t)))
		}
		must(t, cluster.StartAPIServer())
		churn.writeTo(weir.URL)
		cluster.StopReplica()
		time.Sleep(3 * time.Second)
	}
	outage(false, false)
	outage(true, true)

	writes := churn.stop()
	t.Logf("%d writes, %d failed and were given up", writes, churn.failed.Load())
	for _, informer := range list {
		t.Run(informer.name, func(t *testing.T) { informer.settle(t) })
	}
}

// An observed informer: what its handler was told, and what its requests came to.
type observed struct {
	name     string
	informer cache.SharedIndexInformer
	traffic  *traffic
	expected func() (map[string]version, error) // By the API server.

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

func startInformers(t *testing.T, ctx context.Context) []*observed {
	t.Helper()
	certUser, err := cluster.CertUser("informer", "system:masters")
	must(t, err)
	var list []*observed
	add := func(name string, config *rest.Config, make func(*rest.Config) cache.SharedIndexInformer, gvr schema.GroupVersionResource, options metav1.ListOptions) {
		o := &observed{name: name, traffic: &traffic{}, state: map[string]version{}}
		config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
		config.Wrap(o.traffic.wrap)
		o.informer = make(config)
		o.expected = func() (map[string]version, error) { return versions(gvr, options) }
		_, err := o.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: o.added, UpdateFunc: o.updated, DeleteFunc: o.deleted})
		must(t, err)
		list = append(list, o)
	}
	typed := func(pods bool, tweak func(*metav1.ListOptions)) func(*rest.Config) cache.SharedIndexInformer {
		return func(c *rest.Config) cache.SharedIndexInformer {
			client, err := kubernetes.NewForConfig(c)
			must(t, err)
			factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(tweak))
			if pods {
				return factory.Core().V1().Pods().Informer()
			}
			return factory.Core().V1().ConfigMaps().Informer()
		}
	}
	byDynamic := func(gvr schema.GroupVersionResource, ns string) func(*rest.Config) cache.SharedIndexInformer {
		return func(c *rest.Config) cache.SharedIndexInformer {
			client, err := dynamic.NewForConfig(c)
			must(t, err)
			return dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, ns, nil).ForResource(gvr).Informer()
		}
	}
	configMaps, pods := resourceOf("/api/v1", "configmaps"), resourceOf("/api/v1", "pods")
	byToken := func() *rest.Config { return cluster.Admin.RESTConfig(weir.URL, cluster.CAFile()) }
	byCert := func() *rest.Config { return certUser.RESTConfig(weir.URL, cluster.CAFile()) }
	none := func(*metav1.ListOptions) {}
	even := metav1.ListOptions{LabelSelector: "parity=even"}
	unscheduled := metav1.ListOptions{FieldSelector: "spec.nodeName="}
	add("typed configmaps", byToken(), typed(false, none), configMaps, metav1.ListOptions{})
	add("typed pods", byCert(), typed(true, none), pods, metav1.ListOptions{})
	add("dynamic configmaps", byCert(), byDynamic(configMaps, ""), configMaps, metav1.ListOptions{})
	add("dynamic pods", byToken(), byDynamic(pods, ""), pods, metav1.ListOptions{})
	add("dynamic configmaps of a namespace", byToken(), byDynamic(configMaps, "churn-1"), configMaps,
		metav1.ListOptions{FieldSelector: "metadata.namespace=churn-1"})
	add("configmaps by label", byToken(), typed(false, func(o *metav1.ListOptions) { o.LabelSelector = even.LabelSelector }), configMaps, even)
	add("pods by field", byToken(), typed(true, func(o *metav1.ListOptions) { o.FieldSelector = unscheduled.FieldSelector }), pods, unscheduled)
	for _, o := range list {
		go o.informer.RunWithContext(ctx)
	}
	for _, o := range list {
		deadline, stop := context.WithTimeout(ctx, 30*time.Second)
		if !cache.WaitForCacheSync(deadline.Done(), o.informer.HasSynced) {
			t.Errorf("%s does not sync", o.name)
		}
		stop()
	}
	return list
}

// settle waits until the informer equals the API server, then judges its history.
func (o *observed) settle(t *testing.T) {
	want, err := o.expected()
	must(t, err)
	deadline := time.Now().Add(30 * time.Second)
	for {
		o.mu.Lock()
		difference := compareVersions(want, o.state)
		o.mu.Unlock()
		if difference == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("never equal to the API server: %s", difference)
		}
		time.Sleep(50 * time.Millisecond)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := len(o.informer.GetStore().List()); got != len(want) {
		t.Errorf("the store has %d objects, the API server %d", got, len(want))
	}
	lists, watches, gone := o.traffic.lists.Load(), o.traffic.watches.Load(), o.traffic.gone.Load()
	t.Logf("%d objects, %d events, %d lists, %d watches, %d times 410", len(want), o.events, lists, watches, gone)
	if lists-1 > gone {
		t.Errorf("%d lists, but only %d times 410", lists, gone)
	}
	if gone > 0 && !selfCheck {
		t.Errorf("%d times 410: Weir had all it needs to spare its clients that", gone)
	}
	for i, problem := range append(o.problems, o.traffic.takeProblems()...) {
		if i == 10 {
			t.Errorf("… %d in all", len(o.problems))
			break
		}
		t.Error(problem)
	}
}

func (o *observed) report(format string, args ...any) {
	// A relist replaces, and what it skips is no fault of the stream.
	if o.traffic.gone.Load() == 0 {
		o.problems = append(o.problems, fmt.Sprintf(format, args...))
	}
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

func versions(gvr schema.GroupVersionResource, options metav1.ListOptions) (map[string]version, error) {
	list, err := adminDy.Resource(gvr).List(context.Background(), options)
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

// traffic counts an informer's requests and reads along in its watches.
type traffic struct {
	lists, watches, gone atomic.Int64
	mu                   sync.Mutex
	problems             []string
}

func (t *traffic) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		watch := r.URL.Query().Get("watch") == "true"
		response, err := next.RoundTrip(r)
		if err != nil {
			return response, err
		}
		if response.StatusCode == http.StatusGone {
			t.gone.Add(1)
		}
		switch {
		case watch && response.StatusCode == http.StatusOK:
			t.watches.Add(1)
			response.Body = &watchBody{ReadCloser: response.Body, traffic: t, path: r.URL.String()}
		case !watch && response.StatusCode == http.StatusOK && !strings.Contains(r.URL.RawQuery, "continue="):
			t.lists.Add(1)
		}
		return response, nil
	})
}

func (t *traffic) takeProblems() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.problems
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// watchBody checks that revisions rise strictly on one stream, and that the stream ends between two events.
type watchBody struct {
	io.ReadCloser
	traffic *traffic
	path    string
	line    []byte
	last    uint64
}

func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.line = append(b.line, p[:n]...)
	for {
		line, rest, found := bytes.Cut(b.line, []byte("\n"))
		if !found {
			break
		}
		b.event(line)
		b.line = bytes.Clone(rest)
	}
	if errors.Is(err, io.EOF) && len(b.line) > 0 {
		b.report("the stream ended within an event: %.100s", b.line)
	}
	return n, err
}

func (b *watchBody) event(line []byte) {
	var e struct {
		Type   string
		Object struct {
			Code     int
			Metadata struct{ ResourceVersion string }
		}
	}
	if err := json.Unmarshal(line, &e); err != nil {
		b.report("no event: %v: %.100s", err, line)
		return
	}
	if e.Type == "ERROR" {
		if e.Object.Code == http.StatusGone {
			b.traffic.gone.Add(1)
		}
		return
	}
	rv, _ := strconv.ParseUint(e.Object.Metadata.ResourceVersion, 10, 64)
	if rv < b.last || (rv == b.last && e.Type != "BOOKMARK") {
		b.report("%s at %d after %d", e.Type, rv, b.last)
	}
	b.last = rv
}

func (b *watchBody) report(format string, args ...any) {
	b.traffic.mu.Lock()
	defer b.traffic.mu.Unlock()
	b.traffic.problems = append(b.traffic.problems, b.path+": "+fmt.Sprintf(format, args...))
}
