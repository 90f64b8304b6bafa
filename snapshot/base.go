package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// base is the snapshot that an attempt builds on, with what it lists. The
// parts are loaded when they are first needed; a base that we made ourselves
// has them from the start. An empty table has a base without snapshot.
type base struct {
	snapshot *Snapshot
	data     []byte // its file

	metas       []manifest.Meta // of the base and the delta list
	metasLoaded bool
	index       []manifest.IndexEntry
	indexLoaded bool
}

func newBase(s *Snapshot, data []byte) *base { return &base{snapshot: s, data: data} }

func (b *base) id() int64 {
	if b == nil || b.snapshot == nil {
		return 0
	}
	return b.snapshot.ID
}

// maxSteps bounds how many snapshots a committer follows one by one before it
// looks for the end of the chain in another way.
const maxSteps = 16

// findBase gives the newest snapshot. The first attempt of a committer that
// was alone takes the one it knows without asking.
func (c *Committer) findBase(ctx context.Context, ask bool) (*base, error) {
	c.had = max(c.had, c.base.id())
	if c.base != nil && !ask {
		return c.base, nil
	}
	known := c.base
	b, err := c.newest(ctx, known)
	if err != nil {
		return nil, err
	}
	if b.snapshot == nil && c.had > 0 { // no chain becomes empty: it would begin anew, without a schema
		return nil, &fault.Error{Class: fault.ErrNotFound, Op: "commit", Snapshot: c.had, Detail: "it was there, and now there is no snapshot at all: the table was dropped",
			Hint: "open the table again"}
	}
	if known != nil && known != b {
		c.met = true
	}
	c.base = b
	return b, nil
}

func (c *Committer) newest(ctx context.Context, known *base) (*base, error) {
	if known != nil && known.snapshot != nil {
		if b, err := c.follow(ctx, known); b != nil || err != nil {
			return b, err
		}
	}
	s, data, err := c.chain.latest(ctx)
	if err != nil {
		return nil, err
	}
	if b := newBase(s, data); known == nil || known.id() != b.id() || !bytes.Equal(known.data, data) {
		return b, nil
	}
	return known, nil
}

// follow walks from a known snapshot to the end of the chain; nil when it is
// too far. The walk may begin at a snapshot that has expired, with all after
// it: prove finds that out.
func (c *Committer) follow(ctx context.Context, b *base) (*base, error) {
	for range maxSteps {
		s, data, err := c.chain.read(ctx, b.id()+1)
		if isNotFound(err) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		b = newBase(s, data)
	}
	return nil, nil
}

// metas are the manifests of a base, those of its base list first.
func (c *Committer) metas(ctx context.Context, b *base) ([]manifest.Meta, error) {
	if b.snapshot == nil || b.metasLoaded {
		return b.metas, nil
	}
	var all []manifest.Meta
	for _, list := range b.snapshot.Lists() {
		metas, err := c.cfg.Manifest.ReadList(ctx, list)
		if err != nil {
			return nil, err
		}
		all = append(all, metas...)
	}
	b.metas, b.metasLoaded = all, true
	return all, nil
}

// indexFiles are the live index files of a base.
func (c *Committer) indexFiles(ctx context.Context, b *base) ([]manifest.IndexEntry, error) {
	if b.snapshot == nil || b.snapshot.IndexManifest == "" {
		return nil, nil
	}
	if b.indexLoaded {
		return b.index, nil
	}
	entries, err := c.cfg.Manifest.ReadIndex(ctx, b.snapshot.IndexManifest)
	if err != nil {
		return nil, err
	}
	b.index, b.indexLoaded = entries, true
	return entries, nil
}

// prove makes sure that the base is still what it was when it was read. A
// chain that has moved on and expired past its base, or was rolled back and
// has grown anew, has the next id free; a snapshot created there would lie
// below the tail of the chain, or on a state that no longer exists.
func (c *Committer) prove(ctx context.Context, b *base) error {
	if b.snapshot == nil {
		ids, err := c.chain.ids(ctx)
		if err == nil && len(ids) > 0 {
			err = errStale
		}
		return err
	}
	data, err := c.cfg.Store.ReadAll(ctx, c.chain.Path(b.id()))
	switch {
	case isNotFound(err):
		return errStale
	case err != nil:
		return fmt.Errorf("read the base of the commit: %w", err)
	case !bytes.Equal(data, b.data):
		return errStale
	}
	return nil
}

// errStale ends an attempt whose base is no longer the table's.
var errStale = &fault.Error{Class: fault.ErrConflict, Op: "commit",
	Detail: "the snapshot it builds on has expired or was rolled back", Hint: "commit again"}

// liveFiles are the files of the base in the given partitions. On a retry
// only what the snapshots since then changed is read.
func (c *Committer) liveFiles(ctx context.Context, p *pending, partitions *partitionSet) ([]manifest.Entry, error) {
	b := p.base
	if b.snapshot == nil {
		return nil, nil
	}
	if p.liveAt != nil && p.replace == nil { // what is replaced may lie in more partitions by now
		if files, ok := c.advance(ctx, p, partitions); ok {
			p.live, p.liveAt = files, b
			return files, nil
		}
	}
	metas, err := c.metas(ctx, b)
	if err != nil {
		return nil, err
	}
	files, err := c.cfg.Manifest.Live(ctx, metas, &manifest.Filter{Partition: partitions.has})
	if err != nil {
		return nil, err
	}
	p.live, p.liveAt = files, b
	return files, nil
}

// advance brings the files found for an earlier base up to this one by the
// deltas between; false when they cannot be read, or when the chain between was
// rolled back.
func (c *Committer) advance(ctx context.Context, p *pending, partitions *partitionSet) ([]manifest.Entry, bool) {
	b := p.base
	if b.id() < p.liveAt.id() || c.prove(ctx, p.liveAt) != nil {
		return nil, false
	}
	fold := manifest.NewFolder(len(p.live))
	for i := range p.live {
		if fold.Apply(&p.live[i]) != nil {
			return nil, false
		}
	}
	for id := p.liveAt.id() + 1; id <= b.id(); id++ {
		s := b.snapshot
		if id != s.ID {
			var err error
			if s, err = c.chain.Get(ctx, id); err != nil {
				return nil, false
			}
		}
		for e, err := range c.cfg.Manifest.ScanLists(ctx, &manifest.Filter{Partition: partitions.has}, s.DeltaManifestList) {
			if err != nil || fold.Apply(e) != nil {
				return nil, false
			}
		}
	}
	files := fold.Entries()
	return files, !slices.ContainsFunc(files, func(e manifest.Entry) bool { return e.Kind == manifest.Delete })
}
