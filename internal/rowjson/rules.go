package rowjson

import (
	"errors"
	"fmt"
	"math"

	"github.com/tidelake/tidelake/schema"
)

// Rules are what a table asks of a row beyond the types of its columns. A row
// that breaks one is malformed, so that its line is named. The zero value asks
// for nothing.
type Rules struct {
	NotNull     bool     // a column that is NOT NULL, and has no default, needs a value
	InsertsOnly bool     // every row is +I
	NoNaN       []string // FLOAT and DOUBLE columns that must not be NaN
}

// rules are Rules bound to the columns of a batch.
type rules struct {
	required    []int // columns
	noNaN       []int
	insertsOnly bool
}

func (r Rules) bind(fields []schema.Field) rules {
	out := rules{insertsOnly: r.InsertsOnly}
	for i, f := range fields {
		if r.NotNull && !f.Type.Nullable && f.Default == nil {
			out.required = append(out.required, i)
		}
		for _, name := range r.NoNaN {
			if name == f.Name {
				out.noNaN = append(out.noNaN, i)
			}
		}
	}
	return out
}

var (
	errNaN         = errors.New("in a key or sequence column, where other engines lose such rows")
	errNullColumn  = errors.New("in a NOT NULL column")
	errInsertsOnly = errors.New("the table has no primary key and takes only +I")
)

// check looks at the last row of every column, whose number is row.
func (b *batch) check(kind schema.RowKind, row int) error {
	if b.rules.insertsOnly && kind != schema.Insert {
		return fmt.Errorf("the row kind is %s, but %w", kind, errInsertsOnly)
	}
	for _, i := range b.rules.required {
		if h := b.cols[i].head(); !h.isValid(row) {
			b.failed = b.names[i]
			return &cellError{typ: h.typ, value: "null", err: errNullColumn}
		}
	}
	for _, i := range b.rules.noNaN {
		if isNaN(b.cols[i], row) {
			b.failed = b.names[i]
			return &cellError{typ: b.cols[i].head().typ, value: "NaN", err: errNaN}
		}
	}
	return nil
}

func isNaN(c column, row int) bool {
	switch c := c.(type) {
	case *fixed[float32]:
		return math.IsNaN(float64(c.values[row]))
	case *fixed[float64]:
		return math.IsNaN(c.values[row])
	}
	return false
}
