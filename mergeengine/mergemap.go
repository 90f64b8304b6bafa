package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// newMergeMap is the function merge_map: the entries of all maps, the newest
// for each key.
func newMergeMap(f schema.Field, _ schema.FieldOptions) (accumulator, error) {
	if f.Type.Kind != schema.Map {
		return nil, fault.Invalid("the type is " + f.Type.String() + ", must be MAP")
	}
	return &mergeMap{elements: elements{keys: []int{0}}, taken: elements{keys: []int{0}}}, nil
}

type mergeMap struct {
	elements
	taken elements
}

func (m *mergeMap) add(col arrow.Array, row int) error {
	if m.null {
		return m.base(col, row)
	}
	if !col.IsNull(row) {
		m.putAll(m.input(col, row))
	}
	return nil
}

func (m *mergeMap) putAll(entries []element) {
	m.unique(true)
	for _, e := range entries {
		m.put(e)
	}
}

func (m *mergeMap) addLate(col arrow.Array, row int) error {
	if m.null {
		return m.base(col, row)
	}
	if !col.IsNull(row) {
		m.putAll(m.turn(col, row))
	}
	return nil
}

// retract takes keys out, whatever their values.
func (m *mergeMap) retract(col arrow.Array, row int) error {
	if m.null {
		return nil
	}
	_ = m.taken.base(col, row)
	if len(m.taken.list) == 0 {
		return nil
	}
	m.taken.unique(true)
	m.unique(true)
	m.keep(func(e element) bool {
		pos, _ := m.taken.find(e)
		return pos < 0
	})
	return nil
}
