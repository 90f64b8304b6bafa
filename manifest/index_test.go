package manifest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
)

func indexNames(entries []IndexEntry) (out []string) {
	for _, e := range entries {
		out = append(out, e.Name)
	}
	return out
}

func TestPerBucketIndexesReplaceEachOther(t *testing.T) {
	h := func(k Kind, name string, bucket int) IndexEntry {
		return IndexEntry{Kind: k, Type: HashIndex, Name: name, Bucket: bucket, Partition: make([]byte, 8)}
	}
	dv := h(Add, "dv", 0)
	dv.Type = DeletionVectorsIndex
	got, err := CombineIndex([]IndexEntry{h(Add, "h0", 0), h(Add, "h1", 1), dv},
		[]IndexEntry{h(Add, "h0b", 0), h(Delete, "h0", 0), h(Delete, "h1", 1), h(Add, "h2", 2)}, false)
	if err != nil || fmt.Sprint(indexNames(got)) != "[dv h0b h2]" {
		t.Error(indexNames(got), err)
	}
	if got, err = CombineIndex(nil, nil, false); err != nil || got == nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestVectorsOfUnbucketedTablesGoByName(t *testing.T) {
	v := func(k Kind, name string, files ...string) IndexEntry {
		e := IndexEntry{Kind: k, Type: DeletionVectorsIndex, Name: name}
		for _, f := range files {
			e.Ranges = append(e.Ranges, DeletionRange{File: f})
		}
		return e
	}
	before := []IndexEntry{v(Add, "i", "a", "b"), v(Add, "j", "c")}
	got, err := CombineIndex(before, []IndexEntry{v(Delete, "i", "a", "b"), v(Add, "k", "a")}, true)
	if err != nil || fmt.Sprint(indexNames(got)) != "[j k]" {
		t.Error(indexNames(got), err)
	}
	for name, c := range map[string]IndexEntry{"file is there": v(Add, "i", "z"), "vector is there": v(Add, "k", "c"),
		"file is not there": v(Delete, "x"), "vector is not there": v(Delete, "j", "q")} {
		if _, err := CombineIndex(before, []IndexEntry{c}, true); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGlobalIndexesMayNotOverlapOnesThatStay(t *testing.T) {
	g := func(k Kind, name string, from, to int64) IndexEntry {
		return IndexEntry{Kind: k, Type: "btree", Name: name, Global: &GlobalIndex{RowStart: from, RowEnd: to, FieldID: 1}}
	}
	before := []IndexEntry{g(Add, "a", 0, 99)}
	if _, err := CombineIndex(before, []IndexEntry{g(Add, "b", 99, 200)}, false); !errors.Is(err, fault.ErrConflict) {
		t.Error(err)
	}
	got, err := CombineIndex(before, []IndexEntry{g(Add, "b", 0, 200), g(Delete, "a", 0, 99), g(Add, "c", 100, 150)}, false)
	if err != nil || fmt.Sprint(indexNames(got)) != "[b c]" {
		t.Error(indexNames(got), err)
	}
}

func TestIndexManifestsHoldNoDeletes(t *testing.T) {
	m := testIO(newMemory(), IOOptions{})
	if _, err := m.WriteIndex(ctx, []IndexEntry{{Kind: Delete, Name: "x"}}); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
}
