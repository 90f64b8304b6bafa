package manifest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fuzzRead feeds a reader; what it takes must survive being written.
func fuzzRead[T any](f *testing.F, kind string, c *codec[T], again func(t *testing.T, m *IO, v []T) ([]T, error)) {
	for _, j := range javaFiles(f, kind) {
		if len(partitionsOf(j.table)) == 0 {
			f.Add(j.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := c.read("f", data, 0, nil)
		if err != nil {
			return
		}
		kept, err := c.read("f", data, 0, func(*T) bool { return true })
		if err != nil || !cmp.Equal(v, kept) {
			t.Fatalf("sifted: %v %s", err, cmp.Diff(v, kept))
		}
		w, err := again(t, testIO(newMemory(), IOOptions{Compression: "none"}), v)
		if err != nil {
			return // such as two types of one unknown field, or sizes that contradict each other
		}
		if d := cmp.Diff(v, w); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzEntries(f *testing.F) {
	fuzzRead(f, "manifest", &entryCodec, func(t *testing.T, m *IO, v []Entry) (out []Entry, err error) {
		metas, err := m.WriteEntries(ctx, v)
		if err != nil {
			return nil, err
		}
		for e, err := range m.Scan(ctx, metas, nil) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, *e)
		}
		return out, nil
	})
}

func FuzzList(f *testing.F) {
	fuzzRead(f, "manifest-list", &metaCodec, func(t *testing.T, m *IO, v []Meta) ([]Meta, error) {
		name, _, err := m.WriteList(ctx, v)
		if err != nil {
			return nil, err
		}
		return m.ReadList(ctx, name)
	})
}

func FuzzIndex(f *testing.F) {
	fuzzRead(f, "index-manifest", &indexCodec, func(t *testing.T, m *IO, v []IndexEntry) ([]IndexEntry, error) {
		name, err := m.WriteIndex(ctx, v)
		if err != nil {
			return nil, err
		}
		return m.ReadIndex(ctx, name)
	})
}

func FuzzEntryJSON(f *testing.F) {
	e := entry(Add, "f", 1, 2)
	text, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var a, b Entry
		if json.Unmarshal(text, &a) != nil {
			return
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &b); err != nil || !cmp.Equal(a, b) {
			t.Fatal(err, cmp.Diff(a, b))
		}
	})
}
