package datafile

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

func init() { panicSite = func() string { return "\n" + string(debug.Stack()) } }

// object is a file in memory.
type object struct {
	data   []byte
	reads  int
	bytes  int64
	closed int
}

func (o *object) ReadRange(_ context.Context, p []byte, off int64) (int, error) {
	o.reads++
	o.bytes += int64(len(p))
	return bytes.NewReader(o.data).ReadAt(p, off)
}
func (o *object) Size() int64  { return int64(len(o.data)) }
func (o *object) Close() error { o.closed++; return nil }

// readAll reads a whole file and hands every batch to f.
func readAll(data []byte, opts ReaderOptions, f func(rec arrow.RecordBatch, pos int64) error) (err error) {
	obj := &object{data: data}
	r, err := Open(context.Background(), obj, "f", opts)
	if err != nil {
		if obj.closed == 0 {
			return fmt.Errorf("object left open after %w", err)
		}
		return err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = f(rec, r.Position())
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// readLines reads a whole file as JSON lines and proves that nothing leaks.
func readLines(t testing.TB, data []byte, opts ReaderOptions) ([]string, error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	opts.Alloc = mem
	want, err := schema.ArrowSchema(opts.Fields)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = readAll(data, opts, func(rec arrow.RecordBatch, pos int64) error {
		if !rec.Schema().Equal(want) {
			return fmt.Errorf("batch of %s, want %s", rec.Schema(), want)
		}
		if opts.Keep == nil && pos != int64(len(lines)) {
			return fmt.Errorf("batch at %d, want %d", pos, len(lines))
		}
		for _, c := range rec.Columns() {
			if err := validArray(c); err != nil {
				return err
			}
		}
		for row := range int(rec.NumRows()) {
			lines = append(lines, string(appendRow(nil, opts.Fields, rec.Columns(), row)))
		}
		return nil
	})
	return lines, err
}

// validArray checks counts of nulls and children against the bits.
func validArray(a arrow.Array) error {
	nulls := 0
	for i := range a.Len() {
		if a.IsNull(i) {
			nulls++
		}
	}
	if nulls != a.NullN() {
		return fmt.Errorf("%s array has %d nulls and says %d", a.DataType(), nulls, a.NullN())
	}
	switch a := a.(type) {
	case *array.List:
		return validArray(a.ListValues())
	case *array.Map:
		return errors.Join(validArray(a.Keys()), validArray(a.Items()))
	case *array.Struct:
		for i := range a.NumField() {
			if err := validArray(a.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendRow(dst []byte, fields []schema.Field, cols []arrow.Array, row int) []byte {
	dst = append(dst, '{')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, f.Name)
		dst = append(dst, ':')
		dst = appendJSON(dst, f.Type, cols[i], row)
	}
	return append(dst, '}')
}

// appendJSON prints a cell as the expected rows have it.
func appendJSON(dst []byte, t schema.Type, col arrow.Array, row int) []byte {
	if col.IsNull(row) {
		return append(dst, "null"...)
	}
	switch c := col.(type) {
	case *array.Boolean:
		return strconv.AppendBool(dst, c.Value(row))
	case *array.Int8:
		return strconv.AppendInt(dst, int64(c.Value(row)), 10)
	case *array.Int16:
		return strconv.AppendInt(dst, int64(c.Value(row)), 10)
	case *array.Int32:
		return strconv.AppendInt(dst, int64(c.Value(row)), 10)
	case *array.Int64:
		return strconv.AppendInt(dst, c.Value(row), 10)
	case *array.Float32:
		return appendFloat(dst, float64(c.Value(row)), c.Value(row))
	case *array.Float64:
		return appendFloat(dst, c.Value(row), c.Value(row))
	case *array.String:
		return appendMarshal(dst, c.Value(row))
	case *array.Binary:
		return appendMarshal(dst, hex.EncodeToString(c.Value(row)))
	case *array.Decimal128:
		return appendMarshal(dst, c.Value(row).ToString(int32(t.Scale)))
	case *array.Date32:
		return appendMarshal(dst, time.Unix(int64(c.Value(row))*86400, 0).UTC().Format("2006-01-02"))
	case *array.Time32:
		return appendMarshal(dst, time.UnixMilli(int64(c.Value(row))).UTC().Format("15:04:05.000"))
	case *array.Timestamp:
		return appendMarshal(dst, timestampText(t, c, row))
	case *array.List:
		from, to := c.ValueOffsets(row)
		dst = append(dst, '[')
		for i := from; i < to; i++ {
			if i > from {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, *t.Elem, c.ListValues(), int(i))
		}
		return append(dst, ']')
	case *array.Map:
		return appendMap(dst, t, c, row)
	case *array.Struct:
		cols := make([]arrow.Array, c.NumField())
		for i := range cols {
			cols[i] = c.Field(i)
		}
		return appendRow(dst, t.Fields, cols, row)
	}
	panic(fmt.Sprintf("%T", col))
}

func appendMarshal(dst []byte, v any) []byte {
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func appendFloat(dst []byte, f float64, v any) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 0):
		return append(dst, []string{`"Infinity"`, `"-Infinity"`}[int(uint64(math.Float64bits(f))>>63)]...)
	}
	return appendMarshal(dst, v)
}

func timestampText(t schema.Type, c *array.Timestamp, row int) string {
	unit := int64(map[int]int{0: 1, 1: milli, 2: milli, 3: milli, 4: micro, 5: micro, 6: micro}[t.Precision])
	if t.Precision > 6 {
		unit = nano
	}
	v := int64(c.Value(row))
	sec := divDown(v, unit)
	frac := (v - sec*unit) * (nano / unit)
	s := time.Unix(sec, frac).UTC().Format("2006-01-02T15:04:05.000000000")
	keep := len(s) - 9 + t.Precision
	if t.Precision == 0 {
		keep--
	}
	for ; keep < len(s) && strings.Trim(s[keep:], "0.") != ""; keep++ { // the stored value is finer
	}
	s = s[:keep]
	if t.Kind == schema.TimestampLTZ {
		s += "Z"
	}
	return s
}

func appendMap(dst []byte, t schema.Type, c *array.Map, row int) []byte {
	kt, vt := t.Key, t.Elem
	if t.Kind == schema.Multiset {
		kt, vt = t.Elem, &schema.Type{Kind: schema.Int}
	}
	from, to := c.ValueOffsets(row)
	var pairs []string
	for i := int(from); i < int(to); i++ {
		p := appendJSON([]byte{'['}, *kt, c.Keys(), i)
		p = appendJSON(append(p, ','), *vt, c.Items(), i)
		pairs = append(pairs, string(append(p, ']')))
	}
	slices.Sort(pairs)
	return append(append(append(dst, '['), strings.Join(pairs, ",")...), ']')
}

// javaTable is a table of testdata/java: files that Java wrote and the rows
// that Java reads from them.
type javaTable struct {
	name   string
	dir    string
	fields []schema.Field // as in the files
	keys   []schema.Field
	value  []schema.Field
	want   map[string][]string // file → lines, by "" when the file is not said
}

type javaRecord struct {
	File  string          `json:"_file"`
	Seq   int64           `json:"_seq"`
	Kind  string          `json:"_kind"`
	Key   json.RawMessage `json:"_key"`
	Value json.RawMessage `json:"_value"`
}

func readJavaTable(t testing.TB, dir, records string) *javaTable {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.ParseTable(text)
	if err != nil {
		t.Fatal(err)
	}
	j := &javaTable{name: filepath.Base(dir), dir: dir, value: s.Fields, fields: s.Fields, want: map[string][]string{}}
	if len(s.PrimaryKeys) > 0 {
		j.keys = s.KeyFields()
		j.fields = physicalFields(j.keys, s.Fields)
	}
	text, err = os.ReadFile(filepath.Join(dir, "rows.jsonl"))
	if err == nil {
		j.want[""] = strings.Split(strings.TrimSpace(string(text)), "\n")
		return j
	}
	if text, err = os.ReadFile(filepath.Join(dir, "records.jsonl")); err != nil {
		if text, err = os.ReadFile(filepath.Join(dir, "..", records, "records.jsonl")); err != nil {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(string(text)) {
		var r javaRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if records != "" {
			r.File = ""
		}
		j.want[r.File] = append(j.want[r.File], fmt.Sprintf("%s %d %s %s", r.Kind, r.Seq, r.Key, r.Value))
	}
	return j
}

func physicalFields(keys, values []schema.Field) []schema.Field {
	var out []schema.Field
	for _, k := range keys {
		k.Name = "_KEY_" + k.Name
		out = append(out, k)
	}
	out = append(out, schema.Field{Name: "_SEQUENCE_NUMBER", Type: schema.Type{Kind: schema.BigInt}},
		schema.Field{Name: "_VALUE_KIND", Type: schema.Type{Kind: schema.TinyInt}})
	return append(out, values...)
}

// lines prints the rows of a file as want has them.
func (j *javaTable) lines(t testing.TB, file string, opts ReaderOptions) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(j.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	opts.Fields, opts.Format = j.fields, strings.TrimPrefix(filepath.Ext(file), ".")
	rows, err := readLines(t, data, opts)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(j.keys) == 0 {
		return rows
	}
	for i, row := range rows {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(row), &m); err != nil {
			t.Fatal(err)
		}
		part := func(prefix string, fields []schema.Field) string {
			var b strings.Builder
			for i, f := range fields {
				fmt.Fprintf(&b, "%s%q:%s", []string{"{", ","}[min(i, 1)], f.Name, m[prefix+f.Name])
			}
			return b.String() + "}"
		}
		kind, _ := strconv.Atoi(string(m["_VALUE_KIND"]))
		rows[i] = fmt.Sprintf("%s %s %s %s", []string{"+I", "-U", "+U", "-D"}[kind], m["_SEQUENCE_NUMBER"], part("_KEY_", j.keys), part("", j.value))
	}
	return rows
}

func TestFilesOfJavaReadAsJavaReadsThem(t *testing.T) {
	dirs, err := filepath.Glob("testdata/java/*")
	if err != nil || len(dirs) < 10 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		records := ""
		if strings.HasPrefix(filepath.Base(dir), "format_") && !strings.Contains(dir, "per_level") {
			records = "format_parquet_zstd" // the same rows in every format
		}
		j := readJavaTable(t, dir, records)
		for _, opts := range []ReaderOptions{{}, {BatchRows: 1}, {BatchRows: 3, Parallel: 3}, {BatchRows: 7, Prefetch: true, Parallel: 2}} {
			t.Run(fmt.Sprintf("%s/%d", j.name, opts.BatchRows), func(t *testing.T) { compareJava(t, j, opts) })
		}
	}
}

func compareJava(t *testing.T, j *javaTable, opts ReaderOptions) {
	files, _ := filepath.Glob(filepath.Join(j.dir, "data-*"))
	var all []string
	for _, path := range files {
		file := filepath.Base(path)
		got := j.lines(t, file, opts)
		all = append(all, got...)
		if want := j.want[file]; want != nil {
			sameLines(t, file, got, want)
		}
	}
	if want := j.want[""]; want != nil {
		sameLines(t, j.name, all, want)
	}
}

func sameLines(t *testing.T, name string, got, want []string) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: row %d\n got %s\nwant %s", name, i, g, w)
		}
	}
}

func TestOtherFormatsAreRefusedByName(t *testing.T) {
	obj := &object{}
	_, err := Open(context.Background(), obj, "x.orc", ReaderOptions{Format: "orc"})
	if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "reading orc data files") || obj.closed != 1 {
		t.Fatal(err, obj.closed)
	}
}

func TestClosedReaderSaysSo(t *testing.T) {
	data, err := os.ReadFile(sample(t, "format_parquet_zstd", 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, prefetch := range []bool{false, true} {
		obj := &object{data: data}
		r, err := Open(context.Background(), obj, "f", ReaderOptions{Format: "parquet", Fields: idOnly, Prefetch: prefetch})
		if err != nil {
			t.Fatal(err)
		}
		if r.Rows() != 300 && r.Rows() != 20 || r.Position() != -1 {
			t.Errorf("%d rows, position %d", r.Rows(), r.Position())
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Next(); !errors.Is(err, fault.ErrClosed) || obj.closed != 1 {
			t.Errorf("%v, closed %d times", err, obj.closed)
		}
	}
}

var idOnly = []schema.Field{{Name: "id", Type: schema.Type{Kind: schema.Int}}}

// sample is the path of a file of testdata.
func sample(t testing.TB, table string, i int) string {
	t.Helper()
	files, _ := filepath.Glob("testdata/java/" + table + "/data-*")
	if i >= len(files) {
		t.Fatalf("%s has %d files", table, len(files))
	}
	return files[i]
}

func TestCancelledContextEndsReading(t *testing.T) {
	data, err := os.ReadFile(sample(t, "format_parquet_zstd", 0))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r, err := Open(ctx, &object{data: data}, "f", ReaderOptions{Format: "parquet", Fields: idOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := r.Next(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestMissingColumnsAreNullAndMissingMembersAreErrors(t *testing.T) {
	data, err := os.ReadFile(sample(t, "nested_pk_parquet", 0))
	if err != nil {
		t.Fatal(err)
	}
	row := func(name string, members ...string) schema.Field {
		f := schema.Field{Name: name, Type: schema.Type{Kind: schema.Row, Nullable: true}}
		for _, m := range members {
			f.Type.Fields = append(f.Type.Fields, schema.Field{Name: m, Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength, Nullable: true}})
		}
		return f
	}
	lines, err := readLines(t, data, ReaderOptions{Format: "parquet", Fields: []schema.Field{row("absent", "x"), row("f_row", "b")}})
	if err != nil || !strings.HasPrefix(lines[0], `{"absent":null,"f_row":{"b":"b`) {
		t.Fatal(lines, err)
	}
	_, err = readLines(t, data, ReaderOptions{Format: "parquet", Fields: []schema.Field{row("f_row", "zzz")}})
	if !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "f_row.zzz") {
		t.Fatal(err)
	}
	lines, err = readLines(t, data, ReaderOptions{Format: "parquet"})
	if err != nil || len(lines) == 0 || lines[0] != "{}" {
		t.Fatal(lines, err)
	}
}

func TestWrongPhysicalTypeIsCorrupt(t *testing.T) {
	for _, c := range []struct {
		table, col string
		typ        schema.Type
	}{
		{"types_pk_parquet", "f_int", schema.Type{Kind: schema.BigInt, Nullable: true}},
		{"types_pk_parquet", "f_string", schema.Type{Kind: schema.Int, Nullable: true}},
		{"types_pk_parquet", "f_dec9", schema.Type{Kind: schema.Decimal, Precision: 9, Scale: 3, Nullable: true}},
		{"types_pk_avro", "f_int", schema.Type{Kind: schema.BigInt, Nullable: true}},
		{"types_pk_avro", "f_dec9", schema.Type{Kind: schema.Decimal, Precision: 9, Scale: 3, Nullable: true}},
		{"nested_pk_parquet", "f_arr", schema.Type{Kind: schema.Int, Nullable: true}},
		{"nested_pk_parquet", "id", schema.Type{Kind: schema.Array, Elem: &schema.Type{Kind: schema.Int}}},
		{"types_pk_parquet", "f_int", schema.Type{Kind: schema.TinyInt, Nullable: true}},
		{"types_pk_parquet", "f_int", schema.Type{Kind: schema.Int}},
	} {
		path := sample(t, c.table, 0)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = readLines(t, data, ReaderOptions{Format: strings.TrimPrefix(filepath.Ext(path), "."), Fields: []schema.Field{{Name: c.col, Type: c.typ}}})
		if !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), c.col) {
			t.Errorf("%s as %s: %v", c.col, c.typ, err)
		}
	}
}

// nanosOf is for comparing timestamps exactly.
func nanosOf(sec, n int64) *big.Int {
	return new(big.Int).Add(new(big.Int).Mul(big.NewInt(sec), big.NewInt(nano)), big.NewInt(n))
}
