package lsm

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
)

// order sorts the buffered rows by key and, within a key, by version: the
// oldest first. Refs count within parts: the third row that an Add brought is
// row 2 of its part.
func (b *Buffer) order() (items []item, groups *mergeengine.Groups, err error) {
	items, same, err := b.sortKeys()
	if err != nil {
		return nil, nil, err
	}
	groups = &mergeengine.Groups{Starts: groupStarts(nil, items, same)}
	if b.kinds != nil {
		groups.Kind = func(pos int32) int8 { return b.kinds[b.arrival(items[pos].ref)] }
	}
	return items, groups, b.orderVersions(items, groups.Starts)
}

// choose picks the rows that remain.
func (b *Buffer) choose(chooser mergeengine.Chooser, items []item, groups *mergeengine.Groups) ([]vector.Ref, error) {
	chosen, err := chooser.Choose(make([]int32, 0, groups.Len()), groups)
	if err != nil {
		return nil, err
	}
	refs := make([]vector.Ref, 0, len(chosen))
	for _, pos := range chosen {
		if pos != mergeengine.None {
			refs = append(refs, items[pos].ref)
		}
	}
	return refs, nil
}

// sortKeys sorts by key and keeps the order of arrival among equal keys.
func (b *Buffer) sortKeys() (items []item, same func(x, y vector.Ref) bool, err error) {
	items, scratch := make([]item, b.n), make([]item, b.n)
	if b.layout.Exact() {
		var k vector.Keys
		for i, p := range b.parts {
			if err := b.layout.Build(&k, pick(p.rec, b.keyCols), b.partRows(i)); err != nil {
				return nil, nil, err
			}
			for row, w := range k.Words() {
				items[p.first+row] = item{w, vector.MakeRef(i, row)}
			}
		}
		radixSort(items, scratch)
		return items, nil, nil
	}
	keys := make([]vector.Keys, len(b.parts))
	for i, p := range b.parts {
		if err := b.layout.Build(&keys[i], pick(p.rec, b.keyCols), b.partRows(i)); err != nil {
			return nil, nil, err
		}
		for row := range keys[i].Len() {
			items[p.first+row].ref = vector.MakeRef(i, row)
		}
	}
	key := func(r vector.Ref) []byte { return keys[r.Source()].Bytes(r.Row()) }
	s := bytesSorter{key: key}
	s.sort(items, scratch, 0)
	for i := range items {
		items[i].word = 0 // words of different depths mean nothing any more
	}
	return items, func(x, y vector.Ref) bool { return bytes.Equal(key(x), key(y)) }, nil
}

// orderVersions sorts each group by the user's sequence fields. Rows that are
// equal in them stay in the order of arrival.
func (b *Buffer) orderVersions(items []item, starts []int32) error {
	if len(b.seqCols) == 0 || len(starts) == len(items)+1 {
		return nil
	}
	order, err := vector.NewOrder(b.seqTypes, b.spec.SequenceDescending)
	if err != nil {
		return err
	}
	for i, p := range b.parts {
		if err := order.Set(i, pick(p.rec, b.seqCols), b.partRows(i)); err != nil {
			return err
		}
	}
	for g, start := range starts[:len(starts)-1] {
		if end := starts[g+1]; end-start > 1 {
			sortGroup(items[start:end], order.Compare)
		}
	}
	return nil
}

// partRows are the row numbers of a part, nil for a whole batch.
func (b *Buffer) partRows(i int) []int32 {
	p := b.parts[i]
	if p.at < 0 {
		return nil
	}
	end := b.n
	if i+1 < len(b.parts) {
		end = b.parts[i+1].first
	}
	return b.rows[p.at : p.at+end-p.first]
}

func pick(rec arrow.RecordBatch, cols []int) []arrow.Array {
	out := make([]arrow.Array, len(cols))
	for i, c := range cols {
		out[i] = rec.Column(c)
	}
	return out
}
