package table_test

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/table"
)

// Old snapshots go, and with them the files that only they needed.
func ExampleTable_Expire() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, name := range []string{"Ada", "Ada King", "Ada Lovelace"} {
		w.Put(ctx, table.Row{"id": 1, "name": name})
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
	if _, err := t.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		panic(err)
	}
	report, err := t.Expire(ctx, table.ExpireOptions{RetainMax: 1, DryRun: true})
	if err != nil {
		panic(err)
	}
	fmt.Println("would take away", report.Snapshots, "snapshots and keep", report.Earliest)
	if report, err = t.Expire(ctx, table.ExpireOptions{RetainMax: 1}); err != nil {
		panic(err)
	}
	ids, err := t.Snapshots().IDs(ctx)
	fmt.Println("took away", report.Snapshots, "snapshots; left are", ids, err)
	// Output:
	// would take away 3 snapshots and keep 4
	// took away 3 snapshots; left are [4] <nil>
}
