package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	namespaces    = 20
	podsPerNode   = 50  // A quarter of a megabyte of JSON.
	podsPerApp    = 500 // As many have the same label "app".
	indexedLabel  = "pods=label:app"
	timeKey       = "weir.bench/at"
	fillAnnotated = "weir.bench/fill"
)

func podNamespace(i int) string { return fmt.Sprintf("bench-%d", i%namespaces) }
func podName(i int) string      { return fmt.Sprintf("pod-%05d", i) }
func podPath(i int) string {
	return "/api/v1/namespaces/" + podNamespace(i) + "/pods/" + podName(i)
}

type object = map[string]any

// pod is the i-th of `pods`, shaped like one of a Deployment; `fill` bytes of an annotation bring it to its size.
func pod(i, pods, fill int) object {
	container := func(name string) object {
		env := []any{}
		for k := range 5 {
			env = append(env, object{"name": fmt.Sprintf("SETTING_%d", k), "value": fmt.Sprintf("value-%d-%d", i%97, k)})
		}
		return object{
			"name": name, "image": "registry.example.com/team/" + name + ":v1.2.3", "env": env,
			"ports":          []any{object{"containerPort": 8080, "name": "http"}},
			"resources":      object{"requests": object{"cpu": "100m", "memory": "128Mi"}, "limits": object{"memory": "256Mi"}},
			"readinessProbe": object{"httpGet": object{"path": "/healthz", "port": 8080}},
			"volumeMounts":   []any{object{"name": "config", "mountPath": "/etc/config"}},
		}
	}
	app := fmt.Sprintf("app-%d", i%max(1, pods/podsPerApp))
	return object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{
			"name": podName(i), "namespace": podNamespace(i),
			"labels":      object{"app": app, "pod-template-hash": "5d4f8c7b9", "tier": "backend"},
			"annotations": object{timeKey: fmt.Sprint(time.Now().UnixNano()), fillAnnotated: strings.Repeat("x", fill)},
		},
		"spec": object{
			"nodeName":   fmt.Sprintf("node-%05d", i%max(1, pods/podsPerNode)),
			"containers": []any{container("main"), container("sidecar")},
			"volumes":    []any{object{"name": "config", "configMap": object{"name": app}}},
		},
	}
}

// post creates an object; one that is there already is no error.
func (t *target) post(path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	response, err := t.do(context.Background(), http.MethodPost, path, "application/json", text)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// createPods makes `count` pods of about `size` bytes of JSON each.
func createPods(api *target, count, size int) error {
	for i := range namespaces {
		namespace := object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": podNamespace(i)}}
		if _, err := api.post("/api/v1/namespaces", namespace); err != nil {
			return err
		}
	}
	first, err := api.post("/api/v1/namespaces/"+podNamespace(0)+"/pods", pod(0, count, 1))
	if err != nil {
		return err
	}
	fill := max(1, size-len(first)+1)
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make(chan error, 16)
	for range cap(errs) {
		wait.Go(func() {
			for i := int(next.Add(1)); i < count; i = int(next.Add(1)) {
				if _, err := api.post("/api/v1/namespaces/"+podNamespace(i)+"/pods", pod(i, count, fill)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}
