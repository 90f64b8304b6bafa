package mergeengine

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// RowMerger is a merge engine of a program's own at work, see
// [RegisterEngine]: a function that looks at the versions of one key, two or
// more, and says what row they become. If it says nothing, the newest version
// is the row. Versions and row are borrowed until it returns.
//
// The row is stored and is itself a version later, when newer ones have come.
// So the grouping of versions must not matter. The function may see the same
// versions more than once.
type RowMerger func(v *Versions, row *Row) error

type newRowMerger func(t *schema.Table) (RowMerger, error)

// Versions are the rows of one key, oldest first. Columns go by their place in
// the table's schema.
type Versions struct {
	refs  []vector.Ref
	first int32
	kinds *Groups
	cells []*vector.Gatherer
}

// Len is the number of versions.
func (v *Versions) Len() int { return len(v.refs) }

// Kind is the kind of a version.
func (v *Versions) Kind(version int) schema.RowKind {
	return schema.RowKind(v.kinds.kind(v.first + int32(version)))
}

// Cell is where the value of a column in a version lies: a row, perhaps null,
// of an array of the type that schema.ArrowType gives for the column.
func (v *Versions) Cell(column, version int) (col arrow.Array, row int) {
	r := v.refs[version]
	return v.cells[column].Source(r.Source()), r.Row()
}

// Row is what the versions of one key become.
type Row struct {
	columns []arrow.DataType

	take  int         // the version that all columns come from, but
	from  map[int]int // those from other versions, by column
	built map[int]array.Builder
	drop  bool
}

// Take makes the row that version, with its kind. What was said of columns
// before is forgotten.
func (r *Row) Take(version int) {
	r.take, r.drop = version, false
	clear(r.from)
	clear(r.built)
}

// TakeColumn takes one column from another version than the rest.
func (r *Row) TakeColumn(column, version int) {
	delete(r.built, column)
	r.from[column] = version
}

// Build is for a value that no version has: exactly one value must be
// appended to the builder, which is of the column's type. Columns of the
// primary key are not built.
func (r *Row) Build(column int) array.Builder {
	delete(r.from, column)
	b := array.NewBuilder(memory.NewGoAllocator(), r.columns[column])
	r.built[column] = b
	return b
}

// Delete says that the key has no row any more.
func (r *Row) Delete() { r.drop = true }

// rowEngine is a table's engine of a program's own.
type rowEngine struct {
	name  string
	table *schema.Table
	make  newRowMerger
}

func newRowEngine(t *schema.Table, name string) (*rowEngine, error) {
	make, err := engineNamed(name)
	if err != nil {
		return nil, err
	}
	if _, err := make(t); err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Detail: "merge-engine " + name, Err: err}
	}
	return &rowEngine{name, t, make}, nil
}

func (e *rowEngine) Name() string { return e.name }

// Sources is every column: the program may look at any.
func (e *rowEngine) Sources(output []string) []string {
	all, shown := output[:len(output):len(output)], map[string]bool{}
	for _, name := range output {
		shown[name] = true
	}
	for _, f := range e.table.Fields {
		if !shown[f.Name] {
			all = append(all, f.Name)
		}
	}
	return all
}

func (e *rowEngine) NewFold(names []string, cells []*vector.Gatherer, mem memory.Allocator) (*Fold, error) {
	merge, err := e.make(e.table)
	if err != nil {
		return nil, e.fault(err)
	}
	n := len(e.table.Fields)
	p := &rowPlanner{engine: e, merge: merge, taken: make([]takenColumn, n)}
	p.versions.cells = make([]*vector.Gatherer, n)
	p.row = Row{columns: make([]arrow.DataType, n), from: map[int]int{}, built: map[int]array.Builder{}}
	f := &Fold{planner: p, names: names}
	for i, name := range names {
		at := e.table.Index(name)
		if at < 0 {
			return nil, fault.Invalid("column " + name + " is not in the table")
		}
		p.versions.cells[at], p.row.columns[at] = cells[i], cells[i].Type()
		f.columns = append(f.columns, &rowColumn{planner: p, at: at, cells: cells[i], mem: mem})
		f.notNull = append(f.notNull, !e.table.Fields[at].Type.Nullable)
	}
	for at, c := range p.versions.cells {
		if c == nil {
			return nil, fault.Invalid("merge-engine " + e.name + " lacks column " + e.table.Fields[at].Name)
		}
	}
	return f, nil
}

func (e *rowEngine) fault(err error) error {
	return &fault.Error{Class: fault.ErrInvalid, Detail: "merge-engine " + e.name, Err: err}
}

// rowPlanner asks the program for each key and keeps the answers.
type rowPlanner struct {
	engine   *rowEngine
	merge    RowMerger
	versions Versions
	row      Row

	refs  []vector.Ref  // by first position of a key, the version that most columns come from
	taken []takenColumn // by column
}

// takenColumn is where a column differs from the rest: keys by their first
// positions, in rising order.
type takenColumn struct {
	keys  []int32
	refs  []vector.Ref  // a version's cell …
	built []arrow.Array // … or, where there is an array, its only value
}

func (t *takenColumn) add(key int32, ref vector.Ref, built arrow.Array) {
	t.keys, t.refs, t.built = append(t.keys, key), append(t.refs, ref), append(t.built, built)
}

func (p *rowPlanner) plan(plan *Plan, refs []vector.Ref, g *Groups) error {
	groups := *g
	groups.Alone = false // a program is promised two versions or more
	plan.begin(refs, &groups, 1)
	p.refs = append(p.refs[:0], refs...)
	for i := range p.taken {
		p.taken[i] = takenColumn{}
	}
	for i, sp := range plan.Spans {
		if sp.End-sp.Start == 1 {
			continue
		}
		v := &p.versions
		v.refs, v.first, v.kinds = refs[sp.Start:sp.End], sp.Start, g
		p.row.Take(v.Len() - 1)
		if err := p.merge(v, &p.row); err != nil {
			return p.engine.fault(err)
		}
		if err := p.keep(plan, i); err != nil {
			return p.engine.fault(err)
		}
	}
	return nil
}

// keep notes what the program said of the i-th row.
func (p *rowPlanner) keep(plan *Plan, i int) error {
	v, row := &p.versions, &p.row
	if row.take < 0 || row.take >= v.Len() {
		return fmt.Errorf("it took version %d of %d", row.take, v.Len())
	}
	p.refs[v.first] = v.refs[row.take]
	kind := int8(v.Kind(row.take))
	if row.drop {
		kind = deleted
	}
	if plan.Kinds == nil && kind != 0 {
		plan.Kinds = make([]int8, len(plan.Spans))
	}
	if plan.Kinds != nil {
		plan.Kinds[i] = kind
	}
	for column, version := range row.from {
		if version < 0 || version >= v.Len() {
			return fmt.Errorf("it took column %s of version %d of %d", p.engine.table.Fields[column].Name, version, v.Len())
		}
		p.taken[column].add(v.first, v.refs[version], nil)
	}
	for column, b := range row.built {
		if b.Len() != 1 {
			return fmt.Errorf("it built %d values of column %s where one is wanted", b.Len(), p.engine.table.Fields[column].Name)
		}
		p.taken[column].add(v.first, 0, b.NewArray())
	}
	return nil
}

// rowColumn makes one column.
type rowColumn struct {
	planner *rowPlanner
	at      int
	cells   *vector.Gatherer
	mem     memory.Allocator
}

func (c *rowColumn) fold(plan *Plan) (arrow.Array, error) {
	taken := c.planner.taken[c.at]
	if len(taken.keys) == 0 {
		refs := make([]vector.Ref, len(plan.Spans))
		for i, sp := range plan.Spans {
			refs[i] = c.planner.refs[sp.Start]
		}
		return c.cells.Take(vector.Select(refs))
	}
	b := array.NewBuilder(c.mem, c.cells.Type())
	defer b.Release()
	next := 0
	for _, sp := range plan.Spans {
		r := c.planner.refs[sp.Start]
		var built arrow.Array
		for next < len(taken.keys) && taken.keys[next] < sp.Start {
			next++ // a row that was dropped
		}
		if next < len(taken.keys) && taken.keys[next] == sp.Start {
			r, built = taken.refs[next], taken.built[next]
		}
		a, row := built, 0
		if built == nil {
			a, row = c.cells.Source(r.Source()), r.Row()
		}
		if err := cell.Append(b, a, row, row+1); err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}
