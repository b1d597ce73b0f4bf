package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// TestASilentAPIServerIsLeft: one of two API servers stops where it is, its connections open. What is forwarded is
// answered by the other one, watches go on with what is written there, and the first one is taken back when it answers.
func TestASilentAPIServerIsLeft(t *testing.T) {
	needsWeir(t)
	// Found out within a second; twice that and the noise of a machine are left.
	const left, machine = 2 * time.Second, 3 * time.Second
	ctx := context.Background()
	replica, err := cluster.StartReplica()
	must(t, err)
	t.Cleanup(cluster.StopReplica)
	w := startWeir(t, oracle.WeirOptions{Name: "weir-two", Args: []string{"--workers", "2", "--upstream-server", cluster.URL() + "," + replica}})
	c := newCaller(t, w.URL, cluster.Admin, true)

	// Feeds have their homes on both workers, and so their streams at both API servers.
	resources := []string{"configmaps", "serviceaccounts", "limitranges", "podtemplates"}
	streams := make([]exchange.Stream, len(resources))
	var opened, ended sync.WaitGroup
	for i, resource := range resources {
		opened.Add(1)
		ended.Go(func() {
			r := request{Path: "/api/v1/namespaces/empty/" + resource + "?watch=1&resourceVersion=0&timeoutSeconds=20"}
			streams[i] = exchange.ReadWatch(c.Caller, r, 40*time.Second, opened.Done)
		})
	}
	opened.Wait()
	time.Sleep(6 * time.Second) // The feeds' streams have lasted, and a cut is no sign of a restart loop.

	resume, err := cluster.PauseReplica()
	must(t, err)
	paused := time.Now()
	t.Cleanup(func() { _ = resume() })
	name := fmt.Sprintf("written-elsewhere-%d", time.Now().Unix())
	meta := metav1.ObjectMeta{Namespace: "empty", Name: name}
	_, err = admin.CoreV1().ConfigMaps("empty").Create(ctx, &corev1.ConfigMap{ObjectMeta: meta}, metav1.CreateOptions{})
	must(t, err)
	_, err = admin.CoreV1().ServiceAccounts("empty").Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	must(t, err)
	_, err = admin.CoreV1().LimitRanges("empty").Create(ctx, &corev1.LimitRange{ObjectMeta: meta}, metav1.CreateOptions{})
	must(t, err)
	_, err = admin.CoreV1().PodTemplates("empty").Create(ctx, &corev1.PodTemplate{ObjectMeta: meta, Template: corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		_ = admin.CoreV1().ConfigMaps("empty").Delete(ctx, name, metav1.DeleteOptions{})
		_ = admin.CoreV1().ServiceAccounts("empty").Delete(ctx, name, metav1.DeleteOptions{})
		_ = admin.CoreV1().LimitRanges("empty").Delete(ctx, name, metav1.DeleteOptions{})
		_ = admin.CoreV1().PodTemplates("empty").Delete(ctx, name, metav1.DeleteOptions{})
	})

	// Eight at a time, so that both would have their share.
	problems := inParallel(8, 200, func(int) string {
		start := time.Now()
		a := c.ask(request{Path: "/api/v1/namespaces/empty/configmaps/" + name})
		took := time.Since(start)
		if a.Status != http.StatusOK {
			return fmt.Sprintf("%s after the pause: %d %.200s %v", start.Sub(paused), a.Status, a.Body, a.Err)
		}
		if took > left+machine || start.Sub(paused) > left+machine && took > machine {
			return fmt.Sprintf("%s after the pause: took %s", start.Sub(paused), took)
		}
		return ""
	})
	for _, problem := range problems {
		if problem != "" {
			t.Error(problem)
		}
	}
	for range 20 {
		if status, body, err := w.Admin("/readyz"); err != nil || status != http.StatusOK {
			t.Errorf("/readyz, with one of two: %d %s %v", status, body, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	ended.Wait()
	for i, s := range streams {
		seen := false
		for _, e := range s.Events {
			seen = seen || bytes.Contains(e.Object, []byte(name))
		}
		if !seen {
			t.Errorf("the watch of %s did not see what was written: %d events", resources[i], len(s.Events))
		}
	}
	ready := func(want int) bool {
		_, metrics, err := w.Admin("/metrics")
		must(t, err)
		return strings.Contains(metrics, fmt.Sprintf("weir_upstream_endpoint_ready{endpoint=%q} %d", strings.TrimPrefix(replica, "https://"), want))
	}
	if !ready(0) {
		t.Error("the metrics do not say that it is not ready")
	}
	must(t, resume())
	for start := time.Now(); !ready(1); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("it is not taken back")
		}
	}
}
