package table

import (
	"bytes"
	"context"
	"errors"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// AlterOptions are the choices of one alteration. The zero value is ready.
type AlterOptions struct {
	// Branch is the branch whose schema is altered. Default: the main one.
	Branch string
	// DryRun answers what the schema would be and publishes nothing.
	DryRun bool
}

// Alter publishes the schema that follows the newest one of the table at st's
// root, as one more schema file, and returns it. No data file is touched: rows
// written before are read through the new schema. Of alterations that race,
// each is applied to what the other made. Name is "db.table", for messages.
//
// Open tables and writers go on with the schema they have until they look
// again: see Table.Refresh and Writer.
//
// Errors: ErrNotFound without a table; ErrInvalid for changes that cannot be
// made, with what is wrong; ErrUnsupported for a table that could no longer be
// read here.
func Alter(ctx context.Context, st store.Store, name string, changes []schema.Change, o AlterOptions, world Components) (*schema.Table, error) {
	o.Branch = ownBranch(o.Branch)
	if err := snapshot.CheckBranchName(o.Branch); err != nil {
		return nil, err
	}
	t := &Table{name: name, store: st, branch: o.Branch, world: world.withDefaults(), schemas: newSchemaFiles(st, o.Branch), chain: snapshot.NewChain(st, o.Branch)}
	for {
		next, err := t.alter(ctx, changes, o)
		if errors.Is(err, fault.ErrExists) {
			continue // another alteration was faster: it is the newest now
		}
		return next, t.wrap("alter", err)
	}
}

// Alter is the function of that name on an open table. The table itself stays
// on the schema it was opened with.
func (t *Table) Alter(ctx context.Context, changes ...schema.Change) (*schema.Table, error) {
	return Alter(ctx, t.store, t.name, changes, AlterOptions{Branch: t.branch}, t.world)
}

func (t *Table) alter(ctx context.Context, changes []schema.Change, o AlterOptions) (*schema.Table, error) {
	old, err := t.schemas.latest(ctx)
	if err != nil {
		return nil, err
	}
	written, err := t.chain.LatestID(ctx)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		return nil, err
	}
	next, err := old.Alter(changes, written > 0, t.world.Clock().UnixMilli())
	if err != nil {
		return nil, err
	}
	err = stillReadable(old, next)
	if err == nil {
		err = checkShared(ctx, t.store, next)
	}
	if err != nil || o.DryRun {
		return next, err
	}
	data, err := next.Marshal()
	if err != nil {
		return nil, err
	}
	return next, t.publishSchema(ctx, next.ID, data)
}

// publishSchema creates schema-N. An answer that was lost is settled by reading back.
func (t *Table) publishSchema(ctx context.Context, id int64, data []byte) error {
	err := t.store.CreateIfAbsent(ctx, t.schemas.key(id), data)
	if err == nil {
		return nil
	}
	there, readErr := t.store.ReadAll(ctx, t.schemas.key(id))
	switch {
	case errors.Is(readErr, fault.ErrNotFound):
		return err // that file is not there: no word of it, as if the table were not
	case readErr != nil:
		return errors.Join(err, readErr)
	case bytes.Equal(there, data):
		return nil
	}
	return &fault.Error{Class: fault.ErrExists, File: t.schemas.key(id)}
}

// stillReadable refuses to make a table unreadable here that was readable.
func stillReadable(old, next *schema.Table) error {
	if readable(old) != nil {
		return nil
	}
	return readable(next)
}

func readable(sc *schema.Table) error {
	o, err := schema.ParseOptions(sc.Options)
	if err != nil {
		return err
	}
	if err := o.CheckRead(sc); err != nil {
		return err
	}
	_, err = engineOf(sc, o) // its functions know which types they take
	return err
}

// Refresh returns the table with its newest schema: t itself where that has not
// changed, else another Table on the same store. Scans and writers opened from t
// are not affected.
func (t *Table) Refresh(ctx context.Context) (*Table, error) {
	sc, err := t.schemas.latest(ctx)
	if err != nil {
		return nil, t.wrap("refresh", err)
	}
	if sc.ID == t.schema.ID {
		return t, nil
	}
	next, err := t.withSchema(sc)
	return next, t.wrap("refresh", err)
}

// withSchema is the table as if it had been opened with sc.
func (t *Table) withSchema(sc *schema.Table) (*Table, error) {
	next := &Table{name: t.name, store: t.store, branch: t.branch, settings: t.settings, world: t.world, schemas: t.schemas}
	return next, next.bind(sc)
}
