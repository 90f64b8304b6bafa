package table

import (
	"context"

	"github.com/tidelake/tidelake/predicate"
)

// The system table "ro" is what a full compaction has seen to: of a table with
// a primary key the files at the top level only. They are read without a
// merge, as fast as a table without a key, but later rows are not there yet.

func readOptimized(ctx context.Context, t *Table, o *ScanOptions) (*systemView, error) {
	s, err := t.unprojected(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, one := range s.branches() {
		if len(one.schema.PrimaryKeys) > 0 {
			top := one.merging.NumLevels - 1
			one.level = &top
		}
	}
	return &systemView{fields: s.schema.Fields, rows: s.scanNeeded}, nil
}

// unprojected is the scan of a snapshot for a view that puts columns, filter
// and limit on top of it.
func (t *Table) unprojected(ctx context.Context, o *ScanOptions) (*Scan, error) {
	return t.Scan(ctx, *o.plain())
}

// plain are the options without columns, filter and limit.
func (o *ScanOptions) plain() *ScanOptions {
	plain := *o
	plain.Columns, plain.Where, plain.Filter, plain.Limit = nil, "", predicate.Expr{}, 0
	return &plain
}
