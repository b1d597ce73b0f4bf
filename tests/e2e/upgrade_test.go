package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/e2e/oracle"
)

// startKubelet makes a pod that kubectl can enter, for one test.
func startKubelet(t *testing.T, name string) *oracle.Kubelet {
	t.Helper()
	k, err := cluster.StartKubelet(name)
	must(t, err)
	t.Cleanup(func() {
		k.Close()
		none := int64(0)
		_ = admin.CoreV1().Pods(k.Namespace).Delete(context.Background(), k.Pod, metav1.DeleteOptions{GracePeriodSeconds: &none})
		_ = admin.CoreV1().Nodes().Delete(context.Background(), k.Pod, metav1.DeleteOptions{})
	})
	return k
}

// The two ways that kubectl upgrades its connections. WebSocket is its first choice, and ends at the API server; SPDY
// goes on to the kubelet.
var streamings = map[string][]string{
	"websocket": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true", "KUBECTL_PORT_FORWARD_WEBSOCKETS=true"},
	"spdy":      {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false", "KUBECTL_PORT_FORWARD_WEBSOCKETS=false"},
}

// runIn runs kubectl with further environment, its input and output as bytes.
func (k *kubectl) runIn(t *testing.T, env []string, stdin io.Reader, args ...string) (stdout []byte, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := k.command(ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = stdin
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return out.Bytes(), errs.String(), cmd.ProcessState.ExitCode()
}

// noise is n bytes that no compression makes smaller.
func noise(n int) []byte {
	bytes := make([]byte, n)
	source := rand.NewChaCha8([32]byte{7})
	_, _ = source.Read(bytes)
	return bytes
}

// TestKubectlStreams: exec and attach give the same output, errors and exit codes through Weir, by token and by
// certificate, over SPDY and WebSocket.
func TestKubectlStreams(t *testing.T) {
	pod := startKubelet(t, "kubelet-exec")
	byCert, err := cluster.CertUser("admin", "system:masters")
	must(t, err)
	target := []string{"-n", pod.Namespace, "-c", "c"}
	commands := []struct {
		name, stdin string
		args        []string
	}{
		{"output and error", "", []string{"exec", pod.Pod, "--", "sh", "-c", "echo out; echo err >&2"}},
		{"an exit code", "", []string{"exec", pod.Pod, "--", "sh", "-c", "exit 7"}},
		{"no such command", "", []string{"exec", pod.Pod, "--", "/no/such/command"}},
		{"no such pod", "", []string{"exec", "nobody", "--", "true"}},
		{"no such container", "", []string{"exec", pod.Pod, "-c", "x", "--", "true"}},
		{"input", "some text\n", []string{"exec", "-i", pod.Pod, "--", "cat"}},
		{"input that nobody reads", strings.Repeat("x", 1<<20), []string{"exec", "-i", pod.Pod, "--", "sh", "-c", "head -c 1; exit 3"}},
		{"attach", "shout\n", []string{"attach", "-i", pod.Pod}},
		{"attach to nobody", "", []string{"attach", "nobody"}},
	}
	users := map[string]oracle.User{"by token": cluster.Admin, "by certificate": byCert, "bob": cluster.TokenUser("bob")}
	for _, who := range sortedKeys(users) {
		direct, through := newKubectl(t, cluster.URL(), users[who]), newKubectl(t, weir.URL, users[who])
		for _, streaming := range sortedKeys(streamings) {
			for _, c := range commands {
				t.Run(subtestName(who+" "+streaming+" "+c.name), func(t *testing.T) {
					args := append(append([]string{c.args[0]}, target...), c.args[1:]...)
					var out, errs, told string
					var code int
					// How a command that leaves its input unread ends is a race within kubectl and the API server: the two
					// must agree once in three times.
					tries := 1
					if c.name == "input that nobody reads" {
						tries = 3
					}
					for range tries {
						direct, directErrs, directCode := direct.runIn(t, streamings[streaming], strings.NewReader(c.stdin), args...)
						outBy, errsBy, codeBy := through.runIn(t, streamings[streaming], strings.NewReader(c.stdin), args...)
						out, errs, code = string(direct), directErrs, directCode
						chance := who != "bob" && c.name == "input that nobody reads"
						same := bytes.Equal(direct, outBy) && (chance || (steady(errs) == steady(errsBy) && code == codeBy))
						if told = ""; same && (!chance || (slices.Contains([]int{0, 3}, code) && slices.Contains([]int{0, 3}, codeBy))) {
							break
						}
						told = fmt.Sprintf("directly\n%.300q\n%s%d\nby Weir\n%.300q\n%s%d", out, errs, code, outBy, errsBy, codeBy)
					}
					if told != "" {
						t.Error(told)
					}
					if who != "bob" && c.name == "output and error" && (code != 0 || out != "out\n" || errs != "err\n") {
						t.Errorf("this proves nothing: %q %q %d", out, errs, code)
					}
				})
			}
		}
	}
}

// TestExecCarriesMegabytes: both ways, each at the other's pace, and what comes is what was sent.
func TestExecCarriesMegabytes(t *testing.T) {
	pod := startKubelet(t, "kubelet-bytes")
	k := newKubectl(t, weir.URL, cluster.Admin)
	sent := noise(24 << 20)
	for _, streaming := range sortedKeys(streamings) {
		t.Run(streaming, func(t *testing.T) {
			// The command reads nothing for a while: Weir has to stop reading too.
			out, errs, code := k.runIn(t, streamings[streaming], bytes.NewReader(sent), "exec", "-i", "-n", pod.Namespace, pod.Pod, "--", "sh", "-c", "sleep 1; cat")
			if code != 0 || sha256.Sum256(out) != sha256.Sum256(sent) {
				t.Errorf("%d bytes of %d came back; exit %d; %s", len(out), len(sent), code, errs)
			}
		})
	}
}

// TestKubectlCopies a directory into the pod and out again.
func TestKubectlCopies(t *testing.T) {
	pod := startKubelet(t, "kubelet-cp")
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "in", "deep"), 0o755))
	files := map[string][]byte{"empty": nil, "large": noise(3 << 20), "deep/text": []byte("some text\n")}
	for name, content := range files {
		must(t, os.WriteFile(filepath.Join(dir, "in", name), content, 0o600))
	}
	k := newKubectl(t, weir.URL, cluster.Admin)
	for _, streaming := range sortedKeys(streamings) {
		out := filepath.Join(dir, "out-"+streaming)
		for _, args := range [][]string{
			{"cp", filepath.Join(dir, "in"), pod.Namespace + "/" + pod.Pod + ":" + streaming},
			{"cp", pod.Namespace + "/" + pod.Pod + ":" + streaming, out},
		} {
			if text, errs, code := k.runIn(t, streamings[streaming], nil, args...); code != 0 {
				t.Fatalf("%v: %s %s", args, text, errs)
			}
		}
		for name, content := range files {
			if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s over %s: %d bytes, %v", name, streaming, len(got), err)
			}
		}
	}
}

var forwardedPort = regexp.MustCompile(`Forwarding from 127\.0\.0\.1:(\d+)`)

// TestKubectlForwardsPorts: many connections at once over one forwarded port, half-closed by the client.
func TestKubectlForwardsPorts(t *testing.T) {
	pod := startKubelet(t, "kubelet-port")
	k := newKubectl(t, weir.URL, cluster.Admin)
	for _, streaming := range sortedKeys(streamings) {
		t.Run(streaming, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
			defer cancel()
			cmd := k.command(ctx, "port-forward", "-n", pod.Namespace, "pod/"+pod.Pod, ":7", "--address", "127.0.0.1")
			cmd.Env = append(cmd.Env, streamings[streaming]...)
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			line, err := bufio.NewReader(out).ReadString('\n')
			must(t, err)
			match := forwardedPort.FindStringSubmatch(line)
			if match == nil {
				t.Fatal(line)
			}
			problems := inParallel(6, 12, func(i int) string { return echoes(match[1], noise(1<<20+i)) })
			for _, problem := range problems {
				if problem != "" {
					t.Error(problem)
				}
			}
		})
	}
}

// echoes says what is wrong with the echo behind a port.
func echoes(port string, sent []byte) string {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	var sending sync.WaitGroup
	sending.Go(func() {
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
	})
	defer sending.Wait()
	got, err := io.ReadAll(conn)
	want := append([]byte("port 7\n"), sent...)
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Sprintf("%d bytes of %d: %v", len(got), len(want), err)
	}
	return ""
}

// TestLogsFollow: each line is there as soon as it is written, and the end is an end.
func TestLogsFollow(t *testing.T) {
	pod := startKubelet(t, "kubelet-logs")
	log, err := os.Create(filepath.Join(pod.Files, "log"))
	must(t, err)
	defer log.Close()
	_, err = log.WriteString("first\n")
	must(t, err)
	for _, http2 := range []bool{false, offersHTTP2} {
		c := newCaller(t, weir.URL, cluster.Admin, http2)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		r, err := c.open(ctx, request{Path: "/api/v1/namespaces/" + pod.Namespace + "/pods/" + pod.Pod + "/log?follow=true"})
		must(t, err)
		lines := bufio.NewReader(r.Body)
		for _, want := range []string{"first\n", "second\n", "third\n"} {
			if want != "first\n" {
				_, err := log.WriteString(want)
				must(t, err)
			}
			start := time.Now()
			if line, err := lines.ReadString('\n'); err != nil || line != want {
				t.Fatalf("%q %v", line, err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("%q took %s", want, took)
			}
		}
		_ = r.Body.Close()
		must(t, log.Truncate(0))
		_, err = log.WriteAt([]byte("first\n"), 0)
		must(t, err)
		_, err = log.Seek(0, io.SeekEnd)
		must(t, err)
	}
	_, err = log.WriteString("end\n")
	must(t, err)
	direct, through := newKubectl(t, cluster.URL(), cluster.Admin), newKubectl(t, weir.URL, cluster.Admin)
	for _, args := range []string{"logs -f", "logs", "logs --tail=1"} {
		command := append(strings.Fields(args), "-n", pod.Namespace, pod.Pod)
		if a, b := direct.run(t, "", command...), through.run(t, "", command...); a != b || !strings.Contains(a, "end") {
			t.Errorf("%s: directly\n%s\nby Weir\n%s", args, a, b)
		}
	}
}

// dialRaw connects as the user, for bytes.
func dialRaw(t *testing.T, server string, user oracle.User) *tls.Conn {
	t.Helper()
	config, err := user.TLSClient(cluster.CAFile(), "http/1.1")
	must(t, err)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(server, "https://"), config)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

// TestARefusedUpgradeIsNoWayIn: CVE-2018-1002105. Whatever follows an upgrade that was refused reaches nobody, be it
// sent with the request or after the answer, and the connection is closed.
func TestARefusedUpgradeIsNoWayIn(t *testing.T) {
	needsWeir(t)
	pod := startKubelet(t, "kubelet-refuses")
	path := "/api/v1/namespaces/" + pod.Namespace + "/pods/" + pod.Pod
	cert, err := cluster.CertUser("bob")
	must(t, err)
	rows := []struct {
		name, path, headers string
		user                oracle.User
		status              int
	}{
		{"no right", path + "/exec?command=sh&stdout=true", "Upgrade: SPDY/3.1\r\n", cluster.TokenUser("bob"), 403},
		{"no right, by certificate", path + "/exec?command=sh&stdout=true", "Upgrade: websocket\r\n", cert, 403},
		{"no such pod", "/api/v1/namespaces/a/pods/nobody/attach?stdout=true", "Upgrade: SPDY/3.1\r\n", cluster.Admin, 404},
		{"nothing to upgrade", "/version", "Upgrade: websocket\r\n", cluster.Admin, 200},
		{"refused by the kubelet", path + "/exec?command=sh", "Upgrade: SPDY/3.1\r\n", cluster.Admin, 400},
	}
	for _, row := range rows {
		t.Run(subtestName(row.name), func(t *testing.T) {
			mark, err := cluster.AuditMark()
			must(t, err)
			conn := dialRaw(t, weir.URL, row.user)
			authorization := ""
			if row.user.Token != "" {
				authorization = "Authorization: Bearer " + row.user.Token + "\r\n"
			}
			smuggled := "GET /api/v1/namespaces/a/secrets?smuggled HTTP/1.1\r\nHost: x\r\n" + authorization + "\r\n"
			_, err = io.WriteString(conn, "GET "+row.path+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+row.headers+
				authorization+"\r\n"+smuggled)
			must(t, err)
			answers := bufio.NewReader(conn)
			answer, err := http.ReadResponse(answers, nil)
			must(t, err)
			body, err := io.ReadAll(answer.Body)
			must(t, err)
			if answer.StatusCode != row.status || !answer.Close {
				t.Errorf("%d, close %t: %s", answer.StatusCode, answer.Close, body)
			}
			_, _ = io.WriteString(conn, smuggled)
			if rest, _ := io.ReadAll(answers); len(rest) > 0 {
				t.Errorf("after the answer there is more: %s", rest)
			}
			time.Sleep(200 * time.Millisecond)
			events, err := cluster.AuditSince(mark)
			must(t, err)
			for _, e := range events {
				if strings.Contains(e.RequestURI, "smuggled") {
					t.Errorf("the API server was asked %s by %s", e.RequestURI, e.User.Username)
				}
			}
		})
	}
}

// TestTerminationWaitsForTunnels: what runs through a tunnel goes on while Weir drains, and is cut at the end of that.
func TestTerminationWaitsForTunnels(t *testing.T) {
	pod := startKubelet(t, "kubelet-drain")
	w := startWeir(t, oracle.WeirOptions{Args: []string{"--shutdown-timeout", "3s"}})
	k := newKubectl(t, w.URL, cluster.Admin)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := k.command(ctx, "exec", "-i", "-n", pod.Namespace, pod.Pod, "--", "cat")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	echo := func(line string) {
		t.Helper()
		_, err := io.WriteString(in, line+"\n")
		must(t, err)
		if got, err := lines.ReadString('\n'); err != nil || got != line+"\n" {
			t.Fatalf("%q %v", got, err)
		}
	}
	echo("before")
	_, metrics, err := w.Admin("/metrics")
	must(t, err)
	if sample(metrics, "weir_longrunning_upgrades") != 1 {
		t.Error("the tunnel is not counted")
	}
	must(t, w.Process.Signal(syscall.SIGTERM))
	start := time.Now()
	for time.Since(start) < 2*time.Second {
		echo("while it drains")
		time.Sleep(200 * time.Millisecond)
	}
	code, err := w.Process.Wait(10 * time.Second)
	must(t, err)
	if took := time.Since(start); code != 0 || took < 2900*time.Millisecond || took > 6*time.Second {
		t.Errorf("exit %d after %s", code, took)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("kubectl did not notice that it was cut off")
	}
}

// sample is the value of a metric without labels, or of one with them as they are written; -1 if there is none.
func sample(metrics, name string) float64 {
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err == nil {
				return value
			}
		}
	}
	return -1
}

// TestTunnelsAreCounted: bytes while they flow, nothing left open afterwards.
func TestTunnelsAreCounted(t *testing.T) {
	pod := startKubelet(t, "kubelet-count")
	w := startWeir(t, oracle.WeirOptions{})
	k := newKubectl(t, w.URL, cluster.Admin)
	if out, errs, code := k.runIn(t, streamings["spdy"], strings.NewReader(strings.Repeat("x", 100_000)), "exec", "-i", "-n", pod.Namespace, pod.Pod, "--", "cat"); code != 0 || len(out) != 100_000 {
		t.Fatal(errs)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		_, metrics, err := w.Admin("/metrics")
		must(t, err)
		up, down := sample(metrics, `weir_upgrade_bytes_total{direction="up"}`), sample(metrics, `weir_upgrade_bytes_total{direction="down"}`)
		if sample(metrics, "weir_longrunning_upgrades") == 0 && up > 100_000 && down > 100_000 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("up %v, down %v, open %v", up, down, sample(metrics, "weir_longrunning_upgrades"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}
