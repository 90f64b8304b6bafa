//go:build interop

package interop

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestJavaReadsChangedRowsOfKeyedTables: this library deletes and updates rows
// of tables with every merge engine, where it does not refuse to, and Java reads
// and compacts what comes of it.
func TestJavaReadsChangedRowsOfKeyedTables(t *testing.T) {
	each(t, run.java, 6, func(w *world) {
		if len(w.rand.keys) == 0 {
			return
		}
		w.create(w.half())
		for range 4 {
			w.write(w.half(), w.rand.batch(nil))
			c := pick(w.rand.r, w.rand.columns...).name
			w.deletes("`" + c + "` IS " + pick(w.rand.r, "NULL", "NOT NULL"))
			w.empties(pick(w.rand.r, w.rand.columns...).name)
		}
		w.javaRuns("compact", "--full")
		w.agree("rows after compaction", table.ScanOptions{})
		w.verify()
	})
}

// deletes removes rows, if the table lets it.
func (w *world) deletes(where string) {
	w.t.Helper()
	left := w.rows(table.ScanOptions{Where: "NOT (" + where + ")"})
	_, err := w.open().Delete(context.Background(), table.ChangeOptions{Where: where})
	if errors.Is(err, table.ErrUnsupported) {
		return
	}
	w.must(err)
	w.same("rows after a delete where "+where, "go", w.agree("rows after a delete", table.ScanOptions{}), "left", left)
}

// empties sets a column to null, if the table lets it.
func (w *world) empties(column string) {
	w.t.Helper()
	ordering := append(strings.Split(w.rand.options["sequence.field"], ","), w.rand.rowKind)
	if slices.Contains(ordering, column) || strings.HasPrefix(column, "g") || w.column(column).notNull {
		return // it may lose
	}
	var others []string
	for _, c := range w.rand.columns {
		if c.name != column {
			others = append(others, c.name)
		}
	}
	before := w.rows(table.ScanOptions{Columns: others})
	_, err := w.open().Update(context.Background(), []table.Assignment{{Name: column, Expr: "NULL"}}, table.ChangeOptions{})
	if errors.Is(err, table.ErrUnsupported) {
		return
	}
	w.must(err)
	w.agree("rows after an update", table.ScanOptions{})
	w.same("other columns than "+column+" after an update", "go", w.rows(table.ScanOptions{Columns: others}), "before", before)
	if set := w.rows(table.ScanOptions{Where: "`" + column + "` IS NOT NULL"}); len(set) > 0 {
		w.t.Errorf("column %s is set after an update to null: %q", column, set)
	}
}
