package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// Paths whose answers hold the marker for whoever may read them.
var markedPaths = []string{
	"/api/v1/configmaps?resourceVersion=0", "/api/v1/configmaps", "/api/v1/configmaps?limit=500",
	"/api/v1/namespaces/team-a/configmaps?resourceVersion=0", "/api/v1/namespaces/team-a/configmaps",
	"/api/v1/namespaces/team-b/configmaps?resourceVersion=0",
	"/api/v1/configmaps?fieldSelector=metadata.namespace%3Dteam-b&resourceVersion=0",
	"/api/v1/configmaps?labelSelector=team%3Dteam-b&resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps/other?resourceVersion=0", "/api/v1/namespaces/team-a/configmaps/other",
	"/api/v1/namespaces/team-a/configmaps/only-this?resourceVersion=0",
	"/api/v1/namespaces/team-b/configmaps/only-this?resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps?fieldSelector=metadata.name%3Donly-this&resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps?fieldSelector=metadata.name%3Dother&resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps?fieldSelector=metadata.name!%3Dx&resourceVersion=0",
	"/api/v1/configmaps?fieldSelector=metadata.name%3Donly-this&resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1",
	"/api/v1/namespaces/team-a/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1&fieldSelector=metadata.name%3Donly-this",
	"/api/v1/namespaces/team-a/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1&fieldSelector=metadata.name%3Dother",
	"/api/v1/namespaces/team-b/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1",
	"/api/v1/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1",
	"/api/v1/watch/namespaces/team-a/configmaps?resourceVersion=0&timeoutSeconds=1",
	"/api/v1/watch/namespaces/team-a/configmaps/only-this?resourceVersion=0&timeoutSeconds=1",
	"/api/v1/namespaces/team-a/pods?resourceVersion=0", "/api/v1/pods?resourceVersion=0", "/api/v1/pods",
	"/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&resourceVersion=0", "/api/v1/namespaces/team-b/pods/pod?resourceVersion=0",
	"/api/v1/pods?watch=1&resourceVersion=0&timeoutSeconds=1", "/api/v1/namespaces/team-b/pods?watch=1&resourceVersion=0&timeoutSeconds=1",
	// Ways around the path that was authorised.
	"/api/v1/namespaces/team-a/../team-b/configmaps?resourceVersion=0", "/api/v1/namespaces/team-a%2F..%2Fteam-b/configmaps?resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps/..%2F..%2Fteam-b%2Fconfigmaps?resourceVersion=0", "/api/v1/namespaces//configmaps?resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps/?resourceVersion=0", "/api/v1/namespaces/TEAM-A/configmaps?resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps?resourceVersion=0&namespace=team-b", "/api/v1/namespaces/team-a/configmaps?continue=" + continueToken("-1", "../team-b/a"),
	"/api/v1/namespaces/team-a/configmaps?fieldSelector=metadata.name%3Donly-this&fieldSelector=metadata.name%3Dother&resourceVersion=0",
	"/api/v1/namespaces/team-a/configmaps?fieldSelector=metadata.name%3Donly-this,metadata.name%3Dother&resourceVersion=0",
}

// strangers are all who may see little or nothing; the marker must reach them exactly where the API server shows it.
func strangers(t *testing.T) map[string]oracle.User {
	t.Helper()
	users := people(t)
	delete(users, "admin")
	delete(users, "admin-cert")
	issue := func(name string, c oracle.ClientCertificate) {
		pair, err := cluster.ClientCA.Client("odd-"+name, c)
		must(t, err)
		users[name] = oracle.User{Name: name, Cert: pair}
	}
	masters := []string{"system:masters"}
	hour := time.Hour
	issue("expired-cert", oracle.ClientCertificate{Name: "admin", Groups: masters, NotBefore: time.Now().Add(-2 * hour), NotAfter: time.Now().Add(-hour)})
	issue("early-cert", oracle.ClientCertificate{Name: "admin", Groups: masters, NotBefore: time.Now().Add(hour), NotAfter: time.Now().Add(2 * hour)})
	issue("nameless-cert", oracle.ClientCertificate{Groups: masters})
	issue("anonymous-by-name-cert", oracle.ClientCertificate{Name: "system:anonymous"})
	issue("alice-in-a-group-cert", oracle.ClientCertificate{Name: "alice", Groups: []string{"system:unauthenticated"}})
	foreign := users["foreign-cert"]
	// A bad certificate does not spoil a good token, and a bad token does not spoil a good certificate.
	users["foreign-cert-alice-token"] = oracle.User{Name: "alice", Token: "alice-token", Cert: foreign.Cert}
	users["alice-cert-bad-token"] = oracle.User{Name: "alice", Token: "nonsense", Cert: users["alice-cert"].Cert}
	users["alice-cert-bob-token"] = oracle.User{Name: "alice", Token: "bob-token", Cert: users["alice-cert"].Cert}
	users["front-proxy-cert"] = oracle.User{Name: "front-proxy", Cert: cluster.FrontProxy}
	users["service-account"], users["foreign-audience"] = serviceAccount(t)
	users["mangled-token"] = oracle.User{Name: "mangled", Token: users["service-account"].Token + "x"}
	users["token-with-tail"] = oracle.User{Name: "tail", Token: "alice-token\ttail"}
	return users
}

// serviceAccount is one that may read the configmaps of team-a, and a token of it that is not meant for the API server.
func serviceAccount(t *testing.T) (reader, foreign oracle.User) {
	t.Helper()
	ctx := context.Background()
	name := "reader-" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
	_, err := admin.CoreV1().ServiceAccounts("team-a").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, err)
	_, err = admin.RbacV1().RoleBindings("team-a").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "team-a", Name: name}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "alice"},
	}, metav1.CreateOptions{})
	must(t, err)
	token := func(audiences ...string) oracle.User {
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
		answer, err := admin.CoreV1().ServiceAccounts("team-a").CreateToken(ctx, name, request, metav1.CreateOptions{})
		must(t, err)
		return oracle.User{Name: name, Token: answer.Status.Token}
	}
	return token(), token("https://somebody.else")
}

// TestNobodySeesWhatTheAPIServerHides asks as each stranger: of a cold Weir, and again after the administrator has
// filled its caches. Status, headers and body are the API server's, and so is whether the marker is in it.
func TestNobodySeesWhatTheAPIServerHides(t *testing.T) {
	users := strangers(t)
	server := weir
	if !selfCheck {
		server = startWeir(t, oracle.WeirOptions{})
	}
	names := sortedKeys(users)
	// The API server's own caches reach the current revision, so that all later answers have the same one.
	direct := newCaller(t, cluster.URL(), cluster.Admin, true)
	for _, path := range []string{"/api/v1/configmaps", "/api/v1/pods"} {
		direct.ask(request{Path: path})
	}
	type question struct{ user, path string }
	var questions []question
	for _, name := range names {
		for _, path := range markedPaths {
			questions = append(questions, question{name, path})
		}
	}
	for _, temperature := range []string{"cold", "warm"} {
		t.Run(temperature, func(t *testing.T) {
			if temperature == "warm" {
				warm := newCaller(t, server.URL, cluster.Admin, true)
				for _, path := range markedPaths {
					if strings.Contains(path, "..") {
						continue
					}
					if a := warm.ask(request{Path: path}); a.Err != nil || a.Status >= 500 {
						t.Errorf("admin: %s: %d %v", path, a.Status, a.Err)
					}
				}
			}
			callers := map[string][2]*caller{}
			for _, name := range names {
				callers[name] = [2]*caller{newCaller(t, cluster.URL(), users[name], true), newCaller(t, server.URL, users[name], true)}
			}
			seen := make([]bool, len(questions))
			problems := inParallel(8, len(questions), func(i int) string {
				q := request{Path: questions[i].path}
				pair := callers[questions[i].user]
				up, down := pair[0].ask(q), pair[1].ask(q)
				seen[i] = bytes.Contains(up.Body, []byte(marker))
				if bytes.Contains(down.Body, []byte(marker)) && !seen[i] {
					return fmt.Sprintf("LEAK: %s sees\n%.400s", questions[i].user, down.Body)
				}
				return difference(q, up, down)
			})
			count := 0
			for i, q := range questions {
				if seen[i] {
					count++
				}
				if problems[i] != "" {
					t.Errorf("%s as %s: %s", q.path, q.user, problems[i])
				}
			}
			t.Logf("%d questions, %d of them by someone who may see the marker", len(questions), count)
			if count == 0 || count == len(questions) {
				t.Error("the questions prove nothing")
			}
		})
	}
}

// TestOneConnectionManyUsers: the identity belongs to the request. Users take turns on one HTTP/2 connection.
func TestOneConnectionManyUsers(t *testing.T) {
	down := newCaller(t, weir.URL, oracle.User{Name: "nobody"}, true)
	// Anonymous requests end the connection (auth-and-forwarding A.1), so there are none here.
	want := map[string]int{"alice-token": http.StatusOK, "bob-token": http.StatusForbidden, "admin-token": http.StatusOK, "carol-token": http.StatusForbidden}
	tokens := sortedKeys(want)
	problems := inParallel(4, 200, func(i int) string {
		token := tokens[i%len(tokens)]
		a := down.ask(request{
			Path:   "/api/v1/namespaces/team-a/configmaps?resourceVersion=0",
			Header: http.Header{"Authorization": {"Bearer " + token}},
		})
		if a.Status != want[token] || bytes.Contains(a.Body, []byte(marker)) != (a.Status == http.StatusOK) {
			return fmt.Sprintf("%s: %d %.200s %v", token, a.Status, a.Body, a.Err)
		}
		return ""
	})
	for _, problem := range problems {
		if problem != "" {
			t.Error(problem)
		}
	}
}

// TestRevokedRightsEnd: once a binding is gone and the verdicts have aged, the cache is closed to the user.
func TestRevokedRightsEnd(t *testing.T) {
	ctx := context.Background()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "for-a-while"},
		Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "bob"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "alice"},
	}
	down := newCaller(t, weir.URL, cluster.TokenUser("bob"), true)
	path := request{Path: "/api/v1/namespaces/team-a/configmaps?resourceVersion=0"}
	until := func(status int, limit time.Duration) {
		t.Helper()
		start := time.Now()
		for a := down.ask(path); a.Status != status; a = down.ask(path) {
			if time.Since(start) > limit {
				t.Fatalf("after %s still %d", limit, a.Status)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	until(http.StatusForbidden, time.Second)
	_, err := admin.RbacV1().RoleBindings("team-a").Create(ctx, binding, metav1.CreateOptions{})
	must(t, err)
	until(http.StatusOK, 12*time.Second)
	must(t, admin.RbacV1().RoleBindings("team-a").Delete(ctx, binding.Name, metav1.DeleteOptions{}))
	until(http.StatusForbidden, 12*time.Second)
}

// TestCertificateUsersWithoutAFrontProxy: Weir cannot say upstream who they are, so what it cannot answer itself is
// refused, with words that help; tokens go on.
func TestCertificateUsersWithoutAFrontProxy(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{NoFrontProxy: true})
	cert, err := cluster.CertUser("admin", "system:masters")
	must(t, err)
	byCert, byToken := newCaller(t, w.URL, cert, true), newCaller(t, w.URL, cluster.Admin, true)
	if a := byCert.ask(request{Path: "/api/v1/namespaces/a/configmaps?resourceVersion=0"}); a.Status != http.StatusOK {
		t.Errorf("a cached read: %d %s %v", a.Status, a.Body, a.Err)
	}
	a := byCert.ask(request{Method: "DELETE", Path: "/api/v1/namespaces/a/configmaps/nope"})
	if a.Status != http.StatusNotImplemented || !bytes.Contains(a.Body, []byte("--proxy-client-cert-file")) || !bytes.Contains(a.Body, []byte(`"reason":"NotImplemented"`)) {
		t.Errorf("a write: %d %s %v", a.Status, a.Body, a.Err)
	}
	if a := byToken.ask(request{Method: "DELETE", Path: "/api/v1/namespaces/a/configmaps/nope"}); a.Status != http.StatusNotFound {
		t.Errorf("a write by token: %d %s %v", a.Status, a.Body, a.Err)
	}
}

// TestCertificateUsersByImpersonation: without a front-proxy certificate Weir's own credential speaks for certificate
// users, who are to upstream who they are without Weir.
func TestCertificateUsersByImpersonation(t *testing.T) {
	admin, err := cluster.Client()
	must(t, err)
	ctx := context.Background()
	may := []string{"impersonate"}
	_, err = admin.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "weir-impersonator"},
		Rules: []rbacv1.PolicyRule{
			{Verbs: may, APIGroups: []string{""}, Resources: []string{"users", "groups", "serviceaccounts"}},
			{Verbs: may, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"uids", "userextras/authentication.kubernetes.io/credential-id"}},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = admin.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "weir-impersonator"},
		Subjects:   []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: oracle.WeirGroup}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "weir-impersonator"},
	}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		must(t, admin.RbacV1().ClusterRoleBindings().Delete(ctx, "weir-impersonator", metav1.DeleteOptions{}))
		must(t, admin.RbacV1().ClusterRoles().Delete(ctx, "weir-impersonator", metav1.DeleteOptions{}))
	})

	w := startWeir(t, oracle.WeirOptions{NoFrontProxy: true, Args: []string{"--forward-impersonate"}})
	whoAmI := request{
		Method: "POST", Path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`,
	}
	who := func(a answer) string {
		var review struct {
			Status struct{ UserInfo json.RawMessage }
		}
		must(t, json.Unmarshal(a.Body, &review))
		return string(review.Status.UserInfo)
	}
	for name, groups := range map[string][]string{
		"grace": {"dev", "ops team"}, "system:serviceaccount:team-a:builder": nil, "system:node:n1": {"system:nodes"}, "Zoë / 100%": {"ä"},
	} {
		user, err := cluster.CertUser(name, groups...)
		must(t, err)
		direct, through := newCaller(t, cluster.URL(), user, true).ask(whoAmI), newCaller(t, w.URL, user, true).ask(whoAmI)
		if direct.Status != http.StatusCreated || through.Status != http.StatusCreated || who(direct) != who(through) {
			t.Errorf("%s: directly %d %s, through Weir %d %s", name, direct.Status, direct.Body, through.Status, through.Body)
		}
	}

	grace, err := cluster.CertUser("grace", "dev")
	must(t, err)
	byCert := newCaller(t, w.URL, grace, true)
	if a := byCert.ask(request{Method: "DELETE", Path: "/api/v1/namespaces/a/configmaps/nope"}); a.Status != http.StatusForbidden || !bytes.Contains(a.Body, []byte(`User \"grace\" cannot delete`)) {
		t.Errorf("what grace may not: %d %s %v", a.Status, a.Body, a.Err)
	}
	asRoot := whoAmI
	asRoot.Header = http.Header{"Content-Type": {"application/json"}, "Impersonate-User": {"root"}}
	if a := byCert.ask(asRoot); a.Status != http.StatusForbidden || !bytes.Contains(a.Body, []byte("cannot impersonate others")) {
		t.Errorf("impersonation by who is impersonated: %d %s %v", a.Status, a.Body, a.Err)
	}
	forged := whoAmI
	forged.Header = http.Header{"Content-Type": {"application/json"}, "X-Remote-User": {"root"}, "X-Remote-Group": {"system:masters"}, "Authorization": {"Bearer admin-token"}}
	if a := byCert.ask(forged); a.Status != http.StatusCreated || !bytes.Contains(a.Body, []byte(`"username":"grace"`)) || bytes.Contains(a.Body, []byte("masters")) {
		t.Errorf("forged headers: %d %s %v", a.Status, a.Body, a.Err)
	}
	master, err := cluster.CertUser("henry", "system:masters")
	must(t, err)
	if a := newCaller(t, w.URL, master, true).ask(whoAmI); a.Status != http.StatusNotImplemented || !bytes.Contains(a.Body, []byte("--forward-impersonate-masters")) {
		t.Errorf("a master: %d %s %v", a.Status, a.Body, a.Err)
	}
	if a := newCaller(t, w.URL, cluster.TokenUser("alice"), true).ask(whoAmI); a.Status != http.StatusCreated || !bytes.Contains(a.Body, []byte(`"username":"alice"`)) {
		t.Errorf("a token: %d %s %v", a.Status, a.Body, a.Err)
	}
}
