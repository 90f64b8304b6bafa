package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// Committer publishes commit messages as snapshots. A Writer has one; open one
// alone in a process that commits what others prepared. Safe for concurrent
// use; commits take turns.
type Committer struct {
	table  *Table
	inner  *snapshot.Committer
	newest *newestSchema
	user   string

	mu   sync.Mutex
	next int64 // next identifier, 0 while unknown
	// watermark of commits to come, nil: that of the snapshot before. A writer's
	// next committer shares it.
	watermark *atomic.Pointer[int64]
	// published is told the ids and the files of every commit.
	published func(ids []int64, msgs []CommitMessage, whole bool)
	// lost is told the compactions that came too late.
	lost   func(msgs []CommitMessage)
	tags   autoTags
	expiry commitExpiry
}

// NewCommitter opens a committer for a commit user; "" is a fresh random one.
func (t *Table) NewCommitter(_ context.Context, user string) (*Committer, error) {
	if err := t.options.CheckWrite(t.schema); err != nil {
		return nil, t.wrap("open committer", err)
	}
	fresh := user == ""
	if fresh {
		user = t.world.NewID()
		if p := t.options.CommitUserPrefix; p != "" {
			user = p + "_" + user
		}
	}
	newest := &newestSchema{files: t.schemas, clock: t.world.Clock, id: t.schema.ID}
	inner, err := snapshot.NewCommitter(snapshot.Config{
		Store: t.store, Branch: t.branch, Manifest: t.manifest, Schema: t.schema, Options: t.options, User: user, NewUser: fresh,
		Clock: t.world.Clock, Sleep: t.world.Sleep, Rand: t.world.Rand, LatestSchemaID: newest.latest, Compacts: t.tellsAs,
		Prove: func(ctx context.Context) error { return t.schemas.prove(ctx, t.schema.ID) },
	})
	if err != nil {
		return nil, t.wrap("open committer", err)
	}
	tags, err := newAutoTags(t)
	if err != nil {
		return nil, t.wrap("open committer", err)
	}
	c := &Committer{table: t, inner: inner, newest: newest, user: user, tags: tags, watermark: new(atomic.Pointer[int64]),
		expiry: commitExpiry{on: !t.options.WriteOnly}}
	if fresh {
		c.next = 1
	}
	return c, nil
}

// User is the commit user.
func (c *Committer) User() string { return c.user }

// SetWatermark says that with the commits from now on the table is complete up
// to an event time, in epoch milliseconds. Each snapshot keeps the latest
// watermark so far, so an earlier one changes nothing, and one that no commit
// follows is not recorded. Tags of tag.automatic-creation=watermark are made by
// it, and ScanOptions.Watermark and StreamOptions.UntilWatermark go by it.
func (c *Committer) SetWatermark(millis int64) { c.watermark.Store(&millis) }

// NextIdentifier is the identifier after the newest one that this user
// committed, 1 for a new user.
func (c *Committer) NextIdentifier(ctx context.Context) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == 0 {
		last, any, err := c.inner.LastIdentifier(ctx)
		if err != nil {
			return 0, c.table.wrap("commit", err)
		}
		if any && last == BatchIdentifier {
			return 0, c.table.wrap("commit", fault.Invalid("user "+c.user+" has made a batch commit, after which no identifier can follow; commit under another user"))
		}
		c.next = last + 1
	}
	return c.next, nil
}

// Commit publishes the messages as one snapshot under this user and
// identifier. A replay of an identifier that is committed already does
// nothing. Without messages there is no snapshot.
//
// Compactions become a snapshot of their own after the rows. One that another
// compactor has overtaken is dropped, its files are deleted unless they are in
// the table already, and the rest is committed: rows are never lost by it.
//
// Errors: ErrConflict when another commit contradicts this one (its files are
// left in place; prepare again), or when all that was to commit were compactions
// that came too late; ErrUncertain when the store did not answer, in which case
// the same call, repeated by any process, settles it.
//
// Unless the table is write-only, snapshots that its options do not keep any
// longer expire after it, as many as a short time allows. An error of that is
// only logged.
func (c *Committer) Commit(ctx context.Context, identifier int64, msgs []CommitMessage) error {
	_, err := c.commit(ctx, identifier, msgs, false)
	return err
}

// commit also tells whether the rows are committed, which an error of the
// compactions leaves as they are. With first nobody has tried these rows under
// this identifier, which must not be in the table.
func (c *Committer) commit(ctx context.Context, identifier int64, msgs []CommitMessage, first bool) (appended bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changes := snapshot.Changes{Identifier: identifier, IgnoreEmpty: true, New: first && bringRows(msgs)}
	if err := c.fill(ctx, &changes, msgs, false); err != nil {
		return false, c.table.wrap("commit", err)
	}
	changes.CompactFiles, changes.CompactChangelog, changes.CompactIndex, changes.CompactBase = nil, nil, nil, nil
	ids, err := c.inner.Commit(ctx, changes)
	return c.compactAfter(ctx, "commit", identifier, msgs, ids, err)
}

// commitSurely is a first commit, once more when the answer was lost, which
// settles it if the store answers again. An error that is not ErrUncertain is
// certain.
func (c *Committer) commitSurely(ctx context.Context, identifier int64, msgs []CommitMessage) (appended bool, err error) {
	appended, err = c.commit(ctx, identifier, msgs, true)
	if !errors.Is(err, fault.ErrUncertain) {
		return appended, err
	}
	in, again := c.commit(ctx, identifier, msgs, false)
	if again == nil || errors.Is(again, fault.ErrConflict) && !errors.Is(again, fault.ErrUncertain) {
		return in, again
	}
	return appended || in, &fault.Error{Class: fault.ErrUncertain, Err: errors.Join(err, again),
		Hint: "look among the snapshots for that user and identifier: if one has them, it is done"}
}

// snapshotsOf is how many snapshots messages become.
func snapshotsOf(msgs []CommitMessage) (n int) {
	if bringRows(msgs) {
		n++
	}
	if len(compactionsOf(msgs)) > 0 {
		n++
	}
	return n
}

// compactAfter publishes the compactions of messages whose rows were committed,
// unless there was an error.
func (c *Committer) compactAfter(ctx context.Context, op string, identifier int64, msgs []CommitMessage, ids []int64, err error) (appended bool, _ error) {
	if err != nil {
		return false, c.settle(ctx, op, identifier, msgs, ids, err)
	}
	more, lost, err := c.commitCompactions(ctx, identifier, msgs)
	ids = append(ids, more...)
	if c.lost != nil && len(lost) > 0 {
		c.lost(lost)
	}
	if err := c.settle(ctx, op, identifier, without(msgs, lost), ids, err); err != nil {
		return true, err // a repeated call tries those that are lost once more, so their files stay
	}
	kept := c.table.removeCompactions(lost)
	if len(lost) > 0 && c.lost == nil && !bringRows(msgs) {
		return true, c.table.wrap(op, cameLate(kept))
	}
	return true, nil
}

// fill checks messages, which may have come from elsewhere, and puts them
// among the changes of a commit.
func (c *Committer) fill(ctx context.Context, changes *snapshot.Changes, msgs []CommitMessage, overwrite bool) error {
	changes.Watermark = c.watermark.Load()
	for i := range msgs {
		if err := errors.Join(c.table.checkMessage(&msgs[i]), c.table.checkAssigned(&msgs[i], overwrite), c.table.checkPlaced(&msgs[i], overwrite)); err != nil {
			return err
		}
		for _, files := range [][]manifest.DataFile{msgs[i].NewFiles, msgs[i].CompactAfter, msgs[i].NewChangelog, msgs[i].CompactChangelog} {
			for j := range files {
				f := &files[j]
				if _, err := c.table.schemas.get(ctx, f.SchemaID); err != nil {
					return fmt.Errorf("the schema of file %s: %w", f.Name, err)
				}
				c.newest.atLeast(f.SchemaID)
			}
		}
		msgs[i].addTo(changes, c.table.dynamic())
		if c.table.postponed() && msgs[i].Bucket >= 0 { // a partition keeps its number of buckets
			changes.CheckAppendConflicts = true
		}
	}
	return nil
}

func (c *Committer) settle(ctx context.Context, op string, identifier int64, msgs []CommitMessage, ids []int64, err error) error {
	if err != nil {
		return c.table.wrap(op, err)
	}
	if identifier != BatchIdentifier && c.next > 0 {
		c.next = max(c.next, identifier+1)
	}
	if c.published != nil && len(ids) > 0 {
		// Less than all of it was made now when a commit was repeated.
		c.published(ids, msgs, op == "commit" && len(ids) == snapshotsOf(msgs))
	}
	c.tags.after(ctx, identifier, ids)
	c.expire(ctx, ids)
	return nil
}

// Overwrite replaces rows: with a partition (values by column name, possibly
// only some of the partition columns) it replaces what lies inside; with nil,
// the partitions that the messages touch (dynamic-partition-overwrite, the
// default, in partitioned tables), or else the whole table. In a table with
// dynamic buckets the messages are those of a writer opened with
// WriterOptions.Overwrite.
func (c *Committer) Overwrite(ctx context.Context, identifier int64, inside Row, msgs []CommitMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	match, err := c.table.partitionMatcher(inside)
	if err != nil {
		return c.table.wrap("overwrite", err)
	}
	req := snapshot.OverwriteRequest{Identifier: identifier, Match: match, Description: describe(inside),
		Dynamic: inside == nil && c.table.options.DynamicPartitionOverwrite && len(c.table.schema.PartitionKeys) > 0}
	var changes snapshot.Changes
	if err := c.table.checkLookedUp(msgs); err != nil {
		return c.table.wrap("overwrite", err)
	}
	msgs, mixed := c.table.apart(msgs)
	msgs, silent := withoutChangelogs(msgs)
	if err := c.fill(ctx, &changes, msgs, true); err != nil {
		return c.table.wrap("overwrite", err)
	}
	req.Watermark = changes.Watermark
	req.Files, req.Index, req.KeepLevels = changes.AppendFiles, changes.AppendIndex, len(changes.CompactFiles) > 0
	ids, err := c.inner.Overwrite(ctx, req)
	in, err := c.compactAfter(ctx, "overwrite", identifier, msgs, ids, err)
	if in {
		c.table.removeCompactions(mixed)
		c.table.discard(silent)
	}
	return err
}

// withoutChangelogs takes changelogs out of the messages of an overwrite, which
// publishes none: whoever follows the table learns of it by the snapshot's kind.
// silent are messages of nothing but these files.
func withoutChangelogs(msgs []CommitMessage) (rest, silent []CommitMessage) {
	for _, m := range msgs {
		if len(m.NewChangelog)+len(m.CompactChangelog) > 0 {
			silent = append(silent, CommitMessage{Partition: m.Partition, Bucket: m.Bucket, TotalBuckets: m.TotalBuckets,
				NewChangelog: m.NewChangelog, CompactChangelog: m.CompactChangelog})
			m.NewChangelog, m.CompactChangelog = nil, nil
		}
		rest = append(rest, m)
	}
	return rest, silent
}

// Truncate removes every row in one snapshot.
func (c *Committer) Truncate(ctx context.Context, identifier int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids, err := c.inner.Overwrite(ctx, snapshot.OverwriteRequest{Identifier: identifier, Match: func([]byte) bool { return true }})
	return c.settle(ctx, "truncate", identifier, nil, ids, err)
}

// DropPartitions removes the partitions that any of the given values match;
// each names one or more partition columns.
func (c *Committer) DropPartitions(ctx context.Context, identifier int64, partitions ...Row) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(partitions) == 0 {
		return c.table.wrap("drop partition", fault.Invalid("no partition given; to remove every row use Truncate"))
	}
	matches := make([]func([]byte) bool, len(partitions))
	for i, p := range partitions {
		if len(p) == 0 {
			return c.table.wrap("drop partition", fault.Invalid("no partition column given; to remove every row use Truncate"))
		}
		m, err := c.table.partitionMatcher(p)
		if err != nil {
			return c.table.wrap("drop partition", err)
		}
		matches[i] = m
	}
	anyOf := func(partition []byte) bool {
		for _, m := range matches {
			if m(partition) {
				return true
			}
		}
		return false
	}
	ids, err := c.inner.Overwrite(ctx, snapshot.OverwriteRequest{Identifier: identifier, Match: anyOf})
	return c.settle(ctx, "drop partition", identifier, nil, ids, err)
}

// partitionMatcher tests a partition body against values of some partition columns.
func (t *Table) partitionMatcher(inside Row) (func([]byte) bool, error) {
	fields := t.schema.PartitionFields()
	for name := range inside {
		if !hasField(fields, name) {
			return nil, fault.Invalid(fmt.Sprintf("%q is not a partition column; the table is partitioned by %q", name, t.schema.PartitionKeys))
		}
	}
	want, err := rowValues(fields, map[string]any(inside), t.settings.TimeZone)
	if err != nil {
		return nil, err
	}
	return func(partition []byte) bool {
		have, err := t.partitionValues(partition)
		if err != nil {
			return false
		}
		for i, f := range fields {
			if _, asked := inside[f.Name]; asked && !samePartitionValue(f.Type, have[i], want[i]) {
				return false
			}
		}
		return true
	}, nil
}

// describe names a partition in messages.
func describe(inside Row) string {
	var parts []string
	for name, v := range inside {
		parts = append(parts, fmt.Sprintf("%s=%v", name, v))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func samePartitionValue(t schema.Type, a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return schema.Compare(t, a, b) == 0
}

func isNotFound(err error) bool { return errors.Is(err, fault.ErrNotFound) }

// liveFiles are the files of a snapshot that pass the filter.
func (t *Table) liveFiles(ctx context.Context, at *snapshot.Snapshot, f *manifest.Filter) ([]manifest.Entry, error) {
	base, err := t.manifest.ReadList(ctx, at.BaseManifestList)
	if err != nil {
		return nil, err
	}
	if at.DeltaManifestList == "" { // see beforeCommit
		return t.manifest.Live(ctx, base, f)
	}
	delta, err := t.manifest.ReadList(ctx, at.DeltaManifestList)
	if err != nil {
		return nil, err
	}
	return t.manifest.Live(ctx, append(base, delta...), f)
}
