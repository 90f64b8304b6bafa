package snapshot

import (
	"context"
	"slices"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/partition"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// Overwrite replaces rows (section 2.6). What it deletes is found on every
// attempt anew, so it removes also what others added meanwhile. Errors and
// result are those of Commit; new files outside of what is replaced are
// fault.ErrInvalid.
func (c *Committer) Overwrite(ctx context.Context, r OverwriteRequest) ([]int64, error) {
	match, err := c.overwriteMatch(&r)
	if err != nil {
		return nil, err
	}
	var groups []*group
	compact := compactGroup(r.Identifier, r.Watermark, r.Properties, r.CompactFiles, nil, r.CompactIndex)
	if !r.Dynamic || len(r.Files) > 0 {
		files := r.Files
		if compact.empty() && !r.KeepLevels {
			files = c.upgrade(files)
		}
		groups = append(groups, &group{
			kind: Overwrite, identifier: r.Identifier, watermark: r.Watermark, properties: r.Properties,
			files: files, index: r.Index, replace: match, check: true,
		})
	}
	if !compact.empty() {
		groups = append(groups, compact)
	}
	return c.commitAll(ctx, groups)
}

// overwriteMatch is the test of the partitions to replace.
func (c *Committer) overwriteMatch(r *OverwriteRequest) (func([]byte) bool, error) {
	if r.Dynamic {
		return changedPartitions(r.Files, nil).has, nil
	}
	if r.Match == nil {
		return func([]byte) bool { return true }, nil
	}
	for i := range r.Files {
		if p := r.Files[i].Partition; !r.Match(p) {
			what := r.Description
			if what == "" {
				what = "the given partitions"
			}
			return nil, &fault.Error{Class: fault.ErrInvalid, Op: "overwrite", File: r.Files[i].File.Name,
				Detail: "the file belongs to partition " + c.partitionText(p) + ", which is not in " + what,
				Hint:   "write only rows of the partitions that are overwritten"}
		}
	}
	return r.Match, nil
}

// replaced are the DELETEs of what an overwrite removes from its base. Buckets
// below 0 hold rows that wait for their bucket, which only a table that is
// made of such buckets may overwrite.
func (c *Committer) replaced(ctx context.Context, b *base, match func([]byte) bool) ([]manifest.Entry, []manifest.IndexEntry, error) {
	if b.snapshot == nil {
		return nil, nil, nil
	}
	metas, err := c.metas(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	filter := &manifest.Filter{Partition: match}
	if c.cfg.Schema.BucketMode() != schema.Postpone {
		filter.Bucket = func(bucket, _ int) bool { return bucket >= 0 }
	}
	files, err := c.cfg.Manifest.Live(ctx, metas, filter)
	if err != nil {
		return nil, nil, err
	}
	for i := range files {
		files[i].Kind = manifest.Delete
	}
	live, err := c.indexFiles(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	var index []manifest.IndexEntry
	for _, e := range live {
		if match(e.Partition) {
			e.Kind = manifest.Delete
			index = append(index, e)
		}
	}
	return files, index, nil
}

// upgrade puts new level-0 files of an overwrite at the highest level, where
// the keys of their bucket do not overlap: they are all there is, so there is
// nothing to merge (option overwrite-upgrade). All files must be at level 0 of
// real buckets, or nothing is changed.
func (c *Committer) upgrade(files []manifest.Entry) []manifest.Entry {
	if !c.cfg.Options.OverwriteUpgrade || len(c.keys) == 0 {
		return files
	}
	type place struct {
		partition string
		bucket    int
	}
	buckets := map[place][]int{}
	for i := range files {
		e := &files[i]
		if e.Kind != manifest.Add || e.File.Level > 0 || e.Bucket < 0 {
			return files
		}
		p := place{string(e.Partition), e.Bucket}
		buckets[p] = append(buckets[p], i)
	}
	out := slices.Clone(files)
	for _, at := range buckets {
		if c.overlapping(files, at) != nil {
			continue
		}
		for _, i := range at {
			out[i].File.Level = c.cfg.Options.NumLevels - 1
		}
	}
	return out
}

// overlapping sorts the files at the given places by their least key and
// returns the first two neighbours whose keys overlap, nil when none do.
func (c *Committer) overlapping(files []manifest.Entry, at []int) *[2]int {
	slices.SortStableFunc(at, func(i, j int) int { return binaryrow.Compare(c.keys, files[i].File.MinKey, files[j].File.MinKey) })
	for k := 0; k+1 < len(at); k++ {
		if binaryrow.Compare(c.keys, files[at[k]].File.MaxKey, files[at[k+1]].File.MinKey) >= 0 {
			return &[2]int{at[k], at[k+1]}
		}
	}
	return nil
}

// partitionText names a partition in messages.
func (c *Committer) partitionText(body []byte) string {
	fields := c.cfg.Schema.PartitionFields()
	if len(fields) == 0 {
		return "(none)"
	}
	types := make([]schema.Type, len(fields))
	for i, f := range fields {
		types[i] = f.Type
	}
	values, err := binaryrow.Decode(types, body)
	if err != nil {
		return "(unreadable)"
	}
	dir, err := partition.New(fields, "", false, nil).Dir(values)
	if err != nil {
		return "(unprintable)"
	}
	return dir
}
