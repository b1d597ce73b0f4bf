package fuzz

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// generate makes query i of a round. live makes it a watch for the next burst.
func (w *world) generate(r *rand.Rand, live bool) query {
	q := query{user: w.randomUser(r), http2: chance(r, 50), live: live}
	k := w.randomKind(r)
	verb := r.IntN(100)
	switch {
	case live || verb < 14:
		w.watchQuery(r, k, &q)
	case verb < 34:
		w.getQuery(r, k, &q)
	default:
		w.listQuery(r, k, &q)
	}
	w.common(r, &q)
	return q
}

func (w *world) randomUser(r *rand.Rand) string {
	n := r.IntN(100)
	for _, u := range users {
		if n -= u.weight; n < 0 {
			return u.name
		}
	}
	return "admin"
}

func (w *world) randomKind(r *rand.Rand) *kind {
	total := 0
	for _, k := range w.kinds {
		total += k.weight
	}
	n := r.IntN(total)
	for _, k := range w.kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	return w.kinds[0]
}

// collection is the path of all objects of the kind or of one namespace.
func (w *world) collection(r *rand.Rand, k *kind) string {
	if k.cluster {
		if chance(r, 1) {
			return k.prefix() + "/namespaces/f/" + k.resource // No such path.
		}
		return k.prefix() + "/" + k.resource
	}
	if chance(r, 45) {
		return k.prefix() + "/" + k.resource
	}
	namespace := pick(r, namespaces...)
	if chance(r, 2) {
		namespace = pick(r, "UPPER", "", "%66", "f%2Fx", "f.b")
	}
	return k.prefix() + "/namespaces/" + namespace + "/" + k.resource
}

func (q *query) add(name, value string) { q.parameters = append(q.parameters, name+"="+value) }

func (w *world) listQuery(r *rand.Rand, k *kind, q *query) {
	q.path = w.collection(r, k)
	if chance(r, 2) {
		q.path += "/"
	}
	w.selectors(r, k, q)
	continued := chance(r, 15)
	if !continued || chance(r, 8) {
		w.listRevision(r, k, q)
	}
	if continued {
		q.add("continue", escaped(r, w.token(r, k)))
	}
	if chance(r, 45) {
		q.add("limit", randomLimit(r))
	}
	if chance(r, 2) {
		q.add("sendInitialEvents", pick(r, "true", "false", ""))
	}
	if chance(r, 2) {
		q.add("timeoutSeconds", pick(r, "5", "0", "-1", "x", ""))
	}
	if chance(r, 1) {
		q.add("watch", pick(r, "false", "0", "FALSE"))
	}
	if chance(r, 2) {
		q.add("timeout", pick(r, "10s", "1m", "0", "-1s", "x", "", "5"))
	}
	q.accept(r, randomAccept(r, false, true))
}

func (w *world) selectors(r *rand.Rand, k *kind, q *query) {
	if chance(r, 30) {
		q.add("labelSelector", escaped(r, labelSelector(r)))
	}
	share := 25
	if len(k.fields) > 2 {
		share = 50
	}
	if chance(r, share) {
		q.add("fieldSelector", escaped(r, w.fieldSelector(r, k)))
	}
}

func randomLimit(r *rand.Rand) string {
	if chance(r, 4) {
		return pick(r, "", "x", "-1", "0", "1.5", "99999999999999999999", "+2", "%32", "9223372036854775807")
	}
	return pick(r, "1", "1", "2", "3", "5", "7", "10", "20", "500")
}

// revision is one that both servers know, most often a recent one.
func (w *world) revision(r *rand.Rand, k *kind) int64 {
	if items := w.objects[k]; len(items) > 0 && chance(r, 25) {
		return max(w.floor, pick(r, items...).revision)
	}
	switch r.IntN(4) {
	case 0:
		return w.now
	case 1:
		return max(w.floor, w.now-int64(r.IntN(20)))
	default:
		var all []int64
		for _, round := range w.recent {
			all = append(all, round...)
		}
		if len(all) == 0 {
			return w.now
		}
		return min(w.now, pick(r, all...)+int64(pick(r, -1, 0, 0, 0, 1)))
	}
}

func randomNonsense(r *rand.Rand) string {
	return pick(r, "abc", "-1", "00", "1.5", "99999999999999999999", "%201", "0x1", "1e3", "+1", "007", "18446744073709551615")
}

func (w *world) listRevision(r *rand.Rand, k *kind, q *query) {
	match := ""
	switch n := r.IntN(100); {
	case n < 22:
		if chance(r, 4) {
			match = pick(r, "Exact", "NotOlderThan", "nonsense")
		}
	case n < 50:
		q.add("resourceVersion", "0")
		match = pick(r, "", "", "", "NotOlderThan")
		if chance(r, 3) {
			match = pick(r, "Exact", "nonsense", "exact")
		}
	case n < 94:
		q.add("resourceVersion", fmt.Sprint(w.revision(r, k)))
		match = pick(r, "", "NotOlderThan", "Exact")
	case n < 96: // Compacted.
		q.add("resourceVersion", fmt.Sprint(1+r.IntN(40)))
		match = pick(r, "", "NotOlderThan", "Exact")
	case n < 97 && chance(r, 40):
		q.add("resourceVersion", fmt.Sprint(w.now+pick[int64](r, 1, 2, 1_000_000)))
		match, q.slow = pick(r, "", "NotOlderThan", "Exact"), true
	default:
		q.add("resourceVersion", randomNonsense(r))
		match = pick(r, "", "NotOlderThan", "Exact")
		q.slow = strings.Contains(q.parameters[len(q.parameters)-1], "18446744073709551615")
	}
	if match != "" {
		q.add("resourceVersionMatch", match)
	}
}

// token is a continue token: of a page that there may have been, at a revision that there was; or a broken one.
func (w *world) token(r *rand.Rand, k *kind) string {
	key := pick(r, objectNames...)
	if items := w.objects[k]; len(items) > 0 {
		i := pick(r, items...)
		if key = i.name; i.namespace != "" && chance(r, 60) {
			key = i.namespace + "/" + i.name
		}
	}
	revision := fmt.Sprint(w.revision(r, k))
	end, version := `\u0000`, "meta.k8s.io/v1"
	if chance(r, 12) {
		revision = pick(r, "-1", "-1", "0", fmt.Sprint(1+r.IntN(40)), `"5"`, "1.5")
	}
	if chance(r, 10) {
		key = pick(r, "", "../x", "a//b", "zzz", "/", "f", "f/", "./x", `\u00e9`, `\"`)
	}
	if chance(r, 50) {
		key = "/" + key
	}
	if chance(r, 3) {
		end, version = pick(r, "", `\u0000\u0000`), pick(r, "meta.k8s.io/v1", "v2", "")
	}
	text := fmt.Sprintf(`{"v":"%s","rv":%s,"start":"%s%s"}`, version, revision, key, end)
	if chance(r, 2) {
		text = pick(r, "", "abc", "{}", "[]", text+" ", strings.ToUpper(text), `{"start":"a","v":"meta.k8s.io/v1","RV":5}`)
	}
	token := base64.RawURLEncoding.EncodeToString([]byte(text))
	if chance(r, 3) {
		token = pick(r, token+"=", token+"!", token[:len(token)/2], "\n"+token, base64.StdEncoding.EncodeToString([]byte(text)))
	}
	return token
}

func (w *world) getQuery(r *rand.Rand, k *kind, q *query) {
	i := item{name: pick(r, objectNames...), namespace: pick(r, namespaces...)}
	if items := w.objects[k]; len(items) > 0 && chance(r, 85) {
		i = pick(r, items...)
	}
	if chance(r, 2) {
		i.name = pick(r, "..", "%25x", "UPPER", "x/y", "x/status", "x/scale", "%78", "x%2Fy")
	}
	q.path = k.prefix() + "/" + k.resource + "/" + i.name
	if !k.cluster && !chance(r, 1) {
		q.path = k.prefix() + "/namespaces/" + i.namespace + "/" + k.resource + "/" + i.name
	}
	switch n := r.IntN(100); {
	case n < 25:
	case n < 60:
		q.add("resourceVersion", "0")
	case n < 94:
		q.add("resourceVersion", fmt.Sprint(w.revision(r, k)))
	case n < 96:
		q.add("resourceVersion", fmt.Sprint(1+r.IntN(40)))
	case n < 97 && chance(r, 40):
		q.add("resourceVersion", fmt.Sprint(w.now+pick[int64](r, 1, 2, 1_000_000)))
		q.slow = true
	default:
		q.add("resourceVersion", randomNonsense(r))
		q.slow = strings.Contains(q.parameters[0], "18446744073709551615")
	}
	if chance(r, 3) {
		q.add("resourceVersionMatch", pick(r, "Exact", "NotOlderThan", "nonsense"))
	}
	if chance(r, 1) {
		q.add(pick(r, "export", "watch", "limit", "continue", "fieldSelector"), pick(r, "true", "1", "x"))
	}
	q.accept(r, randomAccept(r, false, false))
}

// liveSeconds are what a watch over a burst lasts.
var liveSeconds = []int{5, 6, 7}

func (w *world) watchQuery(r *rand.Rand, k *kind, q *query) {
	q.watch = true
	q.path = w.collection(r, k)
	if chance(r, 3) { // The deprecated path.
		q.path = strings.Replace(q.path, k.prefix(), k.prefix()+"/watch", 1)
	}
	q.add("watch", pick(r, "1", "true", "true"))
	w.selectors(r, k, q)
	w.watchStart(r, k, q)
	if chance(r, 50) && !slices.ContainsFunc(q.parameters, func(p string) bool { return strings.HasPrefix(p, "allowWatchBookmarks") }) {
		q.add("allowWatchBookmarks", pick(r, "true", "true", "1", "false"))
	}
	if chance(r, 3) {
		q.add("limit", randomLimit(r))
	}
	if chance(r, 2) {
		q.add("continue", escaped(r, w.token(r, k)))
	}
	switch {
	case q.live:
		q.add("timeoutSeconds", strconv.Itoa(pick(r, liveSeconds...)))
	case chance(r, 4):
		q.add("timeoutSeconds", pick(r, "x", "1.5", "%31")) // A negative one is a race at the API server.
	default:
		q.add("timeoutSeconds", "1")
	}
	q.accept(r, randomAccept(r, true, true))
}

func (w *world) watchStart(r *rand.Rand, k *kind, q *query) {
	initial := func(revision string) {
		q.add("sendInitialEvents", pick(r, "true", "true", "true", "false"))
		if !chance(r, 3) {
			q.add("resourceVersionMatch", pick(r, "NotOlderThan", "NotOlderThan", "NotOlderThan", "NotOlderThan", "NotOlderThan", "Exact"))
		}
		if revision != "" {
			q.add("resourceVersion", revision)
		}
		if chance(r, 70) {
			q.add("allowWatchBookmarks", "true")
		}
	}
	future := fmt.Sprint(w.now + pick[int64](r, 1, 2, 1_000_000))
	switch n := r.IntN(100); {
	case n < 8:
	case n < 22:
		q.add("resourceVersion", "0")
	case n < 62:
		q.add("resourceVersion", fmt.Sprint(w.revision(r, k)))
	case n < 80:
		initial(pick(r, "", "0", fmt.Sprint(w.revision(r, k))))
	case n < 84: // Too old, and initial events from there.
		initial(fmt.Sprint(1 + r.IntN(40)))
	case n < 88:
		q.add("resourceVersion", fmt.Sprint(1+r.IntN(40)))
	case n < 90 && w.now > 0:
		q.add("resourceVersion", future)
	case n < 91 && chance(r, 40) && k.resource != "events": // Those are told to come again after a random time.
		initial(future)
		q.slow = true
	case n < 93:
		q.add("resourceVersion", fmt.Sprint(w.revision(r, k)))
		q.add("resourceVersionMatch", pick(r, "NotOlderThan", "Exact", "nonsense"))
	case n < 97:
		q.add("resourceVersion", fmt.Sprint(w.now))
	default:
		q.add("resourceVersion", randomNonsense(r))
	}
}

func (q *query) accept(r *rand.Rand, accept string) {
	if accept != "" {
		q.header = append(q.header, [2]string{"Accept", accept})
		if chance(r, 1) {
			q.header = append(q.header, [2]string{"Accept", jsonType})
		}
	}
}

// common adds what any request may have.
func (w *world) common(r *rand.Rand, q *query) {
	if chance(r, 25) {
		q.header = append(q.header, [2]string{"Accept-Encoding", pick(r, "gzip", "gzip", "gzip", "deflate, gzip", "gzip;q=0.5", "*", "identity", " gzip ,br")})
	}
	if chance(r, 4) {
		q.add("pretty", pick(r, "true", "1", "0", "false", "", "yes", "T"))
	}
	if chance(r, 10) {
		q.header = append(q.header, [2]string{"User-Agent", pick(r, "curl/8.0", "Wget/1.21", "Mozilla/5.0 (X11)", "kubectl/v1.37.2 (linux/amd64)", "curler", "")})
	}
	if chance(r, 2) {
		q.header = append(q.header, [2]string{"Audit-Id", "fuzz-" + fmt.Sprint(r.IntN(1000))})
	}
	if chance(r, 2) && len(q.parameters) > 0 {
		q.parameters = append(q.parameters, pick(r, q.parameters...)) // The first counts.
	}
	if chance(r, 1) {
		q.add(pick(r, "unknown", "Limit", "resourceversion", "shardSelector"), pick(r, "", "1", "x"))
	}
	if chance(r, 1) && !q.watch {
		q.method = pick(r, "HEAD", "OPTIONS")
	}
	if chance(r, 20) {
		r.Shuffle(len(q.parameters), func(i, j int) { q.parameters[i], q.parameters[j] = q.parameters[j], q.parameters[i] })
	}
}
