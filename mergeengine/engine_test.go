package mergeengine

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
)

// kinds lists the kinds of all positions; groups begin at starts.
func choose(e Engine, kinds []int8, starts ...int32) []int32 {
	g := Groups{Starts: append(starts, int32(len(kinds))), Kind: func(pos int32) int8 { return kinds[pos] }}
	return e.Choose(nil, &g)
}

func TestDeduplicateKeepsTheLastRowWhateverItsKind(t *testing.T) {
	got := choose(Deduplicate{}, []int8{0, 3, 1, 0, 2, 0}, 0, 2, 3)
	if !slices.Equal(got, []int32{1, 2, 5}) {
		t.Errorf("got %v", got)
	}
	if got := (Deduplicate{}).Choose(nil, &Groups{}); got != nil {
		t.Errorf("no groups: %v", got)
	}
}

func TestIgnoredDeletesDoNotCountUnlessAlone(t *testing.T) {
	// A group each: add then delete; a delete alone; deletes only; update, delete, delete.
	got := choose(Deduplicate{IgnoreDelete: true}, []int8{0, 3, 3, 1, 3, 2, 1, 3}, 0, 2, 3, 5)
	if !slices.Equal(got, []int32{0, 2, None, 5}) {
		t.Errorf("got %v", got)
	}
}

func TestOtherEnginesAreRefusedByName(t *testing.T) {
	for _, name := range []string{"partial-update", "aggregation", "first-row"} {
		if _, err := New(name, false); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New("dedup", false); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("unknown: %v", err)
	}
	e, err := New("", true)
	if err != nil || e.Name() != "deduplicate" || !e.(Deduplicate).IgnoreDelete {
		t.Errorf("default: %v, %v", e, err)
	}
}

func ExampleNew() {
	e, err := New("deduplicate", false)
	if err != nil {
		panic(err)
	}
	// Two keys, the first with two versions at the positions 0 and 1.
	fmt.Println(e.Choose(nil, &Groups{Starts: []int32{0, 2, 3}}))
	// Output: [1 2]
}
