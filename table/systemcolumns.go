package table

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// systemColumns are what a read hands out of each row beside the table's own
// columns: how it changed its key, and which commit it came with. They stand
// before the others, in this order:
//
//	_VALUE_KIND       int8           0 +I, 1 -U, 2 +U, 3 -D, as stored
//	_SNAPSHOT_ID      int64          the snapshot that is read
//	_SEQUENCE_NUMBER  int64          as stored; null without a primary key
//	_COMMIT_TIME      timestamp[ms]  when that snapshot was committed, UTC
//
// A nil *systemColumns is none of them.
type systemColumns struct {
	snapshot, sequence, time bool // besides the kind, which is always there
	// deletes hands out rows that retract too: keys whose last change was a
	// delete where files are merged, every such row where they are not.
	deletes bool
	// of is the snapshot that rows are told of; nil is the one that is read.
	of *snapshot.Snapshot
	// kind is told of every row instead of the stored one.
	kind *schema.RowKind
}

var (
	valueKindField  = arrow.Field{Name: schema.ValueKindName, Type: arrow.PrimitiveTypes.Int8}
	snapshotIDField = arrow.Field{Name: schema.SnapshotIDName, Type: arrow.PrimitiveTypes.Int64}
	sequenceField   = arrow.Field{Name: schema.SequenceName, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	commitTimeField = arrow.Field{Name: schema.CommitTimeName, Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}}
)

// fields are those of the columns.
func (c *systemColumns) fields() []arrow.Field {
	out := []arrow.Field{valueKindField}
	if c.snapshot {
		out = append(out, snapshotIDField)
	}
	if c.sequence {
		out = append(out, sequenceField)
	}
	if c.time {
		out = append(out, commitTimeField)
	}
	return out
}

// stored tells that files have kinds and sequence numbers that are asked for.
func (c *systemColumns) stored(t *schema.Table) bool { return c != nil && len(t.PrimaryKeys) > 0 }

// with makes a scan hand out system columns.
func (s *Scan) with(c systemColumns) {
	s.system = &c
	s.arrow = arrow.NewSchema(append(c.fields(), s.arrow.Fields()...), nil)
}

// withSystem puts system columns before cols; wide holds what is stored of them.
func (s *Scan) withSystem(wide arrow.RecordBatch, cols []arrow.Array) arrow.RecordBatch {
	n, mem := int(wide.NumRows()), s.table.world.Alloc
	var out []arrow.Array
	own := func(a arrow.Array) { out = append(out, a) }
	defer func() { releaseAll(out[:len(out)-len(cols)]) }()
	told := s.system.of
	if told == nil {
		told = s.snapshot
	}
	stored := s.system.stored(s.schema)
	switch {
	case s.system.kind != nil:
		own(repeated(arrow.PrimitiveTypes.Int8, n, int8(*s.system.kind), mem))
	case stored:
		kinds := column(wide, schema.ValueKindName)
		kinds.Retain()
		own(kinds)
	default:
		own(repeated(arrow.PrimitiveTypes.Int8, n, int8(schema.Insert), mem))
	}
	if s.system.snapshot {
		own(repeated(arrow.PrimitiveTypes.Int64, n, told.ID, mem))
	}
	if s.system.sequence && stored {
		numbers := column(wide, schema.SequenceName)
		numbers.Retain()
		own(numbers)
	} else if s.system.sequence {
		own(array.MakeArrayOfNull(mem, arrow.PrimitiveTypes.Int64, n))
	}
	if s.system.time {
		own(repeated(commitTimeField.Type, n, told.TimeMillis, mem))
	}
	out = append(out, cols...)
	return array.NewRecordBatch(s.arrow, out, int64(n))
}

// repeated is a column of n times one value, of a type as wide as it.
func repeated[T int8 | int64](dt arrow.DataType, n int, v T, mem memory.Allocator) arrow.Array {
	buf := memory.NewResizableBuffer(mem)
	defer buf.Release()
	buf.Resize(n * int(unsafe.Sizeof(v)))
	cells := arrow.GetData[T](buf.Bytes())
	for i := range cells {
		cells[i] = v
	}
	data := array.NewData(dt, n, []*memory.Buffer{nil, buf}, nil, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
