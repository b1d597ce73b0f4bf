package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var opensslVersion = regexp.MustCompile(`OpenSSL (\d+\.\d+\.\d+)[a-z0-9.-]* +\d+ [A-Z][a-z]{2} \d{4}`)

// mappedOpenSSL is the version of the libcrypto that a process has in memory, whatever it was built with.
func mappedOpenSSL(pid int) (string, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || !strings.Contains(fields[5], "/libcrypto.so") {
			continue
		}
		library, err := os.ReadFile(fields[5])
		if err != nil {
			return "", err
		}
		if found := opensslVersion.FindSubmatch(library); found != nil {
			return string(found[1]), nil
		}
	}
	return "", fmt.Errorf("process %d has mapped no libcrypto that names its version", pid)
}
