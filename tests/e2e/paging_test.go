package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/pager"
)

// A paged reader lists a collection in small pages, again and again. Each whole list must be what the API server had
// at that list's revision.
type paged struct {
	name    string
	size    int64
	gvr     schema.GroupVersionResource
	options metav1.ListOptions
	page    func(context.Context, metav1.ListOptions) (runtime.Object, error)

	complete, verified, failed int
	problems                   []string
}

// pagers are all of them, at work.
type pagers struct {
	list   []*paged
	cancel context.CancelFunc
	group  sync.WaitGroup
}

func startPagers(t *testing.T, ctx context.Context) *pagers {
	t.Helper()
	json := cluster.Admin.RESTConfig(weir.URL, cluster.CAFile())
	proto := cluster.Admin.RESTConfig(weir.URL, cluster.CAFile())
	proto.ContentType, proto.AcceptContentTypes = protobufType, protobufType+",application/json"
	byDynamic, err := dynamic.NewForConfig(json)
	must(t, err)
	byTyped, err := kubernetes.NewForConfig(proto)
	must(t, err)
	byMetadata, err := metadata.NewForConfig(proto)
	must(t, err)
	all, even := metav1.ListOptions{}, metav1.ListOptions{LabelSelector: "parity=even"}
	dynamically := func(gvr schema.GroupVersionResource) func(context.Context, metav1.ListOptions) (runtime.Object, error) {
		return func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return byDynamic.Resource(gvr).List(ctx, o)
		}
	}
	p := &pagers{list: []*paged{
		{name: "configmaps", size: 37, gvr: configMapGVR, options: all, page: dynamically(configMapGVR)},
		{name: "configmaps by label", size: 37, gvr: configMapGVR, options: even, page: dynamically(configMapGVR)},
		{name: "crontabs", size: 11, gvr: crontabGVR, options: all, page: dynamically(crontabGVR)},
		{name: "pods, protobuf", size: 23, gvr: podGVR, options: all, page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return byTyped.CoreV1().Pods("").List(ctx, o)
		}},
		{name: "metadata of crontabs, protobuf", size: 11, gvr: crontabGVR, options: all, page: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return byMetadata.Resource(crontabGVR).List(ctx, o)
		}},
	}}
	ctx, p.cancel = context.WithCancel(ctx)
	for _, one := range p.list {
		p.group.Go(func() {
			for ctx.Err() == nil {
				one.read(ctx)
				time.Sleep(300 * time.Millisecond)
			}
		})
	}
	return p
}

func (p *pagers) stop() {
	p.cancel()
	p.group.Wait()
}

func (p *paged) read(ctx context.Context) {
	lister := pager.New(p.page)
	lister.PageSize = p.size
	list, _, err := lister.List(ctx, p.options)
	if err != nil {
		p.failed++ // The API server is away, and a list without a revision is one of now.
		return
	}
	p.complete++
	access, err := meta.ListAccessor(list)
	if err != nil {
		p.problems = append(p.problems, err.Error())
		return
	}
	got := map[string]version{}
	var keys []string
	_ = meta.EachListItem(list, func(object runtime.Object) error {
		key := keyOf(object)
		got[key] = versionOf(object)
		keys = append(keys, key)
		return nil
	})
	if !slices.IsSorted(keys) || len(keys) != len(got) {
		p.problems = append(p.problems, fmt.Sprintf("at %s: %d items of %d names, sorted %v", access.GetResourceVersion(), len(keys), len(got), slices.IsSorted(keys)))
	}
	exact := p.options
	exact.ResourceVersion, exact.ResourceVersionMatch = access.GetResourceVersion(), metav1.ResourceVersionMatchExact
	want, err := versionsBy(adminDy, p.gvr, exact)
	if err != nil {
		return // Away again, or compacted.
	}
	p.verified++
	if difference := compareVersions(want, got); difference != "" {
		p.problems = append(p.problems, fmt.Sprintf("at %s: %s", access.GetResourceVersion(), difference))
	}
}

func (p *paged) judge(t *testing.T) {
	t.Logf("%d lists, %d of them compared, %d failed", p.complete, p.verified, p.failed)
	if p.verified < 3 {
		t.Errorf("only %d lists could be compared", p.verified)
	}
	if len(p.problems) > 0 {
		t.Error(strings.Join(p.problems[:min(5, len(p.problems))], "\n"))
	}
}
