package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The workloads of the controlled cluster.
const workloads = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "example.com/web:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}]
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: shop}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: "example.com/agent:1"}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: shop}
spec:
  replicas: 3
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: c, image: "example.com/store:1"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: sums, namespace: shop}
spec:
  completions: 6
  parallelism: 3
  template:
    metadata: {labels: {app: sums}}
    spec: {restartPolicy: Never, containers: [{name: c, image: "example.com/sums:1"}]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: counted, namespace: shop}
spec: {hard: {pods: "100"}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: toys.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: toys, singular: toy, kind: Toy}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

// A namespace with content of many kinds, to be deleted.
const doomed = `
apiVersion: v1
kind: Namespace
metadata: {name: doomed}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: doomed}
spec:
  replicas: 8
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "example.com/web:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: doomed}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: doomed}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: one, namespace: doomed}
stringData: {a: b}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: one, namespace: doomed}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: doomed}
spec: {minAvailable: 4, selector: {matchLabels: {app: web}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: yearly, namespace: doomed}
spec:
  schedule: "0 0 1 1 *"
  timeZone: Europe/Vienna
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "example.com/c:1"}]}}}}
---
apiVersion: example.com/v1
kind: Toy
metadata: {name: one, namespace: doomed}
spec: {wheels: 4}
`

// nothingLeft: the namespace is gone, and so is everything that any list could find in it.
func (l *controlled) nothingLeft(ns string) error {
	ctx := context.Background()
	if n, err := l.direct.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		if err == nil {
			err = fmt.Errorf("it is %s: %v", n.Status.Phase, n.Status.Conditions)
		}
		return err
	}
	found, err := l.direct.Discovery().ServerPreferredNamespacedResources()
	if err != nil {
		return err
	}
	kinds := 0
	for _, group := range found {
		gv, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			return err
		}
		for _, r := range group.APIResources {
			if !strings.Contains(strings.Join(r.Verbs, " "), "list") {
				continue
			}
			list, err := l.directDy.Resource(gv.WithResource(r.Name)).Namespace(ns).List(ctx, metav1.ListOptions{})
			if err != nil {
				return err
			}
			if len(list.Items) > 0 {
				return fmt.Errorf("%d %s, %s one of them", len(list.Items), r.Name, list.Items[0].GetName())
			}
			kinds++
		}
	}
	if kinds < 20 {
		return fmt.Errorf("discovery knows %d kinds only", kinds)
	}
	return nil
}

// statefulSetGone: it, its pods and its revisions are deleted.
func (l *controlled) statefulSetGone(ns, name string) error {
	ctx := context.Background()
	if _, err := l.direct.AppsV1().StatefulSets(ns).Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("it is still there (%v)", err)
	}
	revisions, err := l.direct.AppsV1().ControllerRevisions(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		return err
	}
	if len(revisions.Items) > 0 {
		return fmt.Errorf("%d revisions are left", len(revisions.Items))
	}
	return l.pods(ns, "app="+name, 0)
}

// equalViews: of everything that the controllers made, Weir has the same objects at the same revisions.
func (l *controlled) equalViews() error {
	for _, r := range []struct{ group, resource string }{
		{"/api/v1", "pods"}, {"/api/v1", "namespaces"}, {"/api/v1", "services"}, {"/api/v1", "configmaps"}, {"/api/v1", "serviceaccounts"},
		{"/api/v1", "nodes"}, {"/api/v1", "resourcequotas"}, {"/apis/apps/v1", "deployments"}, {"/apis/apps/v1", "replicasets"},
		{"/apis/apps/v1", "daemonsets"}, {"/apis/apps/v1", "statefulsets"}, {"/apis/apps/v1", "controllerrevisions"}, {"/apis/batch/v1", "jobs"},
		{"/apis/discovery.k8s.io/v1", "endpointslices"}, {"/apis/example.com/v1", "toys"},
	} {
		gvr := resourceOf(r.group, r.resource)
		want, err := versionsBy(l.directDy, gvr, metav1.ListOptions{})
		if err != nil {
			return err
		}
		got, err := versionsBy(l.throughDy, gvr, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return err
		}
		if difference := compareVersions(want, got); difference != "" {
			return fmt.Errorf("%s: %s", r.resource, difference)
		}
	}
	return nil
}

// undisturbed: both controllers have run all the time and kept their leases, and the nodes saw none but their own pods.
func (l *controlled) undisturbed(t *testing.T) {
	t.Helper()
	for name, process := range map[string]interface {
		Running() bool
		LogTail() string
	}{"kube-controller-manager": l.controllers.Manager, "kube-scheduler": l.controllers.Scheduler} {
		if !process.Running() {
			t.Errorf("%s has ended\n%s", name, process.LogTail())
		}
		lease, err := l.direct.CoordinationV1().Leases("kube-system").Get(context.Background(), name, metav1.GetOptions{})
		must(t, err)
		if lease.Spec.LeaseTransitions != nil && *lease.Spec.LeaseTransitions != 0 {
			t.Errorf("%s: %d changes of the leader", name, *lease.Spec.LeaseTransitions)
		}
	}
	for _, n := range l.nodes {
		for _, problem := range n.takeProblems() {
			t.Errorf("%s: %s", n.name, problem)
		}
	}
	nodes, err := l.direct.CoreV1().Nodes().List(context.Background(), metav1.ListOptions{})
	must(t, err)
	for _, n := range nodes.Items {
		if len(n.Spec.Taints) > 0 {
			t.Errorf("%s has taints %v", n.Name, n.Spec.Taints)
		}
	}
}

// served: it was Weir that all of this went through, and what it can answer itself never reached the API server.
func (l *controlled) served(t *testing.T) {
	t.Helper()
	if selfCheck {
		return
	}
	status, metrics, err := l.weir.Admin("/metrics")
	must(t, err)
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	sums := sumRequests(metrics)
	sums["open watches"] = gauge(metrics, "weir_longrunning_watches")
	t.Logf("Weir served %v", sums)
	for _, least := range []struct {
		key   string
		count int
	}{{"open watches", 15}, {"LIST cache", 20}, {"POST forward", 200}, {"PATCH forward", 20}, {"PUT forward", 100}, {"DELETE forward", 40}} {
		if sums[least.key] < least.count {
			t.Errorf("%s: %d, less than %d", least.key, sums[least.key], least.count)
		}
	}
	events, err := l.cluster.AuditSince(0)
	must(t, err)
	forms := map[string]form{"system:kube-scheduler": schedulerForm, "system:kube-controller-manager": managerForm}
	for i, n := range l.nodes {
		forms["system:node:"+n.name] = nodeForms[i%len(nodeForms)]
	}
	byUser := map[string]int{}
	for _, e := range events {
		f, known := forms[e.User.Username]
		if !known && strings.HasPrefix(e.User.Username, "system:serviceaccount:kube-system:") {
			f, known = managerForm, true
		}
		if !known || (e.Verb != "list" && e.Verb != "watch") || e.Stage != "ResponseStarted" && e.Verb == "watch" {
			continue
		}
		byUser[e.User.Username]++
		if f.cached() && !forwardedAnyway(e) {
			t.Errorf("the API server was asked by %s: %s %s", e.User.Username, e.Verb, e.RequestURI)
		}
	}
	t.Logf("lists and watches that were forwarded: %v", byUser)
}

// gauge is the value of a metric without labels; -1 if it is not there.
func gauge(metrics, name string) int {
	for line := range strings.Lines(metrics) {
		var n int
		if value, found := strings.CutPrefix(line, name+" "); found {
			if _, err := fmt.Sscan(value, &n); err == nil {
				return n
			}
		}
	}
	return -1
}

// sumRequests adds up weir_request_total, where a watch counts when it has ended, by verb and who answered.
func sumRequests(metrics string) map[string]int {
	sums := map[string]int{}
	for line := range strings.Lines(metrics) {
		rest, found := strings.CutPrefix(strings.TrimSpace(line), `weir_request_total{verb="`)
		if !found {
			continue
		}
		verb, rest, _ := strings.Cut(rest, `",source="`)
		source, rest, _ := strings.Cut(rest, `"`)
		var n int
		if _, err := fmt.Sscan(rest[strings.LastIndex(rest, " ")+1:], &n); err == nil {
			sums[verb+" "+source] += n
		}
	}
	return sums
}
