package table_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

const days = `
columns: [{name: dt, type: STRING}, {name: h, type: INT}, {name: k, type: INT}, {name: v, type: STRING}]
partition-by: [dt, h]
options: {bucket: -1}`

const keyedDays = `
columns: [{name: dt, type: STRING NOT NULL}, {name: h, type: INT NOT NULL}, {name: k, type: INT NOT NULL}, {name: v, type: STRING}]
partition-by: [dt, h]
primary-key: [dt, h, k]
options: {bucket: 2}`

var dayRows = []string{`{"dt":"a","h":1,"k":1,"v":"x"}`, `{"dt":"a","h":2,"k":1,"v":"x"}`, `{"dt":"b","h":1,"k":1,"v":"x"}`, `{"dt":"b","h":2,"k":1,"v":"x"}`}

// overwriting prepares rows and hands them to an overwrite.
func overwriting(t *testing.T, tab *table.Table, inside table.Row, rows ...string) error {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
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
	c, err := tab.NewCommitter(ctx, w.User()+"x")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a replay does nothing
		if err := c.Overwrite(ctx, 1, inside, msgs); err != nil {
			return err
		}
	}
	return nil
}

func TestOverwriteReplacesWhatItNames(t *testing.T) {
	for name, yaml := range map[string]string{"append": days, "keyed": keyedDays} {
		for _, c := range []struct {
			what    string
			options []string
			inside  table.Row
			rows    []string
			want    []string
		}{
			{"full partition", nil, table.Row{"dt": "a", "h": 1}, []string{`{"dt":"a","h":1,"k":9,"v":"n"}`}, []string{`{"dt":"a","h":1,"k":9,"v":"n"}`, dayRows[1], dayRows[2], dayRows[3]}},
			{"part of a partition", nil, table.Row{"dt": "a"}, []string{`{"dt":"a","h":7,"k":9,"v":"n"}`}, []string{`{"dt":"a","h":7,"k":9,"v":"n"}`, dayRows[2], dayRows[3]}},
			{"second column alone", nil, table.Row{"h": 2}, nil, []string{dayRows[0], dayRows[2]}},
			{"dynamic", nil, nil, []string{`{"dt":"b","h":2,"k":9,"v":"n"}`, `{"dt":"c","h":2,"k":9,"v":"n"}`}, []string{dayRows[0], dayRows[1], dayRows[2], `{"dt":"b","h":2,"k":9,"v":"n"}`, `{"dt":"c","h":2,"k":9,"v":"n"}`}},
			{"dynamic with nothing", nil, nil, nil, dayRows},
			{"static", []string{"dynamic-partition-overwrite=false"}, nil, []string{`{"dt":"b","h":2,"k":9,"v":"n"}`}, []string{`{"dt":"b","h":2,"k":9,"v":"n"}`}},
			{"no such partition", nil, table.Row{"dt": "zz"}, nil, dayRows},
		} {
			t.Run(name+" "+c.what, func(t *testing.T) {
				tab := create(t, store.NewMem(), yaml, c.options...)
				load(t, tab, dayRows...)
				if err := overwriting(t, tab, c.inside, c.rows...); err != nil {
					t.Fatal(err)
				}
				expect(t, tab, table.ScanOptions{}, c.want...)
				expect(t, tab, table.ScanOptions{Snapshot: 1}, dayRows...)
				sound(t, tab)
			})
		}
	}
}

func TestOverwriteOfAnUnpartitionedTableReplacesAll(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	if err := overwriting(t, tab, nil, `{"k":3,"v":"c"}`); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":3,"v":"c"}`)
	load(t, tab, `{"k":3,"v":"d"}`) // on top of what the overwrite put at the highest level
	expect(t, tab, table.ScanOptions{}, `{"k":3,"v":"d"}`)
	if err := overwriting(t, tab, table.Row{}, `{"k":4,"v":"e"}`); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":4,"v":"e"}`)
	if at, err := tab.Snapshots().Latest(ctx); err != nil || at.CommitKind != snapshot.Overwrite {
		t.Errorf("%v, %v", at, err)
	}
	sound(t, tab)
}

func TestOverwriteOutsideItsPartitionIsRefused(t *testing.T) {
	tab := create(t, store.NewMem(), days)
	load(t, tab, dayRows...)
	failsWith(t, overwriting(t, tab, table.Row{"dt": "a"}, `{"dt":"b","h":1,"k":1,"v":"n"}`), table.ErrInvalid, "dt=b", "dt=a")
	failsWith(t, overwriting(t, tab, table.Row{"k": 1}), table.ErrInvalid, `"k" is not a partition column`)
	failsWith(t, overwriting(t, tab, table.Row{"h": "one"}), table.ErrInvalid, `"h"`)
	expect(t, tab, table.ScanOptions{}, dayRows...)
}

func TestTruncateAndDropPartitions(t *testing.T) {
	for name, yaml := range map[string]string{"append": days, "keyed": keyedDays} {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), yaml)
			load(t, tab, dayRows...)
			c, err := tab.NewCommitter(ctx, "admin")
			if err != nil {
				t.Fatal(err)
			}
			failsWith(t, c.DropPartitions(ctx, 1), table.ErrInvalid, "Truncate")
			failsWith(t, c.DropPartitions(ctx, 1, table.Row{}), table.ErrInvalid, "Truncate")
			failsWith(t, c.DropPartitions(ctx, 1, table.Row{"v": "x"}), table.ErrInvalid, `"v"`)
			for range 2 {
				if err := c.DropPartitions(ctx, 1, table.Row{"dt": "a", "h": 1}, table.Row{"dt": "b"}); err != nil {
					t.Fatal(err)
				}
			}
			expect(t, tab, table.ScanOptions{}, dayRows[1])
			for range 2 {
				if err := c.Truncate(ctx, 2); err != nil {
					t.Fatal(err)
				}
			}
			expect(t, tab, table.ScanOptions{})
			expect(t, tab, table.ScanOptions{Snapshot: 1}, dayRows...)
			if at, err := tab.Snapshots().Latest(ctx); err != nil || at.ID != 3 || *at.TotalRecordCount != 0 {
				t.Errorf("%+v, %v", at, err)
			}
			load(t, tab, dayRows[0])
			expect(t, tab, table.ScanOptions{}, dayRows[0])
			sound(t, tab)
		})
	}
}

func TestNullPartitionsCanBeOverwritten(t *testing.T) {
	tab := create(t, store.NewMem(), days)
	load(t, tab, `{"dt":null,"h":1,"k":1,"v":"x"}`, dayRows[0])
	if err := overwriting(t, tab, table.Row{"dt": nil}, `{"dt":null,"h":3,"k":2,"v":"y"}`); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"dt":null,"h":3,"k":2,"v":"y"}`, dayRows[0])
	expect(t, tab, table.ScanOptions{Where: "dt IS NULL", Columns: []string{"k"}}, `{"k":2}`)
	sound(t, tab)
}

// The compaction of an ordinary writer marks older rows in files that the
// overwrite takes out; the commit failed as a conflict, or the writer after it.
func TestOverwritesTakeNoRowsCompactedWithOlderOnes(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "write-only=false", "deletion-vectors.enabled=true")
	load(t, tab, `{"k":1,"v":"old"}`)
	c, err := tab.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []table.WriterOptions{{}, {Overwrite: true}} {
		w, err := tab.NewWriter(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := write(t, w, tab, `{"k":1,"v":"new"}`); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Overwrite(ctx, 1, nil, msgs)
		if o.Overwrite && err != nil {
			t.Error(err)
		} else if !o.Overwrite {
			failsWith(t, err, table.ErrInvalid, "WriterOptions.Overwrite")
		}
	}
	if _, err := tab.Compact(ctx, table.CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"new"}`)
}

// Java compacts what an overwrite brings where it looks keys up. Here the rows
// went to the highest level as they were, and later sums counted the deletes.
func TestOverwritesAreCompactedAsJavaDoes(t *testing.T) {
	const sums = "merge-engine=aggregation fields.v.aggregate-function=sum "
	const lookup, level0, none = "changelog-producer=lookup", "compaction.force-up-level-0=true", "write-only=false"
	for _, c := range []struct{ engine, upkeep, replaced, then string }{ // what Java has of key 1 after the overwrite, and at last
		{"", lookup, "", `{"k":1,"v":3}`},
		{"", none, "", `{"k":1,"v":3}`},
		{"merge-engine=partial-update partial-update.remove-record-on-delete=true", lookup, "", `{"k":1,"v":3}`},
		{sums, lookup, `{"k":1,"v":-5}`, `{"k":1,"v":-2}`},
		{sums, lookup + " overwrite-upgrade=false", `{"k":1,"v":-5}`, `{"k":1,"v":-2}`},
		{sums, "force-lookup=true", `{"k":1,"v":-5}`, `{"k":1,"v":-2}`},
		{sums, "deletion-vectors.enabled=true", `{"k":1,"v":-5}`, `{"k":1,"v":-2}`},
		{sums, level0, "", `{"k":1,"v":3}`},
		{sums, none, "", `{"k":1,"v":-2}`},
		{sums + "aggregation.remove-record-on-delete=true", lookup, "", `{"k":1,"v":3}`},
		{sums + "aggregation.remove-record-on-delete=true", "deletion-vectors.enabled=true", "", `{"k":1,"v":3}`},
		{sums + "aggregation.remove-record-on-delete=true", level0, "", `{"k":1,"v":3}`},
		{sums + "aggregation.remove-record-on-delete=true", none, "", `{"k":1,"v":8}`},
	} {
		t.Run(c.upkeep+" "+c.engine, func(t *testing.T) {
			tab := create(t, store.NewMem(), strings.Replace(keyed, "STRING", "INT", 1), strings.Fields("write-only=false "+c.upkeep+" "+c.engine)...)
			load(t, tab, `{"k":1,"v":100}`)
			anew(t, tab, `{"_kind":"-D","k":1,"v":5}`, `{"k":2,"v":1}`)
			expect(t, tab, table.ScanOptions{Where: "k = 1"}, append([]string(nil), strings.Fields(c.replaced)...)...)
			load(t, tab, `{"k":1,"v":3}`)
			expect(t, tab, table.ScanOptions{Where: "k = 1"}, c.then)
			sound(t, tab)
		})
	}
}

// anew overwrites a table with the rows of a writer that was opened for that.
func anew(t *testing.T, tab *table.Table, rows ...string) {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{Overwrite: true})
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
	c, err := tab.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	failsWith(t, c.Commit(ctx, 1, msgs), table.ErrInvalid, "Committer.Overwrite")
	for range 2 { // a replay does nothing
		if err := c.Overwrite(ctx, 1, nil, msgs); err != nil {
			t.Fatal(err)
		}
	}
}

// A writer that goes on after its overwrite compacts the rows of the next one by
// themselves, and those that it had to flush early together with the rest.
func TestAWriterOverwritesAgain(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "write-only=false", "deletion-vectors.enabled=true", "write-buffer-size=1 kb", "write-buffer-spillable=false")
	load(t, tab, `{"k":1,"v":"old"}`, `{"k":9,"v":"old"}`)
	w, err := tab.NewWriter(ctx, table.WriterOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c, err := tab.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n <= 3; n++ {
		for _, v := range []string{"a", "b", "c"} {
			if err := write(t, w, tab, fmt.Sprintf(`{"k":1,"v":%q}`, v+strings.Repeat("x", 2000)), fmt.Sprintf(`{"k":%d,"v":"%s"}`, n+1, v)); err != nil {
				t.Fatal(err)
			}
		}
		msgs, err := w.Prepare(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		if len(msgs) != 1 || len(msgs[0].NewFiles) < 2 || len(msgs[0].CompactAfter) != 1 {
			t.Errorf("new files %d, compacted %d: not what was to be shown", len(msgs[0].NewFiles), len(msgs[0].CompactAfter))
		}
		if err := c.Overwrite(ctx, n, nil, msgs); err != nil {
			t.Fatal(err)
		}
		expect(t, tab, table.ScanOptions{Columns: []string{"k"}}, `{"k":1}`, fmt.Sprintf(`{"k":%d}`, n+1))
		expect(t, tab, table.ScanOptions{Where: fmt.Sprintf("k = %d", n+1)}, fmt.Sprintf(`{"k":%d,"v":"c"}`, n+1))
		sound(t, tab)
	}
}
