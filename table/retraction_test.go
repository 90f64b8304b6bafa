package table_test

import (
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// A stored retraction that the engine refuses would make its key unreadable for
// good.
func TestRetractionsThatTheEngineRefusesAreNotStored(t *testing.T) {
	const sums = "merge-engine=aggregation fields.v.aggregate-function=sum"
	for _, c := range []struct {
		options, row string
		says         []string // nil: it is stored
	}{
		{"merge-engine=aggregation fields.w.aggregate-function=max", `{"_kind":"-U","k":1}`, []string{"column w", "max", "fields.w.ignore-retract"}},
		{"merge-engine=aggregation fields.w.aggregate-function=max fields.w.ignore-retract=true", `{"_kind":"-U","k":1}`, nil},
		{"merge-engine=aggregation fields.w.aggregate-function=max aggregation.remove-record-on-delete=true", `{"_kind":"-D","k":1}`, nil},
		{"merge-engine=aggregation fields.w.aggregate-function=max aggregation.remove-record-on-delete=true", `{"_kind":"-U","k":1}`, []string{"column w"}},
		{sums, `{"_kind":"-D","k":1,"v":3}`, nil},
		{"merge-engine=partial-update", `{"_kind":"-D","k":1}`, []string{"partial-update", "ignore-delete"}},
		{"merge-engine=partial-update ignore-delete=true", `{"_kind":"-D","k":1}`, nil},
		{"merge-engine=partial-update partial-update.remove-record-on-delete=true", `{"_kind":"-D","k":1}`, nil},
		{"merge-engine=partial-update partial-update.remove-record-on-delete=true", `{"_kind":"-U","k":1}`, nil}, // passed over
		{"merge-engine=first-row", `{"_kind":"-D","k":1}`, []string{"first-row"}},
		{"merge-engine=deduplicate", `{"_kind":"-U","k":1}`, nil},
	} {
		tab := create(t, store.NewMem(), `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: INT}, {name: w, type: INT}]
primary-key: [k]
options: {bucket: 1, write-only: true}`, strings.Fields(c.options)...)
		w := newWriter(t, tab, "")
		err := write(t, w, tab, `{"k":1,"v":3}`, c.row)
		if c.says == nil {
			if err != nil {
				t.Errorf("%s, %s: %v", c.options, c.row, err)
			}
			continue
		}
		failsWith(t, err, table.ErrInvalid, c.says...)
	}
}

// The old value is retracted before the new one is there: that alone leaves a
// column null for a moment.
func TestRetractionInNotNullColumnsIsStored(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: INT NOT NULL}]
primary-key: [k]
options: {bucket: 1, merge-engine: aggregation, fields.v.aggregate-function: last_value}`)
	load(t, tab, `{"k":1,"v":1}`)
	load(t, tab, `{"_kind":"-U","k":1,"v":1}`, `{"_kind":"+U","k":1,"v":2}`)
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":2}`)
}
