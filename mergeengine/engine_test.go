package mergeengine

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// kinds lists the kinds of all positions; groups begin at starts.
func choose(t *testing.T, e Chooser, kinds []int8, starts ...int32) []int32 {
	t.Helper()
	g := Groups{Starts: append(starts, int32(len(kinds))), Kind: func(pos int32) int8 { return kinds[pos] }}
	got, err := e.Choose(nil, &g)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDeduplicateKeepsTheLastRowWhateverItsKind(t *testing.T) {
	got := choose(t, Deduplicate{}, []int8{0, 3, 1, 0, 2, 0}, 0, 2, 3)
	if !slices.Equal(got, []int32{1, 2, 5}) {
		t.Errorf("got %v", got)
	}
	if got, err := (Deduplicate{}).Choose(nil, &Groups{}); got != nil || err != nil {
		t.Errorf("no groups: %v, %v", got, err)
	}
}

func TestIgnoredDeletesDoNotCountUnlessAlone(t *testing.T) {
	// A group each: add then delete; a delete alone; deletes only; update, delete, delete.
	got := choose(t, Deduplicate{IgnoreDelete: true}, []int8{0, 3, 3, 1, 3, 2, 1, 3}, 0, 2, 3, 5)
	if !slices.Equal(got, []int32{0, 2, None, 5}) {
		t.Errorf("got %v", got)
	}
}

func TestFirstRowKeepsTheOldestAdd(t *testing.T) {
	got := choose(t, FirstRow{IgnoreDelete: true}, []int8{0, 2, 3, 1, 3, 1, 3, 2, 0}, 0, 2, 3, 5)
	if !slices.Equal(got, []int32{0, 2, None, 7}) {
		t.Errorf("got %v", got)
	}
	g := Groups{Starts: []int32{0, 1, 3}, Kind: func(pos int32) int8 { return []int8{3, 0, 3}[pos] }}
	if _, err := (FirstRow{}).Choose(nil, &g); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("a delete among several versions: %v", err)
	}
}

// tableOf has the columns k and those given, and merges as the options say.
func tableOf(options map[string]string, columns ...schema.Field) (*schema.Table, *schema.Options) {
	o, err := schema.ParseOptions(options)
	if err != nil {
		panic(err)
	}
	key := schema.Field{Name: "k", Type: schema.Type{Kind: schema.Int}}
	return &schema.Table{Fields: append([]schema.Field{key}, columns...), PrimaryKeys: []string{"k"}, Options: options}, o
}

func TestEnginesByName(t *testing.T) {
	for _, name := range []string{"deduplicate", "first-row", "partial-update", "aggregation"} {
		e, err := New(tableOf(map[string]string{"merge-engine": name, "ignore-delete": "true"}))
		if err != nil || e.Name() != name {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	if _, err := New(&schema.Table{}, &schema.Options{MergeEngine: "dedup"}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("unknown: %v", err)
	}
	e, err := New(&schema.Table{}, &schema.Options{IgnoreDelete: true})
	if err != nil || !e.(Deduplicate).IgnoreDelete {
		t.Errorf("default: %v, %v", e, err)
	}
}

func ExampleNew() {
	e, err := New(&schema.Table{}, &schema.Options{MergeEngine: "deduplicate"})
	if err != nil {
		panic(err)
	}
	// Two keys, the first with two versions at the positions 0 and 1.
	fmt.Println(e.(Chooser).Choose(nil, &Groups{Starts: []int32{0, 2, 3}}))
	// Output: [1 2] <nil>
}
