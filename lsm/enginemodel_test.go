package lsm

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// The engines that fold, one row at a time: a row is what has been made of the
// versions so far, and each version changes it.

// modelCell is a value and its text; null has neither value nor a text of its own.
type modelCell struct {
	v    any
	text string
}

var nullCell = modelCell{nil, array.NullValueStr}

var errModel = errors.New("the model does not take this")

// modelEngine is an engine by its options.
type modelEngine struct {
	table  *schema.Table
	o      *schema.Options
	schema *arrow.Schema
	engine mergeengine.Engine
}

// modelState is a row under way.
type modelState struct {
	*modelEngine
	row                   []modelCell
	taken                 []bool // of first_value: the column has taken a value
	began, inserted, gone bool
	number                int64
}

func (e *modelEngine) merge(versions []foldRow) (foldRow, error) {
	if len(versions) == 1 {
		return versions[0], nil
	}
	s := modelState{modelEngine: e, taken: make([]bool, len(versions[0].cells))}
	for range versions[0].cells {
		s.row = append(s.row, nullCell)
	}
	add := s.aggregate
	if e.o.MergeEngine == "partial-update" {
		add = s.update
	}
	for _, v := range versions {
		if err := add(v); err != nil {
			return foldRow{}, err
		}
	}
	out := versions[len(versions)-1]
	out.cells, out.kind, out.number = s.row, 0, s.number
	out.seq = nil
	for _, name := range e.o.SequenceFields { // retracting may have emptied them
		out.seq = append(out.seq, s.row[e.table.Index(name)].v)
	}
	if s.gone || e.o.MergeEngine == "partial-update" && !s.inserted {
		out.kind = 3
	}
	return out, nil
}

func (s *modelState) aggregate(v foldRow) error {
	s.number = v.number
	if s.gone = s.o.Engine.RemoveOnDelete && v.kind == 3; s.gone {
		s.row = slices.Clone(v.cells)
		return nil
	}
	for i, f := range s.table.Fields {
		own := s.o.Engine.Field(f.Name)
		name := cmp.Or(own.Function, s.o.Engine.DefaultFunction, "last_non_null_value")
		if slices.Contains(s.table.PrimaryKeys, f.Name) {
			name = "primary-key"
		} else if slices.Contains(s.o.SequenceFields, f.Name) {
			name = "last_value"
		}
		if err := s.apply(i, name, v, v.kind&1 == 1, false); err != nil {
			return err
		}
	}
	return nil
}

func (s *modelState) update(v foldRow) error {
	s.gone = false
	retract := v.kind&1 == 1
	if retract {
		if !s.began {
			s.row, s.began = slices.Clone(v.cells), true
		}
		switch {
		case s.o.IgnoreDelete:
			return nil
		case len(s.o.Engine.Groups) > 0:
		case s.o.Engine.RemoveOnDelete:
			s.number = v.number
			if v.kind == 3 {
				s.gone, s.row = true, slices.Clone(v.cells)
			}
			return nil
		default:
			return errModel
		}
	}
	s.number = v.number
	if !retract {
		s.began, s.inserted = true, true
		for i, f := range s.table.Fields {
			if s.group(f.Name) == nil && v.cells[i] != nullCell {
				s.row[i] = v.cells[i]
			}
		}
	}
	var late []bool
	for _, g := range s.o.Engine.Groups {
		counts, old := s.compare(g, v)
		removes := slices.ContainsFunc(g.Sequence, func(name string) bool { return slices.Contains(s.o.Engine.RemoveOnGroup, name) })
		if v.kind == 3 && removes && counts && !old {
			s.gone, s.row = true, slices.Clone(v.cells)
			return nil
		}
		late = append(late, old)
	}
	for i, g := range s.o.Engine.Groups {
		if counts, _ := s.compare(g, v); !counts {
			continue
		}
		if err := s.updateGroup(g, v, retract, late[i]); err != nil {
			return err
		}
	}
	return nil
}

// compare tells whether a version says anything about a group, and whether it
// comes late there.
func (s *modelState) compare(g schema.SequenceGroup, v foldRow) (counts, late bool) {
	var in, have []any
	for _, name := range g.Sequence {
		i := s.table.Index(name)
		in, have = append(in, v.cells[i].v), append(have, s.row[i].v)
		counts = counts || v.cells[i] != nullCell
	}
	return counts, compareSeq(in, have, false) < 0
}

func (s *modelState) updateGroup(g schema.SequenceGroup, v foldRow, retract, late bool) error {
	for i, f := range s.table.Fields {
		sequence := slices.Contains(g.Sequence, f.Name)
		if !sequence && !slices.Contains(g.Columns, f.Name) {
			continue
		}
		function := s.o.Engine.Field(f.Name).Function
		switch {
		case sequence:
			function = "primary-key"
			fallthrough
		case function == "":
			if late {
				continue
			}
			if function == "" {
				function = "last_value"
			}
		}
		if err := s.apply(i, function, v, retract, late); err != nil {
			return err
		}
	}
	return nil
}

func (s *modelState) group(name string) *schema.SequenceGroup {
	for i, g := range s.o.Engine.Groups {
		if slices.Contains(g.Sequence, name) || slices.Contains(g.Columns, name) {
			return &s.o.Engine.Groups[i]
		}
	}
	return nil
}

// apply changes column i by one version.
func (s *modelState) apply(i int, function string, v foldRow, retract, late bool) (err error) {
	acc, in := s.row[i], v.cells[i]
	if retract {
		if s.o.Engine.Field(s.table.Fields[i].Name).IgnoreRetract && function != "primary-key" {
			return nil
		}
		s.row[i], err = s.retract(i, function, acc, in)
		return err
	}
	if late {
		acc, in = in, acc
	}
	s.row[i], err = s.add(i, function, acc, in)
	return err
}

func (s *modelState) add(i int, function string, acc, in modelCell) (modelCell, error) {
	switch function {
	case "primary-key", "last_value":
		return in, nil
	case "last_non_null_value":
		if in == nullCell {
			return acc, nil
		}
		return in, nil
	case "first_value", "first_non_null_value":
		if s.taken[i] || function == "first_non_null_value" && in == nullCell {
			return acc, nil
		}
		s.taken[i] = true
		return in, nil
	}
	if acc == nullCell {
		return in, nil
	}
	if in == nullCell {
		return acc, nil
	}
	switch function {
	case "max", "bool_or":
		if modelCompare(acc.v, in.v) < 0 {
			return in, nil
		}
		return acc, nil
	case "min", "bool_and":
		if modelCompare(acc.v, in.v) > 0 {
			return in, nil
		}
		return acc, nil
	}
	return s.calculate(i, function, acc.v, in.v)
}

func (s *modelState) retract(i int, function string, acc, in modelCell) (modelCell, error) {
	switch function {
	case "primary-key":
		return in, nil
	case "last_value":
		return nullCell, nil
	case "last_non_null_value":
		if in == nullCell {
			return acc, nil
		}
		return nullCell, nil
	case "sum", "product":
	default:
		return acc, errModel
	}
	if in == nullCell || acc == nullCell && function == "product" {
		return acc, nil
	}
	if acc == nullCell {
		return s.calculate(i, "negate", in.v, in.v)
	}
	return s.calculate(i, map[string]string{"sum": "subtract", "product": "divide"}[function], acc.v, in.v)
}

// modelCompare orders values as Java's compare does.
func modelCompare(a, b any) int {
	if x, ok := a.(float64); ok {
		y := b.(float64)
		if x == 0 && y == 0 {
			return b2i(math.Signbit(y)) - b2i(math.Signbit(x))
		}
	}
	return compareAny(a, b)
}

func (s *modelState) calculate(i int, what string, a, b any) (modelCell, error) {
	dt := s.schema.Field(i).Type
	builder := array.NewBuilder(memory.DefaultAllocator, dt)
	switch x := a.(type) {
	case int64:
		if what == "divide" && b.(int64) == 0 {
			return nullCell, errModel
		}
		n := map[string]func(x, y int64) int64{"sum": func(x, y int64) int64 { return x + y }, "subtract": func(x, y int64) int64 { return x - y },
			"negate": func(x, _ int64) int64 { return -x }, "product": func(x, y int64) int64 { return x * y },
			"divide": func(x, y int64) int64 { return x / y }}[what](x, b.(int64))
		switch b := builder.(type) {
		case *array.Int8Builder:
			b.Append(int8(n))
			n = int64(int8(n))
		case *array.Int16Builder:
			b.Append(int16(n))
			n = int64(int16(n))
		case *array.Int32Builder:
			b.Append(int32(n))
			n = int64(int32(n))
		case *array.Int64Builder:
			b.Append(n)
		}
		return modelCell{n, builder.NewArray().ValueStr(0)}, nil
	case float64:
		f := modelFloat(what, x, b.(float64), dt.ID() == arrow.FLOAT32)
		if b, short := builder.(*array.Float32Builder); short {
			b.Append(float32(f))
		} else {
			builder.(*array.Float64Builder).Append(f)
		}
		return modelCell{f, builder.NewArray().ValueStr(0)}, nil
	case decimal128.Num:
		v, err := modelDecimal(what, x, b.(decimal128.Num), dt.(*arrow.Decimal128Type))
		if v == nil || err != nil {
			return nullCell, err
		}
		n := decimal128.FromBigInt(v)
		builder.(*array.Decimal128Builder).Append(n)
		return modelCell{n, builder.NewArray().ValueStr(0)}, nil
	}
	panic(fmt.Sprintf("%T", a))
}

func modelFloat(what string, x, y float64, short bool) (f float64) {
	switch what {
	case "sum":
		f = x + y
	case "subtract":
		f = x - y
	case "negate":
		f = -x
	case "product":
		f = x * y
	case "divide":
		f = x / y
	}
	if short {
		return float64(float32(f)) // rounding twice is rounding once for one operation
	}
	return f
}

func modelDecimal(what string, a, b decimal128.Num, dt *arrow.Decimal128Type) (*big.Int, error) {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(dt.Scale)), nil)
	x, y := new(big.Rat).SetFrac(a.BigInt(), unit), new(big.Rat).SetFrac(b.BigInt(), unit)
	r := new(big.Rat)
	switch what {
	case "sum":
		r.Add(x, y)
	case "subtract":
		r.Sub(x, y)
	case "negate":
		r.Neg(x)
	case "product":
		r.Mul(x, y)
	case "divide":
		if y.Sign() == 0 {
			return nil, errModel
		}
		r.Quo(x, y)
		if _, exact := r.FloatPrec(); !exact {
			return nil, errModel
		}
	}
	text := r.FloatString(int(dt.Scale)) // rounds halves away from zero
	v, _ := new(big.Int).SetString(strings.Replace(text, ".", "", 1), 10)
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(dt.Precision)), nil)
	if dt.Precision <= 18 && (what == "sum" || what == "subtract") {
		limit = new(big.Int).Lsh(big.NewInt(1), 63) // the generator stays far from it
	}
	if v.CmpAbs(limit) >= 0 {
		return nil, nil
	}
	return v, nil
}
