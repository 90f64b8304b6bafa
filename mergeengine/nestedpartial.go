package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

const nestedPartialUpdate = "nested_partial_update"

// newNestedPartial is the function nested_partial_update: one row for each
// nested key, made of the newest value of each field that is not null.
func newNestedPartial(f schema.Field, o schema.FieldOptions) (accumulator, error) {
	keys, err := nestedKey(f, o)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fault.Invalid("it needs a nested-key: set fields." + f.Name + ".nested-key")
	}
	return &nestedPartial{elements: elements{keys: keys}, column: f.Name, width: len(f.Type.Elem.Fields)}, nil
}

// nestedPartial holds in elements the first row of each key and in fields the
// cells that a row is made of, width for each. Before anything is merged there
// are no fields, and the elements are the value as it is.
type nestedPartial struct {
	elements
	fields []element
	merged bool
	column string
	width  int
}

func (n *nestedPartial) reset() {
	n.elements.reset()
	clear(n.fields)
	n.fields, n.merged = n.fields[:0], false
}

func (n *nestedPartial) base(col arrow.Array, row int) error {
	n.reset()
	return n.elements.base(col, row)
}

func (n *nestedPartial) add(col arrow.Array, row int) error {
	if n.null {
		return n.base(col, row)
	}
	if !col.IsNull(row) {
		n.merge()
		n.mergeRows(n.input(col, row))
	}
	return nil
}

// merge turns the value as it is into rows by key.
func (n *nestedPartial) merge() {
	if n.merged {
		return
	}
	n.scratch = append(n.scratch[:0], n.list...)
	n.list, n.merged = n.list[:0], true
	n.index.Reset()
	n.mergeRows(n.scratch)
}

func (n *nestedPartial) mergeRows(rows []element) {
	for _, e := range rows {
		if e.isNull() {
			continue
		}
		to := n.rowOf(e)
		s := e.array.(*array.Struct)
		for i := range n.width {
			if f := s.Field(i); f.IsValid(e.row) {
				to[i] = element{f, e.row}
			}
		}
	}
}

// rowOf is the cells of the row with e's key, all null if it is new.
func (n *nestedPartial) rowOf(e element) []element {
	pos, h := n.find(e)
	if pos < 0 {
		pos = len(n.list)
		n.push(e, h)
		n.fields = append(n.fields, make([]element, n.width)...)
	}
	return n.fields[pos*n.width : (pos+1)*n.width]
}

// addLate merges what is there onto the late value.
func (n *nestedPartial) addLate(col arrow.Array, row int) error {
	if n.null {
		return n.base(col, row)
	}
	if col.IsNull(row) {
		return nil
	}
	n.merge()
	rows := append([]element(nil), n.list...)
	fields := append([]element(nil), n.fields...)
	_ = n.base(col, row)
	n.merge()
	for i, e := range rows {
		to := n.rowOf(e)
		for j, f := range fields[i*n.width : (i+1)*n.width] {
			if f.array != nil {
				to[j] = f
			}
		}
	}
	return nil
}

func (n *nestedPartial) retract(arrow.Array, int) error {
	return cannotRetract(n.column, nestedPartialUpdate)
}

func (n *nestedPartial) appendTo(b array.Builder) error {
	if n.null || !n.merged {
		return n.elements.appendTo(b)
	}
	list := b.(*array.ListBuilder)
	list.Append(true)
	row := list.ValueBuilder().(*array.StructBuilder)
	for i := range n.list {
		row.Append(true)
		for j, f := range n.fields[i*n.width : (i+1)*n.width] {
			if f.array == nil {
				row.FieldBuilder(j).AppendNull()
			} else if err := cell.Append(row.FieldBuilder(j), f.array, f.row, f.row+1); err != nil {
				return err
			}
		}
	}
	return nil
}
