package deletion

import (
	"iter"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/tidelake/tidelake/internal/fault"
)

// Vector is the set of deleted row positions of one data file. The zero value
// is empty. It may be read concurrently, and changed by one goroutine alone.
type Vector struct {
	parts []part // by rising high
}

// part holds the positions that share their high 32 bits.
type part struct {
	high uint32
	low  *roaring.Bitmap
}

func (v *Vector) find(high uint32) (int, bool) {
	return slices.BinarySearchFunc(v.parts, high, func(p part, h uint32) int { return int(int64(p.high) - int64(h)) })
}

func split(position int64) (high, low uint32) { return uint32(position >> 32), uint32(position) }

func (p *part) join(low uint32) int64 { return int64(p.high)<<32 | int64(low) }

// Add marks a position and tells whether it was new.
func (v *Vector) Add(position int64) bool {
	high, low := split(position)
	return v.part(high).CheckedAdd(low)
}

func (v *Vector) part(high uint32) *roaring.Bitmap {
	i, there := v.find(high)
	if !there {
		v.parts = slices.Insert(v.parts, i, part{high, roaring.New()})
	}
	return v.parts[i].low
}

// Or marks all positions of another vector, which stays as it is.
func (v *Vector) Or(other *Vector) {
	for _, p := range other.parts {
		v.part(p.high).Or(p.low)
	}
}

// Has tells whether a position is marked.
func (v *Vector) Has(position int64) bool {
	high, low := split(position)
	i, there := v.find(high)
	return there && v.parts[i].low.Contains(low)
}

// Count is the number of marked positions.
func (v *Vector) Count() int64 {
	n := uint64(0)
	for _, p := range v.parts {
		n += p.low.GetCardinality()
	}
	return int64(n)
}

// Max is the largest marked position, -1 when there is none.
func (v *Vector) Max() int64 {
	for _, p := range slices.Backward(v.parts) {
		if !p.low.IsEmpty() {
			return p.join(p.low.Maximum())
		}
	}
	return -1
}

// Positions yields the marked positions in order.
func (v *Vector) Positions() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for _, p := range v.parts {
			for it := p.low.Iterator(); it.HasNext(); {
				if !yield(p.join(it.Next())) {
					return
				}
			}
		}
	}
}

// Live gives those of the n rows from a position on that are not marked, as
// numbers from 0, and whether that is all of them, in which case there is no list.
func (v *Vector) Live(from int64, n int) (rows []int32, all bool) {
	next := int32(0)
	for gone := range v.within(from, from+int64(n)) {
		if rows == nil {
			rows = make([]int32, 0, n-1)
		}
		at := int32(gone - from)
		for ; next < at; next++ {
			rows = append(rows, next)
		}
		next = at + 1
	}
	if rows == nil {
		return nil, true
	}
	for ; next < int32(n); next++ {
		rows = append(rows, next)
	}
	return rows, false
}

// within yields the marked positions from and after one, and before another.
func (v *Vector) within(from, to int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		high, low := split(from)
		i, _ := v.find(high)
		for ; i < len(v.parts); i++ {
			p := &v.parts[i]
			it := p.low.Iterator()
			if p.high == high {
				it.AdvanceIfNeeded(low)
			}
			for it.HasNext() {
				position := p.join(it.Next())
				if position >= to || !yield(position) {
					return
				}
			}
		}
	}
}

// Check proves that the vector can be that of a file of so many rows, and that
// it marks as many of them as its metadata says, where that is known.
func (v *Vector) Check(file string, rows int64, cardinality *int64) error {
	if last := v.Max(); last >= rows {
		return fault.Corrupt(file, "its deletion vector marks row "+itoa(last)+" of "+itoa(rows), nil)
	}
	if n := v.Count(); cardinality != nil && *cardinality != n {
		return fault.Corrupt(file, "its deletion vector marks "+itoa(n)+" rows, the index manifest says "+itoa(*cardinality), nil)
	}
	return nil
}

// fits32 tells that every position can be written in the 32-bit kind.
func (v *Vector) fits32() bool { return v.Max() <= math.MaxInt32 }

// Clone is a copy that can be changed on its own.
func (v *Vector) Clone() *Vector {
	out := &Vector{parts: slices.Clone(v.parts)}
	for i := range out.parts {
		out.parts[i].low = out.parts[i].low.Clone()
	}
	return out
}
