package e2e

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"weir.dev/e2e/oracle"
)

// clientFor speaks JSON, so that Weir may answer itself.
func clientFor(t *testing.T, server string, user oracle.User) kubernetes.Interface {
	t.Helper()
	config := user.RESTConfig(server, cluster.CAFile())
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	return client
}

// TestReadsNeverMissAnAcknowledgedWrite: a read without a revision that starts after a write was acknowledged shows
// that write, or a later one. Some writers go through Weir, some past it; every read goes through Weir. One collection
// is small and one is large, since Weir proves their freshness in different ways.
func TestReadsNeverMissAnAcknowledgedWrite(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	readers := clientFor(t, weir.URL, cluster.Admin)
	writers := []kubernetes.Interface{readers, admin}
	var group sync.WaitGroup
	var times reads
	for i := range 6 {
		w := &freshnessWriter{
			name: fmt.Sprintf("fresh-%d", i), write: writers[i%2], read: readers, times: &times,
			large: i >= 4, t: t,
		}
		group.Go(func() { w.run(ctx) })
	}
	group.Wait()
	times.log(t)
}

// TestReadsOfAQuietCollectionAreFresh: nothing of the kind changes, but others do, so that the current revision runs
// ahead of the cache's. Then one write, past Weir, is seen at once.
func TestReadsOfAQuietCollectionAreFresh(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	read := clientFor(t, weir.URL, cluster.Admin)
	var times reads
	for i := range 5 {
		must(t, createConfigMap(ctx, "empty", fmt.Sprintf("noise-%d", i), nil, ""))
		name := fmt.Sprintf("quiet-%d", i)
		holder := fmt.Sprint(i)
		lease, err := admin.CoordinationV1().Leases("a").Get(ctx, "lease-1", metav1.GetOptions{})
		must(t, err)
		lease.Spec.HolderIdentity = &holder
		lease, err = admin.CoordinationV1().Leases("a").Update(ctx, lease, metav1.UpdateOptions{})
		must(t, err)
		start := time.Now()
		list, err := read.CoordinationV1().Leases("").List(ctx, metav1.ListOptions{})
		must(t, err)
		times.add("LIST of a quiet kind", time.Since(start))
		found := false
		for _, item := range list.Items {
			found = found || (item.Name == lease.Name && item.ResourceVersion == lease.ResourceVersion)
		}
		if !found || less(list.ResourceVersion, lease.ResourceVersion) {
			t.Errorf("%s: the LIST at %s misses the write at %s", name, list.ResourceVersion, lease.ResourceVersion)
		}
		// Once more, with nothing new of this kind.
		must(t, createConfigMap(ctx, "empty", fmt.Sprintf("more-noise-%d", i), nil, ""))
		start = time.Now()
		_, err = read.CoordinationV1().Leases("").List(ctx, metav1.ListOptions{})
		must(t, err)
		times.add("LIST of an unchanged kind", time.Since(start))
	}
	must(t, admin.CoreV1().ConfigMaps("empty").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	times.log(t)
}

// A freshnessWriter owns one object and knows which of its revisions was acknowledged last.
type freshnessWriter struct {
	name        string
	write, read kubernetes.Interface
	times       *reads
	large       bool
	t           *testing.T
}

func (w *freshnessWriter) run(ctx context.Context) {
	labels := map[string]string{"fresh": w.name}
	for n := 0; ctx.Err() == nil; n++ {
		created, err := w.write.CoreV1().ConfigMaps("a").Create(ctx, configMap("a", w.name, labels, ""), metav1.CreateOptions{})
		if err != nil {
			w.fail(ctx, "create", err)
			return
		}
		w.check(ctx, created.ResourceVersion)
		for range rand.Intn(4) {
			patch := fmt.Sprintf(`{"data":{"n":"%d"}}`, rand.Int())
			patched, err := w.write.CoreV1().ConfigMaps("a").Patch(ctx, w.name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			if err != nil {
				w.fail(ctx, "patch", err)
				return
			}
			w.check(ctx, patched.ResourceVersion)
		}
		if err := w.write.CoreV1().ConfigMaps("a").Delete(ctx, w.name, metav1.DeleteOptions{}); err != nil {
			w.fail(ctx, "delete", err)
			return
		}
		w.check(ctx, "")
	}
	// With a context of its own: the last one is over.
	_ = admin.CoreV1().ConfigMaps("a").Delete(context.Background(), w.name, metav1.DeleteOptions{})
}

func (w *freshnessWriter) fail(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.t.Errorf("%s: %s: %v", w.name, what, err)
	}
	_ = admin.CoreV1().ConfigMaps("a").Delete(context.Background(), w.name, metav1.DeleteOptions{})
}

// check reads in one of several ways and wants the acknowledged revision; "" means that the object is deleted.
func (w *freshnessWriter) check(ctx context.Context, acknowledged string) {
	start := time.Now()
	var got, at, how string
	var err error
	if how = []string{"GET", "LIST", "LIST by label", "LIST by name", "LIST of all"}[rand.Intn(5)]; how == "GET" {
		var object *corev1.ConfigMap
		object, err = w.read.CoreV1().ConfigMaps("a").Get(ctx, w.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			err = nil
		} else if err == nil {
			got = object.ResourceVersion
		}
	} else {
		ns, options := "a", metav1.ListOptions{}
		switch how {
		case "LIST by label":
			options.LabelSelector = "fresh=" + w.name
		case "LIST by name":
			options.FieldSelector = "metadata.name=" + w.name
		case "LIST of all":
			if w.large {
				ns = ""
			}
		}
		var list *corev1.ConfigMapList
		if list, err = w.read.CoreV1().ConfigMaps(ns).List(ctx, options); err == nil {
			at = list.ResourceVersion
			for _, item := range list.Items {
				if item.Namespace == "a" && item.Name == w.name {
					got = item.ResourceVersion
				}
			}
			if acknowledged != "" && less(at, acknowledged) {
				w.t.Errorf("%s: %s at %s is older than the write at %s", w.name, how, at, acknowledged)
			}
		}
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.t.Errorf("%s: %s: %v", w.name, how, err)
	// Nobody else writes this object, so it must be exactly this revision.
	case got != acknowledged:
		w.t.Errorf("%s: %s at %s shows %q after %q was acknowledged", w.name, how, at, got, acknowledged)
	default:
		w.times.add(how, time.Since(start))
	}
}

func less(a, b string) bool {
	x, _ := strconv.ParseUint(a, 10, 64)
	y, _ := strconv.ParseUint(b, 10, 64)
	return x < y
}

// reads collects how long reads took, by kind.
type reads struct {
	mu   sync.Mutex
	took map[string][]time.Duration
}

func (r *reads) add(kind string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.took == nil {
		r.took = map[string][]time.Duration{}
	}
	r.took[kind] = append(r.took[kind], took)
}

func (r *reads) log(t *testing.T) {
	t.Helper()
	for _, kind := range sortedKeys(r.took) {
		all := r.took[kind]
		slices.Sort(all)
		t.Logf("%s %5d, median %8s, 99 %% %8s, worst %8s", kind+strings.Repeat(" ", max(0, 26-len(kind))), len(all),
			all[len(all)/2].Round(time.Microsecond), all[len(all)*99/100].Round(time.Microsecond), all[len(all)-1].Round(time.Microsecond))
	}
}
