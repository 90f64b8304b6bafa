package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/keymap"
)

// bootstrap makes the index of the newest snapshot: it reads the primary key of
// every row, several splits at once. Without an error there is an index.
func (c *crossRouter) bootstrap(ctx context.Context) error {
	if c.index != nil {
		_ = c.index.Close() // temporary files
	}
	o := &c.table.options.Lookup
	c.index = keymap.New(keymap.Limits{Memory: o.MemoryBytes, Disk: o.DiskBytes, Dir: c.table.settings.TempDir})
	c.rooms = newKeyRooms(c.table.options.DynamicBucketTarget)
	c.looked = c.table.world.Clock()
	c.made = c.looked
	err := c.learnAll(ctx)
	if err != nil {
		err = errors.Join(err, c.index.Close())
		c.index = nil
	}
	return err
}

func (c *crossRouter) learnAll(ctx context.Context) error {
	t := c.table
	scan, err := t.scanAlone(ctx, ScanOptions{Columns: t.schema.PrimaryKeys})
	if err != nil {
		return err
	}
	scan.compacted = false // rows that no reader sees yet have their place all the same
	c.seen, c.list = 0, ""
	if s := scan.Snapshot(); s != nil {
		c.seen, c.list = s.ID, s.DeltaManifestList
	}
	splits, err := scan.Plan(ctx)
	if err != nil {
		return err
	}
	l := learning{router: c, scan: scan}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, min(t.options.CrossPartitionBootstrap, t.settings.Parallel)))
	if t.options.CrossPartitionTTL > 0 {
		splits = c.remembered(splits)
		group.SetLimit(1) // in order: what was written last says where a key lies
	}
	for i := range splits {
		group.Go(func() error { return l.split(gctx, splits[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	keys, err := c.index.Settle()
	if err == nil && keys != l.rows && t.options.CrossPartitionTTL == 0 {
		err = fault.Corrupt(t.name, fmt.Sprintf("%d of %d rows of snapshot %d have a key that lies in another partition or bucket too: more than one writer wrote the table at a time; drop one of the partitions and write its rows again",
			l.rows-keys, l.rows, c.seen), nil)
	}
	return err
}

// remembered are the splits that have a file young enough, as Paimon chooses
// them, those that were written last behind the others.
func (c *crossRouter) remembered(splits []Split) []Split {
	since := wallClock(c.made.Add(-c.table.options.CrossPartitionTTL), c.table.settings.TimeZone)
	newest := func(s Split) int64 {
		at := int64(math.MinInt64)
		for i := range s.Files {
			at = max(at, s.Files[i].CreationTime)
		}
		return at
	}
	splits = slices.DeleteFunc(splits, func(s Split) bool { return newest(s) < since })
	slices.SortStableFunc(splits, func(a, b Split) int { return cmp.Compare(newest(a), newest(b)) })
	return splits
}

// outlived tells that the index is to be made anew to forget what is too old.
// What waits for its commit must not be forgotten.
func (c *crossRouter) outlived() bool {
	ttl := c.table.options.CrossPartitionTTL
	return ttl > 0 && len(c.pending) == 0 && c.table.world.Clock().Sub(c.made) > ttl
}

// learning is the reading of the keys of a snapshot.
type learning struct {
	router *crossRouter
	scan   *Scan

	mu   sync.Mutex // for the index and the rooms too
	rows int64
}

// split puts the keys of a split into the index.
func (l *learning) split(ctx context.Context, split Split) error {
	var digests []keymap.Digest
	var key []byte
	for rec, err := range l.scan.readSplit(ctx, split, 1) {
		if err != nil {
			return err
		}
		enc, err := binaryrow.NewEncoder(l.router.key.types, rec.Columns())
		if err != nil {
			return err
		}
		digests = digests[:0]
		for row := range int(rec.NumRows()) {
			key = enc.Append(key[:0], row)
			digests = append(digests, keymap.DigestOf(key))
		}
		if err := l.found(digests, split); err != nil {
			return err
		}
	}
	return nil
}

// found notes that keys lie where the split does.
func (l *learning) found(digests []keymap.Digest, split Split) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.router
	p := keyPlace{c.rooms.of(split.Partition), int32(split.Bucket)}
	for _, d := range digests {
		if err := c.index.Put(d, p.pack()); err != nil {
			return err
		}
	}
	l.rows += int64(len(digests))
	if len(digests) > 0 {
		c.rooms.count(p, int64(len(digests)))
	}
	return nil
}
