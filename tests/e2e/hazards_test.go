package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir.dev/e2e/oracle"
)

// TestAForbiddenNameTellsNotWhetherItExists: who may not read a thing cannot tell whether it is there, from a cold cache
// or a warm one.
func TestAForbiddenNameTellsNotWhetherItExists(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{})
	bob := newCaller(t, w.URL, cluster.TokenUser("bob"), true)
	for _, temperature := range []string{"cold", "warm"} {
		if temperature == "warm" {
			newCaller(t, w.URL, cluster.Admin, true).ask(request{Path: "/api/v1/configmaps?resourceVersion=0"})
		}
		for _, query := range []string{"", "?resourceVersion=0", "?resourceVersion=1"} {
			var answers [2]answer
			for i, name := range []string{"only-this", "not-there"} {
				answers[i] = bob.ask(request{Path: "/api/v1/namespaces/team-a/configmaps/" + name + query})
				answers[i].Body = bytes.ReplaceAll(answers[i].Body, []byte(name), []byte("NAME"))
			}
			if answers[0].Status != http.StatusForbidden || answers[1].Status != http.StatusForbidden || !bytes.Equal(answers[0].Body, answers[1].Body) {
				t.Errorf("%s%s: %d %s\nand %d %s", temperature, query, answers[0].Status, answers[0].Body, answers[1].Status, answers[1].Body)
			}
		}
	}
}

// TestNothingButACredentialSaysWhoAsks: no header that names a user, a proxy or a client makes anybody more than
// anonymous, on a path that the cache answers or one that is forwarded.
func TestNothingButACredentialSaysWhoAsks(t *testing.T) {
	needsWeir(t)
	headers := map[string]string{
		"User-Agent": "weir/0.1 (system:masters)", "X-Remote-User": "admin", "X-Remote-Group": "system:masters", "X-Remote-Extra-Scopes": "all",
		"X-Forwarded-User": "admin", "X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-Ip": "127.0.0.1",
		"X-Forwarded-Client-Cert": "Subject=\"CN=admin,O=system:masters\"", "X-Ssl-Client-S-Dn": "CN=admin,O=system:masters", "Client-Cert": ":MIIB:",
		"X-Forwarded-Email": "admin", "Remote-User": "admin", "X-Weir": "1", "Audit-ID": "admin", "Proxy-Authorization": "Bearer admin-token",
		"Cookie": "token=admin-token", "X-Auth-Token": "admin-token", "Authentication": "Bearer admin-token", "X-Original-Url": "/livez",
	}
	nobody := oracle.User{Name: "nobody"}
	for _, path := range []string{"/api/v1/configmaps?resourceVersion=0", "/api/v1/namespaces/team-a/configmaps/only-this?resourceVersion=0", "/api/v1/namespaces/team-a/secrets", "/api"} {
		// Anonymous requests end a connection of HTTP/2: each has its own.
		up := newCaller(t, cluster.URL(), nobody, false).ask(request{Path: path})
		for name, value := range headers {
			a := newCaller(t, weir.URL, nobody, false).ask(request{Path: path, Header: http.Header{name: {value}}})
			if a.Status != up.Status || bytes.Contains(a.Body, []byte(marker)) || a.Status == http.StatusOK {
				t.Errorf("%s with %s: %s: %d %.200s, the API server without it: %d", path, name, value, a.Status, a.Body, up.Status)
			}
		}
	}
}

// TestWeirsOwnRightsServeNobodyElse: whatever is asked and by whom, the API server sees Weir's own user only in what Weir
// asks for itself: feeds, probes, discovery and reviews.
func TestWeirsOwnRightsServeNobodyElse(t *testing.T) {
	identity, err := cluster.CertUser("weir-deputy", oracle.WeirGroup)
	must(t, err)
	w := startWeir(t, oracle.WeirOptions{Identity: identity})
	mark, err := cluster.AuditMark()
	must(t, err)
	users := people(t)
	paths := []string{
		"/api/v1/configmaps?resourceVersion=0", "/api/v1/namespaces/team-a/secrets?", "/api/v1/namespaces/team-a/secrets/x?", "/api/v1/nodes/n1/proxy/?",
		"/api/v1/namespaces/team-a%2Fconfigmaps?", "//api/v1/configmaps?", "/api/v1/namespaces/team-a/pods/pod/log?", "/apis/apps/v1/deployments?fieldSelector=a%3Db&",
		"/api/v1/configmaps?limit=1&", "/api/v1/configmaps?resourceVersion=1&resourceVersionMatch=Exact&limit=2&", "/metrics?", "/openapi/v2?", "/api/v1/events?",
	}
	methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
	type question struct{ user, method, path string }
	var questions []question
	for _, user := range sortedKeys(users) {
		if strings.HasPrefix(user, "admin") {
			continue // They may delete what other tests need.
		}
		for i, path := range paths {
			questions = append(questions, question{user, "GET", path}, question{user, methods[i%len(methods)], path})
		}
	}
	inParallel(8, len(questions), func(i int) string {
		q := questions[i]
		c := newCaller(t, w.URL, users[q.user], false)
		c.ask(request{Method: q.method, Path: q.path + "&probe=weir-deputy"})
		c.ask(request{Path: q.path}) // The cache may answer this one.
		return ""
	})
	events, err := cluster.AuditSince(mark)
	must(t, err)
	own, others := 0, 0
	for _, e := range events {
		probe := strings.Contains(e.RequestURI, "probe=weir-deputy")
		switch {
		case e.User.Username != "weir-deputy":
			if probe {
				others++
			}
		case probe:
			t.Errorf("with Weir's own rights: %s %s", e.Verb, e.RequestURI)
		case e.Verb == "create" && slices.Contains([]string{"tokenreviews", "subjectaccessreviews"}, e.ObjectRef.Resource), e.Verb == "list", e.Verb == "watch", e.Verb == "get":
			own++
		default:
			t.Errorf("Weir asks for itself: %s %s", e.Verb, e.RequestURI)
		}
	}
	t.Logf("%d questions: %d forwarded in somebody's own name, %d of Weir's own", len(questions), others, own)
	if own == 0 || others < len(questions)/4 {
		t.Error("the questions prove little")
	}
}

// TestNoOtherDoorIsOpen: the process listens on its two ports and nothing else, and what the admin port serves is no
// object.
func TestNoOtherDoorIsOpen(t *testing.T) {
	w := startWeir(t, oracle.WeirOptions{})
	bystander(t, w, cluster.Admin)
	folder := fmt.Sprintf("/proc/%d/fd", w.Process.Pid())
	entries, err := os.ReadDir(folder)
	must(t, err)
	mine := map[string]bool{}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(folder, e.Name())); err == nil && strings.HasPrefix(target, "socket:[") {
			mine[strings.Trim(target[len("socket:"):], "[]")] = true
		}
	}
	doors := map[string]bool{}
	const listens = "0A"
	for _, file := range []string{"tcp", "tcp6", "udp", "udp6", "unix", "raw"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", w.Process.Pid(), file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			switch {
			case len(f) < 7:
			case strings.HasPrefix(file, "tcp") && len(f) > 9 && mine[f[9]] && f[3] == listens:
				doors[f[1]] = true
			case (strings.HasPrefix(file, "udp") || file == "raw") && len(f) > 9 && mine[f[9]], file == "unix" && mine[f[6]]:
				doors[file+" "+f[1]] = true
			}
		}
	}
	if len(doors) != 2 {
		t.Errorf("Weir listens on %v, want the proxy's and the admin port", sortedKeys(doors))
	}
	for _, path := range []string{"/", "/api", "/api/v1/configmaps", "/debug/pprof/heap", "/livez/../api/v1/pods", "/metrics/../api/v1/pods", "//livez", "/readyz/ping"} {
		if status, body, err := w.Admin(path); err == nil && strings.Contains(body, "kind") {
			t.Errorf("the admin port answers %s with %d %.100s", path, status, body)
		}
	}
}
