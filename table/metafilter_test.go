package table_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

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
	text, f := drawAtom(r, sc)
	for range r.IntN(3) {
		other, g := drawAtom(r, sc)
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

func drawAtom(r *rand.Rand, sc *schema.Table) (string, func(map[int]any) truth) {
	f := sc.Fields[r.IntN(len(sc.Fields))]
	for f.Type.Kind.Nested() || f.Type.Kind == schema.VarBinary {
		f = sc.Fields[r.IntN(len(sc.Fields))]
	}
	name := "`" + f.Name + "`"
	if r.IntN(6) == 0 {
		return name + " IS NULL", func(row map[int]any) truth { return pickTruth(row[f.ID] == nil) }
	}
	literal := valuesOf(typeName(f.Type))(r)
	_, cells := model.New(&schema.Table{Fields: []schema.Field{f}}).Decode(fmt.Sprintf("{%q:%s}", f.Name, literal))
	op := oneOf(r, "=", "<>", "<", "<=", ">", ">=")
	if f.Type.Kind == schema.Boolean {
		op = oneOf(r, "=", "<>")
	}
	if f.Type.Kind == schema.Decimal {
		literal = strings.Trim(literal, `"`)
	}
	return fmt.Sprintf("%s %s %s", name, op, strings.ReplaceAll(literal, `"`, "'")), func(row map[int]any) truth {
		if row[f.ID] == nil {
			return unknown
		}
		c := model.Compare(row[f.ID], cells[f.ID])
		return pickTruth(map[string]bool{"=": c == 0, "<>": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op])
	}
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

func date(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}
