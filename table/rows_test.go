package table_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

type address struct {
	Street string `tidelake:"street"`
	No     *int32 `tidelake:"no"`
}

type Audit struct {
	Changed time.Time
	By      *string
}

type person struct {
	ID      int64 `tidelake:"id"`
	Name    *string
	Born    time.Time `tidelake:"born"`
	Balance decimal128.Num
	Score   float32
	Tags    []string
	Props   map[string]int
	Home    *address
	Shift   time.Duration
	Bag     map[string]int
	*Audit
	Private string `tidelake:"-"`
	hidden  int
}

const people = `
columns:
  - {name: id, type: BIGINT NOT NULL}
  - {name: name, type: STRING}
  - {name: born, type: DATE}
  - {name: balance, type: "DECIMAL(10,2)"}
  - {name: score, type: FLOAT}
  - {name: tags, type: "ARRAY<STRING>"}
  - {name: props, type: "MAP<STRING, INT>"}
  - {name: home, type: "ROW<street STRING NOT NULL, no INT>"}
  - {name: shift, type: TIME}
  - {name: bag, type: "MULTISET<STRING>"}
  - {name: changed, type: TIMESTAMP_LTZ(3)}
  - {name: by, type: STRING}
primary-key: [id]
options: {bucket: 1}`

func TestStructsAndMapsAreRows(t *testing.T) {
	tab := create(t, store.NewMem(), people)
	w := newWriter(t, tab, "")
	name, no, by := "Ada", int32(7), "root"
	at := time.Date(2026, 1, 31, 23, 30, 0, 5_000_000, time.FixedZone("", 3600))
	full := person{ID: 1, Name: &name, Born: at, Balance: decimal128.FromI64(1050), Score: 1.5, Tags: []string{"b", "a"},
		Props: map[string]int{"z": 1, "a": 2}, Home: &address{"Main", &no}, Shift: 90 * time.Minute, Bag: map[string]int{"q": 2}, Audit: &Audit{at, &by}}
	_ = full.hidden
	for _, row := range []any{full, &person{ID: 2}, table.Row{"id": 3, "home": table.Row{"street": "x"}, "balance": "1.5", "tags": []any{"u", nil}, "born": "2026-02-01"},
		map[string]any{"id": uint8(4), "home": address{Street: "y"}}} {
		if err := w.Put(ctx, row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{},
		`{"id":1,"name":"Ada","born":"2026-01-31","balance":"10.50","score":1.5,"tags":["b","a"],"props":[["a",2],["z",1]],"home":{"street":"Main","no":7},"shift":"01:30:00.000","bag":[["q",2]],"changed":"2026-01-31T22:30:00.005Z","by":"root"}`,
		`{"id":2,"name":null,"born":"0001-01-01","balance":"0.00","score":0,"tags":null,"props":null,"home":null,"shift":"00:00:00.000","bag":null,"changed":null,"by":null}`,
		`{"id":3,"name":null,"born":"2026-02-01","balance":"1.50","score":null,"tags":["u",null],"props":null,"home":{"street":"x","no":null},"shift":null,"bag":null,"changed":null,"by":null}`,
		`{"id":4,"name":null,"born":null,"balance":null,"score":null,"tags":null,"props":null,"home":{"street":"y","no":null},"shift":null,"bag":null,"changed":null,"by":null}`)
	sound(t, tab)
}

func TestBadGoRowsAreRefusedAndLeaveTheWriterUsable(t *testing.T) {
	tab := create(t, store.NewMem(), people)
	w := newWriter(t, tab, "")
	type unknown struct {
		ID   int64
		Nope int
	}
	type twice struct {
		A int64 `tidelake:"id"`
		B int64 `tidelake:"id"`
	}
	var none *person
	for _, c := range []struct {
		row   any
		parts []string
	}{
		{nil, []string{"nil"}}, {none, []string{"nil row"}}, {7, []string{"a struct or a map"}}, {time.Now(), []string{"a struct or a map"}},
		{unknown{}, []string{`"nope"`}}, {twice{}, []string{`"id" twice`}}, {table.Row{"id": 1, "nope": 1}, []string{`"nope"`}},
		{table.Row{"id": "x"}, []string{`"id"`, "BIGINT"}}, {table.Row{"id": uint64(math.MaxUint64)}, []string{`"id"`, "range"}},
		{table.Row{"id": 1, "score": 0.1}, []string{`"score"`, "exact"}}, {table.Row{"id": 1, "shift": -time.Second}, []string{`"shift"`}},
		{table.Row{"id": 1, "balance": decimal128.FromI64(1e15)}, []string{`"balance"`}}, {table.Row{"id": 1, "balance": "1.234x"}, []string{`"balance"`}},
		{table.Row{"id": 1, "tags": []any{1}}, []string{`"tags"`, "element 0"}}, {table.Row{"id": 1, "props": map[int]int{1: 1}}, []string{`"props"`}},
		{table.Row{"id": 1, "home": table.Row{"where": 1}}, []string{`"home"`, `"where"`}}, {table.Row{"id": 1, "home": 5}, []string{`"home"`}},
		{table.Row{"id": 1, "bag": map[string]any{"x": nil}}, []string{"bag"}}, {table.Row{"id": 1, "tags": func() {}}, []string{`"tags"`}},
		{table.Row{"id": 1, "born": time.Date(9_000_000, 1, 1, 0, 0, 0, 0, time.UTC)}, []string{`"born"`}},
		{table.Row{"id": 1, "props": map[any]any{nil: 1}}, []string{"props"}},
	} {
		failsWith(t, w.Put(ctx, c.row), table.ErrInvalid, c.parts...)
	}
	if err := w.Put(ctx, table.Row{"id": 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, tab, table.ScanOptions{Columns: []string{"id"}}); len(got) != 1 {
		t.Error(got)
	}
}

// Rows of a stream's batch are found behind the columns that it puts before them.
func TestARowOfAStreamIsFoundByTheNamesOfItsColumns(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	load(t, tab, `{"k":1,"v":"a"}`)
	s, err := tab.Stream(ctx, table.StreamOptions{UntilSnapshot: 1, CommitTimes: true, Columns: []string{"v", "k"}})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		if row := table.RowOf(s.Fields(), rec, 0); row["k"] != int64(1) || row["v"] != "a" {
			t.Errorf("the row is %v", row)
		}
		if row := table.RowOf(tab.Schema().Fields, rec, 0); len(row) != 2 {
			t.Errorf("in another order the row is %v", row)
		}
	}
	if rows != 1 {
		t.Errorf("%d batches", rows)
	}
}

// What cannot be a row, or a batch, is an error and no panic.
func TestWhatHasNoColumnsIsNoRow(t *testing.T) {
	w := newWriter(t, create(t, store.NewMem(), keyed), "")
	failsWith(t, w.Put(ctx, errors.New("no row")), table.ErrInvalid, "no exported field")
	failsWith(t, w.Put(ctx, struct{ k int64 }{1}), table.ErrInvalid, "no exported field")
	failsWith(t, w.Write(ctx, nil), table.ErrInvalid, "a nil batch")
}

// A row without its key is refused where it is given, and costs no other row.
func TestARowWithoutItsKeyIsRefusedAtOnce(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w, refused := newWriter(t, tab, ""), 0
	for _, row := range []any{table.Row{"k": 1, "v": "a"}, table.Row{"v": "b"}, table.Row{"k": nil}, table.Row{"k": 3, "v": "\xff"}, table.Row{"k": 2, "v": "c"}} {
		if err := w.Put(ctx, row); err != nil {
			failsWith(t, err, table.ErrInvalid, "column ")
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d rows were refused", refused)
	}
	failsWith(t, w.Delete(ctx, struct{ V string }{"a"}), table.ErrInvalid, `column "k" is null`)
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"c"}`)
}

// A key may be a struct of which only the key is filled in: whatever is in its
// other fields is not looked at.
func TestOnlyTheKeyOfAStructIsLookedAtInALookup(t *testing.T) {
	tab := create(t, store.NewMem(), people)
	w := newWriter(t, tab, "")
	if err := errors.Join(w.Put(ctx, table.Row{"id": 1, "balance": "1.50"}), w.CommitNext(ctx)); err != nil {
		t.Fatal(err)
	}
	type account struct {
		ID      int64
		Balance string // "" is no DECIMAL
	}
	rows, err := tab.Get(ctx, account{ID: 1}, &account{ID: 2})
	if err != nil || len(rows) != 2 || rows[0]["id"] != int64(1) || rows[1] != nil {
		t.Errorf("found %v, error %v", rows, err)
	}
	_, err = tab.Get(ctx, struct{ ID, Nothing int }{1, 2})
	failsWith(t, err, table.ErrInvalid, `column "nothing"`)
}
