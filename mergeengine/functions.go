package mergeengine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// function checks a column and its options and answers how to fold it, or
// says why it cannot take the column.
type function func(f schema.Field, o schema.FieldOptions) (newColumn, error)

// newColumn makes the fold of one column in one merge.
type newColumn func(s source) column

// source is where a column's versions are.
type source struct {
	cells         *vector.Gatherer
	mem           memory.Allocator
	class         int // whose ops the column follows
	ignoreRetract bool
}

// functions are the aggregate functions by the names that options give them.
var functions = map[string]function{
	"primary-key":          choosing(anyType, func(schema.Field, source) choice { return keyCell{} }),
	"last_value":           choosing(anyType, func(schema.Field, source) choice { return lastValue{} }),
	"last_non_null_value":  choosing(anyType, func(_ schema.Field, s source) choice { return lastNonNull{s.cells} }),
	"first_value":          choosing(anyType, newFirst("first_value")),
	"first_non_null_value": choosing(anyType, newFirst("first_non_null_value")),
	"first_not_null_value": choosing(anyType, newFirst("first_not_null_value")), // the former name
	"max":                  choosing(orderable, newExtreme("max")),
	"min":                  choosing(orderable, newExtreme("min")),
	"bool_or":              choosing(booleans, newExtreme("bool_or")),
	"bool_and":             choosing(booleans, newExtreme("bool_and")),
	"sum":                  numeric(newSum),
	"product":              numeric(newProduct),

	"listagg":           accumulating(newListagg),
	"collect":           accumulating(newCollect),
	"merge_map":         accumulating(newMergeMap),
	mergeMapWithKeyTime: accumulating(newMergeMapWithKeyTime),
	"nested_update":     accumulating(newNestedUpdate),
	nestedPartialUpdate: accumulating(newNestedPartial),
	"rbm32":             accumulating(unionOf("rbm32", newBitmap32)),
	"rbm64":             accumulating(unionOf("rbm64", newBitmap64)),
	"hll_sketch":        accumulating(unionOf("hll_sketch", newHLL)),
	"theta_sketch":      accumulating(unionOf("theta_sketch", newTheta)),
}

// lookup is the fold of a column by the function of that name.
func lookup(name string, f schema.Field, o schema.FieldOptions) (newColumn, error) {
	fn, err := functionNamed(name)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", f.Name, err)
	}
	make, err := fn(f, o)
	if err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Detail: "column " + f.Name + ": aggregate function " + name, Err: err}
	}
	return make, nil
}

// types is a set of column types and how to call it.
type types struct {
	want string
	has  func(k schema.Kind) bool
}

var (
	anyType   = types{"any type", func(schema.Kind) bool { return true }}
	orderable = types{"a type whose values have an order; take bool_and or bool_or for BOOLEAN", // as Paimon has it
		func(k schema.Kind) bool { return !k.Nested() && !k.Refused() && k != schema.Boolean }}
	booleans    = types{"BOOLEAN", func(k schema.Kind) bool { return k == schema.Boolean }}
	numbers     = types{"a number", func(k schema.Kind) bool { return slices.Contains(numberKinds, k) }}
	numberKinds = []schema.Kind{schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt, schema.Float, schema.Double, schema.Decimal}
)

func (t types) check(f schema.Field) error {
	if t.has(f.Type.Kind) {
		return nil
	}
	return fault.Invalid("the type is " + f.Type.String() + ", must be " + t.want)
}

// choosing makes a function of a choice.
func choosing(t types, pick func(f schema.Field, s source) choice) function {
	return func(f schema.Field, _ schema.FieldOptions) (newColumn, error) {
		return func(s source) column { return &chosen{source: s, pick: pick(f, s)} }, t.check(f)
	}
}

func newFirst(name string) func(schema.Field, source) choice {
	return func(f schema.Field, s source) choice {
		return &firstValue{irrevocable: irrevocable{f.Name, name}, cells: s.cells, nonNull: name != "first_value"}
	}
}

func newExtreme(name string) func(schema.Field, source) choice {
	return func(f schema.Field, s source) choice {
		return &extreme{irrevocable: irrevocable{f.Name, name}, cells: s.cells, least: name == "min" || strings.HasSuffix(name, "and")}
	}
}
