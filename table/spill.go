package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowblock"
	"github.com/tidelake/tidelake/internal/tempfile"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// spillFile is where the full write buffers of one Writer go, or the runs that a
// merge joins: a temporary file of blocks of rows, shared by several sorted runs.
// Room in it is given out from front to end and taken back all at once, when all
// runs have become files of the table. It is safe for concurrent use.
type spillFile struct {
	table *Table
	codec codec
	most  int64  // bytes
	block int64  // bytes of rows in a block, about
	hint  string // what to do without room

	mu   sync.Mutex
	file *tempfile.File // nil before the first block
	end  int64
}

// newSpillFile is nil where full buffers are flushed.
func newSpillFile(t *Table) *spillFile {
	if !t.options.Spill.On || len(t.schema.PrimaryKeys) == 0 || t.postponed() {
		return nil
	}
	return makeSpillFile(t)
}

func makeSpillFile(t *Table) *spillFile {
	o := &t.options.Spill
	return &spillFile{table: t, codec: codec{o.Compression, o.ZstdLevel}, most: o.DiskBytes, block: t.spillBlock()}
}

// spillBlock is about how many bytes of rows make a block. A merge holds one of
// each run: no more memory than filled the buffer.
func (t *Table) spillBlock() int64 {
	o := &t.options.Spill
	return min(1<<20, max(16<<10, min(o.MergeBytes, t.options.WriteBufferSize)/int64(o.FanIn)))
}

// place gives out room for n bytes.
func (s *spillFile) place(n int64) (*tempfile.File, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.most-s.end {
		return nil, 0, &fault.Error{Detail: fmt.Sprintf("spilled rows need more than the %d bytes of write-buffer-spill.max-disk-size", s.most)}
	}
	if s.file == nil {
		dir := s.table.settings.TempDir
		sweepTempFiles(dir)
		file, err := tempfile.New(dir, tempPrefix)
		if err != nil {
			return nil, 0, err
		}
		s.file = file
	}
	at := s.end
	s.end += n
	return s.file, at, nil
}

// reset takes all room back. No run is left.
func (s *spillFile) reset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == 0 {
		return nil
	}
	s.end = 0
	return s.file.Truncate(0)
}

func (s *spillFile) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	return s.file.Close()
}

// spilledRun is one sorted run in a spillFile. It may hold several versions of a key.
type spilledRun struct {
	spill  *spillFile
	schema *arrow.Schema
	blocks []spilledBlock
	rows   int64
	bytes  int64 // of the rows, unpacked
}

type spilledBlock struct {
	at   int64
	size int // packed
	rows int
}

// write stores sorted rows as a run.
func (s *spillFile) write(ctx context.Context, rows rowSource) (*spilledRun, error) {
	run := &spilledRun{spill: s}
	var block, sealed []byte
	err := eachBatch(rows, func(rec arrow.RecordBatch) error {
		run.schema = rec.Schema()
		n, step := int(rec.NumRows()), s.blockRows(rec)
		for at := 0; at < n; at += step {
			err := ctx.Err()
			if err != nil {
				return err
			}
			end := min(at+step, n)
			if block, err = rowblock.Append(block[:0], rec, at, end); err != nil {
				return err
			}
			if sealed, err = s.codec.seal(sealed[:0], block); err != nil {
				return err
			}
			if err = run.add(block, sealed, end-at); err != nil {
				return err
			}
		}
		return nil
	})
	return run, err
}

// blockRows is how many rows of a batch make a block.
func (s *spillFile) blockRows(rec arrow.RecordBatch) int {
	size := int64(0)
	for _, col := range rec.Columns() {
		_, used := footprint(col.Data())
		size += used
	}
	return int(max(1, s.block*rec.NumRows()/max(1, size)))
}

func (r *spilledRun) add(block, sealed []byte, rows int) error {
	file, at, err := r.spill.place(int64(len(sealed)))
	if err == nil {
		_, err = file.WriteAt(sealed, at)
	}
	if err != nil {
		return &fault.Error{Detail: "local disk", Hint: r.spill.hint, Err: err}
	}
	r.blocks = append(r.blocks, spilledBlock{at, len(sealed), rows})
	r.rows += int64(rows)
	r.bytes += int64(len(block))
	return nil
}

// spilledReader reads a run, one block at a time. It is an lsm.Run.
type spilledReader struct {
	*spilledRun
	next int
}

// sealedBlocks are packed blocks on their way to being unpacked.
var sealedBlocks = sync.Pool{New: func() any { return new([]byte) }}

func (r *spilledReader) Name() string { return "rows spilled to local disk" }
func (r *spilledReader) Rank() int    { return 0 } // sequence numbers say what is newer
func (r *spilledReader) Close() error { return nil }

func (r *spilledReader) Next() (arrow.RecordBatch, error) {
	if r.next == len(r.blocks) {
		return nil, io.EOF
	}
	b := r.blocks[r.next]
	r.next++
	sealed := sealedBlocks.Get().(*[]byte)
	defer sealedBlocks.Put(sealed)
	*sealed = slices.Grow((*sealed)[:0], b.size)[:b.size]
	if _, err := r.spill.file.ReadAt(*sealed, b.at); err != nil {
		return nil, err
	}
	block, err := r.spill.codec.open(*sealed)
	if err != nil {
		return nil, fault.Corrupt(r.Name(), "unreadable", err)
	}
	return rowblock.Decode(r.schema, b.rows, block)
}

// mergeRuns merges rows of one bucket on their way to disk or, with the table's
// own engine, into files of level 0.
func (t *Table) mergeRuns(engine mergeengine.Engine, runs []*spilledRun, newest lsm.Run, parallel int) (*lsm.Merge, error) {
	var in []lsm.Run
	bytes, rows := int64(0), int64(1)
	for _, r := range runs {
		in = append(in, &spilledReader{spilledRun: r})
		bytes, rows = bytes+r.bytes, rows+r.rows
	}
	if newest != nil {
		in = append(in, newest)
	}
	arrowSchema, _ := schema.ArrowSchema(t.schema.Fields)
	return lsm.NewMerge(in, lsm.MergeSpec{
		Schema: arrowSchema, Key: names(t.schema.KeyFields()), Sequence: t.options.SequenceFields,
		SequenceDescending: t.options.SequenceDescending, Engine: engine, Versions: true, Output: names(t.schema.Fields),
		WithKeys: newest != nil && !t.options.ThinMode, WithSequence: true, WithKind: true,
		BatchRows: int(min(16384, max(128, mergedBytes/(1+bytes/rows)))), Parallel: parallel, Alloc: t.world.Alloc,
	})
}

// spillOut moves the buffered rows to disk. After an error all rows are still
// there, in memory or on disk.
func (b *bucketBuffer) spillOut(ctx context.Context, to *spillFile) error {
	rows, err := b.sorted.Sorted(b.next, b.reduction())
	if err != nil {
		return err
	}
	run, err := to.write(ctx, rows)
	if err = errors.Join(err, rows.Close()); err != nil {
		return err
	}
	b.next += b.sorted.Rows()
	b.sorted.Close()
	b.spilled = append(b.spilled, run)
	if len(b.spilled) < b.table.options.Spill.FanIn {
		return nil
	}
	return b.joinSpilled(ctx, to)
}

// joinSpilled makes one run of the smaller half of them, so that merging them
// all stays within bounds.
func (b *bucketBuffer) joinSpilled(ctx context.Context, to *spillFile) error {
	slices.SortFunc(b.spilled, func(x, y *spilledRun) int { return cmp.Compare(x.bytes, y.bytes) })
	n := max(2, len(b.spilled)/2)
	rows, err := b.table.mergeRuns(b.reduction(), b.spilled[:n], nil, 1)
	if err != nil {
		return err
	}
	run, err := to.write(ctx, rows)
	if err = errors.Join(err, rows.Close()); err != nil {
		return err
	}
	b.spilled = slices.Replace(b.spilled, 0, n, run)
	return nil
}

// reduction is what spilled rows may be reduced by.
func (b *bucketBuffer) reduction() mergeengine.Chooser {
	if b.changelog != nil {
		return lsm.AllVersions{}
	}
	return lsm.Reduction(b.table.engine)
}

// flushSpilled writes what was spilled and what is in memory as files of level 0.
func (b *bucketBuffer) flushSpilled(ctx context.Context, parallel int) error {
	if b.changelog != nil {
		if err := b.mergeSpilled(ctx, lsm.AllVersions{}, b.changelog, parallel); err != nil {
			return err
		}
	}
	if err := b.mergeSpilled(ctx, b.table.engine, &b.rolling, parallel); err != nil {
		return err
	}
	b.next += b.sorted.Rows()
	b.sorted.Close()
	b.spilled = nil
	return nil
}

// mergeSpilled merges what was spilled and what is in memory into files.
func (b *bucketBuffer) mergeSpilled(ctx context.Context, engine mergeengine.Engine, to *rolling, parallel int) error {
	newest, err := b.sorted.Sorted(b.next, b.reduction())
	if err != nil {
		return err
	}
	rows, err := b.table.mergeRuns(engine, b.spilled, newest, parallel)
	if err != nil {
		return errors.Join(err, newest.Close())
	}
	return errors.Join(copyRows(ctx, rows, to, parallel), rows.Close())
}
