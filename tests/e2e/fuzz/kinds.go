package fuzz

import (
	"math/rand/v2"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// object is JSON as Go has it.
type object = map[string]any

// A kind is a resource type that requests go to, with what a random object of it looks like.
type kind struct {
	group, version, resource, name string

	cluster bool
	weight  int                              // How often it is asked for.
	fields  map[string][]string              // Field labels that it supports, with values worth asking for.
	body    func(r *rand.Rand) object        // All of a new object but its metadata; nil: nobody writes this kind.
	change  func(r *rand.Rand) object        // A merge patch of one that is there; nil: only its labels and annotations change.
	status  func(r *rand.Rand) object        // A merge patch of its status.
	names   func(r *rand.Rand, n int) string // Other names than the usual ones; n is a small number.
}

func (k *kind) custom() bool { return strings.HasSuffix(k.group, ".example.com") }

func (k *kind) prefix() string {
	if k.group == "" {
		return "/api/" + k.version
	}
	return "/apis/" + k.group + "/" + k.version
}

func (k *kind) resourceType() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.group, Version: k.version, Resource: k.resource}
}

func (k *kind) apiVersion() string { return k.resourceType().GroupVersion().String() }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// chance is true in n of 100 cases.
func chance(r *rand.Rand, n int) bool { return r.IntN(100) < n }

var (
	nodeNames = []string{"n0", "n1", "n2", ""}
	phases    = []string{"Pending", "Running", "Succeeded", "Failed", "Unknown"}
	hosts     = []string{"", "10.1.0.1", "10.1.0.2", "fd00::1"}
)

// oddText is what encoders treat specially.
const oddText = "<a href=\"x\">&amp;</a> \u2028\u2029 \\ \t\n \u007f \u00e9\u4e16\U0001F680 {\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\"}}"

func text(r *rand.Rand) string {
	switch r.IntN(10) {
	case 0:
		return ""
	case 1, 2:
		return oddText
	case 3:
		return strings.Repeat(oddText, 1+r.IntN(40))
	default:
		return strings.Repeat(pick(r, "x", "word ", "\"", "0123456789"), r.IntN(60))
	}
}

func selfExplaining(field string, values ...string) map[string][]string {
	return map[string][]string{field: values}
}

// kinds are the types of the fuzzer: cached upstream and not, namespaced and not, in two versions, deprecated, custom.
func kinds() []*kind {
	return append(builtinKinds(), customKinds()...)
}

func builtinKinds() []*kind {
	return []*kind{
		{
			version: "v1", resource: "pods", name: "Pod", weight: 10, body: podBody, status: podStatus,
			fields: map[string][]string{
				"spec.nodeName": nodeNames, "spec.host": nodeNames, "spec.restartPolicy": {"Always", "OnFailure", "Never"},
				"spec.schedulerName": {"default-scheduler", "other", ""}, "spec.serviceAccountName": {"", "robot"},
				"spec.hostNetwork": {"true", "false", ""}, "status.phase": phases, "status.podIP": hosts, "status.podIPs": hosts,
				"status.nominatedNodeName": nodeNames,
			},
		},
		{
			version: "v1", resource: "configmaps", name: "ConfigMap", weight: 8,
			body:   func(r *rand.Rand) object { return object{"data": object{"a": text(r), "b": text(r)}} },
			change: func(r *rand.Rand) object { return object{"data": object{"a": text(r)}} },
		},
		{
			version: "v1", resource: "secrets", name: "Secret", weight: 2, fields: selfExplaining("type", "Opaque", "example.com/a", ""),
			body: func(r *rand.Rand) object {
				return object{"type": pick(r, "Opaque", "example.com/a"), "stringData": object{"a": text(r)}}
			},
		},
		{
			version: "v1", resource: "services", name: "Service", weight: 4, body: serviceBody,
			fields: map[string][]string{"spec.clusterIP": {"None", ""}, "spec.type": {"ClusterIP", "NodePort", "ExternalName"}},
			names:  func(_ *rand.Rand, n int) string { return "s" + strings.Repeat("-s", n%5) },
		},
		{
			version: "v1", resource: "nodes", name: "Node", cluster: true, weight: 4,
			fields: selfExplaining("spec.unschedulable", "true", "false", ""),
			body:   func(r *rand.Rand) object { return object{"spec": object{"unschedulable": chance(r, 30)}} },
			change: func(r *rand.Rand) object { return object{"spec": object{"unschedulable": chance(r, 50)}} },
		},
		{
			version: "v1", resource: "namespaces", name: "Namespace", cluster: true, weight: 3, body: func(*rand.Rand) object { return object{} },
			fields: selfExplaining("status.phase", "Active", "Terminating"),
			names:  func(_ *rand.Rand, n int) string { return "fuzz-extra" + strings.Repeat("-x", n%4) },
		},
		{
			version: "v1", resource: "replicationcontrollers", name: "ReplicationController", weight: 1, body: controllerBody,
			fields: selfExplaining("status.replicas", "0", "1", "2", ""),
			status: func(r *rand.Rand) object { return object{"status": object{"replicas": r.IntN(3)}} },
		},
		{
			version: "v1", resource: "events", name: "Event", weight: 3, body: eventBody, fields: eventFields("involvedObject"),
		},
		{
			group: "events.k8s.io", version: "v1", resource: "events", name: "Event", weight: 1, fields: eventFields("regarding"),
		},
		{
			version: "v1", resource: "endpoints", name: "Endpoints", weight: 1, // Deprecated: a warning with each answer.
			body: func(r *rand.Rand) object {
				return object{"subsets": []any{object{"addresses": []any{object{"ip": "10.1.0.1"}}, "ports": []any{object{"port": 80 + r.IntN(9)}}}}}
			},
		},
		{
			group: "apps", version: "v1", resource: "deployments", name: "Deployment", weight: 3, body: deploymentBody,
			change: func(r *rand.Rand) object { return object{"spec": object{"replicas": r.IntN(5)}} },
			status: func(r *rand.Rand) object { return object{"status": object{"observedGeneration": r.IntN(5)}} },
		},
		{ // Its version adds an annotation.
			group: "apps", version: "v1", resource: "daemonsets", name: "DaemonSet", weight: 1,
			body: func(*rand.Rand) object {
				return object{"spec": object{"selector": object{"matchLabels": object{"t": "t"}}, "template": podTemplate()}}
			},
			change: func(r *rand.Rand) object { return object{"spec": object{"minReadySeconds": r.IntN(5)}} },
		},
		{
			group: "batch", version: "v1", resource: "jobs", name: "Job", weight: 2, body: jobBody,
			fields: selfExplaining("status.successful", "0", "1", ""),
			change: func(r *rand.Rand) object { return object{"spec": object{"parallelism": r.IntN(3)}} },
		},
		{
			group: "coordination.k8s.io", version: "v1", resource: "leases", name: "Lease", weight: 3,
			body:   func(r *rand.Rand) object { return object{"spec": object{"holderIdentity": "h" + text(r)}} },
			change: func(r *rand.Rand) object { return object{"spec": object{"holderIdentity": "h" + text(r)}} },
		},
		{
			group: "discovery.k8s.io", version: "v1", resource: "endpointslices", name: "EndpointSlice", weight: 2,
			body: func(r *rand.Rand) object {
				return object{"addressType": "IPv4", "endpoints": []any{object{"addresses": []any{"10.1.0.1"}, "nodeName": "n1"}}, "ports": []any{object{"port": 80 + r.IntN(9)}}}
			},
		},
		// Two versions of one type: the feed of each keeps the bytes of its own.
		{
			group: "autoscaling", version: "v2", resource: "horizontalpodautoscalers", name: "HorizontalPodAutoscaler", weight: 1, body: scalerBody,
			change: func(r *rand.Rand) object { return object{"spec": object{"maxReplicas": 3 + r.IntN(5)}} },
		},
		{group: "autoscaling", version: "v1", resource: "horizontalpodautoscalers", name: "HorizontalPodAutoscaler", weight: 1},
		{
			group: "resource.k8s.io", version: "v1", resource: "resourceslices", name: "ResourceSlice", cluster: true, weight: 1, body: sliceBody,
			fields: map[string][]string{"spec.nodeName": {"n0", "n1", ""}, "spec.driver": {"a.example.com", "b.example.com", ""}},
		},
		{group: "rbac.authorization.k8s.io", version: "v1", resource: "clusterroles", name: "ClusterRole", cluster: true, weight: 1},
		{group: "apiextensions.k8s.io", version: "v1", resource: "customresourcedefinitions", name: "CustomResourceDefinition", cluster: true, weight: 1},
		{group: "apiregistration.k8s.io", version: "v1", resource: "apiservices", name: "APIService", cluster: true, weight: 1},
	}
}

func container() []any { return []any{object{"name": "c", "image": "example.com/c:1"}} }

func podTemplate() object {
	return object{"metadata": object{"labels": object{"t": "t"}}, "spec": object{"containers": container()}}
}

func podBody(r *rand.Rand) object {
	spec := object{"containers": container(), "restartPolicy": pick(r, "Always", "OnFailure", "Never")}
	if node := pick(r, nodeNames...); node != "" {
		spec["nodeName"] = node
	}
	if chance(r, 30) {
		spec["schedulerName"] = "other"
	}
	if chance(r, 20) {
		spec["hostNetwork"] = true
	}
	if chance(r, 20) {
		spec["serviceAccountName"] = "robot"
	}
	return object{"spec": spec}
}

func podStatus(r *rand.Rand) object {
	status := object{"phase": pick(r, phases...)}
	if ip := pick(r, hosts...); ip != "" {
		status["podIP"], status["podIPs"] = ip, []any{object{"ip": ip}}
	}
	if chance(r, 30) {
		status["nominatedNodeName"] = pick(r, nodeNames...)
	}
	return object{"status": status}
}

func serviceBody(r *rand.Rand) object {
	switch r.IntN(4) {
	case 0:
		return object{"spec": object{"type": "ExternalName", "externalName": "x.example.com"}}
	case 1:
		return object{"spec": object{"clusterIP": "None", "ports": []any{object{"port": 80}}}}
	case 2:
		return object{"spec": object{"type": "NodePort", "ports": []any{object{"port": 80}}}}
	default:
		return object{"spec": object{"ports": []any{object{"port": 80}}}}
	}
}

func controllerBody(r *rand.Rand) object {
	return object{"spec": object{"replicas": r.IntN(3), "selector": object{"t": "t"}, "template": podTemplate()}}
}

func deploymentBody(r *rand.Rand) object {
	return object{"spec": object{"replicas": r.IntN(3), "selector": object{"matchLabels": object{"t": "t"}}, "template": podTemplate()}}
}

func jobBody(r *rand.Rand) object {
	template := object{"spec": object{"containers": container(), "restartPolicy": "Never"}}
	return object{"spec": object{"parallelism": r.IntN(3), "template": template}}
}

func scalerBody(r *rand.Rand) object {
	return object{"spec": object{"minReplicas": 1, "maxReplicas": 2 + r.IntN(5), "scaleTargetRef": object{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
		"metrics": []any{object{"type": "Resource", "resource": object{"name": "memory", "target": object{"type": "Utilization", "averageUtilization": 10 + r.IntN(50)}}}}}}
}

func sliceBody(r *rand.Rand) object {
	return object{"spec": object{"driver": pick(r, "a.example.com", "b.example.com"), "nodeName": pick(r, "n0", "n1"),
		"pool": object{"name": "p" + pick(r, "0", "1", "2"), "generation": 1, "resourceSliceCount": 1}, "devices": []any{object{"name": "d"}}}}
}

func eventBody(r *rand.Rand) object {
	return object{
		"involvedObject": object{"kind": pick(r, "Pod", "Node"), "name": pick(r, "x", "x-y", "n1"), "apiVersion": "v1", "uid": pick(r, "1", "2"), "fieldPath": "spec"},
		"reason":         pick(r, "Started", "Failed"), "message": text(r), "type": pick(r, "Normal", "Warning"),
		"source": object{"component": pick(r, "kubelet", "fuzz")}, "count": 1,
	}
}

func eventFields(target string) map[string][]string {
	fields := map[string][]string{
		target + ".kind": {"Pod", "Node"}, target + ".name": {"x", "x-y", "n1"}, target + ".namespace": {"f", ""}, target + ".uid": {"1", "2"},
		target + ".apiVersion": {"v1"}, target + ".resourceVersion": {""}, target + ".fieldPath": {"spec", ""},
		"reason": {"Started", "Failed"}, "type": {"Normal", "Warning"},
	}
	if target == "involvedObject" {
		fields["source"], fields["reportingComponent"] = []string{"kubelet", "fuzz"}, []string{""}
	} else {
		fields["reportingController"] = []string{""}
	}
	return fields
}
