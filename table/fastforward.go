package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// FastForward makes this branch what another is: from the other's oldest
// snapshot on it loses its own snapshots, changelogs, schemas and tags and gets
// the snapshots, schemas and tags of the other, which stays as it is. Data files
// that only the lost snapshots used are left for the cleaning of orphans. Consumers
// that had read what is lost are stranded, as by Rollback.
//
// Where the snapshot with which the other begins is not in this branch, older
// snapshots here are not its past: they go too. Paimon keeps them, and expires
// files with them that the other needs.
//
// It is not atomic: readers see the branch end earlier meanwhile. When it is
// broken off, do it again. Nothing may write to either branch meanwhile; a
// commit to this one that is under way fails. Open the table again afterwards.
//
// Errors: ErrNotFound without the branch, ErrInvalid for one without snapshots
// or one that begins where this one does not reach, and for tags of this one that
// may not be of its past.
func (t *Table) FastForward(ctx context.Context, name string) error {
	err := t.otherBranch(ctx, name)
	if err == nil {
		err = t.fastForward(ctx, name)
	}
	t.schemas.forget()
	return t.wrap("fast-forward", err)
}

// branchFile is a file of a branch under its key in this one.
type branchFile struct {
	key  string
	data []byte
}

// branchFiles are a branch's files in order.
type branchFiles struct{ schemas, snapshots, tags []branchFile }

func (t *Table) fastForward(ctx context.Context, name string) error {
	from := snapshot.NewChain(t.store, name)
	first, err := from.Earliest(ctx)
	if err != nil {
		return err
	}
	if first == nil {
		return &fault.Error{Class: fault.ErrInvalid, Detail: "branch " + name + " has no snapshot", Hint: "write to it first"}
	}
	last, err := t.chain.Latest(ctx)
	if err != nil {
		return err
	}
	if last != nil && last.ID < first.ID-1 {
		return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("branch %s begins with snapshot %d, and branch %s ends with %d: snapshots between them have expired", name, first.ID, t.Branch(), last.ID),
			Hint: "write the rows of the branch into the other one"}
	}
	files, err := t.readBranch(ctx, name, from)
	if err != nil {
		return err
	}
	past, err := t.isPast(ctx, from, first)
	if err != nil {
		return err
	}
	if err := t.strandFrom(ctx, first.ID, past, files); err != nil {
		return err
	}
	if err := t.dropFrom(ctx, first, past, files); err != nil {
		return err
	}
	for _, f := range slices.Concat(files.schemas, files.snapshots) {
		if err := t.put(ctx, f); err != nil {
			return err
		}
	}
	for _, f := range files.tags {
		if err := t.store.Write(ctx, f.key, f.data); err != nil {
			return err
		}
	}
	begin, err := t.dropBefore(ctx, first.ID)
	if err != nil {
		return err
	}
	if err := t.settleEarliest(ctx, begin, first.ID, from); err != nil {
		return err
	}
	return t.chain.SetLatest(ctx)
}

// isPast tells that what this branch has from before the first snapshot of another
// is the past of that: the snapshot is in both, or was before it expired. It is an
// error where tags may be of another past.
func (t *Table) isPast(ctx context.Context, from *snapshot.Chain, first *snapshot.Snapshot) (bool, error) {
	now, err := t.chain.Get(ctx, first.ID)
	if isNotFound(err) {
		now, err = t.chain.LongLived(ctx, first.ID)
	}
	if err == nil && now.Same(first) {
		return true, nil
	}
	if err != nil && !isNotFound(err) {
		return false, err
	}
	tags, err := t.chain.Tags(ctx)
	if err != nil {
		return false, err
	}
	theirs, err := from.Tags(ctx)
	if err != nil {
		return false, err
	}
	shared := int64(0) // what a tag of both holds, and all before
	for _, tag := range tags {
		if slices.ContainsFunc(theirs, func(other *snapshot.Tag) bool { return other.Same(&tag.Snapshot) }) || tag.Same(first) {
			shared = max(shared, tag.ID)
		}
	}
	for _, tag := range tags {
		if tag.ID > shared && tag.ID < first.ID {
			return false, &fault.Error{Class: fault.ErrInvalid,
				Detail: fmt.Sprintf("branch %s begins with snapshot %d, its snapshots before that have expired, and nobody can tell whether tag %s of snapshot %d is one of them", from.Branch(), first.ID, tag.Name, tag.ID),
				Hint:   "delete the tag first, or write the rows of the branch into the other one"}
		}
	}
	return shared == first.ID, nil
}

// dropBefore deletes the snapshots of this branch that dropFrom has announced and
// that are before the first one of another, the oldest first, and tells which
// the oldest is then.
func (t *Table) dropBefore(ctx context.Context, first int64) (begin int64, err error) {
	ids, err := t.chain.IDs(ctx)
	if err != nil {
		return 0, err
	}
	below, err := t.chain.ExpiringBelow(ctx)
	if err != nil {
		return 0, err
	}
	if below < first {
		return min(first, slices.Min(ids)), nil
	}
	for _, id := range ids {
		if id < first {
			if err := t.store.Delete(ctx, t.chain.Path(id)); err != nil {
				return 0, err
			}
		}
	}
	return first, nil
}

// strandFrom strands the consumers that have read snapshots of this branch which
// the other does not have, or has others in the place of.
func (t *Table) strandFrom(ctx context.Context, first int64, past bool, theirs branchFiles) error {
	if !past {
		return t.consumers().Strand(ctx, first-1)
	}
	kept := make(map[string][]byte)
	for _, f := range theirs.snapshots {
		kept[f.key] = f.data
	}
	ids, err := t.chain.IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if id < first {
			continue
		}
		key := t.chain.Path(id)
		if same, err := t.sameFile(ctx, key, kept[key]); err != nil {
			return err
		} else if !same {
			return t.consumers().Strand(ctx, id)
		}
	}
	return nil
}

// settleEarliest says with which snapshot this branch begins. From first on they
// are those of another branch now, with what has begun to expire there.
func (t *Table) settleEarliest(ctx context.Context, begin, first int64, from *snapshot.Chain) error {
	ours, err := t.chain.ExpiringBelow(ctx)
	if err != nil {
		return err
	}
	theirs, err := from.ExpiringBelow(ctx)
	if err != nil {
		return err
	}
	if below := max(min(ours, first), theirs); below > begin {
		return t.chain.Expiring(ctx, below)
	}
	t.chain.Began(ctx, false, begin)
	return nil
}

// put creates a file unless it is there already. Another one under its name is
// that of a writer who was not to be there.
func (t *Table) put(ctx context.Context, f branchFile) error {
	same, err := t.sameFile(ctx, f.key, f.data)
	if err != nil || same {
		return err
	}
	return t.store.CreateIfAbsent(ctx, f.key, f.data)
}

// readBranch reads what a branch has: schemas, snapshots and tags are small, and
// all must be readable before anything is deleted.
func (t *Table) readBranch(ctx context.Context, name string, from *snapshot.Chain) (b branchFiles, err error) {
	read := func(into *[]branchFile, key, as string) error {
		data, err := t.store.ReadAll(ctx, key)
		*into = append(*into, branchFile{as, data})
		return err
	}
	theirs := newSchemaFiles(t.store, name)
	ids, err := theirs.ids(ctx)
	if err != nil {
		return b, err
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := read(&b.schemas, theirs.key(id), t.schemas.key(id)); err != nil {
			return b, err
		}
	}
	for s, err := range from.All(ctx) {
		if err != nil {
			return b, err
		}
		if err := read(&b.snapshots, from.Path(s.ID), t.chain.Path(s.ID)); err != nil {
			return b, err
		}
	}
	tags, err := from.Tags(ctx)
	if err != nil {
		return b, err
	}
	for _, tag := range tags {
		if err := read(&b.tags, from.TagPath(tag.Name), t.chain.TagPath(tag.Name)); err != nil {
			return b, err
		}
	}
	return b, nil
}

// dropFrom deletes this branch's snapshots from one on, and the tags and
// schemas that go with them, but for files that are the same in the other
// branch. The newest go first, so that what is left is a chain at any time. Where
// that is not the other's past it is announced that it goes, but not before the
// other's snapshots are there, and all schemas and changelogs go at once.
func (t *Table) dropFrom(ctx context.Context, first *snapshot.Snapshot, past bool, keep branchFiles) error {
	kept := make(map[string][]byte)
	for _, f := range slices.Concat(keep.schemas, keep.snapshots, keep.tags) {
		kept[f.key] = f.data
	}
	drop := func(key string) error {
		if data, ok := kept[key]; ok {
			if same, err := t.sameFile(ctx, key, data); err != nil || same {
				return err
			}
		}
		return t.store.Delete(ctx, key)
	}
	if err := t.chain.ForgetLatest(ctx); err != nil {
		return err
	}
	if err := t.chain.EachFrom(ctx, first.ID, func(id int64) error { return drop(t.chain.Path(id)) }); err != nil {
		return err
	}
	// Changelogs that outlived their snapshots tell another history from there on.
	told, schemas := first.ID-1, first.SchemaID // the last and the first that stay
	if !past {
		if told, schemas = 0, 0; first.ID > 1 {
			if err := t.chain.Expiring(ctx, first.ID); err != nil {
				return err
			}
		}
	}
	if err := t.chain.CutChangelogs(ctx, told); err != nil {
		return err
	}
	tags, err := t.chain.Tags(ctx)
	if err != nil {
		return err
	}
	for _, tag := range slices.Backward(tags) {
		if tag.ID >= first.ID {
			if err := drop(t.chain.TagPath(tag.Name)); err != nil {
				return err
			}
		}
	}
	ids, err := t.schemas.ids(ctx)
	if err != nil {
		return err
	}
	slices.Sort(ids)
	for _, id := range slices.Backward(ids) {
		if id >= schemas {
			if err := drop(t.schemas.key(id)); err != nil {
				return err
			}
		}
	}
	return nil
}
