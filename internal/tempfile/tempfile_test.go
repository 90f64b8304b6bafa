package tempfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidelake/tidelake/internal/tempfile"
)

func TestNothingIsLeftOfAClosedFile(t *testing.T) {
	dir := t.TempDir()
	f, err := tempfile.New(dir, "some-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "text" {
		t.Error(string(b), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 1 || len(left) == 1 && filepath.Base(left[0])[:5] != "some-" {
		t.Error(left)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if _, err := tempfile.New(filepath.Join(dir, "none"), ""); err == nil {
		t.Error("a file in no directory")
	}
}
