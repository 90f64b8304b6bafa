package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tidelake/tidelake/internal/fault"
)

// tableVersion is the layout version that is written. Version 1 files (made up
// to 0.7) had one bucket unless they said otherwise, versions 1 and 2 (up to
// 0.8) ORC files.
const tableVersion = 3

// ParseTable reads a table schema of version 1, 2 or 3. What older versions took
// for granted is written into the options, so that the result means the same as
// a version 3 schema. Unknown members are ignored. A file that contradicts
// itself (an id used twice, a key that is no column) is corrupt; whether the
// table makes sense is Validate's business.
func ParseTable(data []byte) (*Table, error) {
	tree, err := readJSON(data)
	if err != nil {
		return nil, fault.Corrupt("", "table schema is not JSON", err)
	}
	r := treeReader{}
	t := r.table(tree)
	if len(r.errs) > 0 {
		return nil, fault.Corrupt("", "table schema", errors.Join(r.errs...))
	}
	if t.Version > tableVersion {
		return nil, fault.Unsupported(fmt.Sprintf("table schema version %d", t.Version), "read it with a newer release")
	}
	if err := t.consistent(); err != nil {
		return nil, fault.Corrupt("", "table schema", err)
	}
	t.applyOldDefaults()
	return t, nil
}

func (r *treeReader) table(tree any) *Table {
	o := r.object("schema", tree)
	t := &Table{Version: 1}
	if v := o.values["version"]; v != nil {
		t.Version = int(r.integer("version", v, 32))
	}
	t.ID = r.integer("id", o.values["id"], 64)
	t.Fields = []Field{}
	for i, v := range r.list("fields", o.values["fields"]) {
		t.Fields = append(t.Fields, r.field(fmt.Sprintf("fields[%d]", i), v, 1))
	}
	t.HighestFieldID = int(r.integer("highestFieldId", o.values["highestFieldId"], 32))
	for _, name := range []string{"fields", "partitionKeys", "primaryKeys", "options"} {
		if _, ok := o.values[name]; !ok { // every writer writes them; a table without its key would show rows twice
			r.fail("schema", "member %q is missing", name)
		}
	}
	t.PartitionKeys = r.texts("partitionKeys", o.values["partitionKeys"])
	t.PrimaryKeys = r.texts("primaryKeys", o.values["primaryKeys"])
	t.Options = r.textMap("options", o.values["options"])
	if c := o.values["comment"]; c != nil {
		t.Comment = r.looseText("comment", c)
	}
	if m := o.values["timeMillis"]; m != nil {
		t.TimeMillis = r.integer("timeMillis", m, 64)
	}
	return t
}

func (t *Table) applyOldDefaults() {
	if _, set := t.Options["bucket"]; t.Version <= 1 && !set {
		t.Options["bucket"] = "1"
	}
	if _, set := t.Options["file.format"]; t.Version <= 2 && !set {
		t.Options["file.format"] = "orc"
	}
}

// consistent checks what no writer would ever produce and what the rest of the
// library relies on.
func (t *Table) consistent() error {
	var errs []error
	if t.Version < 1 || t.ID < 0 {
		errs = append(errs, fmt.Errorf("version %d, id %d", t.Version, t.ID))
	}
	seen := map[int]bool{}
	walkFields(t.Fields, "", func(path string, f Field) {
		switch {
		case f.ID == NoID:
			errs = append(errs, fmt.Errorf("field %s has no id", path))
		case f.ID < 0 || f.ID > maxFieldID:
			errs = append(errs, fmt.Errorf("field %s has id %d", path, f.ID))
		case seen[f.ID]:
			errs = append(errs, fmt.Errorf("field %s shares id %d", path, f.ID))
		}
		seen[f.ID] = true
	})
	names := map[string]bool{}
	for _, f := range t.Fields {
		if names[f.Name] {
			errs = append(errs, fmt.Errorf("column %q appears twice", f.Name))
		}
		names[f.Name] = true
	}
	for _, k := range slices.Concat(t.PartitionKeys, t.PrimaryKeys) {
		if !names[k] {
			errs = append(errs, fmt.Errorf("key column %q does not exist", k))
		}
	}
	return errors.Join(errs...)
}

// Marshal writes the schema as version 3, laid out as Paimon lays it out, with
// the options in alphabetical order. A schema whose types are invalid is an
// error.
func (t *Table) Marshal() ([]byte, error) {
	for _, f := range t.Fields {
		if err := checkType(f.Type, 1); err != nil {
			return nil, fmt.Errorf("column %s: %w", strconv.Quote(f.Name), err)
		}
	}
	w := jsonWriter{}
	w.openObject()
	w.member("version")
	w.integer(tableVersion)
	w.member("id")
	w.integer(t.ID)
	w.member("fields")
	w.fields(t.Fields)
	w.member("highestFieldId")
	w.integer(int64(t.HighestFieldID))
	w.member("partitionKeys")
	w.texts(t.PartitionKeys)
	w.member("primaryKeys")
	w.texts(t.PrimaryKeys)
	w.member("options")
	w.textMap(t.Options)
	if t.Comment != "" {
		w.member("comment")
		w.text(t.Comment)
	}
	w.member("timeMillis")
	w.integer(t.TimeMillis)
	w.closeObject()
	return w.buf, nil
}

// walkFields visits every column and every ROW member below it, parents first.
func walkFields(fields []Field, prefix string, visit func(path string, f Field)) {
	for _, f := range fields {
		path := prefix + f.Name
		visit(path, f)
		walkType(f.Type, path, visit)
	}
}

func walkType(t Type, path string, visit func(path string, f Field)) {
	if t.Key != nil {
		walkType(*t.Key, path+".key", visit)
	}
	if t.Elem != nil {
		walkType(*t.Elem, path+".element", visit)
	}
	walkFields(t.Fields, path+".", visit)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
