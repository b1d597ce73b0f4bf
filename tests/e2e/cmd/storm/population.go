package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"weir.dev/e2e/oracle"
)

type object = map[string]any

const namespaces = 20

func namespaceOf(i int) string { return fmt.Sprintf("storm-%d", i%namespaces) }
func nodeName(i int) string    { return fmt.Sprintf("node-%05d", i) }

// nodeUsers are certificates that nodes share, some for all.
func nodeUsers(cluster *oracle.Cluster) ([]*tls.Config, error) {
	var all []*tls.Config
	for i := range 50 {
		user, err := cluster.CertUser(fmt.Sprintf("system:node:storm-%d", i), "system:masters")
		if err != nil {
			return nil, err
		}
		config, err := user.TLSClient(cluster.CAFile(), "h2")
		if err != nil {
			return nil, err
		}
		all = append(all, config)
	}
	return all, nil
}

// fill makes what the nodes will ask for.
func fill(cluster *oracle.Cluster, o options) error {
	client, err := rest.HTTPClientFor(cluster.Admin.RESTConfig(cluster.URL(), cluster.CAFile()))
	if err != nil {
		return err
	}
	post := func(path string, o object) error {
		text, err := json.Marshal(o)
		if err != nil {
			return err
		}
		request, err := http.NewRequest(http.MethodPost, cluster.URL()+path, bytes.NewReader(text))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode >= 300 && response.StatusCode != http.StatusConflict {
			return fmt.Errorf("POST %s: %d %.200s", path, response.StatusCode, body)
		}
		return nil
	}
	all := func(count int, one func(i int) (string, object)) error {
		var next atomic.Int64
		var wait sync.WaitGroup
		errs := make(chan error, 16)
		for range cap(errs) {
			wait.Go(func() {
				for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
					if err := post(one(i)); err != nil {
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
	for _, step := range []struct {
		count int
		one   func(i int) (string, object)
	}{
		{namespaces, namespace}, {o.nodes, node}, {o.services, service}, {o.services, slice},
		{o.nodes * o.podsPerNode, func(i int) (string, object) { return pod(i, o.nodes) }},
	} {
		if err := all(step.count, step.one); err != nil {
			return err
		}
	}
	return nil
}

func namespace(i int) (string, object) {
	return "/api/v1/namespaces", object{"metadata": object{"name": namespaceOf(i)}}
}

func node(i int) (string, object) {
	conditions := []any{}
	for _, kind := range []string{"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"} {
		conditions = append(conditions, object{"type": kind, "status": "False", "reason": "KubeletHas" + kind, "message": "kubelet has reported " + kind})
	}
	return "/api/v1/nodes", object{
		"metadata": object{"name": nodeName(i), "labels": object{"kubernetes.io/hostname": nodeName(i), "topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", i%3)}},
		"spec":     object{"podCIDR": fmt.Sprintf("10.%d.%d.0/24", i/250, i%250)},
		"status": object{"conditions": conditions, "capacity": object{"cpu": "32", "memory": "128Gi", "pods": "110"},
			"addresses": []any{object{"type": "InternalIP", "address": fmt.Sprintf("10.200.%d.%d", i/250, i%250+1)}}},
	}
}

func appOf(i int) string { return fmt.Sprintf("app-%05d", i) }

func service(i int) (string, object) {
	return "/api/v1/namespaces/" + namespaceOf(i) + "/services", object{
		"metadata": object{"name": appOf(i), "labels": object{"app": appOf(i), "team": fmt.Sprintf("team-%d", i%30)}},
		"spec": object{"clusterIP": "None", "selector": object{"app": appOf(i)},
			"ports": []any{object{"name": "http", "port": 80, "targetPort": 8080}, object{"name": "metrics", "port": 9090}}},
	}
}

func slice(i int) (string, object) {
	endpoints := []any{}
	for k := range 10 {
		endpoints = append(endpoints, object{"addresses": []any{fmt.Sprintf("10.%d.%d.%d", k, i/250, i%250+1)},
			"conditions": object{"ready": true}, "nodeName": nodeName(i*10 + k), "zone": fmt.Sprintf("zone-%d", k%3),
			"targetRef": object{"kind": "Pod", "namespace": namespaceOf(i), "name": fmt.Sprintf("%s-%d", appOf(i), k)}})
	}
	return "/apis/discovery.k8s.io/v1/namespaces/" + namespaceOf(i) + "/endpointslices", object{
		"metadata":    object{"name": appOf(i) + "-x7k2p", "labels": object{"kubernetes.io/service-name": appOf(i)}},
		"addressType": "IPv4", "endpoints": endpoints, "ports": []any{object{"name": "http", "port": 8080}},
	}
}

func pod(i, nodes int) (string, object) {
	env := []any{}
	for k := range 10 {
		env = append(env, object{"name": fmt.Sprintf("SETTING_%d", k), "value": fmt.Sprintf("value-%d-%d", i%97, k)})
	}
	return "/api/v1/namespaces/" + namespaceOf(i) + "/pods", object{
		"metadata": object{"name": fmt.Sprintf("pod-%06d", i), "labels": object{"app": appOf(i % 1000), "pod-template-hash": "5d4f8c7b9"}},
		"spec": object{"nodeName": nodeName(i % nodes), "containers": []any{object{
			"name": "main", "image": "registry.example.com/team/main:v1.2.3", "env": env,
			"resources": object{"requests": object{"cpu": "100m", "memory": "128Mi"}}}}},
	}
}
