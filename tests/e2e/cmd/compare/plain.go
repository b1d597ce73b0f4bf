package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
)

// A plain is a running weir-plain: the same bytes through bare send().
type plain struct {
	cmd  *exec.Cmd
	addr string
}

func startPlain(binary string) (*plain, error) {
	p := &plain{cmd: exec.Command(binary)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, err
	}
	p.addr = "127.0.0.1:" + strings.TrimPrefix(strings.TrimSpace(line), "port ")
	return p, nil
}

func (p *plain) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *plain) dial(first string) (net.Conn, error) {
	conn, err := dialer().Dial("tcp", p.addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "%s\n", first)
	return conn, err
}

// bulk receives `total` bytes that were sent by up to `size` each.
func (p *plain) bulk(total int64, size int) error {
	conn, err := p.dial(fmt.Sprintf("bulk %d %d", total, size))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(conn, total), make([]byte, 256<<10))
	return err
}
