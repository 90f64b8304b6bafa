package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/cell"
)

// element is an element of a list or an entry of a map, in the array where its
// version lies.
type element struct {
	array arrow.Array
	row   int
}

func (e element) isNull() bool { return e.array.IsNull(e.row) }

// elements is a list or map on its way to become a value: what it holds, in
// order, and an index of it where a function looks for elements. It borrows
// the arrays of the versions for as long as one row is folded.
type elements struct {
	// keys are the fields by which elements are found: of the nested rows, or
	// the key of map entries. Nil stands for the whole element.
	keys []int

	null bool
	list []element

	indexed bool // index holds list, position by position
	index   cell.Index

	scratch []element
	parts   []cell.Range
}

// keptElements bounds the memory that one row leaves to the next.
const keptElements = 1 << 16

func (l *elements) reset() {
	if cap(l.list) > keptElements || cap(l.scratch) > keptElements {
		l.list, l.scratch, l.parts, l.index = nil, nil, nil, cell.Index{}
	}
	clear(l.list)
	l.null, l.list, l.indexed = true, l.list[:0], false
	l.index.Reset()
}

// base takes the value as it is, with elements that are null or there twice.
func (l *elements) base(col arrow.Array, row int) error {
	l.reset()
	l.null = col.IsNull(row)
	l.list = elementsOf(l.list, col, row)
	return nil
}

// elementsOf appends the elements of a cell; a null cell has none.
func elementsOf(dst []element, col arrow.Array, row int) []element {
	a, from, to := cell.Elements(col.(array.ListLike), row)
	for i := from; i < to; i++ {
		dst = append(dst, element{a, i})
	}
	return dst
}

// input is the elements of a cell, until the next call.
func (l *elements) input(col arrow.Array, row int) []element {
	l.scratch = elementsOf(l.scratch[:0], col, row)
	return l.scratch
}

// turn takes the value of a cell for what is accumulated and returns what was,
// until the next call: a late value comes before what is there.
func (l *elements) turn(col arrow.Array, row int) []element {
	l.scratch = append(l.scratch[:0], l.list...)
	was := l.scratch
	_ = l.base(col, row)
	return was
}

func (l *elements) hash(e element) uint64 {
	if l.keys == nil {
		return cell.Hash(e.array, e.row)
	}
	s, h := e.array.(*array.Struct), uint64(0)
	for _, k := range l.keys {
		h = cell.Combine(h, cell.Hash(s.Field(k), e.row))
	}
	return h
}

func (l *elements) same(a, b element) bool {
	if l.keys == nil {
		return cell.Equal(a.array, a.row, b.array, b.row)
	}
	s, t := a.array.(*array.Struct), b.array.(*array.Struct)
	for _, k := range l.keys {
		if !cell.Equal(s.Field(k), a.row, t.Field(k), b.row) {
			return false
		}
	}
	return true
}

// find is the position of an element like e, or -1, and e's hash.
func (l *elements) find(e element) (pos int, h uint64) {
	h = l.hash(e)
	return l.index.Find(h, func(pos int) bool { return l.same(l.list[pos], e) }), h
}

// put adds e at the end, or in the place of the element like it.
func (l *elements) put(e element) {
	pos, h := l.find(e)
	if pos >= 0 {
		l.list[pos] = e
		return
	}
	l.push(e, h)
}

// push adds e at the end.
func (l *elements) push(e element, h uint64) {
	l.index.Add(h)
	l.list = append(l.list, e)
}

// unique leaves the last of elements that are alike and, unless nulls are
// kept, no null ones. It makes the index.
func (l *elements) unique(keepNulls bool) {
	if l.indexed {
		return
	}
	all := l.list
	l.index.Reset()
	l.list, l.indexed = l.list[:0], true
	for _, e := range all { // put writes behind what is read
		if keepNulls || !e.isNull() {
			l.put(e)
		}
	}
}

// keep leaves the elements that it is true for.
func (l *elements) keep(it func(e element) bool) {
	kept := l.list[:0]
	for _, e := range l.list {
		if it(e) {
			kept = append(kept, e)
		}
	}
	l.list, l.indexed = kept, false
}

// appendTo appends the value; elements that were taken out leave no trace.
func (l *elements) appendTo(b array.Builder) error {
	if l.null {
		b.AppendNull()
		return nil
	}
	l.parts = l.parts[:0]
	for _, e := range l.list {
		if e.array != nil {
			l.parts = appendElement(l.parts, e)
		}
	}
	return cell.AppendList(b, l.parts)
}

// appendElement makes one range of neighbours.
func appendElement(parts []cell.Range, e element) []cell.Range {
	if n := len(parts); n > 0 && parts[n-1].Array == e.array && parts[n-1].To == e.row {
		parts[n-1].To++
		return parts
	}
	return append(parts, cell.Range{Array: e.array, From: e.row, To: e.row + 1})
}
