package table

import (
	"context"
	"iter"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// Where commits write no changelog a stream makes one, if asked, by looking up
// the keys that a commit wrote in the table before it and in the table after it:
//
//	files that the commit    keys in order   ┌─► the table before ─┐
//	added to one bucket    ────────────────► ┤                     ├─► +I, -U +U, -D or nothing
//	                                         └─► the table after ──┘
//
// Both are in the snapshot itself: its base manifest list is the table before
// its commit, and an append takes no file away. So the snapshot before may have
// expired, nothing is remembered from one snapshot to the next but what a Lookup
// caches, and a stream that goes on from a token needs no more than any other.
//
// Keys that no file of before can hold are not looked up. Where the versions of
// the commit are newer than all before, the row after is not looked up either: it
// is that version, or merged of it and what was found before.

// imager plans how commits are read as full changelogs, for one run of a
// stream. Reads of one plan may be concurrent; they end before the next plan.
type imager struct {
	stream *Stream
	lookup *Lookup
	rows   *Scan // of the files of a commit: versions with all columns that are needed
	keys   *Scan // their keys alone
	held   []*lookupState

	columns  *arrow.Schema // of rows that are picked
	compared []string      // those of neither key nor partition
}

// imageRead reads the files that one commit added.
type imageRead struct {
	*imager
	told  Scan  // what is handed out of rows that differ
	fresh *Scan // files of keys that were not there
	rows  *Scan
	keys  *Scan
	ways  map[bucketKey]imageWay
}

// imageWay is how a bucket is read.
type imageWay struct {
	before *lookupBucket // nil: no file of before holds keys of the commit's
	after  *lookupBucket // nil: the commit's versions of keys are the newest
}

func (s *Stream) newImager() (*imager, error) {
	sc := s.base.schema
	primary, err := sc.FieldsByName(sc.PrimaryKeys)
	if err != nil {
		return nil, err
	}
	needed := nameSet(slices.Concat(s.base.fields, primary))
	for _, name := range s.base.filter.Fields() {
		needed[name] = true
	}
	fields := slices.DeleteFunc(slices.Clone(sc.Fields), func(f schema.Field) bool { return !needed[f.Name] })
	// What the filter says of values is asked of rows, not of their versions.
	onKeys, _ := s.base.filter.OnlyFields(nameSet(append(sc.KeyFields(), sc.PartitionFields()...)))
	plain, err := s.base.ofColumns(fields, onKeys)
	if err != nil {
		return nil, err
	}
	plain.compacted = false // as in a full start
	plain.options.BatchRows = max(1, plain.options.batchRows()/2)
	x := &imager{stream: s}
	if x.keys, err = plain.ofColumns(primary, onKeys); err != nil {
		return nil, err
	}
	merging := *plain.merging
	merging.SequenceFields = nil
	x.keys.engine, x.keys.merging = mergeengine.Deduplicate{}, &merging // a key once, whatever is in its row
	x.keys.with(systemColumns{deletes: true})
	if x.lookup, err = s.table.lookupOf(plain, LookupOptions{}); err != nil {
		return nil, err
	}
	for _, f := range x.lookup.stored { // and what the merge engine looks at
		needed[f.Name] = true
	}
	all := slices.DeleteFunc(slices.Clone(sc.Fields), func(f schema.Field) bool { return !needed[f.Name] })
	if x.rows, err = plain.ofColumns(all, onKeys); err != nil {
		return nil, err
	}
	x.rows.with(systemColumns{sequence: true, deletes: true})
	x.columns, x.compared = pickedSchema(s.options.SequenceNumbers, s.base.arrow), comparedIn(sc, s.base.fields)
	return x, nil
}

// planImages reads an append as a full changelog. Other commits change no rows,
// but for overwrites.
func (r *streamRun) planImages(snap *snapshot.Snapshot) (_ []streamRead, err error) {
	if snap.CommitKind != snapshot.Append {
		return nil, nil
	}
	if r.images == nil {
		if r.images, err = r.stream.newImager(); err != nil {
			return nil, err
		}
	}
	return r.images.plan(r.ctx, snap)
}

// close ends the run. A nil imager has nothing to close.
func (x *imager) close() error {
	if x == nil {
		return nil
	}
	x.letGo()
	return x.lookup.Close()
}

// letGo gives back the tables that are held for a plan.
func (x *imager) letGo() {
	for _, state := range x.held {
		x.lookup.end(state)
	}
	x.held = x.held[:0]
}

// plan finds what an append added, and how the rows before and after it are found.
func (x *imager) plan(ctx context.Context, snap *snapshot.Snapshot) ([]streamRead, error) {
	x.letGo()
	c, insert := x.stream.columns(), schema.Insert
	rows, keys := *x.rows, *x.keys
	r := &imageRead{imager: x, told: *x.stream.scan(snap, c), rows: &rows, keys: &keys, ways: map[bucketKey]imageWay{}}
	c.kind = &insert
	r.fresh = x.stream.scan(snap, c)
	r.fresh.compacted, rows.snapshot, keys.snapshot = false, snap, snap
	splits, err := rows.changeSplits(ctx, snap.DeltaManifestList, func(e *manifest.Entry) bool { return e.Bucket >= 0 })
	if err != nil || len(splits) == 0 {
		return nil, err
	}
	was, err := x.before(ctx, snap)
	if err != nil {
		return nil, err
	}
	var both []bucketKey
	for i := range splits {
		splits[i].Merge = true
		key := bucketKey{string(splits[i].Partition), splits[i].Bucket}
		b, newest := x.holds(was.buckets[key], splits[i].Files)
		r.ways[key] = imageWay{before: b}
		if b != nil && !newest {
			both = append(both, key)
		}
	}
	if len(both) > 0 {
		is, err := x.at(ctx, snap)
		if err != nil {
			return nil, err
		}
		for _, key := range both {
			r.ways[key] = imageWay{r.ways[key].before, is.buckets[key]}
		}
	}
	return []streamRead{{scan: r.fresh, splits: splits, read: r.read}}, nil
}

// holds is the bucket as it was if it may hold keys of the files that a commit
// added, else nil; and whether those hold one version a key, newer than all before.
func (x *imager) holds(b *lookupBucket, added []manifest.DataFile) (before *lookupBucket, newest bool) {
	if b == nil {
		return nil, false
	}
	types := x.lookup.space.types
	low, high, first := added[0].MinKey, added[0].MaxKey, added[0].MinSequence
	for _, f := range added[1:] {
		if binaryrow.Compare(types, f.MinKey, low) < 0 {
			low = f.MinKey
		}
		if binaryrow.Compare(types, f.MaxKey, high) > 0 {
			high = f.MaxKey
		}
		first = min(first, f.MinSequence)
	}
	overlaps := slices.ContainsFunc(b.files, func(f *lookupFile) bool {
		return binaryrow.Compare(types, f.meta.MinKey, high) <= 0 && binaryrow.Compare(types, f.meta.MaxKey, low) >= 0
	})
	if !overlaps {
		return nil, false
	}
	apart := x.lookup.plain || !slices.ContainsFunc(added, func(f manifest.DataFile) bool { return f.Level > 0 }) &&
		!slices.ContainsFunc(lsm.Sections(added, x.stream.table.compareKeys()), func(runs []lsm.SortedRun) bool { return len(runs) > 1 })
	return b, apart && first > b.ceiling[0]
}

// before is the table before a snapshot's commit. The snapshot before is
// nearer to the one that was read last; where it has expired all files are listed.
func (x *imager) before(ctx context.Context, snap *snapshot.Snapshot) (*lookupState, error) {
	if have := x.lookup.Snapshot(); have != nil && have.ID == snap.ID-1 {
		return x.hold(ctx)
	}
	if snap.ID > 1 {
		prev, err := x.stream.table.chain.Get(ctx, snap.ID-1)
		if err == nil {
			var state *lookupState
			if state, err = x.at(ctx, prev); err == nil {
				return state, nil
			}
		}
		if !isNotFound(err) {
			return nil, err
		}
	}
	return x.at(ctx, beforeCommit(snap))
}

// beforeCommit is the table before a snapshot's commit, as liveFiles reads it.
func beforeCommit(s *snapshot.Snapshot) *snapshot.Snapshot {
	base := *s
	base.ID, base.DeltaManifestList = s.ID-1, ""
	return &base
}

// at is the table at a snapshot.
func (x *imager) at(ctx context.Context, snap *snapshot.Snapshot) (*lookupState, error) {
	if err := x.lookup.open(ctx, snap); err != nil {
		return nil, err
	}
	return x.hold(ctx)
}

// hold is the table that the lookup is at, held until the next plan.
func (x *imager) hold(ctx context.Context) (*lookupState, error) {
	state, err := x.lookup.begin(ctx)
	if err == nil {
		x.held = append(x.held, state)
	}
	return state, err
}

// read reads the files that were added to one bucket, in the order of keys.
func (r *imageRead) read(ctx context.Context, split Split, parallel int) iter.Seq2[arrow.RecordBatch, error] {
	way := r.ways[bucketKey{string(split.Partition), split.Bucket}]
	if way.before == nil {
		return r.fresh.readSplit(ctx, split, parallel)
	}
	scan := r.keys
	if way.after == nil {
		scan = r.rows
	}
	return func(yield func(arrow.RecordBatch, error) bool) {
		for rec, err := range scan.readSplit(ctx, split, parallel) {
			var out arrow.RecordBatch
			if err == nil {
				out, err = r.tell(ctx, way, rec)
			}
			if !handOut(out, err, yield) {
				return
			}
		}
	}
}
