package table

import (
	"bufio"
	"context"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowblock"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/io/datafile"
)

// write reads a data file from its start to its end and writes its blocks.
func (c *localFiles) write(ctx context.Context, f *lookupFile) (*localFile, error) {
	own, err := f.table.schemas.get(ctx, f.meta.SchemaID)
	if err != nil {
		return nil, err
	}
	plan, err := planRows(c.lookup.stored, own, true, f.table.settings.TimeZone)
	if err != nil {
		return nil, &fault.Error{File: f.meta.Name, Err: err}
	}
	obj, name, err := f.object(ctx)
	if err != nil {
		return nil, err
	}
	r, err := datafile.Open(ctx, obj, name, datafile.ReaderOptions{Format: fileFormat(f.meta.Name), Fields: plan.ask, Complete: true, Alloc: f.table.world.Alloc})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	local, err := c.create()
	if err != nil {
		return nil, err
	}
	local.users.Store(1)
	w := &localWriter{local: local, out: bufio.NewWriterSize(local.file, 1<<18), file: f, plan: plan}
	if f.table.options.Lookup.Bloom {
		local.bloom = newKeyBloom(f.meta.Rows, f.table.options.Lookup.BloomFPP)
	}
	if err := w.all(r); err != nil {
		local.release()
		return nil, err
	}
	return local, nil
}

// localWriter writes one local file.
type localWriter struct {
	local  *localFile
	out    *bufio.Writer
	file   *lookupFile
	plan   *rowPlan
	rows   int64
	end    int64
	block  []byte
	packed []byte
	firsts []arrow.RecordBatch
}

func (w *localWriter) all(r *datafile.Reader) error {
	if err := eachBatch(r, w.batch); err != nil {
		return err
	}
	if w.rows != w.file.meta.Rows {
		return fault.Corrupt(w.file.meta.Name, fmt.Sprintf("holds %d rows, its manifest says %d", w.rows, w.file.meta.Rows), nil)
	}
	w.local.from = append(w.local.from, w.rows)
	w.local.disk = w.end
	if err := w.out.Flush(); err != nil {
		return err
	}
	return w.finish()
}

func (w *localWriter) batch(rec arrow.RecordBatch) error {
	f := w.file
	shaped, err := w.plan.shape(rec, f.table.world.Alloc)
	if err != nil {
		return err
	}
	defer shaped.Release()
	cols := f.lookup.keyColumns(shaped)
	if b := w.local.bloom; b != nil {
		keys, err := f.space.list(cols)
		if err != nil {
			return err
		}
		for i := range keys.Len() {
			b.add(f.space.layout.Hash(&keys.Keys, i))
		}
	}
	var firsts []int32
	for at := int64(0); at < shaped.NumRows(); at += f.blockRows {
		end := min(at+f.blockRows, shaped.NumRows())
		firsts = append(firsts, int32(at))
		if err := w.add(shaped, int(at), int(end)); err != nil {
			return err
		}
	}
	return w.keep(cols, firsts)
}

// keep notes the first keys of blocks.
func (w *localWriter) keep(cols []arrow.Array, firsts []int32) error {
	picked := make([]arrow.Array, len(cols))
	for i, c := range cols {
		var err error
		if picked[i], err = take.Array(c, firsts, memory.DefaultAllocator); err != nil {
			return err
		}
		defer picked[i].Release()
	}
	rec := array.NewRecordBatch(w.file.space.schema, picked, int64(len(firsts)))
	defer rec.Release()
	block, err := rowblock.Append(nil, rec, 0, len(firsts)) // out of the batch's memory
	if err != nil {
		return err
	}
	own, err := rowblock.Decode(w.file.space.schema, len(firsts), block)
	w.firsts = append(w.firsts, own)
	w.local.memory += int64(len(block))
	return err
}

// add writes a block.
func (w *localWriter) add(rec arrow.RecordBatch, from, to int) error {
	var err error
	if w.block, err = rowblock.Append(w.block[:0], rec, from, to); err != nil {
		return err
	}
	if w.packed, err = w.local.codec.seal(w.packed[:0], w.block); err != nil {
		return err
	}
	if _, err := w.out.Write(w.packed); err != nil {
		return err
	}
	w.end += int64(len(w.packed))
	w.local.from = append(w.local.from, w.rows)
	w.local.ends = append(w.local.ends, w.end)
	w.rows += int64(to - from)
	return nil
}

func (w *localWriter) finish() error {
	l := w.local
	if len(w.firsts) == 0 {
		return fault.Corrupt(w.file.meta.Name, "a file without rows", nil)
	}
	rec, err := joinBatches(w.firsts, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	if l.firsts, err = w.file.space.list(rec.Columns()); err != nil {
		return err
	}
	l.blocks = make([]atomic.Pointer[rowBlock], len(l.ends))
	l.memory += 24 * int64(len(l.ends))
	if l.bloom != nil {
		l.memory += 8 * int64(len(l.bloom.words))
	}
	return nil
}
