package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// A nightly job corrects the days that are over, and a branch has today, which
// a stream writes. Readers see both.
func ExampleTable_Scan_fallbackBranch() {
	ctx := context.Background()
	st := store.NewMem()
	def, err := schema.ParseDefinition([]byte(daily))
	if err != nil {
		log.Fatal(err)
	}
	sc, err := def.Table(0)
	if err != nil {
		log.Fatal(err)
	}
	if err := table.Create(ctx, st, sc); err != nil {
		log.Fatal(err)
	}
	open := func() *table.Table {
		t, err := table.Open(ctx, st, "db.sales", table.Settings{}, table.Components{})
		if err != nil {
			log.Fatal(err)
		}
		return t
	}
	if err := open().CreateBranch(ctx, "live", table.BranchOptions{}); err != nil {
		log.Fatal(err)
	}
	if _, err := open().Alter(ctx, schema.SetOption{Key: "scan.fallback-branch", Value: "live"}); err != nil {
		log.Fatal(err)
	}
	t := open()
	live, err := t.OpenBranch(ctx, "live")
	if err != nil {
		log.Fatal(err)
	}
	sell := func(t *table.Table, day, name string) {
		w, err := t.NewWriter(ctx, table.WriterOptions{})
		if err != nil {
			log.Fatal(err)
		}
		defer w.Close()
		if err := w.Put(ctx, map[string]any{"dt": day, "name": name, "amount": 1}); err != nil {
			log.Fatal(err)
		}
		if err := w.CommitNext(ctx); err != nil {
			log.Fatal(err)
		}
	}
	sell(live, "monday", "appel")
	sell(live, "tuesday", "pear")
	sell(t, "monday", "apple")
	for _, day := range []string{"monday", "tuesday"} {
		fmt.Println(day, rowCount(ctx, t, table.ScanOptions{Where: "dt = '" + day + "' AND name IN ('apple', 'pear')"}))
	}
	// Output:
	// monday 1
	// tuesday 1
}
