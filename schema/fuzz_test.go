package schema

import (
	"bytes"
	"testing"
)

func FuzzParseType(f *testing.F) {
	for _, s := range []string{"INT NOT NULL", "DECIMAL(38, 18)", "TIMESTAMP(9) WITH LOCAL TIME ZONE", "MAP<STRING, ARRAY<ROW<`a``b` INT 'it''s', c VECTOR<FLOAT, 3>>>>",
		"ROW<>", "int multiset array null", "ROW(a INT COMMENT 'x')", "ARRAY<", "`", "'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		typ, err := ParseType(text)
		if err != nil {
			return
		}
		again, err := ParseType(typ.String())
		if err != nil || !again.Equal(typ) || again.String() != typ.String() {
			t.Fatalf("%q is written %q, which reads as %q, %v", text, typ, again, err)
		}
		_, _ = ArrowType(typ)
	})
}

func FuzzParseTable(f *testing.F) {
	for _, data := range schemaFiles(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ParseTable(data)
		if err != nil {
			return
		}
		_ = table.Validate()
		table.FileFields(false)
		table.BucketKeyFields()
		first, err := table.Marshal()
		if err != nil {
			return
		}
		again, err := ParseTable(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, _ := again.Marshal(); !bytes.Equal(first, second) {
			t.Fatalf("%s\n%s", first, second)
		}
	})
}

func FuzzParseDefinition(f *testing.F) {
	for _, s := range []string{jsonDefinition, yamlDefinition, "columns: [{name: a, type: INT}]", "a: &x 1\nb: *x", "|\n a", "? a\n: b", "{a: [b, {c: d}]}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDefinition(data)
		if err != nil {
			return
		}
		table, err := d.Table(1)
		if err != nil {
			return
		}
		text, err := table.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseTable(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

func FuzzParseOptions(f *testing.F) {
	f.Add("bucket", "4", "file.format.per.level", "0:avro,5:orc")
	f.Add("write-buffer-size", "128 mb", "commit.timeout", "2 min")
	f.Add("fields.a.stats-mode", "truncate(3)", "fields..", "x")
	f.Add("file-index.a.b.c", "", "file-index.", "parquet.enable.dictionary#")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		raw := map[string]string{k1: v1, k2: v2}
		_ = CheckNewOptions(raw)
		o, err := ParseOptions(raw)
		if err != nil {
			return
		}
		_ = o.Warnings()
		_ = o.CheckRead(&Table{})
		_ = o.CheckWrite(&Table{PrimaryKeys: []string{"k"}})
	})
}
