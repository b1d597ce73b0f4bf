package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"weir.dev/e2e/oracle"
)

// seeded ConfigMaps are in a client's namespace before it starts; it lists them in pages of pageOf.
const (
	seeded = 30
	pageOf = 7
)

// TestClientsInOtherLanguages drives the programs of clients/: they list, watch, create, patch and delete, each through
// a Weir of its own, while others write too, the API server is killed, and history goes on without it. By one list and
// one watch, each must have seen every write once and in order, and the net of those that the restarted API server
// does not remember.
func TestClientsInOtherLanguages(t *testing.T) {
	var clients []*foreignClient
	skipped := map[string]string{}
	rows := []struct {
		name, language string
		form           form
		arguments      []string
	}{
		{"python", "python", form{}, nil},
		{"javascript", "javascript", form{}, nil},
		{"rust", "rust", form{}, nil},
		{"rust by WatchList", "rust", form{watchList: true}, []string{"stream"}},
	}
	for _, row := range rows {
		command, reason := prepared(t, row.language)
		if reason != "" {
			skipped[row.name] = reason
			continue
		}
		c := newForeignClient(t, row.name, row.form)
		c.start(t, append(append(command, c.namespace), row.arguments...))
		clients = append(clients, c)
	}
	for _, c := range clients {
		c.waitFor(t, "its first list", func() bool { return len(c.events()) >= seeded })
		c.use(t, "before")
		c.write(t, admin, 40)
	}
	replica, err := cluster.StartReplica()
	must(t, err)
	other, err := kubernetes.NewForConfig(cluster.Admin.RESTConfig(replica, cluster.CAFile()))
	must(t, err)
	for _, c := range clients {
		c.catchUp(t)
		c.begin(true)
	}
	must(t, cluster.StopAPIServer(true))
	for _, c := range clients {
		c.write(t, other, 40)
		c.create(t, other, "the-return")
	}
	must(t, cluster.StartAPIServer())
	cluster.StopReplica()
	for _, c := range clients {
		c.catchUp(t)
		c.begin(false)
	}
	for _, c := range clients {
		c.use(t, "after")
		c.write(t, admin, 40)
		c.create(t, admin, "the-last")
		c.catchUp(t)
	}
	for _, c := range clients {
		t.Run(c.name, c.judge)
	}
	for _, row := range rows {
		if reason, ok := skipped[row.name]; ok {
			t.Run(row.name, func(t *testing.T) { t.Skip(reason) })
		}
	}
}

// prepared makes a client ready and returns its command, or why this machine cannot have it.
func prepared(t *testing.T, language string) (command []string, reason string) {
	t.Helper()
	clients := filepath.Join(oracle.RepositoryDir(), "tests", "e2e", "clients")
	out, err := exec.Command(filepath.Join(clients, "prepare"), language).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		return nil, strings.TrimSpace(string(out))
	}
	if err != nil {
		t.Fatalf("clients/prepare %s: %v\n%s", language, err, out)
	}
	made := filepath.Join(oracle.RepositoryDir(), "build", "clients", language)
	switch language {
	case "python":
		return []string{filepath.Join(made, "bin", "python"), filepath.Join(clients, "python", "client.py")}, ""
	case "javascript":
		return []string{"node", filepath.Join(made, "client.js")}, ""
	default:
		return []string{filepath.Join(made, "debug", "client")}, ""
	}
}

// create, write and use change the namespace, one change after the other, and note each.

func (c *foreignClient) create(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"value": "0"}}
	made, err := client.CoreV1().ConfigMaps(c.namespace).Create(context.Background(), object, metav1.CreateOptions{})
	must(t, err)
	c.note("ADDED", name, made.ResourceVersion, "0")
}

// write makes n random changes to what the client did not make, straight at an API server.
func (c *foreignClient) write(t *testing.T, client kubernetes.Interface, n int) {
	t.Helper()
	ctx, api := context.Background(), client.CoreV1().ConfigMaps(c.namespace)
	for range n {
		name := fmt.Sprintf("seed-%02d", rand.Intn(seeded))
		switch known := c.has[name]; {
		case !known:
			c.create(t, client, name)
		case rand.Intn(4) == 0:
			must(t, api.Delete(ctx, name, metav1.DeleteOptions{}))
			c.note("DELETED", name, "", "")
		default:
			value := fmt.Sprint(rand.Int())
			changed, err := api.Patch(ctx, name, types.MergePatchType, []byte(`{"data":{"value":"`+value+`"}}`), metav1.PatchOptions{})
			must(t, err)
			c.note("MODIFIED", name, changed.ResourceVersion, value)
		}
	}
}

// use lets the client itself write and read; the API server must have what it says.
func (c *foreignClient) use(t *testing.T, prefix string) {
	t.Helper()
	name := func(i int) string { return fmt.Sprintf("%s-%d", prefix, i) }
	for i := range 4 {
		c.note("ADDED", name(i), c.do(t, "create", name(i), "one").Revision, "one")
	}
	for i := range 2 {
		c.note("MODIFIED", name(i), c.do(t, "patch", name(i), "two").Revision, "two")
	}
	c.do(t, "delete", name(1), "")
	c.note("DELETED", name(1), "", "")
	got := c.do(t, "get", name(0), "")
	has, err := admin.CoreV1().ConfigMaps(c.namespace).Get(context.Background(), name(0), metav1.GetOptions{})
	must(t, err)
	if got.Revision != has.ResourceVersion || got.Value != "two" || has.Data["value"] != "two" {
		t.Errorf("%s reads %s at %s, the API server has %s at %s", c.name, got.Value, got.Revision, has.Data["value"], has.ResourceVersion)
	}
	for _, refused := range []struct {
		verb, name string
		code       int
	}{{"create", name(0), 409}, {"get", name(1), 404}, {"delete", name(1), 404}} {
		if answer := c.ask(t, refused.verb, refused.name, "x"); answer.Failed != refused.verb || answer.Code != refused.code {
			t.Errorf("%s: %s of %s: %+v, not %d", c.name, refused.verb, refused.name, answer, refused.code)
		}
	}
}

// judge compares all that the client saw with what was done.
func (c *foreignClient) judge(t *testing.T) {
	list := c.said(func(s said) bool { return s.Listed != nil })[0]
	if want := c.seededNames(); !slices.Equal(list.Listed, want) || list.Pages != (seeded+pageOf-1)/pageOf {
		t.Errorf("listed %v in %d pages, not %v", list.Listed, list.Pages, want)
	}
	// What it has in the end.
	want, err := admin.CoreV1().ConfigMaps(c.namespace).List(context.Background(), metav1.ListOptions{})
	must(t, err)
	var has []string
	for _, o := range want.Items {
		has = append(has, fmt.Sprintf("%s at %s: %s", o.Name, o.ResourceVersion, o.Data["value"]))
	}
	var got []string
	for _, o := range c.ask(t, "state", "", "").State {
		got = append(got, fmt.Sprintf("%s at %s: %s", o.Name, o.Revision, o.Value))
	}
	slices.Sort(has)
	slices.Sort(got)
	if !slices.Equal(has, got) {
		t.Errorf("in the end it has\n%s\nand the API server\n%s", strings.Join(got, "\n"), strings.Join(has, "\n"))
	}
	if c.form.cached() {
		c.judgeHistory(t)
		c.judgeTraffic(t)
	}
	c.stop(t)
}

// judgeHistory wants each change once and in order, after the initial objects.
func (c *foreignClient) judgeHistory(t *testing.T) {
	for _, e := range c.said(func(s said) bool { return s.Event == "ERROR" }) {
		t.Errorf("it was told of an error: %s", e.Value)
	}
	events := c.events()[seeded:]
	t.Logf("%d events", len(events))
	for i, e := range c.episodes {
		want := e.changes
		if e.net {
			want = e.netChanges()
		}
		if len(events) < len(want) {
			t.Fatalf("part %d: only %d of %d events", i, len(events), len(want))
		}
		got := events[:len(want)]
		events = events[len(want):]
		if e.net {
			sortByName(got)
		}
		for j := range want {
			if !got[j].is(want[j]) {
				t.Fatalf("part %d: event %d is %+v, not %+v", i, j, got[j], want[j])
			}
		}
	}
	if len(events) > 0 {
		t.Errorf("%d events too many, the first %+v", len(events), events[0])
	}
	var last uint64
	for _, e := range c.events()[seeded:] {
		rv, err := strconv.ParseUint(e.Revision, 10, 64)
		if err != nil || rv <= last {
			t.Errorf("%+v after revision %d", e, last)
		}
		last = rv
	}
}

// judgeTraffic wants one list beside the pages, and the first watch still running.
func (c *foreignClient) judgeTraffic(t *testing.T) {
	if c.weir == nil {
		return
	}
	time.Sleep(100 * time.Millisecond)
	_, metrics, err := c.weir.Admin("/metrics")
	must(t, err)
	sums := sumRequests(metrics)
	lists := (seeded + pageOf - 1) / pageOf
	if !c.form.watchList {
		lists++
	}
	if n := sums["LIST cache"]; n != lists || sums["LIST forward"] != 0 {
		t.Errorf("%d lists of the cache and %d forwarded ones, not %d", n, sums["LIST forward"], lists)
	}
	if open, ended := gauge(metrics, "weir_longrunning_watches"), sums["WATCH cache"]+sums["WATCH forward"]; open != 1 || ended != 0 {
		t.Errorf("%d watches are open and %d have ended", open, ended)
	}
}
