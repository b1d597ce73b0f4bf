package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// What the informers watch: 2,200 objects, all of which change.
const (
	churnNamespaces = 5
	churnConfigMaps = 1500
	churnPods       = 500
	churnCrontabs   = 200
	churnObjects    = churnConfigMaps + churnPods + churnCrontabs
)

func churnNamespace(i int) string { return fmt.Sprintf("churn-%d", i%churnNamespaces) }

// churned is object i: its collection's path, its name, and what it is created from.
func churned(i int, data string) (collection, name string, object any) {
	ns := churnNamespace(i)
	switch {
	case i < churnConfigMaps:
		name = fmt.Sprintf("cm-%d", i)
		collection, object = "/api/v1/namespaces/"+ns+"/configmaps", configMap(ns, name, parity(), data)
	case i < churnConfigMaps+churnPods:
		name = fmt.Sprintf("pod-%d", i)
		collection, object = "/api/v1/namespaces/"+ns+"/pods", pod(ns, name, "", parity())
	default:
		name = fmt.Sprintf("tab-%d", i)
		labels := map[string]any{"parity": parity()["parity"]}
		collection, object = "/apis/stable.example.com/v1/namespaces/"+ns+"/crontabs", crontab(ns, name, int64(i), labels)
	}
	return collection, name, object
}

func createChurned(ctx context.Context, client rest.Interface, i int, data string) error {
	collection, _, object := churned(i, data)
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return client.Post().AbsPath(collection).Body(text).Do(ctx).Error()
}

func parity() map[string]string {
	return map[string]string{"parity": []string{"even", "odd"}[rand.Intn(2)]}
}

func fillChurn(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	for i := range churnNamespaces {
		object := fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"%s"}}`, churnNamespace(i))
		err := admin.CoreV1().RESTClient().Post().AbsPath("/api/v1/namespaces").Body([]byte(object)).Do(ctx).Error()
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	for _, problem := range inParallel(8, churnObjects, func(i int) string {
		if err := createChurned(ctx, admin.CoreV1().RESTClient(), i, strings.Repeat("x", 200)); err != nil {
			return err.Error()
		}
		return ""
	}) {
		if problem != "" {
			t.Fatal(problem)
		}
	}
}

func emptyChurn(t *testing.T) {
	t.Helper()
	zero := int64(0)
	for i := range churnNamespaces {
		for _, gvr := range []schema.GroupVersionResource{configMapGVR, podGVR, crontabGVR} {
			must(t, adminDy.Resource(gvr).Namespace(churnNamespace(i)).DeleteCollection(
				context.Background(), metav1.DeleteOptions{GracePeriodSeconds: &zero}, metav1.ListOptions{}))
		}
	}
}

// churn writes: updates, deletions, and creations of what was deleted, under the same names.
type churn struct {
	client atomic.Pointer[kubernetes.Clientset]
	t      *testing.T
	done   chan struct{}
	group  sync.WaitGroup
	writes atomic.Int64
	failed atomic.Int64
}

func startChurn(t *testing.T, server string) *churn {
	t.Helper()
	c := &churn{t: t, done: make(chan struct{})}
	c.writeTo(server)
	const writers = 4
	for i := range writers {
		c.group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-c.done:
					return
				case <-time.After(10 * time.Millisecond):
					// Each writer has objects of its own, so it knows what is there.
					c.write(i + writers*rand.Intn(churnObjects/writers))
				}
			}
		})
	}
	return c
}

func (c *churn) writeTo(server string) {
	config := cluster.Admin.RESTConfig(server, cluster.CAFile())
	config.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(config)
	must(c.t, err)
	c.client.Store(client)
}

func (c *churn) stop() int64 {
	close(c.done)
	c.group.Wait()
	return c.writes.Load()
}

// write changes the object, or makes it, or deletes it. Errors are the API server's absence; the next try is another's.
func (c *churn) write(i int) {
	ctx := context.Background()
	client := c.client.Load().CoreV1().RESTClient()
	collection, name, _ := churned(i, "")
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"labels": parity(), "annotations": map[string]string{"n": fmt.Sprint(rand.Int())}}})
	var err error
	switch rand.Intn(5) {
	case 0:
		err = client.Delete().AbsPath(collection, name).Body([]byte(`{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}`)).
			SetHeader("Content-Type", "application/json").Do(ctx).Error()
		if err == nil && rand.Intn(2) == 0 {
			err = createChurned(ctx, client, i, "again")
		}
	default:
		err = client.Patch(types.MergePatchType).AbsPath(collection, name).Body(patch).Do(ctx).Error()
		if apierrors.IsNotFound(err) {
			err = createChurned(ctx, client, i, "again")
		}
	}
	switch {
	case err == nil || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err):
		c.writes.Add(1)
	default:
		c.failed.Add(1)
		time.Sleep(50 * time.Millisecond)
	}
}
