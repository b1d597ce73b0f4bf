package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"weir.dev/e2e/measure"
	"weir.dev/e2e/oracle"
)

// An nginx serves fixed answers as files, over TLS and HTTP/2: it knows nobody, decides nothing and keeps nothing fresh.
type nginx struct {
	process *oracle.Process
	url     string
	version string
}

const nginxConfig = `%s
daemon off;
pid %[2]s/nginx.pid;
error_log %[2]s/nginx-error.log;
worker_processes %[3]d;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[2]s/nginx-temp;
  proxy_temp_path %[2]s/nginx-temp;
  fastcgi_temp_path %[2]s/nginx-temp;
  uwsgi_temp_path %[2]s/nginx-temp;
  scgi_temp_path %[2]s/nginx-temp;
  default_type application/json;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=100;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:%[4]d ssl http2 reuseport;
    ssl_certificate %[5]s;
    ssl_certificate_key %[6]s;
    ssl_session_tickets off;
    root %[2]s/nginx-files;
  }
}
`

// startNginx serves the answers by their paths, with as many workers as Weir has.
func startNginx(dir string, cluster *oracle.Cluster, answers map[string][]byte) (*nginx, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil, fmt.Errorf("%w (apt: nginx-light)", err)
		}
	}
	said, err := exec.Command(program, "-v").CombinedOutput()
	if err != nil {
		return nil, err
	}
	for path, body := range answers {
		file := filepath.Join(dir, "nginx-files", path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, body, 0o644); err != nil {
			return nil, err
		}
	}
	pair, err := cluster.ClientCA.Server("nginx-serving")
	if err != nil {
		return nil, err
	}
	port, err := oracle.FreePort()
	if err != nil {
		return nil, err
	}
	user := ""
	if os.Geteuid() == 0 { // Workers of another user could not read the directory.
		user = "user root;"
	}
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(nginxConfig, user, dir, runtime.NumCPU(), port, pair.CertFile, pair.KeyFile)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	process, err := oracle.StartProcess("nginx", filepath.Join(dir, "nginx.log"), program, "-c", config, "-e", filepath.Join(dir, "nginx-error.log"))
	if err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond)
	if !process.Running() {
		return nil, fmt.Errorf("nginx: %s", process.LogTail())
	}
	_, version, _ := strings.Cut(strings.TrimSpace(string(said)), ": ")
	return &nginx{process, fmt.Sprintf("https://127.0.0.1:%d", port), version}, nil
}

// cpu is that of the workers, the only children.
func (n *nginx) cpu() (float64, error) {
	pid := n.process.Pid()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, field := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		used, err := measure.CPU(child)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}
