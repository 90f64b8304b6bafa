package manifest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	fieldName = regexp.MustCompile(`"name":"_[A-Z_]+"`)
	takenName = regexp.MustCompile(`(_\d+)?"`)
)

// unknownFields gives the file twice for each of its fields, with a name for
// that field that no reader knows, and once with another type behind it too.
func unknownFields(file []byte) (out [][]byte) {
	for _, at := range fieldName.FindAllIndex(file, -1) {
		b := bytes.Clone(file)
		b[at[1]-2]++
		out = append(out, b, bytes.ReplaceAll(b, []byte(`"name":"f2"`), []byte(`"name":"f9"`)))
	}
	return out
}

// sameUnknown compares unknown fields but for the numbers that the writer puts
// behind the names of their types where another type of that name comes first.
var sameUnknown = cmp.Comparer(func(a, b Unknown) bool {
	plain := func(schema string) string { return takenName.ReplaceAllString(schema, `"`) }
	return a.Name == b.Name && bytes.Equal(a.Value, b.Value) && plain(a.Schema) == plain(b.Schema)
})

// fuzzRead feeds a reader; what it takes must survive being written.
func fuzzRead[T any](f *testing.F, kind string, c *codec[T], again func(t *testing.T, m *IO, v []T) ([]T, error)) {
	var last []byte
	for _, j := range javaFiles(f, kind) {
		if len(partitionsOf(j.table)) == 0 {
			f.Add(j.data)
			last = j.data
		}
	}
	for _, b := range unknownFields(last) {
		f.Add(b)
	}
	sync := last[len(last)-16:] // ends the header and every block
	f.Add(last[:bytes.Index(last, sync)+len(sync)])
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
		if d := cmp.Diff(v, w, sameUnknown); d != "" && len(v)+len(w) > 0 { // no entries make no manifest
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
