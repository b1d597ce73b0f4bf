package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"weir.dev/e2e/oracle"
)

// A simulatedNode does what a kubelet does that others can see: it has a Node object and a Lease, watches its own pods,
// lets them run, ends those of Jobs, and removes those that are to be deleted. It knows its pods from its informer
// alone and speaks to one server, under a node's identity.
type simulatedNode struct {
	name   string
	number int
	client *kubernetes.Clientset
	pods   cache.SharedIndexInformer

	mu       sync.Mutex
	problems []string
}

const (
	nodeStep   = 100 * time.Millisecond // Between two looks at the pods.
	leaseEvery = 4 * time.Second
)

// startNode registers the node and returns when its informer has synced. It runs until ctx ends.
func startNode(t *testing.T, ctx context.Context, c *oracle.Cluster, number int, server string, form oracle.ClientForm) *simulatedNode {
	t.Helper()
	n := &simulatedNode{name: fmt.Sprintf("node-%d", number), number: number}
	user, err := c.CertUser("system:node:"+n.name, "system:nodes")
	must(t, err)
	config := user.RESTConfig(server, c.CAFile())
	config.ContentType, config.AcceptContentTypes = form.ContentType, form.ContentType+",application/json"
	n.client, err = kubernetes.NewForConfig(config)
	must(t, err)
	_, err = n.client.CoreV1().Nodes().Create(ctx, n.object(), metav1.CreateOptions{})
	must(t, err)
	n.pods = informers.NewSharedInformerFactoryWithOptions(n.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = "spec.nodeName=" + n.name
	})).Core().V1().Pods().Informer()
	setWatchList(t, form.WatchList)
	go n.pods.RunWithContext(ctx)
	deadline, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	if !cache.WaitForCacheSync(deadline.Done(), n.pods.HasSynced) {
		t.Fatalf("the informer of %s does not sync", n.name)
	}
	go n.run(ctx)
	return n
}

func (n *simulatedNode) object() *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	now := metav1.Now()
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: map[string]string{
			"kubernetes.io/hostname": n.name, "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", n.number%3),
		}},
		Status: corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now, LastTransitionTime: now}},
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.1.%d.1", n.number)}},
		},
	}
}

func (n *simulatedNode) run(ctx context.Context) {
	var renewed time.Time
	for ctx.Err() == nil {
		if time.Since(renewed) > leaseEvery && n.renew(ctx) == nil {
			renewed = time.Now()
		}
		for _, object := range n.pods.GetStore().List() {
			n.sync(ctx, object.(*corev1.Pod))
		}
		select {
		case <-ctx.Done():
		case <-time.After(nodeStep):
		}
	}
}

func (n *simulatedNode) renew(ctx context.Context) error {
	leases := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	seconds, now := int32(40), metav1.NowMicro()
	lease, err := leases.Get(ctx, n.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: n.name},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &n.name, LeaseDurationSeconds: &seconds, RenewTime: &now},
		}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec.RenewTime = &now
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// sync brings one pod a step forward. What fails, since the server is away or the informer is behind, is tried again at
// the next step.
func (n *simulatedNode) sync(ctx context.Context, pod *corev1.Pod) {
	pods := n.client.CoreV1().Pods(pod.Namespace)
	switch {
	case pod.Spec.NodeName != n.name:
		n.report("%s/%s of node %q came to node %s", pod.Namespace, pod.Name, pod.Spec.NodeName, n.name)
	case pod.DeletionTimestamp != nil:
		zero := int64(0)
		_ = pods.Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	case pod.Status.Phase == corev1.PodPending:
		n.set(ctx, pod, corev1.PodRunning)
	case pod.Status.Phase == corev1.PodRunning && pod.Spec.RestartPolicy == corev1.RestartPolicyNever:
		n.set(ctx, pod, corev1.PodSucceeded)
	}
}

func (n *simulatedNode) set(ctx context.Context, pod *corev1.Pod, phase corev1.PodPhase) {
	pod = pod.DeepCopy() // The informer's is shared.
	now, running := metav1.Now(), phase == corev1.PodRunning
	status := corev1.ConditionFalse
	state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0, Reason: "Completed", FinishedAt: now}}
	if running {
		status = corev1.ConditionTrue
		state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	}
	pod.Status.Phase = phase
	// 10.2.X.Y, by the UID: what matters is that each pod has one of its own.
	pod.Status.PodIP = podAddress(pod)
	pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
	if pod.Status.StartTime == nil {
		pod.Status.StartTime = &now
	}
	pod.Status.ContainerStatuses = nil
	for _, c := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: running, Started: &running, State: state,
		})
	}
	kept := pod.Status.Conditions[:0]
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodReady && c.Type != corev1.ContainersReady && c.Type != corev1.PodInitialized {
			kept = append(kept, c)
		}
	}
	pod.Status.Conditions = append(kept,
		corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
		corev1.PodCondition{Type: corev1.ContainersReady, Status: status, LastTransitionTime: now},
		corev1.PodCondition{Type: corev1.PodReady, Status: status, LastTransitionTime: now})
	_, err := n.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		n.report("%s/%s to %s: %v", pod.Namespace, pod.Name, phase, err)
	}
}

// podAddress is an address that no two of a few hundred pods share.
func podAddress(pod *corev1.Pod) string {
	var n uint64
	for _, b := range []byte(pod.UID) {
		n = n*31 + uint64(b)
	}
	return fmt.Sprintf("10.%d.%d.%d", 16+n%200, n/200%250, 1+n/50000%250)
}

func (n *simulatedNode) report(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.problems = append(n.problems, fmt.Sprintf(format, args...))
}

func (n *simulatedNode) takeProblems() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.problems
}
