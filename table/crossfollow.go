package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// KeyBase says, of rows of a table whose keys move between partitions, what
// state of the table they were placed by.
type KeyBase struct {
	Snapshot   int64  `json:"snapshot"`        // the newest one then, 0 for none
	List       string `json:"list,omitempty"`  // its delta manifest list: ids are given out again after a rollback
	After      *int64 `json:"after,omitempty"` // an earlier identifier of the writer that must be committed first
	Identifier int64  `json:"identifier"`      // that the rows were prepared for
}

// refresh makes the index, or sees to it that it is still that of the table,
// once between two Prepares.
func (c *crossRouter) refresh(ctx context.Context) error {
	if c.fresh {
		return nil
	}
	moved, err := c.follow(ctx)
	if err != nil {
		return err
	}
	if moved && len(c.pending) > 0 {
		return &fault.Error{Class: fault.ErrConflict,
			Detail: fmt.Sprintf("others have changed the table while what was prepared under identifier %d waits for its commit; keys may lie elsewhere by now", c.pending[0]),
			Hint:   "let only one writer at a time write a table whose keys move between partitions; open a new writer and write the rows again"}
	}
	if moved || c.index == nil || c.outlived() {
		if err := c.bootstrap(ctx); err != nil {
			return err
		}
	}
	c.fresh = true
	return nil
}

// follow looks at the snapshots since the one seen last, and tells whether any
// may have moved keys.
func (c *crossRouter) follow(ctx context.Context) (moved bool, err error) {
	if c.index == nil {
		return false, nil
	}
	chain := c.table.chain
	if c.seen > 0 && c.table.world.Clock().Sub(c.looked) < lookEvery {
		if quiet, err := c.table.quiet(ctx, c.seen, c.same); err != nil || quiet {
			return false, err
		}
	}
	newest, err := chain.Latest(ctx)
	c.looked = c.table.world.Clock()
	switch {
	case err != nil:
		return false, err
	case newest == nil:
		return c.seen > 0, nil
	case newest.ID < c.seen:
		return true, nil
	}
	if c.seen > 0 {
		switch s, err := chain.Get(ctx, c.seen); {
		case err == nil && !c.same(s): // rolled back, and grown anew
			return true, nil
		case err != nil && !isNotFound(err):
			return false, err
		}
	}
	for id := c.seen + 1; id <= newest.ID; id++ {
		s := newest
		if id < newest.ID {
			if s, err = chain.Get(ctx, id); isNotFound(err) {
				return true, nil
			} else if err != nil {
				return false, err
			}
		}
		if s.MovesKeys(c.user) {
			return true, nil
		}
		if s.CommitKind == snapshot.Append {
			c.settled(s.CommitIdentifier)
		}
		c.seen, c.list = id, s.DeltaManifestList
	}
	return false, nil
}

// same tells that a snapshot may be the one seen last.
func (c *crossRouter) same(s *snapshot.Snapshot) bool {
	return c.list == "" || c.list == s.DeltaManifestList
}

// settled notes that what was prepared under an identifier, and all before, is committed.
func (c *crossRouter) settled(identifier int64) {
	c.pending = slices.DeleteFunc(c.pending, func(id int64) bool { return id <= identifier })
}

// prepare puts into the messages what their rows were placed by.
func (c *crossRouter) prepare(identifier int64, msgs []CommitMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh = false
	base := &KeyBase{Snapshot: c.seen, List: c.list, Identifier: identifier}
	if n := len(c.pending); n > 0 {
		last := c.pending[n-1]
		base.After = &last
	}
	for i := range msgs {
		if len(msgs[i].NewFiles) == 0 {
			continue
		}
		msgs[i].KeyBase = base
		if n := len(c.pending); n == 0 || c.pending[n-1] != identifier {
			c.pending = append(c.pending, identifier)
		}
	}
}

// published notes a commit of this process, so that it is not looked for.
func (c *crossRouter) published(ids []int64, msgs []CommitMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range msgs {
		if k := msgs[i].KeyBase; k != nil {
			c.settled(k.Identifier)
		}
	}
	for _, id := range ids {
		if c.index != nil && id == c.seen+1 {
			c.seen, c.list = id, ""
		}
	}
	if s := c.newest(); s != nil && s.ID == c.seen {
		c.list = s.DeltaManifestList
	}
}

// checkPlaced proves that a message says what its rows were placed by.
func (t *Table) checkPlaced(m *CommitMessage, overwrite bool) error {
	switch {
	case !t.crossing() || len(m.NewFiles) == 0:
		return nil
	case overwrite:
		return fault.Unsupported("an overwrite by new rows in a table whose keys move between partitions", "drop the partitions or truncate the table, then write the rows")
	case m.KeyBase == nil:
		return fault.Invalid("these rows do not say by what they were given partitions and buckets, which keys that move between partitions need: write them with a Writer of this table")
	}
	return nil
}

// addKeyBase puts the oldest state that rows of a commit were placed by among its changes.
func (m *CommitMessage) addKeyBase(c *snapshot.Changes) {
	if k := m.KeyBase; k != nil && (c.KeyBase == nil || k.Snapshot < c.KeyBase.Snapshot || k.Snapshot == c.KeyBase.Snapshot && k.After == nil) {
		c.KeyBase = &snapshot.KeyBase{Snapshot: k.Snapshot, List: k.List, After: k.After}
	}
}
