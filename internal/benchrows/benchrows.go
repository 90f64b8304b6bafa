// Package benchrows makes the rows that every benchmark uses, here and in the
// Java program beside the interop suite: the same seed gives the same rows and
// the same digest in both, so results can be compared and not only times.
//
// Row r of seed S has id = mix(S, r) mod keys and, in column c from 1, a value
// derived from mix(S + c·stream, r) whose type goes round a cycle of nine.
package benchrows

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

const (
	golden = 0x9E3779B97F4A7C15
	stream = 0xD1B54A32D192ED03
)

// mix is output i of splitmix64 seeded with seed.
func mix(seed, i uint64) uint64 { return scramble(seed + (i+1)*golden) }

func scramble(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

// Generator makes rows of the given shape. It is for one goroutine.
type Generator struct {
	Seed, Keys uint64
	Cols       int
	// UpsertRatio, when not negative, makes row r a new key with probability
	// 1 − ratio, else an update of an earlier key; rows must then be asked for in order.
	UpsertRatio float64
	// Nulls is how many of a hundred values are null, beside the key's. Default 0.
	Nulls uint64
	fresh uint64
}

// New makes a generator of uniformly random keys.
func New(seed, keys uint64, cols int) *Generator {
	return &Generator{Seed: seed, Keys: keys, Cols: cols, UpsertRatio: -1}
}

// Columns are the table's columns: id BIGINT NOT NULL, then c01, c02 and so on.
func Columns(cols int) []schema.Column {
	types := []string{"BIGINT", "INT", "DOUBLE", "STRING", "TIMESTAMP(3)", "DECIMAL(12, 2)", "BOOLEAN", "STRING", "DATE"}
	out := []schema.Column{{Name: "id", Type: mustType("BIGINT NOT NULL")}}
	for c := 1; c < cols; c++ {
		out = append(out, schema.Column{Name: fmt.Sprintf("c%02d", c), Type: mustType(types[(c-1)%len(types)])})
	}
	return out
}

func mustType(text string) schema.Type {
	t, err := schema.ParseType(text)
	if err != nil {
		panic(err) // the texts above
	}
	return t
}

// Key is the i-th random key below keys, as the Java program's lookups draw them.
func Key(seed, i, keys uint64) int64 { return int64(mix(seed, i) % keys) }

func (g *Generator) key(r uint64) int64 {
	h := mix(g.Seed, r)
	if g.UpsertRatio < 0 {
		return int64(h % g.Keys)
	}
	u := float64(mix(g.Seed+1, r)>>11) * 0x1p-53
	if g.fresh > 0 && (u < g.UpsertRatio || g.fresh >= g.Keys) {
		return int64(h % g.fresh)
	}
	g.fresh++
	return int64(g.fresh - 1)
}

// Batch makes rows from to from+n. The caller releases it.
func (g *Generator) Batch(sc *arrow.Schema, from uint64, n int, mem memory.Allocator) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, sc)
	defer b.Release()
	b.Reserve(n)
	ids := b.Field(0).(*array.Int64Builder)
	for i := range uint64(n) {
		ids.UnsafeAppend(g.key(from + i))
	}
	for c := 1; c < g.Cols; c++ {
		g.column(b.Field(c), c, from, n)
	}
	return b.NewRecordBatch()
}

func (g *Generator) column(b array.Builder, c int, from uint64, n int) {
	seed := g.Seed + uint64(c)*stream
	each := func(add func(v uint64)) {
		for i := range uint64(n) {
			if g.Nulls > 0 && mix(seed+1, from+i)%100 < g.Nulls {
				b.AppendNull()
				continue
			}
			add(mix(seed, from+i))
		}
	}
	const hex = "0123456789abcdef"
	var text [16]byte
	switch b := b.(type) {
	case *array.Int64Builder:
		each(func(v uint64) { b.UnsafeAppend(int64(v)) })
	case *array.Int32Builder:
		each(func(v uint64) { b.UnsafeAppend(int32(v >> 32)) })
	case *array.Float64Builder:
		each(func(v uint64) { b.UnsafeAppend(float64(v>>11) * 0x1p-53 * 1000.0) })
	case *array.TimestampBuilder:
		each(func(v uint64) { b.UnsafeAppend(arrow.Timestamp(1_600_000_000_000 + v%100_000_000_000)) })
	case *array.Decimal128Builder:
		each(func(v uint64) { b.UnsafeAppend(decimal128.FromI64(int64(v%10_000_000_000) - 5_000_000_000)) })
	case *array.BooleanBuilder:
		each(func(v uint64) { b.UnsafeAppend(v&1 == 1) })
	case *array.Date32Builder:
		each(func(v uint64) { b.UnsafeAppend(arrow.Date32(18000 + v%3650)) })
	case *array.StringBuilder:
		if (c-1)%9 == 3 {
			b.ReserveData(16 * n)
			each(func(v uint64) {
				for i := range text {
					text[i] = hex[v>>(60-4*i)&15]
				}
				b.BinaryBuilder.Append(text[:])
			})
			return
		}
		b.ReserveData(6 * n)
		copy(text[:], "cat-")
		each(func(v uint64) {
			text[4], text[5] = hex[v%100/10], hex[v%100%10]
			b.BinaryBuilder.Append(text[:6])
		})
	}
}

// Digest is the sum over a batch's rows of a 64-bit digest of each, so that it
// does not depend on their order. Columns are those of Columns.
func Digest(rec arrow.RecordBatch) (total uint64) {
	for _, d := range Digests(rec.Columns()) {
		total += d
	}
	return total
}

// Digests are those of each row.
func Digests(columns []arrow.Array) []uint64 {
	sums := make([]uint64, columns[0].Len())
	for c, col := range columns {
		field := fieldOf(col)
		for r := range sums {
			v := uint64(0x6E756C6C)
			if col.IsValid(r) {
				v = field(r)
			}
			sums[r] += v * uint64(2*c+1)
		}
	}
	for r, s := range sums {
		sums[r] = scramble(s)
	}
	return sums
}

func fieldOf(col arrow.Array) func(r int) uint64 {
	switch a := col.(type) {
	case *array.Boolean:
		return func(r int) uint64 {
			if a.Value(r) {
				return 1
			}
			return 0
		}
	case *array.Int32:
		return func(r int) uint64 { return uint64(int64(a.Value(r))) }
	case *array.Date32:
		return func(r int) uint64 { return uint64(int64(a.Value(r))) }
	case *array.Int64:
		return func(r int) uint64 { return uint64(a.Value(r)) }
	case *array.Float64:
		return func(r int) uint64 { return math.Float64bits(a.Value(r)) }
	case *array.Decimal128:
		return func(r int) uint64 { return a.Value(r).LowBits() }
	case *array.Timestamp:
		return func(r int) uint64 { return uint64(a.Value(r)) }
	case *array.String:
		return func(r int) uint64 { return fnv(a.Value(r)) }
	}
	panic(fmt.Sprintf("no digest of %s", col.DataType()))
}

func fnv(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return h
}
