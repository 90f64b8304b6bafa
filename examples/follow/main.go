// Follow is a service that keeps a total for every customer while others write
// orders: the table tells it every change once and in order, it keeps its
// totals and its place in the stream in one file, and whenever it dies a new
// process goes on from there. Its consumer keeps what it has still to read
// from expiring meanwhile.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// order is a row of the table, written again whenever its amount changes.
type order struct {
	ID       int    `tidelake:"id"`
	Customer string `tidelake:"customer"`
	Amount   int    `tidelake:"amount"`
}

var orders = []order{{1, "ada", 10}, {2, "bob", 5}, {1, "ada", 30}, {3, "bob", 7}, {2, "cyd", 5}}

// changes is how many changes these orders make: an order that is written again
// is taken back as it was, and then told as it is.
const changes = 7

func main() {
	dir, err := os.MkdirTemp("", "follow")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if err := create(ctx, dir); err != nil {
		log.Fatal(err)
	}
	shop := make(chan error, 1)
	go func() { shop <- sell(ctx, dir) }()
	for process := 1; ; process++ {
		err := follow(ctx, dir, process)
		if err == nil {
			break
		}
		fmt.Println("process", process, "died:", err)
	}
	if err := <-shop; err != nil {
		log.Fatal(err)
	}
}

var ordersTable = catalog.Identifier{Database: "shop", Table: "orders"}

// with opens the table, as each process of a real system would.
func with(ctx context.Context, dir string, use func(*table.Table) error) error {
	cat, err := catalog.Open(ctx, filepath.Join(dir, "warehouse"), table.Settings{}, table.Components{})
	if err != nil {
		return err
	}
	defer cat.Close()
	t, err := cat.Table(ctx, ordersTable)
	if err != nil {
		return err
	}
	return use(t)
}

// create makes the table. Its compactions find out what every row was before.
func create(ctx context.Context, dir string) error {
	def, err := schema.ParseDefinition([]byte(`{
		"columns": [{"name": "id", "type": "INT"}, {"name": "customer", "type": "STRING"}, {"name": "amount", "type": "INT"}],
		"primary-key": ["id"], "options": {"bucket": "1", "changelog-producer": "lookup"}}`))
	if err != nil {
		return err
	}
	cat, err := catalog.Open(ctx, filepath.Join(dir, "warehouse"), table.Settings{}, table.Components{})
	if err != nil {
		return err
	}
	defer cat.Close()
	if err := cat.CreateDatabase(ctx, ordersTable.Database); err != nil {
		return err
	}
	_, err = cat.CreateTable(ctx, ordersTable, def)
	return err
}

// sell is the other side: it knows nothing of its followers.
func sell(ctx context.Context, dir string) error {
	return with(ctx, dir, func(t *table.Table) (err error) {
		w, err := t.NewWriter(ctx, table.WriterOptions{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.Close()) }()
		for _, o := range orders {
			if err := errors.Join(w.Put(ctx, o), w.CommitNext(ctx)); err != nil {
				return err
			}
		}
		return nil
	})
}

// state is all that the service knows. It is kept as one file, so the totals
// and the place in the stream that they stand for cannot part.
type state struct {
	Token   string         `json:"token"` // "" at first
	Changes int            `json:"changes"`
	Totals  map[string]int `json:"totals"`
}

var errKilled = errors.New("killed")

// follow is one life of the service. The first one dies with changes in its
// memory that it had not kept yet.
func follow(ctx context.Context, dir string, process int) error {
	file := filepath.Join(dir, "totals.json")
	now, err := load(file)
	if err != nil {
		return err
	}
	return with(ctx, dir, func(t *table.Table) error {
		o := table.StreamOptions{Columns: []string{"customer", "amount"}, Token: now.Token, Consumer: "totals"}
		if o.Token == "" {
			o.Snapshot = 1 // all changes since there is the table; without it the rows of the newest snapshot would come first
		}
		s, err := t.Stream(ctx, o)
		if err != nil {
			return err
		}
		for snap, err := range s.Snapshots(ctx) {
			if err != nil {
				return err
			}
			for batch, err := range snap.Batches() {
				if err != nil {
					return err
				}
				now.add(batch, process)
			}
			if process == 1 && now.Changes >= 4 {
				return errKilled
			}
			now.Token = s.Token()
			if err := errors.Join(now.save(file), s.Acknowledge(ctx)); err != nil {
				return err
			}
			if now.Changes == changes {
				break // a real service goes on
			}
		}
		for _, customer := range slices.Sorted(maps.Keys(now.Totals)) {
			fmt.Println(customer, now.Totals[customer])
		}
		return nil
	})
}

// add counts changes in: what a row was goes out, what it is comes in.
func (s *state) add(batch arrow.RecordBatch, process int) {
	kinds := batch.Column(0).(*array.Int8)
	customers, amounts := batch.Column(2).(*array.String), batch.Column(3).(*array.Int32)
	for i := range int(batch.NumRows()) {
		kind, customer, amount := schema.RowKind(kinds.Value(i)), customers.Value(i), int(amounts.Value(i))
		fmt.Println("process", process, "reads", kind, customer, amount)
		s.Changes++
		if kind == schema.UpdateBefore || kind == schema.Delete {
			amount = -amount
		}
		s.Totals[customer] += amount
	}
}

func load(file string) (*state, error) {
	s := &state{Totals: map[string]int{}}
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	return s, errors.Join(err, json.Unmarshal(data, s))
}

// save replaces the file at once.
func (s *state) save(file string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
