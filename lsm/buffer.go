package lsm

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
)

// maxBatchRows bounds a batch that a Buffer emits.
const maxBatchRows = 1 << 16

// sortBytes is what Flush needs for each row while it sorts: two items and,
// after that, the group, the chosen position and the row to gather.
const sortBytes = 2*16 + 4 + 4 + 8

// BufferSpec describes the rows of a [Buffer].
type BufferSpec struct {
	// Schema holds the value columns in their canonical Arrow types.
	Schema *arrow.Schema
	// Key names the key columns: the primary key without partition columns.
	Key []string
	// Sequence names the user's sequence fields, which order the versions of
	// a key before their arrival does. Null is the smallest value, also when
	// SequenceDescending reverses the order.
	Sequence           []string
	SequenceDescending bool
	// Engine merges the versions of a key. Default: deduplicate.
	Engine mergeengine.Engine
	// OmitKeys leaves out the _KEY_ columns (data-file.thin-mode).
	OmitKeys bool
	// BatchRows bounds the rows of an emitted batch. Default and maximum: 65536.
	BatchRows int
	// Parallel bounds the goroutines that gather columns. Default: 1.
	Parallel int
	// Alloc allocates emitted batches; it must be safe for concurrent use.
	// Default: memory.DefaultAllocator.
	Alloc memory.Allocator
}

// Buffer collects the rows of one bucket until they are written as files of
// level 0. It copies nothing on the way in: it retains the batches and notes
// which of their rows are its own, so many buffers may share one batch. A
// Buffer is not safe for concurrent use; different Buffers are, also with
// shared batches.
type Buffer struct {
	spec     BufferSpec
	keyCols  []int
	seqCols  []int
	layout   *vector.Layout
	seqTypes []arrow.DataType
	schema   *arrow.Schema       // of emitted batches
	chooser  mergeengine.Chooser // or
	folder   mergeengine.Folder
	emitter  emitter       // while rows are emitted
	fold     *folding      // the folder at work, likewise
	known    *arrow.Schema // of the last batch, checked already

	parts []part
	rows  []int32 // row numbers of the parts that are not whole batches
	kinds []int8  // by arrival, nil while all are +I
	n     int
}

// part is what one Add brought.
type part struct {
	rec   arrow.RecordBatch
	first int // arrival number of its first row
	at    int // where its row numbers begin in Buffer.rows, -1 for the whole batch
}

// NewBuffer returns an empty buffer. Its specification must name columns of
// the schema and order only by scalar ones, else the error is ErrInvalid.
// Close the buffer in the end.
func NewBuffer(spec BufferSpec) (*Buffer, error) {
	spec.defaults()
	b := &Buffer{spec: spec}
	var keyTypes []arrow.DataType
	var err error
	if b.keyCols, keyTypes, err = columns(spec.Schema, spec.Key, "key"); err != nil {
		return nil, err
	}
	if b.layout, err = vector.NewLayout(keyTypes); err != nil {
		return nil, err
	}
	if b.seqCols, b.seqTypes, err = columns(spec.Schema, spec.Sequence, "sequence"); err != nil {
		return nil, err
	}
	if _, err = vector.NewOrder(b.seqTypes, false); err != nil {
		return nil, err
	}
	switch engine := spec.Engine.(type) {
	case mergeengine.Chooser:
		b.chooser = engine
	case mergeengine.Folder:
		b.folder = engine
	}
	if err := b.openEmitter(); err != nil {
		return nil, err
	}
	b.schema = b.emitter.schema
	b.closeEmitter()
	return b, nil
}

// Like is an empty buffer of the same specification. Without rows it takes some
// hundred bytes, so there may be many.
func (b *Buffer) Like() *Buffer {
	return &Buffer{spec: b.spec, keyCols: b.keyCols, seqCols: b.seqCols, layout: b.layout, seqTypes: b.seqTypes,
		schema: b.schema, chooser: b.chooser, folder: b.folder}
}

func (s *BufferSpec) defaults() {
	if s.Engine == nil {
		s.Engine = mergeengine.Deduplicate{}
	}
	if s.BatchRows <= 0 || s.BatchRows > maxBatchRows {
		s.BatchRows = maxBatchRows
	}
	if s.Alloc == nil {
		s.Alloc = memory.DefaultAllocator
	}
}

// openEmitter gets ready to emit rows, which takes memory for each column.
func (b *Buffer) openEmitter() (err error) {
	if b.emitter.gathers != nil {
		return nil
	}
	if b.emitter, err = b.newEmitter(); err == nil && b.folder != nil {
		b.fold, err = newFolding(b.folder, &b.emitter, b.spec.Schema)
	}
	if err != nil {
		b.closeEmitter()
	}
	return err
}

func (b *Buffer) closeEmitter() { b.emitter, b.fold = emitter{}, nil }

// newEmitter lays out stored rows: keys, sequence number, kind, values.
func (b *Buffer) newEmitter() (emitter, error) {
	e := emitter{mem: b.spec.Alloc, parallel: b.spec.Parallel, schema: b.schema}
	if !b.spec.OmitKeys {
		for _, c := range b.keyCols {
			f := b.spec.Schema.Field(c)
			if err := e.gathered(keyField(f), f.Name); err != nil {
				return e, err
			}
		}
	}
	e.computed(sequenceField, 0)
	e.computed(kindField, 1)
	for _, f := range b.spec.Schema.Fields() {
		if err := e.gathered(f, f.Name); err != nil {
			return e, err
		}
	}
	e.finish()
	return e, nil
}

// Schema is the schema of emitted batches: _KEY_ columns unless omitted,
// _SEQUENCE_NUMBER, _VALUE_KIND and the value columns.
func (b *Buffer) Schema() *arrow.Schema { return b.schema }

// Add appends rows of rec, whose columns are those of the schema in order.
// rows holds row numbers of rec, nil for all of them; it is copied. kinds
// holds the kind of every row of rec, selected or not, nil for +I throughout;
// it is copied. rec is retained until the next flush. A float key of -0 should
// be stored as 0 by the caller: both are the same key here.
//
// A null in a key column, a column of another type and a row number or kind
// out of range are ErrInvalid; nothing is added then.
func (b *Buffer) Add(rec arrow.RecordBatch, kinds []int8, rows []int32) error {
	if err := b.check(rec, kinds, rows); err != nil {
		return err
	}
	n := len(rows)
	if rows == nil {
		n = int(rec.NumRows())
	}
	if n == 0 {
		return nil
	}
	if int64(b.n)+int64(n) > 1<<31-1 {
		return fault.Invalid("more than 2147483647 rows in one write buffer: flush earlier")
	}
	p := part{rec: rec, first: b.n, at: -1}
	if rows != nil {
		p.at = len(b.rows)
		b.rows = append(b.rows, rows...)
	}
	b.addKinds(kinds, rows, n)
	rec.Retain()
	b.parts = append(b.parts, p)
	b.n += n
	return nil
}

func (b *Buffer) addKinds(kinds []int8, rows []int32, n int) {
	if kinds == nil && b.kinds == nil {
		return
	}
	if b.kinds == nil {
		b.kinds = make([]int8, b.n, b.n+n)
	}
	switch {
	case kinds == nil:
		b.kinds = append(b.kinds, make([]int8, n)...)
	case rows == nil:
		b.kinds = append(b.kinds, kinds...)
	default:
		for _, r := range rows {
			b.kinds = append(b.kinds, kinds[r])
		}
	}
}

func (b *Buffer) check(rec arrow.RecordBatch, kinds []int8, rows []int32) error {
	n := rec.NumRows()
	if rec.Schema() != b.known {
		if err := b.checkTypes(rec); err != nil {
			return err
		}
		b.known = rec.Schema()
	}
	if n > 1<<31-1 {
		return fault.Invalid("batch of more than 2147483647 rows")
	}
	for _, c := range b.keyCols {
		if vector.NullCount(rec.Column(c)) > 0 {
			return fault.Invalid("null in key column " + b.spec.Schema.Field(c).Name)
		}
	}
	if kinds != nil && int64(len(kinds)) != n {
		return fault.Invalid("as many row kinds as rows of the batch are needed")
	}
	for _, k := range kinds {
		if k&^3 != 0 {
			return fault.Invalid("row kind out of 0..3")
		}
	}
	for _, r := range rows {
		if uint32(r) >= uint32(n) {
			return fault.Invalid("row number beyond the batch")
		}
	}
	return nil
}

func (b *Buffer) checkTypes(rec arrow.RecordBatch) error {
	want := b.spec.Schema
	if int(rec.NumCols()) != want.NumFields() {
		return fault.Invalid("batch whose number of columns is not the schema's")
	}
	for i, f := range want.Fields() {
		if t := rec.Column(i).DataType(); !arrow.TypeEqual(t, f.Type) {
			return fault.Invalid("column " + f.Name + " of type " + t.String() + ": want " + f.Type.String())
		}
	}
	return nil
}

// Rows is the number of rows added since the last flush: how many sequence
// numbers the next one takes.
func (b *Buffer) Rows() int64 { return int64(b.n) }

// RefBytes is the memory in bytes that the rows need beside their batches:
// what the references take now and what Flush will need to sort them. Emitted
// batches and the packed form of keys of several columns are not included.
func (b *Buffer) RefBytes() int64 {
	const partBytes = 40
	return int64(cap(b.rows))*4 + int64(cap(b.kinds)) + int64(cap(b.parts))*partBytes + int64(b.n)*sortBytes
}

// Flush sorts and merges all rows and gives them to emit in key order, in
// batches that are emit's for the duration of the call (retain to keep one).
// Rows take the sequence numbers firstSeq, firstSeq+1, … in the order of their
// arrival, also those that are merged away; next is the first number that is
// free afterwards, even when there is an error.
//
// After success the buffer is empty. After an error it holds its rows as
// before: emit's own, ErrInvalid for a key that does not fit its type, or the
// engine's for rows that it does not take.
func (b *Buffer) Flush(firstSeq int64, emit func(physical arrow.RecordBatch) error) (next int64, err error) {
	return b.FlushAll(firstSeq, nil, emit)
}

// FlushAll is Flush, and before that gives every row, those too that are merged
// away, to each in the order of key and version. A nil each gets none.
func (b *Buffer) FlushAll(firstSeq int64, each, emit func(physical arrow.RecordBatch) error) (next int64, err error) {
	next = firstSeq + int64(b.n)
	if b.n == 0 {
		return next, nil
	}
	items, groups, err := b.order()
	if err != nil {
		return next, err
	}
	if err := b.setSources(); err != nil {
		return next, err
	}
	defer b.clearSources()
	if each != nil {
		if err := b.emitChosen(AllVersions{}, items, groups, firstSeq, each); err != nil {
			return next, err
		}
	}
	if b.folder != nil {
		err = b.emitFolded(items, groups, firstSeq, emit)
	} else {
		err = b.emitChosen(b.chooser, items, groups, firstSeq, emit)
	}
	if err != nil {
		return next, err
	}
	b.Close()
	return next, nil
}

func (b *Buffer) emitChosen(by mergeengine.Chooser, items []item, groups *mergeengine.Groups, firstSeq int64, emit func(arrow.RecordBatch) error) error {
	refs, err := b.choose(by, items, groups)
	for err == nil && len(refs) > 0 {
		var rec arrow.RecordBatch
		if rec, err = b.batch(refs, firstSeq); err == nil {
			refs = refs[rec.NumRows():]
			err = emit(rec)
			rec.Release()
		}
	}
	return err
}

func (b *Buffer) setSources() error {
	if err := b.openEmitter(); err != nil {
		return err
	}
	for g, name := range b.emitter.names {
		col := b.spec.Schema.FieldIndices(name)[0]
		for i, p := range b.parts {
			if err := b.emitter.gathers[g].Set(i, p.rec.Column(col)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Buffer) clearSources() {
	for _, g := range b.emitter.gathers {
		g.Reset()
	}
}

// batch gathers the first refs, which count within parts: as many as one batch
// may hold, or fewer if their cells are too large for one.
func (b *Buffer) batch(refs []vector.Ref, firstSeq int64) (arrow.RecordBatch, error) {
	n := min(len(refs), b.spec.BatchRows)
	rec, err := b.gather(refs[:n], firstSeq)
	for errors.Is(err, vector.ErrTooLarge) && n > 1 {
		n /= 2
		rec, err = b.gather(refs[:n], firstSeq)
	}
	return rec, err
}

func (b *Buffer) gather(refs []vector.Ref, firstSeq int64) (arrow.RecordBatch, error) {
	seqs, kinds := b.systemColumns(refs, nil, firstSeq)
	defer seqs.Release()
	defer kinds.Release()
	rows := make([]vector.Ref, len(refs))
	for i, r := range refs {
		rows[i] = b.rowOf(r)
	}
	return b.emitter.batch(vector.Select(rows), seqs, kinds)
}

// rowOf turns a ref that counts within its part into one within the batch.
func (b *Buffer) rowOf(r vector.Ref) vector.Ref {
	if p := &b.parts[r.Source()]; p.at >= 0 {
		return vector.MakeRef(r.Source(), int(b.rows[p.at+r.Row()]))
	}
	return r
}

// systemColumns makes the sequence numbers of refs, and their kinds unless
// they are given.
func (b *Buffer) systemColumns(refs []vector.Ref, given []int8, firstSeq int64) (seqs, kinds arrow.Array) {
	seqBuf, kindBuf := memory.NewResizableBuffer(b.spec.Alloc), memory.NewResizableBuffer(b.spec.Alloc)
	defer seqBuf.Release()
	defer kindBuf.Release()
	seqBuf.Resize(8 * len(refs))
	kindBuf.Resize(len(refs))
	s, k := arrow.Int64Traits.CastFromBytes(seqBuf.Bytes()), arrow.Int8Traits.CastFromBytes(kindBuf.Bytes())
	clear(k)
	for i, r := range refs {
		arrival := b.arrival(r)
		s[i] = firstSeq + int64(arrival)
		if given == nil && b.kinds != nil {
			k[i] = b.kinds[arrival]
		}
	}
	copy(k, given)
	sd := array.NewData(arrow.PrimitiveTypes.Int64, len(refs), []*memory.Buffer{nil, seqBuf}, nil, 0, 0)
	defer sd.Release()
	kd := array.NewData(arrow.PrimitiveTypes.Int8, len(refs), []*memory.Buffer{nil, kindBuf}, nil, 0, 0)
	defer kd.Release()
	return array.MakeFromData(sd), array.MakeFromData(kd)
}

func (b *Buffer) arrival(r vector.Ref) int { return b.parts[r.Source()].first + r.Row() }

// Close releases the batches and drops all rows. The buffer may be used
// again.
func (b *Buffer) Close() {
	for _, p := range b.parts {
		p.rec.Release()
	}
	b.parts, b.rows, b.kinds, b.n = nil, nil, nil, 0
	b.closeEmitter()
}
