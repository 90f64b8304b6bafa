package schema

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidelake/tidelake/internal/fault"
)

var optionBlock = regexp.MustCompile(`(?s)"options" : \{\n(.*?)\n  \}`)

// sortOptions puts the lines of the options into alphabetical order: Java
// writes them in the order of a hash table.
func sortOptions(text string) string {
	return optionBlock.ReplaceAllStringFunc(text, func(block string) string {
		lines := strings.Split(strings.ReplaceAll(optionBlock.FindStringSubmatch(block)[1], ",\n", "\n"), "\n")
		slices.Sort(lines)
		return "\"options\" : {\n" + strings.Join(lines, ",\n") + "\n  }"
	})
}

func schemaFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, _ := filepath.Glob("testdata/schemas/*.json")
	if len(names) < 10 {
		t.Fatalf("%d schema files", len(names))
	}
	out := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = data
	}
	return out
}

func TestPaimonsSchemaFilesAreWrittenBackByteForByte(t *testing.T) {
	for name, data := range schemaFiles(t) {
		table, err := ParseTable(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := table.Marshal()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(sortOptions(string(data)), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		err = table.Validate()
		if refused := name == "types_variant.json"; refused != errors.Is(err, fault.ErrUnsupported) || !refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFieldIDsAreThoseOfPaimon(t *testing.T) {
	want, err := ParseTable(schemaFiles(t)["nested_pk_parquet.json"])
	if err != nil {
		t.Fatal(err)
	}
	d := Definition{PrimaryKey: want.PrimaryKeys, Options: want.Options}
	for _, f := range want.Fields {
		d.Columns = append(d.Columns, Column{Name: f.Name, Type: mustType(t, f.Type.String())})
	}
	got, err := d.Table(want.TimeMillis)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
		t.Error(diff)
	}
}

func TestOldVersionsSayWhatTheyTookForGranted(t *testing.T) {
	const body = `"id":0,"fields":[{"id":0,"name":"a","type":"VARCHAR(2147483647)"}],"highestFieldId":0,"partitionKeys":[],"primaryKeys":[],"options":{%},"unknown":[1]}`
	for _, c := range []struct {
		head, options string
		want          map[string]string
	}{
		{`{`, ``, map[string]string{"bucket": "1", "file.format": "orc"}},
		{`{"version":1,`, `"bucket":"3"`, map[string]string{"bucket": "3", "file.format": "orc"}},
		{`{"version":2,`, ``, map[string]string{"file.format": "orc"}},
		{`{"version":2,`, `"file.format":"avro"`, map[string]string{"file.format": "avro"}},
		{`{"version":3,`, ``, map[string]string{}},
	} {
		table, err := ParseTable([]byte(c.head + strings.Replace(body, "%", c.options, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, table.Options); diff != "" {
			t.Errorf("%s: %s", c.head, diff)
		}
		if got := table.Fields[0].Type.String(); got != "STRING" || table.TimeMillis != 0 {
			t.Errorf("%s, %d", got, table.TimeMillis)
		}
	}
	_, err := ParseTable([]byte(`{"version":4,` + strings.Replace(body, "%", "", 1)))
	if !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("version 4: %v", err)
	}
}

func TestBrokenSchemaFilesAreCorrupt(t *testing.T) {
	good := string(schemaFiles(t)["schema-evolved.json"])
	for what, broken := range map[string]string{
		"truncated":         good[:len(good)/2],
		"empty":             "",
		"trailing":          good + "{}",
		"not an object":     "[]",
		"id twice":          strings.Replace(good, `"id" : 6`, `"id" : 5`, 1),
		"negative id":       strings.Replace(good, `"id" : 6`, `"id" : -6`, 1),
		"key is no column":  strings.Replace(good, `"primaryKeys" : [ "k" ]`, `"primaryKeys" : [ "z" ]`, 1),
		"type is no type":   strings.Replace(good, `"BIGINT"`, `"BIGINTS"`, 1),
		"member twice":      strings.Replace(good, `"highestFieldId" : 7`, `"highestFieldId" : 7, "highestFieldId" : 8`, 1),
		"option is a list":  strings.Replace(good, `"bucket" : "1"`, `"bucket" : [ ]`, 1),
		"row without ids":   strings.Replace(good, `"BIGINT"`, `"ROW<a INT>"`, 1),
		"column name twice": strings.Replace(good, `"name" : "w"`, `"name" : "k"`, 1),
		"number too large":  strings.Replace(good, `"highestFieldId" : 7`, `"highestFieldId" : 99999999999`, 1),
		"deep":              `{"fields":` + strings.Repeat("[", 5000),
	} {
		if broken == good {
			t.Fatalf("%s changes nothing", what)
		}
		if _, err := ParseTable([]byte(broken)); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestStringsAreEscapedAsJavaDoes(t *testing.T) {
	table := &Table{Fields: []Field{}, Comment: "a\"b\\c\n\t\x01\u2028<é/", Options: map[string]string{}}
	got, err := table.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if want := `"comment" : "a\"b\\c\n\t\u0001` + "\u2028" + `<é/"`; !strings.Contains(string(got), want) {
		t.Errorf("%s lacks %s", got, want)
	}
	if !strings.Contains(string(got), "\"fields\" : [ ],") || !strings.Contains(string(got), `"options" : { },`) {
		t.Errorf("%s", got)
	}
}

func TestBucketModes(t *testing.T) {
	for _, c := range []struct {
		pk, partition []string
		bucket        string
		want          BucketMode
	}{
		{[]string{"k"}, nil, "4", HashFixed},
		{[]string{"k"}, nil, "", HashDynamic},
		{[]string{"k", "p"}, []string{"p"}, "-1", HashDynamic},
		{[]string{"k"}, []string{"p"}, "-1", KeyDynamic},
		{[]string{"k"}, []string{"p"}, "2", HashFixed},
		{[]string{"k"}, nil, "-2", Postpone},
		{nil, nil, "-1", BucketUnaware},
		{nil, nil, "5", HashFixed},
	} {
		table := &Table{PrimaryKeys: c.pk, PartitionKeys: c.partition, Options: map[string]string{"bucket": c.bucket}}
		if got := table.BucketMode(); got != c.want {
			t.Errorf("%v: %v", c, got)
		}
	}
}

func TestDerivedColumns(t *testing.T) {
	d, err := ParseDefinition([]byte(`{"columns":[{"name":"dt","type":"STRING"},{"name":"v","type":"INT"},{"name":"b","type":"INT"},{"name":"a","type":"BIGINT"}],
		"primary-key":["a","dt","b"],"partition-by":"dt","options":{"bucket":2,"bucket-key":"b"}}`))
	if err != nil {
		t.Fatal(err)
	}
	table, err := d.Table(1)
	if err != nil {
		t.Fatal(err)
	}
	names := func(fields []Field) (out []string) {
		for _, f := range fields {
			out = append(out, f.Name)
		}
		return out
	}
	check := func(what string, fields []Field, want ...string) {
		if !slices.Equal(names(fields), want) {
			t.Errorf("%s: %v", what, names(fields))
		}
	}
	check("partition", table.PartitionFields(), "dt")
	check("key", table.KeyFields(), "a", "b")
	check("bucket", table.BucketKeyFields(), "b")
	check("file", table.FileFields(false), "_KEY_a", "_KEY_b", SequenceName, ValueKindName, "dt", "v", "b", "a")
	check("thin file", table.FileFields(true), SequenceName, ValueKindName, "dt", "v", "b", "a")
	if key := table.FileFields(false)[0]; key.ID != 3+KeyFieldIDBase || key.Type.Nullable {
		t.Errorf("%+v", key)
	}
	if f, ok := table.Field("a"); !ok || f.Type.Nullable || table.Index("nope") != -1 {
		t.Error("primary key columns are NOT NULL")
	}
	if _, err := table.FieldsByName([]string{"v", "vv", "zzz"}); err == nil || !strings.Contains(err.Error(), `did you mean "v"?`) || !strings.Contains(err.Error(), "zzz") {
		t.Errorf("%v", err)
	}
}
