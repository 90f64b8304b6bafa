package bucket

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Function assigns buckets. It is immutable and safe for concurrent use.
type Function struct {
	n     int
	types []schema.Type
	name  string
	rem   remainder
}

// The names of the functions, the values of option bucket-function.type.
const (
	Default = "default"
	Mod     = "mod"
	Hive    = "hive"
)

// New returns the named function over n buckets and a bucket key of the given
// types. The empty name is Default. A key the function cannot take is
// fault.ErrInvalid.
func New(name string, n int, types []schema.Type) (*Function, error) {
	if n < 1 || n > math.MaxInt32 {
		return nil, fault.Invalid(fmt.Sprintf("number of buckets is %d, must be at least 1", n))
	}
	if name == "" {
		name = Default
	}
	check, ok := map[string]func([]schema.Type) error{Default: checkScalar, Mod: checkMod, Hive: checkHive}[name]
	if !ok {
		return nil, fault.Invalid(fmt.Sprintf("bucket function %q is none of default, mod, hive", name))
	}
	if err := check(types); err != nil {
		return nil, err
	}
	return &Function{n: n, types: append([]schema.Type(nil), types...), name: name, rem: newRemainder(uint32(n))}, nil
}

// Buckets is the number of buckets.
func (f *Function) Buckets() int { return f.n }

// Assign appends the bucket of every row to dst. cols are the columns of the
// bucket key, all of one length and of their canonical Arrow types. Nothing is
// allocated per row.
func (f *Function) Assign(dst []int32, cols []arrow.Array) ([]int32, error) {
	if len(cols) != len(f.types) || len(cols) == 0 {
		return dst, fault.Invalid(fmt.Sprintf("bucket key of %d columns, expected %d", len(cols), len(f.types)))
	}
	rows := cols[0].Len()
	for _, c := range cols {
		if c.Len() != rows {
			return dst, fault.Invalid("columns of the bucket key differ in length")
		}
	}
	base := len(dst)
	if cap(dst)-base < rows {
		dst = append(make([]int32, 0, base+rows), dst...)
	}
	dst = dst[:base+rows]
	var err error
	switch f.name {
	case Mod:
		err = f.assignMod(dst[base:], cols[0])
	case Hive:
		err = f.assignHive(dst[base:], cols)
	default:
		err = f.assignDefault(dst[base:], cols)
	}
	return dst, err
}

// Of is the bucket of one row of metadata values.
func (f *Function) Of(values []any) (int, error) {
	switch f.name {
	case Mod:
		return f.ofMod(values)
	case Hive:
		return f.ofHive(values)
	}
	body, err := binaryrow.Append(nil, f.types, values)
	if err != nil {
		return 0, err
	}
	return int(f.rem.abs(binaryrow.Hash(body))), nil
}

func (f *Function) assignDefault(dst []int32, cols []arrow.Array) error {
	if err := hashRows(dst, f.types, cols); err != nil {
		return err
	}
	for row, h := range dst {
		dst[row] = f.rem.abs(h)
	}
	return nil
}

// remainder divides 32-bit numbers by one divisor with two multiplications.
// With m = ceil(2^64/n), the low half of m*x is the fraction of x/n, and that
// fraction times n is the remainder: exact for all 32-bit x and n.
type remainder struct{ m, n uint64 }

func newRemainder(n uint32) remainder {
	return remainder{m: math.MaxUint64/uint64(n) + 1, n: uint64(n)}
}

func (r remainder) of(x uint32) int32 {
	hi, _ := bits.Mul64(r.m*uint64(x), r.n)
	return int32(hi)
}

// abs is |h % n|, the same as |h| % n.
func (r remainder) abs(h int32) int32 {
	sign := h >> 31
	return r.of(uint32((h ^ sign) - sign))
}

func checkScalar(types []schema.Type) error {
	for _, t := range types {
		switch t.Kind {
		case schema.Array, schema.Map, schema.Multiset, schema.Row, schema.Variant, schema.Blob, schema.Vector:
			return fault.Invalid("a bucket key holds only scalar columns")
		}
	}
	return nil
}
