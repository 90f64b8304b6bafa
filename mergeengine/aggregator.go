package mergeengine

import (
	"fmt"
	"reflect"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Aggregator is an aggregate function of a program's own at work on one
// column, see [RegisterAggregate]. It folds the versions of one key into one
// value, key after key.
//
// What it makes of some versions is stored and is itself a version later, when
// newer ones have come. So a result must do as an input, the grouping must not
// matter, and a single value must come out as it went in: the versions of a
// key that has only one are not even shown.
type Aggregator interface {
	// Reset begins a key.
	Reset()
	// Add takes the next version: a cell of col, which may be null. Cells
	// are borrowed until Append.
	Add(col arrow.Array, row int) error
	// Append appends the value of the key, or a null, to a builder of the
	// column's type.
	Append(b array.Builder) error
}

// Retractor is an Aggregator that can take a value back, for rows of kind -U
// and -D. Without it such rows are refused, unless the option
// fields.<column>.ignore-retract passes them over.
type Retractor interface {
	Aggregator
	Retract(col arrow.Array, row int) error
}

// LateAdder is an Aggregator that wants to know, in a sequence group, that a
// version is older than what it has. Others get it by Add.
type LateAdder interface {
	Aggregator
	AddLate(col arrow.Array, row int) error
}

// adapter is a program's function among our own.
type adapter struct {
	Aggregator
	column, function string
}

func (a *adapter) reset() { a.Reset() }

func (a *adapter) base(col arrow.Array, row int) error {
	a.Reset()
	return a.add(col, row)
}

func (a *adapter) add(col arrow.Array, row int) error { return a.fault(a.Add(col, row)) }

func (a *adapter) addLate(col arrow.Array, row int) error {
	if l, ok := a.Aggregator.(LateAdder); ok {
		return a.fault(l.AddLate(col, row))
	}
	return a.add(col, row)
}

func (a *adapter) retract(col arrow.Array, row int) error {
	if r, ok := a.Aggregator.(Retractor); ok {
		return a.fault(r.Retract(col, row))
	}
	return cannotRetract(a.column, a.function)
}

func (a *adapter) appendTo(b array.Builder) error {
	want := b.Len() + 1
	if err := a.Append(b); err != nil {
		return a.fault(err)
	}
	if b.Len() != want {
		return a.fault(fmt.Errorf("it appended %d values where one is wanted", b.Len()-want+1))
	}
	return nil
}

func (a *adapter) fault(err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{Class: fault.ErrInvalid, Detail: "column " + a.column + ": aggregate function " + a.function, Err: err}
}

// FoldOf makes an aggregate function of one that takes the value so far and
// the next one, for [RegisterAggregate]. Nulls are passed over; the first
// value is taken as it is. T is how Arrow has the column's values in Go:
// int32 for INT, string for STRING, []byte for BYTES, decimal128.Num for
// DECIMAL, arrow.Timestamp for TIMESTAMP and so on; columns of other types are
// refused. fold must not keep or change a []byte.
func FoldOf[T any](fold func(acc, in T) T) func(f schema.Field) (Aggregator, error) {
	return func(f schema.Field) (Aggregator, error) {
		dt, err := schema.ArrowType(f.Type)
		if err != nil {
			return nil, err
		}
		b := array.NewBuilder(memory.DefaultAllocator, dt)
		defer b.Release()
		a := b.NewArray()
		defer a.Release()
		_, reads := a.(interface{ Value(int) T })
		_, writes := b.(interface{ Append(T) })
		if !reads || !writes {
			return nil, fault.Invalid(fmt.Sprintf("the type is %s, whose values are no %s", f.Type, reflect.TypeFor[T]()))
		}
		return &foldOfTwo[T]{fold: fold}, nil
	}
}

type foldOfTwo[T any] struct {
	fold func(acc, in T) T
	acc  T
	some bool
}

func (f *foldOfTwo[T]) Reset() { f.some = false }

func (f *foldOfTwo[T]) Add(col arrow.Array, row int) error {
	if col.IsNull(row) {
		return nil
	}
	in := col.(interface{ Value(int) T }).Value(row)
	if f.some {
		in = f.fold(f.acc, in)
	}
	f.acc, f.some = in, true
	return nil
}

func (f *foldOfTwo[T]) AddLate(col arrow.Array, row int) error {
	if !f.some || col.IsNull(row) {
		return f.Add(col, row)
	}
	f.acc = f.fold(col.(interface{ Value(int) T }).Value(row), f.acc)
	return nil
}

func (f *foldOfTwo[T]) Append(b array.Builder) error {
	if !f.some {
		b.AppendNull()
		return nil
	}
	b.(interface{ Append(T) }).Append(f.acc)
	return nil
}
