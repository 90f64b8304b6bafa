package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Parquet's metadata is Thrift in the compact protocol. Only a dozen small
// structures are needed, so they are read directly: nothing is allocated that
// the bytes at hand do not pay for, and fields we do not know are stepped over.

// errShort says that the bytes end within a value: more of them may help.
var errShort = errors.New("metadata ends within a value")

// thriftDepth bounds the nesting of structures that are stepped over.
const thriftDepth = 32

// Compact protocol types.
const (
	tStop   = 0
	tTrue   = 1
	tFalse  = 2
	tByte   = 3
	tI16    = 4
	tI32    = 5
	tI64    = 6
	tDouble = 7
	tBinary = 8
	tList   = 9
	tSet    = 10
	tMap    = 11
	tStruct = 12
)

// thrift reads values from b. The first failure stays in err and turns all
// later reads into zeros.
type thrift struct {
	b   []byte
	pos int
	err error
}

func (t *thrift) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.pos = len(t.b)
}

func (t *thrift) byte() byte {
	if t.pos >= len(t.b) {
		t.fail(errShort)
		return 0
	}
	c := t.b[t.pos]
	t.pos++
	return c
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.b[t.pos:])
	switch {
	case n > 0:
		t.pos += n
	case n == 0:
		t.fail(errShort)
	default:
		t.fail(errors.New("varint is longer than ten bytes"))
	}
	return v
}

func (t *thrift) varint() int64 {
	u := t.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// int reads an integer field of any width.
func (t *thrift) int(typ byte) int64 {
	switch typ {
	case tByte:
		return int64(int8(t.byte()))
	case tI16, tI32, tI64:
		return t.varint()
	}
	t.mismatch(typ, "an integer")
	return 0
}

func (t *thrift) int32(typ byte) int32 {
	v := t.int(typ)
	if v < math.MinInt32 || v > math.MaxInt32 {
		t.fail(fmt.Errorf("metadata holds %d where 32 bits are expected", v))
		return 0
	}
	return int32(v)
}

// bool reads a boolean field, whose value is its type.
func (t *thrift) bool(typ byte) bool {
	if typ != tTrue && typ != tFalse {
		t.mismatch(typ, "a boolean")
	}
	return typ == tTrue
}

// bytes returns a part of the input, not a copy.
func (t *thrift) bytes(typ byte) []byte {
	if typ != tBinary {
		t.mismatch(typ, "bytes")
		return nil
	}
	n := t.uvarint()
	if n > uint64(len(t.b)-t.pos) {
		t.fail(errShort)
		return nil
	}
	p := t.b[t.pos : t.pos+int(n) : t.pos+int(n)]
	t.pos += int(n)
	return p
}

func (t *thrift) mismatch(typ byte, want string) {
	t.fail(fmt.Errorf("metadata field has type %d where %s is expected", typ, want))
}

// fields calls f for every field of a structure. f reads the field and
// answers true, or answers false to have it stepped over.
func (t *thrift) fields(typ byte, f func(id int16, typ byte) bool) {
	if typ != tStruct {
		t.mismatch(typ, "a structure")
		return
	}
	var id int16
	for t.err == nil {
		head := t.byte()
		if t.err != nil || head == tStop {
			return
		}
		if d := head >> 4; d != 0 {
			id += int16(d)
		} else {
			id = int16(t.varint())
		}
		if typ := head & 15; !f(id, typ) {
			t.skip(typ, 0)
		}
	}
}

// list calls f for every element of a list. A list of booleans gives tTrue or
// tFalse as the type.
func (t *thrift) list(typ byte, f func(typ byte)) {
	if typ != tList && typ != tSet {
		t.mismatch(typ, "a list")
		return
	}
	n, elem := t.listHead()
	for i := 0; i < n && t.err == nil; i++ {
		if elem == tTrue || elem == tFalse {
			if t.byte() == tTrue {
				f(tTrue)
			} else {
				f(tFalse)
			}
			continue
		}
		f(elem)
	}
}

func (t *thrift) listHead() (n int, elem byte) {
	head := t.byte()
	size := uint64(head >> 4)
	if size == 15 {
		size = t.uvarint()
	}
	if size > uint64(len(t.b)-t.pos) { // an element takes at least a byte
		t.fail(errShort)
		return 0, 0
	}
	return int(size), head & 15
}

func (t *thrift) skip(typ byte, depth int) {
	if depth > thriftDepth {
		t.fail(errors.New("metadata is nested too deep"))
		return
	}
	switch typ {
	case tTrue, tFalse:
	case tByte:
		t.byte()
	case tI16, tI32, tI64:
		t.uvarint()
	case tDouble:
		if len(t.b)-t.pos < 8 {
			t.fail(errShort)
			return
		}
		t.pos += 8
	case tBinary:
		t.bytes(tBinary)
	case tList, tSet:
		t.skipList(depth)
	case tMap:
		t.skipMap(depth)
	case tStruct:
		t.fields(tStruct, func(_ int16, typ byte) bool {
			t.skip(typ, depth+1)
			return true
		})
	default:
		t.fail(fmt.Errorf("metadata holds a field of unknown type %d", typ))
	}
}

func (t *thrift) skipList(depth int) {
	n, elem := t.listHead()
	for ; n > 0 && t.err == nil; n-- {
		if elem == tTrue || elem == tFalse {
			t.byte()
		} else {
			t.skip(elem, depth+1)
		}
	}
}

func (t *thrift) skipMap(depth int) {
	n := t.uvarint()
	if n == 0 || t.err != nil {
		return
	}
	types := t.byte()
	for ; n > 0 && t.err == nil; n-- {
		for _, typ := range [2]byte{types >> 4, types & 15} {
			if typ == tTrue || typ == tFalse {
				t.byte()
			} else {
				t.skip(typ, depth+1)
			}
		}
	}
}
