package cdc_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/cdc"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

func typ(t *testing.T, text string) schema.Type {
	t.Helper()
	parsed, err := schema.ParseType(text)
	if err != nil {
		t.Fatal(text, err)
	}
	return parsed
}

// table makes a table of "name TYPE" columns, the first one its key.
func table(t *testing.T, columns ...string) *schema.Table {
	t.Helper()
	out := &schema.Table{}
	for i, c := range columns {
		name, text, _ := strings.Cut(c, " ")
		out.Fields = append(out.Fields, schema.Field{ID: i, Name: name, Type: typ(t, text)})
	}
	out.PrimaryKeys = []string{out.Fields[0].Name}
	return out
}

func mapper(t *testing.T, tab *schema.Table, opts cdc.MapperOptions) *cdc.Mapper {
	t.Helper()
	m, err := cdc.NewMapper(tab, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func one(t *testing.T, d *cdc.Decoder) cdc.Event {
	t.Helper()
	e, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func debezium(lines ...string) *cdc.Decoder {
	return cdc.NewDebezium(strings.NewReader(strings.Join(lines, "\n")), cdc.Options{})
}

// plain is an untyped Debezium event.
func plain(op, before, after string) string {
	return fmt.Sprintf(`{"before":%s,"after":%s,"op":%q,"source":{"connector":"postgresql","db":"d","schema":"s","table":"t","lsn":7,"ts_ms":5}}`, before, after, op)
}

// typed is a snapshot read of one column v with a declared type.
func typed(field, value string) string {
	field = strings.Replace(field, "{", `{"field":"v","optional":true,`, 1)
	return fmt.Sprintf(`{"schema":{"type":"struct","fields":[{"type":"struct","field":"after","fields":[{"type":"int64","field":"id"},%s]}]},`+
		`"payload":{"op":"r","after":{"id":1,"v":%s},"source":{"connector":"mysql","db":"d","table":"t"}}}`, field, value)
}

// convert reads one declared value into a column of the given type.
func convert(t *testing.T, field, value, column string, opts cdc.MapperOptions) (any, error) {
	t.Helper()
	e := one(t, debezium(typed(field, value)))
	rows, err := mapper(t, table(t, "id BIGINT NOT NULL", "v "+column), opts).Rows(&e)
	if err != nil {
		return nil, err
	}
	return rows[0].Values[1], nil
}

func stamp(text string) schema.TimestampValue {
	at, err := time.Parse("2006-01-02T15:04:05.999999999", text)
	if err != nil {
		panic(err)
	}
	return schema.TimestampValue{Millis: at.UnixMilli(), Nanos: int32(at.Nanosecond() % 1e6)}
}

func TestDeclaredValuesConvertExactly(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	decimal := `{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}}`
	for _, c := range []struct {
		field, value, column string
		want                 any
	}{
		{`{"type":"int8"}`, `-128`, "TINYINT", int8(-128)},
		{`{"type":"int32"}`, `7`, "BIGINT", int64(7)},
		{`{"type":"int64"}`, `9223372036854775807`, "DECIMAL(38, 0)", decimal128.FromI64(9223372036854775807)},
		{`{"type":"int32"}`, `7`, "STRING", "7"},
		{`{"type":"boolean"}`, `true`, "BOOLEAN", true},
		{`{"type":"boolean"}`, `true`, "INT", int32(1)},
		{`{"type":"int16"}`, `1`, "BOOLEAN", true},
		{`{"type":"float"}`, `0.1`, "FLOAT", float32(0.1)},
		{`{"type":"double"}`, `"-Infinity"`, "STRING", "-Infinity"},
		{`{"type":"double"}`, `10.499999999999999`, "DECIMAL(10, 2)", decimal128.FromI64(1050)},
		{`{"type":"string"}`, `"-1.50"`, "DECIMAL(10, 2)", decimal128.FromI64(-150)},
		{`{"type":"string"}`, `"caf\u00e9 \ud83d\ude80"`, "VARCHAR(6)", "café 🚀"},
		{`{"type":"bytes"}`, `"AP8Q"`, "BYTES", []byte{0, 255, 16}},
		{decimal, `"tmn9Lg=="`, "DECIMAL(12, 4)", decimal128.FromI64(-123456789000)},
		{decimal, `"tmn9Lg=="`, "STRING", "-12345678.90"},
		{decimal, `"AA=="`, "STRING", "0.00"},
		{decimal, `"/w=="`, "STRING", "-0.01"},
		{decimal, `-5.25`, "DECIMAL(12, 2)", decimal128.FromI64(-525)},
		{strings.Replace(decimal, `"2"`, `"-3"`, 1), `"BQ=="`, "STRING", "5000"},
		{`{"type":"struct","name":"io.debezium.data.VariableScaleDecimal"}`, `{"scale":5,"value":"AQ=="}`, "STRING", "0.00001"},
		{`{"type":"struct","name":"io.debezium.data.VariableScaleDecimal"}`, `{"scale":0,"value":"D0JA"}`, "DECIMAL(10, 1)", decimal128.FromI64(10000000)},
		{`{"type":"int32","name":"io.debezium.time.Date"}`, `-719162`, "DATE", int32(-719162)},
		{`{"type":"int32","name":"org.apache.kafka.connect.data.Date"}`, `19723`, "STRING", "2024-01-01"},
		{`{"type":"int32","name":"io.debezium.time.Time"}`, `45296789`, "TIME(3)", int32(45296789)},
		{`{"type":"int64","name":"io.debezium.time.MicroTime"}`, `86399999999`, "TIME(6)", int32(86399999)},
		{`{"type":"int64","name":"io.debezium.time.NanoTime"}`, `1000000`, "TIME(0)", int32(1)},
		{`{"type":"int64","name":"io.debezium.time.MicroTime"}`, `-3020399000000`, "STRING", "-838:59:59"},
		{`{"type":"int64","name":"io.debezium.time.Timestamp"}`, `-1`, "TIMESTAMP(3)", stamp("1969-12-31T23:59:59.999")},
		{`{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"}`, `-1`, "TIMESTAMP(9)", stamp("1969-12-31T23:59:59.999")},
		{`{"type":"int64","name":"io.debezium.time.MicroTimestamp"}`, `-1`, "TIMESTAMP(6)", stamp("1969-12-31T23:59:59.999999")},
		{`{"type":"int64","name":"io.debezium.time.NanoTimestamp"}`, `-1`, "TIMESTAMP(9)", stamp("1969-12-31T23:59:59.999999999")},
		{`{"type":"int64","name":"io.debezium.time.MicroTimestamp"}`, `1500`, "STRING", "1970-01-01T00:00:00.0015"},
		{`{"type":"int64","name":"io.debezium.time.Timestamp"}`, `0`, "TIMESTAMP(3) WITH LOCAL TIME ZONE", stamp("1969-12-31T23:00:00")},
		{`{"type":"string","name":"io.debezium.time.ZonedTimestamp"}`, `"2024-07-01T12:00:00+02:00"`, "TIMESTAMP(0) WITH LOCAL TIME ZONE", stamp("2024-07-01T10:00:00")},
		{`{"type":"string","name":"io.debezium.time.ZonedTimestamp"}`, `"2024-07-01T10:00:00Z"`, "TIMESTAMP(0)", stamp("2024-07-01T12:00:00")},
		{`{"type":"string","name":"io.debezium.time.ZonedTimestamp"}`, `"infinity"`, "STRING", "infinity"},
		{`{"type":"bytes","name":"io.debezium.data.Bits","parameters":{"length":"16"}}`, `"AQA="`, "BYTES", []byte{0, 1}},
		{`{"type":"bytes","name":"io.debezium.data.Bits","parameters":{"length":"16"}}`, `"BQ=="`, "BYTES", []byte{0, 5}},
		{`{"type":"struct","name":"io.debezium.data.geometry.Point"}`, `{"x":1,"y":2,"wkb":"AQE=","srid":null}`, "BYTES", []byte{1, 1}},
		{`{"type":"string","name":"io.debezium.data.Json"}`, `"{\"a\": 1}"`, "STRING", `{"a": 1}`},
		{`{"type":"array","items":{"type":"int32"}}`, `[1,null]`, "ARRAY<BIGINT>", []any{int64(1), nil}},
		{`{"type":"array","items":{"type":"int32"}}`, `[]`, "ARRAY<BIGINT>", []any{}},
		{`{"type":"map","keys":{"type":"string"},"values":{"type":"int32"}}`, `{"a":1}`, "MAP<STRING, INT>", [][2]any{{"a", int32(1)}}},
		{`{"type":"map","keys":{"type":"int32"},"values":{"type":"string"}}`, `[[1,"x"]]`, "MAP<INT, STRING>", [][2]any{{int32(1), "x"}}},
		{`{"type":"struct","fields":[{"field":"y","type":"string"},{"field":"x","type":"int32"}]}`, `{"y":"b","x":1}`, "ROW<x INT, y STRING, z INT>", []any{int32(1), "b", nil}},
		{`{"type":"int32"}`, `null`, "INT", nil},
	} {
		got, err := convert(t, c.field, c.value, c.column, cdc.MapperOptions{Zone: berlin})
		if err != nil {
			t.Errorf("%s %s into %s: %v", c.field, c.value, c.column, err)
		} else if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b decimal128.Num) bool { return a == b })); diff != "" {
			t.Errorf("%s %s into %s (-want +got):\n%s", c.field, c.value, c.column, diff)
		}
	}
}

func TestWhatDoesNotFitIsRefusedWithItsColumn(t *testing.T) {
	for _, c := range []struct{ field, value, column, reason string }{
		{`{"type":"int32"}`, `300`, "TINYINT", "out of range"},
		{`{"type":"int32"}`, `"x"`, "INT", "no value of the declared type int32"},
		{`{"type":"string"}`, `"long"`, "VARCHAR(3)", "more than 3 characters"},
		{`{"type":"string"}`, `"x"`, "BYTES", "cannot hold text"},
		{`{"type":"bytes"}`, `"?"`, "BYTES", "not base64"},
		{`{"type":"bytes"}`, `"AAAA"`, "VARBINARY(2)", "more than 2 bytes"},
		{`{"type":"bytes"}`, `"AAAA"`, "STRING", "cannot hold binary data"},
		{`{"type":"string"}`, `"1.234"`, "DECIMAL(10, 2)", "more than 2 digits after the point"},
		{`{"type":"double"}`, `1e300`, "DECIMAL(10, 2)", "before the point"},
		{`{"type":"double"}`, `"NaN"`, "DECIMAL(10, 2)", "NaN"},
		{`{"type":"int64","name":"io.debezium.time.MicroTime"}`, `-1`, "TIME(3)", "outside a day; declare the column STRING"},
		{`{"type":"int64","name":"io.debezium.time.Time"}`, `9223372036854775807`, "TIME(3)", "no time of day"},
		{`{"type":"int64","name":"io.debezium.time.MicroTimestamp"}`, `1`, "TIMESTAMP(3)", "more than 3 digits after the second"},
		{`{"type":"string","name":"io.debezium.time.ZonedTimestamp"}`, `"infinity"`, "TIMESTAMP(3)", "infinity"},
		{`{"type":"int16"}`, `2`, "BOOLEAN", "cannot hold the number"},
		{`{"type":"int32","name":"io.debezium.time.Date"}`, `1`, "INT", "cannot hold a date"},
		{`{"type":"struct","fields":[{"field":"y","type":"string"}]}`, `{"y":"b"}`, "ROW<x INT>", `field "y"`},
		{`{"type":"array","items":{"type":"int32"}}`, `[1,300]`, "ARRAY<TINYINT>", "element 1"},
		{`{"type":"array","items":{"type":"int32"}}`, `[1]`, "STRING", "cannot hold an array"},
	} {
		_, err := convert(t, c.field, c.value, c.column, cdc.MapperOptions{})
		var line *cdc.LineError
		if !errors.Is(err, fault.ErrInvalid) || !errors.As(err, &line) || line.Line != 1 || len(line.Text) == 0 ||
			!strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), `column "v"`) {
			t.Errorf("%s %s into %s: %v, want %q", c.field, c.value, c.column, err, c.reason)
		}
	}
}

func TestUndeclaredValuesFollowTheColumnAndTheModes(t *testing.T) {
	for _, c := range []struct {
		value, column string
		opts          cdc.MapperOptions
		want          any // an error holds this text when it is of type error
	}{
		{`1000000`, "TIME(6)", cdc.MapperOptions{}, int32(1000)},
		{`1000`, "TIME(3)", cdc.MapperOptions{}, int32(1000)},
		{`1000`, "TIME(6)", cdc.MapperOptions{Times: cdc.ConnectTimes}, int32(1000)},
		{`1000000`, "TIME(0)", cdc.MapperOptions{Times: cdc.AdaptiveMicroseconds}, int32(1000)},
		{`1000000000`, "TIME(0)", cdc.MapperOptions{Times: cdc.NanosecondTimes}, int32(1000)},
		{`1500`, "TIMESTAMP(6)", cdc.MapperOptions{}, stamp("1970-01-01T00:00:00.0015")},
		{`1500`, "TIMESTAMP(6)", cdc.MapperOptions{Times: cdc.ConnectTimes}, stamp("1970-01-01T00:00:01.5")},
		{`1500`, "TIMESTAMP(3)", cdc.MapperOptions{Times: cdc.AdaptiveMicroseconds}, stamp("1970-01-01T00:00:01.5")},
		{`1500`, "TIMESTAMP(9)", cdc.MapperOptions{}, stamp("1970-01-01T00:00:00.0000015")},
		{`"2024-01-01T00:00:00Z"`, "TIMESTAMP(3) WITH LOCAL TIME ZONE", cdc.MapperOptions{}, stamp("2024-01-01T00:00:00")},
		{`19723`, "DATE", cdc.MapperOptions{}, int32(19723)},
		{`"AP8="`, "BYTES", cdc.MapperOptions{}, []byte{0, 255}},
		{`{"wkb":"AQ==","srid":1}`, "BYTES", cdc.MapperOptions{}, []byte{1}},
		{`"bg=="`, "DECIMAL(10, 2)", cdc.MapperOptions{}, decimal128.FromI64(110)},
		{`"1.10"`, "DECIMAL(10, 2)", cdc.MapperOptions{}, decimal128.FromI64(110)},
		{`1.1`, "DECIMAL(10, 2)", cdc.MapperOptions{}, decimal128.FromI64(110)},
		{`"1234"`, "DECIMAL(10, 0)", cdc.MapperOptions{Decimals: cdc.StringDecimals}, decimal128.FromI64(1234)},
		{`"1234"`, "DECIMAL(10, 0)", cdc.MapperOptions{Decimals: cdc.PreciseDecimals}, decimal128.FromI64(-2658824)},
		{`"1234"`, "DECIMAL(10, 0)", cdc.MapperOptions{}, errors.New("decimal.handling.mode")},
		{`"99999999999999999999"`, "DECIMAL(20, 0)", cdc.MapperOptions{}, decimal128.Num(decimal128.FromU64(9999999999999999999).Mul(decimal128.FromI64(10)).Add(decimal128.FromI64(9)))},
		{`"AP//////////"`, "DECIMAL(20, 0)", cdc.MapperOptions{Decimals: cdc.StringDecimals}, decimal128.FromU64(18446744073709551615)},
		{`"Infinity"`, "DECIMAL(20, 0)", cdc.MapperOptions{}, errors.New("Infinity")},
		{`{"scale":1,"value":"Dw=="}`, "DECIMAL(5, 2)", cdc.MapperOptions{}, decimal128.FromI64(150)},
		{`{"scale":35,"value":"PIE/ZjbZhPJZW2o3KlPQ"}`, "STRING", cdc.MapperOptions{}, "3.14159265358979323846264338327950288"},
		{`{"scale":999999999,"value":"Dw=="}`, "DECIMAL(5, 2)", cdc.MapperOptions{}, errors.New("cannot hold an object")},
		{`{"a": [1]}`, "STRING", cdc.MapperOptions{}, `{"a": [1]}`},
		{`["Dw==",null]`, "ARRAY<DECIMAL(5, 1)>", cdc.MapperOptions{}, []any{decimal128.FromI64(15), nil}},
		{`{"k":1}`, "MAP<STRING, INT>", cdc.MapperOptions{}, [][2]any{{"k", int32(1)}}},
		{`{"b":"x"}`, "ROW<a INT, b STRING>", cdc.MapperOptions{}, []any{nil, "x"}},
		{`{"c":"x"}`, "ROW<a INT, b STRING>", cdc.MapperOptions{}, errors.New(`field "c"`)},
		{`true`, "BOOLEAN", cdc.MapperOptions{}, true},
		{`1.5`, "INT", cdc.MapperOptions{}, errors.New("whole")},
		{`1.5`, "DATE", cdc.MapperOptions{}, errors.New("whole number")},
		{`1`, "MULTISET<INT>", cdc.MapperOptions{}, errors.New("not supported")},
	} {
		e := one(t, debezium(plain("c", "null", `{"id":1,"v":`+c.value+`}`)))
		rows, err := mapper(t, table(t, "id BIGINT NOT NULL", "v "+c.column), c.opts).Rows(&e)
		if want, fails := c.want.(error); fails {
			if err == nil || !strings.Contains(err.Error(), want.Error()) {
				t.Errorf("%s into %s: %v, want %v", c.value, c.column, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s into %s: %v", c.value, c.column, err)
		} else if diff := cmp.Diff(c.want, rows[0].Values[1], cmp.Comparer(func(a, b decimal128.Num) bool { return a == b })); diff != "" {
			t.Errorf("%s into %s (-want +got):\n%s", c.value, c.column, diff)
		}
	}
}

func TestEarlierDecimalsSettleLaterOnes(t *testing.T) {
	for first, want := range map[string]int64{`"123"`: 1234, `"bg=="`: -2658824} {
		d := debezium(plain("c", "null", `{"id":1,"w":`+first+`}`), plain("c", "null", `{"id":1,"v":"1234"}`))
		m := mapper(t, table(t, "id BIGINT", "v DECIMAL(10, 0)", "w DECIMAL(10, 0)"), cdc.MapperOptions{})
		for range 2 {
			e := one(t, d)
			rows, err := m.Rows(&e)
			if err != nil {
				t.Fatal(err)
			}
			if e.Line == 2 && rows[0].Values[1] != decimal128.FromI64(want) {
				t.Errorf("after %s it is %v", first, rows[0].Values[1])
			}
		}
	}
}

func TestRecordsComeInManyWrappings(t *testing.T) {
	value := plain("c", "null", `{"id":1}`)
	quoted := fmt.Sprintf("%q", value)
	for _, line := range []string{
		value,
		`{"schema":null,"payload":` + value + `}`,
		`{"topic":"x","key":{"id":1},"value":` + value + `}`,
		`{"topic":"x","partition":0,"offset":7,"key":"{\"id\":1}","payload":` + quoted + `}`,
		`{"key":{"schema":{"type":"struct","fields":[{"field":"id","type":"int32"}]},"payload":{"id":1}},"value":` + value + `}`,
		"\xef\xbb\xbf  " + value + "\r",
	} {
		d := debezium(line, "", "null", `{"topic":"x","key":{"id":1},"value":null}`, `{"topic":"x","key":"k","payload":""}`)
		e := one(t, d)
		if e.Table != "s.t" || e.Database != "d" || e.Op != cdc.Create || e.Position != "lsn 7" || e.Millis != 5 || len(e.After) != 1 {
			t.Errorf("%s: %+v", line, e)
		}
		if strings.Contains(line, `"key"`) != (e.Key != nil) {
			t.Errorf("%s: key is %v", line, e.Key)
		}
		if _, err := d.Next(); err != io.EOF {
			t.Error(err)
		}
		if d.Counts().Tombstones != 3 {
			t.Errorf("%+v", d.Counts())
		}
	}
}

func TestOtherRecordsAreCounted(t *testing.T) {
	d := debezium(
		`{"ts_ms":1}`,
		`{"op":"m","message":{"prefix":"p"},"source":{}}`,
		`{"status":"BEGIN","id":"1","ts_ms":2}`,
		`{"source":{},"ddl":"DROP TABLE x","tableChanges":[]}`,
	)
	if _, err := d.Next(); err != io.EOF {
		t.Error(err)
	}
	want := cdc.Counts{Lines: 4, Other: 2, Transactions: 1, SchemaChanges: 1}
	if got := d.Counts(); got != want {
		t.Errorf("%+v", got)
	}
}

func TestMalformedLinesAreNamedAndTheRestIsRead(t *testing.T) {
	good := plain("c", "null", `{"id":1}`)
	for _, bad := range []string{
		`{`, `[1]`, `17`, `{"a":1}`, `{"op":"x"}`, `{"op":"c","source":{"db":"d","table":"t"}}`, "\xff",
		plain("c", "null", "null"), plain("c", "null", "7"), plain("d", "null", "null"), `{"op":"c","after":{"id":1}}`,
		`{"op":"c","after":{"id":1},"source":{"connector":"mongodb","collection":"x"}}`,
		`{"schema":{"type":"int32"},"payload":` + good + `}`,
		`{"schema":{"type":"struct","fields":[{"field":"after","type":"struct","fields":[]}]},"payload":` + good + `}`,
		`{"schema":{"type":"struct","fields":[{"field":"after","type":"struct","fields":[{"field":"id","type":"odd"}]}]},"payload":` + good + `}`,
		`{"topic":"t","value":"{"}`,
	} {
		d := debezium(good, bad, good)
		_ = one(t, d)
		_, err := d.Next()
		var line *cdc.LineError
		if !errors.As(err, &line) || line.Line != 2 || string(line.Text) != bad ||
			!errors.Is(err, fault.ErrInvalid) && !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%s: %v", bad, err)
		}
		if e := one(t, d); e.Line != 3 {
			t.Errorf("%s: the next event is of line %d", bad, e.Line)
		}
	}
}

func TestLongLinesAreSkipped(t *testing.T) {
	good := plain("c", "null", `{"id":1}`)
	input := good + "\n" + `{"x":"` + strings.Repeat("x", 200_000) + `"}` + "\n" + good
	d := cdc.NewDebezium(iotest.HalfReader(strings.NewReader(input)), cdc.Options{MaxLine: 100_000})
	_ = one(t, d)
	if _, err := d.Next(); err == nil || !strings.Contains(err.Error(), "line 2: invalid: is longer than 100000 bytes") {
		t.Error(err)
	}
	if e := one(t, d); e.Line != 3 {
		t.Error(e.Line)
	}
}

func TestReadErrorsEndTheInput(t *testing.T) {
	broken := errors.New("connection reset")
	d := cdc.NewDebezium(io.MultiReader(strings.NewReader("null\n"), iotest.ErrReader(broken)), cdc.Options{})
	for range 2 {
		if _, err := d.Next(); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
}

func TestSeveralTablesAreListedUntilOneIsChosen(t *testing.T) {
	all := readAllErr(cdc.NewCanal(fixture(t, "canal/flat"), cdc.Options{}))
	for _, name := range []string{"shop.all_types", "shop.customers", "shop.no_pk", "shop.order_lines", "shop.orders_0", "shop.orders_1", "shop.later", "shop.later2"} {
		if !errors.Is(all, fault.ErrInvalid) || !strings.Contains(all.Error(), name) {
			t.Errorf("%v does not list %s", all, name)
		}
	}
	dir := "mysql-9.7_dbz-3.5.0/plain"
	for pattern, want := range map[string]int{"shop.orders_*": 7, "orders_0": 4, "shop.customers": 21, "none": 0} {
		d := cdc.NewDebezium(fixture(t, dir), cdc.Options{Tables: []string{pattern}})
		if got := len(readAll(t, d)); got != want || d.Counts().Rows != want {
			t.Errorf("%s: %d events, %+v", pattern, got, d.Counts())
		}
	}
	pg := cdc.NewDebezium(fixture(t, "postgres-15_dbz-3.5.0/plain"), cdc.Options{Tables: []string{"peer.shop.docs"}})
	if got := len(readAll(t, pg)); got != 4 {
		t.Errorf("by full name: %d events", got)
	}
	if _, err := cdc.NewCanal(strings.NewReader(""), cdc.Options{Tables: []string{"["}}).Next(); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
}

func readAllErr(d *cdc.Decoder) error {
	for {
		if _, err := d.Next(); err != nil {
			return err
		}
	}
}

func TestMapperTurnsEventsIntoRows(t *testing.T) {
	tab := table(t, "id INT NOT NULL", "v STRING", "n INT NOT NULL")
	for _, c := range []struct{ line, want string }{
		{plain("r", "null", `{"id":1,"v":"a","n":2}`), "+I[1 a 2]"},
		{plain("c", "null", `{"id":1,"n":2}`), "+I[1 <nil> 2]"},
		{plain("u", "null", `{"id":1,"v":"b","n":2}`), "+U[1 b 2]"},
		{plain("u", `{"id":1,"v":"a","n":1}`, `{"id":1,"v":"b","n":2}`), "+U[1 b 2]"},
		{plain("u", `{"id":1,"v":"a","n":1}`, `{"id":2,"v":"b","n":2}`), "-D[1 a 1] +U[2 b 2]"},
		{plain("u", `{"id":1}`, `{"id":2,"v":"b","n":2}`), "-D[1 <nil> 0] +U[2 b 2]"},
		{plain("d", `{"id":1,"v":"a","n":1}`, "null"), "-D[1 a 1]"},
		{plain("d", `{"id":1,"v":null,"n":null}`, "null"), "-D[1 <nil> 0]"},
		{`{"key":{"id":1},"value":` + plain("d", "null", "null") + `}`, "-D[1 <nil> 0]"},
		{`{"key":{"id":1},"value":` + plain("d", `{"v":"a"}`, "null") + `}`, "-D[1 a 0]"},
	} {
		e := one(t, debezium(c.line))
		rows, err := mapper(t, tab, cdc.MapperOptions{}).Rows(&e)
		if err != nil {
			t.Error(c.line, err)
			continue
		}
		var got []string
		for _, r := range rows {
			got = append(got, r.Kind.String()+fmt.Sprint(r.Values))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s gives %q, want %q", c.line, got, c.want)
		}
	}
}

func TestMapperRefusesByName(t *testing.T) {
	pk := table(t, "id INT NOT NULL", "v STRING")
	appendOnly := table(t, "id INT", "v STRING")
	appendOnly.PrimaryKeys = nil
	for _, c := range []struct {
		line  string
		table *schema.Table
		class error
		text  string
	}{
		{plain("t", "null", "null"), pk, fault.ErrUnsupported, "truncate of s.t"},
		{plain("u", "null", `{"id":1}`), appendOnly, fault.ErrUnsupported, "update of s.t into a table without a primary key"},
		{plain("d", `{"id":1}`, "null"), appendOnly, fault.ErrUnsupported, "delete of s.t into a table without a primary key"},
		{plain("c", "null", `{"id":1,"extra":2}`), pk, fault.ErrInvalid, `column "extra" of s.t is not in the table`},
		{plain("d", `{"v":"x"}`, "null"), pk, fault.ErrInvalid, `key column "id"`},
		{plain("u", "null", `{"id":1,"v":"__debezium_unavailable_value"}`), pk, fault.ErrInvalid, "REPLICA IDENTITY FULL"},
	} {
		e := one(t, debezium(c.line))
		_, err := mapper(t, c.table, cdc.MapperOptions{}).Rows(&e)
		if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Errorf("%s: %v", c.line, err)
		}
		if errors.Is(err, fault.ErrUnsupported) != strings.Contains(err.Error(), "not supported") {
			t.Errorf("%s: class and words differ: %v", c.line, err)
		}
	}
	e := one(t, debezium(plain("c", "null", `{"id":1,"extra":2}`)))
	if rows, err := mapper(t, pk, cdc.MapperOptions{DropUnknown: true}).Rows(&e); err != nil || len(rows) != 1 {
		t.Error(rows, err)
	}
	for _, opts := range []cdc.MapperOptions{{Times: "x"}, {Decimals: "x"}} {
		if _, err := cdc.NewMapper(pk, opts); !errors.Is(err, fault.ErrInvalid) {
			t.Error(err)
		}
	}
	pk.PrimaryKeys = []string{"none"}
	if _, err := cdc.NewMapper(pk, cdc.MapperOptions{}); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
}

func TestUnavailableValuesAreFoundInEveryForm(t *testing.T) {
	const placeholder = "__debezium_unavailable_value"
	codes := strings.Trim(strings.ReplaceAll(fmt.Sprint([]byte(placeholder)), " ", ","), "[]")
	for _, c := range []struct{ column, value string }{
		{"STRING", `"` + placeholder + `"`},
		{"BYTES", `"` + base64.StdEncoding.EncodeToString([]byte(placeholder)) + `"`},
		{"ARRAY<STRING>", `["` + placeholder + `"]`},
		{"ARRAY<INT>", "[" + codes + "]"},
	} {
		m := mapper(t, table(t, "id INT NOT NULL", "v "+c.column), cdc.MapperOptions{
			Unavailable: func(column string, key []any) (any, error) {
				if column != "v" || fmt.Sprint(key) != "[1]" {
					return nil, fmt.Errorf("asked for %s of %v", column, key)
				}
				return "fetched", nil
			},
		})
		e := one(t, debezium(plain("u", "null", `{"v":`+c.value+`,"id":1}`)))
		if rows, err := m.Rows(&e); err != nil || rows[0].Values[1] != "fetched" {
			t.Errorf("%s: %v, %v", c.value, rows, err)
		}
	}
	m := mapper(t, table(t, "id INT NOT NULL", "v STRING"), cdc.MapperOptions{})
	e := one(t, debezium(plain("u", `{"id":1,"v":"old"}`, `{"id":1,"v":"`+placeholder+`"}`)))
	if rows, err := m.Rows(&e); err != nil || rows[0].Values[1] != "old" {
		t.Errorf("the row before the update is not used: %v, %v", rows, err)
	}
}

func canal(types, data string) string {
	return fmt.Sprintf(`{"data":[{"id":"1","v":%s}],"database":"d","table":"t","type":"INSERT","isDdl":false,"es":9,"id":3,"pkNames":["id"],"mysqlType":{"id":"int(11)","v":%q},"old":null}`, data, types)
}

func TestCanalTypesAndValues(t *testing.T) {
	for _, c := range []struct {
		declared, value, column string
		want                    any
	}{
		{"tinyint(1)", `"2"`, "TINYINT", int8(2)},
		{"tinyint(3) unsigned", `"255"`, "SMALLINT", int16(255)},
		{"smallint(5) unsigned", `"65535"`, "INT", int32(65535)},
		{"mediumint(8) unsigned zerofill", `"00000007"`, "INT", int32(7)},
		{"int(10) unsigned", `"4294967295"`, "BIGINT", int64(4294967295)},
		{"bigint(20) unsigned", `"18446744073709551615"`, "DECIMAL(20, 0)", decimal128.FromU64(18446744073709551615)},
		{"float", `"3.4E38"`, "FLOAT", float32(3.4e38)},
		{"double(10,2)", `"0.1"`, "DOUBLE", 0.1},
		{"decimal(10,2) unsigned", `"1.10"`, "DECIMAL(10, 2)", decimal128.FromI64(110)},
		{"decimal(65,30)", `"1.10"`, "STRING", "1.10"},
		{"bit(1)", `"1"`, "BOOLEAN", true},
		{"bit(16)", `"43690"`, "BYTES", []byte{0xAA, 0xAA}},
		{"bit(16)", `"1"`, "BYTES", []byte{0, 1}},
		{"date", `"1000-01-01"`, "DATE", int32(-354285)},
		{"time(6)", `"23:59:59.999999"`, "TIME(6)", int32(86399999)},
		{"time", `"-838:59:59"`, "STRING", "-838:59:59"},
		{"datetime(3)", `"2024-02-29 12:34:56.789"`, "TIMESTAMP(3)", stamp("2024-02-29T12:34:56.789")},
		{"timestamp(6)", `"2024-01-01 00:00:00.5"`, "TIMESTAMP(6) WITH LOCAL TIME ZONE", stamp("2024-01-01T00:00:00.5")},
		{"year(4)", `"1901"`, "INT", int32(1901)},
		{"varchar(255)", `"x"`, "STRING", "x"},
		{"json", `"{}"`, "STRING", "{}"},
		{"binary(4)", `"ab"`, "BYTES", []byte("ab\x00\x00")},
		{"blob", `"\u0000\u00ff\u0010"`, "BYTES", []byte{0, 255, 16}},
		{"point", `"\u0001\u0000\u0000\u0000\u0007"`, "BYTES", []byte{7}},
		{"enum('small','it''s, (big)')", `"2"`, "STRING", "it's, (big)"},
		{"enum('a','b')", `"b"`, "STRING", "b"},
		{"enum('a')", `"0"`, "STRING", ""},
		{"set('a','b','c')", `"5"`, "STRING", "a,c"},
		{"set('a','b','c')", `"a,c"`, "STRING", "a,c"},
		{"newfangled", `"x"`, "STRING", "x"},
		{"int(11)", `7`, "INT", int32(7)},
		{"int(11)", `null`, "INT", nil},
	} {
		d := cdc.NewCanal(strings.NewReader(canal(c.declared, c.value)), cdc.Options{})
		e := one(t, d)
		def, notes, err := cdc.Infer([]cdc.Event{e})
		if err != nil {
			t.Fatal(err)
		}
		if got := def.Columns[1].Type.String(); got != c.column {
			t.Errorf("%s is a column of type %s, want %s", c.declared, got, c.column)
		}
		if strings.Contains(c.value, "838") != (len(notes) == 1) {
			t.Errorf("%s: notes %q", c.declared, notes)
		}
		rows, err := mapper(t, tableOf(def), cdc.MapperOptions{}).Rows(&e)
		if err != nil {
			t.Error(c.declared, err)
		} else if diff := cmp.Diff(c.want, rows[0].Values[1], cmp.Comparer(func(a, b decimal128.Num) bool { return a == b })); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.declared, c.value, diff)
		}
	}
}

func TestCanalValuesThatLieAreRefused(t *testing.T) {
	for _, c := range []struct{ declared, value string }{
		{"enum('a')", `"2"`}, {"enum('a')", `"b"`}, {"set('a')", `"2"`}, {"set('a')", `"b"`},
		{"blob", `"日"`}, {"bit(16)", `"x"`}, {"int(11)", `"x"`}, {"datetime", `"0000-00-00 00:00:00"`}, {"int(11)", `{}`},
	} {
		e := one(t, cdc.NewCanal(strings.NewReader(canal(c.declared, c.value)), cdc.Options{}))
		column := map[string]string{"e": "STRING", "s": "STRING", "b": "BYTES", "i": "INT", "d": "TIMESTAMP(0)"}[c.declared[:1]]
		_, err := mapper(t, table(t, "id INT NOT NULL", "v "+column), cdc.MapperOptions{}).Rows(&e)
		if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), `column "v"`) {
			t.Errorf("%s %s: %v", c.declared, c.value, err)
		}
	}
}

func TestCanalMessages(t *testing.T) {
	in := strings.Join([]string{
		`{"data":[{"id":"2","v":"b"},{"id":"3","v":"c"}],"old":[{"id":"1"},{"v":"x"}],"type":"UPDATE","database":"d","table":"t","pkNames":["id"],"mysqlType":{"id":"int","v":"text"}}`,
		`{"data":[{"id":"3","v":"c"}],"type":"DELETE","database":"d","table":"t","pkNames":["id"],"mysqlType":null,"sqlType":{"id":4,"v":12}}`,
		`{"data":null,"type":"TRUNCATE","isDdl":true,"database":"d","table":"t","sql":"TRUNCATE TABLE t"}`,
		`{"data":null,"type":"ALTER","isDdl":true,"database":"d","table":"t","sql":"ALTER TABLE t"}`,
		`{"data":null,"type":"QUERY","isDdl":false,"database":"","table":"","sql":"INSERT"}`,
		`null`,
	}, "\n")
	d := cdc.NewCanal(strings.NewReader(in), cdc.Options{})
	m := mapper(t, table(t, "id INT NOT NULL", "v STRING"), cdc.MapperOptions{})
	var got []string
	for {
		e, err := d.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Op == cdc.Truncate {
			got = append(got, "truncate")
			continue
		}
		rows, err := m.Rows(&e)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got = append(got, r.Kind.String()+fmt.Sprint(r.Values))
		}
	}
	if want := "-D[1 b] +U[2 b] +U[3 c] -D[3 c] truncate"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if c := d.Counts(); c.Rows != 3 || c.Truncates != 1 || c.SchemaChanges != 1 || c.Other != 1 || c.Tombstones != 1 {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{`{}`, `7`, `{"type":"INSERT","data":7}`, `{"type":"INSERT","data":[null]}`, `{"type":"ODD","data":[]}`,
		`{"type":"INSERT","data":[{"id":"1"}],"pkNames":["x"]}`, `{"type":"UPDATE","data":[{"id":"1"}],"old":[7]}`} {
		if _, err := cdc.NewCanal(strings.NewReader(bad), cdc.Options{}).Next(); !errors.Is(err, fault.ErrInvalid) && !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestInferNeedsTypesAndOneKey(t *testing.T) {
	e := one(t, debezium(plain("c", "null", `{"id":1}`)))
	if _, _, err := cdc.Infer([]cdc.Event{e}); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "schemas.enable") {
		t.Error(err)
	}
	if _, _, err := cdc.Infer(nil); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
	one := canal("int", `"1"`)
	events := readAll(t, cdc.NewCanal(strings.NewReader(one+"\n"+strings.Replace(one, `["id"]`, `["v"]`, 1)), cdc.Options{}))
	if _, _, err := cdc.Infer(events); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "line 2: ") {
		t.Error(err)
	}
}

func TestInferWidensColumnsThatChanged(t *testing.T) {
	for _, c := range []struct{ first, then, want string }{
		{"int", "bigint", "BIGINT"}, {"bigint", "smallint", "BIGINT"},
		{"decimal(10,2)", "decimal(20,4)", "DECIMAL(20, 4)"}, {"decimal(10,2)", "decimal(10,4)", "DECIMAL(12, 4)"},
		{"int", "decimal(5,2)", "DECIMAL(12, 2)"}, {"decimal(38,30)", "bigint", "STRING"},
		{"float", "double", "DOUBLE"}, {"datetime(3)", "datetime(6)", "TIMESTAMP(6)"}, {"int", "varchar(5)", "STRING"},
	} {
		events := readAll(t, cdc.NewCanal(strings.NewReader(canal(c.first, "null")+"\n"+canal(c.then, "null")), cdc.Options{}))
		def, _, err := cdc.Infer(events)
		if err != nil {
			t.Fatal(err)
		}
		if got := def.Columns[1].Type.String(); got != c.want {
			t.Errorf("%s and %s make %s, want %s", c.first, c.then, got, c.want)
		}
		if def.Columns[0].Type.Nullable || !def.Columns[1].Type.Nullable || fmt.Sprint(def.PrimaryKey) != "[id]" {
			t.Errorf("%+v", def)
		}
	}
}

func TestOpsHaveNames(t *testing.T) {
	for op, want := range map[cdc.Op]string{cdc.Read: "snapshot read", cdc.Create: "insert", cdc.Update: "update", cdc.Delete: "delete", cdc.Truncate: "truncate", 'x': `operation 'x'`} {
		if op.String() != want {
			t.Error(op.String())
		}
	}
}
