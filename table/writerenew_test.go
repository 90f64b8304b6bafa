package table_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// impatient is a table whose clock moves on by two minutes whenever it is asked, so
// that its writers look for a newer schema at every commit.
func impatient(t *testing.T, st store.Store) *table.Table {
	w, _ := world(t)
	w.Clock = flying(noon, 2*time.Minute)
	return reopenIn(t, st, w)
}

const renewing = `
columns: [{name: k, type: INT NOT NULL}, {name: v, type: INT}, {name: r, type: "ROW<a INT, b INT>"}]
primary-key: [k]
options: {bucket: 1, write-only: true}`

func TestAWriterTakesUpANewSchemaAfterACommit(t *testing.T) {
	st := store.NewMem()
	create(t, st, renewing)
	tab := impatient(t, st)
	w := newWriter(t, tab, "svc")
	commit(t, w, tab, `{"k":1,"v":1,"r":{"a":1,"b":1}}`)
	now := alter(t, st, "add n INT DEFAULT 7", "type v BIGINT", "rename v amount", "drop r.a", "move k LAST")
	// What was begun with the old columns ends with them.
	commit(t, w, tab, `{"k":2,"v":2,"r":{"a":2,"b":2}}`)
	if err := w.Put(ctx, table.Row{"k": int32(3), "amount": int64(10_000_000_000), "r": table.Row{"b": int32(3)}}); err != nil {
		t.Fatal(err)
	}
	// Values in the order of the writer's first schema go where their columns went.
	if err := w.WriteValues(ctx, schema.Insert, []any{int32(4), int32(4), []any{int32(4), int32(5)}}); err != nil {
		t.Fatal(err)
	}
	commit(t, w, now, `{"k":1,"amount":-1,"r":null,"n":1}`)
	expect(t, now, table.ScanOptions{Columns: []string{"k", "amount", "r", "n"}},
		`{"k":1,"amount":-1,"r":null,"n":1}`, `{"k":2,"amount":2,"r":{"b":2},"n":null}`,
		`{"k":3,"amount":10000000000,"r":{"b":3},"n":7}`, `{"k":4,"amount":4,"r":{"b":5},"n":7}`)
	sound(t, now)
	files := map[int64]int{}
	for f, err := range now.Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		files[f.SchemaID]++
	}
	if files[0] != 2 || files[1] == 0 {
		t.Errorf("files by schema: %v", files)
	}
	failsWith(t, write(t, w, tab, `{"k":5,"v":1,"r":null}`), table.ErrInvalid, `no column "v"`)
}

// Sequence numbers go on over the change of schema, also for files that were
// prepared and are committed late.
func TestAWriterKeepsItsSchemaWhileFilesWaitForTheirCommit(t *testing.T) {
	st := store.NewMem()
	create(t, st, renewing)
	tab := impatient(t, st)
	w := newWriter(t, tab, "svc")
	prepare := func(id int64, row string) []table.CommitMessage {
		t.Helper()
		if err := write(t, w, tab, row); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return msgs
	}
	first, second := prepare(1, `{"k":1,"v":1}`), prepare(2, `{"k":1,"v":2}`)
	alter(t, st, "add n INT")
	for id, msgs := range [][]table.CommitMessage{first, second} {
		if err := w.Put(ctx, table.Row{"k": int32(2), "n": int32(1)}); err == nil {
			t.Error("the new schema was taken up too early")
		}
		if err := w.Commit(ctx, int64(id+1), msgs); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Put(ctx, table.Row{"k": int32(1), "v": int32(3), "n": int32(1)}); err != nil {
		t.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	now := reopen(t, st)
	expect(t, now, table.ScanOptions{Columns: []string{"k", "v", "n"}}, `{"k":1,"v":3,"n":1}`)
	sound(t, now)
}

// What another committer put into the table, or nobody, kept a writer at its
// schema for good.
func TestAWriterTakesUpANewSchemaAfterOthersCommittedItsFiles(t *testing.T) {
	st := store.NewMem()
	create(t, st, renewing)
	tab := impatient(t, st)
	w := newWriter(t, tab, "svc")
	if err := write(t, w, tab, `{"k":1,"v":1}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 7)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tab.NewCommitter(ctx, "another")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Overwrite(ctx, 7, nil, msgs); err != nil {
		t.Fatal(err)
	}
	alter(t, st, "add n INT")
	commit(t, w, tab, `{"k":1,"v":2}`)
	if err := w.Put(ctx, table.Row{"k": int32(2), "n": int32(3)}); err != nil {
		t.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	now := reopen(t, st)
	expect(t, now, table.ScanOptions{Columns: []string{"k", "v", "n"}}, `{"k":1,"v":2,"n":null}`, `{"k":2,"v":null,"n":3}`)
	sound(t, now)
}

func TestAWriterEndsWhereTheNewSchemaCannotBeWritten(t *testing.T) {
	st := store.NewMem()
	create(t, st, renewing)
	tab := impatient(t, st)
	w := newWriter(t, tab, "svc")
	alter(t, st, "set file.format=orc")
	commit(t, w, tab, `{"k":1,"v":1}`)
	failsWith(t, write(t, w, tab, `{"k":2,"v":2}`), table.ErrUnsupported, "the table was altered", "file.format")
}

func TestNewOptionsAreTakenUpToo(t *testing.T) {
	st := store.NewMem()
	create(t, st, renewing)
	tab := impatient(t, st)
	w := newWriter(t, tab, "svc")
	alter(t, st, "set ignore-delete=true")
	commit(t, w, tab, `{"k":1,"v":1}`)
	commit(t, w, tab, `{"_kind":"-D","k":1}`, `{"k":2,"v":2}`)
	expect(t, reopen(t, st), table.ScanOptions{Columns: []string{"k"}}, `{"k":1}`, `{"k":2}`)
}

// A writer, a job or an update that still has the old schema must not write
// rows again that have columns it does not know.
func TestColumnsOfANewSchemaSurviveThoseWhoHaveTheOldOne(t *testing.T) {
	for _, yaml := range []string{
		"columns: [{name: k, type: INT NOT NULL}, {name: v, type: INT}]\nprimary-key: [k]\noptions: {bucket: 1, num-sorted-run.compaction-trigger: 2}",
		"columns: [{name: k, type: INT NOT NULL}, {name: v, type: INT}]\noptions: {bucket: -1, compaction.min.file-num: 2}",
	} {
		st := store.NewMem()
		old := create(t, st, yaml)
		w := newWriter(t, old, "old")
		commit(t, w, old, `{"k":1,"v":1}`)
		load(t, alter(t, st, "add n INT", "set write-only=true"), `{"k":2,"v":2,"n":22}`)
		for k := 3; k < 8; k++ {
			commit(t, w, old, fmt.Sprintf(`{"k":%d,"v":%d}`, k, k))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := old.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
			failsWith(t, err, table.ErrInvalid, "open the table again")
		}
		_, err := old.Update(ctx, []table.Assignment{{Name: "v", Value: 9}}, table.ChangeOptions{Where: "k = 2"})
		failsWith(t, err, table.ErrInvalid, "open the table again")
		now := reopen(t, st)
		expect(t, now, table.ScanOptions{Where: "k = 2"}, `{"k":2,"v":2,"n":22}`)
		if _, err := now.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
			t.Fatal(err)
		}
		expect(t, now, table.ScanOptions{Where: "k <= 3"}, `{"k":1,"v":1,"n":null}`, `{"k":2,"v":2,"n":22}`, `{"k":3,"v":3,"n":null}`)
		sound(t, now)
	}
}
