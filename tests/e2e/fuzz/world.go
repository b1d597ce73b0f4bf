package fuzz

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weir.dev/e2e/exchange"
	"weir.dev/e2e/oracle"
)

// Namespaces that sort differently as strings than as tuples. Nobody writes into the last two; `nope` is absent.
var (
	written    = []string{"f", "f-a", "f-b", "f0"}
	namespaces = append(written[:len(written):len(written)], "zz", "nope")
)

// Names of objects: prefixes of each other, and characters below and above the slash.
var objectNames = []string{"x", "x-y", "x.y", "x0", "xy", "a", "b-1", "b-10", "b-2", "z"}

// users by how often they ask. reader may read some kinds in namespace f; watcher may list and watch pods everywhere.
var users = []struct {
	name   string
	weight int
}{{"admin", 94}, {"alice", 2}, {"dave", 2}, {"bob", 1}, {"anonymous", 1}}

// A world is the cluster as the fuzzer knows it. Writes come from one goroutine, and nobody asks meanwhile but watches.
type world struct {
	cluster *oracle.Cluster
	seed    uint64
	log     func(format string, args ...any)

	kinds   []*kind
	direct  dynamic.Interface
	through dynamic.Interface                 // Weir.
	callers map[string][]*[2]*exchange.Caller // By user, for each version of HTTP; API server and Weir.

	known   map[string]bool // Objects that writes have made, by kind, namespace and name.
	written int
	failed  []string // Writes that the API server refused.

	now     int64            // etcd's revision at the quiet point.
	floor   int64            // From here on both servers know every event.
	recent  [][]int64        // Revisions of the last rounds, the newest last.
	objects map[*kind][]item // At the quiet point.
	touched map[*kind]bool   // Since the last one.
}

// An item is an object that there is.
type item struct {
	namespace, name string
	revision        int64
}

// newWorld fills the cluster, forgets how, and returns when all is there. Weir is started afterwards.
func newWorld(cluster *oracle.Cluster, seed uint64, log func(string, ...any)) (*world, error) {
	w := &world{cluster: cluster, seed: seed, log: log, kinds: kinds(), known: map[string]bool{}, touched: map[*kind]bool{}}
	var err error
	if w.direct, err = w.client(cluster.URL()); err != nil {
		return nil, err
	}
	w.through = w.direct
	if err := w.makeNamespaces(); err != nil {
		return nil, err
	}
	if err := w.makeUsers(); err != nil {
		return nil, err
	}
	if err := w.makeDefinitions(); err != nil {
		return nil, err
	}
	w.populate()
	if len(w.failed) > 0 {
		return nil, fmt.Errorf("%d of %d objects could not be made:\n%s", len(w.failed), w.written, strings.Join(w.failed, "\n"))
	}
	return w, cluster.ForgetHistory()
}

func (w *world) client(server string) (dynamic.Interface, error) {
	config := w.cluster.Admin.RESTConfig(server, w.cluster.CAFile())
	config.WarningHandler = rest.NoWarnings{}
	return dynamic.NewForConfig(config)
}

func (w *world) makeNamespaces() error {
	for _, name := range namespaces[:len(namespaces)-1] {
		if _, err := w.direct.Resource(namespaceType).Create(context.Background(), &unstructured.Unstructured{Object: object{
			"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": object{"app": "web"}},
		}}, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

var (
	namespaceType  = (&kind{version: "v1", resource: "namespaces"}).resourceType()
	definitionType = (&kind{group: "apiextensions.k8s.io", version: "v1", resource: "customresourcedefinitions"}).resourceType()
)

func (w *world) makeDefinitions() error {
	for _, definition := range definitions() {
		if _, err := w.direct.Resource(definitionType).Create(context.Background(), &unstructured.Unstructured{Object: definition}, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	for _, k := range customKinds() {
		deadline := time.Now().Add(20 * time.Second)
		for {
			_, err := w.direct.Resource(k.resourceType()).List(context.Background(), metav1.ListOptions{})
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s are not served: %w", k.resource, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// makeUsers gives few rights to two of the users that ask.
func (w *world) makeUsers() error {
	client, err := kubernetes.NewForConfig(w.cluster.Admin.RESTConfig(w.cluster.URL(), w.cluster.CAFile()))
	if err != nil {
		return err
	}
	ctx := context.Background()
	read := []string{"get", "list", "watch"}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "f", Name: "alice"}, Rules: []rbacv1.PolicyRule{
		{Verbs: read, APIGroups: []string{"", "fuzz.example.com"}, Resources: []string{"configmaps", "pods", "gadgets"}}}}
	_, err = client.RbacV1().Roles("f").Create(ctx, role, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil // Of an earlier run.
	}
	if err != nil {
		return err
	}
	if _, err = client.RbacV1().RoleBindings("f").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "alice"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "alice"}},
	}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err = client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "auditor"},
		Rules:      []rbacv1.PolicyRule{{Verbs: read[1:], APIGroups: []string{""}, Resources: []string{"pods"}}},
	}, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "auditors"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "auditor"},
		Subjects: []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "auditors"}},
	}, metav1.CreateOptions{})
	return err
}

// connect makes the callers, of all users to both servers.
func (w *world) connect(weir string, protocols []bool) error {
	var err error
	if w.through, err = w.client(weir); err != nil {
		return err
	}
	w.callers = map[string][]*[2]*exchange.Caller{}
	for _, u := range users {
		user := w.cluster.TokenUser(u.name)
		if u.name == "anonymous" {
			user = oracle.User{Name: u.name}
		}
		for _, http2 := range protocols {
			pair := &[2]*exchange.Caller{}
			for i, server := range []string{w.cluster.URL(), weir} {
				if pair[i], err = exchange.NewCaller(server, w.cluster.CAFile(), user, http2); err != nil {
					return err
				}
			}
			w.callers[u.name] = append(w.callers[u.name], pair)
		}
	}
	return nil
}

// random is the source of request or burst i of a round: the same for the same seed, whatever else happens.
func (w *world) random(round, i int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(round)<<32|uint64(uint32(i))))
}

// quieten ends a burst: it waits until the API server's caches are at etcd's revision and Weir answers as the API
// server does about all kinds that have changed, in all forms. It returns the differences that stay.
func (w *world) quieten() ([]string, error) {
	pair := w.callers["admin"][0]
	for _, k := range w.kinds { // A consistent read moves the API server's cache.
		if a := pair[0].Ask(exchange.Request{Path: k.prefix() + "/" + k.resource + "?limit=1"}); a.Status != 200 {
			return nil, fmt.Errorf("%s: %d %.200s %v", k.resource, a.Status, a.Body, a.Err)
		}
	}
	var settle []func() string
	for _, k := range w.kinds {
		if !w.touched[k] {
			continue
		}
		for _, accept := range settlingForms(k) {
			r := exchange.Request{Path: k.prefix() + "/" + k.resource + "?resourceVersion=0", Header: map[string][]string{"Accept": {accept}}}
			settle = append(settle, func() string { return w.settles(r) })
		}
	}
	var found []string
	for _, d := range inParallel(8, len(settle), func(i int) string { return settle[i]() }) {
		if d != "" {
			found = append(found, d)
		}
	}
	clear(w.touched)
	return found, w.look()
}

// settlingForms are the forms that Weir may have a feed of its own for.
func settlingForms(k *kind) []string {
	forms := []string{jsonType, jsonType + partialList, protobufType + partialList}
	if !k.custom() {
		forms = append(forms, protobufType)
	}
	return forms
}

// settles waits until both answer the same.
func (w *world) settles(r exchange.Request) string {
	pair := w.callers["admin"][0]
	deadline := time.Now().Add(10 * time.Second)
	for {
		d := exchange.Difference(r, pair[0].Ask(r), pair[1].Ask(r))
		if d == "" || time.Now().After(deadline) {
			if d != "" {
				d = "never settles: " + r.Curl() + "\n" + d
			}
			return d
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// look notes what there is, for requests that name it.
func (w *world) look() error {
	var err error
	if w.now, err = w.cluster.Revision(); err != nil {
		return err
	}
	w.objects = map[*kind][]item{}
	for _, k := range w.kinds {
		list, err := w.direct.Resource(k.resourceType()).List(context.Background(), metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return err
		}
		for i := range list.Items {
			o := &list.Items[i]
			revision, _ := strconv.ParseInt(o.GetResourceVersion(), 10, 64)
			w.objects[k] = append(w.objects[k], item{o.GetNamespace(), o.GetName(), revision})
		}
	}
	return nil
}
