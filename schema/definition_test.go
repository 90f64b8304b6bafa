package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidelake/tidelake/internal/fault"
)

const jsonDefinition = `{"columns":[{"name":"id","type":"BIGINT NOT NULL","comment":"the key"},
 {"name":"v","type":"INT","nullable":true,"default":"0"},
 {"name":"tags","type":{"type":"ARRAY","element":"STRING"}},
 {"name":"r","type":"ROW<x INT, y STRING NOT NULL>","nullable":false}],
 "primary-key":["id"],"options":{"bucket":"2"},"comment":"orders"}`

const yamlDefinition = `
# the same table
columns:
  - {name: id, type: BIGINT NOT NULL, comment: the key}
  - name: v
    type: INT
    nullable: true
    default: 0
  - name: tags
    type: {type: ARRAY, element: STRING}
  - {name: r, type: "ROW<x INT, y STRING NOT NULL>", nullable: false}
primary-key: [id]
options:
  bucket: 2
comment: orders
`

func TestYAMLAndJSONMeanTheSame(t *testing.T) {
	a, err := ParseDefinition([]byte(jsonDefinition))
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseDefinition([]byte(yamlDefinition))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	table, err := a.Table(5)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := table.Field("r")
	if r.ID != 3 || r.Type.Nullable || r.Type.Fields[0].ID != 4 || r.Type.Fields[1].ID != 5 || table.HighestFieldID != 5 {
		t.Errorf("%+v", r)
	}
}

func TestDefinitionFaultsComeTogether(t *testing.T) {
	_, err := ParseDefinition([]byte(`{"colums":[],"columns":[{"name":"a","type":"INTT"},{"name":"b","typ":"INT"},3,{"name":"c","type":"LONG"}],"options":{"bucket":[]}}`))
	for _, want := range []string{`unknown member "colums", did you mean "columns"?`, `"INTT" is no type, did you mean "INT"?`, `"LONG" is no type, write BIGINT`, `unknown member "typ"`, "columns[2]", "options.bucket"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	for _, bad := range []string{"", "  ", "a: &x [*x]", "{", "- a\n- b", "a: 1\na: 2", "columns: 5", "a: b: c", "{{{{", "%", "---\na: 1\n---\nb: 2",
		strings.Repeat("[", 3000), strings.Repeat("- ", 3000) + "a",
		strings.Repeat("- ", 60_000), strings.Repeat("a: b\n", 40_000), "{" + strings.Repeat("x", 200_000)} {
		if _, err := ParseDefinition([]byte(bad)); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// define builds a table from short words: columns "name TYPE; name TYPE".
func define(t *testing.T, columns, pk, partition string, options ...string) (*Table, error) {
	t.Helper()
	d := Definition{PrimaryKey: splitComma(pk), PartitionBy: splitComma(partition), Options: map[string]string{}}
	for _, c := range strings.Split(columns, ";") {
		name, typ, _ := strings.Cut(strings.TrimSpace(c), " ")
		typ, def, hasDefault := strings.Cut(typ, " DEFAULT ")
		column := Column{Name: name, Type: mustType(t, typ)}
		if hasDefault {
			column.Default = &def
		}
		d.Columns = append(d.Columns, column)
	}
	for _, o := range options {
		k, v, _ := strings.Cut(o, "=")
		d.Options[k] = v
	}
	return d.Table(0)
}

func TestValidationRules(t *testing.T) {
	const cols = "k INT; p STRING; v INT; s BIGINT; op STRING; a ARRAY<INT>"
	for _, c := range []struct {
		name, columns, pk, partition string
		options                      []string
		want                         string // part of the error, empty when the table is fine
	}{
		{"plain", cols, "k", "", []string{"bucket=1"}, ""},
		{"append", cols, "", "p", nil, ""},
		{"bucketed append", cols, "", "", []string{"bucket=4", "bucket-key=k,p"}, ""},
		{"everything", cols, "k,p", "p", []string{"bucket=4", "bucket-key=k", "sequence.field=v, s", "sequence.field.sort-order=DESCENDING", "rowkind.field=op", "ignore-delete=true", "fields.v.stats-mode=full"}, ""},
		{"default fits", "k INT; b BOOLEAN DEFAULT yes; d DECIMAL(4, 2) DEFAULT '12.345'; dt DATE DEFAULT 2026-01-31; ts TIMESTAMP(3) DEFAULT '2026-01-31 10:11:12.5'; s STRING DEFAULT x", "", "", nil, ""},

		{"duplicate column", "k INT; k INT", "", "", nil, `column "k" appears twice`},
		{"reserved prefix", "_KEY_k INT", "", "", nil, "reserved"},
		{"reserved name", "rowkind INT", "", "", nil, "reserved"},
		{"missing key", cols, "kk", "", []string{"bucket=1"}, `did you mean "k"?`},
		{"nested key", cols, "a", "", []string{"bucket=1"}, "scalar types only"},
		{"nested partition", cols, "", "a", nil, "scalar types only"},
		{"key twice", cols, "k,k", "", []string{"bucket=1"}, "appears twice"},
		{"empty trimmed key", cols, "p", "p", []string{"bucket=1"}, "partition columns only"},
		{"bucket 0", cols, "k", "", []string{"bucket=0"}, "bucket is 0"},
		{"bucket -3", cols, "k", "", []string{"bucket=-3"}, "bucket is -3"},
		{"postpone append", cols, "", "", []string{"bucket=-2"}, "needs a primary key"},
		{"bucketed append without key", cols, "", "", []string{"bucket=2"}, "set bucket-key too"},
		{"bucket-key without buckets", cols, "k", "", []string{"bucket-key=k"}, "needs a fixed number"},
		{"bucket-key outside the key", cols, "k", "", []string{"bucket=1", "bucket-key=v"}, "not in the primary key"},
		{"bucket-key in the partition", cols, "k,p", "p", []string{"bucket=1", "bucket-key=p"}, "partition column"},
		{"nested bucket-key", cols, "", "", []string{"bucket=1", "bucket-key=a"}, "scalar types only"},
		{"blank in bucket-key", cols, "", "", []string{"bucket=1", "bucket-key=k, v"}, `column " v" does not exist`},
		{"missing sequence", cols, "k", "", []string{"bucket=1", "sequence.field=w"}, "does not exist"},
		{"nested sequence", cols, "k", "", []string{"bucket=1", "sequence.field=a"}, "scalar"},
		{"sequence twice", cols, "k", "", []string{"bucket=1", "sequence.field=v,v"}, "appears twice"},
		{"aggregated sequence", cols, "k", "", []string{"bucket=1", "sequence.field=v", "fields.v.aggregate-function=sum"}, "aggregate function too"},
		{"sequence across partitions", cols, "k", "p", []string{"sequence.field=v"}, "contains every partition column"},
		{"sequence of first-row", cols, "k", "", []string{"bucket=1", "sequence.field=v", "merge-engine=first-row"}, "first-row"},
		{"rowkind not text", cols, "k", "", []string{"bucket=1", "rowkind.field=v"}, "must be STRING"},
		{"rowkind missing", cols, "k", "", []string{"bucket=1", "rowkind.field=zz"}, "does not exist"},
		{"changelog of append", cols, "", "", []string{"changelog-producer=input"}, "needs a primary key"},
		{"first-row producer", cols, "k", "", []string{"bucket=1", "merge-engine=first-row", "changelog-producer=input"}, "none or lookup"},
		{"aggregate without group", cols, "k", "", []string{"bucket=1", "merge-engine=partial-update", "fields.v.aggregate-function=sum"}, "no sequence group"},
		{"default without groups", cols, "k", "", []string{"bucket=1", "merge-engine=partial-update", "fields.default-aggregate-function=sum"}, "no sequence group"},
		{"key in a group", cols, "k", "", []string{"bucket=1", "merge-engine=partial-update", "fields.v.sequence-group=k"}, "primary key"},
		{"group of no column", cols, "k", "", []string{"bucket=1", "merge-engine=partial-update", "fields.v.sequence-group=w"}, "does not exist"},
		{"remove and ignore", cols, "k", "", []string{"bucket=1", "merge-engine=partial-update", "partial-update.remove-record-on-delete=true", "ignore-delete=true"}, "contradict"},
		{"remove on no group", cols, "k", "", []string{"bucket=1", "merge-engine=partial-update", "partial-update.remove-record-on-sequence-group=v"}, "no sequence column"},
		{"remove and ignore retract", cols, "k", "", []string{"bucket=1", "merge-engine=aggregation", "aggregation.remove-record-on-delete=true", "fields.v.ignore-retract=true"}, "contradict"},
		{"unknown aggregate", cols, "k", "", []string{"bucket=1", "merge-engine=aggregation", "fields.v.aggregate-function=summ"}, `did you mean "sum"?`},
		{"option of no column", cols, "k", "", []string{"bucket=1", "fields.zz.stats-mode=none"}, `column "zz" does not exist`},
		{"retention", cols, "k", "", []string{"bucket=1", "snapshot.num-retained.min=5", "snapshot.num-retained.max=2"}, "above snapshot.num-retained.max"},
		{"partition expiry", cols, "k", "", []string{"bucket=1", "partition.expiration-time=1 d"}, "partitioned table"},
		{"upsert key", cols, "k", "", []string{"bucket=1", "upsert-key=k"}, "without a primary key"},
		{"avro limits", "t TIMESTAMP(9)", "", "", []string{"file.format=avro"}, "cannot hold"},
		{"dv", cols, "k", "", []string{"bucket=1", "deletion-vectors.enabled=true", "changelog-producer=full-compaction"}, "deletion-vectors"},
		{"row tracking", cols, "k", "", []string{"bucket=1", "row-tracking.enabled=true"}, "row-tracking"},
		{"bad default", "k INT DEFAULT x", "", "", nil, "no value of type INT"},
		{"nested default", "k ARRAY<INT> DEFAULT x", "", "", nil, "takes no default"},
		{"decimal default", "k DECIMAL(4, 2) DEFAULT 123", "", "", nil, "no value of type"},
		{"keys given twice", cols, "k", "", []string{"bucket=1", "primary-key=v"}, "besides the definition's own"},
		{"bad value", cols, "k", "", []string{"bucket=many"}, "option bucket is"},
		{"near miss", cols, "k", "", []string{"bucket=1", "merge-egnine=deduplicate"}, `did you mean "merge-engine"?`},
		{"path", cols, "k", "", []string{"bucket=1", "path=/tmp"}, "cannot be set"},
		{"scan contradiction", cols, "k", "", []string{"bucket=1", "scan.mode=latest", "scan.snapshot-id=3"}, "contradicts scan.mode"},
		{"empty row", "k ROW<>", "", "", nil, "no members"},
	} {
		_, err := define(t, c.columns, c.pk, c.partition, c.options...)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		case c.want != "" && !errors.Is(err, fault.ErrInvalid):
			t.Errorf("%s: %v is not invalid input", c.name, err)
		case err != nil && strings.Contains(err.Error(), "not supported"):
			t.Errorf("%s: %v uses words of another class", c.name, err)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := define(t, "k INT; k INT; _LEVEL INT", "zz", "yy", "bucket=0", "sequence.field=no", "commit.max-retries=x")
	for _, want := range []string{"appears twice", "reserved", "zz", "yy", "bucket is 0", "sequence.field", "commit.max-retries"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if n := strings.Count(err.Error(), "commit.max-retries"); n != 1 {
		t.Errorf("one fault is told %d times: %v", n, err)
	}
}

func TestKeysGivenAsOptionsMove(t *testing.T) {
	table, err := define(t, "k INT; p STRING", "", "", "primary-key= k , p", "partition=p", "bucket=1", "type=TABLE")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"bucket": "1"}, table.Options); diff != "" || len(table.PrimaryKeys) != 2 || len(table.PartitionKeys) != 1 {
		t.Errorf("%+v", table)
	}
}

func TestRefusedTypesAreNamed(t *testing.T) {
	for _, typ := range []string{"VARIANT", "BLOB", "VECTOR<FLOAT, 2>", "ARRAY<VARIANT>", "ROW<x BLOB>", "MAP<INT, VECTOR<INT, 3>>"} {
		_, err := define(t, "k INT; x "+typ, "", "")
		if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), `column "x"`) {
			t.Errorf("%s: %v", typ, err)
		}
		if _, err := ArrowType(mustType(t, typ)); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// A name of one letter is one edit away from every other: that is no slip.
func TestNoLetterIsMeantByAnother(t *testing.T) {
	if got := suggestion("q", []string{"k", "qq"}); got != "" {
		t.Errorf("told%s", got)
	}
	if got := suggestion("K", []string{"k"}); got == "" {
		t.Error("nothing is told of another case")
	}
}
