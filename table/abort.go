package table

import (
	"context"
	"errors"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// Abort deletes the files of messages that will never be committed. Call it
// only when their commit was never tried or failed with ErrConflict: after
// ErrUncertain a snapshot may name them. Messages that are found to be in the
// table, because another call has committed them, are left as they are and make
// the error ErrInvalid.
func (t *Table) Abort(ctx context.Context, msgs []CommitMessage) error {
	in, out, unknown, err := t.committed(ctx, msgs)
	if err != nil {
		return t.wrap("abort", err)
	}
	if err = t.abort(ctx, append(out, unknown...)); len(in) > 0 {
		err = errors.Join(err, t.wrap("abort", &fault.Error{Class: fault.ErrInvalid, File: namesOf(&in[0])[0], Detail: "it was committed, and is kept"}))
	}
	return err
}

// abort is Abort of messages that this process made and nobody else has seen.
func (t *Table) abort(ctx context.Context, msgs []CommitMessage) error {
	var errs []error
	for i := range msgs {
		if err := t.checkMessage(&msgs[i]); err != nil {
			errs = append(errs, err)
			continue
		}
		dir, err := t.bucketDir(msgs[i].Partition, msgs[i].Bucket)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, t.deleteFiles(ctx, dir, msgs[i].made()),
			t.deleteIndexFiles(ctx, msgs[i].Index), t.deleteIndexFiles(ctx, msgs[i].CompactIndex))
	}
	return t.wrap("abort", errors.Join(errs...))
}

// removeCompactions deletes the files of compactions that came too late, and
// returns those that are in the table already: the same messages were committed
// before, under another user or identifier.
func (t *Table) removeCompactions(lost []CommitMessage) (kept []CommitMessage) {
	ctx := context.Background()
	kept, late, unknown, err := t.committed(ctx, compactionsOf(lost))
	if err == nil {
		err = t.abort(ctx, late)
	}
	if len(unknown) > 0 {
		t.world.Logger.Info("files of compactions that came too late are left for the cleaning of orphans: older snapshots may name them", "table", t.name, "compactions", len(unknown))
	}
	if err != nil {
		t.world.Logger.Warn("files of a compaction that came too late were not removed", "table", t.name, "error", err)
	}
	return kept
}

// discard deletes the files of messages that no snapshot can name, as far as it can.
func (t *Table) discard(msgs []CommitMessage) {
	if err := t.abort(context.Background(), msgs); err != nil {
		t.world.Logger.Warn("files that no snapshot names were not removed", "table", t.name, "error", err)
	}
}

// cameLate is the error for a commit of nothing but compactions that were
// overtaken.
func cameLate(kept []CommitMessage) error {
	if len(kept) > 0 {
		return &fault.Error{Class: fault.ErrConflict, Detail: "these compactions are committed already, by another user or under another identifier",
			Hint: "there is nothing left to do"}
	}
	return &fault.Error{Class: fault.ErrConflict, Detail: "another compaction of the same files was committed first; the files of this one are removed",
		Hint: "plan again from the newest snapshot"}
}

// namesOf are the files that a message made.
func namesOf(m *CommitMessage) (names []string) {
	for _, f := range m.made() {
		names = append(names, f.Name)
	}
	for _, entries := range [][]manifest.IndexEntry{m.Index, m.CompactIndex} {
		for i := range entries {
			if entries[i].Kind == manifest.Add {
				names = append(names, entries[i].Name)
			}
		}
	}
	return names
}
