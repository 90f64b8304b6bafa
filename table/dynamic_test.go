package table_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

const dynamic = `
columns: [{name: p, type: STRING NOT NULL}, {name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}]
primary-key: [p, k]
partition-by: [p]
options: {bucket: -1, dynamic-bucket.target-row-num: 3, write-only: true, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`

// keysOf are rows of keys [from, to) of a partition, all of one value.
func keysOf(p string, from, to int, v string) (rows []string) {
	for k := from; k < to; k++ {
		rows = append(rows, fmt.Sprintf(`{"p":"%s","k":%d,"v":"%s"}`, p, k, v))
	}
	return rows
}

// buckets counts the buckets that the newest snapshot has files in.
func buckets(t *testing.T, tab *table.Table) map[string]int {
	t.Helper()
	seen := map[string]bool{}
	out := map[string]int{}
	latest, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for f, err := range tab.Files(ctx, latest) {
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(f.Partition, f.Bucket)
		if !seen[key] {
			seen[key] = true
			out[strings.TrimPrefix(f.Partition[0], "p=")]++
		}
	}
	return out
}

func TestKeysKeepTheirBucketsAcrossRestarts(t *testing.T) {
	for _, inData := range []string{"false", "true"} {
		st := store.NewMem()
		tab := create(t, st, dynamic, "index-file-in-data-file-dir="+inData)
		load(t, tab, append(keysOf("a", 0, 10, "1"), keysOf("b", 0, 2, "1")...)...)
		load(t, reopen(t, st), append(keysOf("a", 5, 12, "2"), keysOf("b", 0, 2, "2")...)...)
		load(t, reopen(t, st), keysOf("a", 0, 12, "3")...)
		expect(t, reopen(t, st), table.ScanOptions{}, append(keysOf("a", 0, 12, "3"), keysOf("b", 0, 2, "2")...)...)
		if got := buckets(t, tab); got["a"] != 4 || got["b"] != 1 {
			t.Errorf("buckets by partition: %v", got)
		}
		sound(t, tab)
	}
}

func TestAWriterGoesOnWithItsOwnIndex(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, dynamic)
	w := newWriter(t, tab, "u")
	for i := range 5 {
		commit(t, w, tab, keysOf("a", i*2, i*2+4, fmt.Sprint(i))...)
	}
	var first [][]table.CommitMessage
	for i := range 2 { // two prepared before one is committed
		if err := write(t, w, tab, keysOf("a", 20+i*4, 28+i*4, "p")...); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, int64(10+i))
		if err != nil {
			t.Fatal(err)
		}
		first = append(first, msgs)
	}
	for i, msgs := range first {
		data, err := table.MarshalMessages(msgs)
		if err != nil {
			t.Fatal(err)
		}
		if msgs, err = table.UnmarshalMessages(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(ctx, int64(10+i), msgs); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, w, tab, keysOf("a", 0, 40, "z")...)
	expect(t, tab, table.ScanOptions{}, keysOf("a", 0, 40, "z")...)
	if got := buckets(t, tab)["a"]; got != 14 {
		t.Errorf("40 keys in %d buckets", got)
	}
	sound(t, tab)
}

// A snapshot without an index must be told from one that was not looked at, or
// the writer forgets its own index with the first commit that brings nothing.
func TestAWriterRemembersTheFirstIndexOfAnEmptiedTable(t *testing.T) {
	tab := create(t, store.NewMem(), dynamic, "write-only=false")
	c, err := tab.NewCommitter(ctx, "")
	if err == nil {
		err = c.Truncate(ctx, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, tab, "u")
	commit(t, w, tab, keysOf("a", 0, 1, "1")...)
	commit(t, w, tab)
	commit(t, w, tab, keysOf("a", 0, 2, "2")...)
	expect(t, tab, table.ScanOptions{}, keysOf("a", 0, 2, "2")...)
	sound(t, tab)
}

func TestTwoWritersOfOneHashIndexConflict(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, dynamic)
	load(t, tab, keysOf("a", 0, 2, "0")...)
	one, two := newWriter(t, tab, "one"), newWriter(t, tab, "two")
	if err := errors.Join(write(t, one, tab, keysOf("a", 2, 6, "1")...), write(t, two, tab, keysOf("a", 4, 8, "2")...)); err != nil {
		t.Fatal(err)
	}
	if err := one.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	failsWith(t, two.CommitNext(ctx), table.ErrConflict, "hash index", "p=a", "only one writer")
	expect(t, tab, table.ScanOptions{}, append(keysOf("a", 0, 2, "0"), keysOf("a", 2, 6, "1")...)...)
	again := newWriter(t, tab, "three")
	commit(t, again, tab, keysOf("a", 4, 8, "2")...)
	expect(t, tab, table.ScanOptions{}, slices.Concat(keysOf("a", 0, 2, "0"), keysOf("a", 2, 4, "1"), keysOf("a", 4, 8, "2"))...)
	sound(t, tab)
}

func TestWritersOfDifferentPartitionsDoNotMeet(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, dynamic)
	one, two := newWriter(t, tab, "one"), newWriter(t, tab, "two")
	for i := range 3 {
		if err := errors.Join(write(t, one, tab, keysOf("a", 0, 5+i, "1")...), write(t, two, tab, keysOf("b", 0, 5+i, "2")...)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(one.CommitNext(ctx), two.CommitNext(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, tab, table.ScanOptions{}, append(keysOf("a", 0, 7, "1"), keysOf("b", 0, 7, "2")...)...)
	sound(t, tab)
}

func TestWritersMayTakeTurns(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, dynamic)
	one, two := newWriter(t, tab, "one"), newWriter(t, tab, "two")
	for i := range 4 {
		commit(t, one, tab, keysOf("a", i, i+5, "1")...)
		commit(t, two, tab, keysOf("a", i+3, i+8, "2")...)
	}
	c, err := tab.NewCommitter(ctx, "dropper")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DropPartitions(ctx, 1, table.Row{"p": "a"}); err != nil {
		t.Fatal(err)
	}
	commit(t, one, tab, keysOf("a", 2, 4, "new")...)
	expect(t, tab, table.ScanOptions{}, keysOf("a", 2, 4, "new")...)
	sound(t, tab)
}

func TestAnOverwriteBeginsANewIndex(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, dynamic)
	load(t, tab, append(keysOf("a", 0, 10, "1"), keysOf("b", 0, 10, "1")...)...)
	c, err := tab.NewCommitter(ctx, "o")
	if err != nil {
		t.Fatal(err)
	}
	prepared := func(overwrite bool, rows []string) []table.CommitMessage {
		w, err := tab.NewWriter(ctx, table.WriterOptions{Overwrite: overwrite})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := write(t, w, tab, rows...); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		return msgs
	}
	rows := keysOf("a", 8, 10, "2")
	plain, anew := prepared(false, rows), prepared(true, rows)
	failsWith(t, c.Overwrite(ctx, 1, nil, plain), table.ErrInvalid, "WriterOptions.Overwrite")
	failsWith(t, c.Commit(ctx, 1, anew), table.ErrInvalid, "Committer.Overwrite")
	if err := c.Overwrite(ctx, 1, nil, anew); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, append(rows, keysOf("b", 0, 10, "1")...)...)
	if got := buckets(t, tab); got["a"] != 1 || got["b"] != 4 {
		t.Errorf("buckets by partition: %v", got)
	}
	load(t, tab, keysOf("a", 8, 12, "3")...)
	expect(t, tab, table.ScanOptions{}, append(keysOf("a", 8, 12, "3"), keysOf("b", 0, 10, "1")...)...)
	sound(t, tab)
	if err := tab.Abort(ctx, plain); err != nil {
		t.Fatal(err)
	}
	for _, key := range storetest.Tree(t, st, "") {
		for _, m := range plain {
			for _, e := range m.Index {
				if strings.HasSuffix(key, e.Name) {
					t.Errorf("%s outlives its abort", key)
				}
			}
		}
	}
}

func TestCheckSeesABrokenHashIndex(t *testing.T) {
	for what, spoil := range map[string]func(st store.Store, key string) error{
		"does not know its key": func(st store.Store, key string) error { return replaced(st, key, make([]byte, 12)) },
		"holds a hash twice":    func(st store.Store, key string) error { return replaced(st, key, make([]byte, 12)) },
		"length":                func(st store.Store, key string) error { return replaced(st, key, make([]byte, 8)) },
		"not found":             func(st store.Store, key string) error { return st.Delete(ctx, key) },
	} {
		st := store.NewMem()
		tab := create(t, st, dynamic)
		load(t, tab, keysOf("a", 0, 3, "1")...)
		sound(t, tab)
		for _, key := range storetest.Tree(t, st, "index") {
			if err := spoil(st, key); err != nil {
				t.Fatal(err)
			}
		}
		report, err := tab.Check(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(fmt.Sprint(report.Problems), what) {
			t.Errorf("want %q: %v", what, report.Problems)
		}
	}
}

func replaced(st store.Store, key string, data []byte) error {
	if err := st.Delete(ctx, key); err != nil {
		return err
	}
	return st.Write(ctx, key, data)
}
