// Command oracle runs a kube-apiserver with an etcd of its own for trying things by hand, until Ctrl-C.
//
//	go run ./cmd/oracle /tmp/oracle
//
// It writes DIR/admin.kubeconfig, for a client certificate in system:masters, and DIR/weir.kubeconfig, for the user
// that Weir is, and prints Weir's options for this API server. SIGUSR1 kills the API server, SIGUSR2 starts it again at
// the same address.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"weir.dev/e2e/oracle"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: oracle DIR")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal("oracle: ", err)
	}
}

func run(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	cluster, err := oracle.Start(dir)
	if err != nil {
		return err
	}
	defer cluster.Close()
	kubeconfig := filepath.Join(dir, "admin.kubeconfig")
	if err := cluster.Admin.WriteKubeconfig(kubeconfig, cluster.URL(), cluster.CAFile(), true); err != nil {
		return err
	}
	arguments, err := cluster.WeirArgs(oracle.WeirOptions{Name: "weir"})
	if err != nil {
		return err
	}
	fmt.Println(cluster.URL(), kubeconfig, "pid", os.Getpid())
	fmt.Println("weir", strings.Join(arguments, " "))
	return obey(cluster)
}

// obey does what signals say, until one that ends it.
func obey(cluster *oracle.Cluster) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2)
	for {
		var err error
		switch <-signals {
		case syscall.SIGUSR1:
			err = cluster.StopAPIServer(true)
		case syscall.SIGUSR2:
			err = cluster.StartAPIServer()
		default:
			return nil
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
		}
	}
}
