package table

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// What merge engines make of the versions that a delete or an update writes.
// The row must become what was asked for; where merging would make something
// else of it, the change is refused and nothing is written.

// sound refuses tables where a new version of a row would not do what was asked.
func (c *change) sound() error {
	t := c.table
	what := "UPDATE"
	if c.deletes() {
		what = "DELETE"
	}
	switch {
	case len(t.schema.PrimaryKeys) == 0:
		return nil
	case t.options.RowKindField != "":
		return fault.Unsupported(what+" on a table with rowkind.field", "write rows with the kind you want in column "+t.options.RowKindField)
	case c.deletes():
		return deletable(t.options)
	}
	for _, a := range c.set {
		if hasField(t.schema.KeyFields(), a.Name) || hasField(t.schema.PartitionFields(), a.Name) {
			return fault.Unsupported("UPDATE of primary-key column "+a.Name, "delete the rows and write them under their new key")
		}
	}
	return c.updatable()
}

// deletable tells whether a -D removes a row, as Paimon has it.
func deletable(o *schema.Options) error {
	e, engine := &o.Engine, o.MergeEngine
	refuse := func(instead string) error {
		return fault.Unsupported("DELETE on a table with merge-engine "+engine, instead)
	}
	switch {
	case o.IgnoreDelete:
		return fault.Unsupported("DELETE on a table with ignore-delete", "remove the option, or drop partitions")
	case engine == "deduplicate", e.RemoveOnDelete, engine == "partial-update" && len(e.RemoveOnGroup) > 0:
		return nil
	case engine == "partial-update" && len(e.Groups) > 0:
		return refuse("make the table with partial-update.remove-record-on-sequence-group, or drop partitions")
	case engine == "partial-update" || engine == "aggregation":
		return refuse("make the table with " + engine + ".remove-record-on-delete = true, or drop partitions")
	case engine == "first-row":
		return refuse("its rows stay as they came: drop partitions, or overwrite them with the rows to keep")
	}
	return refuse("its engine decides what becomes of a row: write the versions of it that you want")
}

// updatable tells whether new versions can set the columns, and notes the
// columns that must be left out of them.
func (c *change) updatable() error {
	t := c.table
	switch t.options.MergeEngine {
	case "deduplicate":
		return nil
	case "partial-update":
	case "first-row":
		return fault.Unsupported("UPDATE on a table with merge-engine first-row", "its rows stay as they came: overwrite their partitions with the rows you want")
	default:
		return fault.Unsupported("UPDATE on a table with merge-engine "+t.options.MergeEngine, "its engine decides what becomes of a row: write the versions of it that you want")
	}
	for i, f := range t.schema.Fields {
		function := t.options.Engine.GroupFunction(f.Name)
		isSet := slices.ContainsFunc(c.set, func(a assignment) bool { return a.Name == f.Name })
		switch {
		case function == "" || function == "last_value" || function == "last_non_null_value":
		case isSet:
			return fault.Unsupported("UPDATE of column "+f.Name+" with aggregate function "+function,
				"write rows whose values the function folds into those you want")
		case !f.Type.Nullable || schema.OwnName(function):
			return fault.Unsupported("UPDATE on a table with aggregate function "+function+" of column "+f.Name,
				"the new rows would be folded into it too: write rows with the versions that you want")
		default:
			c.silent = append(c.silent, i)
		}
	}
	return nil
}

// mergeable makes of changed rows what the writer gets, and takes them over: the
// old ones are those of the scan. It refuses rows that merging would not leave as they are.
func (c *change) mergeable(old, rows arrow.RecordBatch) (arrow.RecordBatch, error) {
	if c.table.options.MergeEngine != "partial-update" {
		return rows, nil
	}
	if c.deletes() {
		return rows, c.removable(rows)
	}
	if err := c.settable(old, rows); err != nil || len(c.silent) == 0 {
		return rows, err
	}
	cols, fields := slices.Clone(rows.Columns()), rows.Schema().Fields()
	var made []arrow.Array
	defer func() { releaseAll(made) }()
	for _, at := range c.silent { // null is what their functions pass over
		cols[at] = array.MakeArrayOfNull(c.table.world.Alloc, fields[at].Type, int(rows.NumRows()))
		made = append(made, cols[at])
	}
	defer rows.Release()
	return array.NewRecordBatch(rows.Schema(), cols, rows.NumRows()), nil
}

// removable: a sequence group without a sequence takes no notice of a delete.
func (c *change) removable(rows arrow.RecordBatch) error {
	e := &c.table.options.Engine
	if e.RemoveOnDelete {
		return nil
	}
	for row := range int(rows.NumRows()) {
		if !slices.ContainsFunc(e.Groups, func(g schema.SequenceGroup) bool {
			removes := slices.ContainsFunc(g.Sequence, func(name string) bool { return slices.Contains(e.RemoveOnGroup, name) })
			return removes && !c.unordered(rows, g, row)
		}) {
			return fault.Unsupported("DELETE of a row whose sequence columns are null, by partial-update.remove-record-on-sequence-group",
				"such a delete would not count: set one of the columns first, or keep to rows that have one")
		}
	}
	return nil
}

// settable: null says nothing outside of sequence groups, and a group without a
// sequence says nothing at all.
func (c *change) settable(old, rows arrow.RecordBatch) error {
	o := &c.table.options.Engine
	for i := range c.set {
		a := &c.set[i]
		group, grouped := o.GroupOf(a.Name)
		for row := range int(rows.NumRows()) {
			switch {
			case grouped && c.unordered(rows, group, row):
				return fault.Unsupported("UPDATE of column "+a.Name+" of a row whose sequence column "+group.Sequence[0]+" is null",
					"the new value would not count: set the sequence column too")
			case (!grouped || o.GroupFunction(a.Name) == "last_non_null_value") && rows.Column(a.at).IsNull(row) && !old.Column(a.at).IsNull(row):
				return fault.Unsupported("UPDATE of column "+a.Name+" to null with merge-engine partial-update",
					"null leaves the old value there: give the column a sequence group, or write the row anew after a delete")
			}
		}
	}
	return nil
}

// unordered tells that a row has no sequence for a group.
func (c *change) unordered(rows arrow.RecordBatch, g schema.SequenceGroup, row int) bool {
	return !slices.ContainsFunc(g.Sequence, func(name string) bool { return rows.Column(c.table.schema.Index(name)).IsValid(row) })
}
