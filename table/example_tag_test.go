package table_test

import (
	"context"
	"fmt"
	"log"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// A tag keeps a state readable, a branch tries something on it, a rollback
// goes back to it.
func ExampleTable_CreateTag() {
	ctx := context.Background()
	st := store.NewMem()
	t := exampleTable(ctx, st)
	put(ctx, t, 1, "a")
	if _, err := t.CreateTag(ctx, "before", table.TagOptions{}); err != nil {
		log.Fatal(err)
	}
	put(ctx, t, 2, "b")
	if err := t.CreateBranch(ctx, "dev", table.BranchOptions{Tag: "before"}); err != nil {
		log.Fatal(err)
	}
	dev, err := t.OpenBranch(ctx, "dev")
	if err != nil {
		log.Fatal(err)
	}
	put(ctx, dev, 3, "c")
	put(ctx, dev, 4, "d")
	fmt.Println("tag:", rowCount(ctx, t, table.ScanOptions{Tag: "before"}))
	fmt.Println("table:", rowCount(ctx, t, table.ScanOptions{}))
	fmt.Println("branch:", rowCount(ctx, dev, table.ScanOptions{}))
	if _, err := t.Rollback(ctx, table.RollbackOptions{Tag: "before"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("rolled back:", rowCount(ctx, t, table.ScanOptions{}))
	if err := t.FastForward(ctx, "dev"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("fast-forwarded:", rowCount(ctx, t, table.ScanOptions{}))
	// Output:
	// tag: 1
	// table: 2
	// branch: 3
	// rolled back: 1
	// fast-forwarded: 3
}

func exampleTable(ctx context.Context, st store.Store) *table.Table {
	def, err := schema.ParseDefinition([]byte(keyed))
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
	t, err := table.Open(ctx, st, "db.t", table.Settings{}, table.Components{})
	if err != nil {
		log.Fatal(err)
	}
	return t
}

func put(ctx context.Context, t *table.Table, k int, v string) {
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	if err := w.Put(ctx, table.Row{"k": k, "v": v}); err != nil {
		log.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		log.Fatal(err)
	}
}

func rowCount(ctx context.Context, t *table.Table, o table.ScanOptions) int64 {
	s, err := t.Scan(ctx, o)
	if err != nil {
		log.Fatal(err)
	}
	n, err := s.Count(ctx)
	if err != nil {
		log.Fatal(err)
	}
	return n
}
