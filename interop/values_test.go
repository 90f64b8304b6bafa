//go:build interop

package interop

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// maker draws one value as JSON text, never null.
type maker func(r *rand.Rand) string

// scalar is a type with a source of values, many of them at the edges.
type scalar struct {
	typ   string
	value maker
	key   maker // values fit for keys, nil when they are all
}

var scalars = []scalar{
	{"BOOLEAN", randomBool, nil},
	{"TINYINT", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(256) - 128) }, nil},
	{"SMALLINT", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(65536) - 32768) }, nil},
	{"INT", randomInt, nil},
	{"BIGINT", func(r *rand.Rand) string {
		return pick(r, fmt.Sprint(int64(r.Uint64())), "-9223372036854775808", "9223372036854775807", fmt.Sprint(r.IntN(20)))
	}, nil},
	{"FLOAT", func(r *rand.Rand) string {
		return pick(r, floatText(float32(r.NormFloat64())), `"NaN"`, `"Infinity"`, `"-Infinity"`, "0", "1.5")
	}, func(r *rand.Rand) string {
		return pick(r, floatText(float32(r.NormFloat64())), `"Infinity"`, "-3.4028235e+38", "1e-45", "0")
	}},
	{"DOUBLE", func(r *rand.Rand) string {
		return pick(r, floatText(r.NormFloat64()*1e10), `"NaN"`, `"Infinity"`, `"-Infinity"`, "0", "-1.25")
	}, func(r *rand.Rand) string {
		return pick(r, floatText(r.NormFloat64()), `"-Infinity"`, "1.7976931348623157e+308", "5e-324", "0")
	}},
	{"STRING", randomString(40), nil},
	{"VARCHAR(30)", randomString(9), nil},
	{"CHAR(8)", randomString(2), nil},
	{"BYTES", randomBytes(0, 30), nil},
	{"VARBINARY(20)", randomBytes(0, 20), nil},
	{"BINARY(4)", randomBytes(4, 4), nil},
	{"DECIMAL(9, 2)", randomDecimal(9, 2), nil},
	{"DECIMAL(18, 4)", randomDecimal(18, 4), nil},
	{"DECIMAL(30, 10)", randomDecimal(30, 10), nil},
	{"DECIMAL(38, 0)", randomDecimal(38, 0), nil},
	{"DATE", func(r *rand.Rand) string {
		return fmt.Sprintf(`"%04d-%02d-%02d"`, 1900+r.IntN(200), 1+r.IntN(12), 1+r.IntN(28))
	}, nil},
	{"TIME(3)", func(r *rand.Rand) string {
		return fmt.Sprintf(`"%02d:%02d:%02d.%03d"`, r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))
	}, nil},
	{"TIMESTAMP(0)", randomTimestamp(0, ""), nil},
	{"TIMESTAMP(3)", randomTimestamp(3, ""), nil},
	{"TIMESTAMP(6)", randomTimestamp(6, ""), nil},
	{"TIMESTAMP(9)", randomTimestamp(9, ""), nil},
	{"TIMESTAMP(3) WITH LOCAL TIME ZONE", randomTimestamp(3, "Z"), nil},
	{"TIMESTAMP(6) WITH LOCAL TIME ZONE", randomTimestamp(6, "Z"), nil},
}

// scalarOf finds a scalar type by its name.
func scalarOf(typ string) scalar {
	for _, s := range scalars {
		if s.typ == typ {
			return s
		}
	}
	panic(typ)
}

func (s scalar) keys() maker {
	if s.key != nil {
		return s.key
	}
	return s.value
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomBool(r *rand.Rand) string { return fmt.Sprint(r.IntN(2) == 0) }

func randomInt(r *rand.Rand) string {
	return pick(r, fmt.Sprint(int32(r.Uint32())), "0", "-2147483648", "2147483647", fmt.Sprint(r.IntN(20)))
}

// floatText is the number as JSON, as both sides print it.
func floatText[T float32 | float64](v T) string {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "-0" {
		return "0"
	}
	return string(b)
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// randomString draws texts that escaping, paths and Unicode may trip over;
// one in fifty is long.
func randomString(most int) maker {
	alphabet := []rune("abcXYZ019 _-äß€日本😀\"\\/\n\t'%=:")
	return func(r *rand.Rand) string {
		n := r.IntN(most + 1)
		if most >= 40 && r.IntN(50) == 0 {
			n = r.IntN(3000)
		}
		s := make([]rune, n)
		for i := range s {
			s[i] = pick(r, alphabet...)
		}
		return quoted(string(s))
	}
}

func randomBytes(least, most int) maker {
	return func(r *rand.Rand) string {
		b := make([]byte, least+r.IntN(most-least+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return quoted(hex.EncodeToString(b))
	}
}

func digits(r *rand.Rand, n int) string {
	d := make([]byte, n)
	for i := range d {
		d[i] = byte('0' + r.IntN(10))
	}
	return string(d)
}

func randomDecimal(precision, scale int) maker {
	return func(r *rand.Rand) string {
		text := strings.TrimLeft(digits(r, 1+r.IntN(precision-scale)), "0")
		if text == "" {
			text = "0"
		}
		if scale > 0 {
			text += "." + digits(r, scale)
		}
		if r.IntN(2) == 0 && strings.Trim(text, "0.") != "" {
			text = "-" + text
		}
		return quoted(text)
	}
}

func randomTimestamp(precision int, zone string) maker {
	return func(r *rand.Rand) string {
		text := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d", 1950+r.IntN(120), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
		if precision > 0 {
			text += "." + digits(r, precision)
		}
		return quoted(text + zone)
	}
}

// randomType is a scalar, or ARRAY, MAP, MULTISET and ROW around random types.
func randomType(r *rand.Rand, depth int) (string, maker) {
	if depth == 0 || r.IntN(4) == 0 {
		s := pick(r, scalars...)
		return s.typ, s.value
	}
	switch r.IntN(5) {
	case 0, 1:
		inner, value := randomMember(r, depth-1)
		return "ARRAY<" + inner + ">", randomList(value)
	case 2:
		key := pick(r, "STRING", "INT", "BIGINT", "DATE", "DECIMAL(9, 2)", "TIMESTAMP(3)", "BOOLEAN", "VARBINARY(20)")
		inner, value := randomMember(r, depth-1)
		return "MAP<" + key + ", " + inner + ">", randomPairs(scalarOf(key).value, value)
	case 3:
		element := pick(r, "STRING", "INT", "DATE")
		return "MULTISET<" + element + ">", randomPairs(scalarOf(element).value, func(r *rand.Rand) string { return fmt.Sprint(1 + r.IntN(5)) })
	}
	return randomRow(r, depth)
}

// randomMember is a type inside another one: nullable, or NOT NULL.
func randomMember(r *rand.Rand, depth int) (string, maker) {
	typ, value := randomType(r, depth)
	if r.IntN(6) == 0 {
		return typ + " NOT NULL", value
	}
	return typ, func(r *rand.Rand) string {
		if r.IntN(5) == 0 {
			return "null"
		}
		return value(r)
	}
}

func randomRow(r *rand.Rand, depth int) (string, maker) {
	types, values := make([]string, 1+r.IntN(3)), make([]maker, 0, 3)
	for i := range types {
		inner, value := randomMember(r, depth-1)
		types[i], values = fmt.Sprintf("f%d %s", i, inner), append(values, value)
	}
	return "ROW<" + strings.Join(types, ", ") + ">", func(r *rand.Rand) string {
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = fmt.Sprintf(`"f%d":%s`, i, v(r))
		}
		return "{" + strings.Join(cells, ",") + "}"
	}
}

func randomList(value maker) maker {
	return func(r *rand.Rand) string {
		items := make([]string, r.IntN(4))
		for i := range items {
			items[i] = value(r)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
}

func randomPairs(key, value maker) maker {
	return func(r *rand.Rand) string {
		var items []string
		seen := make(map[string]bool)
		for range r.IntN(4) {
			if k := key(r); !seen[k] {
				seen[k] = true
				items = append(items, "["+k+","+value(r)+"]")
			}
		}
		return "[" + strings.Join(items, ",") + "]"
	}
}
