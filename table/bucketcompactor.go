package table

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// bucketTree knows the live files of one bucket and what to compact next.
type bucketTree interface {
	// update takes files out and puts others in.
	update(before, after []manifest.DataFile)
	has(f *manifest.DataFile) bool
	// fits tells that a commit may take files out and put others in.
	fits(before, after []manifest.DataFile) bool
	// above0 are the names of the files above level 0.
	above0() []string
	// pick is the next compaction, nil for none, given the bucket's deletion
	// vectors and what the compactions before it did since those were written.
	// While its work runs no other is asked for.
	pick(ctx context.Context, full bool, now time.Time, index *bucketIndex, before *compactResult) (work, error)
	// runs are the sorted runs that readers have to merge.
	runs() int
}

// work is a compaction that was picked.
type work func(ctx context.Context) (compactResult, error)

// bucketCompactor compacts one bucket beside the writing: one task at a time,
// on a goroutine of its own. The files it works with are those of the newest
// snapshot seen, changed by what the writer did since. Its methods are for one
// goroutine at a time.
type bucketCompactor struct {
	table  *Table
	key    bucketKey
	follow *sequences
	tree   bucketTree

	fresh   []manifest.DataFile // new files that were not handed out yet
	result  compactResult       // of compactions, not handed out yet
	running *compactTask        // nil for none
	blind   bool                // files were gone: nothing is picked before newer snapshots were looked for
	stalled bool                // too many runs before the last flush: wait for the running one

	index *bucketIndex // deletion vectors that the result follows on, nil: not read yet
	group int          // of the changes that they were handed out with
	dated bool         // the table may have others by now
}

// compactTask is a compaction that runs. After done is closed the rest can be read.
type compactTask struct {
	done   chan struct{}
	result compactResult
	err    error
}

func newBucketCompactor(t *Table, key bucketKey, follow *sequences) (*bucketCompactor, error) {
	b := &bucketCompactor{table: t, key: key, follow: follow}
	return b, b.rebuild()
}

// rebuild makes the tree of what snapshots show and what the writer did since.
func (b *bucketCompactor) rebuild() error {
	live, ours := b.follow.bucket(b.key)
	tree, err := b.table.newBucketTree(b.key, live, b.tree)
	if err != nil {
		return err
	}
	pending := false
	for _, group := range ours {
		pending = pending || group[0].group == b.group
		update(tree, group)
	}
	b.dated = b.dated || !pending
	tree.update(nil, b.fresh)
	b.tree = tree
	if !b.stands(&b.result) { // somebody else was faster
		return b.drop()
	}
	tree.update(b.result.before, b.result.after)
	return nil
}

// stands tells that a compaction can be committed on the files of the tree.
func (b *bucketCompactor) stands(r *compactResult) bool {
	for name, m := range r.marks {
		if !containsName(r.after, name) && !b.tree.has(&m.file) {
			return false
		}
	}
	return fitsOver(b.tree, r.before, r.after, r.base)
}

// fitsOver tells that a commit may take files out and put others in, and that
// older rows were looked up among the files that are there, nil where none were.
func fitsOver(tree bucketTree, before, after []manifest.DataFile, base []string) bool {
	return tree.fits(before, after) && (base == nil || snapshot.SameNames(base, tree.above0()))
}

// update changes a tree as a commit will, unless that cannot be: such a commit
// will be refused.
func update(tree bucketTree, group []fileChange) {
	var before, after []manifest.DataFile
	for _, c := range group {
		if c.kind == manifest.Add {
			after = append(after, c.file)
		} else {
			before = append(before, c.file)
		}
	}
	if tree.fits(before, after) {
		tree.update(before, after)
	}
}

// catchUp takes in what snapshots have shown since the last time.
func (b *bucketCompactor) catchUp(looked bool) error {
	b.blind = b.blind && !looked
	if !b.follow.changed(b.key) {
		return nil
	}
	return b.rebuild()
}

// drop gives up the compactions that were not handed out.
func (b *bucketCompactor) drop() error {
	b.table.world.Logger.Info("a compaction came to nothing: another one of the same bucket was faster", "table", b.table.name, "bucket", b.key.bucket)
	b.remove(b.result.made())
	b.result = compactResult{}
	return nil
}

// add takes new files of the writer in.
func (b *bucketCompactor) add(files []manifest.DataFile) {
	b.fresh = append(b.fresh, files...)
	b.tree.update(nil, files)
}

// trigger starts the next compaction if there is one and none is running.
func (b *bucketCompactor) trigger(ctx context.Context, full bool) error {
	if b.running != nil || b.blind || b.follow.doubtful(b.key) {
		return nil
	}
	if err := b.readIndex(ctx); err != nil {
		return err
	}
	do, err := b.tree.pick(ctx, full, b.table.world.Clock().In(b.table.settings.TimeZone), b.index, &b.result)
	if do == nil || err != nil {
		return err
	}
	t := &compactTask{done: make(chan struct{})}
	b.running = t
	go func() {
		defer close(t.done)
		t.err = inTurn(ctx, func() (err error) {
			t.result, err = do(ctx)
			return err
		})
	}()
	return nil
}

// readIndex finds the bucket's deletion vectors in the snapshot seen last,
// unless a result follows on older ones: the commit proves then that these are
// still those of the table.
func (b *bucketCompactor) readIndex(ctx context.Context) error {
	if b.index != nil && (!b.dated || len(b.result.before) > 0) {
		return nil
	}
	index, err := b.follow.indexFiles(ctx)
	if err == nil {
		b.index, b.dated = b.table.bucketIndexOf(b.key, index), false
	}
	return err
}

// settle takes in the running compaction if it has ended, or waits for it.
func (b *bucketCompactor) settle(ctx context.Context, wait bool) error {
	t := b.running
	if t == nil {
		b.stalled = false
		return nil
	}
	if !wait {
		select {
		case <-t.done:
		default:
			return nil
		}
	}
	select {
	case <-t.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	b.running, b.stalled = nil, false
	if t.err != nil {
		return b.failed(t.err, wait)
	}
	if !b.stands(&t.result) { // another compactor was faster
		b.remove(t.result.made())
		return nil
	}
	b.tree.update(t.result.before, t.result.after)
	b.remove(b.result.join(t.result))
	return nil
}

// failed decides about a compaction that did not work. The rows are safe
// without it; only who waits for it has to know, unless files were gone: then
// somebody else has compacted them, or a commit never happened; or unless the
// writer has yet to take up a new schema.
func (b *bucketCompactor) failed(err error, wait bool) error {
	gone := isNotFound(err)
	if wait && !gone && !errors.Is(err, errAltered) {
		return err
	}
	b.table.world.Logger.Warn("a compaction failed; it is tried again after the next flush", "table", b.table.name, "bucket", b.key.bucket, "error", err)
	if gone {
		b.blind = true
		b.follow.mistrust(b.key)
	}
	return b.rebuild()
}

// take hands out the finished compactions, and the new files with them.
func (b *bucketCompactor) take(ctx context.Context) (compactResult, []manifest.IndexEntry, error) {
	r := b.result
	var index []manifest.IndexEntry
	if len(r.before) > 0 { // else there is nothing to say of vectors
		err := b.readIndex(ctx) // again, when others have come between
		if err == nil {
			index, err = b.index.publish(ctx, &r)
		}
		if err != nil {
			return r, nil, err
		}
	}
	b.follow.handOut(b.key, changesOf(nil, b.fresh))
	if group := b.follow.handOut(b.key, changesOf(r.before, r.after)); len(index) > 0 {
		b.group = group
	}
	b.fresh, b.result = nil, compactResult{}
	return r, index, nil
}

// idle tells that the bucket may be forgotten: all of it is in snapshots.
func (b *bucketCompactor) idle() bool {
	return b.running == nil && len(b.fresh)+len(b.result.before) == 0 && !b.follow.outstanding(b.key)
}

// close waits for the running compaction and deletes what was not handed out.
func (b *bucketCompactor) close() {
	if t := b.running; t != nil {
		<-t.done
		b.running = nil
		b.remove(t.result.made())
	}
	b.remove(b.result.made())
	b.result = compactResult{}
}

// remove deletes files that no snapshot can name.
func (b *bucketCompactor) remove(files []manifest.DataFile) {
	if len(files) == 0 {
		return
	}
	dir, err := b.table.bucketDir([]byte(b.key.partition), b.key.bucket)
	if err == nil {
		err = b.table.deleteFiles(context.Background(), dir, files)
	}
	if err != nil {
		b.table.world.Logger.Warn("files that a compaction made and nothing refers to were not removed", "table", b.table.name, "error", err)
	}
}

// made are the files that the compaction wrote.
func (r *compactResult) made() []manifest.DataFile {
	return append(slices.Clone(r.changelog), notAmong(r.after, r.before)...)
}

// notAmong are the files whose names others do not have.
func notAmong(files, others []manifest.DataFile) []manifest.DataFile {
	names := make(map[string]bool, len(others))
	for i := range others {
		names[others[i].Name] = true
	}
	return slices.DeleteFunc(slices.Clone(files), func(f manifest.DataFile) bool { return names[f.Name] })
}

// baseBefore are the files above level 0 before the compaction, by those after it.
func (r *compactResult) baseBefore(after []string) []string {
	before := slices.DeleteFunc(slices.Clone(after), func(name string) bool { return containsName(r.after, name) })
	return append(before, namesAbove0(r.before)...)
}

// namesAbove0 are the names of the files that do not lie on level 0, never nil.
func namesAbove0(files []manifest.DataFile) []string {
	out := []string{}
	for i := range files {
		if files[i].Level > 0 {
			out = append(out, files[i].Name)
		}
	}
	return out
}

func containsName(files []manifest.DataFile, name string) bool {
	for i := range files { // a file is large to move about
		if files[i].Name == name {
			return true
		}
	}
	return false
}

// join adds a later compaction. Files that one made and the other consumed
// are not mentioned; garbage are those that no snapshot can know.
func (r *compactResult) join(next compactResult) (garbage []manifest.DataFile) {
	if r.base == nil && next.base != nil {
		r.base = r.baseBefore(next.base)
	}
	for _, f := range next.before {
		made := slices.IndexFunc(r.after, func(g manifest.DataFile) bool { return idOf(&g) == idOf(&f) })
		if made < 0 {
			r.before = append(r.before, f)
			continue
		}
		r.after = slices.Delete(r.after, made, made+1)
		// A file that was only moved existed before, or goes on to exist.
		if !containsName(r.before, f.Name) && !containsName(next.after, f.Name) {
			garbage = append(garbage, f)
		}
	}
	r.after = append(r.after, next.after...)
	r.changelog = append(r.changelog, next.changelog...)
	r.marks = r.marks.join(notAmong(next.before, next.after), next.marks)
	return garbage
}
