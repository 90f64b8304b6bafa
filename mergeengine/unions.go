package mergeengine

import (
	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/bitmap"
	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/sketch"
	"github.com/tidelake/tidelake/schema"
)

// unionOf is a function that joins sets, or estimates of sets, that lie
// serialised in a VARBINARY column.
func unionOf(name string, empty func() (set, error)) func(schema.Field, schema.FieldOptions) (accumulator, error) {
	return func(f schema.Field, _ schema.FieldOptions) (accumulator, error) {
		if f.Type.Kind != schema.VarBinary {
			return nil, fault.Invalid("the type is " + f.Type.String() + ", must be VARBINARY or BYTES")
		}
		s, err := empty()
		return &union{column: f.Name, function: name, set: s}, err
	}
}

// set is a union under way.
type set interface {
	// reset makes it empty.
	reset()
	// add joins a serialised set, addLate one that comes before those added.
	// The bytes stay until the next reset.
	add(b []byte) error
	addLate(b []byte) error
	// bytes is the union, serialised.
	bytes() ([]byte, error)
}

// union is the bytes of a single version as they are, or a set of several.
type union struct {
	column, function string

	null   bool
	single []byte
	joined bool // set holds what there is
	set    set
}

func (u *union) reset() { u.null, u.single, u.joined = true, nil, false }

func (u *union) base(col arrow.Array, row int) error {
	u.reset()
	return u.add(col, row)
}

func (u *union) add(col arrow.Array, row int) error     { return u.join(col, row, set.add) }
func (u *union) addLate(col arrow.Array, row int) error { return u.join(col, row, set.addLate) }

func (u *union) join(col arrow.Array, row int, add func(set, []byte) error) error {
	if col.IsNull(row) {
		return nil
	}
	in := col.(*array.Binary).Value(row)
	if u.null {
		u.null, u.single = false, in
		return nil
	}
	if !u.joined {
		u.joined = true
		u.set.reset()
		if err := u.set.add(u.single); err != nil {
			return u.fault(err)
		}
	}
	if err := add(u.set, in); err != nil {
		return u.fault(err)
	}
	return nil
}

func (u *union) fault(err error) error {
	return &fault.Error{Class: fault.ErrInvalid, Err: err,
		Detail: "column " + u.column + ": a value that aggregate function " + u.function + " cannot read",
		Hint:   "do not retry; write values that the function's library made"}
}

func (u *union) retract(arrow.Array, int) error { return cannotRetract(u.column, u.function) }

func (u *union) appendTo(b array.Builder) error {
	if u.null {
		b.AppendNull()
		return nil
	}
	value := u.single
	if u.joined {
		var err error
		if value, err = u.set.bytes(); err != nil {
			return u.fault(err)
		}
	}
	return cell.AppendBytes(b.(*array.BinaryBuilder), value)
}

// bitmap32 is the union of rbm32.
type bitmap32 struct{ *roaring.Bitmap }

func newBitmap32() (set, error) { return bitmap32{roaring.New()}, nil }

func (s bitmap32) reset() { s.Clear() }

func (s bitmap32) add(b []byte) error {
	in, err := bitmap.Read32(b)
	if err == nil {
		s.Or(in)
	}
	return err
}

func (s bitmap32) addLate(b []byte) error { return s.add(b) }
func (s bitmap32) bytes() ([]byte, error) { return bitmap.Write32(s.Bitmap) }

// bitmap64 is the union of rbm64.
type bitmap64 struct{ *roaring64.Bitmap }

func newBitmap64() (set, error) { return bitmap64{roaring64.New()}, nil }

func (s bitmap64) reset() { s.Clear() }

func (s bitmap64) add(b []byte) error {
	in, err := bitmap.Read64(b)
	if err == nil {
		s.Or(in)
	}
	return err
}

func (s bitmap64) addLate(b []byte) error { return s.add(b) }
func (s bitmap64) bytes() ([]byte, error) { return bitmap.Write64(s.Bitmap) }

// hllSketch is the union of hll_sketch. Its size may depend on which sketch
// comes first, and its estimate, by some billionths, on the places that values
// have in a table: so it is written and read again between two, as in Paimon.
type hllSketch struct {
	acc  []byte
	some bool
}

func newHLL() (set, error) { return &hllSketch{}, nil }

func (s *hllSketch) reset() { *s = hllSketch{} }

func (s *hllSketch) add(b []byte) error {
	if !s.some {
		s.acc, s.some = b, true
		return nil
	}
	return s.join(s.acc, b)
}

func (s *hllSketch) addLate(b []byte) error { return s.join(b, s.acc) }

func (s *hllSketch) join(first, second []byte) error {
	a, err := sketch.ReadHLL(first)
	if err != nil {
		return err
	}
	b, err := sketch.ReadHLL(second)
	if err != nil {
		return err
	}
	u, err := a.Union(b)
	if err == nil {
		s.acc, err = u.Bytes()
	}
	return err
}

func (s *hllSketch) bytes() ([]byte, error) { return s.acc, nil }

// thetaSketch is the union of theta_sketch.
type thetaSketch struct{ union *sketch.Theta }

func newTheta() (set, error) {
	u, err := sketch.NewTheta()
	return thetaSketch{u}, err
}

func (s thetaSketch) reset()                 { s.union.Reset() }
func (s thetaSketch) add(b []byte) error     { return s.union.Add(b) }
func (s thetaSketch) addLate(b []byte) error { return s.union.Add(b) }
func (s thetaSketch) bytes() ([]byte, error) { return s.union.Bytes() }
