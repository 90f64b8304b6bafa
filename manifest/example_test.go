package manifest_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// objects keeps files in memory; real code passes a store.Store.
type objects struct{ files sync.Map }

func (o *objects) ReadAll(_ context.Context, key string) ([]byte, error) {
	if v, ok := o.files.Load(key); ok {
		return v.([]byte), nil
	}
	return nil, fault.ErrNotFound
}

func (o *objects) Write(_ context.Context, key string, data []byte) error {
	o.files.Store(key, append([]byte(nil), data...))
	return nil
}

func (o *objects) Delete(_ context.Context, key string) error {
	o.files.Delete(key)
	return nil
}

// Two commits write entries; the live files are what remains of them.
func Example() {
	ctx := context.Background()
	m := manifest.NewIO(&objects{}, "manifest", manifest.IOOptions{NewID: func() string { return "0" }})
	file := func(kind manifest.Kind, name string) manifest.Entry {
		return manifest.Entry{Kind: kind, TotalBuckets: 1, File: manifest.DataFile{Name: name, Rows: 10}}
	}
	first, err := m.WriteEntries(ctx, []manifest.Entry{file(manifest.Add, "data-1"), file(manifest.Add, "data-2")})
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := m.WriteEntries(ctx, []manifest.Entry{file(manifest.Delete, "data-1"), file(manifest.Add, "data-3")})
	if err != nil {
		fmt.Println(err)
		return
	}
	list, _, err := m.WriteList(ctx, append(first, second...))
	if err != nil {
		fmt.Println(err)
		return
	}

	metas, err := m.ReadList(ctx, list)
	if err != nil {
		fmt.Println(err)
		return
	}
	live, err := m.Live(ctx, metas, nil)
	for _, e := range live {
		fmt.Println(e.File.Name)
	}
	fmt.Println(list, err)
	// Output:
	// data-2
	// data-3
	// manifest-list-0-0 <nil>
}

// A commit of many small manifests ends by merging them.
func ExampleIO_Merge() {
	ctx := context.Background()
	m := manifest.NewIO(&objects{}, "manifest", manifest.IOOptions{NewID: func() string { return "0" }})
	var metas []manifest.Meta
	for i := range 3 {
		x, err := m.WriteEntries(ctx, []manifest.Entry{{File: manifest.DataFile{Name: fmt.Sprint("data-", i)}}})
		if err != nil {
			fmt.Println(err)
			return
		}
		metas = append(metas, x...)
	}
	out, created, err := m.Merge(ctx, metas, manifest.MergeParams{FullSize: 16 << 20, MinCount: 3})
	fmt.Println(len(out), out[0].Added, created, err)
	// Output: 1 3 [manifest-0-3] <nil>
}

// Statistics as the manifest stores them, and what a reader sees of them.
func ExampleBuildStats() {
	fields := []schema.Field{{Name: "city", Type: schema.Type{Kind: schema.VarChar, Nullable: true, Length: schema.MaxLength}}}
	cols := []datafile.ColumnStats{{Min: "Amsterdam", Max: "Zürich", Nulls: 2}}
	s, err := manifest.BuildStats(fields, cols, func(int) manifest.StatsMode { return manifest.StatsTruncate(3) })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Column(fields, 0))
	// Output: Ams Züs 2 true
}

func ExampleFold() {
	entries := []manifest.Entry{
		{Kind: manifest.Add, File: manifest.DataFile{Name: "a"}},
		{Kind: manifest.Delete, File: manifest.DataFile{Name: "a"}},
		{Kind: manifest.Add, File: manifest.DataFile{Name: "a", Level: 5}}, // upgraded: same name, new level
		{Kind: manifest.Delete, File: manifest.DataFile{Name: "b"}},        // added in a manifest not read here
	}
	live, deletes, err := manifest.Fold(func(yield func(*manifest.Entry, error) bool) {
		for i := range entries {
			if !yield(&entries[i], nil) {
				return
			}
		}
	})
	fmt.Println(live[0].File.Name, live[0].File.Level, deletes[0].File.Name, err)
	// Output: a 5 b <nil>
}

func ExampleCombineIndex() {
	old := []manifest.IndexEntry{{Type: manifest.HashIndex, Name: "index-1", Bucket: 0}}
	changes := []manifest.IndexEntry{{Type: manifest.HashIndex, Name: "index-2", Bucket: 0}}
	live, err := manifest.CombineIndex(old, changes, false)
	fmt.Println(len(live), live[0].Name, err)
	// Output: 1 index-2 <nil>
}
