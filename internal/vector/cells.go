package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// Single cells of a Gatherer's sources, for folds that compute instead of
// copying. Reading is safe from many goroutines while no source is set.

// Type is the Arrow type of the column.
func (g *Gatherer) Type() arrow.DataType { return g.dt }

// Source is the array that was set for a source, borrowed.
func (g *Gatherer) Source(i int) arrow.Array { return g.src[i] }

// HasNulls tells that some source holds a null.
func (g *Gatherer) HasNulls() bool { return g.col.nulls().count > 0 }

// IsNull tells whether the cell of r is null.
func (g *Gatherer) IsNull(r Ref) bool { return g.col.nulls().isNull(r) }

// Values are the values of a column of fixed width by source and row: the
// cell of r is Values[T](g)[r.Source()][r.Row()], and means nothing where it is
// null. T is the Go type of Arrow's values; dates, times and timestamps are
// int32 or int64. It returns nil when T is another type. The slices are
// borrowed until the next source is set or cleared.
func Values[T arrow.FixedWidthType](g *Gatherer) [][]T {
	if c, ok := g.col.(*fixedColumn[T]); ok {
		return c.vals
	}
	return nil
}

// Bytes is the cell of a string or binary column. It is borrowed from the
// source; a null cell means nothing.
func (g *Gatherer) Bytes(r Ref) []byte {
	s := &g.col.(*bytesColumn).src[r.Source()]
	return s.data[s.offs[r.Row()]:s.offs[r.Row()+1]]
}

// Bool is the cell of a boolean column. A null cell means nothing.
func (g *Gatherer) Bool(r Ref) bool {
	s := &g.col.(*boolColumn).vals.src[r.Source()]
	k := r.Row() + s.off
	return s.bits[k>>3]>>(k&7)&1 == 1
}
