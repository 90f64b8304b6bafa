package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// Definition is what a user says about a table to be made. It has no ids yet.
//
//	columns:
//	  - {name: id, type: BIGINT NOT NULL}
//	  - {name: tags, type: "ARRAY<STRING>", comment: free words}
//	  - {name: n, type: INT, default: "0"}
//	primary-key: [id]
//	options: {bucket: 2}
type Definition struct {
	Columns     []Column
	PrimaryKey  []string // in order; its columns become NOT NULL
	PartitionBy []string
	Options     map[string]string
	Comment     string
}

// Column is one column of a Definition.
type Column struct {
	Name     string
	Type     Type
	Nullable *bool   // overrides the type's own nullability
	Default  *string // literal that replaces nulls on write
	Comment  string
}

// ParseDefinition reads a definition from JSON or YAML: the members columns
// (name, type, nullable, default, comment), primary-key, partition-by, options
// and comment. A type is SQL text or Paimon's JSON object. Unknown members are
// errors; all faults are returned together.
func ParseDefinition(data []byte) (Definition, error) {
	tree, err := readDocument(data)
	if err != nil {
		return Definition{}, fault.Invalid("table definition: " + err.Error())
	}
	r := treeReader{strict: true}
	d := r.definition(tree)
	return d, errors.Join(r.errs...)
}

func (r *treeReader) definition(tree any) Definition {
	o := r.object("definition", tree, "columns", "primary-key", "partition-by", "options", "comment")
	d := Definition{
		PrimaryKey:  r.nameList("primary-key", o.values["primary-key"]),
		PartitionBy: r.nameList("partition-by", o.values["partition-by"]),
		Options:     r.textMap("options", o.values["options"]),
	}
	for i, v := range r.list("columns", o.values["columns"]) {
		d.Columns = append(d.Columns, r.column(fmt.Sprintf("columns[%d]", i), v))
	}
	if c := o.values["comment"]; c != nil {
		d.Comment = r.looseText("comment", c)
	}
	return d
}

// nameList takes one name as a list of one.
func (r *treeReader) nameList(path string, v any) []string {
	if s, ok := v.(scalar); ok {
		return []string{s.text}
	}
	out := []string{}
	for i, e := range r.list(path, v) {
		out = append(out, r.looseText(fmt.Sprintf("%s[%d]", path, i), e))
	}
	return out
}

func (r *treeReader) column(path string, v any) Column {
	o := r.object(path, v, "name", "type", "nullable", "default", "comment")
	c := Column{Name: r.looseText(path+".name", o.values["name"])}
	if c.Name != "" {
		path = "column " + c.Name
	}
	if text, ok := o.values["type"].(scalar); ok {
		text.quoted = true // YAML reads a bare word as text, JSON cannot hold one
		c.Type = r.typeText(path+": type", text)
	} else {
		c.Type = r.dataType(path+": type", o.values["type"], 1)
	}
	if n := o.values["nullable"]; n != nil {
		c.Nullable = r.boolean(path+": nullable", n)
	}
	if d := o.values["default"]; d != nil {
		text := r.looseText(path+": default", d)
		c.Default = &text
	}
	if t := o.values["comment"]; t != nil {
		c.Comment = r.looseText(path+": comment", t)
	}
	return c
}

func (r *treeReader) boolean(path string, v any) *bool {
	s, _ := v.(scalar)
	value := strings.EqualFold(s.text, "true")
	if !value && !strings.EqualFold(s.text, "false") {
		r.fail(path, "true or false expected")
	}
	return &value
}

// Table makes the definition into schema 0: it numbers the columns as Paimon
// does, makes primary key columns NOT NULL, moves keys that were given as
// options to their place, and validates the result and the spelling of every
// option. nowMillis is the time of its making. All faults are returned together.
func (d Definition) Table(nowMillis int64) (*Table, error) {
	t := &Table{
		Version: tableVersion, HighestFieldID: -1, Options: map[string]string{}, Comment: d.Comment, TimeMillis: nowMillis,
		PrimaryKeys: slices.Clone(d.PrimaryKey), PartitionKeys: slices.Clone(d.PartitionBy),
	}
	maps.Copy(t.Options, d.Options)
	errs := []error{
		keysFromOption(t.Options, "primary-key", &t.PrimaryKeys),
		keysFromOption(t.Options, "partition", &t.PartitionKeys),
	}
	if strings.EqualFold(t.Options["type"], "table") {
		delete(t.Options, "type")
	}
	for _, c := range d.Columns {
		t.Fields = append(t.Fields, c.field(&t.HighestFieldID, slices.Contains(t.PrimaryKeys, c.Name)))
	}
	errs = append(errs, t.Validate(), CheckNewOptions(t.Options))
	if typ := t.Options["type"]; typ != "" {
		errs = append(errs, fault.Unsupported("creating a table of type "+typ, "leave option type out"))
	}
	if err := errors.Join(dedupe(errs)...); err != nil {
		return nil, err
	}
	return t, nil
}

// keysFromOption moves a key list given as an option to its proper place.
func keysFromOption(options map[string]string, key string, keys *[]string) error {
	text, set := options[key]
	if !set {
		return nil
	}
	delete(options, key)
	if len(*keys) > 0 {
		return fault.Invalid("option " + key + " is given besides the definition's own " + key)
	}
	*keys = splitComma(text)
	return nil
}

// dedupe drops faults that two checks both found, such as a malformed value.
func dedupe(errs []error) []error {
	var out []error
	seen := map[string]bool{}
	var add func(err error)
	add = func(err error) {
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			if _, single := err.(*fault.Error); !single {
				for _, e := range many.Unwrap() {
					add(e)
				}
				return
			}
		}
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			out = append(out, err)
		}
	}
	for _, err := range errs {
		add(err)
	}
	return out
}

// field numbers the column: its own id first, then those of the fields inside.
func (c Column) field(highest *int, key bool) Field {
	*highest++
	f := Field{ID: *highest, Name: c.Name, Description: c.Comment, Default: c.Default}
	f.Type = numberType(c.Type, highest)
	if c.Nullable != nil {
		f.Type.Nullable = *c.Nullable
	}
	if key {
		f.Type.Nullable = false
	}
	return f
}

// numberType gives ids to the ROW members inside a type. A member comes after
// whatever is inside it: that is Paimon's order, and only there.
func numberType(t Type, highest *int) Type {
	if t.Key != nil {
		key := numberType(*t.Key, highest)
		t.Key = &key
	}
	if t.Elem != nil {
		elem := numberType(*t.Elem, highest)
		t.Elem = &elem
	}
	if t.Kind != Row {
		return t
	}
	fields := make([]Field, len(t.Fields))
	for i, f := range t.Fields {
		f.Type = numberType(f.Type, highest)
		*highest++
		f.ID = *highest
		fields[i] = f
	}
	t.Fields = fields
	return t
}
