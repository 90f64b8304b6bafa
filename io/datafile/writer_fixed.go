package datafile

import (
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// fixedSource gives the values of an array: a view where memory already holds
// what the file wants, else one converted value after the other.
type fixedSource[T fixedValue] struct {
	view []T
	fill func(dst []T, lo int) (bad int)       // rows lo..; bad is -1, or a row that does not fit
	pick func(dst []T, rows []int32) (bad int) // these rows
}

func converted[S any, T fixedValue](src []S, to func(S) (T, bool)) fixedSource[T] {
	return fixedSource[T]{
		fill: func(dst []T, lo int) int {
			for i, v := range src[lo : lo+len(dst)] {
				n, ok := to(v)
				if !ok {
					return lo + i
				}
				dst[i] = n
			}
			return -1
		},
		pick: func(dst []T, rows []int32) int {
			for i, r := range rows {
				n, ok := to(src[r])
				if !ok {
					return int(r)
				}
				dst[i] = n
			}
			return -1
		},
	}
}

// fixedValues encodes numbers, plain or by a dictionary.
type fixedValues[T fixedValue] struct {
	source func(arrow.Array) fixedSource[T]
	src    fixedSource[T]
	tmp    []T

	page  []T // values of the page, unless numbered
	trial dictTrial
	dict  fixedDict[T]
	ids   []uint32 // dictionary numbers of the page
	marks []uint32 // per number: the page that last used it
	at    uint32   // number of the page

	pageSpan, chunkSpan, fileSpan span[T]
}

func (v *fixedValues[T]) bind(a arrow.Array) { v.src = v.source(a) }

func (v *fixedValues[T]) width() int { return int(unsafe.Sizeof(*new(T))) }

func (v *fixedValues[T]) fit(lo, hi, room int) int { return min(hi-lo, room/v.width()) }

func (v *fixedValues[T]) raw() int { return (len(v.page) + len(v.ids)) * v.width() }

func (v *fixedValues[T]) scratch(n int) []T {
	if cap(v.tmp) < n {
		v.tmp = make([]T, n)
	}
	return v.tmp[:n]
}

func (v *fixedValues[T]) put(lo, hi int) error {
	if v.src.fill == nil {
		v.add(v.src.view[lo:hi])
		return nil
	}
	vals := v.scratch(hi - lo)
	if bad := v.src.fill(vals, lo); bad >= 0 {
		return misfit(bad)
	}
	v.add(vals)
	return nil
}

func (v *fixedValues[T]) putRows(rows []int32) error {
	vals := v.scratch(len(rows))
	if view := v.src.view; v.src.pick == nil {
		for i, r := range rows {
			vals[i] = view[r]
		}
	} else if bad := v.src.pick(vals, rows); bad >= 0 {
		return misfit(bad)
	}
	v.add(vals)
	return nil
}

func misfit(row int) error {
	return fault.Invalid(fmt.Sprintf("the value of row %d does not fit the column's type", row))
}

func (v *fixedValues[T]) add(vals []T) {
	for v.trial.open() && len(vals) > 0 {
		n := min(len(vals), max(1, dictSample-len(v.ids)))
		v.number(vals[:n])
		vals = vals[n:]
		if len(v.ids) >= dictSample && !v.trial.judge(len(v.ids), len(v.dict.values), v.width()) {
			v.toPlain()
		}
	}
	if v.trial.on() {
		v.number(vals)
		return
	}
	v.pageSpan.add(vals)
	v.page = append(v.page, vals...)
}

func (v *fixedValues[T]) number(vals []T) {
	from := len(v.ids)
	v.ids = v.dict.number(v.ids, vals)
	for len(v.marks) < len(v.dict.values) {
		v.marks = append(v.marks, 0)
	}
	page := v.at + 1
	for _, id := range v.ids[from:] {
		if v.marks[id] != page {
			v.marks[id] = page
			v.pageSpan.add(v.dict.values[id : id+1])
		}
	}
}

// toPlain gives the dictionary up and rewrites what the page holds.
func (v *fixedValues[T]) toPlain() {
	for _, id := range v.ids {
		v.page = append(v.page, v.dict.values[id])
	}
	v.ids = v.ids[:0]
	v.dict.reset()
}

// settle decides a pending trial of a dictionary before the page is encoded.
func (v *fixedValues[T]) settle() {
	if v.trial.on() && len(v.ids) > 0 &&
		!v.trial.keep(len(v.ids), len(v.dict.values), v.dict.bytes(), v.width()*len(v.ids)) {
		v.toPlain()
	}
}

func (v *fixedValues[T]) encode(dst []byte) ([]byte, parquet.Encoding) {
	v.settle()
	if len(v.ids) > 0 {
		return appendIDs(dst, v.ids, len(v.dict.values)), parquet.Encodings.PlainDict
	}
	return appendFixed(dst, v.page), parquet.Encodings.Plain
}

func (v *fixedValues[T]) stride() int { return 0 }

func (v *fixedValues[T]) endPage() metadata.EncodedStatistics {
	if len(v.ids) > 0 {
		v.trial.ended(v.dict.bytes())
	}
	v.ids, v.page = v.ids[:0], v.page[:0]
	e := v.pageSpan.encode()
	v.chunkSpan.merge(&v.pageSpan)
	v.pageSpan = span[T]{}
	v.at++
	return e
}

func (v *fixedValues[T]) endChunk(dst []byte) ([]byte, int, metadata.EncodedStatistics) {
	e := v.chunkSpan.encode()
	v.fileSpan.merge(&v.chunkSpan)
	v.chunkSpan = span[T]{}
	n := len(v.dict.values)
	dst = appendFixed(dst, v.dict.values)
	v.dict.reset()
	v.trial.restart()
	clear(v.marks)
	v.at = 0
	return dst, n, e
}

func (v *fixedValues[T]) bounds(t schema.Type) (lo, hi any) { return v.fileSpan.values(t) }

// appendIDs appends a page's dictionary numbers: their width, then the hybrid form.
func appendIDs(dst []byte, ids []uint32, entries int) []byte {
	width := max(1, bits.Len(uint(max(0, entries-1))))
	return appendHybrid(append(dst, byte(width)), ids, width)
}
