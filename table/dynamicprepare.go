package table

import (
	"context"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// prepare writes an index file for each bucket that got new keys, and puts
// them into the messages of their buckets, beside what the buckets were chosen
// by. The messages are of one Prepare.
func (d *dynamicBuckets) prepare(ctx context.Context, msgs []CommitMessage) ([]CommitMessage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := make(map[bucketKey]int, len(msgs))
	for i := range msgs {
		m := &msgs[i]
		m.Overwrite = d.anew
		if p := d.parts[string(m.Partition)]; p != nil && !d.anew {
			m.IndexBase = p.newest()
		}
		at[bucketKey{string(m.Partition), m.Bucket}] = i
	}
	made, err := d.write(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range made {
		key := bucketKey{string(e.Partition), e.Bucket}
		i, there := at[key]
		if !there { // every row of the bucket was merged away
			i = len(msgs)
			msgs = append(msgs, CommitMessage{Partition: e.Partition, Bucket: e.Bucket, TotalBuckets: d.table.options.Bucket,
				Overwrite: d.anew, IndexBase: d.parts[key.partition].newest()})
			at[key] = i
		}
		msgs[i].Index = append(msgs[i].Index, e)
	}
	d.settle(made)
	return msgs, nil
}

// write makes the index files that are due, in a fixed order, several at once.
func (d *dynamicBuckets) write(ctx context.Context) ([]manifest.IndexEntry, error) {
	var made []manifest.IndexEntry
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(d.table.settings.Parallel)
	var due []string
	for key, p := range d.parts {
		if p.used {
			due = append(due, key)
		}
	}
	slices.Sort(due)
	var fail error
	for _, key := range due {
		p := d.parts[key]
		for _, f := range p.index.Changed() {
			e := manifest.IndexEntry{Partition: p.key, Bucket: f.Bucket, Type: manifest.HashIndex,
				Name: "index-" + d.id + "-" + strconv.Itoa(d.made), Size: int64(len(f.Data)), Rows: int64(f.Hashes)}
			d.made++
			made = append(made, e)
			place, err := d.table.indexKey(&e)
			if err != nil {
				fail = err
				break
			}
			group.Go(func() error { return d.table.store.Write(gctx, place, f.Data) })
		}
	}
	if err := group.Wait(); err != nil {
		fail = err
	}
	if fail != nil {
		_ = d.table.deleteIndexFiles(context.WithoutCancel(ctx), made) // what stays is found by cleaning
	}
	return made, fail
}

// settle notes that the files made are on their way into the table, and
// forgets partitions that no row came for since the Prepare before.
func (d *dynamicBuckets) settle(made []manifest.IndexEntry) {
	next := make(map[string][]manifest.IndexEntry)
	for _, e := range made {
		next[string(e.Partition)] = append(next[string(e.Partition)], e)
	}
	for key, p := range d.parts {
		if entries := next[key]; len(entries) > 0 {
			p.files = replaceHashFiles(p.files, entries)
			p.states = append(p.states, indexNames(p.files))
		}
		if d.anew || !p.used && len(p.states) == 1 {
			delete(d.parts, key)
		}
		p.used = false
	}
	d.fresh, d.last = false, nil
}

// replaceHashFiles puts new hash index files in the place of those of the same bucket.
func replaceHashFiles(live, made []manifest.IndexEntry) []manifest.IndexEntry {
	out := slices.Clone(made)
	for _, e := range live {
		if !slices.ContainsFunc(made, func(n manifest.IndexEntry) bool { return n.Bucket == e.Bucket }) {
			out = append(out, e)
		}
	}
	return out
}

// published notes a commit of this process, so that it is not looked for.
func (d *dynamicBuckets) published(ids []int64, msgs []CommitMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	made := make(map[string][]manifest.IndexEntry)
	for i := range msgs {
		m := &msgs[i]
		made[string(m.Partition)] = append(made[string(m.Partition)], m.Index...)
		if p := d.parts[string(m.Partition)]; p != nil && !m.Overwrite {
			p.confirm(m.IndexBase)
		}
	}
	for key, entries := range made {
		if len(entries) == 0 {
			continue
		}
		if p := d.parts[key]; p != nil && len(p.states) > 1 {
			p.states = p.states[1:]
		}
		if d.live != nil {
			d.live[key] = replaceHashFiles(d.live[key], entries)
		}
		d.listed = "" // the newest index manifest is another one
	}
	for _, id := range ids {
		if d.seen > 0 && id == d.seen+1 {
			d.seen = id
		}
	}
}

// checkAssigned proves that a message says how its rows got their buckets.
func (t *Table) checkAssigned(m *CommitMessage, overwrite bool) error {
	switch {
	case m.Overwrite && !overwrite:
		return fault.Invalid("these rows got their buckets and were compacted without regard to what the table holds, as for an overwrite: commit them with Committer.Overwrite")
	case overwrite && !m.Overwrite && t.dynamic() && len(m.NewFiles) > 0:
		return fault.Invalid("an overwrite of a table with dynamic buckets ignores its hash index, and these rows got their buckets by it: write them with a writer opened with WriterOptions.Overwrite")
	}
	return nil
}
