package table_test

import (
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// An engine of the program's own sees every column, also those of the partition.
func TestOwnEnginesMergePartitionedTables(t *testing.T) {
	err := mergeengine.RegisterEngine("test.last-of-partition", func(sc *schema.Table) (mergeengine.RowMerger, error) {
		return func(v *mergeengine.Versions, row *mergeengine.Row) error {
			for i := range v.Len() {
				if col, at := v.Cell(sc.Index("p"), i); col.IsValid(at) {
					row.Take(i)
				}
			}
			return nil
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tab := create(t, store.NewMem(), `
columns: [{name: p, type: INT NOT NULL}, {name: k, type: INT NOT NULL}, {name: v, type: STRING}]
primary-key: [p, k]
partition-by: [p]
options: {bucket: 1, write-only: true, merge-engine: test.last-of-partition}`)
	load(t, tab, `{"p":1,"k":1,"v":"a"}`, `{"p":2,"k":1,"v":"c"}`)
	load(t, tab, `{"p":1,"k":1,"v":"b"}`)
	expect(t, tab, table.ScanOptions{}, `{"p":1,"k":1,"v":"b"}`, `{"p":2,"k":1,"v":"c"}`)
	expect(t, tab, table.ScanOptions{Columns: []string{"v"}}, `{"v":"b"}`, `{"v":"c"}`)
	got, err := tab.Get(ctx, table.Row{"p": 1, "k": 1})
	if err != nil || got[0]["v"] != "b" || got[0]["p"] != int32(1) {
		t.Error(got, err)
	}
}
