package mergeengine

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

const mergeMapWithKeyTime = "merge_map_with_keytime"

// newMergeMapWithKeyTime is the function merge_map_with_keytime: values are
// rows with a time each, as text, and each key keeps the value of the greatest time.
func newMergeMapWithKeyTime(f schema.Field, o schema.FieldOptions) (accumulator, error) {
	if f.Type.Kind != schema.Map || f.Type.Elem.Kind != schema.Row || len(f.Type.Elem.Fields) < 2 {
		return nil, fault.Invalid("the type is " + f.Type.String() + ", must be MAP of some key to a ROW of two fields or more")
	}
	fields := f.Type.Elem.Fields
	at := len(fields) - 1
	if o.TimeField != "" {
		if at = fieldIndex(fields, o.TimeField); at < 0 {
			return nil, fault.Invalid(fmt.Sprintf("ts-field %s is no field of %s", o.TimeField, f.Type.Elem))
		}
	}
	if k := fields[at].Type.Kind; k != schema.VarChar && k != schema.Char {
		return nil, fault.Invalid(fmt.Sprintf("the time in field %s is %s, must be STRING: name another field by ts-field", fields[at].Name, fields[at].Type))
	}
	return &keyTimeMap{elements: elements{keys: []int{0}}, time: at, column: f.Name}, nil
}

// fieldIndex is the place of the field of that name, or -1.
func fieldIndex(fields []schema.Field, name string) int {
	for i, f := range fields {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// keyTimeMap holds entries; the place of one that was taken out has no array.
type keyTimeMap struct {
	elements
	time   int
	column string
}

func (m *keyTimeMap) add(col arrow.Array, row int) error {
	if m.null {
		return m.base(col, row)
	}
	if !col.IsNull(row) {
		m.putAll(m.input(col, row))
	}
	return nil
}

func (m *keyTimeMap) addLate(col arrow.Array, row int) error {
	if m.null {
		return m.base(col, row)
	}
	if !col.IsNull(row) {
		m.putAll(m.turn(col, row))
	}
	return nil
}

func (m *keyTimeMap) retract(arrow.Array, int) error {
	return cannotRetract(m.column, mergeMapWithKeyTime)
}

func (m *keyTimeMap) putAll(entries []element) {
	m.unique(true)
	for _, e := range entries {
		if e.array != nil {
			m.putNewer(e)
		}
	}
}

// putNewer takes an entry in by its time. A null value takes its key out, and
// a value without a time counts only in the map that came first.
func (m *keyTimeMap) putNewer(e element) {
	pos, h := m.findLive(e)
	value := e.array.(*array.Struct).Field(1).(*array.Struct)
	if value.IsNull(e.row) {
		if pos >= 0 {
			m.list[pos].array = nil
		}
		return
	}
	times := value.Field(m.time).(*array.String)
	switch {
	case times.IsNull(e.row):
	case pos < 0:
		m.push(e, h)
	case m.newer(cell.TextBytes(times, e.row), m.list[pos]):
		m.list[pos] = e
	}
}

// findLive is find among the entries that were not taken out.
func (m *keyTimeMap) findLive(e element) (pos int, h uint64) {
	h = m.hash(e)
	return m.index.Find(h, func(pos int) bool { return m.list[pos].array != nil && m.same(m.list[pos], e) }), h
}

func (m *keyTimeMap) newer(time []byte, than element) bool {
	value := than.array.(*array.Struct).Field(1).(*array.Struct)
	times := value.Field(m.time).(*array.String)
	return value.IsNull(than.row) || times.IsNull(than.row) || compareUTF16(time, cell.TextBytes(times, than.row)) > 0
}

// compareUTF16 compares as Java's strings do: by UTF-16 units, where
// characters above U+FFFF come before U+E000 to U+FFFF.
func compareUTF16(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) || n == len(b) {
		return len(a) - len(b)
	}
	for n > 0 && !utf8.RuneStart(a[n]) {
		n-- // the characters differ from here on
	}
	x, _ := utf8.DecodeRune(a[n:])
	y, _ := utf8.DecodeRune(b[n:])
	if high, other := x > 0xffff, y > 0xffff; high != other {
		if high && y >= 0xe000 {
			return -1
		}
		if other && x >= 0xe000 {
			return 1
		}
	}
	return bytes.Compare(a[n:], b[n:])
}
