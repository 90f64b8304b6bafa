package table

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// ScanOptions says what a scan returns. The zero value is the whole newest
// snapshot, unless options of the table (scan.snapshot-id and its kin) say another.
type ScanOptions struct {
	// Columns are the columns to return, in this order; nil returns all.
	Columns []string
	// Where keeps the rows for which it is true, as text: "a > 3 AND dt = '2026-01-01'".
	Where string
	// Filter is the same as a built expression; both must hold when both are given.
	Filter predicate.Expr
	// Limit ends the scan after so many rows; 0 is no limit.
	Limit int64
	// Snapshot reads this snapshot, with its own schema; 0 is the newest.
	Snapshot int64
	// AsOf reads the newest snapshot committed at or before this time.
	AsOf time.Time
	// Tag reads the snapshot that this tag holds, which may have expired.
	Tag string
	// Watermark reads the oldest snapshot whose watermark, epoch milliseconds
	// of event time, has come to this.
	Watermark *int64
	// Between reads what changed between two versions instead of the rows of
	// one: for Table.Diff and the system tables audit_log and binlog.
	Between *Between
	// BatchRows bounds the rows of a batch. Default: the table's read.batch-size
	// where that is set, or else 8192.
	BatchRows int
	// AnyOrder lets batches come in whatever order they are ready, which keeps
	// all cores busy: even one bucket is then merged by several of them, each
	// in a range of keys. Default: splits one after the other, each in order.
	AnyOrder bool
}

func (o *ScanOptions) batchRows() int {
	if o.BatchRows > 0 {
		return o.BatchRows
	}
	return 8192
}

// Scan is one read of one snapshot, which is resolved when the scan is made:
// later commits do not change it. Its methods may be called concurrently and
// more than once.
type Scan struct {
	scanned
	options ScanOptions
	told    bool           // what options leave open is as the table's options say
	fields  []schema.Field // result columns
	filter  predicate.Expr
	arrow   *arrow.Schema

	system   *systemColumns             // handed out before the columns of the result, nil for none
	minLevel int                        // rows of lower levels are not seen
	keep     func(*manifest.Entry) bool // files to read, nil for all

	other      *scanned        // another branch, for the partitions that one of the two lacks; nil for none
	otherFirst bool            // a partition of both comes from other
	without    map[string]bool // partitions to leave out
}

// scanned is the state of a branch that a scan reads, and what is seen of it.
type scanned struct {
	table    *Table
	snapshot *snapshot.Snapshot // nil: the branch has none
	tag      string             // holds the snapshot, "" for none
	schema   *schema.Table      // the read schema

	compacted bool // rows of level 0 are not seen
	level     *int // only rows of this level are seen; nil is all
	firstRow  bool // of merge-engine
	merging   *schema.Options
	engine    mergeengine.Engine // nil without a primary key
}

// Scan resolves the snapshot, the columns and the filter. With the table's
// option scan.fallback-branch, partitions that the table lacks are read from
// that branch; with scan.primary-branch, partitions that the branch has are.
// Errors: ErrNotFound (no such snapshot or branch), ErrInvalid (columns, filter,
// a branch of other columns).
func (t *Table) Scan(ctx context.Context, o ScanOptions) (*Scan, error) {
	return t.scan(ctx, o, scanHow{told: true, both: true})
}

// scanAlone is Scan of this branch, whatever the table's options say of reads.
func (t *Table) scanAlone(ctx context.Context, o ScanOptions) (*Scan, error) {
	return t.scan(ctx, o, scanHow{})
}

// scanHow says which of the table's options on reads count.
type scanHow struct {
	told bool // those of where to begin
	both bool // those of another branch
}

func (t *Table) scan(ctx context.Context, o ScanOptions, how scanHow) (*Scan, error) {
	o.BatchRows = cmp.Or(o.BatchRows, t.options.ReadBatchSize)
	s := &Scan{scanned: scanned{table: t, schema: t.schema}, options: o, told: how.told}
	if o.Between != nil {
		return nil, t.wrap("scan", fault.Invalid("a scan reads one version; Table.Diff and the system tables audit_log and binlog read what changed between two"))
	}
	if err := s.resolve(ctx); err != nil {
		return nil, t.wrap("scan", err)
	}
	if how.both {
		if err := s.addBranch(ctx); err != nil {
			return nil, t.wrap("scan", err)
		}
	}
	if err := s.project(); err != nil {
		return nil, t.wrap("scan", err)
	}
	if err := s.visibility(); err != nil {
		return nil, t.wrap("scan", err)
	}
	return s, nil
}

// visibility finds out what batch reads see of a bucket under the options that
// the snapshot was made with (format section 7.4): where compaction looks keys
// up, rows come into sight when they leave level 0, and no two have one key.
func (s *Scan) visibility() error {
	o := s.table.options
	s.engine = s.table.engine
	if s.schema.ID != s.table.schema.ID {
		var err error
		if o, err = schema.ParseOptions(s.schema.Options); err != nil {
			return err
		}
		if s.engine, err = engineOf(s.schema, o); err != nil {
			return err
		}
	}
	s.merging = o
	s.firstRow = o.MergeEngine == "first-row"
	s.compacted = len(s.schema.PrimaryKeys) > 0 && (o.DeletionVectors || s.firstRow)
	return nil
}

// resolve finds the snapshot and the schema to read with (streaming format, section 8.1).
func (s *Scan) resolve(ctx context.Context) error {
	at, own, err := s.chosen(ctx)
	if s.snapshot = at; err != nil || at == nil {
		return err
	}
	if !own {
		return s.table.checkAltered(ctx, at.SchemaID)
	}
	if err := s.table.checkOptions(ctx, at.SchemaID); err != nil {
		return err
	}
	s.schema, err = s.table.schemas.get(ctx, at.SchemaID)
	return err
}

func (s *Scan) project() error {
	var err error
	s.fields = s.schema.Fields
	if s.options.Columns != nil {
		if s.fields, err = s.schema.FieldsByName(s.options.Columns); err != nil {
			return err
		}
	}
	if s.arrow, err = schema.ArrowSchema(s.fields); err != nil {
		return err
	}
	if s.filter, err = s.options.Filter.Bind(s.schema.Fields); err != nil {
		return err
	}
	if s.options.Where != "" {
		where, err := predicate.Parse(s.options.Where, s.schema.Fields, s.table.settings.TimeZone)
		if err != nil {
			return err
		}
		s.filter = predicate.And(s.filter, where)
	}
	return nil
}

// Snapshot is the snapshot that the scan reads, nil for a table without one. Of
// two branches that are read together it is the table's own.
func (s *Scan) Snapshot() *snapshot.Snapshot { return s.snapshot }

// Fields are the columns of the result.
func (s *Scan) Fields() []schema.Field { return s.fields }

// Schema is the Arrow schema of the result.
func (s *Scan) Schema() *arrow.Schema { return s.arrow }

// Batches plans and reads the scan. Splits are read in parallel and delivered
// in order (see AnyOrder), within bounded memory. A batch is borrowed until the next step:
// Retain it to keep it. Breaking off the loop releases everything. An error
// ends the sequence.
func (s *Scan) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		splits, err := s.Plan(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for rec, err := range s.ReadSplits(ctx, splits) {
			if !yield(rec, err) {
				return
			}
		}
	}
}

// ReadSplits reads splits of this scan, which may have been planned elsewhere
// for the same snapshot; see Batches.
func (s *Scan) ReadSplits(ctx context.Context, splits []Split) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		s, splits := s.enough(splits)
		read := s.inOrder
		if s.options.AnyOrder {
			read = s.inAnyOrder
		}
		for rec, err := range limited(s.options.Limit, read(ctx, splits)) {
			if err != nil {
				if err = s.whyMissing(ctx, err); s.other != nil {
					err = s.ofOther().whyMissing(ctx, err)
				}
				yield(nil, s.table.wrap("scan", err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// enough is what a limit needs: the first splits that are known to hold so many
// rows, and batches of no more.
func (s *Scan) enough(splits []Split) (*Scan, []Split) {
	if s.options.Limit <= 0 || !s.filter.IsTrue() {
		return s, splits
	}
	n := *s
	n.options.BatchRows = int(min(int64(s.options.batchRows()), s.options.Limit))
	left := s.options.Limit
	for i := range splits {
		if rows, known := splits[i].rows(); known {
			left -= rows
		}
		if left <= 0 {
			return &n, splits[:i+1]
		}
	}
	return &n, splits
}

// limited ends batches after so many rows; 0 is no limit.
func limited(limit int64, batches iter.Seq2[arrow.RecordBatch, error]) iter.Seq2[arrow.RecordBatch, error] {
	if limit <= 0 {
		return batches
	}
	return func(yield func(arrow.RecordBatch, error) bool) {
		left := limit
		for rec, err := range batches {
			if err == nil && rec.NumRows() >= left {
				last := rec.NewSlice(0, left)
				yield(last, nil)
				last.Release()
				return
			}
			if err == nil {
				left -= rec.NumRows()
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// Reader is Batches as an Arrow record reader. Release it when done.
func (s *Scan) Reader(ctx context.Context) (array.RecordReader, error) {
	return array.ReaderFromIter(s.arrow, s.Batches(ctx)), nil
}

// Count returns the number of rows without decoding columns that do not matter.
func (s *Scan) Count(ctx context.Context) (int64, error) {
	narrow := *s
	narrow.fields, narrow.arrow, narrow.options.AnyOrder = nil, arrow.NewSchema(nil, nil), true
	splits, err := narrow.Plan(ctx)
	if err != nil {
		return 0, err
	}
	var rows int64
	rest := splits[:0]
	for _, split := range splits {
		if n, known := split.rows(); known && s.filter.IsTrue() {
			rows += n
		} else {
			rest = append(rest, split)
		}
	}
	for rec, err := range narrow.ReadSplits(ctx, rest) {
		if err != nil {
			return 0, err
		}
		rows += rec.NumRows()
	}
	if s.options.Limit > 0 {
		rows = min(rows, s.options.Limit)
	}
	return rows, nil
}

// inOrder reads several splits at once and yields their batches split by split.
func (s *Scan) inOrder(ctx context.Context, splits []Split) iter.Seq2[arrow.RecordBatch, error] {
	return batchesOf(s.numbered(ctx, splits))
}

// numbered is inOrder with the number of each batch's split.
func (s *Scan) numbered(ctx context.Context, splits []Split) iter.Seq2[int, batchOrError] {
	return s.numberedBy(ctx, splits, s.readSplit)
}

// splitRead reads a split as readSplit does.
type splitRead func(ctx context.Context, split Split, parallel int) iter.Seq2[arrow.RecordBatch, error]

func (s *Scan) numberedBy(ctx context.Context, splits []Split, read splitRead) iter.Seq2[int, batchOrError] {
	cores := s.table.settings.Parallel
	lanes := min(cores, len(splits))
	return inLanes(ctx, lanes, func(yield func(readPart, error) bool) {
		for _, split := range splits {
			part := func(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
				return read(ctx, split, max(1, cores/lanes))
			}
			if !yield(part, nil) {
				return
			}
		}
	})
}

func (s *Scan) splitPart(split Split, parallel int) readPart {
	return func(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
		return s.readSplit(ctx, split, parallel)
	}
}
