//go:build interop

package interop

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// pythons are the readers of Paimon's Python library, and for each the types
// and options that it does not read: those tables are left to the other readers.
var pythons = []struct {
	name   string
	native bool
	not    []string
}{
	// Fractions below a microsecond come back as zeros.
	{"python", false, []string{"TIMESTAMP(9)"}},
	// Of an lz4 page of several blocks only the first is read.
	{"rust", true, []string{`"file.compression":"lz4"`}},
}

// TestPythonReadsWhatGoWrites has a witness that is not Java: Paimon's Python
// library, once with its own reader and once with the one written in Rust.
// Neither knows MULTISET.
func TestPythonReadsWhatGoWrites(t *testing.T) {
	if run.python == nil {
		t.Skip("TIDELAKE_PYTHON is not set: run.sh installs pypaimon where it can")
	}
	each(t, run.java, 10, func(w *world) {
		w.draw((*randomTable).pythonMerges)
		python := run.python.take(w.t)
		w.create(true)
		for range 1 + w.rand.r.IntN(4) {
			s := w.step()
			w.perform(s.kind != "compact", s)
		}
		want := w.agree("rows", table.ScanOptions{})
		for _, reader := range pythons {
			if slices.ContainsFunc(reader.not, func(typ string) bool { return strings.Contains(w.rand.definition(), typ) }) {
				continue
			}
			got, err := python.ask(map[string]any{"warehouse": w.dir, "table": w.id.String(), "native": reader.native})
			if err != nil {
				w.t.Errorf("%s: %v", reader.name, err)
				continue
			}
			w.same("rows", "java", want, reader.name, sorted(got))
		}
	}, "MULTISET")
}

// pythonMerges tells that pypaimon merges as Paimon does with these options: it
// refuses sequence groups, and deletes that partial-update and aggregation would
// take or ignore. It makes blank texts null in listagg, cannot give out what the
// functions of rows and maps made, and its Rust reader loses rows of such lists.
func (t *randomTable) pythonMerges() bool {
	switch t.options["merge-engine"] {
	case "partial-update":
		return len(t.takesDeletes) == 0 && !t.has("ignore-delete") && !t.has(".sequence-group")
	case "aggregation":
		return len(t.takesDeletes) == 0 && !t.has(".ignore-retract") && !t.has("remove-record-on-delete") &&
			!t.aggregates("listagg", "nested_update", "nested_partial_update", "merge_map", "merge_map_with_keytime")
	}
	return true
}
