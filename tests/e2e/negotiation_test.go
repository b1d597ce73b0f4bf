package e2e

import (
	"fmt"
	"math/rand"
	"net/http"
	"strings"
)

// errorRows are errors of every kind that Weir makes itself, in every form that they can be asked for.
func errorRows() []row {
	forms := []struct{ name, accept, agent, pretty string }{
		{name: "JSON", accept: "application/json"},
		{name: "indented by Accept", accept: "application/json;pretty=1"},
		{name: "indented by the query", accept: "application/json", pretty: "pretty=true"},
		{name: "indented for curl", agent: "curl/8.0"},
		{name: "curl that wants protobuf", accept: protobuf, agent: "curl/8.0"},
		{name: "YAML", accept: "application/yaml"},
		{name: "protobuf", accept: protobuf},
		{name: "protobuf or JSON", accept: protobuf + ",application/json"},
		{name: "nothing acceptable", accept: "text/html"},
		{name: "a wildcard", accept: "application/*"},
		{name: "only a conversion", accept: partialOne},
		{name: "a conversion or JSON", accept: partialList + ",application/json"},
		{name: "a version that errors do not have", accept: "application/json;sv=v1"},
		{name: "the form of a stream", accept: protobuf + ";stream=watch"},
	}
	errors := []struct{ name, user, path string }{
		{"401", "bad-token", "/api/v1/configmaps?resourceVersion=0"},
		{"401 of a watch", "bad-token", "/api/v1/configmaps?watch=1&resourceVersion=0"},
		{"401 of what is forwarded", "bad-token", "/api/v1/namespaces/a/configmaps/cm-0"},
		{"403 of a list", "bob", "/api/v1/configmaps?resourceVersion=0"},
		{"403 of a group", "bob", "/apis/apps/v1/namespaces/team-a/deployments?resourceVersion=0"},
		{"403 of an object", "bob", "/api/v1/namespaces/team-a/configmaps/other?resourceVersion=0"},
		{"403 of a custom object", "alice", "/apis/stable.example.com/v1/namespaces/a/crontabs/tab-0?resourceVersion=0"},
		{"403 of a watch", "bob", "/api/v1/pods?watch=1&resourceVersion=0"},
		{"404", "admin", "/api/v1/namespaces/a/configmaps/nope?resourceVersion=0"},
		{"404 of a name like a number", "admin", "/api/v1/namespaces/a/configmaps/1e3?resourceVersion=0"},
		{"404 of a custom object", "admin", "/apis/stable.example.com/v1/namespaces/a/crontabs/nope?resourceVersion=0"},
		{"410 of a list", "admin", "/api/v1/configmaps?resourceVersion={gone}&resourceVersionMatch=Exact"},
		{"504 of the request's own time", "admin", "/api/v1/configmaps?" + noTime},
	}
	var rows []row
	for _, form := range forms {
		header := http.Header{}
		if form.accept != "" {
			header.Set("Accept", form.accept)
		}
		if form.agent != "" {
			header.Set("User-Agent", form.agent)
		}
		for _, e := range errors {
			path := e.path
			if form.pretty != "" {
				path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + form.pretty
			}
			rows = append(rows, row{name: e.name + ", " + form.name, user: e.user, request: request{Path: path, Header: header}})
		}
	}
	for _, accept := range []string{"application/yaml", "application/json;pretty=1"} {
		rows = append(rows, row{name: "504 of a future revision " + accept, request: request{
			Path: "/api/v1/namespaces/a/configmaps/cm-0?resourceVersion={future}", Header: http.Header{"Accept": {accept}},
		}})
	}
	return rows
}

// randomAcceptRows are Accept headers of random clauses, from a fixed seed: odd weights, parameters and spaces among them.
func randomAcceptRows() []row {
	random := rand.New(rand.NewSource(37))
	paths := []string{
		"/api/v1/namespaces/a/configmaps/cm-0?resourceVersion=0",
		"/api/v1/namespaces/a/configmaps?resourceVersion={now}&resourceVersionMatch=Exact",
		"/api/v1/configmaps?watch=1&resourceVersion=1",
		"/apis/stable.example.com/v1/namespaces/a/crontabs/tab-0?resourceVersion=0",
		"/apis/stable.example.com/v1/namespaces/a/crontabs?resourceVersion={now}&resourceVersionMatch=Exact",
		"/api/v1/namespaces/a/configmaps/nope?resourceVersion=0",
	}
	var rows []row
	for range 60 {
		accept := randomAccept(random)
		for _, path := range paths {
			rows = append(rows, row{
				name:    fmt.Sprintf("Accept %q %s", accept, path),
				request: request{Path: path, Header: http.Header{"Accept": {accept}}},
			})
		}
	}
	return rows
}

func randomAccept(random *rand.Rand) string {
	types := []string{
		"application/json", "application/json", "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf",
		"application/yaml", "*/*", "application/*", "*", "text/html", "*/json", "application /json", "Application/JSON", "a/b/c", "*/", "/", "",
	}
	parameters := []string{
		"q=0.5", "q=1", "q=0", "q=0.9", "q=.5", "q=-1", "q=1e-1", "q=x", "q= 0.5", "q=0.5=", "q", "q=", "q=inf", "Q=0.1",
		"as=PartialObjectMetadata;g=meta.k8s.io;v=v1", "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "as=Table;g=meta.k8s.io;v=v1",
		"as=PartialObjectMetadataList;g=meta.k8s.io;v=v1beta1", "as=Table", "g=meta.k8s.io", "v= ", "as=",
		"stream=watch", "stream=other", "stream= ", "sv=v1", "sv=v2", "pretty=1", "pretty=0", "charset=utf-8", "a=b=c", "foo=bar",
	}
	var clauses []string
	for range 1 + random.Intn(4) {
		clause := types[random.Intn(len(types))]
		for range random.Intn(3) {
			clause += []string{";", "; ", " ;", ";;"}[random.Intn(4)] + parameters[random.Intn(len(parameters))]
		}
		clauses = append(clauses, clause)
	}
	return strings.TrimSpace(strings.Join(clauses, []string{",", ", "}[random.Intn(2)]))
}
