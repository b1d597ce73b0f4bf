package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// A foreignClient is a running program of clients/, in a namespace and with a Weir of its own.
type foreignClient struct {
	name, namespace string
	form            form
	weir            *oracle.Weir // Nil when the API server is compared with itself.
	kubeconfig      string
	cmd             *exec.Cmd
	stdin           io.WriteCloser

	episodes []*episode
	has      map[string]bool

	mu    sync.Mutex
	lines []said
	ended bool
}

// said is a line of the program; see clients/README.md.
type said struct {
	Event, Did, Failed    string
	Name, Revision, Value string
	Code, Pages           int
	Listed                []string
	State                 []said
}

func newForeignClient(t *testing.T, name string, f form) *foreignClient {
	t.Helper()
	short := strings.ReplaceAll(strings.ToLower(name), " ", "-")
	c := &foreignClient{name: name, form: f, namespace: "client-" + short, has: map[string]bool{}}
	c.begin(false)
	server := cluster.URL()
	if !selfCheck {
		c.weir = startWeir(t, oracle.WeirOptions{Name: "weir-of-" + short})
		server = c.weir.URL
	}
	c.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	user, err := cluster.CertUser("client-"+short, "system:masters")
	must(t, err)
	must(t, user.WriteKubeconfig(c.kubeconfig, server, cluster.CAFile(), true))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}
	_, err = admin.CoreV1().Namespaces().Create(context.Background(), ns, metav1.CreateOptions{})
	must(t, err)
	for _, name := range c.seededNames() {
		c.create(t, admin, name)
	}
	c.episodes = nil // The client finds those.
	c.begin(false)
	return c
}

func (c *foreignClient) seededNames() []string {
	var names []string
	for i := range seeded {
		names = append(names, fmt.Sprintf("seed-%02d", i))
	}
	return names
}

// start runs the program; its errors go to a log beside those of the servers. It ends when its stdin does, so it does
// not outlive the tests.
func (c *foreignClient) start(t *testing.T, command []string) {
	t.Helper()
	log, err := os.Create(filepath.Join(cluster.Dir, c.namespace+".log"))
	must(t, err)
	t.Cleanup(func() { log.Close() })
	c.cmd = exec.Command(command[0], command[1:]...)
	c.cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig)
	c.cmd.Stderr = log
	c.stdin, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	go c.read(out)
}

func (c *foreignClient) read(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		c.mu.Lock()
		if err != nil {
			c.ended = true
			c.mu.Unlock()
			return
		}
		var s said
		if err := json.Unmarshal(line, &s); err != nil {
			s = said{Event: "ERROR", Value: fmt.Sprintf("no JSON: %v: %s", err, line)}
		}
		c.lines = append(c.lines, s)
		c.mu.Unlock()
	}
}

// waitFor fails when the program ends or 30 seconds are over.
func (c *foreignClient) waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		c.mu.Lock()
		ended, last := c.ended, c.lines[max(0, len(c.lines)-3):]
		c.mu.Unlock()
		if ended || time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(cluster.Dir, c.namespace+".log"))
			t.Fatalf("%s: %s did not come (ended %v); last it said %+v\n%s", c.name, what, ended, last, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// said are the lines so far that are of this kind.
func (c *foreignClient) said(is func(said) bool) []said {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []said
	for _, s := range c.lines {
		if is(s) {
			list = append(list, s)
		}
	}
	return list
}

// events are what its informer was told of objects.
func (c *foreignClient) events() []said {
	return c.said(func(s said) bool { return s.Event != "" && s.Event != "ERROR" && s.Event != "LIST" })
}

// catchUp waits until the client has seen the change that was noted last, a creation or a patch.
func (c *foreignClient) catchUp(t *testing.T) {
	t.Helper()
	changes := c.episodes[len(c.episodes)-1].changes
	last := changes[len(changes)-1]
	c.waitFor(t, fmt.Sprintf("%+v", last), func() bool {
		events := c.events()
		return slices.ContainsFunc(events[max(0, len(events)-100):], func(e said) bool {
			return e.Name == last.name && (last.kind == "DELETED" && e.Event == "DELETED" || e.Revision == last.revision)
		})
	})
}

// ask sends a command and returns the answer.
func (c *foreignClient) ask(t *testing.T, verb, name, value string) said {
	t.Helper()
	answers := func() []said {
		return c.said(func(s said) bool { return s.Did != "" || s.Failed != "" || s.State != nil })
	}
	before := len(answers())
	_, err := fmt.Fprintf(c.stdin, "%s %s %s\n", verb, name, value)
	must(t, err)
	c.waitFor(t, "the answer to "+verb+" "+name, func() bool { return len(answers()) > before })
	return answers()[before]
}

// do is ask, and the answer must be that it was done.
func (c *foreignClient) do(t *testing.T, verb, name, value string) said {
	t.Helper()
	answer := c.ask(t, verb, name, value)
	if answer.Did != verb {
		t.Fatalf("%s: %s %s: %+v", c.name, verb, name, answer)
	}
	return answer
}

// stop ends the program, which must succeed.
func (c *foreignClient) stop(t *testing.T) {
	t.Helper()
	must(t, c.stdin.Close())
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the program ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("the program does not end")
	}
}
