package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
)

var (
	crdGVR     = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	crontabGVR = schema.GroupVersionResource{Group: "stable.example.com", Version: "v1", Resource: "crontabs"}
)

// marker is in every object that some user must not see; see leak_test.go.
const marker = "MARKER-7f3a"

// seed fills the API server. Namespaces `a` and `a-b` sort differently as strings than as tuples; `team-a` and
// `team-b` have users with few rights; `big` has a list that is compressed; `empty` is empty.
func seed() error {
	ctx := context.Background()
	create := metav1.CreateOptions{}
	for _, ns := range []string{"a", "a-b", "team-a", "team-b", "big", "empty"} {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{"team": ns}}}
		if _, err := admin.CoreV1().Namespaces().Create(ctx, object, create); err != nil {
			return err
		}
	}
	for _, f := range []func(context.Context) error{seedCore, seedWorkloads, seedCustom, seedTeams} {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}

func configMap(ns, name string, labels map[string]string, data string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: labels},
		Data:       map[string]string{"data": data},
	}
}

func createConfigMap(ctx context.Context, ns, name string, labels map[string]string, data string) error {
	_, err := admin.CoreV1().ConfigMaps(ns).Create(ctx, configMap(ns, name, labels, data), metav1.CreateOptions{})
	return err
}

// Text that encoders treat specially.
const oddText = "<a href=\"x\">&amp;</a> \u2028\u2029 \\ \t\n \u00e9\u4e16\U0001F680 {\"kind\":\"Secret\",\"metadata\":{\"resourceVersion\":\"1\"}}"

func seedCore(ctx context.Context) error {
	for i := range 8 {
		labels := map[string]string{"app": []string{"web", "nginx"}[i%2], "tier": fmt.Sprint(i)}
		if i == 7 {
			labels = nil
		}
		if err := createConfigMap(ctx, "a", fmt.Sprintf("cm-%d", i), labels, oddText); err != nil {
			return err
		}
	}
	for _, name := range []string{"x", "x.y", "x-y"} {
		if err := createConfigMap(ctx, "a-b", name, map[string]string{"app": "web", "empty": ""}, name); err != nil {
			return err
		}
	}
	for i := range 20 {
		if err := createConfigMap(ctx, "big", fmt.Sprintf("big-%02d", i), nil, strings.Repeat(fmt.Sprint(i, " "), 4000)); err != nil {
			return err
		}
	}
	for i, name := range []string{"n1", "n2", "n3"} {
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"zone": fmt.Sprint(i % 2)}},
			Spec:       corev1.NodeSpec{Unschedulable: i == 2},
		}
		if _, err := admin.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for i, name := range []string{"plain", "headless"} {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, Labels: map[string]string{"app": "web"}},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}, Selector: map[string]string{"app": "web"}},
		}
		if i == 1 {
			service.Spec.ClusterIP = corev1.ClusterIPNone
		}
		if _, err := admin.CoreV1().Services("a").Create(ctx, service, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for _, name := range []string{"s1", "s2"} {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name},
			Type:       "example.com/" + corev1.SecretType(name),
			StringData: map[string]string{"password": marker},
		}
		if _, err := admin.CoreV1().Secrets("a").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for i := range 3 {
		event := &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: "a", Name: fmt.Sprintf("event-%d", i)},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "a", Name: fmt.Sprintf("pod-%d", i), APIVersion: "v1"},
			Reason:         "Tested", Message: "an event", Type: corev1.EventTypeNormal,
			Source: corev1.EventSource{Component: "e2e"},
		}
		if _, err := admin.CoreV1().Events("a").Create(ctx, event, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func pod(ns, name, node string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "example.com/c:1"}}},
	}
}

func seedWorkloads(ctx context.Context) error {
	create := metav1.CreateOptions{}
	for i := range 6 {
		ns := []string{"a", "a", "a-b"}[i%3]
		node := []string{"n1", "n2", ""}[i/2]
		p, err := admin.CoreV1().Pods(ns).Create(ctx, pod(ns, fmt.Sprintf("pod-%d", i), node,
			map[string]string{"app": []string{"web", "nginx"}[i%2], "tier": fmt.Sprint(i)}), create)
		if err != nil {
			return err
		}
		if node == "n1" {
			p.Status.Phase = corev1.PodRunning
			p.Status.PodIP = fmt.Sprintf("10.1.0.%d", i+1)
			p.Status.PodIPs = []corev1.PodIP{{IP: p.Status.PodIP}}
			if _, err := admin.CoreV1().Pods(ns).UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil {
				return err
			}
		}
	}
	for i := range 3 {
		name := fmt.Sprintf("deploy-%d", i)
		labels := map[string]string{"app": name}
		replicas := int32(i)
		deployment := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, Labels: labels},
			Spec: appsv1.DeploymentSpec{
				Replicas: &replicas,
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example.com/c:1"}}},
				},
			},
		}
		if _, err := admin.AppsV1().Deployments("a").Create(ctx, deployment, create); err != nil {
			return err
		}
		holder := "e2e"
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: fmt.Sprintf("lease-%d", i)},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder},
		}
		if _, err := admin.CoordinationV1().Leases("a").Create(ctx, lease, create); err != nil {
			return err
		}
	}
	return nil
}

func crontab(ns, name string, replicas int64, labels map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "stable.example.com/v1", "kind": "CronTab",
		"metadata": map[string]any{"namespace": ns, "name": name, "labels": labels},
		"spec":     map[string]any{"cronSpec": "* * * * */5", "replicas": replicas, "text": oddText},
	}}
}

func seedCustom(ctx context.Context) error {
	text := map[string]any{"type": "string"}
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "crontabs.stable.example.com"},
		"spec": map[string]any{
			"group": "stable.example.com", "scope": "Namespaced",
			"names": map[string]any{"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": []any{"ct"}},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"selectableFields": []any{map[string]any{"jsonPath": ".spec.replicas"}},
				"subresources": map[string]any{
					"scale": map[string]any{"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
				},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object",
					"properties": map[string]any{
						"spec": map[string]any{"type": "object", "properties": map[string]any{
							"cronSpec": text, "text": text, "replicas": map[string]any{"type": "integer"},
						}},
						"status": map[string]any{"type": "object", "properties": map[string]any{"replicas": map[string]any{"type": "integer"}}},
					},
				}},
			}},
		},
	}}
	if _, err := adminDy.Resource(crdGVR).Create(ctx, crd, metav1.CreateOptions{}); err != nil {
		return err
	}
	client := adminDy.Resource(crontabGVR)
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := client.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the custom resource is not served: %w", err)
	}
	for i := range 5 {
		ns := []string{"a", "a-b"}[i%2]
		object := crontab(ns, fmt.Sprintf("tab-%d", i), int64(i), map[string]any{"app": []string{"web", "nginx"}[i%2]})
		if _, err := client.Namespace(ns).Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// seedTeams makes users with few rights. bob has none at all.
//
//	alice  reads configmaps, pods and secrets of team-a
//	carol  reads configmap `only-this` of team-a, by name
//	dave   (group auditors) lists and watches pods and namespaces everywhere, but may not get them
func seedTeams(ctx context.Context) error {
	create := metav1.CreateOptions{}
	read := []string{"get", "list", "watch"}
	for _, ns := range []string{"team-a", "team-b"} {
		for _, name := range []string{"only-this", "other"} {
			if err := createConfigMap(ctx, ns, name, map[string]string{"team": ns}, marker); err != nil {
				return err
			}
		}
		p := pod(ns, "pod", "n1", map[string]string{"team": ns})
		p.Annotations = map[string]string{"note": marker}
		if _, err := admin.CoreV1().Pods(ns).Create(ctx, p, create); err != nil {
			return err
		}
	}
	roles := []*rbacv1.Role{
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "alice"},
			Rules:      []rbacv1.PolicyRule{{Verbs: read, APIGroups: []string{""}, Resources: []string{"configmaps", "pods", "secrets"}}},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "carol"},
			Rules: []rbacv1.PolicyRule{
				{Verbs: read, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"only-this"}},
			},
		},
	}
	for _, role := range roles {
		if _, err := admin.RbacV1().Roles(role.Namespace).Create(ctx, role, create); err != nil {
			return err
		}
		binding := &rbacv1.RoleBinding{
			ObjectMeta: role.ObjectMeta,
			Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: role.Name}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		}
		if _, err := admin.RbacV1().RoleBindings(role.Namespace).Create(ctx, binding, create); err != nil {
			return err
		}
	}
	if _, err := admin.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "auditor"},
		Rules: []rbacv1.PolicyRule{
			{Verbs: []string{"list", "watch"}, APIGroups: []string{""}, Resources: []string{"pods", "namespaces"}},
		},
	}, create); err != nil {
		return err
	}
	_, err := admin.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "auditors"},
		Subjects:   []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "auditors"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "auditor"},
	}, create)
	return err
}

// resourceOf takes a path prefix, "/api/v1" or "/apis/GROUP/VERSION", and a resource.
func resourceOf(prefix, resource string) schema.GroupVersionResource {
	parts := strings.Split(strings.Trim(prefix, "/"), "/")
	if parts[0] == "api" {
		return schema.GroupVersionResource{Version: parts[1], Resource: resource}
	}
	return schema.GroupVersionResource{Group: parts[1], Version: parts[2], Resource: resource}
}

// deleteConfigMap deletes a configmap of namespace a.
func deleteConfigMap(t *testing.T, name string) {
	t.Helper()
	must(t, admin.CoreV1().ConfigMaps("a").Delete(context.Background(), name, metav1.DeleteOptions{}))
}
