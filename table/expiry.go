package table

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// recordExpiry takes records out of a table, during compactions, once their
// own time is longer ago than the table wants to keep them. A nil expiry
// keeps everything; so does a null time. Spec: lsm, 7.8.
type recordExpiry struct {
	field schema.Field
	keep  int64 // seconds
	clock func() time.Time
}

func newRecordExpiry(sc *schema.Table, o *schema.Options, clock func() time.Time) *recordExpiry {
	f, ok := sc.Field(o.Compaction.ExpireField)
	if o.Compaction.ExpireTime == 0 || !ok || len(sc.PrimaryKeys) == 0 {
		return nil // one without a time field is refused for writing
	}
	return &recordExpiry{field: f, keep: int64(o.Compaction.ExpireTime / time.Second), clock: clock}
}

func (e *recordExpiry) now() int64 { return e.clock().UnixMilli() / 1000 }

// stale tells that the statistics of a file show a record that has expired.
func (e *recordExpiry) stale(t *Table, f *manifest.DataFile) bool {
	if e == nil {
		return false
	}
	own, err := t.schemas.get(context.Background(), f.SchemaID)
	if err != nil {
		return false // reading the file will name the error
	}
	have, ok := byID(own.Fields, e.field.ID)
	if !ok || have.Type.Kind != e.field.Type.Kind && !(have.Type.Kind == schema.Int && e.field.Type.Kind == schema.BigInt) {
		return false
	}
	oldest, _, _, _ := f.ValueColumns(own.Fields)(have.Name)
	var at int64
	switch v := oldest.(type) {
	case int32:
		at = int64(v)
	case int64:
		at = seconds(v)
	case schema.TimestampValue:
		at = v.Millis / 1000
	default:
		return false
	}
	return e.now()-e.keep > at
}

// seconds: BIGINT times of at least 10^12 are milliseconds.
func seconds(v int64) int64 {
	if v >= 1_000_000_000_000 {
		return v / 1000
	}
	return v
}

// filter leaves the expired records of a run out.
func (e *recordExpiry) filter(t *Table, run lsm.Run) lsm.Run {
	if e == nil {
		return run
	}
	return &expiringRun{Run: run, field: e.field, before: e.now() - e.keep, mem: t.world.Alloc}
}

type expiringRun struct {
	lsm.Run
	field  schema.Field
	before int64 // seconds; what is older has expired
	mem    memory.Allocator
}

func (r *expiringRun) Next() (arrow.RecordBatch, error) {
	for {
		rec, err := r.Run.Next()
		if err != nil {
			return nil, err
		}
		keep := r.fresh(column(rec, r.field.Name))
		if len(keep) == int(rec.NumRows()) {
			return rec, nil
		}
		if len(keep) > 0 {
			defer rec.Release()
			return take.Record(rec, keep, r.mem)
		}
		rec.Release()
	}
}

// fresh are the rows that have not expired.
func (r *expiringRun) fresh(col arrow.Array) []int32 {
	rows := make([]int32, 0, col.Len())
	at := r.timeOf(col)
	for i := range col.Len() {
		if col.IsNull(i) || at(i) >= r.before {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// timeOf gives the seconds of a row.
func (r *expiringRun) timeOf(col arrow.Array) func(int) int64 {
	switch c := col.(type) {
	case *array.Int32:
		return func(i int) int64 { return int64(c.Value(i)) }
	case *array.Int64:
		return func(i int) int64 { return seconds(c.Value(i)) }
	case *array.Timestamp:
		unit := c.DataType().(*arrow.TimestampType).Unit
		return func(i int) int64 { return c.Value(i).ToTime(unit).UnixMilli() / 1000 }
	}
	return func(int) int64 { return r.before }
}
