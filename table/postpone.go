package table

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/io/datafile"
)

// postponeBucket is the bucket of rows that have none yet.
const postponeBucket = -2

// postponeView is the table as the writer of postponed rows sees it: Avro
// files without statistics, where Avro can hold the columns, and names that
// tell which files are of one writer, because these keep their order when a
// compaction replays them (trap 28).
func (t *Table) postponeView(user string) (*Table, error) {
	options := map[string]string{}
	if datafile.AvroHolds(t.schema.FileFields(t.options.ThinMode)) == nil {
		options["file.format"], options["metadata.stats-mode"] = "avro", "none"
		if !slices.Contains([]string{"zstd", "zstandard", "snappy", "deflate", "none", "null"}, t.options.FileCompressionFor(0)) {
			options["file.compression.per.level"] = "0:zstd" // Java fails here
		}
	}
	// Java finds the writer's number behind the first "-s-".
	name := strings.NewReplacer("/", "_", "\\", "_", "-s-", "_s_", "-w-", "_w_").Replace(user)
	options["data-file.prefix"] = fmt.Sprintf("%s-u-%s-s-%d-w-", t.options.DataFilePrefix, name, int32(t.random()*math.MaxInt32))
	return t.variant(options)
}

// random is a number in [0,1).
func (t *Table) random() float64 {
	if t.world.Rand != nil {
		return t.world.Rand()
	}
	return rand.Float64()
}

// kindsOf takes the kinds of some rows, of all for nil rows; nil is all inserts.
func kindsOf(kinds []int8, rows []int32) []int8 {
	if kinds == nil || rows == nil {
		return slices.Clone(kinds)
	}
	out := make([]int8, len(rows))
	for i, r := range rows {
		out[i] = kinds[r]
	}
	return out
}

// postponedBatch brings rows to the columns of a file: their keys, no sequence
// number (-1), their kinds, and all columns.
func (m *fileMaker) postponedBatch(rec arrow.RecordBatch, kinds []int8) arrow.RecordBatch {
	n := int(rec.NumRows())
	numbers, letters := array.NewInt64Builder(m.table.world.Alloc), array.NewInt8Builder(m.table.world.Alloc)
	defer numbers.Release()
	defer letters.Release()
	numbers.Reserve(n)
	for range n {
		numbers.UnsafeAppend(-1)
	}
	if kinds == nil {
		kinds = make([]int8, n)
	}
	letters.AppendValues(kinds, nil)
	own := []arrow.Array{numbers.NewArray(), letters.NewArray()}
	defer releaseAll(own)
	cols := make([]arrow.Array, 0, len(m.physical))
	for i := range m.sequence {
		cols = append(cols, rec.Column(m.keys[i]-m.values))
	}
	cols = append(append(cols, own...), rec.Columns()...)
	return array.NewRecordBatch(m.arrow, cols, int64(n))
}

// choosesPostpone sends every row to where it waits for its bucket.
type choosesPostpone struct{}

func (choosesPostpone) begin(arrow.RecordBatch) error { return nil }

func (choosesPostpone) choose(context.Context, []byte, int) (int, error) { return postponeBucket, nil }
