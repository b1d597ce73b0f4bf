// Builds etcd, the control plane and kubectl into build/oracle, so that the tests find them ready.
package main

import (
	"fmt"
	"os"

	"weir.dev/e2e/oracle"
)

func main() {
	if _, err := oracle.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
