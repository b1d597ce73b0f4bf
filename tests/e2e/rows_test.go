package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// A row of the differential table. Its path may hold the placeholders that points.fill knows.
type row struct {
	name string
	user string // "admin" if empty; see differential_test.go.
	request
}

// noTime is the time-out of a request whose answer is a race inside the API server: if its handler began to answer before
// the filter of the time-out did, it aborts the connection (timeout.go of its filters).
const noTime = "timeout=1ns"

// points are the revisions that rows refer to.
type points struct {
	now     int64 // When all is quiet.
	earlier int64 // Before the last changes, in everybody's history.
	gone    int64 // Compacted away.
}

const future = 99_999_999

// fill replaces {now}, {earlier}, {gone}, {future} and {token:REVISION:KEY}, a continue token.
func (p points) fill(path string) string {
	path = strings.NewReplacer(
		"{now}", fmt.Sprint(p.now), "{earlier}", fmt.Sprint(p.earlier), "{gone}", fmt.Sprint(p.gone), "{future}", fmt.Sprint(future),
	).Replace(path)
	for {
		before, rest, found := strings.Cut(path, "{token:")
		if !found {
			return path
		}
		spec, after, _ := strings.Cut(rest, "}")
		rv, key, _ := strings.Cut(spec, ":")
		path = before + continueToken(rv, key) + after
	}
}

func continueToken(rv, key string) string {
	text := fmt.Sprintf(`{"v":"meta.k8s.io/v1","rv":%s,"start":"%s\u0000"}`, rv, key)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// The kinds that the generated rows go through: cached and uncached ones, namespaced and not, a custom one, one that
// answers with a warning.
var kinds = []struct {
	name, group   string // group is the path in front: "/api/v1" or "/apis/…".
	clusterScoped bool
	object        string // One that exists in namespace a.
	label, field  string
}{
	{name: "pods", group: "/api/v1", object: "pod-0", label: "app=web", field: "spec.nodeName=n1"},
	{name: "configmaps", group: "/api/v1", object: "cm-1", label: "app=nginx", field: "metadata.name=cm-1"},
	{name: "deployments", group: "/apis/apps/v1", object: "deploy-1", label: "app=deploy-1", field: "metadata.name!=deploy-1"},
	{name: "nodes", group: "/api/v1", clusterScoped: true, object: "n1", label: "zone=0", field: "spec.unschedulable=true"},
	{name: "namespaces", group: "/api/v1", clusterScoped: true, object: "a", label: "team=a", field: "status.phase=Active"},
	{name: "leases", group: "/apis/coordination.k8s.io/v1", object: "lease-1", label: "none", field: "metadata.namespace=a"},
	{name: "crontabs", group: "/apis/stable.example.com/v1", object: "tab-2", label: "app=web", field: "spec.replicas=2"},
	{name: "services", group: "/api/v1", object: "plain", label: "app", field: "spec.clusterIP=None"},
	{name: "secrets", group: "/api/v1", object: "s1", label: "!x", field: "type=example.com/s2"},
	{name: "events", group: "/api/v1", object: "event-1", label: "!x", field: "involvedObject.name=pod-1"},
	{name: "endpoints", group: "/api/v1", object: "absent", label: "app=web", field: "metadata.name=x"},
	{name: "customresourcedefinitions", group: "/apis/apiextensions.k8s.io/v1", clusterScoped: true,
		object: "crontabs.stable.example.com", label: "none", field: "metadata.name=x"},
}

// revisionRules is every way to name a revision in a LIST.
var revisionRules = []string{
	"", "resourceVersion=0", "resourceVersion=0&resourceVersionMatch=NotOlderThan", "resourceVersion={now}",
	"resourceVersion={now}&resourceVersionMatch=NotOlderThan", "resourceVersion={now}&resourceVersionMatch=Exact",
	"resourceVersion={earlier}&resourceVersionMatch=Exact", "resourceVersion=1&resourceVersionMatch=NotOlderThan",
}

func query(parts ...string) string {
	var set []string
	for _, part := range parts {
		if part != "" {
			set = append(set, part)
		}
	}
	if len(set) == 0 {
		return ""
	}
	return "?" + strings.Join(set, "&")
}

func escape(selector string) string {
	return strings.NewReplacer("=", "%3D", "!", "%21", ",", "%2C", ">", "%3E", "<", "%3C", " ", "+").Replace(selector)
}

// generatedRows is kinds × scope × revision rule × page × selector, thinned where a factor brings nothing new.
func generatedRows() []row {
	var rows []row
	add := func(path string) { rows = append(rows, row{name: path, request: request{Path: path}}) }
	for _, k := range kinds {
		all := k.group + "/" + k.name
		scoped := k.group + "/namespaces/a/" + k.name
		if k.clusterScoped {
			scoped = all
		}
		for i, rule := range revisionRules {
			add(all + query(rule))
			add(all + query(rule, "limit=2"))
			if scoped != all && i%2 == 0 {
				add(scoped + query(rule))
				add(scoped + query("limit=1", rule))
			}
		}
		for _, rule := range []string{"", "resourceVersion=0", "resourceVersion={earlier}&resourceVersionMatch=Exact"} {
			add(all + query(rule, "labelSelector="+escape(k.label)))
			add(all + query(rule, "fieldSelector="+escape(k.field)))
			add(scoped + query(rule, "labelSelector="+escape(k.label), "limit=1"))
		}
		add(scoped + query("labelSelector=none", "resourceVersion=0"))
		for _, rule := range []string{"", "resourceVersion=0", "resourceVersion={now}", "resourceVersion=1", "resourceVersion=x"} {
			add(scoped + "/" + k.object + query(rule))
		}
		add(scoped + "/absent" + query("resourceVersion=0"))
		add(scoped + "/absent")
	}
	return rows
}

// pathRows are written by hand: "what it is about: path".
const pathRows = `
limit is not a number: /api/v1/configmaps?limit=abc
limit is empty: /api/v1/configmaps?limit=
limit is too large: /api/v1/configmaps?limit=99999999999999999999
limit is negative: /api/v1/configmaps?limit=-5&resourceVersion=0
timeoutSeconds is not a number, and limit neither: /api/v1/configmaps?limit=y&timeoutSeconds=x
timeoutSeconds means nothing in a LIST: /api/v1/namespaces/a/configmaps?timeoutSeconds=5
revision is not a number: /api/v1/configmaps?resourceVersion=abc
revision is negative: /api/v1/configmaps?resourceVersion=-1
revision is beyond 64 bits: /api/v1/configmaps?resourceVersion=99999999999999999999
revision with leading zeros: /api/v1/namespaces/a/configmaps?resourceVersion=000
match without revision: /api/v1/configmaps?resourceVersionMatch=Exact
match is unknown: /api/v1/configmaps?resourceVersionMatch=foo
match Exact at 0: /api/v1/configmaps?resourceVersion=0&resourceVersionMatch=Exact
match with continue: /api/v1/configmaps?resourceVersion=5&resourceVersionMatch=Exact&continue=x
sendInitialEvents in a LIST: /api/v1/configmaps?sendInitialEvents=false
future revision, not older than: /api/v1/configmaps?resourceVersion={future}&resourceVersionMatch=NotOlderThan
future revision: /api/v1/pods?resourceVersion={future}
future revision, exact: /api/v1/pods?resourceVersion={future}&resourceVersionMatch=Exact
future revision, GET: /api/v1/namespaces/a/configmaps/cm-1?resourceVersion={future}
future revision, GET of what is absent: /api/v1/namespaces/a/configmaps/absent?resourceVersion={future}
compacted revision, exact: /api/v1/configmaps?resourceVersion={gone}&resourceVersionMatch=Exact
compacted revision, legacy exact: /api/v1/configmaps?resourceVersion={gone}&limit=2
compacted revision, custom resource: /apis/stable.example.com/v1/crontabs?resourceVersion={gone}&resourceVersionMatch=Exact
old revision, legacy exact: /api/v1/configmaps?resourceVersion={earlier}&limit=3
continue is not base64: /api/v1/configmaps?continue=abc!
continue is padded: /api/v1/configmaps?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ==
continue is not JSON: /api/v1/configmaps?continue=YWJj
continue without revision: /api/v1/configmaps?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0
continue without a key: /api/v1/configmaps?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIifQ
continue of another version: /api/v1/configmaps?continue=eyJ2IjoidjIiLCJydiI6MSwic3RhcnQiOiJhIn0
continue outside the collection: /api/v1/configmaps?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi9rZXkifQ
continue of a compacted revision: /api/v1/configmaps?continue={token:{gone}:a/cm-1}
continue of a compacted revision, leading slash: /api/v1/configmaps?continue={token:{gone}:/a/cm-1}&limit=2
continue with revision: /api/v1/configmaps?continue={token:{now}:a/cm-1}&resourceVersion={now}
continue with revision 0: /api/v1/configmaps?continue={token:{now}:a/cm-1}&resourceVersion=0&limit=1
continue now: /api/v1/configmaps?continue={token:{now}:a/cm-1}&limit=2
continue now, leading slash: /api/v1/configmaps?continue={token:{now}:/a/cm-1}&limit=2
continue without limit: /api/v1/configmaps?continue={token:{now}:a/cm-1}
continue earlier: /api/v1/configmaps?continue={token:{earlier}:a-b/x}&limit=3
continue in a namespace: /api/v1/namespaces/a/configmaps?continue={token:{now}:cm-3}&limit=2
continue with a selector: /api/v1/configmaps?continue={token:{now}:a/cm-1}&limit=1&labelSelector=app
continue inconsistently: /api/v1/configmaps?continue={token:-1:a/cm-1}&limit=2
continue past the end: /api/v1/configmaps?continue={token:{now}:zzz}
continue, custom resource: /apis/stable.example.com/v1/crontabs?continue={token:{now}:a/tab-0}&limit=1
continue, cluster-scoped: /api/v1/nodes?continue={token:{now}:n1}&limit=1
label selector, set: /api/v1/configmaps?labelSelector=app+in+(web,nginx),tier+notin+(2)&resourceVersion=0
label selector, empty set: /api/v1/configmaps?labelSelector=app+in+()&resourceVersion=0
label selector, set with the empty value: /api/v1/configmaps?labelSelector=empty+in+(,x)&resourceVersion=0
label selector, absent: /api/v1/configmaps?labelSelector=!tier&resourceVersion=0
label selector, unequal: /api/v1/configmaps?labelSelector=tier!%3D1&resourceVersion=0
label selector, greater: /api/v1/configmaps?labelSelector=tier%3E4&resourceVersion=0
label selector, less: /api/v1/configmaps?labelSelector=tier%3C4&resourceVersion=0
label selector, white space: /api/v1/configmaps?labelSelector=%20app%20%3D%3D%20web%20,%20tier&resourceVersion=0
label selector, keyword as key: /api/v1/configmaps?labelSelector=in+in+(in)&resourceVersion=0
label selector, first of two: /api/v1/configmaps?labelSelector=app%3Dweb&labelSelector=app%3Dnginx&resourceVersion=0
label selector, comma at the end: /api/v1/configmaps?labelSelector=a,
label selector, bad operator: /api/v1/configmaps?labelSelector=a+b
label selector, bad value: /api/v1/configmaps?labelSelector=a%3D-b
label selector, bad key: /api/v1/configmaps?labelSelector=a/b/c%3Dd
label selector, greater than no number: /api/v1/configmaps?labelSelector=a%3Eabc
label selector, with a limit met exactly: /api/v1/configmaps?labelSelector=app%3Dweb&limit=4&resourceVersion={now}&resourceVersionMatch=NotOlderThan
field selector, by node: /api/v1/pods?fieldSelector=spec.nodeName%3Dn1&resourceVersion=0
field selector, renamed: /api/v1/pods?fieldSelector=spec.host%3Dn1&resourceVersion=0
field selector, unscheduled: /api/v1/pods?fieldSelector=spec.nodeName%3D&resourceVersion=0
field selector, two fields: /api/v1/pods?fieldSelector=spec.nodeName%3Dn1,status.phase%3DRunning&resourceVersion=0
field selector, unequal: /api/v1/pods?fieldSelector=status.phase!%3DRunning&resourceVersion=0
field selector, pod address: /api/v1/pods?fieldSelector=status.podIP%3D10.1.0.1&resourceVersion=0
field selector, accepted but without a value: /api/v1/pods?fieldSelector=status.podIPs%3D10.1.0.1&resourceVersion=0
field selector, host network: /api/v1/pods?fieldSelector=spec.hostNetwork%3Dfalse&resourceVersion=0
field selector, restart policy: /api/v1/pods?fieldSelector=spec.restartPolicy%3DAlways&resourceVersion=0
field selector, unknown label: /api/v1/pods?fieldSelector=spec.foo%3D1
field selector, unknown label of a default kind: /apis/apps/v1/replicasets?fieldSelector=status.replicas%3D1
field selector, unknown label of a custom resource: /apis/stable.example.com/v1/crontabs?fieldSelector=spec.cronSpec%3D1
field selector, no operator: /api/v1/pods?fieldSelector=foo
field selector, bad escape: /api/v1/pods?fieldSelector=metadata.name%3Da%5Cx
field selector, unescaped: /api/v1/pods?fieldSelector=metadata.name%3Da%3Db
field selector, name everywhere: /api/v1/configmaps?fieldSelector=metadata.name%3Donly-this&resourceVersion=0
field selector, name in a namespace: /api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dcm-2&resourceVersion=0
field selector, name without a revision: /api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dcm-2
field selector, name, exact: /api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dcm-2&resourceVersion={now}&resourceVersionMatch=Exact
field selector, name that is absent: /api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dnope&resourceVersion=0
field selector, two names: /api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dcm-1,metadata.name%3Dcm-2&resourceVersion=0
field selector, not a name: /api/v1/namespaces/a/configmaps?fieldSelector=metadata.name!%3Dcm-1&resourceVersion=0
field selector, name of a node: /api/v1/nodes?fieldSelector=metadata.name%3Dn1&resourceVersion=0
field selector, namespace: /api/v1/configmaps?fieldSelector=metadata.namespace%3Da&resourceVersion=0
field selector, namespace that contradicts: /api/v1/namespaces/a/configmaps?fieldSelector=metadata.namespace%3Dteam-a&resourceVersion=0
field selector, namespace and limit: /api/v1/configmaps?fieldSelector=metadata.namespace%3Da&limit=2&resourceVersion={now}&resourceVersionMatch=NotOlderThan
field selector, namespace of a node: /api/v1/nodes?fieldSelector=metadata.namespace%3Da&resourceVersion=0
namespace that does not exist: /api/v1/namespaces/nope/configmaps?resourceVersion=0
namespace that exists and is empty: /api/v1/namespaces/empty/pods
namespace that is no name: /api/v1/namespaces/UPPER/configmaps?resourceVersion=0
namespace, empty: /api/v1/namespaces//configmaps?resourceVersion=0
namespace of a cluster-scoped kind: /api/v1/namespaces/a/nodes
slash at the end: /api/v1/namespaces/a/configmaps/?resourceVersion=0
two slashes in front: //api/v1/pods
escaped path: /api/v1/namespaces/%61/configmaps?resourceVersion=0
escaped slash: /api/v1/namespaces/a%2Fb/configmaps
dots as a name: /api/v1/namespaces/a/configmaps/..?resourceVersion=0
percent in a name: /api/v1/namespaces/a/configmaps/%25x
object without a namespace: /api/v1/configmaps/cm-1
unknown resource: /api/v1/nothings
unknown resource in a custom group: /apis/stable.example.com/v1/nothings
unknown version: /api/v9/pods
unknown group: /apis/nothing.example.com/v1/things
resource without a list: /apis/authorization.k8s.io/v1/subjectaccessreviews
no verbs at all: /api/v1/bindings
export: /api/v1/namespaces/a/configmaps/cm-1?export=true
unknown parameter: /api/v1/namespaces/a/configmaps?foo=bar&resourceVersion=0
repeated parameter: /api/v1/namespaces/a/configmaps?limit=1&limit=2&resourceVersion={now}&resourceVersionMatch=NotOlderThan
parameter with a semicolon: /api/v1/namespaces/a/configmaps?resourceVersion=0;limit=1
parameter with a bad escape: /api/v1/namespaces/a/configmaps?limit=%zz&resourceVersion=0
parameter in another case: /api/v1/namespaces/a/configmaps?Limit=1&resourceVersion=0
watch is FALSE: /api/v1/namespaces/a/configmaps?watch=FALSE&resourceVersion=0
bookmarks in a LIST: /api/v1/namespaces/a/configmaps?allowWatchBookmarks=true&resourceVersion=0
timeout is bad: /api/v1/configmaps?timeout=x
timeout: /api/v1/namespaces/a/configmaps?timeout=30s&resourceVersion=0
pretty: /api/v1/namespaces/a/configmaps?pretty=true&resourceVersion=0
pretty is no: /api/v1/namespaces/a/configmaps?pretty=0&resourceVersion=0
pretty GET: /api/v1/namespaces/a/configmaps/cm-0?pretty=1&resourceVersion=0
pretty error: /api/v1/namespaces/a/configmaps/nope?pretty=1&resourceVersion=0
status subresource: /api/v1/namespaces/a/pods/pod-0/status
scale subresource: /apis/apps/v1/namespaces/a/deployments/deploy-2/scale
scale of a custom resource: /apis/stable.example.com/v1/namespaces/a/crontabs/tab-2/scale
log of a pod on no node: /api/v1/namespaces/a/pods/pod-4/log
namespace status: /api/v1/namespaces/a/status
version: /version
health: /healthz
live: /livez?verbose
core versions: /api
core resources: /api/v1
groups: /apis
group: /apis/apps
group version: /apis/apps/v1
custom group version: /apis/stable.example.com/v1
root: /
OpenAPI index: /openapi/v3
nothing here: /nothing/here
GET of a namespace: /api/v1/namespaces/a?resourceVersion=0
GET of a namespace that is absent: /api/v1/namespaces/nope?resourceVersion=0
GET with match: /api/v1/namespaces/a/configmaps/cm-1?resourceVersion=0&resourceVersionMatch=Exact
GET with watch: /api/v1/namespaces/a/configmaps/cm-1?watch=1&resourceVersion=0
GET, revision is negative: /api/v1/namespaces/a/configmaps/cm-1?resourceVersion=-1
large list: /api/v1/namespaces/big/configmaps?resourceVersion=0
large list, no revision: /api/v1/namespaces/big/configmaps
roles: /apis/rbac.authorization.k8s.io/v1/clusterroles?resourceVersion=0
events of the new group: /apis/events.k8s.io/v1/events?resourceVersion=0&limit=2
priority levels: /apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations?resourceVersion=0
API services: /apis/apiregistration.k8s.io/v1/apiservices?resourceVersion=0
watch, too old: /api/v1/configmaps?watch=1&resourceVersion=1
watch, too old, by the old path: /api/v1/watch/namespaces/a/configmaps?resourceVersion=1
watch, too old, custom resource: /apis/stable.example.com/v1/crontabs?watch=1&resourceVersion=1
watch, revision is not a number: /api/v1/configmaps?watch=1&resourceVersion=abc
watch, sendInitialEvents without match: /api/v1/configmaps?watch=1&sendInitialEvents=true
watch, match without sendInitialEvents: /api/v1/configmaps?watch=1&resourceVersion={now}&resourceVersionMatch=NotOlderThan
watch, match Exact: /api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion={now}
watch, sendInitialEvents in the future: /api/v1/configmaps?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion={future}
watch, continue: /api/v1/configmaps?watch=1&resourceVersion=0&continue=zzz
watch, bad limit: /api/v1/configmaps?watch=1&limit=abc
watch, bad timeoutSeconds: /api/v1/configmaps?watch=1&timeoutSeconds=abc
watch, bad label selector: /api/v1/configmaps?watch=1&labelSelector=a,
watch, unknown field: /api/v1/pods?watch=1&fieldSelector=spec.foo%3D1
watch, name mismatch: /api/v1/watch/namespaces/a/pods/pod-1?fieldSelector=status.phase%3DRunning
watch of what cannot be watched: /api/v1/componentstatuses?watch=1
watch of an unknown resource: /api/v1/nothings?watch=1
watch that ends at once: /api/v1/configmaps?watch=1&resourceVersion={now}&timeoutSeconds=-1
watch of one second: /api/v1/configmaps?watch=1&resourceVersion={now}&timeoutSeconds=1
watch without history: /api/v1/namespaces/a/leases?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=0&timeoutSeconds=1
watch from 0, one second: /api/v1/namespaces/a/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1
watch from 0 by label, one second: /api/v1/configmaps?watch=true&resourceVersion=0&timeoutSeconds=1&labelSelector=app%3Dweb
watch from earlier, one second: /api/v1/configmaps?watch=1&resourceVersion={earlier}&timeoutSeconds=1
watch from earlier by field, one second: /api/v1/pods?watch&resourceVersion={earlier}&timeoutSeconds=1&fieldSelector=spec.nodeName%3Dn1
watch from earlier, custom resource: /apis/stable.example.com/v1/crontabs?watch=1&resourceVersion={earlier}&timeoutSeconds=1
watch in an absent namespace: /api/v1/namespaces/nope/pods?watch=1&resourceVersion={now}&timeoutSeconds=1
watch, the word no is true: /api/v1/namespaces/a/configmaps?watch=no&resourceVersion={now}&timeoutSeconds=1
watch by the old path: /api/v1/watch/namespaces/a/configmaps?resourceVersion={now}&timeoutSeconds=1
watch, nothing to parse: /api/v1/watch
`

const (
	partialList  = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	partialOne   = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	table        = "application/json;as=Table;v=v1;g=meta.k8s.io"
	kubectlTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
	protobuf     = "application/vnd.kubernetes.protobuf"
)

// acceptRows is Accept × list, object, error.
func acceptRows() []row {
	accepts := []string{
		"", "*/*", "application/json", "application/json, */*", "application/json;q=0", "application/yaml", protobuf,
		protobuf + ",application/json", "application/cbor", "application/cbor,application/json", "text/html", "application/*", "*",
		partialList, partialOne, partialList + "," + "application/json", "application/json;as=PartialObjectMetadataList;v=v1, application/json",
		table, kubectlTable, "application/json;pretty=1", "application/json;stream=watch", "application/json;charset=utf-8",
		"text/html,application/xhtml+xml,*/*;q=0.8", "application/json;q=0.9,application/cbor;q=1", ", ,application/json",
		"application/json;as=Nonsense;g=meta.k8s.io;v=v1",
	}
	paths := []string{
		"/api/v1/namespaces/a/configmaps?resourceVersion=0",
		"/api/v1/namespaces/a/configmaps/cm-0?resourceVersion=0",
		"/api/v1/namespaces/a/configmaps/nope?resourceVersion=0",
		"/apis/stable.example.com/v1/crontabs?resourceVersion=0",
		"/apis/stable.example.com/v1/namespaces/a/crontabs/tab-0?resourceVersion=0",
		"/api/v1/configmaps?watch=1&resourceVersion=1",
	}
	var rows []row
	for i, accept := range accepts {
		for j, path := range paths {
			if i > 12 && j > 0 && (i+j)%3 != 0 {
				continue
			}
			header := http.Header{"Accept": {accept}}
			if accept == "" {
				header = http.Header{}
			}
			rows = append(rows, row{name: fmt.Sprintf("Accept %q %s", accept, path), request: request{Path: path, Header: header}})
		}
	}
	return rows
}

// headerRows vary other headers.
func headerRows() []row {
	const list, object = "/api/v1/namespaces/a/configmaps?resourceVersion=0", "/api/v1/namespaces/a/configmaps/cm-0?resourceVersion=0"
	of := func(name, path string, pairs ...string) row {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header.Add(pairs[i], pairs[i+1])
		}
		return row{name: name, request: request{Path: path, Header: header}}
	}
	return []row{
		of("Audit-ID comes back", list, "Audit-Id", "my-own-id"),
		of("Audit-ID of a forwarded request comes back", "/version", "Audit-Id", "my-own-id"),
		of("the first Audit-ID of two", list, "Audit-Id", "one", "Audit-Id", "two"),
		of("an odd Audit-ID", list, "Audit-Id", "a b;c=\"d\""),
		of("curl gets indented JSON", list, "User-Agent", "curl/8.0"),
		of("a browser gets indented JSON", object, "User-Agent", "Mozilla/5.0 (X11)"),
		of("Wget gets indented JSON", object, "User-Agent", "Wget/1"),
		of("curl that wants none", list+"&pretty=false", "User-Agent", "curl/8.0"),
		of("curl and an error", "/api/v1/namespaces/a/configmaps/nope?resourceVersion=0", "User-Agent", "curl/8.0"),
		of("curl and a watch error", "/api/v1/configmaps?watch=1&resourceVersion=1", "User-Agent", "curl/8.0"),
		of("the first Accept of two", list, "Accept", "application/yaml", "Accept", "application/json"),
		of("gzip of a small list", list, "Accept-Encoding", "gzip"),
		of("gzip of a large list", "/api/v1/namespaces/big/configmaps?resourceVersion=0", "Accept-Encoding", "gzip"),
		of("gzip of a large list without a revision", "/api/v1/namespaces/big/configmaps", "Accept-Encoding", "deflate, gzip"),
		of("gzip with a weight does not count", "/api/v1/namespaces/big/configmaps?resourceVersion=0", "Accept-Encoding", "gzip;q=1.0"),
		of("impersonation", list, "Impersonate-User", "alice"),
		of("impersonation of a reader", "/api/v1/namespaces/team-a/configmaps?resourceVersion=0", "Impersonate-User", "alice"),
		of("impersonation of a group without a user", list, "Impersonate-Group", "x"),
		of("front-proxy headers of a client are nothing", list, "X-Remote-User", "root", "X-Remote-Group", "system:masters"),
		of("cross-origin", list, "Origin", "https://example.com"),
		of("conditional", object, "If-None-Match", "\"x\"", "If-Modified-Since", "Mon, 01 Jan 2035 00:00:00 GMT"),
		of("range", object, "Range", "bytes=0-3"),
		of("expectation of no body", object, "Expect", "100-continue"),
		of("traceparent", object, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		of("cookie", object, "Cookie", "a=b"),
		of("Basic is no credential; the token is not sent", object, "Authorization", "Basic YTpi"),
		of("Bearer in another case", object, "Authorization", "bEARER admin-token"),
		of("Bearer with trailing words", object, "Authorization", "Bearer admin-token more"),
		of("Bearer with two spaces", object, "Authorization", "Bearer  admin-token"),
		of("Bearer and nothing", object, "Authorization", "Bearer"),
		of("unknown scheme", object, "Authorization", "Negotiate abc"),
		of("bad token on a health check", "/livez", "Authorization", "Bearer nonsense"),
		of("discovery, aggregated", "/apis", "Accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"),
	}
}

// methodRows are requests that change nothing, by methods other than GET.
func methodRows() []row {
	const crontabs = "/apis/stable.example.com/v1/namespaces/a/crontabs"
	json := http.Header{"Content-Type": {"application/json"}}
	return []row{
		{name: "HEAD of a list", request: request{Method: "HEAD", Path: "/api/v1/configmaps"}},
		{name: "HEAD of an object", request: request{Method: "HEAD", Path: "/api/v1/namespaces/a/configmaps/cm-0"}},
		{name: "HEAD of a custom list", request: request{Method: "HEAD", Path: crontabs}},
		{name: "OPTIONS", request: request{Method: "OPTIONS", Path: "/api/v1/configmaps"}},
		{name: "OPTIONS of a custom list", request: request{Method: "OPTIONS", Path: crontabs}},
		{name: "PUT of a list", request: request{Method: "PUT", Path: "/api/v1/configmaps"}},
		{name: "DELETE of what is absent", request: request{Method: "DELETE", Path: "/api/v1/namespaces/a/configmaps/nope"}},
		{name: "POST of nothing", request: request{Method: "POST", Path: "/api/v1/namespaces/a/configmaps", Header: json}},
		{name: "POST of no JSON", request: request{Method: "POST", Path: "/api/v1/namespaces/a/configmaps", Header: json, Body: "{"}},
		{name: "POST of a bad name", request: request{Method: "POST", Path: "/api/v1/namespaces/a/configmaps", Header: json,
			Body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"UPPER"}}`}},
		{name: "POST of what is there", request: request{Method: "POST", Path: "/api/v1/namespaces/a/configmaps", Header: json,
			Body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm-0"}}`}},
		{name: "POST of another media type", request: request{Method: "POST", Path: "/api/v1/namespaces/a/configmaps",
			Header: http.Header{"Content-Type": {"text/plain"}}, Body: "x"}},
		{name: "POST into an absent namespace", request: request{Method: "POST", Path: "/api/v1/namespaces/nope/configmaps", Header: json,
			Body: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}`}},
		{name: "PATCH of nothing that is known", request: request{Method: "PATCH", Path: "/api/v1/namespaces/a/configmaps/cm-0",
			Header: http.Header{"Content-Type": {"application/unknown+json"}}, Body: "{}"}},
		{name: "PATCH that changes nothing", request: request{Method: "PATCH", Path: "/api/v1/namespaces/a/configmaps/cm-0",
			Header: http.Header{"Content-Type": {"application/merge-patch+json"}}, Body: "{}"}},
		{name: "GET with a body", request: request{Path: "/api/v1/namespaces/a/configmaps/cm-0?resourceVersion=0", Header: json, Body: "{}"}},
		{name: "an unknown method", request: request{Method: "BREW", Path: "/api/v1/namespaces/a/configmaps"}},
		{name: "an access review", request: request{Method: "POST", Path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Header: json,
			Body: `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":{"verb":"list","resource":"pods"}}}`}},
		{name: "dry run", request: request{Method: "DELETE", Path: "/api/v1/namespaces/a/configmaps/cm-0?dryRun=All&propagationPolicy=Background"}},
	}
}

// userRows ask as others than the administrator. leak_test.go looks for leaks; here the answers are compared.
func userRows() []row {
	paths := []string{
		"/api/v1/configmaps?resourceVersion=0", "/api/v1/namespaces/team-a/configmaps?resourceVersion=0", "/api/v1/namespaces/team-a/configmaps",
		"/api/v1/namespaces/team-a/configmaps/other?resourceVersion=0", "/api/v1/namespaces/team-b/configmaps/other?resourceVersion=0",
		"/api/v1/namespaces/team-a/configmaps?fieldSelector=metadata.name%3Donly-this&resourceVersion=0",
		"/api/v1/namespaces/team-a/configmaps?watch=1&resourceVersion=0&timeoutSeconds=1",
		"/apis/apps/v1/deployments?resourceVersion=0", "/api/v1/pods?limit=1", "/api/v1/namespaces/a?resourceVersion=0", "/api/v1/nodes/n1?resourceVersion=0",
		"/api/v1/configmaps?labelSelector=a,", "/api/v1/nothings", "/version", "/metrics/nothing",
		"/apis/stable.example.com/v1/namespaces/a/crontabs/tab-0?resourceVersion=0", "/api/v1/namespaces/a/pods?watch=1&resourceVersion=1",
	}
	var rows []row
	for _, user := range []string{"alice", "alice-cert", "bob", "bob-cert", "carol", "dave", "admin-cert", "anonymous", "bad-token", "foreign-cert"} {
		for _, path := range paths {
			rows = append(rows, row{name: user + " " + path, user: user, request: request{Path: path}})
		}
		rows = append(rows, row{name: user + " asks who it is", user: user, request: request{
			Method: "POST", Path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", Header: http.Header{"Content-Type": {"application/json"}},
			Body: `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`,
		}})
	}
	return rows
}

func handwrittenRows() []row {
	var rows []row
	for _, line := range strings.Split(strings.TrimSpace(pathRows), "\n") {
		name, path, _ := strings.Cut(line, ": /")
		rows = append(rows, row{name: name, request: request{Path: "/" + path}})
	}
	return rows
}
