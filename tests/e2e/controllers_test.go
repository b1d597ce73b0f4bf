package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weir.dev/e2e/oracle"
)

// How the parties of a controlled cluster ask. The manager does what it does by default, the scheduler takes plain
// JSON, and the nodes both in turns.
var (
	managerForm   = form{protobuf: true, metadata: true, watchList: true}
	schedulerForm = form{}
	nodeForms     = []form{{protobuf: true, watchList: true}, {}}
)

const controlledNodes = 6

// TestControllersThroughWeir runs kube-controller-manager, kube-scheduler and simulated nodes on nothing but Weir:
// workloads become pods, pods come to nodes and run, change and go, while the API server is killed once in the middle
// of a rolling update. At every step the API server itself has the state that was asked for.
func TestControllersThroughWeir(t *testing.T) {
	l := startControlled(t)
	k := func(stdin string, args ...string) { t.Helper(); l.kubectl(t, stdin, args...) }

	k(workloads, "apply", "-f", "-")
	l.until(t, "the first rollout", func() error { return l.deployed("shop", "web", 5, "example.com/web:1") })
	l.until(t, "the other workloads", l.othersDone)
	l.until(t, "endpoints", func() error { return l.endpoints("shop", "web", 5) })

	k("", "scale", "deployment/web", "-n", "shop", "--replicas=20")
	l.until(t, "scaling up", func() error { return l.deployed("shop", "web", 20, "example.com/web:1") })

	k("", "set", "image", "deployment/web", "-n", "shop", "c=example.com/web:2")
	l.until(t, "the middle of the update", func() error { return l.someOf("shop", "app=web", "example.com/web:2", 3) })
	must(t, l.cluster.StopAPIServer(true))
	time.Sleep(time.Second)
	must(t, l.cluster.StartAPIServer())
	l.until(t, "the update over a restart of the API server", func() error { return l.deployed("shop", "web", 20, "example.com/web:2") })

	k("", "scale", "deployment/web", "-n", "shop", "--replicas=3")
	k(doomed, "apply", "-f", "-")
	l.until(t, "the second namespace", func() error { return l.deployed("doomed", "web", 8, "example.com/web:1") })
	l.until(t, "scaling down", func() error { return l.deployed("shop", "web", 3, "example.com/web:2") })
	l.until(t, "endpoints of what is left", func() error { return l.endpoints("shop", "web", 3) })

	k("", "delete", "namespace", "doomed", "--wait=false")
	k("", "delete", "statefulset/store", "-n", "shop", "--cascade=foreground", "--wait=false")
	l.until(t, "the end of the namespace", func() error { return l.nothingLeft("doomed") })
	l.until(t, "the end of the stateful set", func() error { return l.statefulSetGone("shop", "store") })

	l.until(t, "equal views", l.equalViews)
	l.undisturbed(t)
	l.served(t)
}

// controlled is a cluster of its own, since controllers change what they find, with a Weir in front of it.
type controlled struct {
	cluster     *oracle.Cluster
	weir        *oracle.Weir // Nil when the API server is compared with itself.
	server      string
	kube        *kubectl
	direct      kubernetes.Interface
	directDy    dynamic.Interface
	throughDy   dynamic.Interface
	controllers *oracle.Controllers
	nodes       []*simulatedNode
	began       time.Time
}

func startControlled(t *testing.T) *controlled {
	t.Helper()
	l := &controlled{began: time.Now()}
	dir := filepath.Join(cluster.Dir, "controlled")
	must(t, os.MkdirAll(dir, 0o755))
	var err error
	l.cluster, err = oracle.StartWith(cluster.Binaries, dir)
	must(t, err)
	t.Cleanup(l.cluster.Close)
	l.server = l.cluster.URL()
	if !selfCheck {
		l.weir, err = l.cluster.StartWeir(oracle.WeirOptions{Name: "weir-controlled"})
		if l.weir != nil && l.weir.Process != nil {
			t.Cleanup(l.weir.Process.Kill)
		}
		must(t, err)
		l.server = l.weir.URL
	}
	admin := l.cluster.Admin
	l.direct, err = l.cluster.Client()
	must(t, err)
	config := admin.RESTConfig(l.cluster.URL(), l.cluster.CAFile())
	config.WarningHandler = rest.NoWarnings{} // Of kinds that are deprecated.
	l.directDy, err = dynamic.NewForConfig(config)
	must(t, err)
	l.throughDy, err = dynamic.NewForConfig(admin.RESTConfig(l.server, l.cluster.CAFile()))
	must(t, err)
	l.kube = kubectlOf(t, l.cluster, l.server, admin)

	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for i := range controlledNodes {
		l.nodes = append(l.nodes, startNode(t, ctx, l.cluster, i, l.server, nodeForms[i%len(nodeForms)].client()))
	}
	setWatchList(t, false)
	l.controllers, err = l.cluster.StartControllers(l.server, managerForm.client(), schedulerForm.client())
	must(t, err)
	t.Cleanup(l.controllers.Kill)
	return l
}

// kubectl runs a command, which must succeed.
func (l *controlled) kubectl(t *testing.T, stdin string, args ...string) {
	t.Helper()
	if out := l.kube.run(t, stdin, args...); !strings.HasSuffix(out, "--- exit 0") {
		t.Fatalf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

// until waits for a state of the API server.
func (l *controlled) until(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := check()
		if err == nil {
			t.Logf("%5.1f s: %s", time.Since(l.began).Seconds(), what)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never came: %v\n%s\n%s", what, err, l.controllers.Manager.LogTail(), l.controllers.Scheduler.LogTail())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// deployed: the Deployment's status says that it is complete, and its pods are exactly the ones wanted, running on
// nodes that exist.
func (l *controlled) deployed(ns, name string, replicas int, image string) error {
	d, err := l.direct.AppsV1().Deployments(ns).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	s, want := d.Status, int32(replicas)
	if s.ObservedGeneration != d.Generation || s.Replicas != want || s.UpdatedReplicas != want || s.AvailableReplicas != want {
		return fmt.Errorf("generation %d, status %+v", d.Generation, s)
	}
	if err := l.pods(ns, "app="+name, replicas); err != nil {
		return err
	}
	return l.someOf(ns, "app="+name, image, replicas)
}

// pods: so many, each on a node that exists and ready.
func (l *controlled) pods(ns, selector string, count int) error {
	list, err := l.direct.CoreV1().Pods(ns).List(context.Background(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err
	}
	if len(list.Items) != count {
		return fmt.Errorf("%d pods of %s, not %d", len(list.Items), selector, count)
	}
	for i := range list.Items {
		p := &list.Items[i]
		known := slices.ContainsFunc(l.nodes, func(n *simulatedNode) bool { return n.name == p.Spec.NodeName })
		if !known || p.DeletionTimestamp != nil || !isReady(p) {
			return fmt.Errorf("pod %s: node %q, %s, being deleted %v", p.Name, p.Spec.NodeName, p.Status.Phase, p.DeletionTimestamp != nil)
		}
	}
	return nil
}

// someOf: at least so many running pods have this image.
func (l *controlled) someOf(ns, selector, image string, count int) error {
	list, err := l.direct.CoreV1().Pods(ns).List(context.Background(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err
	}
	n := 0
	for i := range list.Items {
		if list.Items[i].Spec.Containers[0].Image == image && isReady(&list.Items[i]) {
			n++
		}
	}
	if n < count {
		return fmt.Errorf("%d of %d pods run %s, not %d", n, len(list.Items), image, count)
	}
	return nil
}

func isReady(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodRunning && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// othersDone: the DaemonSet is on each node, the StatefulSet is up, the Job is complete, the quota has counted.
func (l *controlled) othersDone() error {
	ctx := context.Background()
	daemons, err := l.direct.AppsV1().DaemonSets("shop").Get(ctx, "agent", metav1.GetOptions{})
	if err != nil {
		return err
	}
	stateful, err := l.direct.AppsV1().StatefulSets("shop").Get(ctx, "store", metav1.GetOptions{})
	if err != nil {
		return err
	}
	job, err := l.direct.BatchV1().Jobs("shop").Get(ctx, "sums", metav1.GetOptions{})
	if err != nil {
		return err
	}
	quota, err := l.direct.CoreV1().ResourceQuotas("shop").Get(ctx, "counted", metav1.GetOptions{})
	if err != nil {
		return err
	}
	used := quota.Status.Used[corev1.ResourcePods]
	if daemons.Status.NumberReady != controlledNodes || stateful.Status.ReadyReplicas != 3 || job.Status.Succeeded != 6 ||
		job.Status.CompletionTime == nil || used.Value() != 5+controlledNodes+3 {
		return fmt.Errorf("daemons %d, stateful %d, job %d, counted pods %s",
			daemons.Status.NumberReady, stateful.Status.ReadyReplicas, job.Status.Succeeded, used.String())
	}
	for _, selector := range []string{"app=agent", "app=store"} {
		if err := l.pods("shop", selector, map[string]int{"app=agent": controlledNodes, "app=store": 3}[selector]); err != nil {
			return err
		}
	}
	return nil
}

// endpoints: the Service's slices name the addresses of its pods, all ready, and no other.
func (l *controlled) endpoints(ns, service string, count int) error {
	ctx := context.Background()
	slicesOf, err := l.direct.DiscoveryV1().EndpointSlices(ns).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + service})
	if err != nil {
		return err
	}
	list, err := l.direct.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: labels.Set{"app": service}.String()})
	if err != nil {
		return err
	}
	var want, got []string
	for _, p := range list.Items {
		want = append(want, p.Status.PodIP)
	}
	for _, s := range slicesOf.Items {
		for _, e := range s.Endpoints {
			if e.Conditions.Ready != nil && *e.Conditions.Ready {
				got = append(got, e.Addresses...)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) != count || !slices.Equal(want, got) {
		return fmt.Errorf("endpoints %v of pods at %v", got, want)
	}
	return nil
}
