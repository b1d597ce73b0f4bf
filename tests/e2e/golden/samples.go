package golden

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

type sample struct {
	resource string
	object   runtime.Object
}

// samples has every type with fields that selectors may name, each of them set, and some others.
func samples() []sample {
	out := []sample{
		{"pods", pod()},
		{"pods", &corev1.Pod{ObjectMeta: bareMeta("bare")}},
		{"nodes", &corev1.Node{ObjectMeta: meta("", "node-7"), Spec: corev1.NodeSpec{PodCIDR: "10.0.0.0/24", Unschedulable: true}}},
		{"nodes", &corev1.Node{ObjectMeta: meta("", "node-8")}},
		{"namespaces", &corev1.Namespace{ObjectMeta: meta("", "shop"), Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}},
		{"configmaps", &corev1.ConfigMap{ObjectMeta: meta("shop", "settings"), Data: map[string]string{"b": "2", "a": "1"},
			BinaryData: map[string][]byte{"raw": {0, 255, 10}}}},
		{"secrets", &corev1.Secret{ObjectMeta: meta("shop", "token"), Type: "kubernetes.io/tls", Data: map[string][]byte{"tls.crt": []byte("x")}}},
		{"services", &corev1.Service{ObjectMeta: meta("shop", "front"), Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1", Type: corev1.ServiceTypeNodePort,
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080}}, Selector: map[string]string{"app": "web"}}}},
		{"replicationcontrollers", &corev1.ReplicationController{ObjectMeta: meta("shop", "old"), Status: corev1.ReplicationControllerStatus{Replicas: 300}}},
		{"events", coreEvent()},
		{"events", &corev1.Event{ObjectMeta: meta("shop", "by-component"), Source: corev1.EventSource{Component: "kubelet", Host: "node-7"}}},
		{"events", event()},
		{"leases", lease()},
		{"deployments", &appsv1.Deployment{ObjectMeta: meta("shop", "web"), Spec: appsv1.DeploymentSpec{Replicas: new(int32(3)),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}, Status: appsv1.DeploymentStatus{Replicas: 3}}},
		{"jobs", &batchv1.Job{ObjectMeta: meta("shop", "once"), Status: batchv1.JobStatus{Active: 2, Succeeded: 129, Failed: 1}}},
		{"certificatesigningrequests", &certificatesv1.CertificateSigningRequest{ObjectMeta: meta("", "csr-1"),
			Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: "example.com/signer", Username: "u", Request: []byte("pem")}}},
		{"clustertrustbundles", &certificatesv1beta1.ClusterTrustBundle{ObjectMeta: meta("", "example.com:signer:1"),
			Spec: certificatesv1beta1.ClusterTrustBundleSpec{SignerName: "example.com/signer", TrustBundle: "pem"}}},
		{"podcertificaterequests", &certificatesv1beta1.PodCertificateRequest{ObjectMeta: meta("shop", "pcr-1"),
			Spec: certificatesv1beta1.PodCertificateRequestSpec{SignerName: "example.com/signer", PodName: "web-1", PodUID: "u-1", NodeName: "node-7"}}},
		{"resourceslices", &resourcev1.ResourceSlice{ObjectMeta: meta("", "slice-1"),
			Spec: resourcev1.ResourceSliceSpec{Driver: "gpu.example.com", Pool: resourcev1.ResourcePool{Name: "pool-1", Generation: 4, ResourceSliceCount: 1},
				NodeName: new("node-7")}}},
	}
	for _, each := range out {
		withKind(each.object)
	}
	return out
}

var created = metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))

// meta has every part of ObjectMeta.
func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:                       name,
		GenerateName:               "prefix-",
		Namespace:                  namespace,
		UID:                        types.UID("5f0d7d2e-8b3c-4f5a-9d1e-" + name),
		ResourceVersion:            "12746",
		Generation:                 3,
		CreationTimestamp:          created,
		DeletionTimestamp:          &created,
		DeletionGracePeriodSeconds: new(int64(30)),
		Labels:                     map[string]string{"app": "web", "app.kubernetes.io/name": "shop", "empty": ""},
		Annotations:                map[string]string{"note": `"quoted" <text> {with} \ everything`, "app": "not this one"},
		OwnerReferences:            []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "o-1", Controller: new(true)}},
		Finalizers:                 []string{"example.com/hold"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &created,
			FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:labels":{"f:app":{}}},"f:status":{"f:phase":{}}}`)}, Subresource: "status"}},
	}
}

// bareMeta has nothing that is not needed.
func bareMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, ResourceVersion: "1"}
}

func pod() *corev1.Pod {
	container := func(name string) corev1.Container {
		return corev1.Container{Name: name, Image: "registry.example.com/" + name + ":1.2.3", Args: []string{"--verbose", "--port=8080"},
			Env:       []corev1.EnvVar{{Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}},
			Ports:     []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")}}}
	}
	return &corev1.Pod{
		ObjectMeta: meta("shop", "web-1"),
		Spec: corev1.PodSpec{
			Containers:         []corev1.Container{container("web"), container("sidecar")},
			RestartPolicy:      corev1.RestartPolicyOnFailure,
			NodeName:           "node-7",
			SchedulerName:      "other-scheduler",
			ServiceAccountName: "web",
			HostNetwork:        true,
			NodeSelector:       map[string]string{"disk": "ssd"},
			Tolerations:        []corev1.Toleration{{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, TolerationSeconds: new(int64(300))}},
		},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: created}},
			HostIP:            "192.168.0.7",
			PodIP:             "10.0.0.9",
			PodIPs:            []corev1.PodIP{{IP: "10.0.0.9"}},
			NominatedNodeName: "node-8",
			StartTime:         &created,
		},
	}
}

func reference() corev1.ObjectReference {
	return corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web-1", UID: "u-1", APIVersion: "v1", ResourceVersion: "77", FieldPath: "spec.containers{web}"}
}

func coreEvent() *corev1.Event {
	return &corev1.Event{ObjectMeta: meta("shop", "web-1.17a"), InvolvedObject: reference(), Reason: "Started", Message: "Started container web",
		Source: corev1.EventSource{Host: "node-7"}, FirstTimestamp: created, LastTimestamp: created, Count: 4, Type: "Normal",
		EventTime: metav1.NewMicroTime(created.Time), Action: "Starting", ReportingController: "example.com/kubelet", ReportingInstance: "node-7"}
}

func event() *eventsv1.Event {
	return &eventsv1.Event{ObjectMeta: meta("shop", "web-1.17b"), EventTime: metav1.NewMicroTime(created.Time), ReportingController: "example.com/scheduler",
		ReportingInstance: "scheduler-1", Action: "Binding", Reason: "Scheduled", Regarding: reference(), Note: "assigned", Type: "Warning", DeprecatedCount: 1}
}

func lease() *coordinationv1.Lease {
	now := metav1.NewMicroTime(created.Time.Add(123456 * time.Microsecond))
	return &coordinationv1.Lease{ObjectMeta: meta("kube-node-lease", "node-7"), Spec: coordinationv1.LeaseSpec{HolderIdentity: new("node-7"),
		LeaseDurationSeconds: new(int32(40)), AcquireTime: &now, RenewTime: &now, LeaseTransitions: new(int32(0))}}
}
