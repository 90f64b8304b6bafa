package manifest

import (
	"context"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
)

// MergeParams decide when manifests are merged (section 4.4).
type MergeParams struct {
	TargetSize int64 // manifest.target-file-size, default IOOptions.TargetSize
	FullSize   int64 // manifest.full-compaction-threshold-size; must be positive
	MinCount   int   // manifest.merge-min-count
}

// Merge rewrites manifests by Paimon's rules, given all manifests of the
// previous snapshot, base before delta. When the manifests that a full pass
// would change reach FullSize together, all deletes are applied. Else
// neighbours are folded into manifests of about TargetSize, and the rest only
// when it is MinCount manifests or more. out are the manifests to use instead
// of metas; created are the names of the new ones among them, to be removed
// if they are not used. After an error nothing is left behind.
func (m *IO) Merge(ctx context.Context, metas []Meta, p MergeParams) (out []Meta, created []string, err error) {
	if p.TargetSize <= 0 {
		p.TargetSize = m.opts.TargetSize
	}
	if p.FullSize <= 0 {
		return nil, nil, fault.Invalid("manifest.full-compaction-threshold-size must be positive")
	}
	out, created, done, err := m.mergeFull(ctx, metas, p)
	if err == nil && !done {
		out, created, err = m.mergeMinor(ctx, metas, p)
	}
	return out, created, err
}

// mergeMinor folds runs of neighbouring manifests.
func (m *IO) mergeMinor(ctx context.Context, metas []Meta, p MergeParams) (out []Meta, created []string, err error) {
	r := m.newRoller(p.TargetSize)
	fold := func(group []Meta) error {
		if len(group) == 1 {
			out = append(out, group[0])
			return nil
		}
		before := len(r.metas)
		if err := m.foldInto(ctx, r, group); err != nil {
			return err
		}
		out = append(out, r.metas[before:]...)
		return nil
	}
	from, size := 0, int64(0)
	for i := range metas {
		if size += metas[i].Size; size >= p.TargetSize {
			if err := fold(metas[from : i+1]); err != nil {
				return nil, nil, r.abort(ctx, err)
			}
			from, size = i+1, 0
		}
	}
	if tail := metas[from:]; len(tail) >= max(p.MinCount, 1) {
		if err := fold(tail); err != nil {
			return nil, nil, r.abort(ctx, err)
		}
	} else {
		out = append(out, tail...)
	}
	return out, namesOf(r.metas), nil
}

// foldInto writes what is left of a group of manifests into new ones.
func (m *IO) foldInto(ctx context.Context, r *roller, group []Meta) error {
	f := NewFolder(0)
	for e, err := range m.Scan(ctx, group, nil) {
		if err != nil {
			return err
		}
		if err := f.Apply(e); err != nil {
			return err
		}
	}
	left := f.Entries()
	for i := range left {
		if err := r.prepare(&left[i]); err != nil {
			return err
		}
	}
	r.records = 0
	for i := range left {
		if err := r.write(ctx, &left[i]); err != nil {
			return err
		}
	}
	return r.roll(ctx)
}

// mergeFull applies all deletes. done is false when it is not worth it.
func (m *IO) mergeFull(ctx context.Context, metas []Meta, p MergeParams) (out []Meta, created []string, done bool, err error) {
	mustChange := func(x *Meta) bool { return x.Deleted > 0 || x.Size < p.TargetSize }
	changing := int64(0)
	for i := range metas {
		if mustChange(&metas[i]) {
			changing += metas[i].Size
		}
	}
	if changing < p.FullSize {
		return nil, nil, false, nil
	}
	gone, err := m.deletes(ctx, metas)
	if err != nil {
		return nil, nil, false, err
	}
	touched, err := m.touches(gone.ids)
	if err != nil {
		return nil, nil, false, err
	}
	var toMerge []Meta
	for i := range metas {
		if mustChange(&metas[i]) || touched(&metas[i]) {
			toMerge = append(toMerge, metas[i])
		} else {
			out = append(out, metas[i])
		}
	}
	if len(toMerge) <= 1 {
		return nil, nil, false, nil
	}
	r := m.newRoller(p.TargetSize)
	i := 0
	for entries, err := range m.batches(ctx, toMerge, nil) {
		if err != nil {
			return nil, nil, false, r.abort(ctx, err)
		}
		kept, lost := survivors(entries, &gone)
		if !lost && !mustChange(&toMerge[i]) {
			out = append(out, toMerge[i])
			kept = nil
		}
		for k := range kept {
			if err := r.write(ctx, &kept[k]); err != nil {
				return nil, nil, false, r.abort(ctx, err)
			}
		}
		i++
	}
	written, err := r.finish(ctx)
	if err != nil {
		return nil, nil, false, r.abort(ctx, err)
	}
	return append(out, written...), namesOf(written), true, nil
}

// survivors drops DELETEs and deleted ADDs, in place; lost says whether an ADD went.
func survivors(entries []Entry, gone *deletions) (kept []Entry, lost bool) {
	kept = entries[:0]
	for i := range entries {
		switch e := &entries[i]; {
		case e.Kind == Delete:
		case gone.has(e):
			lost = true
		default:
			kept = append(kept, *e)
		}
	}
	return kept, lost
}

// deletes are the files that the manifests delete. Manifests whose counters
// say that they delete nothing are not read, as in Java.
func (m *IO) deletes(ctx context.Context, metas []Meta) (out deletions, err error) {
	var some []Meta
	for i := range metas {
		if metas[i].Deleted > 0 {
			some = append(some, metas[i])
		}
	}
	for entries, err := range m.batches(ctx, some, func(e *Entry) bool { return e.Kind == Delete }) {
		if err != nil {
			return out, err
		}
		for i := range entries {
			out.add(&entries[i])
		}
	}
	return out, nil
}

// touches returns a test whether a manifest may hold an ADD of a deleted
// file, going by the ranges of partition columns.
func (m *IO) touches(deleted map[Identity]bool) (func(*Meta) bool, error) {
	if len(deleted) == 0 {
		return func(*Meta) bool { return false }, nil
	}
	fields := m.opts.Partition
	partitions := map[string]int64{}
	for id := range deleted {
		partitions[id.Partition] = 1
	}
	want, err := partitionRange(fields, partitions)
	if err != nil {
		return nil, err
	}
	return func(x *Meta) bool {
		columns := x.PartitionStats.Columns(fields)
		for i := range fields {
			if !overlaps(fields[i], want[i], int64(len(partitions)), columns, x.Added+x.Deleted) {
				return false
			}
		}
		return true
	}, nil
}

// overlaps says whether a column that ranges as want over so many partitions
// can share a value with a manifest's column.
func overlaps(f schema.Field, want datafile.ColumnStats, partitions int64, columns ColumnFunc, rows int64) bool {
	least, greatest, nulls, _ := columns(f.Name)
	if want.Nulls > 0 && nulls != 0 {
		return true // both have nulls, or may have
	}
	if want.Nulls == partitions || nulls == rows {
		return false // one has nothing but nulls, the other none of them
	}
	if least == nil || greatest == nil || want.Min == nil || want.Max == nil {
		return true
	}
	return schema.Compare(f.Type, want.Min, greatest) <= 0 && schema.Compare(f.Type, want.Max, least) >= 0
}

func namesOf(metas []Meta) []string {
	var out []string
	for i := range metas {
		out = append(out, metas[i].Name)
	}
	return out
}
