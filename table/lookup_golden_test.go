package table_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// TestGoldenTablesAreLookedUpAsTheyAreRead looks every row of every table that
// real Paimon wrote up by its key.
func TestGoldenTablesAreLookedUpAsTheyAreRead(t *testing.T) {
	c, err := catalog.Open(ctx, filepath.Join(golden(t), "warehouse"), table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	names, err := c.Tables(ctx, "fx")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, name := range names {
		tab, err := c.Table(ctx, catalog.Identifier{Database: "fx", Table: name})
		if refused[name] != "" || err == nil && len(tab.Schema().PrimaryKeys) == 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		looked++
		t.Run(name, func(t *testing.T) {
			for _, warm := range []bool{false, true} {
				l := openLookup(t, tab, table.LookupOptions{})
				if warm {
					if err := l.Warm(ctx); err != nil {
						t.Fatal(err)
					}
				}
				rowsAreFound(t, tab, l)
			}
		})
	}
	if looked < 40 {
		t.Errorf("only %d tables with a primary key", looked)
	}
}

// rowsAreFound looks the rows of a scan up.
func rowsAreFound(t *testing.T, tab *table.Table, l *table.Lookup) {
	t.Helper()
	scan, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range scan.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		found, err := l.GetBatch(ctx, rec)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(jsonRows(t, scan.Fields(), rec), jsonRows(t, l.Fields(), found.Batch)); d != "" || slices.Contains(found.At, -1) {
			t.Errorf("rows (-read +looked up), %v:\n%s", found.At, d)
		}
		found.Release()
	}
}

func TestLookupNamesAFileThatIsDamaged(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	file := dataFiles(t, st)[0]
	data, err := st.ReadAll(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4; i < len(data)/3; i++ {
		data[i] ^= 0xff // pages
	}
	if err := st.Write(ctx, file, data); err != nil {
		t.Fatal(err)
	}
	for _, warm := range []bool{false, true} {
		l := openLookup(t, tab, table.LookupOptions{})
		if warm {
			err = l.Warm(ctx)
		} else {
			_, err = l.Get(ctx, 1)
		}
		failsWith(t, err, table.ErrCorrupt, file[strings.LastIndexByte(file, '/')+1:])
	}
}
