package oracle

import (
	"path/filepath"
	"time"
)

// A ClientForm is how a component asks for what it reads.
type ClientForm struct {
	ContentType string // Of requests and answers: kube-api-content-type.
	WatchList   bool   // Whether its informers begin with a stream instead of a LIST.
}

// Controllers are what makes a cluster of an API server: they turn Deployments into pods and give pods to nodes.
type Controllers struct {
	Manager, Scheduler *Process
}

// StartControllers runs a kube-controller-manager and a kube-scheduler against a server: the API server or a Weir in
// front of it. Each has a client certificate of its own; each controller inside the manager has a token of its service
// account besides. They hold their leases for longer than an API server takes to start again.
func (c *Cluster) StartControllers(server string, manager, scheduler ClientForm) (*Controllers, error) {
	k := &Controllers{}
	var err error
	k.Manager, err = c.startController("kube-controller-manager", server, manager,
		"--use-service-account-credentials", "--service-account-private-key-file", c.signingKey, "--root-ca-file", c.CAFile(),
		// All its controllers share one limit, which would be what the tests wait for.
		"--kube-api-qps", "200", "--kube-api-burst", "400")
	if err != nil {
		return nil, err
	}
	if k.Scheduler, err = c.startController("kube-scheduler", server, scheduler); err != nil {
		k.Kill()
		return nil, err
	}
	return k, nil
}

func (c *Cluster) startController(name, server string, form ClientForm, args ...string) (*Process, error) {
	user, err := c.CertUser("system:" + name)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(c.Dir, name+".kubeconfig")
	if err := user.WriteKubeconfig(kubeconfig, server, c.CAFile(), false); err != nil {
		return nil, err
	}
	gate := "WatchListClient=false"
	if form.WatchList {
		gate = "WatchListClient=true"
	}
	args = append([]string{
		name, "--kubeconfig", kubeconfig, "--kube-api-content-type", form.ContentType, "--feature-gates", gate,
		"--secure-port", "0",
		"--leader-elect-lease-duration", "60s", "--leader-elect-renew-deadline", "45s", "--leader-elect-retry-period", "2s",
	}, args...)
	return StartProcess(name, filepath.Join(c.Dir, name+".log"), c.Binaries.ControlPlane, args...)
}

// Stop ends both in order.
func (k *Controllers) Stop(timeout time.Duration) error {
	for _, p := range []*Process{k.Scheduler, k.Manager} {
		if _, err := p.Stop(timeout); err != nil {
			return err
		}
	}
	return nil
}

// Kill ends both at once.
func (k *Controllers) Kill() {
	k.Scheduler.Kill()
	k.Manager.Kill()
}
