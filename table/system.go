package table

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// System is one read of a system table: rows of the table in another light
// ("audit_log"), or what the table knows of itself ("files"). Columns and their
// types are Paimon's. Its methods may be called concurrently and more than once.
type System struct {
	table  *Table
	name   string
	view   *systemView
	need   systemNeed
	fields []schema.Field // of the result
	arrow  *arrow.Schema
	limit  int64
}

// systemView is what a system table is made of. Filters, projections and limits
// are held to by System, whatever the rows are.
type systemView struct {
	fields []schema.Field // all columns
	// rows yields batches that hold, in any order, at least the columns that are
	// needed. A batch is borrowed until the next step.
	rows func(context.Context, systemNeed) iter.Seq2[arrow.RecordBatch, error]
}

// systemNeed is what a read needs of a system table's rows.
type systemNeed struct {
	columns map[string]bool // of the result and of the filter
	where   predicate.Expr  // rows for which it is false may be left out
	limit   int64           // rows behind the first so many may be left out; 0 is no limit
}

// systemTables make the view of each system table. A view resolves what it
// reads (a snapshot, if the options name one) when it is made; options that mean
// nothing to it are an error. Columns, filters and limits are not its business.
var systemTables = map[string]func(context.Context, *Table, *ScanOptions) (*systemView, error){
	"audit_log": auditLog,
	"binlog":    binlog,
	"ro":        readOptimized,

	"snapshots":          snapshotsTable.view,
	"schemas":            schemasTable.view,
	"options":            optionsTable.view,
	"aggregation_fields": aggregationFieldsTable.view,
	"tags":               tagsTable.view,
	"branches":           branchesTable.view,
	"consumers":          consumersTable.view,
	"files":              filesTable.view,
	"manifests":          manifestsTable.view,
	"table_indexes":      indexesTable.view,
	"partitions":         partitionsTable.view,
	"buckets":            bucketsTable.view,
	"statistics":         statisticsTable.view,
}

// SystemTables are the names that Table.System knows, in order.
func SystemTables() []string { return slices.Sorted(maps.Keys(systemTables)) }

// System resolves a read of a system table by its name, in any case. Columns,
// filter and limit are those of any scan; a snapshot can be chosen where the
// rows of one are read, and ScanOptions.Between in audit_log and binlog. Errors:
// ErrNotFound (no such system table or snapshot), ErrInvalid (columns, filter,
// options that the system table does not take).
func (t *Table) System(ctx context.Context, name string, o ScanOptions) (*System, error) {
	name = strings.ToLower(name)
	open, ok := systemTables[name]
	if !ok {
		return nil, t.wrap("read", unknownSystem(name))
	}
	if o.Between != nil && name != "audit_log" && name != "binlog" {
		return nil, t.wrap("read $"+name, fault.Invalid("what changed between two versions is read by Table.Diff and from audit_log and binlog"))
	}
	s := &System{table: t, name: name, limit: o.Limit}
	var err error
	if s.view, err = open(ctx, t, &o); err == nil {
		err = s.project(o)
	}
	if err != nil {
		return nil, t.wrap("read $"+name, err)
	}
	return s, nil
}

func unknownSystem(name string) error {
	known := SystemTables()
	return &fault.Error{Class: fault.ErrNotFound, Detail: "system table " + name + literal.DidYouMean(name, known), Hint: "there are " + strings.Join(known, ", ")}
}

// project binds the columns and the filter.
func (s *System) project(o ScanOptions) error {
	all := schema.Table{Fields: s.view.fields}
	s.fields = all.Fields
	var err error
	if o.Columns != nil {
		if s.fields, err = all.FieldsByName(o.Columns); err != nil {
			return err
		}
	}
	if s.arrow, err = schema.ArrowSchema(s.fields); err != nil {
		return err
	}
	if s.need.where, err = o.Filter.Bind(all.Fields); err != nil {
		return err
	}
	if o.Where != "" {
		where, err := predicate.Parse(o.Where, all.Fields, s.table.settings.TimeZone)
		if err != nil {
			return err
		}
		s.need.where = predicate.And(s.need.where, where)
	}
	s.need.columns = nameSet(s.fields)
	for _, name := range s.need.where.Fields() {
		s.need.columns[name] = true
	}
	if s.need.where.IsTrue() {
		s.need.limit = s.limit
	}
	return nil
}

// Fields are the columns of the result.
func (s *System) Fields() []schema.Field { return s.fields }

// Schema is the Arrow schema of the result.
func (s *System) Schema() *arrow.Schema { return s.arrow }

// Batches reads the rows, within bounded memory. A batch is borrowed until the
// next step: Retain it to keep it. An error ends the sequence.
func (s *System) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		left := s.limit
		for rec, err := range s.view.rows(ctx, s.need) {
			var out arrow.RecordBatch
			if err == nil {
				out, err = s.finish(rec, left)
			}
			if err != nil {
				yield(nil, s.table.wrap("read $"+s.name, err))
				return
			}
			left -= out.NumRows()
			more := out.NumRows() == 0 || yield(out, nil)
			out.Release()
			if !more || s.limit > 0 && left == 0 {
				return
			}
		}
	}
}

// finish filters and projects a batch of the view, and cuts it at what is left of the limit.
func (s *System) finish(rec arrow.RecordBatch, left int64) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, len(s.fields))
	for i, f := range s.fields {
		cols[i] = column(rec, f.Name)
	}
	out := array.NewRecordBatch(s.arrow, cols, rec.NumRows())
	if s.need.where.IsTrue() && (s.limit == 0 || rec.NumRows() <= left) {
		return out, nil
	}
	defer out.Release()
	keep, err := s.need.where.Filter(rec)
	if err != nil {
		return nil, err
	}
	if s.limit > 0 && int64(len(keep)) > left {
		keep = keep[:left]
	}
	return take.Record(out, keep, s.table.world.Alloc)
}

// Reader is Batches as an Arrow record reader. Release it when done.
func (s *System) Reader(ctx context.Context) (array.RecordReader, error) {
	return array.ReaderFromIter(s.arrow, s.Batches(ctx)), nil
}

// Count returns the number of rows.
func (s *System) Count(ctx context.Context) (int64, error) { return countRows(s.Batches(ctx)) }

// scanNeeded reads a scan of the table's rows for a view whose columns bear
// the table's names.
func (s *Scan) scanNeeded(ctx context.Context, need systemNeed) iter.Seq2[arrow.RecordBatch, error] {
	fields := slices.DeleteFunc(slices.Clone(s.schema.Fields), func(f schema.Field) bool { return !need.columns[f.Name] })
	return func(yield func(arrow.RecordBatch, error) bool) {
		narrow, err := s.ofColumns(fields, need.where)
		if err != nil {
			yield(nil, err)
			return
		}
		narrow.options.Limit = need.limit
		narrow.Batches(ctx)(yield)
	}
}

// ofColumns is the scan with other columns and another filter.
func (s *Scan) ofColumns(fields []schema.Field, filter predicate.Expr) (*Scan, error) {
	n := *s
	n.fields, n.filter = fields, filter
	var err error
	n.arrow, err = schema.ArrowSchema(fields)
	return &n, err
}
