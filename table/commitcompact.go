package table

import (
	"context"
	"errors"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// commitCompactions publishes the compactions of messages as one snapshot.
// Those that others have overtaken are left out and returned as lost.
func (c *Committer) commitCompactions(ctx context.Context, identifier int64, msgs []CommitMessage) (ids []int64, lost []CommitMessage, err error) {
	left := compactionsOf(msgs)
	for len(left) > 0 {
		changes := snapshot.Changes{Identifier: identifier, CompactOnly: true}
		for i := range left {
			left[i].addTo(&changes, false)
		}
		refused := c.inner.Stats().Conflicts
		ids, err := c.inner.Commit(ctx, changes)
		switch raced := c.inner.Stats().Conflicts == refused; { // others kept winning the race for the next id
		case !errors.Is(err, fault.ErrConflict), errors.Is(err, fault.ErrUncertain), raced && !bringRows(msgs):
			return ids, lost, err
		case raced: // an error would say that the rows were not committed
			return nil, append(lost, left...), nil
		}
		late, rest, lookErr := c.table.overtaken(ctx, left)
		if lookErr != nil {
			return nil, lost, errors.Join(err, lookErr)
		}
		if len(late) == 0 {
			late, rest = left, nil // refused for a reason that is not to be seen from here
		}
		lost, left = append(lost, late...), rest
	}
	return nil, lost, nil
}

// outdated says that compactions are lost because the table tells changes in
// another way since it was opened.
func (c *Committer) outdated(ctx context.Context) error {
	id, err := c.newest.latest(ctx)
	if err != nil {
		return err
	}
	if s := c.inner.Newest(); s != nil {
		id = max(id, s.SchemaID)
	}
	return c.table.tellsAs(ctx, id)
}

// bringRows tells that there is more in messages than compactions.
func bringRows(msgs []CommitMessage) bool {
	return slices.ContainsFunc(msgs, func(m CommitMessage) bool { return m.bringsRows() })
}

// overtaken parts compactions by whether they still fit the newest snapshot.
func (t *Table) overtaken(ctx context.Context, msgs []CommitMessage) (late, rest []CommitMessage, err error) {
	at, err := t.chain.Latest(ctx)
	if err != nil {
		return nil, nil, err
	}
	live := map[bucketKey][]manifest.DataFile{}
	if at != nil {
		entries, err := t.liveFiles(ctx, at, t.filterBuckets(bucketsOf(msgs)))
		if err != nil {
			return nil, nil, err
		}
		for i := range entries {
			key := bucketKey{string(entries[i].Partition), entries[i].Bucket}
			live[key] = append(live[key], entries[i].File)
		}
	}
	trees := make(map[bucketKey]bucketTree, len(live)) // nil for a bucket that is broken
	for i := range msgs {
		m := &msgs[i]
		tree, made := trees[m.key()]
		if !made {
			if tree, err = t.newBucketTree(m.key(), live[m.key()], nil); err != nil {
				tree = nil
			}
			trees[m.key()] = tree
		}
		if tree != nil && fitsOver(tree, m.CompactBefore, m.CompactAfter, m.CompactBase) {
			rest = append(rest, *m)
		} else {
			late = append(late, *m)
		}
	}
	return late, rest, nil
}

// compactionsOf are messages without their rows.
func compactionsOf(msgs []CommitMessage) []CommitMessage {
	var out []CommitMessage
	for _, m := range msgs {
		if m.compacts() {
			out = append(out, m.compactionOnly())
		}
	}
	return out
}

// without takes lost compactions out of messages.
func without(msgs, lost []CommitMessage) []CommitMessage {
	if len(lost) == 0 {
		return msgs
	}
	gone := make(map[string]bool, len(lost))
	for i := range lost {
		gone[lost[i].compaction()] = true
	}
	out := make([]CommitMessage, len(msgs))
	for i, m := range msgs {
		if gone[m.compaction()] {
			m = m.rowsOnly()
		}
		out[i] = m
	}
	return out
}

// compaction is a name of the message's compaction that no other has.
func (m *CommitMessage) compaction() string {
	switch {
	case len(m.CompactBefore) > 0:
		return m.CompactBefore[0].Name
	case len(m.CompactIndex) > 0:
		return m.CompactIndex[0].Name
	}
	return ""
}

// apart takes compactions out that read files which a message did not bring
// along itself: in an overwrite their rows are about to go.
func (t *Table) apart(msgs []CommitMessage) (rest, mixed []CommitMessage) {
	for i := range msgs {
		for j := range msgs[i].CompactBefore {
			if !containsName(msgs[i].NewFiles, msgs[i].CompactBefore[j].Name) {
				mixed = append(mixed, msgs[i])
				break
			}
		}
	}
	return without(msgs, mixed), mixed
}

// checkLookedUp refuses messages of an overwrite whose compactions may have
// looked rows up in the files that are about to go.
func (t *Table) checkLookedUp(msgs []CommitMessage) error {
	for i := range msgs {
		if m := &msgs[i]; t.options.NeedsLookup() && m.compacts() && !m.Overwrite {
			return fault.Invalid("an overwrite ignores older rows, and these rows were compacted with a look at them: write them with a writer opened with WriterOptions.Overwrite")
		}
	}
	return nil
}
