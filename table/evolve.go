package table

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/conform"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// columnPlan says how one column of the read schema comes out of a file that
// was written under another schema (format section 3.6): found by id, read by
// the name it had then, brought to today's type.
type columnPlan struct {
	want  schema.Field
	ask   schema.Field // what the file reader is asked for; meaningless when absent
	have  bool         // false: the file has no such column, it reads as null
	same  bool         // the file's values are already of the wanted type
	arrow arrow.DataType
}

// planColumns matches wanted columns to a file's own schema by id.
func planColumns(want, file []schema.Field) ([]columnPlan, error) {
	plans := make([]columnPlan, len(want))
	for i, w := range want {
		field, err := schema.ArrowField(w)
		if err != nil {
			return nil, err
		}
		plans[i] = columnPlan{want: w, arrow: field.Type}
		f, ok := byID(file, w.ID)
		if !ok {
			continue
		}
		ask, any, err := planType(f.Type, w.Type)
		if err != nil {
			return nil, columnError(w.Name, err)
		}
		plans[i].have = any
		plans[i].ask = schema.Field{ID: f.ID, Name: f.Name, Type: ask}
		plans[i].same = ask.EqualIgnoringNullability(w.Type)
	}
	return plans, nil
}

func byID(fields []schema.Field, id int) (schema.Field, bool) {
	for _, f := range fields {
		if f.ID == id {
			return f, true
		}
	}
	return schema.Field{}, false
}

// planType prunes the file's type to what the wanted type needs. any is false
// when nothing of it is left, which reads as null.
func planType(file, want schema.Type) (ask schema.Type, any bool, err error) {
	ask = file
	switch {
	case file.Kind != want.Kind && !widens(file, want):
		return ask, false, castUnsupported(file, want)
	case file.Kind == schema.Row:
		return planRow(file, want)
	case file.Kind == schema.Array || file.Kind == schema.Multiset || file.Kind == schema.Map:
		elem, any, err := planType(*file.Elem, *want.Elem)
		if err != nil {
			return ask, false, err
		}
		if file.Kind == schema.Map && !file.Key.EqualIgnoringNullability(*want.Key) {
			return ask, false, castUnsupported(file, want)
		}
		ask.Elem = &elem
		return ask, any, nil
	case !widens(file, want):
		return ask, false, castUnsupported(file, want)
	}
	return ask, true, nil
}

func planRow(file, want schema.Type) (schema.Type, bool, error) {
	ask := file
	ask.Fields = nil
	for _, w := range want.Fields {
		f, ok := byID(file.Fields, w.ID)
		if !ok {
			continue
		}
		member, any, err := planType(f.Type, w.Type)
		if err != nil {
			return ask, false, fmt.Errorf("member %q: %w", w.Name, err)
		}
		if any {
			f.Type = member
			ask.Fields = append(ask.Fields, f)
		}
	}
	return ask, len(ask.Fields) > 0, nil
}

func castUnsupported(file, want schema.Type) error {
	return fault.Unsupported(fmt.Sprintf("reading values written as %s through type %s", file, want),
		"only widening is built; read the snapshots before the type change by id, or rewrite the table with Spark or Flink")
}

// widens tells that every value of one scalar type is a value of the other,
// in the same form or in one that conform makes without loss.
func widens(from, to schema.Type) bool {
	switch to.Kind {
	case schema.SmallInt, schema.Int, schema.BigInt:
		return from.Kind >= schema.TinyInt && from.Kind <= to.Kind
	case schema.Double:
		return from.Kind == schema.Float || from.Kind == schema.Double
	case schema.VarChar:
		return (from.Kind == schema.Char || from.Kind == schema.VarChar) && from.Length <= to.Length
	case schema.VarBinary:
		return (from.Kind == schema.Binary || from.Kind == schema.VarBinary) && from.Length <= to.Length
	case schema.Decimal:
		return from.Kind == to.Kind && from.Scale <= to.Scale && from.Precision-from.Scale <= to.Precision-to.Scale
	case schema.Timestamp, schema.TimestampLTZ:
		return from.Kind == to.Kind && from.Precision <= to.Precision
	case schema.Char, schema.Binary:
		return from.Kind == to.Kind && from.Length == to.Length
	case schema.Time:
		return from.Kind == to.Kind
	}
	return from.Kind == to.Kind
}

// apply brings a column as the file has it to the wanted type; nil is an absent column.
func (p *columnPlan) apply(col arrow.Array, rows int, mem memory.Allocator) (arrow.Array, error) {
	if !p.have {
		return array.MakeArrayOfNull(mem, p.arrow, rows), nil
	}
	if p.same && arrow.TypeEqual(col.DataType(), p.arrow) {
		col.Retain()
		return col, nil
	}
	out, err := reshape(col, p.ask.Type, p.want.Type, p.arrow, mem)
	if err != nil {
		return nil, columnError(p.want.Name, err)
	}
	return out, nil
}

// reshape renames, reorders, adds and widens within nested types.
func reshape(col arrow.Array, from, to schema.Type, want arrow.DataType, mem memory.Allocator) (arrow.Array, error) {
	switch to.Kind {
	case schema.Array:
		l := col.(*array.List)
		elems, err := reshape(l.ListValues(), *from.Elem, *to.Elem, want.(*arrow.ListType).Elem(), mem)
		if err != nil {
			return nil, err
		}
		defer elems.Release()
		return withChildren(col.Data(), want, elems.Data()), nil
	case schema.Map:
		return reshapeMap(col.(*array.Map), from, to, want.(*arrow.MapType), mem)
	case schema.Row:
		return reshapeRow(col.(*array.Struct), from, to, want.(*arrow.StructType), mem)
	}
	return conform.Array(col, want, mem)
}

func reshapeMap(m *array.Map, from, to schema.Type, want *arrow.MapType, mem memory.Allocator) (arrow.Array, error) {
	// Not Keys and Items, which do not see where a slice of entries begins.
	old := m.ListValues().(*array.Struct)
	items, err := reshape(old.Field(1), *from.Elem, *to.Elem, want.ItemType(), mem)
	if err != nil {
		return nil, err
	}
	defer items.Release()
	entries := array.NewData(want.Elem(), old.Len(), []*memory.Buffer{nil}, []arrow.ArrayData{old.Field(0).Data(), items.Data()}, 0, 0)
	defer entries.Release()
	return withChildren(m.Data(), want, entries), nil
}

func reshapeRow(s *array.Struct, from, to schema.Type, want *arrow.StructType, mem memory.Allocator) (arrow.Array, error) {
	kids := make([]arrow.ArrayData, len(to.Fields))
	for i, w := range to.Fields {
		at := -1
		for j, f := range from.Fields {
			if f.ID == w.ID {
				at = j
			}
		}
		var member arrow.Array
		if at < 0 {
			member = array.MakeArrayOfNull(mem, want.Field(i).Type, s.Len())
		} else {
			var err error
			if member, err = reshape(s.Field(at), from.Fields[at].Type, w.Type, want.Field(i).Type, mem); err != nil {
				return nil, err
			}
		}
		defer member.Release()
		kids[i] = member.Data()
	}
	return withStructChildren(s, want, kids), nil
}

// withStructChildren rebuilds a struct whose members already start at its first row.
func withStructChildren(s *array.Struct, want *arrow.StructType, kids []arrow.ArrayData) arrow.Array {
	valid := s.Data().Buffers()[0]
	offset := s.Data().Offset()
	if offset != 0 {
		// Struct.Field slices members to the struct's window, so the window starts at 0 now.
		valid, offset = shiftedValidity(s), 0
	}
	nulls := s.NullN()
	data := array.NewData(want, s.Len(), []*memory.Buffer{valid}, kids, nulls, offset)
	defer data.Release()
	return array.MakeFromData(data)
}

func shiftedValidity(s *array.Struct) *memory.Buffer {
	if s.NullN() == 0 {
		return nil
	}
	bits := make([]byte, (s.Len()+7)/8)
	for i := range s.Len() {
		if s.IsValid(i) {
			bits[i>>3] |= 1 << (i & 7)
		}
	}
	return memory.NewBufferBytes(bits)
}

func withChildren(d arrow.ArrayData, want arrow.DataType, kids ...arrow.ArrayData) arrow.Array {
	data := array.NewData(want, d.Len(), d.Buffers(), kids, d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}
