package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/schema"
)

// rebuilt is the batch of the arrivals: rows of rec, with the partition columns
// of where they go. The caller releases it.
func (c *crossRouter) rebuilt(rec arrow.RecordBatch, a *arrivals) (arrow.RecordBatch, error) {
	out, err := take.Record(rec, a.rows, c.table.world.Alloc)
	if err != nil || !a.moved {
		return out, err
	}
	defer out.Release()
	cells, pick, err := c.foreignCells(a)
	if err != nil {
		return nil, err
	}
	defer cells.Release()
	cols := append([]arrow.Array(nil), out.Columns()...)
	var made []arrow.Array
	defer func() { releaseAll(made) }()
	for i, at := range c.part.at {
		both, err := array.Concatenate([]arrow.Array{out.Column(at), cells.Column(i)}, c.table.world.Alloc)
		if err != nil {
			return nil, err
		}
		cols[at], err = take.Array(both, pick, c.table.world.Alloc)
		both.Release()
		if err != nil {
			return nil, err
		}
		made = append(made, cols[at])
	}
	return array.NewRecordBatch(out.Schema(), cols, out.NumRows()), nil
}

// foreignCells are the partition columns of the partitions that rows are moved
// to, one row each, and for every arrival where its own are to be found: among
// its batch's rows, or in the cells behind them.
func (c *crossRouter) foreignCells(a *arrivals) (arrow.RecordBatch, []int32, error) {
	fields := c.table.schema.PartitionFields()
	cells, err := rowjson.NewAppender(nullable(fields), c.table.world.Alloc)
	if err != nil {
		return nil, nil, err
	}
	pick := make([]int32, len(a.rows))
	known := make(map[uint32]int32)
	for i, to := range a.places {
		pick[i] = int32(i)
		if to.partition == a.home[i] {
			continue
		}
		at, ok := known[to.partition]
		if !ok {
			at = int32(len(a.rows) + len(known))
			known[to.partition] = at
			values, err := c.table.partitionValues(c.rooms.rooms[to.partition].partition)
			if err == nil {
				err = cells.Append(schema.Insert, values)
			}
			if err != nil {
				releaseRows(cells)
				return nil, nil, err
			}
		}
		pick[i] = at
	}
	rec, _ := cells.Flush()
	return rec, pick, nil
}

// releaseRows gives up gathered rows.
func releaseRows(rows *rowjson.Appender) {
	if rec, _ := rows.Flush(); rec != nil {
		rec.Release()
	}
}
