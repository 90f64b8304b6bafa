package table_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

const users = `
columns:
  - {name: id, type: BIGINT NOT NULL}
  - {name: name, type: STRING}
primary-key: [id]
options: {bucket: 1, write-only: true}
`

// newUsers makes a table of two columns in memory.
func newUsers(ctx context.Context) *table.Table {
	c := catalog.New(store.NewMem(), table.Settings{}, table.Components{})
	def, err := schema.ParseDefinition([]byte(users))
	if err != nil {
		panic(err)
	}
	if err := c.CreateDatabase(ctx, "app"); err != nil {
		panic(err)
	}
	t, err := c.CreateTable(ctx, catalog.Identifier{Database: "app", Table: "users"}, def)
	if err != nil {
		panic(err)
	}
	return t
}

// Rows can be plain structs; the newest row of a key wins.
func ExampleTable_NewWriter() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{User: "importer"})
	if err != nil {
		panic(err)
	}
	defer w.Close()

	type user struct {
		ID   int64
		Name string
	}
	w.Put(ctx, user{1, "Ada"})
	w.Put(ctx, user{2, "Grace"})
	w.Put(ctx, user{1, "Ada Lovelace"})
	w.Delete(ctx, user{ID: 2})
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	s, _ := t.Scan(ctx, table.ScanOptions{})
	n, _ := s.Count(ctx)
	fmt.Println(n, "row")
	// Output: 1 row
}

// Arrow record batches are the fast way in.
func ExampleWriter_Write() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()

	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String}}, nil))
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2, 3}, nil)
	b.Field(1).(*array.StringBuilder).AppendValues([]string{"Ada", "Grace", "Edsger"}, nil)
	rec := b.NewRecordBatch()
	defer rec.Release()
	if err := w.Write(ctx, rec); err != nil {
		panic(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	at, _ := t.Snapshots().Latest(ctx)
	fmt.Println("snapshot", at.ID)
	// Output: snapshot 1
}

// One process prepares, another commits; the messages travel as JSON.
func ExampleWriter_Prepare() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{User: "worker"})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	w.Put(ctx, table.Row{"id": 1, "name": "Ada"})
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		panic(err)
	}
	data, _ := table.MarshalMessages(msgs)

	received, _ := table.UnmarshalMessages(data)
	c, err := t.NewCommitter(ctx, "coordinator")
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Commit(ctx, 1, received))
	fmt.Println(c.Commit(ctx, 1, received)) // a replay does nothing
	at, _ := t.Snapshots().Latest(ctx)
	fmt.Println("snapshot", at.ID)
	// Output:
	// <nil>
	// <nil>
	// snapshot 1
}

// A scan yields Arrow batches, filtered and projected.
func ExampleTable_Scan() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for i, name := range strings.Fields("Ada Grace Edsger Barbara") {
		w.Put(ctx, table.Row{"id": i, "name": name})
	}
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	s, err := t.Scan(ctx, table.ScanOptions{Columns: []string{"name"}, Where: "id >= 2 OR name = 'Ada'"})
	if err != nil {
		panic(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Println(rec.Column(0))
	}
	// Output: ["Ada" "Edsger" "Barbara"]
}

// A table can be opened from any store, without a catalog.
func ExampleOpen() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "tidelake")
	defer os.RemoveAll(dir)
	st, err := store.Open(ctx, dir)
	if err != nil {
		panic(err)
	}
	defer st.Close()
	def, _ := schema.ParseDefinition([]byte(users))
	sc, _ := def.Table(0)
	if err := table.Create(ctx, st, sc); err != nil {
		panic(err)
	}
	t, err := table.Open(ctx, st, "app.users", table.Settings{}, table.Components{})
	if err != nil {
		panic(err)
	}
	for _, f := range t.Schema().Fields {
		fmt.Println(f.Name, f.Type)
	}
	// Output:
	// id BIGINT NOT NULL
	// name STRING
}

// An alteration is one more schema; rows written before are read through it.
func ExampleTable_Alter() {
	ctx := context.Background()
	t := newUsers(ctx)
	sc, err := t.Alter(ctx,
		schema.RenameColumn{Path: schema.Path{"name"}, Name: "full_name"},
		schema.AddColumn{Path: schema.Path{"age"}, Type: schema.Type{Kind: schema.Int, Nullable: true}, Position: schema.Before("full_name")})
	if err != nil {
		panic(err)
	}
	for _, f := range sc.Fields {
		fmt.Println(f.Name, f.Type)
	}
	t, err = t.Refresh(ctx) // reads and writes through the new schema
	if err != nil {
		panic(err)
	}
	fmt.Println("schema", t.Schema().ID)
	// Output:
	// id BIGINT NOT NULL
	// age INT
	// full_name STRING
	// schema 1
}

// newNotes makes an append table of three rows in memory.
func newNotes(ctx context.Context) *table.Table {
	st := store.NewMem()
	def, err := schema.ParseDefinition([]byte(`
columns: [{name: id, type: BIGINT}, {name: note, type: STRING}]
options: {deletion-vectors.enabled: true}`))
	if err != nil {
		panic(err)
	}
	sc, err := def.Table(0)
	if err != nil {
		panic(err)
	}
	if err := table.Create(ctx, st, sc); err != nil {
		panic(err)
	}
	t, err := table.Open(ctx, st, "app.notes", table.Settings{}, table.Components{})
	if err != nil {
		panic(err)
	}
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for id, note := range []string{"first", "second", "third"} {
		w.Put(ctx, table.Row{"id": id, "note": note})
	}
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	return t
}

// Rows of a table without a key are deleted by a filter, in one commit.
func ExampleTable_Delete() {
	ctx := context.Background()
	t := newNotes(ctx)
	r, err := t.Delete(ctx, table.ChangeOptions{Where: "note LIKE 's%' OR id = 2"})
	if err != nil {
		panic(err)
	}
	s, _ := t.Scan(ctx, table.ScanOptions{})
	left, _ := s.Count(ctx)
	fmt.Println(r.Rows, "deleted,", left, "left")
	// Output: 2 deleted, 1 left
}

// An update gives columns of the chosen rows new values.
func ExampleTable_Update() {
	ctx := context.Background()
	t := newNotes(ctx)
	set := []table.Assignment{{Name: "note", Value: "done"}}
	r, err := t.Update(ctx, set, table.ChangeOptions{Where: "id < 2"})
	if err != nil {
		panic(err)
	}
	s, _ := t.Scan(ctx, table.ScanOptions{Where: "note = 'done'"})
	done, _ := s.Count(ctx)
	fmt.Println(r.Rows, "updated,", done, "done")
	// Output: 2 updated, 2 done
}

// A system table is the table in another light, read as a scan is: here what
// a full compaction has seen to.
func ExampleTable_System() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	w.Put(ctx, table.Row{"id": 1, "name": "Ada"})
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	count := func() int64 {
		s, err := t.System(ctx, "ro", table.ScanOptions{Where: "name = 'Ada'"})
		if err != nil {
			panic(err)
		}
		n, err := s.Count(ctx)
		if err != nil {
			panic(err)
		}
		return n
	}
	fmt.Println(count())
	if _, err := t.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		panic(err)
	}
	fmt.Println(count())
	// Output:
	// 0
	// 1
}

// What the table knows of itself is read in the same way, with the columns that
// Paimon gives it.
func ExampleTable_System_files() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	w.Put(ctx, table.Row{"id": 1, "name": "Ada"})
	w.Put(ctx, table.Row{"id": 2, "name": "Bob"})
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	files, err := t.System(ctx, "files", table.ScanOptions{Columns: []string{"level", "record_count", "min_key", "max_key"}, Where: "level = 0"})
	if err != nil {
		panic(err)
	}
	for rec, err := range files.Batches(ctx) {
		if err != nil {
			panic(err)
		}
		for i := range int(rec.NumCols()) {
			fmt.Println(rec.ColumnName(i), rec.Column(i))
		}
	}
	// Output:
	// level [0]
	// record_count [2]
	// min_key ["[1]"]
	// max_key ["[2]"]
}
