package table_test

import (
	"bytes"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// FuzzUnmarshalMessages: any bytes are messages or an error; what was read
// marshals to the same again, and a committer takes or refuses it, never more.
func FuzzUnmarshalMessages(f *testing.F) {
	st := store.NewMem()
	tab := create(f, st, keyed)
	w := newWriter(f, tab, "")
	if err := write(f, w, tab, `{"k":1,"v":"a"}`); err != nil {
		f.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := table.MarshalMessages(msgs)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`[]`))
	f.Add([]byte(`null`))
	f.Add([]byte(`[{"partition":"AA==","newFiles":[{"Name":"../x"}]}]`))
	f.Add(bytes.Replace(seed, []byte(`"bucket":0`), []byte(`"bucket":-7`), 1))
	f.Add(append(bytes.Clone(seed), ']'))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := table.UnmarshalMessages(data)
		if err != nil {
			return
		}
		one, err := table.MarshalMessages(got)
		if err != nil {
			return
		}
		again, err := table.UnmarshalMessages(one)
		if err != nil {
			t.Fatalf("%v of %s", err, one)
		}
		if two, _ := table.MarshalMessages(again); !bytes.Equal(one, two) {
			t.Errorf("%s\n%s", one, two)
		}
		tab := create(t, store.NewMem(), keyed)
		if c, err := tab.NewCommitter(ctx, "u"); err == nil {
			_ = c.Commit(ctx, 1, got)
		}
		_, _ = scanLines(ctx, tab, table.ScanOptions{})
	})
}

// FuzzUnmarshalSplits: any bytes are splits or an error, and reading splits
// that were made up gives rows or an error.
func FuzzUnmarshalSplits(f *testing.F) {
	st := store.NewMem()
	tab := layered(f, st)
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		f.Fatal(err)
	}
	splits, err := s.Plan(ctx)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := table.MarshalSplits(splits)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(bytes.ReplaceAll(seed, []byte(`"merge":true`), []byte(`"merge":false`)))
	f.Add(bytes.ReplaceAll(seed, []byte(`"merge":false`), []byte(`"merge":true`)))
	f.Add([]byte(`[{"snapshot":3,"schemaId":0,"partition":"","bucket":0,"merge":true,"files":[{"Name":"x","MinKey":"AA=="}]}]`))
	f.Add([]byte(`[]x`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := table.UnmarshalSplits(data)
		if err != nil {
			return
		}
		rows := 0
		for rec, err := range s.ReadSplits(ctx, got) {
			if err != nil {
				break
			}
			if rows += int(rec.NumRows()); rows > 100_000 {
				break
			}
		}
	})
}
