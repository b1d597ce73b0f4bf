package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// A tenant has a namespace of its own, a service account that may read it, and a marker that is in everything there:
// names, labels, annotations, data.
type tenant struct {
	namespace, marker string
	user              oracle.User
}

// What may be read, and how it may be asked for.
var (
	tenantResources = []string{"configmaps", "pods", "secrets"}
	tenantForms     = []string{
		"application/json", "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json",
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
		"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
		"application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
		"application/json;as=Table;g=meta.k8s.io;v=v1", "application/yaml", "",
	}
	tenantRevisions = []string{"", "resourceVersion=0", "resourceVersion=0", "resourceVersion=0&resourceVersionMatch=NotOlderThan"}
	tenantSelectors = []string{
		"", "", "", "labelSelector=tenant", "labelSelector=!tenant", "labelSelector=n+in+(1,2,3)", "fieldSelector=metadata.name%3Dplain-1",
		"fieldSelector=metadata.name!%3Dplain-1", "fieldSelector=spec.nodeName%3Dn1", "fieldSelector=metadata.namespace%3DNAMESPACE",
		"labelSelector=tenant,n!%3D1&fieldSelector=metadata.name%3Dplain-2",
	}
)

// newTenant fills a namespace.
func newTenant(t *testing.T, name, marker string) *tenant {
	t.Helper()
	ctx, create := context.Background(), metav1.CreateOptions{}
	_, err := admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, create)
	must(t, err)
	meta := func(object string, n int) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: name, Name: object, Labels: map[string]string{"tenant": marker, "n": strconv.Itoa(n)}, Annotations: map[string]string{"note": marker}}
	}
	for n := range 12 {
		for _, object := range []string{fmt.Sprintf("plain-%d", n), fmt.Sprintf("%s-%d", marker, n)} {
			_, err := admin.CoreV1().ConfigMaps(name).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta(object, n), Data: map[string]string{"a": marker, "b": strings.Repeat(marker, 300)}}, create)
			must(t, err)
			if n >= 4 {
				continue
			}
			_, err = admin.CoreV1().Secrets(name).Create(ctx, &corev1.Secret{ObjectMeta: meta(object, n), StringData: map[string]string{"a": marker}}, create)
			must(t, err)
			p := pod(name, object, "n1", nil)
			p.ObjectMeta = meta(object, n)
			_, err = admin.CoreV1().Pods(name).Create(ctx, p, create)
			must(t, err)
		}
	}
	_, err = admin.RbacV1().Roles(name).Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules:      []rbacv1.PolicyRule{{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: tenantResources}},
	}, create)
	must(t, err)
	_, err = admin.CoreV1().ServiceAccounts(name).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "tenant"}}, create)
	must(t, err)
	answer, err := admin.CoreV1().ServiceAccounts(name).CreateToken(ctx, "tenant", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(t, err)
	x := &tenant{namespace: name, marker: marker, user: oracle.User{Name: name, Token: answer.Status.Token}}
	x.bind(t, name, "own")
	return x
}

// bind lets the tenant read a namespace; unbind ends that.
func (x *tenant) bind(t *testing.T, namespace, name string) {
	t.Helper()
	_, err := admin.RbacV1().RoleBindings(namespace).Create(context.Background(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: x.namespace, Name: "tenant"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
	}, metav1.CreateOptions{})
	must(t, err)
}

func unbind(t *testing.T, namespace, name string) {
	t.Helper()
	must(t, admin.RbacV1().RoleBindings(namespace).Delete(context.Background(), name, metav1.DeleteOptions{}))
}

// A lease is when a right was there: its spans, the last one open where it still is.
type lease struct {
	mu    sync.Mutex
	spans [][2]time.Time
}

func (l *lease) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spans = append(l.spans, [2]time.Time{time.Now()})
}

func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spans[len(l.spans)-1][1] = time.Now()
}

// during tells whether the right was there at any time from then to now.
func (l *lease) during(since time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, span := range l.spans {
		if span[1].IsZero() || span[1].After(since) {
			return true
		}
	}
	return false
}

// tenantRequest is a random read. Names in it are nobody's marker, so that an error that repeats them tells nothing.
func tenantRequest(random *rand.Rand, namespaces []string, token string) request {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	namespace := pick(namespaces)
	path := "/api/v1/"
	if namespace != "" {
		path += "namespaces/" + namespace + "/"
	}
	path += pick(tenantResources)
	r := request{Header: http.Header{}}
	if accept := pick(tenantForms); accept != "" {
		r.Header.Set("Accept", accept)
	}
	if random.IntN(3) == 0 {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	query := []string{}
	add := func(text string) {
		if text != "" {
			query = append(query, text)
		}
	}
	switch kind := random.IntN(16); {
	case kind < 4 && namespace != "":
		path += fmt.Sprintf("/plain-%d", random.IntN(6))
		add(pick([]string{"", "resourceVersion=0"}))
	case kind < 6:
		add("watch=1&timeoutSeconds=1")
		add(pick([]string{"resourceVersion=0", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", ""}))
		add(strings.ReplaceAll(pick(tenantSelectors), "NAMESPACE", pick(namespaces)))
	case kind < 7 && token != "":
		add("limit=3&continue=" + token) // Another's, perhaps.
	default:
		add(pick(tenantRevisions))
		add(strings.ReplaceAll(pick(tenantSelectors), "NAMESPACE", pick(namespaces)))
		if random.IntN(3) == 0 {
			add(fmt.Sprintf("limit=%d", 1+random.IntN(9)))
		}
	}
	if random.IntN(6) == 0 {
		add("pretty=true")
	}
	r.Path = path
	if len(query) > 0 {
		r.Path += "?" + strings.Join(query, "&")
	}
	return r
}

// TestNoMarkerCrossesBetweenTenants: two tenants read at random, in every form, from a Weir that was cold when they began,
// while one of them gains and loses the right to a third namespace. WEIR_E2E_TENANT_SEED=n:count asks for other reads.
func TestNoMarkerCrossesBetweenTenants(t *testing.T) {
	seed, count := uint64(1), 4000
	if text := os.Getenv("WEIR_E2E_TENANT_SEED"); text != "" {
		first, second, _ := strings.Cut(text, ":")
		var err error
		seed, err = strconv.ParseUint(first, 10, 64)
		must(t, err)
		if second != "" {
			count, err = strconv.Atoi(second)
			must(t, err)
		}
	}
	x, y := newTenant(t, "tenant-x", "quetzalmarker"), newTenant(t, "tenant-y", "ocelotmarker")
	shared := newTenant(t, "tenant-shared", "margaymarker")
	// Secrets are cached here as well: what is not in the cache cannot leak from it.
	w := startWeir(t, oracle.WeirOptions{Args: []string{
		"-v=10", "--cache-never=", "--authorization-webhook-cache-authorized-ttl=1s", "--authorization-webhook-cache-unauthorized-ttl=1s",
		"--authentication-token-webhook-cache-ttl=1s", "--watch-reauthorize-interval=1s",
	}})
	const verdictsLast = 4 * time.Second // One second, by configuration, and the time that a slow machine takes.

	var rights lease
	stop := make(chan struct{})
	var flipping sync.WaitGroup
	flipping.Go(func() {
		for {
			rights.begin()
			x.bind(t, shared.namespace, "for-x")
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Second):
			}
			unbind(t, shared.namespace, "for-x")
			rights.end()
			select {
			case <-stop:
				return
			case <-time.After(7 * time.Second):
			}
		}
	})

	namespaces := []string{x.namespace, y.namespace, shared.namespace, ""}
	callers := map[*tenant]*caller{x: newCaller(t, w.URL, x.user, true), y: newCaller(t, w.URL, y.user, false)}
	var token atomic.Value
	token.Store("")
	var own, foreign, granted, refusedLate atomic.Int64
	problems := inParallel(12, count, func(i int) string {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		me, other := x, y
		if random.IntN(2) == 0 {
			me, other = y, x
		}
		if i == count/4 { // Until then only the tenants themselves have warmed the caches.
			warm := newCaller(t, w.URL, cluster.Admin, true)
			for _, resource := range tenantResources {
				for _, accept := range tenantForms[:2] {
					warm.ask(request{Path: "/api/v1/" + resource + "?resourceVersion=0", Header: http.Header{"Accept": {accept}}})
				}
			}
		}
		q := tenantRequest(random, namespaces, token.Load().(string))
		began := time.Now()
		a := callers[me].ask(q)
		if a.Err != nil {
			return fmt.Sprintf("%s as %s: %v", q, me.namespace, a.Err)
		}
		if at := bytes.Index(a.Body, []byte(`"continue":"`)); at >= 0 {
			text, _, _ := bytes.Cut(a.Body[at+len(`"continue":"`):], []byte(`"`))
			if len(text) > 0 {
				token.Store(string(text))
			}
		}
		tells := func(marker string) bool {
			return bytes.Contains(a.Body, []byte(marker)) || strings.Contains(fmt.Sprint(a.Header), marker)
		}
		if tells(me.marker) {
			own.Add(1)
		}
		if a.Status == http.StatusForbidden {
			foreign.Add(1)
		}
		leak := func(whose *tenant) string {
			return fmt.Sprintf("LEAK, seed %d, read %d: %s sees what is %s's\n%s\n%.400q", seed, i, me.namespace, whose.namespace, q, a.Body)
		}
		if tells(other.marker) {
			return leak(other)
		}
		if tells(shared.marker) {
			granted.Add(1)
			if me == y || !rights.during(began.Add(-verdictsLast)) {
				return leak(shared)
			}
		} else if me == x && !rights.during(began.Add(-verdictsLast)) && strings.Contains(q.Path, shared.namespace+"/") {
			refusedLate.Add(1)
		}
		return ""
	})
	close(stop)
	flipping.Wait()
	for _, problem := range problems {
		if problem != "" {
			t.Error(problem)
		}
	}
	t.Logf("seed %d: %d reads: %d told the reader's own marker, %d were forbidden, %d told what was shared at the time, %d came after that right had ended",
		seed, count, own.Load(), foreign.Load(), granted.Load(), refusedLate.Load())
	if own.Load() < int64(count)/10 || foreign.Load() < int64(count)/10 || granted.Load() == 0 || refusedLate.Load() == 0 {
		t.Error("the reads prove little")
	}

	secrets, err := clusterSecrets()
	must(t, err)
	for _, who := range []*tenant{x, y, shared} {
		secrets[who.namespace+"'s token"] = who.user.Token
		_, signature, _ := strings.Cut(who.user.Token[strings.IndexByte(who.user.Token, '.')+1:], ".")
		secrets[who.namespace+"'s token's signature"] = signature
		secrets[who.namespace+"'s marker"] = who.marker
	}
	text, err := whatWeirTells(w)
	must(t, err)
	if !bytes.Contains(text, []byte("HTTP")) || !bytes.Contains(text, []byte("tenant-x")) {
		t.Error("the log is not at the verbosity that this test needs")
	}
	for _, found := range secrets.in(text) {
		t.Error("Weir's log or metrics tell a secret: ", found)
	}
}
