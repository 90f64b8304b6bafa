// Resume writes a log into a table exactly once, however often it is killed:
// the place in the log is the commit identifier, and a new process asks the
// table where the last one stopped. It keeps no state of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// records is the log: a key and a value each.
var records = []string{"a=1", "b=2", "a=3", "c=4", "b=5", "a=6", "d=7"}

func main() {
	dir, err := os.MkdirTemp("", "resume")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for try := 1; ; try++ {
		n, err := run(context.Background(), dir)
		fmt.Printf("process %d wrote %d records", try, n)
		if err == nil {
			fmt.Println(" and reached the end")
			return
		}
		fmt.Println(" and died:", err)
	}
}

var errKilled = errors.New("killed")

// run is one life of a process: it goes on behind the last commit, commits
// every two records, and dies behind its second commit.
func run(ctx context.Context, dir string) (wrote int, err error) {
	cat, err := catalog.Open(ctx, dir, table.Settings{}, table.Components{})
	if err != nil {
		return 0, err
	}
	defer cat.Close()
	t, err := open(ctx, cat)
	if err != nil {
		return 0, err
	}
	w, err := t.NewWriter(ctx, table.WriterOptions{User: "log-copier"}) // the name that survives
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	c, err := t.NewCommitter(ctx, w.User())
	if err != nil {
		return 0, err
	}
	next, err := c.NextIdentifier(ctx) // behind the newest commit of this user
	if err != nil {
		return 0, err
	}
	for at := int(next) - 1; at < len(records); {
		to := min(at+2, len(records))
		for _, r := range records[at:to] {
			if err := w.Put(ctx, table.Row{"k": r[:1], "v": int(r[2] - '0')}); err != nil {
				return wrote, err
			}
		}
		msgs, err := w.Prepare(ctx, int64(to))
		if err != nil {
			return wrote, err
		}
		if err := w.Commit(ctx, int64(to), msgs); err != nil {
			return wrote, err
		}
		wrote, at = wrote+to-at, to
		if wrote == 4 {
			return wrote, errKilled
		}
	}
	return wrote, show(ctx, t)
}

// open opens the table, and makes it the first time.
func open(ctx context.Context, c *catalog.Catalog) (*table.Table, error) {
	id := catalog.Identifier{Database: "app", Table: "latest"}
	t, err := c.Table(ctx, id)
	if !errors.Is(err, table.ErrNotFound) {
		return t, err
	}
	def, err := schema.ParseDefinition([]byte(`{"columns": [{"name": "k", "type": "STRING"}, {"name": "v", "type": "INT"}],
		"primary-key": ["k"], "options": {"bucket": "1"}}`))
	if err != nil {
		return nil, err
	}
	if err := c.CreateDatabase(ctx, id.Database); err != nil && !errors.Is(err, table.ErrExists) {
		return nil, err
	}
	return c.CreateTable(ctx, id, def)
}

// show prints the table's rows.
func show(ctx context.Context, t *table.Table) error {
	s, err := t.Scan(ctx, table.ScanOptions{})
	if err != nil {
		return err
	}
	for batch, err := range s.Batches(ctx) {
		if err != nil {
			return err
		}
		for r := range int(batch.NumRows()) {
			fmt.Println(batch.Column(0).ValueStr(r), batch.Column(1).ValueStr(r))
		}
	}
	return nil
}
