package e2e

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// TestBehindAFrontProxy: who a front proxy speaks for by its headers is who the API server would take them for, for what
// Weir answers itself and for what it forwards; anybody else's headers say nothing. Users take turns on one connection.
func TestBehindAFrontProxy(t *testing.T) {
	needsWeir(t)
	w := startWeir(t, oracle.WeirOptions{Name: "weir-behind", Args: []string{
		"--requestheader-client-ca-file", cluster.ProxyCA.CertFile, "--requestheader-allowed-names", "front-proxy-client",
	}})
	other, err := cluster.ProxyCA.Client("front-proxy-other", oracle.ClientCertificate{Name: "front-proxy-other"})
	must(t, err)
	carol, err := cluster.CertUser("carol-behind")
	must(t, err)
	namesake, err := cluster.CertUser("front-proxy-client")
	must(t, err)
	// People whose certificate comes with the headers.
	people := map[string]oracle.User{
		"the front proxy":            {Name: "front-proxy-client", Cert: cluster.FrontProxy},
		"one that is not allowed":    {Name: "front-proxy-other", Cert: other},
		"a user":                     carol,
		"a user of the proxy's name": namesake,
		"a token":                    cluster.TokenUser("carol"),
		"nobody":                     {Name: "nobody"},
	}
	headers := map[string]http.Header{
		"none":             {},
		"alice":            {"X-Remote-User": {"alice"}},
		"alice in a group": {"X-Remote-User": {"alice"}, "X-Remote-Group": {"dev,ops", "", "system:authenticated"}},
		"bob":              {"X-Remote-User": {"bob"}, "X-Remote-Group": {"dev"}},
		"a master":         {"X-Remote-User": {"root"}, "X-Remote-Group": {"system:masters"}},
		"extra": {"X-Remote-User": {"alice"}, "X-Remote-Extra-Scopes": {"a", "b"}, "X-Remote-Extra-Example.com%2fKey": {"c"},
			"X-Remote-Extra-Bad%Zz": {"d"}, "X-Remote-Uid": {"u-1"}},
		"an empty name":       {"X-Remote-User": {""}, "X-Remote-Group": {"system:masters"}},
		"a second name":       {"X-Remote-User": {"", "root"}},
		"groups alone":        {"X-Remote-Group": {"system:masters"}},
		"the anonymous user":  {"X-Remote-User": {"system:anonymous"}, "X-Remote-Group": {"system:unauthenticated"}},
		"anonymous, no group": {"X-Remote-User": {"system:anonymous"}},
		"a key in capitals":   {"X-Remote-User": {"alice"}, "X-Remote-Extra-%41bc": {"v"}},
		"unauthenticated":     {"X-Remote-User": {"alice"}, "X-Remote-Group": {"system:unauthenticated"}},
		"a token beside":      {"X-Remote-User": {"alice"}, "Authorization": {"Bearer admin-token"}},
		"a token alone":       {"Authorization": {"Bearer alice-token"}},
		"a bad token beside":  {"X-Remote-User": {"alice"}, "Authorization": {"Bearer nonsense"}},
		"a master as bob":     {"X-Remote-User": {"root"}, "X-Remote-Group": {"system:masters"}, "Impersonate-User": {"bob"}},
		"alice as root":       {"X-Remote-User": {"alice"}, "Impersonate-User": {"root"}, "Impersonate-Group": {"system:masters"}},
	}
	questions := []request{
		{Path: "/api/v1/namespaces/team-a/configmaps?resourceVersion=0"},
		{Path: "/api/v1/namespaces/team-b/configmaps?resourceVersion=0"},
		{Path: "/api/v1/namespaces/team-a/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1"},
		{Path: "/api/v1/namespaces/team-a/configmaps/only-this"},
		{
			Method: "POST", Path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
			Body: `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`,
		},
	}
	// So that both have the current revision.
	newCaller(t, cluster.URL(), cluster.Admin, true).ask(request{Path: "/api/v1/configmaps"})
	newCaller(t, w.URL, cluster.Admin, true).ask(request{Path: "/api/v1/configmaps"})
	served := map[int]int{}
	for _, who := range sortedKeys(people) {
		for _, useHTTP2 := range []bool{true, false} {
			direct, through := newCaller(t, cluster.URL(), people[who], useHTTP2), newCaller(t, w.URL, people[who], useHTTP2)
			for _, what := range sortedKeys(headers) {
				for _, q := range questions {
					q.Header = headers[what].Clone()
					if q.Method == "POST" {
						q.Header.Set("Content-Type", "application/json")
					}
					up, down := direct.ask(q), through.ask(q)
					served[up.Status]++
					if bytes.Contains(down.Body, []byte(marker)) && !bytes.Contains(up.Body, []byte(marker)) {
						t.Errorf("LEAK: %s, %s: %s", who, what, q.Path)
					}
					if d := difference(q, up, down); d != "" {
						t.Errorf("%s, %s (HTTP/2: %v): %s", who, what, useHTTP2, d)
					}
				}
			}
		}
	}
	if served[http.StatusOK] == 0 || served[http.StatusForbidden] == 0 || served[http.StatusUnauthorized] == 0 {
		t.Errorf("the questions prove nothing: %v", served)
	}
}

// TestAFrontProxysNamesCountToTheLastByte: Go's HTTP/2 trims no value, so a group with a blank behind it is another group.
// Weir reads it so too; it cannot forward it, since HTTP/1.1 would trim it.
func TestAFrontProxysNamesCountToTheLastByte(t *testing.T) {
	needsWeir(t)
	w := startWeir(t, oracle.WeirOptions{Args: []string{"--requestheader-client-ca-file", cluster.ProxyCA.CertFile}})
	proxy := oracle.User{Name: "front-proxy-client", Cert: cluster.FrontProxy}
	direct, through := newCaller(t, cluster.URL(), proxy, true), newCaller(t, w.URL, proxy, true)
	read := request{Path: "/api/v1/namespaces/team-a/configmaps?resourceVersion=0"}
	for name, header := range map[string]http.Header{
		"a group":  {"X-Remote-User": {"mallory"}, "X-Remote-Group": {"system:masters "}},
		"a user":   {"X-Remote-User": {" alice"}},
		"a blank":  {"X-Remote-User": {" "}},
		"no blank": {"X-Remote-User": {"alice"}},
	} {
		q := read
		q.Header = header
		up, down := direct.ask(q), through.ask(q)
		if d := difference(q, up, down); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[name == "no blank"]; up.Status != want {
			t.Errorf("%s: the API server answers %d", name, up.Status)
		}
		q.Path = "/api/v1/namespaces/team-a/configmaps/only-this"
		if a := through.ask(q); name != "no blank" && a.Status != http.StatusBadRequest {
			t.Errorf("%s is forwarded: %d %s", name, a.Status, a.Body)
		}
	}
}

// TestHeadersThatOnlyTheAPIServerNames: an API server that believes a front proxy's headers of other names says so in a
// ConfigMap. Weir speaks to it as a front proxy, and keeps a client's headers of these names back unasked.
func TestHeadersThatOnlyTheAPIServerNames(t *testing.T) {
	needsWeir(t)
	replica, err := cluster.StartReplica("--requestheader-group-headers", "X-Corp-Group", "--requestheader-extra-headers-prefix", "X-Corp-Extra-")
	must(t, err)
	t.Cleanup(cluster.StopReplica)
	mallory, err := cluster.CertUser("mallory")
	must(t, err)
	forged := request{Path: "/api/v1/namespaces/team-a/configmaps/only-this", Header: http.Header{
		"X-Corp-Group": {"system:masters"}, "X-Corp-Extra-A": {"b"},
	}}
	believed := forged
	believed.Header = forged.Header.Clone()
	believed.Header.Set("X-Remote-User", "mallory")
	proxy := newCaller(t, replica, oracle.User{Name: "front-proxy-client", Cert: cluster.FrontProxy}, true)
	if a := proxy.ask(believed); a.Status != http.StatusOK {
		t.Fatalf("the API server does not believe its front proxy: %d %s", a.Status, a.Body)
	}
	// The ConfigMap is written some time after the API server is ready.
	for range 60 {
		m, err := admin.CoreV1().ConfigMaps("kube-system").Get(context.Background(), "extension-apiserver-authentication", metav1.GetOptions{})
		if err == nil && strings.Contains(m.Data["requestheader-group-headers"], "X-Corp-Group") {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	w := startWeir(t, oracle.WeirOptions{Name: "weir-corp", Upstream: replica})
	for _, http2 := range []bool{false, true} {
		c := newCaller(t, w.URL, mallory, http2)
		if a := c.ask(forged); a.Status != http.StatusForbidden {
			t.Errorf("HTTP/2 %t: mallory became a master: %d %s", http2, a.Status, a.Body)
		}
		who := request{Method: "POST", Path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", Header: forged.Header.Clone(),
			Body: `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`}
		who.Header.Set("Content-Type", "application/json")
		if a := c.ask(who); a.Status != http.StatusCreated || bytes.Contains(a.Body, []byte(`"extra":{"a"`)) || bytes.Contains(a.Body, []byte("masters")) {
			t.Errorf("HTTP/2 %t: mallory is %d %s", http2, a.Status, a.Body)
		}
	}
}
