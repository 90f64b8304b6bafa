package table_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// metaCase is one run of the metamorphic test: a table, what is done to it, and
// how the engine is set while it does it. Its JSON replays it.
type metaCase struct {
	Seed   uint64
	Table  metaTable
	Steps  []metaStep
	Config metaConfig
}

type metaTable struct {
	Columns   []metaColumn      `json:"columns"`
	Keys      []string          `json:"primary-key"`
	Partition []string          `json:"partition-by"`
	Options   map[string]string `json:"options"` // those that results depend on
}

type metaColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// metaConfig is what no result may depend on.
type metaConfig struct {
	Options   map[string]string
	Parallel  int
	BatchRows int
	Writers   int  // that take turns
	Restart   int  // a writer is closed after so many commits, 0 for never
	Abort     int  // every so many commits rows are given up first, and sent again by another writer; 0 for never
	Live      bool // a writer stays open when the schema changes, and takes it up
}

// schema is the table as the engine gets it, or, without a configuration, as the model does.
func (m metaTable) schema(config map[string]string) (*schema.Table, error) {
	options := map[string]string{"bucket": "1"}
	maps.Copy(options, config)
	maps.Copy(options, m.Options)
	m.Options = options
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	def, err := schema.ParseDefinition(text)
	if err != nil {
		return nil, err
	}
	return def.Table(1)
}

// maker draws the JSON of a value.
type maker func(r *rand.Rand) string

func oneOf[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// valuesOf draws from few values, so that they meet.
func valuesOf(typ string) maker {
	return func(r *rand.Rand) string {
		n := r.IntN(12)
		switch typ {
		case "TINYINT", "SMALLINT", "INT":
			return fmt.Sprint(n - 3)
		case "BIGINT":
			return fmt.Sprint(int64(n-3) * 1_000_000_007)
		case "FLOAT", "DOUBLE":
			return fmt.Sprint(float64(n-3) / 4)
		case "DECIMAL(9, 2)", "DECIMAL(30, 2)":
			return fmt.Sprintf(`"%d.%d5"`, n, n%10)
		case "BOOLEAN":
			return oneOf(r, "true", "false")
		case "DATE":
			return fmt.Sprintf(`"2026-01-%02d"`, n+1)
		case "TIMESTAMP(3)":
			return fmt.Sprintf(`"2026-01-31T10:00:%02d.%03d"`, n, n*7)
		}
		return oneOf(r, `"a"`, `"b"`, `"ab"`, `"ä €"`, `"Z"`, `"zzzzzzzzzzzzzzzzzzzzz1"`, `"zzzzzzzzzzzzzzzzzzzzz2"`, `"x y"`)
	}
}

var metaScalars = []string{"TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(9, 2)", "DECIMAL(30, 2)", "BOOLEAN", "DATE", "TIMESTAMP(3)", "STRING"}

// metaOrdered are those that max and min take.
var metaOrdered = slices.DeleteFunc(slices.Clone(metaScalars), func(typ string) bool { return typ == "BOOLEAN" })

// drawTable draws keys, partitions and columns that an engine merges.
func drawTable(r *rand.Rand, engine string) (metaTable, map[string]maker) {
	m := metaTable{Options: map[string]string{}}
	makers := map[string]maker{}
	add := func(name, typ string, f maker) {
		m.Columns = append(m.Columns, metaColumn{name, typ})
		makers[name] = f
	}
	for i := range 1 + r.IntN(2) {
		typ := oneOf(r, "INT", "BIGINT", "STRING", "DATE", "DECIMAL(9, 2)", "TIMESTAMP(3)", "TINYINT")
		name := fmt.Sprintf("k%d", i)
		add(name, typ+" NOT NULL", valuesOf(typ))
		m.Keys = append(m.Keys, name)
	}
	if r.IntN(3) == 0 {
		typ := oneOf(r, "INT", "STRING", "DATE")
		few := []string{valuesOf(typ)(r), valuesOf(typ)(r), valuesOf(typ)(r)}
		add("p", typ+" NOT NULL", func(r *rand.Rand) string { return oneOf(r, few...) })
		m.Partition = []string{"p"}
	}
	engines[engine](r, &m, add)
	if m.mayMove() && r.IntN(2) == 0 {
		m.Options["bucket"] = "-1"
	} else {
		m.Keys = append(m.Keys, m.Partition...)
	}
	r.Shuffle(len(m.Columns), func(i, j int) { m.Columns[i], m.Columns[j] = m.Columns[j], m.Columns[i] })
	return m, makers
}

// mayMove tells that keys may move between partitions: Paimon takes no order of
// versions there, and a move leaves a delete behind.
func (m metaTable) mayMove() bool {
	o := m.Options
	return m.Partition != nil && o["sequence.field"] == "" && (o["merge-engine"] != "" || o["ignore-delete"] == "")
}

// crosses tells that keys move between partitions.
func (m metaTable) crosses() bool { return m.Options["bucket"] == "-1" }

// engines draw the value columns and options of a merge engine.
var engines = map[string]func(r *rand.Rand, m *metaTable, add func(name, typ string, f maker)){
	"deduplicate":    drawDeduplicate,
	"first-row":      drawFirstRow,
	"partial-update": drawPartial,
	"aggregation":    drawAggregation,
}

func drawDeduplicate(r *rand.Rand, m *metaTable, add func(name, typ string, f maker)) {
	for i := range r.IntN(4) {
		typ := oneOf(r, metaScalars...)
		add(fmt.Sprintf("c%d", i), typ, orNull(valuesOf(typ)))
	}
	if r.IntN(3) == 0 {
		drawSequence(r, m, add)
		if r.IntN(3) == 0 {
			m.Options["sequence.field.sort-order"] = "descending"
		}
	}
	if r.IntN(8) == 0 {
		m.Options["rowkind.field"] = "kind"
		add("kind", "STRING", func(r *rand.Rand) string { return oneOf(r, `"+I"`, `"+I"`, `"+U"`, `"-U"`, `"-D"`) })
	}
	m.maybe(r, 6, "ignore-delete", "true")
	m.maybe(r, 6, "ignore-update-before", "true")
}

// drawSequence adds one or two columns that order the versions of a key.
func drawSequence(r *rand.Rand, m *metaTable, add func(name, typ string, f maker)) {
	var names []string
	for i := range 1 + r.IntN(2) {
		typ := oneOf(r, "INT", "BIGINT", "DATE", "TIMESTAMP(3)", "STRING", "DECIMAL(9, 2)")
		name := fmt.Sprintf("s%d", i)
		add(name, typ, orNull(valuesOf(typ)))
		names = append(names, name)
	}
	m.Options["sequence.field"] = strings.Join(names, ",")
}

func orNull(f maker) maker {
	return func(r *rand.Rand) string {
		if r.IntN(5) == 0 {
			return "null"
		}
		return f(r)
	}
}

// maybe sets an option once in odds.
func (m *metaTable) maybe(r *rand.Rand, odds int, key string, values ...string) {
	if r.IntN(odds) == 0 {
		m.Options[key] = oneOf(r, values...)
	}
}

// drawConfig draws what must not matter.
func drawConfig(r *rand.Rand, m metaTable) metaConfig {
	c := metaConfig{Options: map[string]string{"bucket": fmt.Sprint(1 + r.IntN(3))}, Parallel: 1 + r.IntN(4), BatchRows: oneOf(r, 1, 3, 100, 0), Writers: 1 + r.IntN(3)/2,
		Restart: oneOf(r, 0, 0, 1, 3), Abort: oneOf(r, 0, 0, 1, 2), Live: r.IntN(2) == 0}
	maybe := func(odds int, key string, values ...string) {
		if r.IntN(odds) == 0 {
			c.Options[key] = oneOf(r, values...)
		}
	}
	maybe(2, "write-buffer-size", "1 kb", "4 kb")
	maybe(2, "target-file-size", "1 b", "2 kb")
	maybe(2, "source.split.target-size", "1 kb", "1 b")
	maybe(3, "source.split.open-file-cost", "1 b", "1 mb")
	maybe(3, "parquet.page.size", "64", "300")
	maybe(3, "file.block-size", "500 b", "2 kb")
	maybe(3, "file.compression", "none", "snappy", "lz4", "gzip")
	maybe(4, "parquet.enable.dictionary", "false")
	maybe(4, "data-file.thin-mode", "true")
	maybe(4, "metadata.stats-mode", "none", "counts", "full", "truncate(4)")
	maybe(5, "metadata.stats-dense-store", "false")
	maybe(4, "manifest.merge-min-count", "2")
	maybe(5, "manifest.target-file-size", "1 kb")
	maybe(4, "read.batch-size", "2", "7")
	if m.Options["merge-engine"] != "first-row" && r.IntN(3) == 0 && builtVectors {
		c.Options["deletion-vectors.enabled"] = "true"
		maybe(2, "deletion-vectors.bitmap64", "true")
	}
	switch r.IntN(10) {
	case 0, 1:
		c.Options["bucket"] = "-1"
	case 2, 3:
		c.Options["bucket"] = "-2"
		maybe(2, "postpone.default-bucket-num", "2", "3")
		maybe(6, "postpone.batch-write-fixed-bucket", "false")
	}
	if m.crosses() {
		c.Options["bucket"] = "-1"
		maybe(3, "lookup.cache-max-memory-size", "300 b")
	}
	if c.Options["bucket"] == "-1" { // which takes one writer
		c.Options["dynamic-bucket.target-row-num"], c.Writers = oneOf(r, "1", "3", "100"), 1
	}
	maybe(4, "num-levels", "3", "9")
	if r.IntN(3) == 0 {
		c.Options["write-only"] = "true"
	}
	maybe(2, "num-sorted-run.compaction-trigger", "1", "2", "3")
	maybe(4, "num-sorted-run.stop-trigger", "3", "4")
	maybe(4, "compaction.max-size-amplification-percent", "1", "1000")
	maybe(4, "compaction.size-ratio", "1000", "0")
	maybe(5, "compaction.force-up-level-0", "true")
	maybe(5, "compaction.force-rewrite-all-files", "true")
	maybe(5, "compaction.total-size-threshold", "10 kb", "1 gb")
	maybe(5, "compaction.incremental-size-threshold", "1 b", "10 kb")
	maybe(6, "compaction.optimization-interval", "1 ms", "1 h")
	maybe(5, "full-compaction.delta-commits", "1", "3")
	maybe(5, "commit.force-compact", "true")
	maybe(5, "file.compression.per.level", "0:snappy,1:gzip", "0:lz4,5:none")
	maybe(5, "metadata.stats-mode.per.level", "0:none", "0:counts,5:full")
	if r.IntN(4) == 0 { // Avro has other codecs
		maybe(2, "file.format", "avro")
		maybe(2, "file.format.per.level", "0:avro", "5:avro,4:parquet")
		delete(c.Options, "file.compression")
		delete(c.Options, "file.compression.per.level")
	}
	maybe(3, "write-buffer-spillable", "false")
	maybe(3, "sort-spill-threshold", "2", "3", "5")
	if c.Options["sort-spill-threshold"] == "" { // joining runs needs room on disk
		maybe(3, "write-buffer-spill.max-disk-size", "1 b", "3 kb", "20 kb")
	}
	maybe(3, "spill-compression", "lz4", "none")
	maybe(2, "local-sort.max-num-file-handles", "2", "3", "5")
	drawProducer(m, maybe, c.Options)
	return c
}
