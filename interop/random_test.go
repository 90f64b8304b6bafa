//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// randomTable is a table definition and a source of rows for it.
type randomTable struct {
	r       *rand.Rand
	columns []randomColumn
	keys    []string // primary key, partition columns included
	parts   []string
	options map[string]string

	without []string // types that are left out
	big     bool     // batches of some thousand rows
	once    bool     // at most one row of a key in a batch
	rowKind string   // the column that holds the row kind, "" for none
	loose   []string // columns whose lists have no order
	// lookedUp tells that compaction looks keys up. Java keeps files for that in a
	// local directory, named after partitions, where slashes do harm.
	lookedUp bool
	// takesDeletes are the kinds of deletes that rows may have.
	takesDeletes []string
	pool         []map[string]string // key values that come back, for updates
	seen         map[string][]string // some values of each column, for filters
}

type randomColumn struct {
	name, typ string
	notNull   bool
	byDefault string // text of the column default, "" for none
	value     maker
}

// newRandomTable draws types, keys, partitions, buckets and options. No column
// has a type whose name contains one of without.
func newRandomTable(r *rand.Rand, without ...string) *randomTable {
	t := &randomTable{r: r, without: without, options: map[string]string{}, seen: map[string][]string{}}
	keyed := r.IntN(4) > 0
	wide := r.IntN(14) == 0
	t.big = !wide && r.IntN(14) == 0
	if keyed {
		for i := range 1 + r.IntN(3) {
			s := pick(r, scalars...)
			for t.leftOut(s.typ) {
				s = pick(r, scalars...)
			}
			name := fmt.Sprintf("k%d", i)
			t.columns = append(t.columns, randomColumn{name: name, typ: s.typ, value: s.keys(), notNull: true})
			t.keys = append(t.keys, name)
		}
	}
	own := slices.Clone(t.keys)
	if r.IntN(3) == 0 {
		for i := range 1 + r.IntN(2) {
			t.addPartition(fmt.Sprintf("p%d", i), keyed)
		}
	}
	t.addValues(wide)
	if keyed {
		t.keyedOptions(own)
	} else {
		t.appendOptions()
	}
	t.fileOptions()
	t.metadataOptions()
	if keyed {
		t.rareKinds()
	}
	r.Shuffle(len(t.columns), func(i, j int) { t.columns[i], t.columns[j] = t.columns[j], t.columns[i] })
	r.Shuffle(len(t.keys), func(i, j int) { t.keys[i], t.keys[j] = t.keys[j], t.keys[i] })
	return t
}

// leftOut tells that columns must not have a type.
func (t *randomTable) leftOut(typ string) bool {
	return slices.ContainsFunc(t.without, func(out string) bool { return strings.Contains(typ, out) })
}

// partitionValues are few for each type, and include what paths must escape.
var partitionValues = map[string][]string{
	"STRING":                            {`"a"`, `"b=c/d"`, `"2026-01-01"`, `"ä %"`, `""`, `" "`},
	"INT":                               {"0", "-7", "2026"},
	"BIGINT":                            {"1", "9007199254740993"},
	"DATE":                              {`"2026-01-01"`, `"1969-12-31"`},
	"BOOLEAN":                           {"true", "false"},
	"TIMESTAMP(3)":                      {`"2026-01-01T10:00:00.000"`, `"1969-12-31T23:59:59.999"`},
	"TINYINT":                           {"-1", "5"},
	"DECIMAL(9, 2)":                     {`"1.50"`, `"-0.01"`},
	"TIMESTAMP(3) WITH LOCAL TIME ZONE": {`"2026-01-01T10:00:00.000Z"`, `"2026-01-01T10:00:00.123Z"`},
}

func (t *randomTable) addPartition(name string, keyed bool) {
	typ := pick(t.r, slices.Sorted(maps.Keys(partitionValues))...)
	t.columns = append(t.columns, randomColumn{name: name, typ: typ, notNull: keyed, value: func(r *rand.Rand) string {
		text := pick(r, partitionValues[typ]...)
		for t.lookedUp && strings.Contains(text, "/") {
			text = pick(r, partitionValues[typ]...)
		}
		return text
	}})
	t.parts = append(t.parts, name)
	if keyed {
		t.keys = append(t.keys, name)
	}
}

// defaults are texts of column defaults by type.
var defaults = map[string]string{
	"INT": "7", "STRING": "it's", "DATE": "2026-01-31", "BOOLEAN": "true", "DOUBLE": "1.5",
	"DECIMAL(9, 2)": "1.25", "TIMESTAMP(3)": "2026-01-31 10:11:12.345", "BIGINT": "-1",
}

func (t *randomTable) addValues(wide bool) {
	r, n, depth := t.r, 1+t.r.IntN(8), 4
	if wide {
		n, depth = 30+r.IntN(30), 2
	}
	if t.big {
		depth = 2
	}
	for i := range n {
		typ, value := t.valueType(depth)
		c := randomColumn{name: fmt.Sprintf("c%d", i), typ: typ, value: value, notNull: r.IntN(8) == 0}
		if r.IntN(15) == 0 {
			c.name = pick(r, "Größe ", "a b", "Select", "x-") + c.name
		}
		if d, ok := defaults[typ]; ok && !c.notNull && r.IntN(4) == 0 {
			c.byDefault = d
		}
		t.columns = append(t.columns, c)
	}
}

// valueType is a scalar type half the time, and never one that is left out.
func (t *randomTable) valueType(depth int) (string, maker) {
	for {
		typ, value := randomType(t.r, t.r.IntN(2)*t.r.IntN(depth))
		if !t.leftOut(typ) {
			return typ, value
		}
	}
}

// maybe sets an option to one of the values, once in odds.
func (t *randomTable) maybe(odds int, key string, values ...string) bool {
	if t.r.IntN(odds) != 0 {
		return false
	}
	t.options[key] = pick(t.r, values...)
	return true
}

func (t *randomTable) keyedOptions(own []string) {
	r := t.r
	t.options["bucket"] = fmt.Sprint(1 + r.IntN(5))
	switch {
	case len(own) > 1 && r.IntN(3) == 0:
		t.options["bucket-key"] = pick(r, own...)
	case len(own) == 1 && slices.ContainsFunc(t.columns, func(c randomColumn) bool {
		return c.name == own[0] && (c.typ == "INT" || c.typ == "BIGINT")
	}):
		t.maybe(2, "bucket-function.type", "mod")
	}
	if r.IntN(3) == 0 {
		t.addSequence()
	}
	t.takesDeletes = []string{"-D", "-U"}
	if !t.maybe(6, "ignore-delete", "true") {
		t.maybe(6, "ignore-update-before", "true")
	}
	t.mergeEngine()
	if r.IntN(10) == 0 && t.options["merge-engine"] == "" {
		t.rowKind = "kind"
		t.columns = append(t.columns, randomColumn{name: t.rowKind, typ: "STRING", notNull: true, value: func(r *rand.Rand) string {
			return pick(r, `"+I"`, `"+I"`, `"+U"`, `"-U"`, `"-D"`)
		}})
		t.options["rowkind.field"] = t.rowKind
	}
	t.maybe(6, "data-file.thin-mode", "true")
	t.maybe(2, "write-only", "true")
	t.maybe(3, "num-sorted-run.compaction-trigger", "2", "3")
	t.maybe(6, "file.compression.per.level", "0:snappy,1:gzip", "0:lz4,5:none")
	t.maybe(8, "metadata.stats-mode.per.level", "0:none", "0:counts,5:full")
}

// addSequence adds one or two columns that order the versions of a key.
func (t *randomTable) addSequence() {
	var names []string
	for i := range 1 + t.r.IntN(2) {
		name := fmt.Sprintf("s%d", i)
		typ := pick(t.r, "INT", "BIGINT", "DATE", "TIMESTAMP(3)", "DECIMAL(9, 2)", "STRING")
		few := make([]string, 5)
		for k := range few {
			few[k] = scalarOf(typ).value(t.r)
		}
		t.columns = append(t.columns, randomColumn{name: name, typ: typ, value: func(r *rand.Rand) string { return pick(r, few...) }})
		names = append(names, name)
	}
	t.options["sequence.field"] = strings.Join(names, ",")
	// Java up to 1.4 does not honour the order inside one flush.
	t.once = t.maybe(3, "sequence.field.sort-order", "descending")
}

func (t *randomTable) appendOptions() {
	r := t.r
	if r.IntN(2) == 0 {
		t.options["bucket"] = "-1"
		return
	}
	typ := pick(r, "INT", "STRING", "BIGINT", "DECIMAL(30, 10)", "TIMESTAMP(6)", "DOUBLE")
	t.columns = append(t.columns, randomColumn{name: "b", typ: typ, value: scalarOf(typ).keys(), notNull: r.IntN(2) == 0})
	t.options["bucket"], t.options["bucket-key"] = fmt.Sprint(1+r.IntN(4)), "b"
	switch typ {
	case "INT", "BIGINT":
		t.maybe(2, "bucket-function.type", "mod", "hive")
	case "STRING":
		t.maybe(2, "bucket-function.type", "hive")
	}
}

func (t *randomTable) fileOptions() {
	t.maybe(2, "file.compression", "zstd", "snappy", "lz4", "gzip", "none")
	t.maybe(6, "parquet.enable.dictionary", "false")
	t.maybe(8, "file.suffix.include.compression", "true")
	t.maybe(8, "data-file.prefix", "part-")
	t.maybe(8, "data-file.path-directory", "inner")
	t.maybe(5, "partition.legacy-name", "false")
	t.maybe(4, "parquet.page.size", "1024", "300")
	if t.big {
		t.maybe(2, "file.block-size", "64 kb", "200 kb")
		t.maybe(2, "target-file-size", "50 kb", "1 mb")
		if t.maybe(2, "page-size", "4 kb") {
			t.options["write-buffer-size"] = "256 kb"
		}
	}
}

func (t *randomTable) metadataOptions() {
	t.maybe(4, "metadata.stats-mode", "none", "counts", "full", "truncate(4)")
	t.maybe(6, "metadata.stats-dense-store", "false")
	t.maybe(6, "metadata.stats-keep-first-n-columns", "2")
	t.maybe(5, "fields."+pick(t.r, t.columns...).name+".stats-mode", "none", "full", "counts", "truncate(2)")
	t.maybe(5, "manifest.compression", "snappy", "deflate", "null", "zstd")
	t.maybe(5, "manifest.merge-min-count", "2")
	t.maybe(9, "manifest.target-file-size", "1 kb")
}

// definition is the table as the schema file of the Java program.
func (t *randomTable) definition() string { return t.file("pk", "partition") }

// ours is the same for this library.
func (t *randomTable) ours() string { return t.file("primary-key", "partition-by") }

func (t *randomTable) file(key, partition string) string {
	columns := make([]map[string]any, len(t.columns))
	for i, c := range t.columns {
		columns[i] = map[string]any{"name": c.name, "type": c.typ}
		if c.notNull {
			columns[i]["type"] = c.typ + " NOT NULL"
		}
		if c.byDefault != "" {
			columns[i]["default"] = c.byDefault
		}
	}
	b, err := json.Marshal(map[string]any{"columns": columns, key: append([]string{}, t.keys...), partition: append([]string{}, t.parts...), "options": t.options})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// batch is a random batch of JSON lines, with updates and deletes of known
// keys; inside fixes columns to values.
func (t *randomTable) batch(inside map[string]string) []string {
	n := t.r.IntN(40)
	if t.big && t.r.IntN(2) == 0 {
		n = 2000 + t.r.IntN(3000)
	}
	lines := make([]string, 0, n)
	done := make(map[string]bool)
	for range n {
		line, key := t.row(inside)
		if t.once && done[key] {
			continue
		}
		done[key] = true
		lines = append(lines, line)
	}
	return lines
}

// row draws a row, and tells the text of its key.
func (t *randomTable) row(inside map[string]string) (line, id string) {
	r := t.r
	key := make(map[string]string)
	if len(t.pool) > 0 && r.IntN(2) == 0 {
		key = maps.Clone(pick(r, t.pool...))
	}
	maps.Copy(key, inside)
	var cells []string
	if len(t.keys) > 0 && t.rowKind == "" && r.IntN(5) == 0 {
		cells = append(cells, `"_kind":`+quoted(pick(r, append(t.takesDeletes, "+U")...)))
	}
	for _, c := range t.columns {
		text, fixed := inside[c.name]
		switch {
		case fixed:
		case slices.Contains(t.keys, c.name):
			if key[c.name] == "" {
				key[c.name] = c.value(r)
			}
			text = key[c.name]
		case c.notNull || r.IntN(6) > 0:
			text = c.value(r)
		case r.IntN(2) == 0:
			continue // a missing column is null, or its default
		default:
			text = "null"
		}
		cells = append(cells, quoted(c.name)+":"+text)
		if seen := t.seen[c.name]; text != "null" && len(seen) < 30 {
			t.seen[c.name] = append(seen, text)
		}
	}
	if len(t.keys) > 0 {
		t.pool = append(t.pool, key)
		for _, k := range t.keys {
			id += key[k] + "\x00"
		}
	} else {
		id = fmt.Sprint(len(t.pool), r.Uint64())
	}
	return "{" + strings.Join(cells, ",") + "}", id
}
