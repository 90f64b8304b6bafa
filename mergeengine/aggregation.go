package mergeengine

import (
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// Aggregation folds every column by a function of its own; what an older row
// of a key had is added to, not replaced.
type Aggregation struct {
	columns        folds
	removeOnDelete bool
}

// Name is "aggregation".
func (*Aggregation) Name() string { return "aggregation" }

func newAggregation(t *schema.Table, o *schema.Options) (*Aggregation, error) {
	e := &Aggregation{columns: folds{}, removeOnDelete: o.Engine.RemoveOnDelete}
	var errs []error
	for _, f := range t.Fields {
		own := o.Engine.Field(f.Name)
		if e.removeOnDelete && own.IgnoreRetract {
			errs = append(errs, fault.Invalid("aggregation.remove-record-on-delete and fields."+f.Name+".ignore-retract contradict each other, remove one"))
		}
		errs = append(errs, e.columns.add(f, aggregateOf(t, o, f.Name, own), own, 0))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return e, nil
}

// aggregateOf names the function of a column.
func aggregateOf(t *schema.Table, o *schema.Options, column string, own schema.FieldOptions) string {
	switch {
	case slices.Contains(o.SequenceFields, column):
		return "last_value"
	case slices.Contains(t.PrimaryKeys, column):
		return "primary-key"
	case own.Function != "":
		return own.Function
	case o.Engine.DefaultFunction != "":
		return o.Engine.DefaultFunction
	}
	return "last_non_null_value"
}

// Sources is output: columns do not depend on one another.
func (e *Aggregation) Sources(output []string) []string { return output }

// NewFold begins a merge, as [Folder] has it.
func (e *Aggregation) NewFold(names []string, cells []*vector.Gatherer, mem memory.Allocator) (*Fold, error) {
	return e.columns.fold(e, names, cells, mem)
}

// plan: every version is added or retracted. With remove-record-on-delete a
// -D is where the row starts anew, and the end of it if nothing follows.
func (e *Aggregation) plan(p *Plan, refs []vector.Ref, g *Groups) error {
	p.begin(refs, g, 1)
	if g.Kind == nil {
		return nil
	}
	for i, sp := range p.Spans {
		if !p.merged(sp) {
			continue
		}
		for pos := sp.Start; pos < sp.End; pos++ {
			kind := g.Kind(pos)
			if !Retracts(kind) {
				p.Kinds[i] = 0
				continue
			}
			ops := p.opsOf(0)
			if e.removeOnDelete && kind == deleted {
				ops[pos], p.Kinds[i] = opBase, deleted
			} else {
				ops[pos], p.Kinds[i] = opRetract, 0
			}
		}
	}
	return nil
}

// deleted is the kind -D.
const deleted int8 = 3

// folds are the columns of a table with how each is folded.
type folds map[string]foldOf

type foldOf struct {
	make          newColumn
	class         int
	notNull       bool
	ignoreRetract bool
}

func (fs folds) add(f schema.Field, function string, o schema.FieldOptions, class int) error {
	make, err := lookup(function, f, o)
	fs[f.Name] = foldOf{make, class, !f.Type.Nullable, o.IgnoreRetract}
	return err
}

func (fs folds) fold(p planner, names []string, cells []*vector.Gatherer, mem memory.Allocator) (*Fold, error) {
	f := &Fold{planner: p, names: names}
	for i, name := range names {
		own, exists := fs[name]
		if !exists {
			return nil, fault.Invalid("column " + name + " is not in the table")
		}
		f.columns = append(f.columns, own.make(source{cells[i], mem, own.class, own.ignoreRetract}))
		f.notNull = append(f.notNull, own.notNull)
	}
	return f, nil
}
