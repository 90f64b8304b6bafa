package manifest

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
)

// rollEvery is the number of records after which the size is looked at.
const rollEvery = 1000

// roller writes entries into manifests of about the target size and
// summarises each in a Meta.
type roller struct {
	m       *IO
	target  int64
	lay     layout
	records int64
	cur     *file
	sum     summary
	metas   []Meta
}

func (m *IO) newRoller(target int64) *roller { return &roller{m: m, target: target} }

// prepare makes the schema of coming files hold the entry's unknown fields.
func (r *roller) prepare(e *Entry) error {
	return eachEntry(e, func(at place, have []Unknown) error {
		_, err := r.lay.add(at, have)
		return err
	})
}

func (r *roller) write(ctx context.Context, e *Entry) error {
	if e.Kind != Add && e.Kind != Delete {
		return fault.Invalid(fmt.Sprintf("file %s with entry kind %d", e.File.Name, e.Kind))
	}
	fits := true
	err := eachEntry(e, func(at place, have []Unknown) error {
		fits = fits && r.lay.covers(at, have)
		return nil
	})
	if err == nil && !fits { // the open file's schema lacks a field: start another
		if err = r.roll(ctx); err == nil {
			err = r.prepare(e)
		}
	}
	if err != nil {
		return err
	}
	if r.cur == nil {
		if r.cur, err = r.m.create(r.m.name("manifest", &r.m.manifests), entrySchema, &r.lay); err != nil {
			return err
		}
		r.sum = summary{partitions: map[string]int64{}}
	}
	if r.cur.w.Block, err = appendEntry(r.cur.w.Block, e, len(r.m.opts.Partition), &r.lay); err != nil {
		return err
	}
	if err = r.cur.w.End(); err != nil {
		return err
	}
	r.sum.add(e)
	if r.records++; r.records%rollEvery == 0 && r.cur.w.Bytes() >= r.target {
		return r.roll(ctx)
	}
	return nil
}

// roll stores the open file.
func (r *roller) roll(ctx context.Context) error {
	if r.cur == nil {
		return nil
	}
	f := r.cur
	meta, err := r.sum.meta(r.m.opts.Partition)
	if err != nil {
		return err
	}
	r.cur = nil
	meta.Name = f.name
	r.metas = append(r.metas, meta) // before storing, so that abort removes what may have been stored
	size, err := f.close(ctx)
	if err != nil {
		return fmt.Errorf("write %s: %w", r.m.Path(f.name), err)
	}
	r.metas[len(r.metas)-1].Size = size
	return nil
}

func (r *roller) finish(ctx context.Context) ([]Meta, error) {
	if err := r.roll(ctx); err != nil {
		return nil, err
	}
	return r.metas, nil
}

// abort removes the files that were stored and returns the cause. It works
// even when the context is what ended the work.
func (r *roller) abort(ctx context.Context, cause error) error {
	var names []string
	for i := range r.metas {
		names = append(names, r.metas[i].Name)
	}
	if err := r.m.Remove(context.WithoutCancel(ctx), names...); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

// summary gathers what a Meta says about its entries.
type summary struct {
	added, deleted       int64
	schemaID             int64
	minBucket, maxBucket int
	minLevel, maxLevel   int
	noRowIDs             bool
	minRow, maxRow       int64
	partitions           map[string]int64 // body -> entries
}

func (s *summary) add(e *Entry) {
	f := &e.File
	first := s.added+s.deleted == 0
	if e.Kind == Add {
		s.added++
	} else {
		s.deleted++
	}
	if first {
		s.schemaID = f.SchemaID
		s.minBucket, s.maxBucket = e.Bucket, e.Bucket
		s.minLevel, s.maxLevel = f.Level, f.Level
	}
	s.schemaID = max(s.schemaID, f.SchemaID)
	s.minBucket, s.maxBucket = min(s.minBucket, e.Bucket), max(s.maxBucket, e.Bucket)
	s.minLevel, s.maxLevel = min(s.minLevel, f.Level), max(s.maxLevel, f.Level)
	s.rowIDs(f, first)
	if n, ok := s.partitions[string(e.Partition)]; ok { // finds without making a string
		s.partitions[string(e.Partition)] = n + 1
	} else {
		s.partitions[string(e.Partition)] = 1
	}
}

func (s *summary) rowIDs(f *DataFile, first bool) {
	if f.FirstRowID == nil {
		s.noRowIDs = true
	}
	if s.noRowIDs {
		return
	}
	from, to := *f.FirstRowID, *f.FirstRowID+f.Rows-1
	if first {
		s.minRow, s.maxRow = from, to
	}
	s.minRow, s.maxRow = min(s.minRow, from), max(s.maxRow, to)
}

func (s *summary) meta(partition []schema.Field) (Meta, error) {
	c := *s // s is used again, while the pointers live on
	m := Meta{Added: c.added, Deleted: c.deleted, SchemaID: c.schemaID,
		MinBucket: &c.minBucket, MaxBucket: &c.maxBucket, MinLevel: &c.minLevel, MaxLevel: &c.maxLevel}
	if !s.noRowIDs {
		m.MinRowID, m.MaxRowID = &c.minRow, &c.maxRow
	}
	cols, err := partitionRange(partition, s.partitions)
	if err != nil {
		return m, err
	}
	m.PartitionStats, err = BuildStats(partition, cols, func(int) StatsMode { return StatsFull })
	return m, err
}

// partitionRange is the range of each partition column over distinct
// partitions, with nulls counted as often as a partition occurs.
func partitionRange(fields []schema.Field, partitions map[string]int64) ([]datafile.ColumnStats, error) {
	types := typesOf(fields)
	cols := make([]datafile.ColumnStats, len(fields))
	for body, times := range partitions {
		values, err := decodeRow(types, []byte(body))
		if err != nil {
			return nil, fmt.Errorf("partition: %w", err)
		}
		for i, v := range values {
			c := &cols[i]
			switch {
			case v == nil:
				c.Nulls += times
			case !hasBounds(types[i]):
			default:
				if c.Min == nil || schema.Compare(types[i], v, c.Min) < 0 {
					c.Min = v
				}
				if c.Max == nil || schema.Compare(types[i], v, c.Max) > 0 {
					c.Max = v
				}
			}
		}
	}
	return cols, nil
}
