package binaryrow

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

var le = binary.LittleEndian

const (
	slotSize     = 8
	inlineMax    = 7    // bytes of a string or binary kept inside its slot
	inlineMark   = 0x80 // top bit of a slot's last byte
	bigDecimal   = 16   // bytes of the variable part of a decimal of more than 18 digits
	compactDigit = 18   // highest precision of a decimal that fits into its slot
	milliDigit   = 3    // highest precision of a timestamp that fits into its slot
)

// headerSize is the width of the row kind and the null bits.
func headerSize(arity int) int { return (arity + 63 + 8) / 64 * 8 }

// fixedSize is the length of a row before its variable part.
func fixedSize(arity int) int { return headerSize(arity) + slotSize*arity }

func isNull(body []byte, i int) bool { return body[(i+8)>>3]&(1<<((i+8)&7)) != 0 }

func setNull(body []byte, i int) { body[(i+8)>>3] |= 1 << ((i + 8) & 7) }

// pad8 is how many zero bytes follow n to reach a multiple of 8.
func pad8(n int) int { return -n & 7 }

// reserved is the size of the variable part that a null of this type still
// takes in a row (section 5.3), 0 for all others.
func reserved(t *schema.Type) int {
	switch t.Kind {
	case schema.Decimal:
		if t.Precision > compactDigit {
			return bigDecimal
		}
	case schema.Timestamp, schema.TimestampLTZ:
		if t.Precision > milliDigit {
			return 8
		}
	}
	return 0
}

// place packs where a value lies: bytes 4-7 offset, bytes 0-3 length.
func place(offset, length int) uint64 { return uint64(uint32(offset))<<32 | uint64(uint32(length)) }

func unplace(slot uint64) (offset, length int) { return int(slot >> 32), int(uint32(slot)) }

// float bits with one NaN, as Java's floatToIntBits gives them.
func floatBits(v float32) uint32 {
	if v != v {
		return 0x7fc00000
	}
	return math.Float32bits(v)
}

func doubleBits(v float64) uint64 {
	if v != v {
		return 0x7ff8000000000000
	}
	return math.Float64bits(v)
}

func corrupt(format string, args ...any) error {
	return &fault.Error{Class: fault.ErrCorrupt, Op: "decode binary row", Detail: fmt.Sprintf(format, args...)}
}

func unsupportedType(t schema.Type) error {
	return fault.Unsupported("a binary row value of type "+kindName(t.Kind), "use only scalar columns here")
}

var kindNames = map[schema.Kind]string{
	schema.Char: "CHAR", schema.VarChar: "VARCHAR", schema.Boolean: "BOOLEAN", schema.Binary: "BINARY", schema.VarBinary: "VARBINARY",
	schema.Decimal: "DECIMAL", schema.TinyInt: "TINYINT", schema.SmallInt: "SMALLINT", schema.Int: "INT", schema.BigInt: "BIGINT",
	schema.Float: "FLOAT", schema.Double: "DOUBLE", schema.Date: "DATE", schema.Time: "TIME", schema.Timestamp: "TIMESTAMP",
	schema.TimestampLTZ: "TIMESTAMP_LTZ", schema.Array: "ARRAY", schema.Map: "MAP", schema.Multiset: "MULTISET", schema.Row: "ROW",
	schema.Variant: "VARIANT", schema.Blob: "BLOB", schema.Vector: "VECTOR",
}

func kindName(k schema.Kind) string {
	if n, ok := kindNames[k]; ok {
		return n
	}
	return fmt.Sprintf("kind %d", k)
}
