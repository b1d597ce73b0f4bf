package e2e

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/consistencydetector"

	"weir.dev/e2e/oracle"
)

// TestInformersSurviveTheAPIServer runs client-go informers of all kinds through Weir over 2,200 objects under churn,
// while the API server is killed and started again three times, history goes on without it, and etcd is compacted;
// pagers read the same collections in small pages meanwhile. At the end every informer equals the API server. Of the
// forms that Weir caches none has lost an event, seen one twice or out of order, and none had to list again.
func TestInformersSurviveTheAPIServer(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fillChurn(t)
	defer emptyChurn(t)

	list := startInformers(t, ctx)
	churn := startChurn(t, weir.URL)
	pagers := startPagers(t, ctx)
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

	pagers.stop()
	writes := churn.stop()
	t.Logf("%d writes, %d failed and were given up", writes, churn.failed.Load())
	truths := map[string]truth{}
	for _, informer := range list {
		t.Run(informer.name, func(t *testing.T) { informer.settle(t, truths) })
	}
	for _, p := range pagers.list {
		t.Run("pages of "+p.name, p.judge)
	}
}

// A source makes informers of one kind of client.
type source func(t *testing.T, config *rest.Config, gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions) cache.SharedIndexInformer

func tweak(options metav1.ListOptions) func(*metav1.ListOptions) {
	return func(o *metav1.ListOptions) {
		o.LabelSelector, o.FieldSelector = options.LabelSelector, options.FieldSelector
	}
}

func byTyped(t *testing.T, config *rest.Config, gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions) cache.SharedIndexInformer {
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace), informers.WithTweakListOptions(tweak(options)))
	informer, err := factory.ForResource(gvr)
	must(t, err)
	return informer.Informer()
}

func byDynamic(t *testing.T, config *rest.Config, gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions) cache.SharedIndexInformer {
	client, err := dynamic.NewForConfig(config)
	must(t, err)
	return dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace, tweak(options)).ForResource(gvr).Informer()
}

func byMetadata(t *testing.T, config *rest.Config, gvr schema.GroupVersionResource, namespace string, options metav1.ListOptions) cache.SharedIndexInformer {
	client, err := metadata.NewForConfig(config)
	must(t, err)
	return metadatainformer.NewFilteredSharedInformerFactory(client, 0, namespace, tweak(options)).ForResource(gvr).Informer()
}

var (
	configMapGVR = resourceOf("/api/v1", "configmaps")
	podGVR       = resourceOf("/api/v1", "pods")
)

// startInformers starts the matrix, those of WatchList last, and waits until all have synced. What a WatchList brought
// is checked at once by client-go's own detector, which panics when it differs from an exact LIST at its revision.
func startInformers(t *testing.T, ctx context.Context) []*observed {
	t.Helper()
	certUser, err := cluster.CertUser("informer", "system:masters")
	must(t, err)
	all, even, unscheduled := metav1.ListOptions{}, metav1.ListOptions{LabelSelector: "parity=even"}, metav1.ListOptions{FieldSelector: "spec.nodeName="}
	json, proto := form{}, form{protobuf: true}
	jsonStream, protoStream := form{watchList: true}, form{protobuf: true, watchList: true}
	jsonMeta, protoMeta, protoMetaStream := form{metadata: true}, form{protobuf: true, metadata: true}, form{protobuf: true, metadata: true, watchList: true}
	var list []*observed
	for i, row := range []struct {
		name      string
		source    source
		form      form
		gvr       schema.GroupVersionResource
		namespace string
		options   metav1.ListOptions
	}{
		{"typed configmaps", byTyped, json, configMapGVR, "", all},
		{"typed pods", byTyped, json, podGVR, "", all},
		{"dynamic configmaps", byDynamic, json, configMapGVR, "", all},
		{"dynamic pods", byDynamic, json, podGVR, "", all},
		{"dynamic crontabs", byDynamic, json, crontabGVR, "", all},
		{"dynamic configmaps of a namespace", byDynamic, json, configMapGVR, "churn-1", all},
		{"configmaps by label", byTyped, json, configMapGVR, "", even},
		{"pods by field", byTyped, json, podGVR, "", unscheduled},
		{"configmaps, protobuf", byTyped, proto, configMapGVR, "", all},
		{"pods, protobuf", byTyped, proto, podGVR, "", all},
		{"configmaps of a namespace, protobuf", byTyped, proto, configMapGVR, "churn-1", all},
		{"configmaps by label, protobuf", byTyped, proto, configMapGVR, "", even},
		{"pods by field, protobuf", byTyped, proto, podGVR, "", unscheduled},
		{"metadata of configmaps, protobuf", byMetadata, protoMeta, configMapGVR, "", all},
		{"metadata of crontabs, protobuf", byMetadata, protoMeta, crontabGVR, "", all},
		{"metadata of pods, JSON", byMetadata, jsonMeta, podGVR, "", all},
		{"metadata of crontabs, JSON", byMetadata, jsonMeta, crontabGVR, "", all},
		{"metadata of configmaps by label, JSON", byMetadata, jsonMeta, configMapGVR, "", even},
		{"configmaps, WatchList", byTyped, jsonStream, configMapGVR, "", all},
		{"crontabs, WatchList", byDynamic, jsonStream, crontabGVR, "", all},
		{"pods, protobuf and WatchList", byTyped, protoStream, podGVR, "", all},
		{"pods by field, protobuf and WatchList", byTyped, protoStream, podGVR, "", unscheduled},
		{"metadata of pods, protobuf and WatchList", byMetadata, protoMetaStream, podGVR, "", all},
		{"metadata of crontabs, protobuf and WatchList", byMetadata, protoMetaStream, crontabGVR, "", all},
	} {
		user := []oracle.User{cluster.Admin, certUser}[i%2]
		config := user.RESTConfig(weir.URL, cluster.CAFile())
		o := newObserved(row.name, row.form, row.gvr, row.namespace, row.options)
		o.traffic.configure(config, row.form)
		o.informer = row.source(t, config, row.gvr, row.namespace, row.options)
		o.observe(t)
		list = append(list, o)
	}
	defer consistencydetector.SetDataConsistencyDetectionForWatchListEnabledForTest(true)()
	defer setWatchList(t, false)
	for _, streams := range []bool{false, true} {
		setWatchList(t, streams)
		for _, o := range list {
			if o.form.watchList == streams {
				go o.informer.RunWithContext(ctx)
			}
		}
		for _, o := range list {
			deadline, stop := context.WithTimeout(ctx, 30*time.Second)
			if o.form.watchList == streams && !cache.WaitForCacheSync(deadline.Done(), o.informer.HasSynced) {
				t.Errorf("%s does not sync", o.name)
			}
			stop()
		}
	}
	return list
}
