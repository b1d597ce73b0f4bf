package oracle

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// WeirOptions say how a Weir is started; the zero value is the usual one.
type WeirOptions struct {
	Name string // Of its log file; "weir" if empty.
	// Identity is who Weir is upstream: the client certificate of user "weir" if zero. It must be in WeirGroup.
	Identity User
	// Args are added at the end of the command line, so they override what comes before.
	Args []string
	// Launcher is a program with arguments that starts the binary that comes behind them, in its own process.
	Launcher []string
	// NoFrontProxy leaves out the front-proxy certificate: requests of certificate users cannot be forwarded then.
	NoFrontProxy bool
	// Upstream replaces the API server's URL.
	Upstream string
	// DoNotWait returns at once, without waiting for /readyz on the admin port.
	DoNotWait bool
}

// A Weir is a running proxy in front of a cluster.
type Weir struct {
	URL      string // https
	AdminURL string // http
	Process  *Process
}

// StartWeir starts Weir and waits until its admin port says that it is ready.
func (c *Cluster) StartWeir(o WeirOptions) (*Weir, error) {
	if o.Name == "" {
		o.Name = "weir"
	}
	args, w, err := c.weirCommand(&o)
	if err != nil {
		return nil, err
	}
	command := append(slices.Clone(o.Launcher), WeirBinary())
	args = append(append(command[1:], args...), o.Args...)
	w.Process, err = StartProcess(o.Name, filepath.Join(c.Dir, o.Name+".log"), command[0], args...)
	if err != nil || o.DoNotWait {
		return w, err
	}
	client := &http.Client{Timeout: 5 * time.Second}
	return w, w.Process.waitUntil(30*time.Second, func() error { return httpOK(client, w.AdminURL+"/readyz") })
}

// WeirArgs is the command line that StartWeir would use.
func (c *Cluster) WeirArgs(o WeirOptions) ([]string, error) {
	args, _, err := c.weirCommand(&o)
	return append(args, o.Args...), err
}

func (c *Cluster) weirCommand(o *WeirOptions) ([]string, *Weir, error) {
	serving, err := c.ClientCA.Server("weir-serving")
	if err != nil {
		return nil, nil, err
	}
	if o.Identity.Name == "" {
		if o.Identity, err = c.CertUser("weir", WeirGroup); err != nil {
			return nil, nil, err
		}
	}
	if o.Upstream == "" {
		o.Upstream = c.URL()
	}
	kubeconfig := filepath.Join(c.Dir, o.Name+".kubeconfig")
	if err := o.Identity.WriteKubeconfig(kubeconfig, o.Upstream, c.CAFile(), false); err != nil {
		return nil, nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, nil, err
	}
	admin, err := FreePort()
	if err != nil {
		return nil, nil, err
	}
	args := []string{
		"--kubeconfig", kubeconfig,
		"--bind-address", "127.0.0.1", "--secure-port", strconv.Itoa(port),
		"--tls-cert-file", serving.CertFile, "--tls-private-key-file", serving.KeyFile,
		"--client-ca-file", c.ClientCA.CertFile,
		"--admin-bind-address", fmt.Sprintf("127.0.0.1:%d", admin),
		"--shutdown-delay-duration", "0s",
	}
	if !o.NoFrontProxy {
		args = append(args, "--proxy-client-cert-file", c.FrontProxy.CertFile, "--proxy-client-key-file", c.FrontProxy.KeyFile)
	}
	return args, &Weir{
		URL:      fmt.Sprintf("https://127.0.0.1:%d", port),
		AdminURL: fmt.Sprintf("http://127.0.0.1:%d", admin),
	}, nil
}

// Admin reads a path of the admin port.
func (w *Weir) Admin(path string) (status int, body string, err error) {
	r, err := (&http.Client{Timeout: 10 * time.Second}).Get(w.AdminURL + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, string(text), err
}

// Stop sends SIGTERM and fails unless Weir exits with code 0.
func (w *Weir) Stop() error {
	code, err := w.Process.Stop(60 * time.Second)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit code %d after SIGTERM\n%s", w.Process.Name, code, w.Process.LogTail())
	}
	return err
}
