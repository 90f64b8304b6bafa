//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/schema"
)

// castVector is one line of internal/cast/testdata/casts.jsonl: values of one
// type, and what Java reads them as once the column has another type. An output
// that begins with "error" is a value on which Java fails.
type castVector struct {
	From string            `json:"from"`
	To   string            `json:"to"`
	Zone string            `json:"zone"`
	In   []json.RawMessage `json:"in"`
	Out  []json.RawMessage `json:"out"`
}

// castInputs are values of every type, the edges among them.
var castInputs = []struct{ typ, values string }{
	{"TINYINT", `0,1,-1,127,-128`},
	{"SMALLINT", `0,7,-129,32767,-32768,300`},
	{"INT", `0,1,-1,2147483647,-2147483648,16777217,86400,65536,383`},
	{"BIGINT", `0,-1,9223372036854775807,-9223372036854775808,1234567890123,9007199254740993,1700000000,253402300800`},
	{"FLOAT", `0,-0.0,1.5,-2.5,1e10,3.4e38,1e-45,0.1,16777216,123456.79,"NaN","Infinity","-Infinity",1e7,9999999,0.001,0.00099`},
	{"DOUBLE", `0,-0.0,0.5,-1.9999999,1e19,-1e300,5e-324,0.1,123456789.125,"NaN","Infinity","-Infinity",1e7,0.001,1e22,2.5,3.5,1.005`},
	{"DECIMAL(5, 2)", `"0.00","1.50","-1.50","999.99","-999.99","0.05","2.45","2.55"`},
	{"DECIMAL(18, 6)", `"0.000000","123456789012.123456","-0.000001","999999999999.999999","2.500000","-2.500000"`},
	{"DECIMAL(38, 10)", `"0.0000000000","1234567890123456789012345678.1234567891","-9999999999999999999999999999.9999999999","0.5000000000","18446744073709551617.5000000000"`},
	{"BOOLEAN", `true,false`},
	{"CHAR(4)", `"ab","true","1","abcd","äöü€"`},
	{"VARCHAR(30)", `"1","-7","+7","1.9",".","","abc","true","YES","n","1e3","-1.5E-3"," 12 ","128","2147483648","NaN","Infinity","1.5f","0x1p3","2024-02-29","2023-02-29","2024-1-2","2024-01-02 03:04:05","2024-01-02 03:04:05.123456789","0001-01-01","24:00","10:11","10:11:12.3456","10:11:12+02:30","2024-02-30 00:00:00","2024-01-02 24:00:00","1700000000123","-1","ünïcödé","99999.995","2024-03-10 02:30:00","2024-11-03 01:30:00","1969-12-31 23:59:59.9"`},
	{"STRING", `"plain","ünïcödé","12345","","2024-01-02T03:04:05","1e400","123456789012345678901234567890","0.005","9223372036854775808"`},
	{"BINARY(4)", `"61626364","00ff1020","c3a4c3b6"`},
	{"VARBINARY(10)", `"","61","616263646566","c3a4"`},
	{"DATE", `"1970-01-01","1969-12-31","2024-02-29","0001-01-01","9999-12-31","2024-03-10"`},
	{"TIME(0)", `"00:00:00.000","23:59:59.000","10:11:12.000"`},
	{"TIME(3)", `"00:00:00.000","23:59:59.999","10:11:12.120","10:11:12.100"`},
	{"TIMESTAMP(0)", `"1970-01-01T00:00:00","1969-12-31T23:59:59","2024-03-10T02:30:00","2024-11-03T01:30:00","9999-12-31T23:59:59","0001-01-01T00:00:00"`},
	{"TIMESTAMP(3)", `"1970-01-01T00:00:00.000","1969-12-31T23:59:59.999","2024-02-29T12:34:56.789","1900-01-01T00:00:00.001"`},
	{"TIMESTAMP(6)", `"1970-01-01T00:00:00.000000","1969-12-31T23:59:59.999999","2024-02-29T12:34:56.789012","2024-02-29T12:34:56.100000","1969-12-31T23:59:58.000100"`},
	{"TIMESTAMP(9)", `"1970-01-01T00:00:00.000000000","1969-12-31T23:59:59.999999999","2024-02-29T12:34:56.789012345","2024-02-29T12:34:56.100000000"`},
	{"TIMESTAMP(3) WITH LOCAL TIME ZONE", `"1970-01-01T00:00:00.000Z","1969-12-31T23:59:59.999Z","2024-03-10T07:30:00.500Z","2024-11-03T05:30:00.000Z","1850-01-01T00:00:00.000Z"`},
	{"TIMESTAMP(6) WITH LOCAL TIME ZONE", `"1970-01-01T00:00:00.000000Z","1969-12-31T23:59:59.999999Z","2024-02-29T23:34:56.789012Z"`},
	{"ARRAY<INT>", `[],[1],[1,null,-3]`},
	{"ARRAY<ARRAY<DOUBLE>>", `[],[[1,2.5],null,[]]`},
	{"MAP<STRING, DECIMAL(5, 2)>", `[],[["a","1.00"]],[["b",null]]`},
	{"ROW<a INT, b STRING NOT NULL, c DATE, d BOOLEAN, e TIMESTAMP(3), f TIME(3), g FLOAT>", `{"a":1,"b":"x","c":"2024-02-29","d":true,"e":"2024-02-29T12:34:56.700","f":"10:11:12.120","g":1e10},{"a":null,"b":"","c":null,"d":null,"e":null,"f":null,"g":null}`},
}

var castTargets = []string{
	"TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(5, 2)", "DECIMAL(4, 0)", "DECIMAL(18, 3)", "DECIMAL(20, 6)", "DECIMAL(38, 12)", "BOOLEAN",
	"CHAR(3)", "CHAR(8)", "VARCHAR(3)", "STRING", "BINARY(3)", "BINARY(8)", "VARBINARY(3)", "BYTES", "DATE", "TIME(0)", "TIME(3)",
	"TIMESTAMP(0)", "TIMESTAMP(1)", "TIMESTAMP(3)", "TIMESTAMP(4)", "TIMESTAMP(6)", "TIMESTAMP(9)", "TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP(6) WITH LOCAL TIME ZONE",
}

// TestJavaCastsAsRecorded lets Java read columns whose type was altered, and
// compares with what the unit tests of internal/cast are held to.
func TestJavaCastsAsRecorded(t *testing.T) {
	const file = "../internal/cast/testdata/casts.jsonl"
	var got []string
	for _, zone := range []string{"UTC", "America/New_York"} {
		t.Setenv("PEER_TZ", zone)
		s, err := startServer("peer/peer", "serve")
		if err != nil {
			t.Fatal(err)
		}
		p := &peer{server: s, dir: t.TempDir()}
		for _, in := range castInputs {
			for _, v := range javaCasts(t, p, in.typ, "["+in.values+"]", zone) {
				var line bytes.Buffer
				enc := json.NewEncoder(&line)
				enc.SetEscapeHTML(false)
				if err := enc.Encode(v); err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.TrimSpace(line.String()))
			}
		}
		s.stop()
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(want) != len(got) {
		t.Fatalf("%d vectors, recorded %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("java\n%s\nrecorded\n%s", got[i], want[i])
		}
	}
}

// javaCasts writes the values into one column for each type they cast to, each
// row into a partition of its own, alters all columns and reads one by one.
func javaCasts(t *testing.T, p *peer, from, values, zone string) []castVector {
	t.Helper()
	var in []json.RawMessage
	if err := json.Unmarshal([]byte(values), &in); err != nil {
		t.Fatal(err)
	}
	fromType, err := schema.ParseType(from)
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, to := range castTargets {
		typ, err := schema.ParseType(to)
		if err != nil {
			t.Fatal(err)
		}
		zoned := strings.Contains(from+to, "LOCAL")
		if schema.SupportsCast(fromType, typ, true) && !fromType.EqualIgnoringNullability(typ) && (zone == "UTC" || zoned) {
			targets = append(targets, to)
		}
	}
	if len(targets) == 0 {
		return nil
	}
	columns := []string{`{"name":"p","type":"INT"}`}
	var changes []string
	for i, to := range targets {
		columns = append(columns, fmt.Sprintf(`{"name":"c%d","type":%q}`, i, from))
		changes = append(changes, "--type", fmt.Sprintf("c%d %s", i, to))
	}
	var rows []string
	for i, v := range in {
		row := fmt.Sprintf(`{"p":%d`, i)
		for c := range targets {
			row += fmt.Sprintf(`,"c%d":%s`, c, v)
		}
		rows = append(rows, row+"}")
	}
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(_ []string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", from, err)
		}
	}
	must(p.run("a.c", "create", "--replace", "--schema", put("table", `{"columns":[`+strings.Join(columns, ",")+`],"pk":[],"partition":["p"],"options":{"bucket":"-1"}}`)))
	must(p.run("a.c", "write", "--input", put("rows", strings.Join(rows, "\n"))))
	must(p.run("a.c", "alter", changes...))
	var out []castVector
	for i, to := range targets {
		v := castVector{From: from, To: to, Zone: zone, In: in}
		column := fmt.Sprintf("c%d", i)
		lines, err := p.run("a.c", "scan", "--projection", "p,"+column)
		for r := range in {
			if err != nil {
				lines, v.Out = nil, append(v.Out, javaCast(p, column, r))
				continue
			}
			at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, fmt.Sprintf(`{"p":%d,`, r)) })
			v.Out = append(v.Out, cell(t, lines[at], column))
		}
		out = append(out, v)
	}
	return out
}

// javaCast reads a single value.
func javaCast(p *peer, column string, row int) json.RawMessage {
	lines, err := p.run("a.c", "scan", "--projection", "p,"+column, "--filter", fmt.Sprintf("p = %d", row))
	if err != nil {
		return json.RawMessage(`"error"`)
	}
	var m map[string]json.RawMessage
	if len(lines) != 1 || json.Unmarshal([]byte(lines[0]), &m) != nil {
		return json.RawMessage(`"lost"`)
	}
	return m[column]
}

func cell(t *testing.T, line, column string) json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	return m[column]
}
