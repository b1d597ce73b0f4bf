package oracle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// A Kubelet stands in for a node's kubelet where the API server talks to one: exec, attach, port-forward and logs. It
// speaks SPDY and WebSocket with the kubelet's own code, lets in nobody but the API server, and runs commands as
// processes of this machine in a directory of its own.
type Kubelet struct {
	// Pod is the running pod that the kubelet knows, with container "c"; its node is called after it.
	Namespace, Pod string
	// Files is where commands run.
	Files string

	server   *http.Server
	listener net.Listener
}

// StartKubelet makes a namespace with a running pod in it, whose node's kubelet is the new stand-in.
func (c *Cluster) StartKubelet(name string) (*Kubelet, error) {
	files, err := os.MkdirTemp(c.Dir, "kubelet-")
	if err != nil {
		return nil, err
	}
	k := &Kubelet{Namespace: name, Pod: name, Files: files}
	if err := k.listen(c); err != nil {
		return nil, err
	}
	if err := k.register(c); err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// Close ends it, with all that runs in it.
func (k *Kubelet) Close() { _ = k.server.Close() }

func (k *Kubelet) listen(c *Cluster) error {
	serving, err := c.ClientCA.Server("kubelet-" + k.Pod)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(serving.CertFile, serving.KeyFile)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(c.ProxyCA.CertFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	if k.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", k.exec)
	mux.HandleFunc("/attach/{namespace}/{pod}/{container}", k.attach)
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.portForward)
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", k.logs)
	k.server = &http.Server{
		Handler: mux,
		// Upgrades exist in HTTP/1.1 only.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: tls.VersionTLS12,
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = k.server.ServeTLS(k.listener, "", "") }()
	return nil
}

func (k *Kubelet) register(c *Cluster) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	ctx := context.Background()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: k.Pod}}
	if node, err = client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		return err
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(k.listener.Addr().(*net.TCPAddr).Port)
	if _, err = client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: k.Namespace}}
	if _, err = client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: k.Pod},
		Spec: corev1.PodSpec{
			NodeName: k.Pod,
			Containers: []corev1.Container{{
				Name: "c", Image: "example.com/c:1", Stdin: true, Ports: []corev1.ContainerPort{{ContainerPort: 7}},
			}},
		},
	}
	if pod, err = client.CoreV1().Pods(k.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return err
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "c", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	_, err = client.CoreV1().Pods(k.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

const kubeletIdle = time.Minute

func (k *Kubelet) exec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, k, r.PathValue("pod"), "", r.PathValue("container"), r.URL.Query()["command"], options,
		kubeletIdle, remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
}

// ExecInContainer runs the command. With a terminal there is none: the sizes that come are the output.
func (k *Kubelet) ExecInContainer(ctx context.Context, _, _, _ string, command []string, in io.Reader, out, errs io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if tty {
		size := <-resize
		_, err := fmt.Fprintf(out, "%dx%d\n", size.Width, size.Height)
		return err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = k.Files
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.WaitDelay = time.Second
	if out != nil {
		cmd.Stdout = out
	}
	if errs != nil {
		cmd.Stderr = errs
	}
	if in != nil {
		// Not cmd.Stdin: the command may end before its input does.
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(pipe, in)
			_ = pipe.Close()
		}()
	}
	err := cmd.Run()
	if exit, ok := err.(*exec.ExitError); ok {
		return &utilexec.ExitErrorWrapper{ExitError: exit}
	}
	return err
}

func (k *Kubelet) attach(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeAttach(w, r, k, r.PathValue("pod"), "", r.PathValue("container"), options,
		kubeletIdle, remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
}

// AttachContainer greets, then says whatever it hears in upper case.
func (k *Kubelet) AttachContainer(_ context.Context, _, _, _ string, in io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize) error {
	if _, err := io.WriteString(out, "attached\n"); err != nil || in == nil {
		return err
	}
	buffer := make([]byte, 4096)
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := io.WriteString(out, strings.ToUpper(string(buffer[:n]))); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (k *Kubelet) portForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, k, r.PathValue("pod"), "", options,
		kubeletIdle, remotecommand.DefaultStreamCreationTimeout, portforward.SupportedProtocols)
}

// PortForward answers at every port: a line with the port's number, then all that comes.
func (k *Kubelet) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	if _, err := fmt.Fprintf(stream, "port %d\n", port); err != nil {
		return err
	}
	_, err := io.Copy(stream, stream)
	return err
}

// logs sends the lines of the file "log" in Files; with follow it waits for more, until the client leaves or a line says
// "end".
func (k *Kubelet) logs(w http.ResponseWriter, r *http.Request) {
	file, err := os.Open(filepath.Join(k.Files, "log"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer file.Close()
	w.Header().Set("Transfer-Encoding", "chunked")
	follow := r.FormValue("follow") == "true"
	for {
		text, err := io.ReadAll(file)
		if err != nil {
			return
		}
		if _, err := w.Write(text); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		if !follow || strings.HasSuffix(string(text), "end\n") {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
