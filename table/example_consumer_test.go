package table_test

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/table"
)

// commitNames makes a snapshot for each name.
func commitNames(ctx context.Context, t *table.Table, names ...string) {
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, name := range names {
		w.Put(ctx, table.Row{"id": 1, "name": name})
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
}

// An operator sends a reader back to an earlier snapshot, and looks how far
// the readers are.
func ExampleTable_ResetConsumer() {
	ctx := context.Background()
	t := newUsers(ctx)
	commitNames(ctx, t, "Ada", "Ada King", "Ada Lovelace")
	if err := t.ResetConsumer(ctx, "search-index", 2); err != nil {
		panic(err)
	}
	fmt.Println(t.ResetConsumer(ctx, "search-index", 9))
	all, err := t.Consumers(ctx)
	for _, c := range all {
		fmt.Println(c.ID, "goes on with snapshot", c.Next)
	}
	one, err2 := t.Consumer(ctx, "search-index")
	fmt.Println(one.Next, err, err2)
	// Output:
	// reset consumer: table app.users: not found: the next snapshot would be 9, and the newest is 3: the table was rolled back or made anew, or never got that far (choose a snapshot from 1 to 4, which is the next to come)
	// search-index goes on with snapshot 2
	// 2 <nil> <nil>
}

// Readers that are gone hold back the expiry of snapshots until their
// consumers are forgotten.
func ExampleTable_DeleteConsumers() {
	ctx := context.Background()
	t := newUsers(ctx)
	commitNames(ctx, t, "Ada")
	for _, id := range []string{"test-1", "test-2", "search-index"} {
		if err := t.ResetConsumer(ctx, id, 1); err != nil {
			panic(err)
		}
	}
	gone, err := t.DeleteConsumers(ctx, func(c table.Consumer) bool { return c.ID[:4] == "test" }, false)
	fmt.Println(len(gone), err)
	fmt.Println(t.DeleteConsumer(ctx, "test-1"))
	_, err = t.ExpireConsumers(ctx, table.ExpireConsumersOptions{})
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// delete consumer: table app.users: not found: there is no consumer test-1
	// expire consumers: table app.users: invalid: nothing says after which time a consumer expires (give a time, or set the table's option consumer.expiration-time)
}

// A service follows a table under a consumer id. It acknowledges what it has
// handled, so a restart goes on there.
func ExampleStream_Acknowledge() {
	ctx := context.Background()
	t := newUsers(ctx)
	commitNames(ctx, t, "Ada", "Ada King", "Ada Lovelace")
	for _, until := range []int64{2, 3} { // two runs of the service
		s, err := t.Stream(ctx, table.StreamOptions{Consumer: "search-index", Snapshot: 1, UntilSnapshot: until})
		if err != nil {
			panic(err)
		}
		for c, err := range s.Snapshots(ctx) {
			if err != nil {
				panic(err)
			}
			rows := int64(0)
			for rec, err := range c.Batches() {
				if err != nil {
					panic(err)
				}
				rows += rec.NumRows() // handle them
			}
			fmt.Println("run until", until, "snapshot", c.Snapshot.ID, "rows", rows)
			if err := s.Acknowledge(ctx); err != nil {
				panic(err)
			}
		}
	}
	// Output:
	// run until 2 snapshot 1 rows 1
	// run until 2 snapshot 2 rows 1
	// run until 3 snapshot 3 rows 1
}
