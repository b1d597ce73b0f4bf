package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir.dev/e2e/oracle"
)

// A secretList is what must not be found where it does not belong: each by a name under which it can be told.
type secretList map[string]string

// clusterSecrets are the tokens that the API server knows, the markers in objects, and all private keys of the run.
func clusterSecrets() (secretList, error) {
	secrets := secretList{"the marker in objects": marker}
	for _, name := range []string{"admin", "alice", "bob", "carol", "dave"} {
		secrets[name+"'s token"] = name + "-token"
	}
	keys, err := filepath.Glob(filepath.Join(cluster.Dir, "*.key"))
	if err != nil {
		return nil, err
	}
	for _, file := range keys {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		secrets.addKey(filepath.Base(file), string(pem))
	}
	return secrets, nil
}

// addKey adds a line out of the middle of a PEM file, which no other file has.
func (s secretList) addKey(name, pem string) {
	lines := strings.Split(strings.TrimSpace(pem), "\n")
	if len(lines) >= 4 {
		s["the key "+name] = lines[len(lines)/2]
	}
}

// in says which of them are in the text.
func (s secretList) in(text []byte) (found []string) {
	for name, secret := range s {
		if at := bytes.Index(text, []byte(secret)); at >= 0 {
			line := text[bytes.LastIndexByte(text[:at], '\n')+1:]
			line, _, _ = bytes.Cut(line, []byte("\n"))
			found = append(found, fmt.Sprintf("%s: %.300s", name, line))
		}
	}
	return found
}

// whatWeirTells is all that a Weir says to those who run it: its log and its metrics.
func whatWeirTells(w *oracle.Weir) ([]byte, error) {
	text, err := os.ReadFile(w.Process.LogFile)
	if err != nil {
		return nil, err
	}
	_, metrics, err := w.Admin("/metrics")
	return append(text, metrics...), err
}

// talksOutOfSchool looks for secrets in what Weir told during the whole run, at the highest verbosity.
func talksOutOfSchool(w *oracle.Weir) error {
	secrets, err := clusterSecrets()
	if err != nil {
		return err
	}
	if len(secrets) < 8 {
		return fmt.Errorf("only %d secrets known: the keys are elsewhere", len(secrets))
	}
	text, err := whatWeirTells(w)
	if err != nil {
		return err
	}
	if found := secrets.in(text); len(found) > 0 {
		return fmt.Errorf("Weir's log or metrics tell %d secrets:\n%s", len(found), strings.Join(found, "\n"))
	}
	return nil
}

// TestSecretsAreFound: the search above finds what is there, and nothing else.
func TestSecretsAreFound(t *testing.T) {
	s := secretList{"a": "needle"}
	s.addKey("k", "-----BEGIN PRIVATE KEY-----\nAAAA\nBBBB\nCCCC\n-----END PRIVATE KEY-----\n")
	if found := s.in([]byte("hay\nhay needle hay\n")); len(found) != 1 || !strings.Contains(found[0], "a: hay needle hay") {
		t.Errorf("found %q", found)
	}
	if found := s.in([]byte("xBBBBx")); len(found) != 1 {
		t.Errorf("found %q", found)
	}
	if found := s.in([]byte("hay\nneedl e\nAAAA")); len(found) != 0 {
		t.Errorf("found %q", found)
	}
}
