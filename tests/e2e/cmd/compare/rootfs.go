package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"weir.dev/e2e/oracle"
)

// rootfsLauncher starts a program by the loader of another Debian, so that it runs with that one's libc, libstdc++,
// OpenSSL and whatever else it has; what it lacks, because there it has another soname, comes from here. Nothing is
// mounted and no right is needed. `lent` becomes a folder of links to the latter.
func rootfsLauncher(root, lent string) ([]string, error) {
	libraries := filepath.Join(root, "usr", "lib", "x86_64-linux-gnu")
	loader := filepath.Join(libraries, "ld-linux-x86-64.so.2")
	if _, err := os.Stat(loader); err != nil {
		return nil, fmt.Errorf("%w: bench/rootfs makes it", err)
	}
	if err := os.Mkdir(lent, 0o755); err != nil {
		return nil, err
	}
	needed, err := exec.Command("ldd", oracle.WeirBinary()).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd: %w", err)
	}
	for line := range strings.Lines(string(needed)) {
		fields := strings.Fields(line) // libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)
		if len(fields) < 3 || fields[1] != "=>" {
			continue
		}
		if _, err := os.Stat(filepath.Join(libraries, fields[0])); err == nil {
			continue
		}
		if err := os.Symlink(fields[2], filepath.Join(lent, fields[0])); err != nil {
			return nil, err
		}
	}
	return []string{"/usr/bin/env",
		"OPENSSL_CONF=" + filepath.Join(root, "etc", "ssl", "openssl.cnf"), // Where there is none: OpenSSL's own defaults.
		"OPENSSL_MODULES=" + filepath.Join(libraries, "ossl-modules"),
		loader, "--library-path", libraries + ":" + lent}, nil
}
