// Writes tests/protocol/k8s/golden anew; to be run in tests/e2e, after an update of the Kubernetes modules.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"weir.dev/e2e/golden"
)

func main() {
	const folder = "../protocol/k8s/golden"
	for name, text := range golden.Files() {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
