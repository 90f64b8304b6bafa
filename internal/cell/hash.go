package cell

import (
	"hash/maphash"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

var seed = maphash.MakeSeed()

const hashNull = 0x9e3779b97f4a7c15

// Hash is a hash of cell i of a: the same for cells that Equal holds for. It
// differs from process to process.
func Hash(a arrow.Array, i int) uint64 {
	if a.IsNull(i) {
		return hashNull
	}
	switch x := a.(type) {
	case *array.Boolean:
		if x.Value(i) {
			return mix(1)
		}
		return mix(0)
	case *array.Int8:
		return mix(uint64(x.Value(i)))
	case *array.Int16:
		return mix(uint64(x.Value(i)))
	case *array.Int32:
		return mix(uint64(x.Value(i)))
	case *array.Int64:
		return mix(uint64(x.Value(i)))
	case *array.Float32:
		return mix(floatBits(float64(x.Value(i))))
	case *array.Float64:
		return mix(floatBits(x.Value(i)))
	case *array.Decimal128:
		v := x.Value(i)
		return Combine(mix(v.LowBits()), mix(uint64(v.HighBits())))
	case *array.Date32:
		return mix(uint64(x.Value(i)))
	case *array.Time32:
		return mix(uint64(x.Value(i)))
	case *array.Timestamp:
		return mix(uint64(x.Value(i)))
	case *array.String:
		return maphash.String(seed, x.Value(i))
	case *array.Binary:
		return maphash.Bytes(seed, x.Value(i))
	}
	return hashNested(a, i)
}

// HashBytes is the hash of a text or binary cell of these bytes.
func HashBytes(b []byte) uint64 { return maphash.Bytes(seed, b) }

// Combine joins the hash of the next cell of a row to the hash of those before.
func Combine(h, next uint64) uint64 { return mix(bits.RotateLeft64(h, 23) ^ next) }

var start = maphash.String(seed, "")

// mix spreads a word over all bits.
func mix(v uint64) uint64 {
	hi, lo := bits.Mul64(v^start, 0xbf58476d1ce4e5b9)
	hi, lo = bits.Mul64(hi^lo, 0x94d049bb133111eb)
	return hi ^ lo
}

func hashNested(a arrow.Array, i int) uint64 {
	switch x := a.(type) {
	case *array.Struct:
		h := uint64(0)
		for f := range x.NumField() {
			h = Combine(h, Hash(x.Field(f), i))
		}
		return h
	case *array.List:
		e, from, to := Elements(x, i)
		h := mix(uint64(to - from))
		for k := from; k < to; k++ {
			h = Combine(h, Hash(e, k))
		}
		return h
	case *array.Map:
		e, from, to := Elements(x, i)
		h := uint64(to - from)
		for k := from; k < to; k++ {
			h += Hash(e, k) // in any order
		}
		return mix(h)
	}
	panic("cell: Arrow type " + a.DataType().String() + " is no column's type")
}
