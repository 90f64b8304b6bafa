package snapshot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// pending is a group on its way into the chain, over all its attempts.
type pending struct {
	*group
	base  *base // of the attempt under way
	asked bool  // base was the newest when the attempt began

	live   []manifest.Entry // files found for the conflict rules
	liveAt *base            // the base they were found in, nil before

	delta     *written // the group's own manifests: they serve every attempt
	changelog *written

	mu    sync.Mutex
	files []string // written for all attempts
	spare []string // written for the attempt under way

	// unsure is the id of a create whose outcome is not known. As long as it
	// is set, any of the files may be part of the table.
	unsure int64
}

// written is a manifest list that was written, with what it holds.
type written struct {
	metas []manifest.Meta
	list  string
	size  int64
}

// writtenIndex is the index manifest of a snapshot, new or the base's own.
type writtenIndex struct {
	name    string
	entries []manifest.IndexEntry
	loaded  bool // entries are known
}

func (p *pending) track(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spare = append(p.spare, names...)
}

// again wraps the failure of an attempt that another attempt may mend.
type again struct{ error }

func (a again) Unwrap() error { return a.error }

// commit makes attempts until one settles what becomes of the group. id is 0
// when the group was committed before.
func (c *Committer) commit(ctx context.Context, g *group) (id int64, err error) {
	p := &pending{group: g}
	start := c.cfg.Clock()
	asked := c.met
	c.met = false
	for n := 0; ; n++ {
		c.stats.Attempts++
		var retry again
		id, err = c.attempt(ctx, p, asked || n > 0)
		if !p.asked && errors.Is(err, fault.ErrConflict) && !errors.As(err, &retry) {
			c.drop(ctx, p) // it contradicts a base that may not be the newest
			id, err = c.attempt(ctx, p, true)
		}
		switch {
		case err == nil:
			return id, nil
		case !errors.As(err, &retry):
			return 0, c.fail(ctx, p, err)
		case n >= c.cfg.Options.CommitMaxRetries, c.late(start):
			return 0, c.fail(ctx, p, gaveUp(n+1, retry.error))
		}
		if stop := c.cfg.Sleep(ctx, c.wait.next(n)); stop != nil {
			return 0, c.fail(ctx, p, errors.Join(stop, retry.error))
		}
	}
}

func (c *Committer) late(start time.Time) bool {
	limit := c.cfg.Options.CommitTimeout
	return limit > 0 && c.cfg.Clock().Sub(start) > limit
}

func gaveUp(attempts int, last error) error {
	return &fault.Error{Op: "commit", Detail: fmt.Sprintf("gave up after %d attempts", attempts), Err: last,
		Hint: "commit again; if others commit all the time, raise commit.max-retries"}
}

// fail ends a commit. Files are removed only when no snapshot can name them.
func (c *Committer) fail(ctx context.Context, p *pending, err error) error {
	if p.unsure > 0 {
		return &fault.Error{Class: fault.ErrUncertain, Op: "commit", Snapshot: p.unsure, Err: err,
			Detail: fmt.Sprintf("the commit of user %s under identifier %d", c.cfg.User, p.identifier),
			Hint:   "repeat the commit with the same user and identifier, which settles it"}
	}
	c.remove(ctx, append(p.files, p.spare...))
	return err
}

// cleanupTime bounds what is still done for a commit whose context has ended.
const cleanupTime = 10 * time.Second

// remove deletes files that nothing refers to. What stays is found by cleaning.
func (c *Committer) remove(ctx context.Context, names []string) {
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	_ = c.cfg.Manifest.Remove(ctx, names...)
}

// attempt is one round of the protocol (section 2.3): from the newest
// snapshot to the create of the next one.
func (c *Committer) attempt(ctx context.Context, p *pending, ask bool) (int64, error) {
	b, err := c.findBase(ctx, ask)
	if err != nil {
		return 0, err
	}
	p.base, p.asked = b, ask
	if id, done, err := c.replayed(ctx, p); done || err != nil {
		return id, err
	}
	next, fresh, err := c.prepare(ctx, p)
	if err != nil {
		return 0, c.unprepared(ctx, p, err)
	}
	return c.publish(ctx, p, next, fresh)
}

// replayed tells whether the group is in the chain: committed before, or by
// an earlier attempt whose answer was lost.
func (c *Committer) replayed(ctx context.Context, p *pending) (id int64, done bool, err error) {
	whole, err := c.look(ctx, p.base)
	if err != nil {
		return 0, false, err
	}
	refused := c.mine.goesOn(c.cfg.User, p.identifier)
	id, done = c.mine.done(p.identifier, p.kind)
	if done || refused != nil {
		switch stands, err := c.stands(ctx); {
		case err != nil:
			return 0, false, err
		case !stands:
			return 0, false, c.unproven(ctx, p, errStale)
		}
	}
	switch {
	case refused != nil:
		return 0, false, refused
	case !done:
		if whole && p.base.id() >= p.unsure {
			p.unsure = 0 // the id went to somebody else
		}
		return 0, false, nil
	case p.unsure > 0:
		c.accept(id)
		c.stats.Commits++
		return id, true, nil
	}
	c.stats.Replays++
	return 0, true, c.usurped(p)
}

// usurped is the error for a group that nobody can have committed before, and
// whose identifier is in the chain.
func (c *Committer) usurped(p *pending) error {
	if !p.novel {
		return nil
	}
	return &fault.Error{Class: fault.ErrConflict, Op: "commit",
		Detail: fmt.Sprintf("another process commits as user %s too, and has used identifier %d: these rows are not in the table", c.cfg.User, p.identifier),
		Hint:   "stop one of the two, or give each a user of its own; then open a new writer and send the rows again"}
}

// unprepared ends an attempt that failed before its create. When its base has
// vanished meanwhile, that is why, and a new base may mend it: a base that was
// asked for is taken for the newest too where all after it have expired.
func (c *Committer) unprepared(ctx context.Context, p *pending, err error) error {
	refused := p.asked && errors.Is(err, fault.ErrConflict)
	if (isNotFound(err) || refused) && c.prove(ctx, p.base) != nil {
		c.base = nil
		c.stats.Stale++
		c.drop(ctx, p)
		return again{err}
	}
	if refused {
		c.stats.Conflicts++
	}
	return err
}

// drop removes what was written for the attempt under way only, unless an
// earlier create could have succeeded and named it.
func (c *Committer) drop(ctx context.Context, p *pending) {
	if p.unsure == 0 {
		c.remove(ctx, p.spare)
		p.spare = nil
	}
}

// prepare checks the group against the base and writes all that the next
// snapshot names. fresh is the base that the next commit starts from.
func (c *Committer) prepare(ctx context.Context, p *pending) (next *Snapshot, fresh *base, err error) {
	if err := c.checkStrict(ctx, p.base, p.kind); err != nil {
		return nil, nil, err
	}
	files, index, err := c.changes(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	return c.write(ctx, p, files, index)
}

// changes are the entries to commit on this base, after the conflict rules.
func (c *Committer) changes(ctx context.Context, p *pending) ([]manifest.Entry, []manifest.IndexEntry, error) {
	if err := errors.Join(c.checkHashBase(ctx, p), c.checkKeyBase(ctx, p)); err != nil {
		return nil, nil, err
	}
	files, index := p.group.files, p.index
	if p.replace != nil {
		gone, goneIndex, err := c.replaced(ctx, p.base, p.replace)
		if err != nil {
			return nil, nil, err
		}
		files, index = append(gone, files...), append(goneIndex, index...)
	}
	if !p.check {
		return files, index, addedOnce(c.newCase(p, nil, files))
	}
	live, err := c.liveFiles(ctx, p, changedPartitions(files, index))
	if err != nil {
		return nil, nil, err
	}
	if p.discard {
		files = withoutDuplicates(files, live)
	}
	if err := c.checkCompactBase(p, live); err != nil {
		return nil, nil, err
	}
	k, err := c.vectorCase(ctx, p, live, files, index)
	if err != nil {
		return nil, nil, err
	}
	return files, index, k.conflict()
}

// withoutDuplicates leaves out what is live already.
func withoutDuplicates(files, live []manifest.Entry) []manifest.Entry {
	known := make(map[manifest.Identity]bool, len(live))
	for i := range live {
		known[live[i].Identity()] = true
	}
	var out []manifest.Entry
	for i := range files {
		if !known[files[i].Identity()] {
			out = append(out, files[i])
		}
	}
	return out
}

// outcome collects what the writes of an attempt produced.
type outcome struct {
	base             written
	delta, changelog *written
	index            writtenIndex
	schemaID         int64
}

// write does all requests that need no order among each other at once.
func (c *Committer) write(ctx context.Context, p *pending, files []manifest.Entry, index []manifest.IndexEntry) (*Snapshot, *base, error) {
	var o outcome
	jobs := []func(context.Context) error{
		func(ctx context.Context) (err error) { o.base, err = c.writeBaseList(ctx, p); return err },
		func(ctx context.Context) (err error) { o.delta, err = c.writeDelta(ctx, p, files); return err },
		func(ctx context.Context) (err error) { o.changelog, err = c.writeChangelog(ctx, p); return err },
		func(ctx context.Context) (err error) { o.index, err = c.writeIndex(ctx, p, index); return err },
		func(ctx context.Context) (err error) { o.schemaID, err = c.cfg.LatestSchemaID(ctx); return err },
	}
	if p.base.snapshot == nil && c.cfg.Prove != nil {
		jobs = append(jobs, c.cfg.Prove)
	}
	tasks, tctx := errgroup.WithContext(ctx)
	if c.cfg.Sequential {
		tasks.SetLimit(1)
	}
	for _, job := range jobs {
		tasks.Go(func() error {
			if err := tctx.Err(); err != nil {
				return err
			}
			return job(tctx)
		})
	}
	if err := tasks.Wait(); err != nil {
		return nil, nil, fmt.Errorf("prepare snapshot %d: %w", p.base.id()+1, err)
	}
	if b := p.base.snapshot; b != nil {
		o.schemaID = max(o.schemaID, b.SchemaID) // schemas are never taken back
	}
	if p.kind == Compact && c.cfg.Compacts != nil {
		if err := c.cfg.Compacts(ctx, o.schemaID); err != nil {
			return nil, nil, err
		}
	}
	statistics, err := c.inheritStatistics(ctx, p.base, o.schemaID)
	if err != nil {
		return nil, nil, err
	}
	next, err := c.assemble(p, files, &o)
	if err != nil {
		return nil, nil, err
	}
	next.Statistics = statistics
	fresh := &base{snapshot: next, metasLoaded: true, index: o.index.entries, indexLoaded: o.index.loaded}
	fresh.metas = append(append(fresh.metas, o.base.metas...), o.delta.metas...)
	return next, fresh, nil
}

// writeBaseList merges the manifests of the base where that is due.
func (c *Committer) writeBaseList(ctx context.Context, p *pending) (written, error) {
	metas, err := c.metas(ctx, p.base)
	if err != nil {
		return written{}, err
	}
	o := c.cfg.Options
	merged, created, err := c.cfg.Manifest.Merge(ctx, metas, manifest.MergeParams{
		TargetSize: o.ManifestTargetSize, FullSize: o.ManifestFullCompactionSize, MinCount: o.ManifestMergeMinCount,
	})
	if err != nil {
		return written{}, err
	}
	p.track(created...)
	w := written{metas: merged}
	if w.list, w.size, err = c.cfg.Manifest.WriteList(ctx, merged); err == nil {
		p.track(w.list)
	}
	return w, err
}

// writeDelta writes the group's entries. Entries that do not depend on the
// base are written once for all attempts.
func (c *Committer) writeDelta(ctx context.Context, p *pending, files []manifest.Entry) (*written, error) {
	if p.replace != nil || p.discard {
		w, err := c.writeEntries(ctx, c.dropStats(files), p.track)
		return w, err
	}
	if p.delta == nil {
		w, err := c.writeEntries(ctx, c.dropStats(files), p.keep)
		if err != nil {
			return nil, err
		}
		p.delta = w
	}
	return p.delta, nil
}

func (c *Committer) writeChangelog(ctx context.Context, p *pending) (*written, error) {
	if len(p.group.changelog) == 0 || p.changelog != nil {
		return p.changelog, nil
	}
	w, err := c.writeEntries(ctx, p.group.changelog, p.keep)
	if err != nil {
		return nil, err
	}
	p.changelog = w
	return w, nil
}

func (p *pending) keep(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files = append(p.files, names...)
}

// writeEntries writes manifests and the list of them, which may be empty.
func (c *Committer) writeEntries(ctx context.Context, entries []manifest.Entry, track func(...string)) (*written, error) {
	metas, err := c.cfg.Manifest.WriteEntries(ctx, entries)
	if err != nil {
		return nil, err
	}
	for i := range metas {
		track(metas[i].Name)
	}
	w := &written{metas: metas}
	if w.list, w.size, err = c.cfg.Manifest.WriteList(ctx, metas); err != nil {
		return nil, err
	}
	track(w.list)
	return w, nil
}

// dropStats applies manifest.delete-file-drop-stats.
func (c *Committer) dropStats(files []manifest.Entry) []manifest.Entry {
	if !c.cfg.Options.ManifestDeleteDropStats {
		return files
	}
	out := make([]manifest.Entry, len(files))
	for i, e := range files {
		if out[i] = e; e.Kind == manifest.Delete {
			out[i] = e.WithoutStats()
		}
	}
	return out
}

// writeIndex combines the changes with the live index files; without changes
// the base's index manifest serves again.
func (c *Committer) writeIndex(ctx context.Context, p *pending, changes []manifest.IndexEntry) (writtenIndex, error) {
	if b := p.base; len(changes) == 0 {
		w := writtenIndex{entries: b.index, loaded: b.indexLoaded}
		if b.snapshot != nil {
			w.name = b.snapshot.IndexManifest
		}
		return w, nil
	}
	previous, err := c.indexFiles(ctx, p.base)
	if err != nil {
		return writtenIndex{}, err
	}
	w := writtenIndex{loaded: true}
	if w.entries, err = manifest.CombineIndex(previous, changes, c.unaware); err != nil {
		return w, c.conflictError(p.base, "the changes do not fit the index files of the table", "plan again from the newest snapshot", err)
	}
	if w.name, err = c.cfg.Manifest.WriteIndex(ctx, w.entries); err == nil {
		p.track(w.name)
	}
	return w, err
}

// assemble fills the snapshot that follows the base.
func (c *Committer) assemble(p *pending, files []manifest.Entry, o *outcome) (*Snapshot, error) {
	delta, previous := recordCount(files), int64(0)
	s := &Snapshot{
		Version: CurrentVersion, ID: p.base.id() + 1, SchemaID: o.schemaID,
		BaseManifestList: o.base.list, BaseManifestListSize: &o.base.size,
		DeltaManifestList: o.delta.list, DeltaManifestListSize: &o.delta.size,
		IndexManifest: o.index.name,
		CommitUser:    c.cfg.User, CommitIdentifier: p.identifier, CommitKind: p.kind,
		TimeMillis: c.cfg.Clock().UnixMilli(), Watermark: p.watermark, Properties: p.properties,
		NextRowID: new(int64),
	}
	if b := p.base.snapshot; b != nil {
		if b.TotalRecordCount == nil {
			return nil, fault.Unsupported(fmt.Sprintf("continuing snapshot %d, whose version %d counts no records", b.ID, b.Version),
				"commit once with a Java release from 0.4 on")
		}
		previous = *b.TotalRecordCount
		s.Watermark = laterOf(p.watermark, b.Watermark)
		if b.NextRowID != nil {
			*s.NextRowID = *b.NextRowID
		}
	}
	total := previous + delta
	s.TotalRecordCount, s.DeltaRecordCount = &total, &delta
	if o.changelog != nil {
		rows := recordCount(p.group.changelog)
		s.ChangelogManifestList, s.ChangelogManifestListSize, s.ChangelogRecordCount = o.changelog.list, &o.changelog.size, &rows
	}
	return s, nil
}

func recordCount(files []manifest.Entry) int64 {
	rows := int64(0)
	for i := range files {
		if files[i].Kind == manifest.Delete {
			rows -= files[i].File.Rows
		} else {
			rows += files[i].File.Rows
		}
	}
	return rows
}

func laterOf(a, b *int64) *int64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}
