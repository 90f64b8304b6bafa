package table

import (
	"bytes"
	"cmp"
	"context"
	"hash/crc32"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// streamRead is a part of what a stream reads of one snapshot: the splits of
// one scan. They are read in their order.
type streamRead struct {
	scan   *Scan
	splits []Split
	read   splitRead // nil is that of the scan
}

// numbered reads the splits behind so many, and numbers them from there.
func (r *streamRead) numbered(ctx context.Context, done int) iter.Seq2[int, batchOrError] {
	if r.read == nil {
		return r.scan.numbered(ctx, r.splits[done:])
	}
	return r.scan.numberedBy(ctx, r.splits[done:], r.read)
}

// scan reads a snapshot as the stream does.
func (s *Stream) scan(at *snapshot.Snapshot, c systemColumns) *Scan {
	scan := s.base
	scan.snapshot = at
	scan.with(c)
	return &scan
}

// wholeColumns are those before rows of whole versions of the table, which a
// full changelog begins with.
func (s *Stream) wholeColumns() systemColumns {
	c := s.columns()
	if insert := schema.Insert; s.options.FullChangelog {
		c.kind = &insert
	}
	return c
}

// plan finds what is to be read of a snapshot.
func (r *streamRun) plan(snap *snapshot.Snapshot, at position) ([]streamRead, error) {
	s, ctx := r.stream, r.ctx
	if at.full {
		return s.planFull(ctx, snap, at.since)
	}
	then, err := s.table.schemas.options(ctx, snap.SchemaID)
	if err != nil {
		return nil, err
	}
	if snap.CommitKind == snapshot.Overwrite && s.options.Overwrites == DeliverOverwrites {
		if err := deliverable(then); err != nil {
			return nil, err
		}
		return s.planOverwrite(ctx, snap)
	}
	if s.options.FullChangelog {
		return r.planImages(snap)
	}
	list, waiting := toldBy(snap, then)
	return s.planList(ctx, snap, list, waiting)
}

// planList reads the rows of the files that a manifest list adds, with waiting
// those too that wait for their bucket.
func (s *Stream) planList(ctx context.Context, snap *snapshot.Snapshot, list string, waiting bool) ([]streamRead, error) {
	if list == "" {
		return nil, nil
	}
	c := s.columns()
	c.deletes = true
	scan := s.scan(snap, c)
	splits, err := scan.changeSplits(ctx, list, func(e *manifest.Entry) bool { return e.Bucket >= 0 || waiting })
	return []streamRead{{scan: scan, splits: splits}}, err
}

// tellsWaiting says that rows that wait for their bucket are told when they are
// written: where compactions make the changelog, they are told then.
func (s *Stream) tellsWaiting() bool { return s.table.options.ChangelogProducer == "none" }

// planFull reads all rows of a snapshot that no change behind it will tell.
func (s *Stream) planFull(ctx context.Context, snap *snapshot.Snapshot, since *int64) ([]streamRead, error) {
	scan := s.scan(snap, s.wholeColumns())
	switch o := s.table.options; o.ChangelogProducer {
	case "lookup":
		scan.minLevel = 1
	case "full-compaction":
		scan.minLevel = o.NumLevels - 1
	}
	scan.compacted = scan.compacted && scan.minLevel > 0
	if since != nil {
		young, others := s.table.filesSince(time.UnixMilli(*since)), scan.keep
		scan.keep = func(e *manifest.Entry) bool { return young(e) && (others == nil || others(e)) }
	}
	splits, err := scan.Plan(ctx)
	if err != nil {
		return nil, err
	}
	reads := s.withPlainKinds(scan, splits)
	if !s.tellsWaiting() || s.table.options.Bucket != -2 {
		return reads, nil
	}
	waiting, err := s.planWaiting(ctx, snap, scan.keep)
	return append(reads, waiting...), err
}

// withPlainKinds divides the splits of a full read by whether their rows carry
// the kinds they are stored with. Paimon reads buckets without anything to
// merge past its merging, and all rows there are +I.
func (s *Stream) withPlainKinds(scan *Scan, splits []Split) []streamRead {
	if len(s.table.schema.PrimaryKeys) == 0 {
		return []streamRead{{scan: scan, splits: splits}}
	}
	c, insert := *scan.system, schema.Insert
	c.kind = &insert
	plain := *scan
	plain.system = &c
	var reads []streamRead
	for from := 0; from < len(splits); {
		to := from + 1
		for to < len(splits) && splits[to].Bucket == splits[from].Bucket && bytes.Equal(splits[to].Partition, splits[from].Partition) {
			to++
		}
		by := scan
		if s.nothingToMerge(splits[from:to]) {
			by = &plain
		}
		reads = alsoRead(reads, by, splits[from:to])
		from = to
	}
	return reads
}

// alsoRead lets a scan read splits after others: in one read with them, if they are its own.
func alsoRead(reads []streamRead, scan *Scan, splits []Split) []streamRead {
	if n := len(reads); n > 0 && reads[n-1].scan == scan {
		reads[n-1].splits = append(reads[n-1].splits, splits...)
		return reads
	}
	return append(reads, streamRead{scan: scan, splits: slices.Clone(splits)})
}

// nothingToMerge tells it of the splits of one bucket.
func (s *Stream) nothingToMerge(splits []Split) bool {
	files, level0, levels := 0, false, make(map[int]bool)
	for i := range splits {
		for j := range splits[i].Files {
			f := &splits[i].Files[j]
			if f.DeleteRows != nil && *f.DeleteRows > 0 {
				return false
			}
			files++
			level0 = level0 || f.Level == 0
			levels[f.Level] = true
		}
	}
	apart := s.table.options.DeletionVectors || s.base.firstRow || len(levels) == 1
	return files == 1 || apart && !level0
}

// planWaiting reads rows that wait for their bucket, as changes of the others:
// they are told when they are written, and those of a full start were.
func (s *Stream) planWaiting(ctx context.Context, snap *snapshot.Snapshot, keep func(*manifest.Entry) bool) ([]streamRead, error) {
	c := s.columns()
	c.deletes = true
	scan := s.scan(snap, c)
	scan.compacted = false
	entries, err := s.table.liveFiles(ctx, snap, scan.pruning(ctx))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b manifest.Entry) int { return cmp.Compare(a.File.CreationTime, b.File.CreationTime) })
	files := make(map[bucketKey][]manifest.DataFile)
	for i := range entries {
		if e := &entries[i]; e.Bucket < 0 && (keep == nil || keep(e)) {
			key := bucketKey{string(e.Partition), e.Bucket}
			files[key] = append(files[key], e.File)
		}
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(files) {
		splits = append(splits, scan.split(key, files[key]))
	}
	return s.withPlainKinds(scan, splits), nil
}

// planOverwrite reads the rows that an overwrite removed, as of the snapshot
// before, and then those that it added. Without a primary key nobody can tell
// which rows are gone: only those that came are read, as Paimon does.
func (s *Stream) planOverwrite(ctx context.Context, snap *snapshot.Snapshot) ([]streamRead, error) {
	if len(s.table.schema.PrimaryKeys) == 0 {
		return s.planList(ctx, snap, snap.DeltaManifestList, true)
	}
	c := s.wholeColumns()
	added := s.scan(snap, c)
	came, err := s.overwritten(ctx, added, snap.DeltaManifestList, manifest.Add)
	reads := s.asWritten(added, came)
	if err != nil || snap.ID == 1 {
		return reads, err
	}
	before, err := s.table.chain.Get(ctx, snap.ID-1)
	if isNotFound(err) {
		err = &fault.Error{Class: fault.ErrNotFound, Snapshot: snap.ID, Err: err,
			Detail: "the rows that it overwrote cannot be told, because the snapshot before has expired",
			Hint:   "pass over overwrites, or start again in full"}
	}
	if err != nil {
		return nil, err
	}
	gone := schema.Delete
	c.of, c.kind = snap, &gone
	removed := s.scan(before, c)
	went, err := s.overwritten(ctx, removed, snap.DeltaManifestList, manifest.Delete)
	return append([]streamRead{{scan: removed, splits: went}}, reads...), err
}

// asWritten divides the splits of a read by whether their rows wait for their
// bucket: nothing merges those, so that the deletes among them are told as well.
func (s *Stream) asWritten(scan *Scan, splits []Split) (reads []streamRead) {
	c := *scan.system
	c.deletes = true
	waiting := *scan
	waiting.system = &c
	for i := range splits {
		by := scan
		if splits[i].Bucket < 0 && len(s.table.schema.PrimaryKeys) > 0 {
			by = &waiting
		}
		reads = alsoRead(reads, by, splits[i:i+1])
	}
	return reads
}

// overwritten are the splits of files that an overwrite added, or deleted, and
// did not do the other with.
func (s *Stream) overwritten(ctx context.Context, scan *Scan, list string, kind manifest.Kind) ([]Split, error) {
	scan.compacted = false
	both := make(map[string]int)
	f := &manifest.Filter{Partition: scan.pruning(ctx).Partition}
	files, err := scan.listedFiles(ctx, list, f, func(e *manifest.Entry) bool {
		both[e.File.Name]++
		return e.Kind == kind && (scan.keep == nil || scan.keep(e))
	})
	if err != nil {
		return nil, err
	}
	vectors, err := s.table.vectorsAt(ctx, scan.snapshot)
	if err != nil {
		return nil, err
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(files) {
		own := slices.DeleteFunc(files[key], func(f manifest.DataFile) bool { return both[f.Name] > 1 })
		switch {
		case len(own) == 0, key.bucket < 0 && !s.tellsWaiting():
		case key.bucket < 0:
			splits = append(splits, scan.split(key, own))
		default:
			some, err := scan.splitBucket(ctx, key, own, vectors[key])
			if err != nil {
				return nil, err
			}
			splits = append(splits, some...)
		}
	}
	return splits, nil
}

// isMine tells that a file's bucket belongs to the stream's share. Rows of
// tables that have neither keys nor buckets keep no order: there it is the file.
func (s *Stream) isMine(e *manifest.Entry) bool {
	sum := crc32.ChecksumIEEE(e.Partition) + uint32(e.Bucket)
	if len(s.table.schema.PrimaryKeys) == 0 && s.table.options.Bucket < 0 {
		sum = crc32.ChecksumIEEE([]byte(e.File.Name))
	}
	return int(sum%uint32(s.options.Shares)) == s.options.Share
}

// planDigests are, for each split, digests of the splits up to it and of what
// decides which of their rows are handed out.
func (s *Stream) planDigests(reads []streamRead) []uint32 {
	o := &s.options
	what := s.base.filter.String() + "\x00" + strconv.Itoa(o.Share) + "/" + strconv.Itoa(max(o.Shares, 1))
	if o.FullChangelog { // rows are told if they differ in the columns of the result
		what += "\x00" + strings.Join(names(s.base.fields), "\x00")
	}
	sum := crc32.ChecksumIEEE([]byte(what))
	var out []uint32
	for _, read := range reads {
		for _, split := range read.splits {
			for i := range split.Files {
				sum = crc32.Update(sum, crc32.IEEETable, []byte(split.Files[i].Name))
			}
			out = append(out, crc32.Update(sum, crc32.IEEETable, []byte{byte(len(out)), byte(len(split.Files))}))
		}
	}
	return out
}
