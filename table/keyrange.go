package table

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// A keyRange is a stretch of the key space: the keys whose first column lies
// in [lo, hi), where nil is open. A cut at a value of the first column never
// parts equal keys, whatever the columns after it hold.
//
//	run 1  ▒▒▒▒▒│▒▒▒▒▒▒▒│▒▒▒▒      cuts come from the page indexes, which
//	run 2  ▒▒▒▒▒▒▒▒▒│▒▒▒│▒▒▒       only say where to cut well; which rows
//	run 3   ▒▒▒▒│▒▒▒▒▒▒▒▒▒│▒▒      belong to a range the keys decide
//
// Ranges of one section are merged beside each other.
type keyRange struct {
	field  schema.Field // first key column, in the read schema
	layout *vector.Layout
	lo, hi *keyCut
}

// keyCut is a value of the first key column, as metadata and as a vector have it.
type keyCut struct {
	value any
	keys  vector.Keys
	cell  arrow.Array
}

// minRangeRows is how many rows of the largest run a range is worth having
// for: the pages at its ends are decoded for its neighbours too. It is a variable
// for tests only.
var minRangeRows int64 = 1 << 18

// keyRanges cuts the keys of a section into at most n ranges of about the same
// number of stored rows, and into one where that does not pay. Release them.
func (r *splitReader) keyRanges(ctx context.Context, runs []rankedRun, n int) ([]keyRange, error) {
	rows := int64(0)
	for _, run := range runs {
		own := int64(0)
		for i := range run {
			own += run[i].Rows
		}
		rows = max(rows, own)
	}
	n = min(n, int(rows/minRangeRows))
	whole, err := r.wholeRange()
	if err != nil {
		return nil, err
	}
	field := whole.field
	if n < 2 || !cutsWell(field) {
		return []keyRange{whole}, nil
	}
	samples, err := r.sampleKeys(ctx, runs, field)
	if err != nil {
		return nil, err
	}
	out := []keyRange{whole}
	for _, v := range quantiles(samples, field.Type, n) {
		cut, err := newKeyCut(whole.layout, field, v, r.scan.table.world.Alloc)
		if err != nil {
			releaseRanges(out)
			return nil, err
		}
		next := whole
		out[len(out)-1].hi, next.lo = cut, cut
		out = append(out, next)
	}
	return out, nil
}

// cutsWell tells that statistics find every key of a range: they leave NaN out.
func cutsWell(f schema.Field) bool {
	return f.Type.Kind != schema.Float && f.Type.Kind != schema.Double
}

// wholeRange is the range of all keys.
func (r *splitReader) wholeRange() (keyRange, error) {
	k := keyRange{field: r.scan.schema.KeyFields()[0]}
	dt, err := schema.ArrowField(k.field)
	if err != nil {
		return k, err
	}
	k.layout, err = vector.NewLayout([]arrow.DataType{dt.Type})
	return k, err
}

func newKeyCut(l *vector.Layout, f schema.Field, v any, mem memory.Allocator) (*keyCut, error) {
	cell, err := oneCell(f, v, mem)
	if err != nil {
		return nil, err
	}
	c := &keyCut{value: v, cell: cell}
	return c, l.Build(&c.keys, []arrow.Array{cell}, nil)
}

// releaseRanges gives up neighbouring ranges, which share their cuts.
func releaseRanges(ranges []keyRange) {
	for _, k := range ranges {
		if k.hi != nil {
			k.hi.cell.Release()
		}
	}
}

// keySample says that about so many rows begin at a value.
type keySample struct {
	value any
	rows  int64
}

// sampleKeys reads the page indexes of the first key column. A file whose
// column has another type than today's says nothing.
func (r *splitReader) sampleKeys(ctx context.Context, runs []rankedRun, field schema.Field) ([]keySample, error) {
	var out []keySample
	for _, run := range runs {
		for i := range run {
			zones, err := r.fileZones(ctx, &run[i].DataFile, field)
			if err != nil {
				return nil, err
			}
			for _, z := range zones {
				if least := z.Columns[0].Min; least != nil {
					out = append(out, keySample{least, z.To - z.From})
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b keySample) int { return schema.Compare(field.Type, a.value, b.value) })
	return out, nil
}

func (r *splitReader) fileZones(ctx context.Context, f *manifest.DataFile, field schema.Field) ([]datafile.Zone, error) {
	own, err := r.scan.table.schemas.get(ctx, f.SchemaID)
	if err != nil {
		return nil, err
	}
	have, ok := byID(own.Fields, field.ID)
	if !ok || !have.Type.EqualIgnoringNullability(field.Type) || fileFormat(f.Name) != "parquet" {
		return nil, nil
	}
	st, key, err := r.locate(ctx, f)
	if err != nil {
		return nil, err
	}
	object, err := st.Open(ctx, key, f.Size)
	if err != nil {
		return nil, err
	}
	d, err := datafile.OpenFile(ctx, object, key, r.scan.table.world.Alloc)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Zones(ctx, []schema.Field{have})
}

// quantiles picks up to n-1 rising values that cut the samples into parts of
// about the same weight. The least value cuts nothing off.
func quantiles(samples []keySample, t schema.Type, n int) []any {
	total := int64(0)
	for _, s := range samples {
		total += s.rows
	}
	var cuts []any
	seen, last := int64(0), any(nil)
	for i, s := range samples {
		if i > 0 && seen >= total/int64(n)*int64(len(cuts)+1) && len(cuts) < n-1 && schema.Compare(t, last, s.value) < 0 {
			cuts = append(cuts, s.value)
			last = s.value
		}
		if i == 0 {
			last = s.value
		}
		seen += s.rows
	}
	return cuts
}

// admits tells whether a file may hold keys of the range. Key ranges are
// bodies of binary rows.
func (k *keyRange) admits(types []schema.Type, f *manifest.DataFile) bool {
	lo, err1 := binaryrow.Decode(types, f.MinKey)
	hi, err2 := binaryrow.Decode(types, f.MaxKey)
	return err1 != nil || err2 != nil || k.overlaps(lo[0], hi[0])
}

// overlaps tells whether [least, greatest] may touch the range; nil is unknown.
func (k *keyRange) overlaps(least, greatest any) bool {
	if k.lo != nil && greatest != nil && schema.Compare(k.field.Type, greatest, k.lo.value) < 0 {
		return false
	}
	return k.hi == nil || least == nil || schema.Compare(k.field.Type, least, k.hi.value) < 0
}

// within finds the rows of a batch in key order that lie in the range; past
// tells that rows to come lie behind it. col is the batch's first key column.
func (k *keyRange) within(col arrow.Array) (from, to int, past bool, err error) {
	n := col.Len()
	var ends, all vector.Keys
	if err := k.layout.Build(&ends, []arrow.Array{col}, []int32{0, int32(n - 1)}); err != nil {
		return 0, 0, false, err
	}
	find := func(c *keyCut) (int, error) { // first row at or after the cut
		switch {
		case k.layout.Compare(&ends, 0, &c.keys, 0) >= 0:
			return 0, nil
		case k.layout.Compare(&ends, 1, &c.keys, 0) < 0:
			return n, nil
		case all.Len() == 0:
			if err := k.layout.Build(&all, []arrow.Array{col}, nil); err != nil {
				return 0, err
			}
		}
		lo, hi := 0, n
		for lo < hi {
			if mid := (lo + hi) / 2; k.layout.Compare(&all, mid, &c.keys, 0) < 0 {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		return lo, nil
	}
	to = n
	if k.hi != nil {
		if to, err = find(k.hi); err != nil {
			return 0, 0, false, err
		}
		past = to < n
	}
	if k.lo != nil {
		if from, err = find(k.lo); err != nil {
			return 0, 0, false, err
		}
	}
	return min(from, to), to, past, nil
}
