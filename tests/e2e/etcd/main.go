// etcd as upstream ships it, in a module of its own: its dependencies and kube-apiserver's disagree.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
