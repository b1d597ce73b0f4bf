package golden

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStoredFilesAreWhatThisReleaseEncodes(t *testing.T) {
	for name, want := range Files() {
		got, err := os.ReadFile(filepath.Join("../../protocol/k8s/golden", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the serializers write now: go run ./cmd/golden", name)
		}
	}
}
