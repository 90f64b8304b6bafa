package table

import (
	"context"
	"iter"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// The system table "audit_log" shows rows with the kinds that they are stored
// with, as a first column, and does not hide those that retract: of a snapshot
// the newest change of each key, of a stretch of history all that changed.

// The columns before those of the table, and their ids, are Paimon's.
var (
	auditKind     = schema.Field{ID: 1<<31 - 1 - 4, Name: "rowkind", Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength, Nullable: true}}
	auditSequence = schema.Field{ID: 1<<31 - 1 - 1, Name: schema.SequenceName, Type: schema.Type{Kind: schema.BigInt}}
)

// kinded are rows with their kinds: those of a snapshot, or changes.
type kinded struct {
	fields   []schema.Field // of the table
	sequence bool           // sequence numbers are shown as well
	pairs    bool           // -U stands right before its +U
	alloc    memory.Allocator
	// read yields _VALUE_KIND, _SEQUENCE_NUMBER if it is shown, and the fields; of a
	// limit that is not 0 the first rows will do.
	read func(ctx context.Context, fields []schema.Field, filter predicate.Expr, limit int64) iter.Seq2[arrow.RecordBatch, error]
}

func auditLog(ctx context.Context, t *Table, o *ScanOptions) (*systemView, error) {
	k, err := t.kinded(ctx, o)
	if err != nil {
		return nil, err
	}
	return &systemView{fields: k.columns(k.fields), rows: k.auditRows}, nil
}

// kinded resolves what a system table of kinds reads.
func (t *Table) kinded(ctx context.Context, o *ScanOptions) (*kinded, error) {
	c := systemColumns{sequence: t.options.ReadSequenceNumbers, deletes: true}
	k := &kinded{sequence: c.sequence, alloc: t.world.Alloc}
	if o.Between != nil {
		d, err := t.newDiff(ctx, o.plain(), c)
		if err != nil {
			return nil, err
		}
		k.fields, k.pairs = d.base.schema.Fields, d.stretch.mode != ChangesDiff
		k.read = func(ctx context.Context, fields []schema.Field, filter predicate.Expr, limit int64) iter.Seq2[arrow.RecordBatch, error] {
			n, err := d.narrowed(fields, filter)
			if err != nil {
				return failing(err)
			}
			return limited(limit, n.all(ctx))
		}
		return k, k.check()
	}
	s, err := t.unprojected(ctx, o)
	if err != nil {
		return nil, err
	}
	k.fields = s.schema.Fields
	k.read = func(ctx context.Context, fields []schema.Field, filter predicate.Expr, limit int64) iter.Seq2[arrow.RecordBatch, error] {
		n, err := s.ofColumns(fields, filter)
		if err != nil {
			return failing(err)
		}
		n.options.Limit = limit
		n.with(c)
		return n.Batches(ctx)
	}
	return k, k.check()
}

func failing(err error) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) { yield(nil, err) }
}

// check refuses columns of the table that bear the names of those before them.
func (k *kinded) check() error {
	for _, f := range k.fields {
		if f.Name == auditKind.Name || k.sequence && f.Name == auditSequence.Name {
			return fault.Unsupported("rows with their kinds of a table with a column "+f.Name, "rename the column")
		}
	}
	return nil
}

// columns are those of the system table, around columns of the table.
func (k *kinded) columns(fields []schema.Field) []schema.Field {
	out := []schema.Field{auditKind}
	if k.sequence {
		out = append(out, auditSequence)
	}
	return append(out, fields...)
}

// needed are the table's columns among those that are needed.
func (k *kinded) needed(need systemNeed) []schema.Field {
	return slices.DeleteFunc(slices.Clone(k.fields), func(f schema.Field) bool { return !need.columns[f.Name] })
}

func (k *kinded) auditRows(ctx context.Context, need systemNeed) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		fields := k.needed(need)
		shown, err := schema.ArrowSchema(k.columns(fields))
		if err != nil {
			yield(nil, err)
			return
		}
		filter, _ := need.where.OnlyFields(nameSet(k.fields))
		for rec, err := range k.read(ctx, fields, filter, need.limit) {
			if err != nil {
				yield(nil, err)
				return
			}
			kinds := kindTexts(rec.Column(0).(*array.Int8).Values(), k.alloc)
			out := array.NewRecordBatch(shown, append([]arrow.Array{kinds}, rec.Columns()[1:]...), rec.NumRows())
			kinds.Release()
			more := yield(out, nil)
			out.Release()
			if !more {
				return
			}
		}
	}
}

// kindTexts are kinds as "+I", "-U", "+U" and "-D".
func kindTexts(kinds []int8, mem memory.Allocator) arrow.Array {
	b := array.NewStringBuilder(mem)
	defer b.Release()
	b.Reserve(len(kinds))
	for _, kind := range kinds {
		b.Append(schema.RowKind(kind).String())
	}
	return b.NewArray()
}
