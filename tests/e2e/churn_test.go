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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// What the informers watch: 2,000 objects, all of which change.
const (
	churnNamespaces = 5
	churnConfigMaps = 1500
	churnPods       = 500
)

func churnNamespace(i int) string { return fmt.Sprintf("churn-%d", i%churnNamespaces) }

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
	for _, problem := range inParallel(8, churnConfigMaps+churnPods, func(i int) string {
		var err error
		if i < churnConfigMaps {
			err = createConfigMap(ctx, churnNamespace(i), fmt.Sprintf("cm-%d", i), parity(), strings.Repeat("x", 200))
		} else {
			_, err = admin.CoreV1().Pods(churnNamespace(i)).Create(ctx, pod(churnNamespace(i), fmt.Sprintf("pod-%d", i), "", parity()), metav1.CreateOptions{})
		}
		if err != nil {
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
		for _, resource := range []string{"configmaps", "pods"} {
			must(t, adminDy.Resource(resourceOf("/api/v1", resource)).Namespace(churnNamespace(i)).DeleteCollection(
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
					c.write(i + writers*rand.Intn((churnConfigMaps+churnPods)/writers))
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
	client, ns := c.client.Load(), churnNamespace(i)
	name, resource := fmt.Sprintf("cm-%d", i), "configmaps"
	if i >= churnConfigMaps {
		name, resource = fmt.Sprintf("pod-%d", i), "pods"
	}
	patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"labels": parity(), "annotations": map[string]string{"n": fmt.Sprint(rand.Int())}}})
	core := client.CoreV1().RESTClient()
	var err error
	switch rand.Intn(5) {
	case 0:
		err = core.Delete().Namespace(ns).Resource(resource).Name(name).Body([]byte(`{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}`)).
			SetHeader("Content-Type", "application/json").Do(ctx).Error()
		if err == nil && rand.Intn(2) == 0 {
			err = c.create(ctx, client, i, ns, name)
		}
	default:
		err = core.Patch(types.MergePatchType).Namespace(ns).Resource(resource).Name(name).Body(patch).Do(ctx).Error()
		if apierrors.IsNotFound(err) {
			err = c.create(ctx, client, i, ns, name)
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

func (c *churn) create(ctx context.Context, client *kubernetes.Clientset, i int, ns, name string) error {
	var err error
	if i < churnConfigMaps {
		_, err = client.CoreV1().ConfigMaps(ns).Create(ctx, configMap(ns, name, parity(), "again"), metav1.CreateOptions{})
	} else {
		_, err = client.CoreV1().Pods(ns).Create(ctx, pod(ns, name, "", parity()), metav1.CreateOptions{})
	}
	return err
}
