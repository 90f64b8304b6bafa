package table_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/table"
)

// TestGoldenTagsReadAsJavaReadsThem reads every tag that real Paimon made.
func TestGoldenTagsReadAsJavaReadsThem(t *testing.T) {
	dir, c := goldenCatalog(t)
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*", "expected-tag-*.jsonl"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		tab, err := c.Table(t.Context(), catalog.Identifier{Database: "fx", Table: name})
		if err != nil {
			t.Fatal(err)
		}
		tag := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "expected-tag-"), ".jsonl")
		got, err := scanLines(t.Context(), tab, table.ScanOptions{Tag: tag})
		if err != nil {
			t.Errorf("%s %s: %v", name, tag, err)
			continue
		}
		sameLines(t, file, got)
		_, err = tab.Scan(t.Context(), table.ScanOptions{Tag: tag + "t"})
		failsWith(t, err, table.ErrNotFound, "did you mean "+tag)
	}
}
