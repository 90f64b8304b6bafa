package mergeengine

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
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

// The first row of a key stays, whatever comes later.
func ExampleFirstRow() {
	fmt.Println(FirstRow{}.Choose(nil, &Groups{Starts: []int32{0, 2, 3}}))
	// Output: [0 2] <nil>
}

// The last row of a key stays.
func ExampleDeduplicate() {
	fmt.Println(Deduplicate{}.Choose(nil, &Groups{Starts: []int32{0, 2, 3}}))
	// Output: [1 2] <nil>
}

func TestFunctionsRefuseTypesAndRetractionsByName(t *testing.T) {
	for function, kind := range map[string]schema.Kind{"sum": schema.VarChar, "product": schema.Date, "max": schema.Boolean, "min": schema.Row,
		"bool_and": schema.Int, "bool_or": schema.VarChar, "listagg": schema.Int, "collect": schema.Int, "merge_map": schema.Int} {
		f := schema.Field{ID: 1, Name: "price", Type: schema.Type{Kind: kind, Nullable: true, Elem: &schema.Type{Kind: schema.Int}}}
		_, err := New(tableOf(map[string]string{"merge-engine": "aggregation", "fields.price.aggregate-function": function}, f))
		if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "price") || !strings.Contains(err.Error(), function) {
			t.Errorf("%s of kind %d: %v", function, kind, err)
		}
	}
	err := cannotRetract("price", "max")
	if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "price") || !strings.Contains(err.Error(), "max") {
		t.Error(err)
	}
}

func TestAColumnGoesByOneSequenceGroup(t *testing.T) {
	column := func(name string) schema.Field {
		return schema.Field{Name: name, Type: schema.Type{Kind: schema.Int, Nullable: true}}
	}
	_, err := New(tableOf(map[string]string{"merge-engine": "partial-update", "fields.g.sequence-group": "a,b", "fields.h.sequence-group": "b"},
		column("a"), column("b"), column("g"), column("h")))
	if !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("overlap: %v", err)
	}
	e, err := New(tableOf(map[string]string{"merge-engine": "partial-update", "fields.g,h.sequence-group": "a", "fields.i.sequence-group": "b",
		"partial-update.remove-record-on-sequence-group": "i"}, column("a"), column("b"), column("c"), column("g"), column("h"), column("i")))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.(Folder).Sources([]string{"k", "a"}); !slices.Equal(got, []string{"k", "a", "g", "h", "i"}) {
		t.Errorf("sources: %q", got)
	}
	if _, err := e.(Folder).NewFold([]string{"k", "a"}, make([]*vector.Gatherer, 2), nil); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("a group without its sequence: %v", err)
	}
}

func TestDecimalsAreRoundedAndBoundedAsJavas(t *testing.T) {
	num := func(unscaled int64) decimal128.Num { return decimal128.FromI64(unscaled) }
	p := decimalProduct{"v", 4, 2}
	for _, c := range []struct {
		a, b, want int64
		null       bool
	}{{150, 250, 375, false}, {1, 50, 1, false}, {-1, 50, -1, false}, {1, 49, 0, false}, {9999, 9999, 0, true}} {
		if v, null := p.add(num(c.a), num(c.b)); null != c.null || !null && v != num(c.want) {
			t.Errorf("%d * %d: %v, %v", c.a, c.b, v, null)
		}
	}
	if v, null, err := p.retract(num(375), num(250)); err != nil || null || v != num(150) {
		t.Errorf("3.75 / 2.50: %v %v %v", v, null, err)
	}
	if _, _, err := p.retract(num(100), num(300)); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("1 / 3: %v", err)
	}
	if _, _, err := p.retract(num(100), num(0)); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("1 / 0: %v", err)
	}
	// A short sum may have more digits than its type, as long as 64 bits hold it.
	if v, null := (decimalSum{4}).add(num(9000), num(2000)); null || v != num(11000) {
		t.Errorf("90.00 + 20.00: %v %v", v, null)
	}
	if _, null := (decimalSum{18}).add(num(math.MaxInt64), num(1)); !null {
		t.Error("64 bits overflow")
	}
	most := decimal128.FromBigInt(new(big.Int).Sub(power10(38), big.NewInt(1)))
	for _, in := range []decimal128.Num{num(1), most} {
		if _, null := (decimalSum{38}).add(most, in); !null {
			t.Errorf("38 digits overflow: %v", in)
		}
	}
	if _, null := (decimalSum{4}).owe(num(11000)); !null {
		t.Error("-110.00 in DECIMAL(4,2)")
	}
}
