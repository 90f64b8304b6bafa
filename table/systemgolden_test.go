package table_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/table"
)

// javaSystem is what real Paimon's scan of a system table of a golden table says.
type javaSystem struct {
	Table, System, Error string
	Rows                 []string
}

// TestSystemTablesOfGoldenTablesAreJavas reads every system table of every table
// that real Paimon wrote.
func TestSystemTablesOfGoldenTablesAreJavas(t *testing.T) {
	warehouse := filepath.Join(golden(t), "warehouse")
	c, err := catalog.Open(ctx, warehouse, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var tab *table.Table
	rows := 0
	for java := range eachJavaSystem(t) {
		if refused[java.Table] != "" {
			continue
		}
		if tab == nil || tab.Name() != "fx."+java.Table {
			if tab, err = c.Table(ctx, catalog.Identifier{Database: "fx", Table: java.Table}); err != nil {
				t.Fatalf("%s: %v", java.Table, err)
			}
		}
		if !slices.Contains(table.SystemTables(), java.System) {
			continue
		}
		got := systemLines(t, tab, java.System, table.ScanOptions{})
		for i := range got {
			got[i] = strings.ReplaceAll(got[i], "file:"+warehouse, "file:WAREHOUSE")
		}
		if java.Error != "" {
			continue // it cannot read partitions of timestamps back from their names
		}
		if d := cmp.Diff(settledRows(t, java.System, java.Rows), settledRows(t, java.System, got), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s$%s (-java +ours):\n%s", java.Table, java.System, d)
		}
		rows += len(got)
	}
	if rows < 2000 {
		t.Errorf("only %d rows were compared", rows)
	}
}

func eachJavaSystem(t *testing.T) func(yield func(javaSystem) bool) {
	return func(yield func(javaSystem) bool) {
		f, err := os.Open("testdata/system-1.4.2.jsonl.gz")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		zr, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(zr)
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			var j javaSystem
			if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
				t.Fatal(err)
			}
			if !yield(j) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// settledRows takes out of rows what no two readers need agree on: the order in
// which Java's hash tables give up options, partitions and buckets, and directories
// their files, and the time at which a directory was unpacked.
func settledRows(t testing.TB, system string, rows []string) []string {
	t.Helper()
	rows = slices.Clone(rows)
	switch system {
	case "options", "partitions":
		slices.Sort(rows)
	case "files": // by partition and bucket; within one the order counts
		slices.SortStableFunc(rows, func(a, b string) int { return strings.Compare(bucketOf(a), bucketOf(b)) })
		for i := range rows {
			rows[i] = shortest(rows[i])
			if strings.Contains(rows[i], "/bucket_bytes/") {
				rows[i] = keyBounds.ReplaceAllString(rows[i], "") // Java prints addresses
			}
		}
	case "schemas", "aggregation_fields", "branches":
		for i, row := range rows {
			rows[i] = canonicalRow(t, row)
		}
	}
	if system == "schemas" {
		slices.Sort(rows)
	}
	return rows
}

func bucketOf(row string) string { return row[:strings.Index(row, `,"file_path"`)] }

var keyBounds = regexp.MustCompile(`"m(in|ax)_key":"[^"]*",`)

var exponential = regexp.MustCompile(`-?\d\.\d+E\d+`)

// shortest prints floating-point numbers with as few digits as tell them apart, as
// Java does since release 19: earlier ones print more now and then.
func shortest(row string) string {
	return exponential.ReplaceAllStringFunc(row, func(text string) string {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return text
		}
		return literal.JavaFloat(v, 64)
	})
}

func canonicalRow(t testing.TB, row string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(row), &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "create_time")
	if text, ok := m["options"].(string); ok {
		var o map[string]any
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		m["options"] = o
	}
	for _, key := range []string{"function", "function_options"} {
		if text, ok := m[key].(string); ok {
			list := strings.Split(strings.Trim(text, "[]"), ", ")
			slices.Sort(list)
			m[key] = list
		}
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
