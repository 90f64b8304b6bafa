package lsm

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// The system columns of stored rows.
var (
	sequenceField = arrow.Field{Name: schema.SequenceName, Type: arrow.PrimitiveTypes.Int64}
	kindField     = arrow.Field{Name: schema.ValueKindName, Type: arrow.PrimitiveTypes.Int8}
)

func keyField(f arrow.Field) arrow.Field {
	return arrow.Field{Name: schema.KeyPrefix + f.Name, Type: f.Type}
}

// emitter makes batches out of selected rows. Every source column is gathered
// once, however many columns of the result show it.
type emitter struct {
	fields   []arrow.Field
	from     []int // for each field: a gatherer, or ^i for computed column i
	gathers  []*vector.Gatherer
	names    []string // source column of each gatherer
	shown    int      // how many of them are shown; the rest decide about them
	schema   *arrow.Schema
	mem      memory.Allocator
	parallel int
}

// gathered adds a field that shows a source column.
func (e *emitter) gathered(f arrow.Field, source string) error {
	i := slices.Index(e.names, source)
	if i < 0 {
		g, err := newGatherer(f, e.mem)
		if err != nil {
			return err
		}
		i = len(e.gathers)
		e.gathers = append(e.gathers, g)
		e.names = append(e.names, source)
	}
	e.fields, e.from = append(e.fields, f), append(e.from, i)
	return nil
}

// computed adds a field that the caller of batch provides.
func (e *emitter) computed(f arrow.Field, i int) {
	e.fields, e.from = append(e.fields, f), append(e.from, ^i)
}

// finish ends the list of fields.
func (e *emitter) finish() {
	if e.schema == nil { // else one like it was made before
		e.schema = arrow.NewSchema(e.fields, nil)
	}
	e.shown = len(e.gathers)
}

// hidden adds a source column that decides about others and is not shown.
func (e *emitter) hidden(f arrow.Field) error {
	if slices.Contains(e.names, f.Name) {
		return nil
	}
	g, err := newGatherer(f, e.mem)
	e.gathers, e.names = append(e.gathers, g), append(e.names, f.Name)
	return err
}

func newGatherer(f arrow.Field, mem memory.Allocator) (*vector.Gatherer, error) {
	g, err := vector.NewGatherer(f.Type, mem)
	if err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Detail: "column " + f.Name, Err: err}
	}
	return g, nil
}

// batch gathers one batch. The computed columns stay the caller's.
func (e *emitter) batch(sel vector.Selection, computed ...arrow.Array) (arrow.RecordBatch, error) {
	return e.make(sel.Len(), func(i int) (arrow.Array, error) { return e.gathers[i].Take(sel) }, computed...)
}

// make puts one batch together from what col makes of each source column,
// columns side by side. The computed columns stay the caller's.
func (e *emitter) make(rows int, col func(i int) (arrow.Array, error), computed ...arrow.Array) (arrow.RecordBatch, error) {
	cols, err := e.columns(rows, col)
	defer func() {
		for _, c := range cols {
			if c != nil {
				c.Release()
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	out := make([]arrow.Array, len(e.from))
	for i, from := range e.from {
		if from >= 0 {
			out[i] = cols[from]
		} else {
			out[i] = computed[^from]
		}
	}
	return array.NewRecordBatch(e.schema, out, int64(rows)), nil
}

func (e *emitter) columns(rows int, col func(i int) (arrow.Array, error)) ([]arrow.Array, error) {
	cols := make([]arrow.Array, e.shown)
	errs := make([]error, e.shown)
	workers := min(e.parallel, e.shown)
	if workers <= 1 || rows < 1024 {
		for i := range cols {
			if cols[i], errs[i] = col(i); errs[i] != nil {
				return cols, errs[i]
			}
		}
		return cols, nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= e.shown {
					return
				}
				cols[i], errs[i] = col(i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return cols, err
		}
	}
	return cols, nil
}

// columns finds fields of a schema by name.
func columns(s *arrow.Schema, names []string, what string) (index []int, types []arrow.DataType, err error) {
	for _, name := range names {
		found := s.FieldIndices(name)
		if len(found) != 1 {
			return nil, nil, fault.Invalid(what + " column " + name + ": want exactly one column of this name in the schema")
		}
		index = append(index, found[0])
		types = append(types, s.Field(found[0]).Type)
	}
	return index, types, nil
}
