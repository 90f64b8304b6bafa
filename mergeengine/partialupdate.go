package mergeengine

import (
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// PartialUpdate fills a row in column by column: each version brings the
// columns that it has, and null says nothing. Columns of a sequence group go
// by the group's sequence columns instead of the order of writing, and may
// have aggregate functions.
type PartialUpdate struct {
	columns        folds
	groups         []schema.SequenceGroup // group i is class i+1; class 0 is in no group
	place          map[string]place       // of the columns that are in a group
	removeOnDelete bool
	removeOnGroup  []string
	ignoreDelete   bool
}

// Name is "partial-update".
func (*PartialUpdate) Name() string { return "partial-update" }

func newPartialUpdate(t *schema.Table, o *schema.Options) (*PartialUpdate, error) {
	e := &PartialUpdate{columns: folds{}, groups: o.Engine.Groups, ignoreDelete: o.IgnoreDelete,
		removeOnDelete: o.Engine.RemoveOnDelete, removeOnGroup: o.Engine.RemoveOnGroup}
	var err error
	if e.place, err = placesOf(e.groups); err != nil {
		return nil, err
	}
	var errs []error
	for _, f := range t.Fields {
		own := o.Engine.Field(f.Name)
		function := own.Function
		if function == "" {
			function = o.Engine.DefaultFunction
		}
		class, sequence := e.place[f.Name].class, e.place[f.Name].sequence
		switch {
		case sequence || slices.Contains(t.PrimaryKeys, f.Name):
			function = "primary-key"
		case class == 0:
			if function != "" && function != "last_non_null_value" {
				errs = append(errs, fault.Invalid("column "+f.Name+": aggregate function "+function+" needs a sequence group in merge-engine partial-update"))
			}
			function = "last_non_null_value"
		case function == "":
			e.columns[f.Name] = foldOf{groupColumn, class, !f.Type.Nullable, false}
			continue
		}
		errs = append(errs, e.columns.add(f, function, own, class))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return e, nil
}

func groupColumn(s source) column { return &chosen{source: s, pick: groupCell{}} }

// place is the class of a column, and whether it is one of the sequence
// columns of its group.
type place struct {
	class    int
	sequence bool
}

func placesOf(groups []schema.SequenceGroup) (map[string]place, error) {
	all := map[string]place{}
	for i, g := range groups {
		for j, name := range append(slices.Clone(g.Sequence), g.Columns...) {
			own := place{i + 1, j < len(g.Sequence)}
			if p, twice := all[name]; twice && (own.sequence || p != place{i + 1, true}) {
				return nil, fault.Invalid("column " + name + " is in two sequence groups")
			} else if !twice {
				all[name] = own
			}
		}
	}
	return all, nil
}

// Sources adds the sequence columns of the groups that output is of, and of
// those that may remove the row.
func (e *PartialUpdate) Sources(output []string) []string {
	all := slices.Clone(output)
	for i, g := range e.groups {
		needed := slices.ContainsFunc(g.Sequence, func(name string) bool { return slices.Contains(e.removeOnGroup, name) })
		for _, name := range output {
			needed = needed || e.place[name].class == i+1
		}
		for _, name := range g.Sequence {
			if needed && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// NewFold begins a merge, as [Folder] has it.
func (e *PartialUpdate) NewFold(names []string, cells []*vector.Gatherer, mem memory.Allocator) (*Fold, error) {
	plan := &partialPlan{engine: e}
	for i, g := range e.groups {
		o := groupOrder{class: i + 1}
		for _, name := range g.Sequence {
			if at := slices.Index(names, name); at >= 0 {
				o.cells = append(o.cells, cells[at])
				o.removes = o.removes || slices.Contains(e.removeOnGroup, name)
			}
		}
		if len(o.cells) == len(g.Sequence) {
			plan.groups = append(plan.groups, o)
		} else if e.uses(names, i+1) {
			return nil, fault.Invalid("columns of the sequence group of " + g.Sequence[0] + " without its sequence columns")
		}
	}
	return e.columns.fold(plan, names, cells, mem)
}

func (e *PartialUpdate) uses(names []string, class int) bool {
	return slices.ContainsFunc(names, func(name string) bool { return e.place[name].class == class })
}

// partialPlan is the first step of a partial update.
type partialPlan struct {
	engine *PartialUpdate
	groups []groupOrder
}

// groupOrder compares versions by the sequence columns of a group.
type groupOrder struct {
	class   int
	cells   []*vector.Gatherer
	compare []func(a, b vector.Ref) int
	removes bool // a -D that is the newest takes the whole row away

	newest vector.Ref // of the row under way: whose sequence columns it has
}

func (m *partialPlan) plan(p *Plan, refs []vector.Ref, g *Groups) error {
	p.begin(refs, g, len(m.engine.groups)+1)
	if g.Kind == nil && len(m.groups) == 0 {
		return nil
	}
	for i := range m.groups {
		m.groups[i].bind()
		p.opsOf(m.groups[i].class)
	}
	for i, sp := range p.Spans {
		if !p.merged(sp) {
			continue
		}
		kind, err := m.row(p, i, g)
		if err != nil {
			return err
		}
		if p.Kinds != nil {
			p.Kinds[i] = kind
		}
	}
	return nil
}

// row decides on the versions of one row and answers its kind.
func (m *partialPlan) row(p *Plan, i int, g *Groups) (int8, error) {
	sp := p.Spans[i]
	for j := range m.groups {
		m.groups[j].newest = vector.NullRef
	}
	began, inserted, gone, counted := false, false, false, int32(-1)
	for pos := sp.Start; pos < sp.End; pos++ {
		gone = false
		kind := g.kind(pos)
		if !Retracts(kind) {
			for j := range m.groups {
				m.groups[j].add(p, pos)
			}
			began, inserted, counted = true, true, pos
			continue
		}
		if !began {
			m.base(p, pos)
			began = true
		} else {
			p.opsOf(0)[pos] = opSkip
		}
		if m.engine.ignoreDelete {
			m.skip(p, pos)
			continue
		}
		counted = pos
		switch {
		case len(m.engine.groups) > 0:
			gone = m.retract(p, pos, kind)
		case m.engine.removeOnDelete:
			if gone = kind == deleted; gone {
				m.base(p, pos)
			}
		default:
			return 0, errPartialDelete
		}
	}
	if counted < 0 {
		p.None = append(p.None, int32(i))
	} else {
		p.Last[i] = counted
	}
	if gone || !inserted {
		return deleted, nil
	}
	return 0, nil
}

var errPartialDelete = &fault.Error{Class: fault.ErrInvalid, Detail: "merge-engine partial-update takes no -U and -D rows by itself",
	Hint: "set ignore-delete = true to leave them out, partial-update.remove-record-on-delete = true to let -D remove the row, " +
		"or give columns a sequence group to have them retracted"}

// base lets the row start anew in all columns.
func (m *partialPlan) base(p *Plan, pos int32) {
	p.opsOf(0)[pos] = opBase
	for j := range m.groups {
		o := &m.groups[j]
		p.ops[o.class][pos] = opBase
		o.newest = p.Refs[pos]
	}
}

// skip leaves a version out of all groups, unless the row starts with it.
func (m *partialPlan) skip(p *Plan, pos int32) {
	for j := range m.groups {
		if ops := p.ops[m.groups[j].class]; ops[pos] != opBase {
			ops[pos] = opSkip
		}
	}
}

// retract takes a version back group by group; gone when it removes the row.
func (m *partialPlan) retract(p *Plan, pos int32, kind int8) (gone bool) {
	in := p.Refs[pos]
	for j := range m.groups {
		o := &m.groups[j]
		ops := p.ops[o.class]
		switch {
		case o.isEmpty(in):
			if ops[pos] != opBase {
				ops[pos] = opSkip
			}
		case o.late(in):
			ops[pos] = opRetractLate
		case o.removes && kind == deleted:
			m.base(p, pos)
			return true
		default:
			o.newest = in
			if ops[pos] == opBase {
				ops[pos] = opBaseRetract
			} else {
				ops[pos] = opRetract
			}
		}
	}
	return false
}

func (o *groupOrder) bind() {
	o.compare = o.compare[:0]
	for _, c := range o.cells {
		o.compare = append(o.compare, comparison(c, keyFloats))
	}
}

func (o *groupOrder) add(p *Plan, pos int32) {
	in := p.Refs[pos]
	switch {
	case o.isEmpty(in):
		p.ops[o.class][pos] = opSkip
	case o.late(in):
		p.ops[o.class][pos] = opLate
	default:
		o.newest = in
	}
}

// isEmpty tells that a version says nothing about the group.
func (o *groupOrder) isEmpty(r vector.Ref) bool {
	for _, c := range o.cells {
		if !c.IsNull(r) {
			return false
		}
	}
	return true
}

// late tells that a version is older than what the row has.
func (o *groupOrder) late(in vector.Ref) bool {
	if o.newest == vector.NullRef {
		return false
	}
	for i, c := range o.cells {
		switch a, b := c.IsNull(in), c.IsNull(o.newest); {
		case a && b:
		case a || b:
			return a
		default:
			if order := o.compare[i](in, o.newest); order != 0 {
				return order < 0
			}
		}
	}
	return false
}
