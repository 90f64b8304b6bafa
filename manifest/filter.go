package manifest

import "github.com/tidelake/tidelake/schema"

// Filter prunes manifests and entries (section 4.6). Unset members keep
// everything. A manifest or a file is only skipped when nothing in it can be
// wanted; unknown statistics keep it.
type Filter struct {
	// Partition tests the body of a partition exactly.
	Partition func(partition []byte) bool
	// PartitionStats says whether a manifest of so many entries, whose
	// partition columns range as given, may hold a wanted partition.
	PartitionStats func(columns ColumnFunc, entries int64) bool
	// Bucket tests a bucket exactly, given the number of buckets its file was
	// written with.
	Bucket func(bucket, totalBuckets int) bool

	MinBucket, MaxBucket *int   // inclusive
	MinLevel, MaxLevel   *int   // inclusive
	MinRowID, MaxRowID   *int64 // inclusive; files without row ids are kept

	// File tests an ADD by its statistics. DELETEs are not tested: they may
	// have none.
	File func(e *Entry) bool
}

// KeepMeta says whether a manifest may hold wanted entries; partition are the
// table's partition columns.
func (f *Filter) KeepMeta(m *Meta, partition []schema.Field) bool {
	if f == nil {
		return true
	}
	if apart(f.MinBucket, f.MaxBucket, m.MinBucket, m.MaxBucket) ||
		apart(f.MinLevel, f.MaxLevel, m.MinLevel, m.MaxLevel) ||
		apart(f.MinRowID, f.MaxRowID, m.MinRowID, m.MaxRowID) {
		return false
	}
	return f.PartitionStats == nil || len(partition) == 0 ||
		f.PartitionStats(m.PartitionStats.Columns(partition), m.Added+m.Deleted)
}

// apart says whether two inclusive ranges, open where nil, have nothing in common.
func apart[N int | int64](min1, max1, min2, max2 *N) bool {
	return min1 != nil && max2 != nil && *max2 < *min1 || max1 != nil && min2 != nil && *min2 > *max1
}

// KeepEntry says whether an entry may be wanted.
func (f *Filter) KeepEntry(e *Entry) bool {
	return f.keepIdentity(e) && (e.Kind == Delete || f.keepFile(e))
}

// entryTest is KeepEntry, or nil where that keeps everything: entries that
// nothing is left out of are decoded once.
func (f *Filter) entryTest() func(*Entry) bool {
	if f == nil || f.Partition == nil && f.Bucket == nil && f.File == nil &&
		f.MinBucket == nil && f.MaxBucket == nil && f.MinLevel == nil && f.MaxLevel == nil && f.MinRowID == nil && f.MaxRowID == nil {
		return nil
	}
	return f.KeepEntry
}

// keepIdentity tests what an ADD and its DELETE have in common.
func (f *Filter) keepIdentity(e *Entry) bool {
	if f == nil {
		return true
	}
	return !apart(f.MinBucket, f.MaxBucket, &e.Bucket, &e.Bucket) &&
		!apart(f.MinLevel, f.MaxLevel, &e.File.Level, &e.File.Level) &&
		(f.Partition == nil || f.Partition(e.Partition)) &&
		(f.Bucket == nil || f.Bucket(e.Bucket, e.TotalBuckets))
}

func (f *Filter) keepFile(e *Entry) bool {
	if f == nil {
		return true
	}
	if first := e.File.FirstRowID; first != nil {
		last := *first + e.File.Rows - 1
		if apart(f.MinRowID, f.MaxRowID, first, &last) {
			return false
		}
	}
	return f.File == nil || f.File(e)
}
