package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/tidelake/tidelake/internal/fault"
)

// Alter applies changes in order and returns the schema that follows t: the
// next id, made at nowMillis, validated as a whole. Whether the table has
// snapshots decides which options may still change. Columns keep their ids for
// life; a new one gets the next id after the highest ever used.
//
// All faults are ErrInvalid: the first change that cannot be applied, or
// everything that is wrong with the result.
func (t *Table) Alter(changes []Change, hasSnapshots bool, nowMillis int64) (*Table, error) {
	if len(changes) == 0 {
		return nil, fault.Invalid("no changes to make")
	}
	options, err := ParseOptions(t.Options)
	if err != nil {
		return nil, err
	}
	next := *t
	next.Version, next.ID, next.TimeMillis = tableVersion, t.ID+1, nowMillis
	next.Fields = slices.Clone(t.Fields)
	next.PrimaryKeys, next.PartitionKeys = slices.Clone(t.PrimaryKeys), slices.Clone(t.PartitionKeys)
	next.Options = maps.Clone(t.Options)
	if next.Options == nil {
		next.Options = map[string]string{}
	}
	a := &alteration{Table: &next, old: options, hasSnapshots: hasSnapshots}
	for _, c := range changes {
		if err := c.apply(a); err != nil {
			return nil, err
		}
	}
	return a.finish()
}

// alteration is a schema on its way from one version to the next.
type alteration struct {
	*Table
	old          *Options // of the schema before
	hasSnapshots bool
}

// finish brings keys that came as options to their place and validates.
func (a *alteration) finish() (*Table, error) {
	err := errors.Join(
		keysFromOption(a.Options, "primary-key", &a.PrimaryKeys),
		keysFromOption(a.Options, "partition", &a.PartitionKeys))
	for i := range a.Fields {
		if slices.Contains(a.PrimaryKeys, a.Fields[i].Name) {
			a.Fields[i].Type.Nullable = false
		}
	}
	if errs := dedupe([]error{err, a.Validate()}); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return a.Table, nil
}

func refuse(path Path, format string, args ...any) error {
	return fault.Invalid("column " + path.String() + ": " + fmt.Sprintf(format, args...))
}

// fixed refuses to touch key columns. Keys are columns of the table itself.
func (a *alteration) fixed(path Path, what string, keys ...[]string) error {
	if len(path) != 1 {
		return nil
	}
	for _, list := range keys {
		if slices.Contains(list, path[0]) {
			return refuse(path, "a %s column cannot be %s", a.role(path[0]), what)
		}
	}
	return nil
}

func (a *alteration) role(name string) string {
	if slices.Contains(a.PartitionKeys, name) {
		return "partition"
	}
	return "primary key"
}

func (c AddColumn) apply(a *alteration) error {
	if !c.Type.Nullable {
		return refuse(c.Path, "a column cannot be added as NOT NULL, since rows written before have no value for it; add it nullable, with a default for rows written from now on")
	}
	f := Column{Name: c.last(), Type: c.Type, Comment: c.Comment}.field(&a.HighestFieldID, false)
	if a.HighestFieldID > maxFieldID {
		return refuse(c.Path, "the table has used up its field ids")
	}
	return a.editList(c.Path, func(fields []Field, at int) ([]Field, error) {
		if at >= 0 {
			return nil, refuse(c.Path, "exists already")
		}
		to, err := a.place(c.Path, fields, c.Position)
		if err != nil {
			return nil, err
		}
		return slices.Insert(fields, to, f), nil
	})
}

func (c AddColumn) last() string {
	if len(c.Path) == 0 {
		return ""
	}
	return c.Path[len(c.Path)-1]
}

// place is the index at which a column enters fields.
func (a *alteration) place(path Path, fields []Field, p Position) (int, error) {
	switch p.where {
	case 'f':
		return 0, nil
	case 'l':
		return len(fields), nil
	case 'a', 'b':
		at := indexOf(fields, p.reference)
		if at < 0 {
			return 0, refuse(path, "no column %q to be placed beside%s", p.reference, suggestion(p.reference, fieldNames(fields)))
		}
		if p.where == 'a' {
			at++
		}
		return at, nil
	}
	if a.old.AddColumnBeforePartition && len(path) == 1 {
		for i, f := range fields {
			if slices.Contains(a.PartitionKeys, f.Name) {
				return i, nil
			}
		}
	}
	return len(fields), nil
}

func (c DropColumn) apply(a *alteration) error {
	if err := a.fixed(c.Path, "dropped", a.PartitionKeys, a.PrimaryKeys); err != nil {
		return err
	}
	return a.editMember(c.Path, func(fields []Field, at int) ([]Field, error) {
		if len(fields) == 1 {
			return nil, refuse(c.Path, "the last column cannot be dropped")
		}
		return slices.Delete(fields, at, at+1), nil
	})
}

func (c RenameColumn) apply(a *alteration) error {
	if err := a.fixed(c.Path, "renamed", a.PartitionKeys); err != nil {
		return err
	}
	err := a.editMember(c.Path, func(fields []Field, at int) ([]Field, error) {
		if fields[at].Type.Kind == Blob {
			return nil, refuse(c.Path, "a BLOB column cannot be renamed")
		}
		if indexOf(fields, c.Name) >= 0 {
			return nil, refuse(c.Path, "cannot be renamed: a column %q exists already", c.Name)
		}
		fields[at].Name = c.Name
		return fields, nil
	})
	if err != nil || len(c.Path) > 1 {
		return err
	}
	renameIn(a.PrimaryKeys, c.Path[0], c.Name)
	renameInOptions(a.Options, c.Path[0], c.Name)
	return nil
}

func (c UpdateColumnPosition) apply(a *alteration) error {
	return a.editMember(c.Path, func(fields []Field, at int) ([]Field, error) {
		f := fields[at]
		if c.Position.where == 0 {
			return nil, refuse(c.Path, "where to move it is not said")
		}
		if c.Position.reference == f.Name && c.Position.where != 'f' && c.Position.where != 'l' {
			return nil, refuse(c.Path, "cannot be placed beside itself")
		}
		fields = slices.Delete(fields, at, at+1)
		to, err := a.place(c.Path, fields, c.Position)
		if err != nil {
			return nil, err
		}
		if to == at && (c.Position.where == 'f' || c.Position.where == 'l') {
			return nil, refuse(c.Path, "is in that place already")
		}
		return slices.Insert(fields, to, f), nil
	})
}

func (c UpdateColumnType) apply(a *alteration) error {
	if err := a.fixed(c.Path, "given another type", a.PartitionKeys, a.PrimaryKeys); err != nil {
		return err
	}
	return a.editType(c.Path, func(from Type) (Type, error) {
		to := numberType(c.Type, &a.HighestFieldID)
		if c.KeepNullability {
			to.Nullable = from.Nullable
		} else if err := a.nullability(c.Path, from.Nullable, to.Nullable); err != nil {
			return to, err
		}
		switch {
		case from.SameShape(to) && !from.Kind.Nested():
		case from.Kind.Nested() && from.Kind == to.Kind:
			return to, refuse(c.Path, "%s cannot become %s as a whole; change what is inside it, by its path", from, to)
		case !SupportsCast(from, to, true):
			return to, refuse(c.Path, "%s cannot be cast to %s", from, to)
		case !SupportsCast(from, to, !a.old.ExplicitCastDisabled):
			return to, refuse(c.Path, "%s cannot be cast to %s without loss, and the table has disable-explicit-type-casting", from, to)
		}
		return to, nil
	})
}

// nullability refuses null to NOT NULL while rows with nulls may exist.
func (a *alteration) nullability(path Path, from, to bool) error {
	if from && !to && a.old.NullToNotNullDisabled {
		return refuse(path, "is nullable, and rows with nulls may exist; set alter-column-null-to-not-null.disabled to false to make it NOT NULL all the same")
	}
	return nil
}

func (c UpdateColumnNullability) apply(a *alteration) error {
	if c.Nullable {
		if err := a.fixed(c.Path, "nullable", a.PrimaryKeys); err != nil {
			return err
		}
	}
	return a.editType(c.Path, func(t Type) (Type, error) {
		err := a.nullability(c.Path, t.Nullable, c.Nullable)
		t.Nullable = c.Nullable
		return t, err
	})
}

func (c UpdateColumnComment) apply(a *alteration) error {
	return a.editMember(c.Path, func(fields []Field, at int) ([]Field, error) {
		fields[at].Description = c.Comment
		return fields, nil
	})
}

func (c UpdateColumnDefaultValue) apply(a *alteration) error {
	return a.editMember(Path{c.Column}, func(fields []Field, at int) ([]Field, error) {
		fields[at].Default = c.Default
		return fields, nil
	})
}

func (c UpdateComment) apply(a *alteration) error {
	a.Comment = c.Comment
	return nil
}

func (DropPrimaryKey) apply(a *alteration) error {
	if a.hasSnapshots {
		return fault.Invalid("the primary key cannot be dropped: the table has been written")
	}
	a.PrimaryKeys = nil
	return nil
}

// editMember edits the list that holds the last name of path, which must exist at index at.
func (a *alteration) editMember(path Path, edit func(fields []Field, at int) ([]Field, error)) error {
	return a.editList(path, func(fields []Field, at int) ([]Field, error) {
		if at < 0 {
			return nil, refuse(path, "does not exist%s", suggestion(path[len(path)-1], fieldNames(fields)))
		}
		return edit(fields, at)
	})
}

// editList edits the list that holds, or is to hold, the last name of path; at is -1 where it does not.
func (a *alteration) editList(path Path, edit func(fields []Field, at int) ([]Field, error)) error {
	w := walk{path: path, list: edit}
	return a.edit(w)
}

// editType edits the type that path leads to.
func (a *alteration) editType(path Path, edit func(Type) (Type, error)) error {
	w := walk{path: path, typ: edit}
	w.list = func(fields []Field, at int) ([]Field, error) {
		if at < 0 {
			return nil, refuse(path, "does not exist%s", suggestion(path[len(path)-1], fieldNames(fields)))
		}
		var err error
		fields[at].Type, err = edit(fields[at].Type)
		return fields, err
	}
	return a.edit(w)
}

func (a *alteration) edit(w walk) error {
	if len(w.path) == 0 {
		return fault.Invalid("a change names no column")
	}
	fields, err := w.fields(a.Fields, 0)
	if err == nil {
		a.Fields = fields
	}
	return err
}

// walk goes down a path and copies what it changes on its way back.
type walk struct {
	path Path
	list func(fields []Field, at int) ([]Field, error)
	typ  func(Type) (Type, error) // nil: elements and map values cannot be edited
}

func (w walk) fields(fields []Field, depth int) ([]Field, error) {
	at := indexOf(fields, w.path[depth])
	fields = slices.Clone(fields)
	if depth == len(w.path)-1 {
		return w.list(fields, at)
	}
	if at < 0 {
		return nil, refuse(w.path[:depth+1], "does not exist%s", suggestion(w.path[depth], fieldNames(fields)))
	}
	var err error
	fields[at].Type, err = w.inside(fields[at].Type, depth+1)
	return fields, err
}

// inside goes on below a type; path[depth] names what is wanted of it.
func (w walk) inside(t Type, depth int) (Type, error) {
	var want string
	switch t.Kind {
	case Row:
		fields, err := w.fields(t.Fields, depth)
		t.Fields = fields
		return t, err
	case Array:
		want = "element"
	case Map:
		want = "value"
	default:
		return t, refuse(w.path[:depth], "%s has nothing inside that can be altered", t)
	}
	if w.path[depth] != want {
		return t, refuse(w.path[:depth], "%s has no %s to alter, only %q", t.Kind, strconv.Quote(w.path[depth]), want)
	}
	elem, err := *t.Elem, error(nil)
	switch {
	case depth < len(w.path)-1:
		elem, err = w.inside(elem, depth+1)
	case w.typ == nil:
		err = refuse(w.path, "only its type and nullability can be altered")
	default:
		elem, err = w.typ(elem)
	}
	t.Elem = &elem
	return t, err
}

func indexOf(fields []Field, name string) int {
	return slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
}

func fieldNames(fields []Field) []string {
	t := Table{Fields: fields}
	return t.names()
}
