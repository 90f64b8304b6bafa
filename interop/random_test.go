//go:build interop

package interop

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// randomTable is a table definition and the rows to put into it.
type randomTable struct {
	r       *rand.Rand
	columns []randomColumn
	keys    []string
	parts   []string
	options map[string]string
	pool    []map[string]string // key values that come back, for updates
}

type randomColumn struct {
	name, typ string
	notNull   bool
	value     func(r *rand.Rand) string // JSON text, never null
}

// scalar types with a source of values, many of them at the edges.
var scalars = []struct {
	typ   string
	key   bool // may be a key or partition column
	value func(r *rand.Rand) string
}{
	{"BOOLEAN", true, func(r *rand.Rand) string { return fmt.Sprint(r.IntN(2) == 0) }},
	{"TINYINT", true, func(r *rand.Rand) string { return fmt.Sprint(r.IntN(256) - 128) }},
	{"SMALLINT", true, func(r *rand.Rand) string { return fmt.Sprint(r.IntN(65536) - 32768) }},
	{"INT", true, func(r *rand.Rand) string {
		return pickText(r, fmt.Sprint(int32(r.Uint32())), "0", "-2147483648", "2147483647", fmt.Sprint(r.IntN(20)))
	}},
	{"BIGINT", true, func(r *rand.Rand) string {
		return pickText(r, fmt.Sprint(int64(r.Uint64())), "-9223372036854775808", "9223372036854775807", fmt.Sprint(r.IntN(20)))
	}},
	{"FLOAT", false, func(r *rand.Rand) string {
		return pickText(r, floatText(float32(r.NormFloat64())), `"NaN"`, `"Infinity"`, `"-Infinity"`, "0", "1.5")
	}},
	{"DOUBLE", false, func(r *rand.Rand) string {
		return pickText(r, floatText(r.NormFloat64()*1e10), `"NaN"`, `"Infinity"`, `"-Infinity"`, "0", "-1.25")
	}},
	{"STRING", true, randomString(40)},
	{"VARCHAR(30)", true, randomString(9)},
	{"CHAR(8)", false, randomString(2)},
	{"BYTES", false, randomBytes(30)},
	{"VARBINARY(20)", false, randomBytes(20)},
	{"DECIMAL(9, 2)", true, randomDecimal(9, 2)},
	{"DECIMAL(18, 4)", true, randomDecimal(18, 4)},
	{"DECIMAL(30, 10)", true, randomDecimal(30, 10)},
	{"DECIMAL(38, 0)", false, randomDecimal(38, 0)},
	{"DATE", true, func(r *rand.Rand) string {
		return fmt.Sprintf(`"%04d-%02d-%02d"`, 1900+r.IntN(200), 1+r.IntN(12), 1+r.IntN(28))
	}},
	{"TIME(3)", true, func(r *rand.Rand) string {
		return fmt.Sprintf(`"%02d:%02d:%02d.%03d"`, r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))
	}},
	{"TIMESTAMP(0)", true, randomTimestamp(0, "")},
	{"TIMESTAMP(3)", true, randomTimestamp(3, "")},
	{"TIMESTAMP(6)", true, randomTimestamp(6, "")},
	{"TIMESTAMP(9)", false, randomTimestamp(9, "")},
	{"TIMESTAMP(3) WITH LOCAL TIME ZONE", true, randomTimestamp(3, "Z")},
	{"TIMESTAMP(6) WITH LOCAL TIME ZONE", false, randomTimestamp(6, "Z")},
}

func pickText(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func floatText[T float32 | float64](v T) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "0"
	}
	return string(b)
}

func randomString(most int) func(r *rand.Rand) string {
	alphabet := []rune("abcXYZ019 _-äß€日本😀\"\\/\n\t'%=:")
	return func(r *rand.Rand) string {
		s := make([]rune, r.IntN(most+1))
		for i := range s {
			s[i] = alphabet[r.IntN(len(alphabet))]
		}
		return quoted(string(s))
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func randomBytes(most int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		b := make([]byte, r.IntN(most+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return quoted(hex.EncodeToString(b))
	}
}

func randomDecimal(precision, scale int) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		digits := make([]byte, precision-scale)
		keep := 1 + r.IntN(precision-scale)
		for i := range digits {
			digits[i] = '0'
			if i >= len(digits)-keep {
				digits[i] = byte('0' + r.IntN(10))
			}
		}
		whole := strings.TrimLeft(string(digits), "0")
		if whole == "" {
			whole = "0"
		}
		text := whole
		if scale > 0 {
			fraction := make([]byte, scale)
			for i := range fraction {
				fraction[i] = byte('0' + r.IntN(10))
			}
			text += "." + string(fraction)
		}
		if r.IntN(2) == 0 && strings.Trim(text, "0.") != "" {
			text = "-" + text
		}
		return quoted(text)
	}
}

func randomTimestamp(precision int, zone string) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		text := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d", 1950+r.IntN(120), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
		if precision > 0 {
			fraction := make([]byte, precision)
			for i := range fraction {
				fraction[i] = byte('0' + r.IntN(10))
			}
			text += "." + string(fraction)
		}
		return quoted(text + zone)
	}
}

// nestedType wraps random types in ARRAY, MAP, MULTISET and ROW.
func nestedType(r *rand.Rand, depth int) (string, func(r *rand.Rand) string) {
	if depth == 0 || r.IntN(3) == 0 {
		s := scalars[r.IntN(len(scalars))]
		return s.typ, s.value
	}
	orNull := func(v func(*rand.Rand) string) func(*rand.Rand) string {
		return func(r *rand.Rand) string {
			if r.IntN(5) == 0 {
				return "null"
			}
			return v(r)
		}
	}
	inner, value := nestedType(r, depth-1)
	switch r.IntN(4) {
	case 0:
		return "ARRAY<" + inner + ">", list(orNull(value))
	case 1:
		return "MAP<STRING, " + inner + ">", pairs(randomString(6), orNull(value))
	case 2:
		return "MULTISET<STRING>", pairs(randomString(6), func(r *rand.Rand) string { return fmt.Sprint(1 + r.IntN(5)) })
	}
	other, otherValue := nestedType(r, depth-1)
	return "ROW<a " + inner + ", b " + other + ">", func(r *rand.Rand) string {
		return `{"a":` + orNull(value)(r) + `,"b":` + orNull(otherValue)(r) + `}`
	}
}

func list(value func(*rand.Rand) string) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		items := make([]string, r.IntN(4))
		for i := range items {
			items[i] = value(r)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
}

func pairs(key, value func(*rand.Rand) string) func(*rand.Rand) string {
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

// newRandomTable draws types, keys, partitions, buckets and options.
func newRandomTable(r *rand.Rand) *randomTable {
	t := &randomTable{r: r, options: map[string]string{}}
	keyed := r.IntN(4) > 0
	if keyed {
		for i := range 1 + r.IntN(2) {
			t.addKey(fmt.Sprintf("k%d", i))
		}
	}
	if r.IntN(3) == 0 {
		t.addPartition(keyed)
	}
	for i := range 1 + r.IntN(8) {
		typ, value := nestedType(r, r.IntN(3))
		if r.IntN(2) == 0 {
			s := scalars[r.IntN(len(scalars))]
			typ, value = s.typ, s.value
		}
		t.columns = append(t.columns, randomColumn{name: fmt.Sprintf("c%d", i), typ: typ, value: value, notNull: r.IntN(8) == 0})
	}
	if keyed {
		t.keyedOptions()
	} else if r.IntN(2) == 0 {
		t.columns = append(t.columns, randomColumn{name: "b", typ: "INT", value: scalars[3].value})
		t.options["bucket"], t.options["bucket-key"] = fmt.Sprint(1+r.IntN(4)), "b"
	} else {
		t.options["bucket"] = "-1"
	}
	t.anyOptions()
	r.Shuffle(len(t.columns), func(i, j int) { t.columns[i], t.columns[j] = t.columns[j], t.columns[i] })
	return t
}

func (t *randomTable) addKey(name string) {
	for {
		s := scalars[t.r.IntN(len(scalars))]
		if s.key {
			t.columns = append(t.columns, randomColumn{name: name, typ: s.typ, value: s.value, notNull: true})
			t.keys = append(t.keys, name)
			return
		}
	}
}

func (t *randomTable) addPartition(keyed bool) {
	values := []string{`"a"`, `"b=c/d"`, `"2026-01-01"`, `"ä %"`}
	typ := "STRING"
	if t.r.IntN(2) == 0 {
		typ, values = "DATE", []string{`"2026-01-01"`, `"1969-12-31"`}
	}
	t.columns = append(t.columns, randomColumn{name: "p", typ: typ, notNull: keyed,
		value: func(r *rand.Rand) string { return values[r.IntN(len(values))] }})
	t.parts = []string{"p"}
	if keyed {
		t.keys = append(t.keys, "p")
	}
}

func (t *randomTable) keyedOptions() {
	r := t.r
	t.options["bucket"] = fmt.Sprint(1 + r.IntN(5))
	if r.IntN(3) == 0 {
		t.columns = append(t.columns, randomColumn{name: "s", typ: pickText(r, "INT", "BIGINT"), value: func(r *rand.Rand) string { return fmt.Sprint(r.IntN(6)) }})
		t.options["sequence.field"] = "s"
	}
	if r.IntN(6) == 0 {
		t.options["ignore-delete"] = "true"
	}
	if r.IntN(6) == 0 {
		t.options["data-file.thin-mode"] = "true"
	}
	if r.IntN(2) == 0 {
		t.options["write-only"] = "true"
	}
	if r.IntN(3) == 0 {
		t.options["num-sorted-run.compaction-trigger"] = "2"
	}
}

func (t *randomTable) anyOptions() {
	r := t.r
	maybe := func(odds int, key string, values ...string) {
		if r.IntN(odds) == 0 {
			t.options[key] = values[r.IntN(len(values))]
		}
	}
	maybe(2, "file.compression", "zstd", "snappy", "lz4", "gzip", "none")
	maybe(4, "metadata.stats-mode", "none", "counts", "full", "truncate(4)")
	maybe(6, "metadata.stats-dense-store", "false")
	maybe(6, "metadata.stats-keep-first-n-columns", "2")
	maybe(5, "manifest.compression", "snappy", "deflate", "null", "zstd")
	maybe(5, "manifest.merge-min-count", "2")
	maybe(5, "partition.legacy-name", "false")
	maybe(6, "parquet.enable.dictionary", "false")
	maybe(8, "file.suffix.include.compression", "true")
	maybe(8, "data-file.prefix", "part-")
}

// definition is the schema file of the Java program.
func (t *randomTable) definition() string {
	columns := make([]map[string]any, len(t.columns))
	for i, c := range t.columns {
		typ := c.typ
		if c.notNull {
			typ += " NOT NULL"
		}
		columns[i] = map[string]any{"name": c.name, "type": typ}
	}
	b, err := json.Marshal(map[string]any{"columns": columns, "pk": orEmpty(t.keys), "partition": orEmpty(t.parts), "options": t.options})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ours is the same for this library.
func (t *randomTable) ours() string {
	return strings.NewReplacer(`"pk":`, `"primary-key":`, `"partition":`, `"partition-by":`).Replace(t.definition())
}

func orEmpty(s []string) []string { return append([]string{}, s...) }

// batch is a random batch of JSON lines, with updates and deletes of known keys.
func (t *randomTable) batch() []string {
	lines := make([]string, t.r.IntN(40))
	for i := range lines {
		lines[i] = t.row()
	}
	return lines
}

func (t *randomTable) row() string {
	r := t.r
	var key map[string]string
	if len(t.pool) > 0 && r.IntN(2) == 0 {
		key = t.pool[r.IntN(len(t.pool))]
	} else {
		key = make(map[string]string)
	}
	var cells []string
	if len(t.keys) > 0 && r.IntN(5) == 0 {
		cells = append(cells, `"_kind":`+pickText(r, `"-D"`, `"+U"`, `"-U"`))
	}
	for _, c := range t.columns {
		text := "null"
		if slices.Contains(t.keys, c.name) {
			if key[c.name] == "" {
				key[c.name] = c.value(r)
			}
			text = key[c.name]
		} else if c.notNull || r.IntN(6) > 0 {
			text = c.value(r)
		}
		cells = append(cells, quoted(c.name)+":"+text)
	}
	t.pool = append(t.pool, key)
	return "{" + strings.Join(cells, ",") + "}"
}
