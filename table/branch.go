package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
)

// BranchOptions say what a new branch begins with. The zero value is no rows
// and the newest schema.
type BranchOptions struct {
	// Tag begins the branch with the snapshot that this tag holds.
	Tag string
	// Snapshot begins the branch with this snapshot. Other engines forget, when
	// they expire snapshots, that a branch needs its files, unless a tag holds
	// them: prefer Tag where others expire.
	Snapshot int64
}

// ownBranch is the name of a branch as Table keeps it, "" for the main one.
func ownBranch(name string) string {
	if name == snapshot.MainBranch {
		return ""
	}
	return name
}

// Branches lists the names of the table's branches, without the main one.
func (t *Table) Branches(ctx context.Context) ([]string, error) {
	names, err := snapshot.Branches(ctx, t.store)
	return names, t.wrap("list branches", err)
}

// OpenBranch opens another branch of the table, snapshot.MainBranch for the
// main one.
func (t *Table) OpenBranch(ctx context.Context, name string) (*Table, error) {
	return OpenBranch(ctx, t.store, name, t.mainName()+branchSuffix(name), t.settings, t.world)
}

// branchSuffix is what follows a table's name in that of a branch.
func branchSuffix(name string) string {
	if ownBranch(name) == "" {
		return ""
	}
	return "$branch_" + name
}

// mainName is the name of the table itself.
func (t *Table) mainName() string {
	suffix := branchSuffix(t.branch)
	if n := len(t.name) - len(suffix); n > 0 && t.name[n:] == suffix {
		return t.name[:n]
	}
	return t.name
}

func noSuchBranch(ctx context.Context, st store.Store, name string, cause error) error {
	names, err := snapshot.Branches(ctx, st)
	if err != nil {
		return errors.Join(cause, err)
	}
	if slices.Contains(names, name) {
		return cause // it is there, without a schema
	}
	return &fault.Error{Class: fault.ErrNotFound, Detail: "branch " + name + literal.DidYouMean(name, names), Hint: "list the branches for those there are, or create it"}
}

// CreateBranch makes a branch of this one, which shares the files of its first
// snapshot: nothing is copied but metadata. Errors: ErrExists for a name that
// is taken, ErrInvalid for one that no branch can have, ErrNotFound without
// the tag or the snapshot, or where it goes meanwhile: then there is no branch.
// When it is broken off, the branch can be there already, without rows: delete
// it and create it again.
func (t *Table) CreateBranch(ctx context.Context, name string, o BranchOptions) error {
	return t.wrap("create branch", t.createBranch(ctx, name, o))
}

func (t *Table) createBranch(ctx context.Context, name string, o BranchOptions) error {
	if name == "" {
		return fault.Invalid("the name of a branch is blank")
	}
	if err := snapshot.CheckBranchName(name); err != nil {
		return err
	}
	if o.Tag != "" && o.Snapshot != 0 {
		return fault.Invalid("a branch begins with a tag or with a snapshot, not both")
	}
	taken, err := store.DirExists(ctx, t.store, snapshot.BranchPath(name))
	if err != nil {
		return err
	}
	if taken {
		return &fault.Error{Class: fault.ErrExists, Detail: "branch " + name}
	}
	first, err := t.branchBegin(ctx, o)
	if err != nil {
		return err
	}
	if err := t.copySchemas(ctx, name, first.schema); err != nil || first.at == nil {
		return err
	}
	chain := snapshot.NewChain(t.store, name)
	if first.tag != nil {
		if err := t.store.Write(ctx, chain.TagPath(o.Tag), first.tag); err != nil {
			return err
		}
	}
	if err := t.store.CreateIfAbsent(ctx, chain.Path(first.at.ID), first.snapshot); err != nil {
		return err
	}
	return t.confirm(ctx, first.at, "", func(ctx context.Context) error { return t.store.DeleteDir(ctx, branchDir(name)) })
}

// branchBegin is what a new branch begins with.
type branchBegin struct {
	schema        int64              // the newest
	at            *snapshot.Snapshot // nil for none
	snapshot, tag []byte             // the files, nil for none
}

func (t *Table) branchBegin(ctx context.Context, o BranchOptions) (b branchBegin, err error) {
	at, err := t.travel(ctx, ScanOptions{Tag: o.Tag, Snapshot: o.Snapshot})
	if err != nil {
		return b, err
	}
	if at == nil {
		sc, err := t.schemas.latest(ctx)
		if err == nil {
			b.schema = sc.ID
		}
		return b, err
	}
	b.schema, b.at = at.SchemaID, at
	b.snapshot, err = t.store.ReadAll(ctx, t.chain.Path(at.ID))
	if isNotFound(err) { // the tag outlived it
		b.snapshot, err = at.Marshal(), nil
	}
	if err == nil && o.Tag != "" {
		b.tag, err = t.store.ReadAll(ctx, t.chain.TagPath(o.Tag))
	}
	return b, err
}

// copySchemas gives a branch the schemas up to one. The newest goes first: with
// it the branch is there and whole, if empty, and of two that make one branch
// one wins.
func (t *Table) copySchemas(ctx context.Context, name string, newest int64) error {
	to := newSchemaFiles(t.store, name)
	for id := newest; id >= 0; id-- {
		data, err := t.store.ReadAll(ctx, t.schemas.key(id))
		if isNotFound(err) && id < newest {
			continue
		}
		if err == nil {
			err = t.store.CreateIfAbsent(ctx, to.key(id), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteBranch removes a branch with its snapshots, schemas, tags and
// consumers. Data files that only it used are left for the cleaning of orphans.
// When it is broken off, do it again. Errors: ErrNotFound, ErrInvalid for the
// branch that t is, and for the one that its reads look at.
func (t *Table) DeleteBranch(ctx context.Context, name string) error {
	err := t.notShared(name)
	if err == nil {
		err = t.otherBranch(ctx, name)
	}
	if err == nil {
		err = t.store.DeleteDir(ctx, branchDir(name))
	}
	return t.wrap("delete branch", err)
}

// RenameBranch gives a branch a name that is free. Atomic in a local directory
// only. Errors: ErrNotFound, ErrExists, ErrInvalid.
func (t *Table) RenameBranch(ctx context.Context, from, to string) error {
	return t.wrap("rename branch", t.renameBranch(ctx, from, to))
}

func (t *Table) renameBranch(ctx context.Context, from, to string) error {
	if err := errors.Join(t.notShared(from), t.otherBranch(ctx, from)); err != nil {
		return err
	}
	if to == "" {
		return fault.Invalid("the name of a branch is blank")
	}
	if err := snapshot.CheckBranchName(to); err != nil {
		return err
	}
	taken, err := store.DirExists(ctx, t.store, branchDir(to))
	if err != nil {
		return err
	}
	if taken {
		return &fault.Error{Class: fault.ErrExists, Detail: "branch " + to}
	}
	return t.store.RenameDir(ctx, branchDir(from), branchDir(to))
}

func branchDir(name string) string {
	root := snapshot.BranchPath(name)
	return root[:len(root)-1]
}

// otherBranch checks that there is a branch of a name which is neither the main
// one nor t's own.
func (t *Table) otherBranch(ctx context.Context, name string) error {
	if name == "" {
		return fault.Invalid("the name of a branch is blank")
	}
	if err := snapshot.CheckBranchName(name); err != nil {
		return err
	}
	if name == t.branch {
		return fault.Invalid(fmt.Sprintf("%s is branch %s itself: open the table to do this", t.name, name))
	}
	there, err := store.DirExists(ctx, t.store, branchDir(name))
	if err != nil || there {
		return err
	}
	return noSuchBranch(ctx, t.store, name, &fault.Error{Class: fault.ErrNotFound, Detail: "branch " + name})
}

// sameFile tells that a key holds these bytes.
func (t *Table) sameFile(ctx context.Context, key string, data []byte) (bool, error) {
	have, err := t.store.ReadAll(ctx, key)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && bytes.Equal(have, data), err
}
