package table_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/schema"
)

// truth is a value of SQL's logic, ordered so that AND is the least and OR the greatest.
type truth int

const (
	no truth = iota
	unknown
	yes
)

// drawFilter draws a filter as text and as a function of the model's rows.
func drawFilter(r *rand.Rand, sc *schema.Table) (string, func(map[int]any) truth) {
	atom := func() (string, func(map[int]any) truth) {
		a := drawAtom(r, sc)
		return a.text(sc), func(row map[int]any) truth { return a.holds(sc, row) }
	}
	text, f := atom()
	for range r.IntN(3) {
		other, g := atom()
		left := f
		if r.IntN(2) == 0 {
			text, f = fmt.Sprintf("(%s) AND %s", text, other), func(row map[int]any) truth { return min(left(row), g(row)) }
		} else {
			text, f = fmt.Sprintf("(%s) OR %s", text, other), func(row map[int]any) truth { return max(left(row), g(row)) }
		}
		if r.IntN(4) == 0 {
			both := f
			text, f = "NOT ("+text+")", func(row map[int]any) truth { return yes - both(row) }
		}
	}
	return text, f
}

// metaAtom compares a column with a literal, or with null without one.
type metaAtom struct {
	Column, Op string
	Literal    string `json:",omitempty"` // as JSON
}

func drawAtom(r *rand.Rand, sc *schema.Table) metaAtom {
	f := sc.Fields[r.IntN(len(sc.Fields))]
	for f.Type.Kind.Nested() || f.Type.Kind == schema.VarBinary {
		f = sc.Fields[r.IntN(len(sc.Fields))]
	}
	if r.IntN(6) == 0 {
		return metaAtom{Column: f.Name, Op: "IS NULL"}
	}
	op := oneOf(r, "=", "<>", "<", "<=", ">", ">=")
	if f.Type.Kind == schema.Boolean {
		op = oneOf(r, "=", "<>")
	}
	return metaAtom{f.Name, op, valuesOf(typeName(f.Type))(r)}
}

// text is the filter as the engine reads it.
func (a metaAtom) text(sc *schema.Table) string {
	literal := strings.ReplaceAll(a.Literal, `"`, "'")
	if sc.Fields[sc.Index(a.Column)].Type.Kind == schema.Decimal {
		literal = strings.Trim(literal, "'")
	}
	return strings.TrimSpace(fmt.Sprintf("`%s` %s %s", a.Column, a.Op, literal))
}

// holds says what it is of a row of the model.
func (a metaAtom) holds(sc *schema.Table, row map[int]any) truth {
	f := sc.Fields[sc.Index(a.Column)]
	if a.Op == "IS NULL" {
		return pickTruth(row[f.ID] == nil)
	}
	if row[f.ID] == nil {
		return unknown
	}
	c := model.Compare(row[f.ID], valueOf(f, a.Literal))
	return pickTruth(map[string]bool{"=": c == 0, "<>": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[a.Op])
}

func pickTruth(b bool) truth {
	if b {
		return yes
	}
	return no
}

func typeName(t schema.Type) string {
	return strings.TrimSuffix(t.String(), " NOT NULL")
}
