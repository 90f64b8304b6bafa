package cdc_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/cdc"
	"github.com/tidelake/tidelake/schema"
)

// These tests replay what real Debezium and Canal sent while SQL ran on real
// servers, and compare with what the databases held at the end. See
// testdata/README.md.

func fixture(t testing.TB, name string) io.Reader {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readAll(t testing.TB, d *cdc.Decoder) []cdc.Event {
	t.Helper()
	var events []cdc.Event
	for {
		e, err := d.Next()
		if err == io.EOF {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

// tableOf builds the table that a definition describes.
func tableOf(d schema.Definition) *schema.Table {
	t := &schema.Table{PrimaryKeys: d.PrimaryKey}
	for i, c := range d.Columns {
		t.Fields = append(t.Fields, schema.Field{ID: i, Name: c.Name, Type: c.Type})
	}
	return t
}

// sources are the names that each final table had while events were written.
func sources(table string) []string {
	if table == "later2" {
		return []string{"shop.later", "shop.later2"}
	}
	return []string{"shop." + table}
}

// notReplayable are columns whose final value no event carries, or which the
// source sends in a form that says less; ok tells in which case that may be.
var notReplayable = []struct {
	fixture, table, column, why string
	ok                          func(got any, want string) bool
}{
	{"", "customers", "level", "ALTER TABLE ADD COLUMN … DEFAULT 3 sends no rows", func(got any, want string) bool {
		return got == nil && (want == "3" || want == `"3"`)
	}},
	{"", "customers", "mobile", "renaming a column sends no rows", func(got any, want string) bool {
		return got == nil && want == `"+1 555"`
	}},
	{"mysql", "all_types", "c_ubig", "sent as a signed number unless bigint.unsigned.handling.mode=precise", func(got any, want string) bool {
		return got == int64(math.MinInt64) && want == `"9223372036854775808"`
	}},
	{"mariadb", "all_types", "c_ubig", "sent as a signed number unless bigint.unsigned.handling.mode=precise", func(got any, want string) bool {
		return got == int64(math.MinInt64) && want == `"9223372036854775808"`
	}},
	{"postgres", "all_types", "c_gen", "logical decoding leaves generated columns out", func(got any, _ string) bool { return got == nil }},
	{"postgres", "all_types", "c_timetz", "sent in UTC, without the offset that was written", func(got any, want string) bool {
		return got == "10:34:56.789Z" && want == `"12:34:56.789+02"`
	}},
	{"postgres", "all_types", "c_interval", "sent as microseconds, with months of 30.4375 days", func(got any, _ string) bool {
		_, is := got.(int64)
		return is
	}},
	{"", "all_types", "c_time", "connect mode cannot hold a time beyond a day and sends null", func(got any, want string) bool {
		return got == nil && strings.Contains(want, "838:59:59")
	}},
	{"dbz", "all_types", "c_time", "beyond a day the column is STRING, and without a schema nothing says that a number is a time", func(got any, want string) bool {
		return got == "-3020399000000" || got == "1000000" || got == "1000"
	}},
	{"string-modes", "all_types", "c_dt6", "connect mode sends milliseconds", func(got any, want string) bool {
		return got == schema.TimestampValue{Millis: 253402300799999}
	}},
	{"string-modes", "all_types", "c_ts", "connect mode sends milliseconds", func(got any, want string) bool {
		return got == schema.TimestampValue{Millis: -1}
	}},
	{"plain", "customers", "credit", "the scale changed from 2 to 4, which only a schema tells", func(got any, want string) bool {
		d, _ := new(big.Rat).SetString(strings.Trim(want, `"`))
		v, ok := got.(decimal128.Num)
		return ok && d.Cmp(big.NewRat(int64(v.LowBits()), 100)) == 0
	}},
	{"plain", "all_types", "c_bit16", "without a schema bit strings stay lowest byte first", func(got any, _ string) bool {
		return bytes.Equal(got.([]byte), []byte{1, 0})
	}},
	{"string-modes", "all_types", "c_bit16", "without a schema bit strings stay lowest byte first", func(got any, _ string) bool {
		return bytes.Equal(got.([]byte), []byte{1, 0})
	}},
}

// notReplayed are whole tables.
var notReplayed = map[string]string{
	"mariadb-10.11_dbz-1.9.8 no_pk": "this Debezium sends no truncate for MariaDB, so the rows before it stay",
	"postgres-15_dbz-1.9.8 no_pk":   "this Debezium sends no truncate by default for PostgreSQL, so the rows before it stay",
}

func TestReplayOfDebeziumReachesTheDatabase(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*dbz*")
	if err != nil || len(dirs) != 5 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		dir := filepath.Base(dir)
		files, _ := filepath.Glob(filepath.Join("testdata", dir, "*.jsonl.gz"))
		for _, table := range finals(t, dir) {
			typed := readAll(t, cdc.NewDebezium(fixture(t, dir+"/envelope"), cdc.Options{Tables: sources(table)}))
			def, notes, err := cdc.Infer(typed)
			if err != nil {
				t.Fatal(dir, table, err)
			}
			for _, file := range files {
				mode := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz")
				t.Run(dir+"/"+table+"/"+mode, func(t *testing.T) {
					if why := notReplayed[dir+" "+table]; why != "" {
						t.Skip(why)
					}
					target, opts := tableOf(def), cdc.MapperOptions{}
					if mode == "string-modes" {
						opts.Times = cdc.ConnectTimes
						retype(target, "c_ubig", schema.Type{Kind: schema.Decimal, Nullable: true, Precision: 20})
						retype(target, "c_numfree", schema.Type{Kind: schema.VarChar, Nullable: true, Length: schema.MaxLength})
						retype(target, "c_interval", schema.Type{Kind: schema.BigInt, Nullable: true})
					}
					events := readAll(t, cdc.NewDebezium(fixture(t, dir+"/"+mode), cdc.Options{Tables: sources(table)}))
					if len(events) != len(typed) {
						t.Errorf("%d events, %d in the envelope file", len(events), len(typed))
					}
					got := replay(t, target, opts, events)
					compare(t, dir+" "+mode, dir, table, target, got)
				})
			}
			t.Logf("%s/%s: %q", dir, table, notes)
		}
	}
}

func TestReplayOfCanalReachesTheDatabase(t *testing.T) {
	for _, table := range finals(t, "canal") {
		t.Run(table, func(t *testing.T) {
			events := readAll(t, cdc.NewCanal(fixture(t, "canal/flat"), cdc.Options{Tables: sources(table)}))
			def, notes, err := cdc.Infer(events)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%q", notes)
			target := tableOf(def)
			compare(t, "canal", "canal", table, target, replay(t, target, cdc.MapperOptions{}, events))
		})
	}
}

func retype(t *schema.Table, column string, to schema.Type) {
	for i := range t.Fields {
		if t.Fields[i].Name == column {
			t.Fields[i].Type = to
		}
	}
}

func finals(t testing.TB, dir string) []string {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "final", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	return names
}

// replay applies events to rows by key. The table without a key gets one here:
// its rows that are alike all change alike.
func replay(t *testing.T, table *schema.Table, opts cdc.MapperOptions, events []cdc.Event) map[string][]any {
	t.Helper()
	if len(table.PrimaryKeys) == 0 {
		table.PrimaryKeys = []string{"a"}
	}
	rows := map[string][]any{}
	keyOf := func(values []any) string {
		var key []any
		for _, name := range table.PrimaryKeys {
			key = append(key, values[columnIndex(table, name)])
		}
		return fmt.Sprint(key)
	}
	opts.Unavailable = func(column string, key []any) (any, error) {
		row, ok := rows[fmt.Sprint(key)]
		if !ok {
			return nil, errors.New("no such row")
		}
		return row[columnIndex(table, column)], nil
	}
	m, err := cdc.NewMapper(table, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		if events[i].Op == cdc.Truncate {
			clear(rows)
			continue
		}
		changes, err := m.Rows(&events[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if c.Kind == schema.Delete {
				delete(rows, keyOf(c.Values))
			} else {
				rows[keyOf(c.Values)] = slices.Clone(c.Values)
			}
		}
	}
	return rows
}

func columnIndex(t *schema.Table, name string) int {
	return slices.IndexFunc(t.Fields, func(f schema.Field) bool { return f.Name == name })
}

func compare(t *testing.T, fixture, dir, table string, target *schema.Table, got map[string][]any) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", dir, "final", table+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
		var want map[string]json.RawMessage
		if err := json.Unmarshal(s.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		var key []any
		for _, name := range target.PrimaryKeys {
			key = append(key, strings.Trim(string(want[name]), `"`))
		}
		row, ok := got[fmt.Sprint(key)]
		if !ok {
			t.Errorf("row %v is missing", key)
			continue
		}
		for column, text := range want {
			i := columnIndex(target, column)
			if i < 0 {
				t.Errorf("column %s is missing", column)
				continue
			}
			if same(target.Fields[i].Type, row[i], text) || excused(fixture, table, column, row[i], string(text)) {
				continue
			}
			t.Errorf("row %v, %s %s: got %#v, the database has %s", key, column, target.Fields[i].Type, row[i], text)
		}
	}
	if n != len(got) {
		t.Errorf("%d rows, the database has %d", len(got), n)
	}
}

func excused(fixture, table, column string, got any, want string) bool {
	for _, x := range notReplayable {
		if strings.Contains(fixture, x.fixture) && x.table == table && x.column == column && x.ok(got, want) {
			return true
		}
	}
	return false
}

// same compares a metadata value with a cell as the database printed it.
func same(typ schema.Type, got any, raw json.RawMessage) bool {
	text := string(raw)
	if raw[0] == '"' {
		_ = json.Unmarshal(raw, &text)
	} else if text == "null" {
		return got == nil
	}
	switch v := got.(type) {
	case nil:
		return false
	case bool:
		return text == strconv.FormatBool(v) || text == map[bool]string{true: "1", false: "0"}[v]
	case int8, int16, int32, int64:
		switch typ.Kind {
		case schema.Date:
			return time.Unix(int64(v.(int32))*86400, 0).UTC().Format("2006-01-02") == text
		case schema.Time:
			d, err := time.Parse("15:04:05.999999", text)
			return err == nil && int64(d.Sub(d.Truncate(24*time.Hour))/time.Millisecond) == int64(v.(int32))
		}
		return fmt.Sprint(v) == text
	case float32:
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && float32(f) == v
	case float64:
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && (f == v || float32(f) == float32(v))
	case decimal128.Num:
		want, ok := new(big.Rat).SetString(strings.TrimPrefix(text, "$"))
		have, _ := new(big.Rat).SetString(v.ToString(int32(typ.Scale)))
		return ok && have.Cmp(want) == 0
	case schema.TimestampValue:
		return sameTime(v, text)
	case []byte:
		return sameBytes(v, text)
	case string:
		return sameText(v, text)
	case []any:
		var want []json.RawMessage
		if json.Unmarshal(raw, &want) != nil || len(want) != len(v) {
			return false
		}
		for i := range v {
			if !same(*typ.Elem, v[i], want[i]) {
				return false
			}
		}
		return true
	}
	return false
}

func sameTime(v schema.TimestampValue, text string) bool {
	at := time.UnixMilli(v.Millis).Add(time.Duration(v.Nanos)).UTC()
	for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02T15:04:05.999999", "2006-01-02T15:04:05.999999Z07:00"} {
		if want, err := time.Parse(layout, text); err == nil && want.Equal(at) {
			return true
		}
	}
	return false
}

// sameBytes knows hex, bit strings and PostgreSQL's points.
func sameBytes(v []byte, text string) bool {
	if strings.HasPrefix(text, "(") {
		var x, y float64
		_, err := fmt.Sscanf(text, "(%g,%g)", &x, &y)
		le := func(b []byte) float64 {
			var n uint64
			for i := range 8 {
				n |= uint64(b[i]) << (8 * i)
			}
			return math.Float64frombits(n)
		}
		return err == nil && len(v) == 21 && le(v[5:]) == x && le(v[13:]) == y
	}
	if n, ok := new(big.Int).SetString(text, 2); ok && n.Cmp(new(big.Int).SetBytes(v)) == 0 {
		return true
	}
	if n, ok := new(big.Int).SetString(text, 16); ok && len(v) <= 2 && n.Cmp(new(big.Int).SetBytes(v)) == 0 {
		return true // MySQL prints bits as hex without leading zeros
	}
	return hex.EncodeToString(v) == strings.ToLower(text)
}

// sameText also compares JSON by content, times by value and numbers as such.
func sameText(v, text string) bool {
	if v == text {
		return true
	}
	var a, b any
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Unmarshal([]byte(v), &a) == nil && json.Unmarshal([]byte(text), &b) == nil {
		return reflect.DeepEqual(a, b)
	}
	if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
		return sameTime(schema.TimestampValue{Millis: at.UnixMilli(), Nanos: int32(at.Nanosecond() % 1e6)}, text)
	}
	if strings.HasPrefix(text, v) && strings.Contains(text, ":") && strings.Trim(text[len(v):], ".0") == "" {
		return true
	}
	x, ok := new(big.Rat).SetString(v)
	y, too := new(big.Rat).SetString(text)
	return ok && too && x.Cmp(y) == 0
}
