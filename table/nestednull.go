package table

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
)

// firstNestedNull finds a null where a nested type says NOT NULL (keys of maps
// never are): the row and the place inside it, or -1. Nulls below a null parent
// do not count: they are not there.
func firstNestedNull(t schema.Type, col arrow.Array) (row int, place string) {
	if !mayMissMember(t, col) {
		return -1, ""
	}
	for r := range col.Len() {
		if col.IsValid(r) {
			if place := missingMember(t, col, r); place != "" {
				return r, place
			}
		}
	}
	return -1, ""
}

// part is one level below a nested type.
type part struct {
	name     string
	t        schema.Type
	required bool
	values   arrow.Array
}

// partsOf are the children of a nested column; nil for a scalar one.
func partsOf(t schema.Type, col arrow.Array) []part {
	switch a := col.(type) {
	case *array.Struct:
		out := make([]part, len(t.Fields))
		for i, f := range t.Fields {
			out[i] = part{"member " + strconv.Quote(f.Name), f.Type, !f.Type.Nullable, a.Field(i)}
		}
		return out
	case *array.Map:
		key, item := t.Key, t.Elem
		if t.Kind == schema.Multiset {
			key, item = t.Elem, &schema.Type{Kind: schema.Int}
		}
		// Not Keys and Items, which do not see where a slice of entries begins.
		entries := a.ListValues().(*array.Struct)
		return []part{{"a map key", *key, true, entries.Field(0)}, {"a map value", *item, !item.Nullable, entries.Field(1)}}
	case *array.List:
		return []part{{"an element", *t.Elem, !t.Elem.Nullable, a.ListValues()}}
	}
	return nil
}

// mayMissMember is the quick answer of whole columns.
func mayMissMember(t schema.Type, col arrow.Array) bool {
	for _, p := range partsOf(t, col) {
		if p.required && p.values.NullN() > 0 || mayMissMember(p.t, p.values) {
			return true
		}
	}
	return false
}

// missingMember looks below row r, which is not null.
func missingMember(t schema.Type, col arrow.Array, r int) string {
	from, to := int64(r), int64(r)+1
	if l, ok := col.(array.ListLike); ok {
		from, to = l.ValueOffsets(r)
	}
	for _, p := range partsOf(t, col) {
		for i := int(from); i < int(to); i++ {
			if p.values.IsNull(i) {
				if p.required {
					return p.name
				}
				continue
			}
			if place := missingMember(p.t, p.values, i); place != "" {
				return p.name + ": " + place
			}
		}
	}
	return ""
}
