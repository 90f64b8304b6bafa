package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Selection asks Keep about ever smaller ranges:
//
//	row group   statistics of its column chunks
//	pages       a ┆─────┆────────┆──┆     the columns Keep asked about, if they
//	            b ┆────────┆────────┆     have page indexes, cut the rows into
//	ranges        1     2  3     4  5     ranges within one page of each
//
// The other columns follow the ranges by their offset indexes.

// choose returns the spans of a row group that may hold wanted rows.
func (p *parquetFile) choose(g *rowGroup) ([]rowRange, error) {
	whole := []rowRange{{0, g.rows}}
	if p.opts.Keep == nil {
		return whole, nil
	}
	asked := map[string]bool{}
	keep := p.opts.Keep(func(name string) (ColumnStats, bool) {
		asked[name] = true
		return p.groupStats(g, name)
	}, g.rows)
	if !keep {
		return nil, nil
	}
	indexes, err := p.pageIndexes(g, asked)
	if err != nil || len(indexes) == 0 {
		return whole, err
	}
	return p.choosePages(g, indexes), nil
}

// choosePages cuts the rows at every page of the indexed columns.
func (p *parquetFile) choosePages(g *rowGroup, indexes map[string]*pageIndex) []rowRange {
	cuts := pageCuts(g.rows, indexes)
	var spans []rowRange
	for i, from := range cuts[:len(cuts)-1] {
		rows := cuts[i+1] - from
		keep := p.opts.Keep(func(name string) (ColumnStats, bool) {
			if x := indexes[name]; x != nil {
				return x.stats(from, rows), true
			}
			s, ok := p.groupStats(g, name)
			s.Nulls = partNulls(s.Nulls, g.rows, rows)
			return s, ok
		}, rows)
		if !keep {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].to == from {
			spans[n-1].to += rows
		} else {
			spans = append(spans, rowRange{from, from + rows})
		}
	}
	return spans
}

// pageCuts are the first rows of pages, and the number of rows in the end.
func pageCuts(rows int64, indexes map[string]*pageIndex) []int64 {
	cuts := []int64{0, rows}
	for _, x := range indexes {
		for _, l := range x.pages {
			cuts = append(cuts, l.row)
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// partNulls says how many nulls are among rows of all, given how many there
// are in all.
func partNulls(nulls, all, rows int64) int64 {
	switch nulls {
	case 0:
		return 0
	case all:
		return rows
	}
	return -1
}

func (p *parquetFile) groupStats(g *rowGroup, name string) (ColumnStats, bool) {
	for _, c := range p.cols {
		if c.field.Name != name {
			continue
		}
		switch {
		case c.slot == nil:
			return ColumnStats{Nulls: g.rows}, true
		case c.nested:
			return ColumnStats{}, false
		}
		s := g.chunks[c.leaves[0].node.leaf].stats
		lo, hi := s.min, s.max
		if !p.meta.ordered {
			lo, hi = nil, nil // says nothing of the order
		}
		if lo == nil && hi == nil && c.leaves[0].node.physical != pBytes && c.leaves[0].node.physical != pFixed {
			lo, hi = s.oldMin, s.oldMax
		}
		if s.nulls < 0 || s.nulls > g.rows {
			s.nulls = -1
		}
		return c.stats(lo, hi, s.nulls), true
	}
	return ColumnStats{}, false
}

// stats converts bounds as stored into metadata values.
func (c *colReader) stats(lo, hi []byte, nulls int64) ColumnStats {
	n := c.leaves[0].node
	s := ColumnStats{Nulls: nulls}
	if n.annotation == annUnsigned {
		return s
	}
	s.Min, s.Max = bound(c.field.Type, n, lo), bound(c.field.Type, n, hi)
	switch min := s.Min.(type) { // which zero a writer names does not tell which it has
	case float32:
		if min == 0 {
			s.Min = float32(math.Copysign(0, -1))
		}
	case float64:
		if min == 0 {
			s.Min = math.Copysign(0, -1)
		}
	}
	switch max := s.Max.(type) {
	case float32:
		if max == 0 {
			s.Max = float32(0)
		}
	case float64:
		if max == 0 {
			s.Max = float64(0)
		}
	}
	return s
}

// bound converts one bound, nil when it is absent or says nothing.
func bound(t schema.Type, n *node, b []byte) any {
	if b == nil {
		return nil
	}
	switch n.physical {
	case pBoolean:
		if len(b) == 1 && t.Kind == schema.Boolean {
			return b[0] != 0
		}
	case pInt32:
		if len(b) == 4 {
			return bound32(t, int32(binary.LittleEndian.Uint32(b)))
		}
	case pInt64:
		if len(b) == 8 {
			return bound64(t, n, int64(binary.LittleEndian.Uint64(b)))
		}
	case pFloat:
		if len(b) == 4 {
			if f := math.Float32frombits(binary.LittleEndian.Uint32(b)); f == f {
				return f
			}
		}
	case pDouble:
		if len(b) == 8 {
			if f := math.Float64frombits(binary.LittleEndian.Uint64(b)); f == f {
				return f
			}
		}
	case pBytes, pFixed:
		return boundBytes(t, b)
	}
	return nil
}

func bound32(t schema.Type, v int32) any {
	switch t.Kind {
	case schema.TinyInt:
		if v == int32(int8(v)) {
			return int8(v)
		}
	case schema.SmallInt:
		if v == int32(int16(v)) {
			return int16(v)
		}
	case schema.Int, schema.Date, schema.Time:
		return v
	case schema.Decimal:
		return decimal128.FromI64(int64(v))
	}
	return nil
}

func bound64(t schema.Type, n *node, v int64) any {
	switch t.Kind {
	case schema.BigInt:
		return v
	case schema.Decimal:
		return decimal128.FromI64(v)
	case schema.Timestamp, schema.TimestampLTZ:
		unit, err := leafUnit(n, t)
		if err != nil {
			return nil
		}
		per := unit / milli // of the file's unit in a millisecond
		ms := divDown(v, per)
		return schema.TimestampValue{Millis: ms, Nanos: int32((v - ms*per) * (micro / per))}
	}
	return nil
}

func boundBytes(t schema.Type, b []byte) any {
	switch t.Kind {
	case schema.Char, schema.VarChar:
		return string(b)
	case schema.Binary, schema.VarBinary:
		return slices.Clone(b)
	case schema.Decimal:
		if d, err := bigDecimal(b); err == nil {
			return d
		}
	}
	return nil
}

// pageIndex is the statistics and places of the pages of one column chunk.
type pageIndex struct {
	column   *colReader
	rows     int64
	pages    []pageLoc
	nullPage []bool
	min, max [][]byte
	nulls    []int64 // nil when unknown
}

// stats describes rows from a row on, all within one page.
func (x *pageIndex) stats(from, rows int64) ColumnStats {
	i, found := slices.BinarySearchFunc(x.pages, from, func(l pageLoc, row int64) int { return int(min(max(l.row-row, -1), 1)) })
	if !found {
		i--
	}
	if x.nullPage[i] {
		return ColumnStats{Nulls: rows}
	}
	end := x.rows
	if i+1 < len(x.pages) {
		end = x.pages[i+1].row
	}
	nulls := int64(-1)
	if x.nulls != nil {
		nulls = partNulls(x.nulls[i], end-x.pages[i].row, rows)
	}
	return x.column.stats(x.min[i], x.max[i], nulls)
}

// pageIndexes reads the indexes of columns that have some, by name; asked are
// the columns to look at, nil for all.
func (p *parquetFile) pageIndexes(g *rowGroup, asked map[string]bool) (map[string]*pageIndex, error) {
	indexes := map[string]*pageIndex{}
	for _, c := range p.cols {
		if asked != nil && !asked[c.field.Name] || c.slot == nil || c.nested {
			continue
		}
		x, err := p.pageIndex(c, g)
		if err != nil {
			return nil, fault.Corrupt(p.name, "page index of column "+c.field.Name, err)
		}
		if x != nil {
			indexes[c.field.Name] = x
		}
	}
	return indexes, nil
}

// pageIndex reads the indexes of a column chunk, nil when it has not both.
func (p *parquetFile) pageIndex(c *colReader, g *rowGroup) (*pageIndex, error) {
	ch := &g.chunks[c.leaves[0].node.leaf]
	if ch.columnIndex.len <= 0 || ch.offsetIndex.len <= 0 || ch.encrypted || ch.elsewhere {
		return nil, nil
	}
	pages, err := p.offsetIndex(ch, g.rows)
	if err != nil {
		return nil, err
	}
	data, err := p.read(ch.columnIndex.off, ch.columnIndex.len)
	if err != nil {
		return nil, err
	}
	x := &pageIndex{column: c, rows: g.rows, pages: pages}
	t := &thrift{b: data}
	t.fields(tStruct, func(id int16, typ byte) bool {
		switch id {
		case 1:
			t.list(typ, func(typ byte) { x.nullPage = append(x.nullPage, t.bool(typ)) })
		case 2:
			t.list(typ, func(typ byte) { x.min = append(x.min, t.bytes(typ)) })
		case 3:
			t.list(typ, func(typ byte) { x.max = append(x.max, t.bytes(typ)) })
		case 5:
			t.list(typ, func(typ byte) { x.nulls = append(x.nulls, t.int(typ)) })
		default:
			return false
		}
		return true
	})
	if t.err != nil {
		return nil, t.err
	}
	if n := len(pages); len(x.nullPage) != n || len(x.min) != n || len(x.max) != n || x.nulls != nil && len(x.nulls) != n {
		return nil, fmt.Errorf("statistics of %d pages, of which there are %d", len(x.nullPage), n)
	}
	return x, nil
}

// offsetIndex reads where the pages of a column chunk lie, nil when the file
// does not say.
func (p *parquetFile) offsetIndex(ch *chunkMeta, rows int64) ([]pageLoc, error) {
	if ch.offsetIndex.len <= 0 {
		return nil, nil
	}
	data, err := p.read(ch.offsetIndex.off, ch.offsetIndex.len)
	if err != nil {
		return nil, err
	}
	var pages []pageLoc
	t := &thrift{b: data}
	off, row := ch.start(), int64(-1)
	t.fields(tStruct, func(id int16, typ byte) bool {
		if id != 1 {
			return false
		}
		t.list(typ, func(typ byte) {
			l := t.pageLoc(typ)
			if t.err == nil && (l.off < off || l.size <= 0 || l.size > ch.start()+ch.compressed-l.off || l.row <= row || l.row >= rows || row < 0 && l.row != 0) {
				t.fail(fmt.Errorf("page of %d bytes at %d, row %d, is out of place", l.size, l.off, l.row))
			}
			off, row = l.off+l.size, l.row
			pages = append(pages, l)
		})
		return true
	})
	if t.err == nil && len(pages) == 0 {
		t.fail(errors.New("no pages"))
	}
	return pages, t.err
}

func (t *thrift) pageLoc(typ byte) (l pageLoc) {
	t.fields(typ, func(id int16, typ byte) bool {
		switch id {
		case 1:
			l.off = t.int(typ)
		case 2:
			l.size = t.int(typ)
		case 3:
			l.row = t.int(typ)
		default:
			return false
		}
		return true
	})
	return l
}
