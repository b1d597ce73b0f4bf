package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"weir.dev/e2e/oracle"
)

type haproxy struct {
	server
	process *oracle.Process
}

const haproxyConfig = `global
  nbthread %d
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  tune.ssl.cachesize 0
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:%d ssl crt %s alpn h2,http/1.1 ca-file %s verify optional
  default_backend api
backend api
  server api %s ssl ca-file %s verify required check-ssl
`

// startHAProxy starts what HAProxy there is, with as many threads as Weir has workers; nil where there is none.
func startHAProxy(dir string, cluster *oracle.Cluster) (*haproxy, string, error) {
	program, err := exec.LookPath("haproxy")
	if err != nil {
		return nil, "no HAProxy on this machine", nil
	}
	version, err := exec.Command(program, "-v").Output()
	if err != nil {
		return nil, "", err
	}
	pair, err := cluster.ClientCA.Server("haproxy-serving")
	if err != nil {
		return nil, "", err
	}
	both := []byte{}
	for _, file := range []string{pair.CertFile, pair.KeyFile} {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, "", err
		}
		both = append(both, text...)
	}
	pem := filepath.Join(dir, "haproxy.pem")
	if err := os.WriteFile(pem, both, 0o600); err != nil {
		return nil, "", err
	}
	port, err := oracle.FreePort()
	if err != nil {
		return nil, "", err
	}
	config := filepath.Join(dir, "haproxy.cfg")
	text := fmt.Sprintf(haproxyConfig, runtime.NumCPU(), port, pem, cluster.ClientCA.CertFile,
		strings.TrimPrefix(cluster.URL(), "https://"), cluster.CAFile())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, "", err
	}
	process, err := oracle.StartProcess("haproxy", filepath.Join(dir, "haproxy.log"), program, "-db", "-f", config)
	if err != nil {
		return nil, "", err
	}
	time.Sleep(500 * time.Millisecond)
	if !process.Running() {
		return nil, "", fmt.Errorf("haproxy: %s", process.LogTail())
	}
	first, _, _ := strings.Cut(string(version), "\n")
	return &haproxy{server{"haproxy", fmt.Sprintf("https://127.0.0.1:%d", port), process.Pid()}, process}, first, nil
}
