package table

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// dynamicBuckets gives keys their buckets in a table with dynamic ones. It
// holds the hash index of every partition that the writer touched lately, as
// the newest snapshot has it plus what this writer added.
//
//	first row of a partition ─► its index files ─► Index ─► a bucket a row
//	Prepare ─► a new index file for each bucket that got new keys
//
// Whatever others did to the index meanwhile is noticed: by refresh, between
// commits, after which the partition is read anew; or by the committer, which
// refuses rows that got their buckets by an index that is no longer the table's.
type dynamicBuckets struct {
	table *Table
	rule  bucket.Dynamic
	anew  bool // for an overwrite: every partition begins without keys
	id    string

	keys   []int         // positions of the key's columns
	types  []schema.Type // of them
	hashes []int32       // of the keys of the batch being routed

	mu     sync.Mutex // the committer tells of commits while the writer goes on
	fresh  bool       // live is the newest, as far as this commit needs to know
	seen   int64      // snapshot that live is of, 0 for none
	looked time.Time  // when the newest snapshot was last looked for
	listed string     // index manifest that live was read from
	live   map[string][]manifest.IndexEntry
	parts  map[string]*hashedPartition
	last   *hashedPartition // of the row before
	made   int              // index files started
}

// hashedPartition is the index of one partition.
type hashedPartition struct {
	key    []byte
	index  *bucket.Index
	files  []manifest.IndexEntry // its index files, those of Prepares since included
	used   bool                  // since the last Prepare
	states [][]string            // names of its index files: as last seen in the table, then after each Prepare since
}

func (p *hashedPartition) newest() []string { return p.states[len(p.states)-1] }

func newDynamicBuckets(t *Table, anew bool) *dynamicBuckets {
	pick := func(n int) int { return min(n-1, int(t.random()*float64(n))) }
	o := t.options
	d := &dynamicBuckets{table: t, anew: anew, id: t.world.NewID(), parts: make(map[string]*hashedPartition),
		rule: bucket.Dynamic{Target: o.DynamicBucketTarget, Max: o.DynamicBucketMax,
			Channels: o.DynamicBucketAssigners, Assigners: o.DynamicBucketInitial, Pick: pick}}
	for _, f := range t.schema.KeyFields() {
		d.keys, d.types = append(d.keys, t.schema.Index(f.Name)), append(d.types, f.Type)
	}
	return d
}

// dynamic tells that keys get their buckets as they come, by a hash index.
func (t *Table) dynamic() bool { return t.schema.BucketMode() == schema.HashDynamic }

func (d *dynamicBuckets) begin(rec arrow.RecordBatch) (err error) {
	d.hashes, err = bucket.Hashes(d.hashes[:0], d.types, pick(rec, d.keys))
	return err
}

func (d *dynamicBuckets) choose(ctx context.Context, partition []byte, row int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || !bytes.Equal(d.last.key, partition) {
		p, err := d.partition(ctx, partition)
		if err != nil {
			return 0, err
		}
		d.last = p
	}
	return d.last.index.Assign(d.hashes[row])
}

func (d *dynamicBuckets) partition(ctx context.Context, key []byte) (*hashedPartition, error) {
	if !d.fresh {
		if err := d.refresh(ctx); err != nil {
			return nil, err
		}
		d.fresh = true
	}
	p := d.parts[string(key)]
	if p == nil {
		p = &hashedPartition{key: bytes.Clone(key), index: d.rule.NewIndex(key), states: [][]string{nil}}
		if err := d.load(ctx, p); err != nil {
			return nil, err
		}
		d.parts[string(key)] = p
	}
	p.used = true
	return p, nil
}

// load reads the index files of a partition.
func (d *dynamicBuckets) load(ctx context.Context, p *hashedPartition) error {
	for i := range d.live[string(p.key)] {
		e := &d.live[string(p.key)][i]
		data, err := d.table.readIndexFile(ctx, e)
		if err != nil {
			return err
		}
		if _, err := p.index.Load(e.Bucket, data); err != nil {
			return fmt.Errorf("hash index %s: %w", e.Name, err)
		}
	}
	p.files = d.live[string(p.key)]
	p.states[0] = indexNames(p.files)
	return nil
}

// refresh looks for a newer snapshot, and forgets the partitions whose index
// is neither as last seen nor as this writer made it since.
func (d *dynamicBuckets) refresh(ctx context.Context) error {
	if d.anew {
		return nil
	}
	if d.seen > 0 && d.table.world.Clock().Sub(d.looked) < lookEvery {
		if more, err := d.table.chain.Exists(ctx, d.seen+1); err != nil || !more {
			return err
		}
	}
	newest, err := d.table.chain.Latest(ctx)
	d.looked = d.table.world.Clock()
	if err != nil || newest == nil || newest.ID == d.seen {
		return err
	}
	if d.live == nil || newest.IndexManifest != d.listed {
		if d.live, err = d.table.hashIndexes(ctx, newest); err != nil {
			return err
		}
	}
	d.seen, d.listed = newest.ID, newest.IndexManifest
	for key, p := range d.parts {
		if !p.confirm(indexNames(d.live[key])) {
			delete(d.parts, key)
		}
	}
	return nil
}

// confirm notes what the table has; false when it is nothing that p knows of.
func (p *hashedPartition) confirm(live []string) bool {
	for i, state := range p.states {
		if slices.Equal(state, live) {
			p.states = p.states[i:]
			return true
		}
	}
	return false
}

// indexNames are the names of index files, in order.
func indexNames(entries []manifest.IndexEntry) []string {
	var names []string
	for i := range entries {
		names = append(names, entries[i].Name)
	}
	slices.Sort(names)
	return names
}

// hashIndexes are the hash index files of a snapshot by partition.
func (t *Table) hashIndexes(ctx context.Context, at *snapshot.Snapshot) (map[string][]manifest.IndexEntry, error) {
	live := make(map[string][]manifest.IndexEntry)
	if at.IndexManifest == "" {
		return live, nil
	}
	entries, err := t.manifest.ReadIndex(ctx, at.IndexManifest)
	for _, e := range entries {
		if e.Type == manifest.HashIndex {
			live[string(e.Partition)] = append(live[string(e.Partition)], e)
		}
	}
	return live, err
}
