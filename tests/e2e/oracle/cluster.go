package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// WeirGroup is the group that may do what Weir itself does upstream: read everything, and ask who may do what.
const WeirGroup = "weir-proxies"

// Token users. Each token is the user name with "-token" behind it.
var tokenUsers = []struct {
	name   string
	groups []string
}{
	{"admin", []string{"system:masters"}},
	{"weir", []string{WeirGroup}},
	{"alice", nil}, {"bob", nil}, {"carol", nil}, {"dave", []string{"auditors"}},
}

// A Cluster is one etcd with one API server, or two while a replica runs.
type Cluster struct {
	Binaries *Binaries
	Dir      string
	ClientCA *CA
	ProxyCA  *CA // Front proxies.
	// FrontProxy is a client certificate that may name any user in X-Remote-* headers.
	FrontProxy Pair
	Admin      User // system:masters, by token.
	AuditFile  string

	etcd       *Process
	etcdURL    string
	serving    Pair
	signingKey string
	kubelets   Pair // The API server's certificate towards kubelets.
	tokenFile  string
	policyFile string

	mu        sync.Mutex
	api       *apiServer
	replica   *apiServer
	instances int
}

type apiServer struct {
	process *Process
	port    int
}

// Start builds what is missing and brings up etcd and the API server in dir. It returns when /readyz says ok and the
// rights of WeirGroup are in place.
func Start(dir string) (*Cluster, error) {
	binaries, err := Build()
	if err != nil {
		return nil, err
	}
	return StartWith(binaries, dir)
}

// StartWith is Start with programs that are built already.
func StartWith(binaries *Binaries, dir string) (*Cluster, error) {
	c := &Cluster{Binaries: binaries, Dir: dir, AuditFile: filepath.Join(dir, "audit.log")}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	if err := c.startEtcd(); err != nil {
		return nil, err
	}
	if err := c.ageEtcd(); err != nil {
		c.Close()
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		c.Close()
		return nil, err
	}
	if c.api, err = c.startAPIServer("kube-apiserver", port); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.grantWeir(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends everything at once.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range []*apiServer{c.replica, c.api} {
		if a != nil {
			a.process.Kill()
		}
	}
	c.etcd.Kill()
}

// URL of the API server; it stays the same over restarts.
func (c *Cluster) URL() string { return c.api.url() }

// CAFile is the CA of all serving certificates, Weir's too.
func (c *Cluster) CAFile() string { return c.ClientCA.CertFile }

func (a *apiServer) url() string { return fmt.Sprintf("https://127.0.0.1:%d", a.port) }

// TokenUser is one of the users in the API server's token file.
func (c *Cluster) TokenUser(name string) User { return User{Name: name, Token: name + "-token"} }

// CertUser issues a client certificate for a user.
func (c *Cluster) CertUser(name string, groups ...string) (User, error) {
	file := "client-" + strings.NewReplacer(":", "-", "/", "-").Replace(name)
	pair, err := c.ClientCA.Client(file, ClientCertificate{Name: name, Groups: groups})
	return User{Name: name, Cert: pair}, err
}

func (c *Cluster) prepare() error {
	var err error
	if c.ClientCA, err = NewCA(c.Dir, "cluster-ca"); err != nil {
		return err
	}
	if c.ProxyCA, err = NewCA(c.Dir, "front-proxy-ca"); err != nil {
		return err
	}
	if c.serving, err = c.ClientCA.Server("kube-apiserver"); err != nil {
		return err
	}
	if c.FrontProxy, err = c.ProxyCA.Client("front-proxy-client", ClientCertificate{Name: "front-proxy-client"}); err != nil {
		return err
	}
	// Of a CA that means nothing to the API server itself: only kubelets trust it.
	if c.kubelets, err = c.ProxyCA.Client("kubelet-client", ClientCertificate{Name: "kube-apiserver"}); err != nil {
		return err
	}
	if c.signingKey, err = signingKey(c.Dir); err != nil {
		return err
	}
	var tokens bytes.Buffer
	for i, u := range tokenUsers {
		fmt.Fprintf(&tokens, "%s-token,%s,uid-%d,%q\n", u.name, u.name, i, strings.Join(u.groups, ","))
	}
	c.tokenFile = filepath.Join(c.Dir, "tokens.csv")
	if err := os.WriteFile(c.tokenFile, tokens.Bytes(), 0o600); err != nil {
		return err
	}
	c.Admin = c.TokenUser("admin")
	c.policyFile = filepath.Join(c.Dir, "audit-policy.yaml")
	const policy = `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}`
	return os.WriteFile(c.policyFile, []byte(policy), 0o644)
}

func (c *Cluster) startEtcd() error {
	client, err := FreePort()
	if err != nil {
		return err
	}
	peer, err := FreePort()
	if err != nil {
		return err
	}
	c.etcdURL = fmt.Sprintf("http://127.0.0.1:%d", client)
	peerURL := fmt.Sprintf("http://127.0.0.1:%d", peer)
	c.etcd, err = StartProcess("etcd", filepath.Join(c.Dir, "etcd.log"), c.Binaries.Etcd,
		"--name", "oracle", "--data-dir", filepath.Join(c.Dir, "etcd"), "--log-level", "warn",
		"--listen-client-urls", c.etcdURL, "--advertise-client-urls", c.etcdURL,
		"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "oracle="+peerURL,
		"--unsafe-no-fsync", "--watch-progress-notify-interval", "5s")
	if err != nil {
		return err
	}
	return c.etcd.waitUntil(30*time.Second, func() error { return httpOK(http.DefaultClient, c.etcdURL+"/health") })
}

// ageEtcd writes until every later revision has five digits: revisions are masked where answers are compared, but the
// lengths of the protobuf messages around them are not.
func (c *Cluster) ageEtcd() error {
	const writers, writes = 2, 10000 / 2 // As many as http.Post keeps connections.
	var group errgroup.Group
	for range writers {
		group.Go(func() error {
			for range writes {
				if err := c.EtcdPut("/oracle/age", nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (c *Cluster) startAPIServer(name string, port int, flags ...string) (*apiServer, error) {
	c.instances++
	a := &apiServer{port: port}
	var err error
	a.process, err = StartProcess(name, filepath.Join(c.Dir, fmt.Sprintf("%s-%d.log", name, c.instances)), c.Binaries.ControlPlane, append([]string{
		"kube-apiserver", "--etcd-servers", c.etcdURL,
		// Compaction is the tests' to do.
		"--etcd-compaction-interval", "0",
		"--bind-address", "127.0.0.1", "--secure-port", strconv.Itoa(port), "--advertise-address", "127.0.0.1",
		"--endpoint-reconciler-type", "none",
		"--tls-cert-file", c.serving.CertFile, "--tls-private-key-file", c.serving.KeyFile,
		"--client-ca-file", c.ClientCA.CertFile, "--token-auth-file", c.tokenFile, "--anonymous-auth=true",
		"--authorization-mode", "Node,RBAC",
		"--requestheader-client-ca-file", c.ProxyCA.CertFile, "--requestheader-allowed-names", "front-proxy-client",
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--kubelet-client-certificate", c.kubelets.CertFile, "--kubelet-client-key", c.kubelets.KeyFile,
		"--kubelet-certificate-authority", c.ClientCA.CertFile, "--kubelet-preferred-address-types", "InternalIP",
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", c.signingKey, "--service-account-signing-key-file", c.signingKey,
		"--service-cluster-ip-range", "10.0.0.0/16", "--allow-privileged=true",
		"--disable-admission-plugins", "ServiceAccount",
		// Its lease would move the revision every ten seconds, and tests need quiet.
		"--feature-gates", "APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false",
		"--audit-log-path", c.AuditFile, "--audit-policy-file", c.policyFile, "--audit-log-maxsize", "1000"}, flags...)...)
	if err != nil {
		return nil, err
	}
	client, err := c.Admin.httpClient(c.CAFile())
	if err != nil {
		return nil, err
	}
	return a, a.process.waitUntil(60*time.Second, func() error { return httpOK(client, a.url()+"/readyz") })
}

// StopAPIServer ends the API server: with SIGTERM and five seconds of grace, as a kubelet would, or, hard, at once. Its
// port stays free for StartAPIServer.
func (c *Cluster) StopAPIServer(hard bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !hard {
		if err := c.api.process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		select {
		case <-c.api.process.done:
		case <-time.After(5 * time.Second):
		}
	}
	c.api.process.Kill()
	return nil
}

// StartAPIServer starts it again on the same port.
func (c *Cluster) StartAPIServer() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.startAPIServer("kube-apiserver", c.api.port)
	if err == nil {
		c.api = a
	}
	return err
}

// ForgetHistory compacts etcd and restarts the API server: nothing before now can be read any more.
func (c *Cluster) ForgetHistory() error {
	now, err := c.Revision()
	if err != nil {
		return err
	}
	if err := c.StopAPIServer(true); err != nil {
		return err
	}
	if err := c.Compact(now); err != nil {
		return err
	}
	return c.StartAPIServer()
}

// StartReplica starts a second API server on the same etcd and returns its URL: history that goes on while the first
// one is away. The flags are added to those of the first.
func (c *Cluster) StartReplica(flags ...string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	if c.replica, err = c.startAPIServer("replica", port, flags...); err != nil {
		return "", err
	}
	return c.replica.url(), nil
}

// PauseReplica stops it where it is: its connections stay, and nobody answers. Resume lets it go on.
func (c *Cluster) PauseReplica() (resume func() error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	process := c.replica.process
	return func() error { return process.Signal(syscall.SIGCONT) }, process.Signal(syscall.SIGSTOP)
}

// StopReplica ends it.
func (c *Cluster) StopReplica() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replica.process.Kill()
	c.replica = nil
}

// Client is the typed client of the administrator, straight to the API server.
func (c *Cluster) Client() (kubernetes.Interface, error) {
	return kubernetes.NewForConfig(c.Admin.RESTConfig(c.URL(), c.CAFile()))
}

// Revision is etcd's current revision.
func (c *Cluster) Revision() (int64, error) {
	var status struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	if err := c.etcdCall("/v3/maintenance/status", map[string]any{}, &status); err != nil {
		return 0, err
	}
	return strconv.ParseInt(status.Header.Revision, 10, 64)
}

// Compact drops etcd's history below the revision.
func (c *Cluster) Compact(revision int64) error {
	return c.etcdCall("/v3/kv/compaction", map[string]any{"revision": strconv.FormatInt(revision, 10), "physical": true}, nil)
}

func (c *Cluster) etcdCall(path string, body, result any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.Post(c.etcdURL+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd %s: %s: %s", path, r.Status, answer)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}

// grantWeir gives WeirGroup what deploy/ gives Weir: read everything, and review tokens and access.
func (c *Cluster) grantWeir() error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	ctx := context.Background()
	read := []string{"get", "list", "watch"}
	_, err = client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "weir"},
		Rules: []rbacv1.PolicyRule{
			{Verbs: read, APIGroups: []string{"*"}, Resources: []string{"*"}},
			{Verbs: []string{"get"}, NonResourceURLs: []string{"*"}},
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	for _, role := range []string{"weir", "system:auth-delegator"} {
		_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "weir:" + strings.ReplaceAll(role, ":", "-")},
			Subjects:   []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: WeirGroup}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

func (u User) httpClient(caFile string) (*http.Client, error) {
	config, err := u.TLSClient(caFile)
	if err != nil {
		return nil, err
	}
	var transport http.RoundTripper = &http.Transport{TLSClientConfig: config}
	if u.Token != "" {
		transport = withToken{transport, u.Token}
	}
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}, nil
}

type withToken struct {
	next  http.RoundTripper
	token string
}

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(r)
}

func httpOK(client *http.Client, url string) error {
	r, err := client.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, r.Status, body)
	}
	return nil
}
