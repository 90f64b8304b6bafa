package table

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/cast"
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
	cast  cast.Func    // brings them there, nil when the column is absent
	arrow arrow.DataType
}

// planColumns matches wanted columns to a file's own schema by id. Zone is the
// session's, for casts.
func planColumns(want, file []schema.Field, zone *time.Location) ([]columnPlan, error) {
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
		s := shaper{zone: zone, want: field.Type}
		shape, err := s.plan(f.Type, w.Type)
		if err != nil {
			return nil, columnError(w.Name, err)
		}
		plans[i].have, plans[i].cast = shape.any, shape.apply
		plans[i].ask = schema.Field{ID: f.ID, Name: f.Name, Type: shape.ask}
		plans[i].same = shape.ask.EqualIgnoringNullability(w.Type)
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

// apply brings a column as the file has it to the wanted type; nil is an absent column.
func (p *columnPlan) apply(col arrow.Array, rows int, mem memory.Allocator) (arrow.Array, error) {
	if !p.have {
		return array.MakeArrayOfNull(mem, p.arrow, rows), nil
	}
	if p.same && arrow.TypeEqual(col.DataType(), p.arrow) {
		col.Retain()
		return col, nil
	}
	out, err := p.cast(col, mem)
	if err != nil {
		return nil, columnError(p.want.Name, err)
	}
	return out, nil
}

// shaper plans how values of one type become values of another.
type shaper struct {
	zone *time.Location
	want arrow.DataType
}

// shape is such a plan: what of the file's type is needed at all, and the way
// from there. any is false when nothing of it is left, which reads as null.
type shape struct {
	ask   schema.Type
	any   bool
	apply cast.Func
}

func (s shaper) plan(file, want schema.Type) (shape, error) {
	switch {
	case file.Kind == want.Kind && file.Kind == schema.Row:
		return s.row(file, want)
	case file.Kind == want.Kind && (file.Kind == schema.Array || file.Kind == schema.Map):
		return s.elements(file, want)
	case file.EqualIgnoringNullability(want):
		conformed := func(col arrow.Array, mem memory.Allocator) (arrow.Array, error) {
			return conform.Array(col, s.want, mem)
		}
		return shape{file, true, conformed}, nil
	}
	f, err := cast.New(file, want, s.zone)
	return shape{file, true, f}, err
}

// elements plans the elements of an ARRAY or the values of a MAP.
func (s shaper) elements(file, want schema.Type) (shape, error) {
	if file.Kind == schema.Map && !file.Key.EqualIgnoringNullability(*want.Key) {
		return shape{}, fault.Corrupt("", fmt.Sprintf("the keys of %s became %s, which no alteration does", file, want), nil)
	}
	inner := shaper{zone: s.zone}
	switch t := s.want.(type) {
	case *arrow.MapType:
		inner.want = t.ItemType()
	case *arrow.ListType:
		inner.want = t.Elem()
	}
	elem, err := inner.plan(*file.Elem, *want.Elem)
	if err != nil {
		return shape{}, err
	}
	out := shape{file, elem.any, nil}
	out.ask.Elem = &elem.ask
	out.apply = func(col arrow.Array, mem memory.Allocator) (arrow.Array, error) {
		if m, ok := col.(*array.Map); ok {
			return castMap(m, elem.apply, s.want.(*arrow.MapType), mem)
		}
		elems, err := elem.apply(col.(*array.List).ListValues(), mem)
		if err != nil {
			return nil, err
		}
		defer elems.Release()
		return withChildren(col.Data(), s.want, elems.Data()), nil
	}
	return out, nil
}

func castMap(m *array.Map, items cast.Func, want *arrow.MapType, mem memory.Allocator) (arrow.Array, error) {
	// Not Keys and Items, which do not see where a slice of entries begins.
	old := m.ListValues().(*array.Struct)
	made, err := items(old.Field(1), mem)
	if err != nil {
		return nil, err
	}
	defer made.Release()
	entries := array.NewData(want.Elem(), old.Len(), []*memory.Buffer{nil}, []arrow.ArrayData{old.Field(0).Data(), made.Data()}, 0, 0)
	defer entries.Release()
	return withChildren(m.Data(), want, entries), nil
}

// row plans the members of a ROW, matched by id.
func (s shaper) row(file, want schema.Type) (shape, error) {
	out := shape{ask: file}
	out.ask.Fields = nil
	typ := s.want.(*arrow.StructType)
	from := make([]string, len(want.Fields)) // what the file calls it, "" for none
	casts := make([]cast.Func, len(want.Fields))
	for i, w := range want.Fields {
		f, ok := byID(file.Fields, w.ID)
		if !ok {
			continue
		}
		member, err := shaper{s.zone, typ.Field(i).Type}.plan(f.Type, w.Type)
		if err != nil {
			return out, fmt.Errorf("member %q: %w", w.Name, err)
		}
		if member.any {
			f.Type = member.ask
			from[i], casts[i] = f.Name, member.apply
			out.ask.Fields = append(out.ask.Fields, f)
		}
	}
	out.any = len(out.ask.Fields) > 0
	out.apply = func(col arrow.Array, mem memory.Allocator) (arrow.Array, error) {
		return castRow(col.(*array.Struct), from, casts, typ, mem)
	}
	return out, nil
}

func castRow(s *array.Struct, from []string, casts []cast.Func, want *arrow.StructType, mem memory.Allocator) (arrow.Array, error) {
	kids := make([]arrow.ArrayData, len(from))
	have := s.DataType().(*arrow.StructType)
	for i, name := range from {
		var member arrow.Array
		var err error
		if at, ok := have.FieldIdx(name); !ok || name == "" {
			member = array.MakeArrayOfNull(mem, want.Field(i).Type, s.Len())
		} else if member, err = casts[i](s.Field(at), mem); err != nil {
			return nil, err
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
