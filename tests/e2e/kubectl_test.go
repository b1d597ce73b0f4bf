package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// A kubectl runs as one user against one server, with a discovery cache of its own.
type kubectl struct {
	kubeconfig, home string
}

func newKubectl(t *testing.T, server string, user oracle.User) *kubectl {
	t.Helper()
	return kubectlOf(t, cluster, server, user)
}

// kubectlOf is newKubectl for a server of another cluster.
func kubectlOf(t *testing.T, c *oracle.Cluster, server string, user oracle.User) *kubectl {
	t.Helper()
	dir := t.TempDir()
	k := &kubectl{kubeconfig: filepath.Join(dir, "kubeconfig"), home: dir}
	must(t, user.WriteKubeconfig(k.kubeconfig, server, c.CAFile(), true))
	return k
}

func (k *kubectl) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, cluster.Binaries.Kubectl, append([]string{"--kubeconfig", k.kubeconfig}, args...)...)
	cmd.Env = []string{"HOME=" + k.home, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// run returns stdout, stderr and the exit code as one text.
func (k *kubectl) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := k.command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return fmt.Sprintf("%s\n--- stderr\n%s\n--- exit %d", out.String(), errs.String(), cmd.ProcessState.ExitCode())
}

var (
	age        = regexp.MustCompile(`\b(\d+[smhd])+\b`)
	spaces     = regexp.MustCompile(` +`)
	klogHeader = regexp.MustCompile(`[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+`)
	serverPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	varying    = regexp.MustCompile(`"?(uid|resourceVersion|creationTimestamp|time)"?: ?"?[^",\n]+"?`)
)

// steady cuts out what differs between two runs of the same command: ages, times, the server's address.
func steady(text string) string {
	text = serverPort.ReplaceAllString(text, "SERVER")
	text = klogHeader.ReplaceAllString(text, "KLOG")
	text = age.ReplaceAllString(text, "AGE")
	return spaces.ReplaceAllString(text, " ")
}

// TestKubectlReads runs commands that change nothing, against both servers.
func TestKubectlReads(t *testing.T) {
	commands := []string{
		"get pods -A", "get pods -n a -o wide", "get pods -n a -o name", "get pods -n a -o yaml", "get pod pod-0 -n a -o json",
		"get pods -A --chunk-size=1", "get configmaps -A --chunk-size=2 -o name", "get configmaps -n a --chunk-size=0 -o name",
		"get pods -A -l app=web", "get pods -A --field-selector spec.nodeName=n1 -o name", "get pods -A --sort-by=.metadata.name",
		"get nodes", "get nodes -o wide", "get deployments,services -n a", "get all -n a", "get events -n a", "get secrets -n a",
		"get leases -A", "get namespaces --show-labels", "get crontabs -A", "get ct tab-0 -n a -o yaml", "get crd", "get endpoints -A",
		"get nothing", "get pod nope -n a", "get pods -n nope", "get pods -A -l a=b=c", "get pods --field-selector x=y -A",
		"get pods -n a -o jsonpath={.items[*].metadata.name}", "get configmap cm-1 -n a -o go-template={{.data}}",
		"describe pod pod-0 -n a", "describe node n1", "describe deployment deploy-1 -n a", "describe configmap cm-1 -n a",
		"describe crontab tab-0 -n a", "describe namespace a", "describe service plain -n a",
		"api-resources", "api-resources --verbs=list,watch --namespaced -o name", "api-versions", "version", "explain pod.spec.nodeName",
		"explain crontab.spec", "auth can-i list pods", "auth can-i --list", "auth whoami", "get --raw /healthz", "get --raw /version",
		"get --raw /api/v1/namespaces/a/configmaps/cm-1", "get --raw /readyz", "rollout status deployment/deploy-0 -n a --watch=false",
		"wait --for=jsonpath={.status.phase}=Running pod/pod-0 -n a --timeout=5s", "logs pod-4 -n a", "cluster-info", "top node",
	}
	users := map[string]oracle.User{"admin": cluster.Admin, "alice": cluster.TokenUser("alice")}
	var err error
	users["admin by certificate"], err = cluster.CertUser("admin", "system:masters")
	must(t, err)
	byUser := map[string][]string{
		"admin": commands,
		"alice": {
			"get pods -A", "get pods -n team-a", "get configmaps -n team-a -o yaml", "get pods -n team-b", "auth can-i list pods -n team-a",
			"auth can-i list pods -n team-b", "describe pod pod -n team-a",
		},
		"admin by certificate": {"get pods -A", "auth whoami", "get nodes -o yaml", "auth can-i create pods"},
	}
	for _, user := range sortedKeys(byUser) {
		direct, through := newKubectl(t, cluster.URL(), users[user]), newKubectl(t, weir.URL, users[user])
		list := byUser[user]
		// The first fills the discovery cache.
		direct.run(t, "", "api-resources")
		through.run(t, "", "api-resources")
		outputs := make([][2]string, len(list))
		inParallel(2, len(list), func(i int) string {
			args := strings.Fields(list[i])
			outputs[i] = [2]string{steady(direct.run(t, "", args...)), steady(through.run(t, "", args...))}
			return ""
		})
		for i, command := range list {
			t.Run(subtestName(user+": "+command), func(t *testing.T) {
				if outputs[i][0] != outputs[i][1] {
					n := firstDifference([]byte(outputs[i][0]), []byte(outputs[i][1]))
					t.Errorf("at byte %d\n  direct  …%s\n  by Weir …%s", n, excerpt([]byte(outputs[i][0]), n), excerpt([]byte(outputs[i][1]), n))
				}
			})
		}
	}
}

const manifest = `
apiVersion: v1
kind: ConfigMap
metadata: {name: applied, labels: {app: web}}
data: {key: VALUE}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: applied}
spec:
  replicas: 1
  selector: {matchLabels: {app: applied}}
  template:
    metadata: {labels: {app: applied}}
    spec: {containers: [{name: c, image: "example.com/c:1"}]}
---
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: applied}
spec: {cronSpec: "* * * * *", replicas: 2}
`

// TestKubectlWrites does the same work in two namespaces, one directly and one through Weir.
func TestKubectlWrites(t *testing.T) {
	steps := []struct{ args, stdin string }{
		{"apply -f -", manifest},
		{"apply -f -", strings.ReplaceAll(manifest, "VALUE", "other")},
		{"apply --server-side --force-conflicts -f -", manifest},
		{"diff -f -", strings.ReplaceAll(manifest, "VALUE", "third")},
		{"get configmap,deployment,crontab -o name", ""},
		{"get configmap applied -o jsonpath={.data}", ""},
		{"scale deployment applied --replicas=3", ""},
		{"get deployment applied -o jsonpath={.spec.replicas}", ""},
		{"scale crontab applied --replicas=5", ""},
		{"get crontab applied -o jsonpath={.spec.replicas}", ""},
		{"patch configmap applied --type=merge -p {\"data\":{\"more\":\"1\"}}", ""},
		{"patch configmap applied --type=json -p [{\"op\":\"remove\",\"path\":\"/data/more\"}]", ""},
		{"patch deployment applied -p {\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"a\":\"b\"}}}}}", ""},
		{"label configmap applied tier=1", ""},
		{"annotate configmap applied note=x --overwrite", ""},
		{"create configmap made --from-literal=a=b", ""},
		{"create configmap made --from-literal=a=b", ""},
		{"create deployment made --image=example.com/c:1 --dry-run=server -o name", ""},
		{"replace -f -", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"made"},"data":{"c":"d"}}`},
		{"get configmaps -l tier=1 -o name", ""},
		{"set image deployment/applied c=example.com/c:2", ""},
		{"run made --image=example.com/c:1 --restart=Never", ""},
		{"exec made -- true", ""},
		{"delete pod made --now", ""},
		{"delete -f - --wait=false", manifest},
		{"delete configmap made", ""},
		{"delete configmap made", ""},
		{"get configmap,deployment,crontab,pod -o name", ""},
	}
	outputs := map[string][]string{}
	for name, server := range map[string]string{"direct": cluster.URL(), "weir": weir.URL} {
		ns := "kubectl-" + name
		_, err := admin.CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, metav1.CreateOptions{})
		must(t, err)
		k := newKubectl(t, server, cluster.Admin)
		for _, step := range steps {
			out := steady(k.run(t, step.stdin, append([]string{"-n", ns}, strings.Fields(step.args)...)...))
			out = varying.ReplaceAllString(out, "$1")
			out = regexp.MustCompile(`/tmp/\S+|\d{4}-\d\d-\d\d \d\d:\S+ \S+`).ReplaceAllString(out, "FILE")
			outputs[name] = append(outputs[name], strings.ReplaceAll(out, ns, "NS"))
		}
	}
	for i, step := range steps {
		t.Run(subtestName(fmt.Sprintf("%02d %s", i, step.args)), func(t *testing.T) {
			a, b := outputs["direct"][i], outputs["weir"][i]
			if a != b {
				t.Errorf("directly\n%s\nby Weir\n%s", a, b)
			}
		})
	}
}

// TestKubectlWatch keeps `kubectl get -w` running through Weir while things change.
func TestKubectlWatch(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	must(t, createConfigMap(ctx, "empty", "watched-0", nil, ""))
	k := newKubectl(t, weir.URL, cluster.Admin)
	var lines [2]*bufio.Reader
	for i, args := range []string{"get configmaps -n empty -w -o name", "get configmaps -n empty -w --output-watch-events --no-headers"} {
		cmd := k.command(ctx, strings.Fields(args)...)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		t.Cleanup(func() { cancel(); _ = cmd.Wait() })
		lines[i] = bufio.NewReader(out)
	}
	expect := func(i int, want string) {
		t.Helper()
		line, err := lines[i].ReadString('\n')
		if err == io.EOF || !strings.Contains(spaces.ReplaceAllString(line, " "), want) {
			t.Fatalf("watch %d: %q (%v), not %q", i, line, err, want)
		}
	}
	expect(0, "configmap/watched-0")
	expect(1, "ADDED watched-0")
	must(t, createConfigMap(ctx, "empty", "watched-1", nil, ""))
	expect(0, "configmap/watched-1")
	expect(1, "ADDED watched-1 1")
	must(t, admin.CoreV1().ConfigMaps("empty").Delete(ctx, "watched-0", metav1.DeleteOptions{}))
	expect(0, "configmap/watched-0")
	expect(1, "DELETED watched-0")
	must(t, admin.CoreV1().ConfigMaps("empty").Delete(ctx, "watched-1", metav1.DeleteOptions{}))
	expect(0, "configmap/watched-1")
	expect(1, "DELETED watched-1")
}
