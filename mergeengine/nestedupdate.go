package mergeengine

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// newNestedUpdate is the function nested_update: the rows of all arrays, or
// with a nested key the newest row for each key, up to a limit.
func newNestedUpdate(f schema.Field, o schema.FieldOptions) (accumulator, error) {
	keys, err := nestedKey(f, o)
	if err != nil {
		return nil, err
	}
	if o.CountLimit < 0 {
		return nil, fault.Invalid(fmt.Sprintf("count-limit is %d, must not be negative", o.CountLimit))
	}
	return &nestedUpdate{elements: elements{keys: keys}, taken: elements{keys: keys}, limit: o.CountLimit}, nil
}

// nestedKey is the places of the nested key in the rows of the array.
func nestedKey(f schema.Field, o schema.FieldOptions) (keys []int, err error) {
	if f.Type.Kind != schema.Array || f.Type.Elem.Kind != schema.Row {
		return nil, fault.Invalid("the type is " + f.Type.String() + ", must be ARRAY of ROW")
	}
	for _, name := range o.NestedKey {
		at := fieldIndex(f.Type.Elem.Fields, name)
		if at < 0 {
			return nil, fault.Invalid(fmt.Sprintf("nested-key %s is no field of %s", name, f.Type.Elem))
		}
		keys = append(keys, at)
	}
	return keys, nil
}

type nestedUpdate struct {
	elements
	taken elements
	limit int
}

func (n *nestedUpdate) add(col arrow.Array, row int) error {
	if n.null {
		return n.base(col, row)
	}
	if !col.IsNull(row) {
		n.addAll(n.input(col, row))
	}
	return nil
}

func (n *nestedUpdate) addLate(col arrow.Array, row int) error {
	if n.null {
		return n.base(col, row)
	}
	if !col.IsNull(row) {
		n.addAll(n.turn(col, row))
	}
	return nil
}

// addAll takes as many rows as there is room for, those of known keys
// included: Paimon cuts first and looks at keys then.
func (n *nestedUpdate) addAll(rows []element) {
	room := n.limit - len(n.list)
	if room <= 0 {
		return
	}
	n.clean()
	for _, e := range rows {
		if e.isNull() {
			continue
		}
		if room--; room < 0 {
			return
		}
		if n.keys == nil {
			n.list = append(n.list, e)
		} else {
			n.put(e)
		}
	}
}

// clean leaves out null rows and, with a key, older ones of the same key.
func (n *nestedUpdate) clean() {
	if n.keys == nil {
		n.keep(func(e element) bool { return !e.isNull() })
	} else {
		n.unique(false)
	}
}

// retract takes out all rows that are equal, or have an equal key.
func (n *nestedUpdate) retract(col arrow.Array, row int) error {
	if n.null || col.IsNull(row) {
		return nil
	}
	n.clean()
	_ = n.taken.base(col, row)
	n.taken.unique(false)
	n.keep(func(e element) bool {
		pos, _ := n.taken.find(e)
		return pos < 0
	})
	return nil
}
