package schema

import (
	"fmt"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// UnmarshalJSON reads a type as schema files hold it: a string for a scalar, an
// object for a nested type. SQL text of nested types is read too. ROW members
// without an id get NoID.
func (t *Type) UnmarshalJSON(data []byte) error {
	tree, err := readJSON(data)
	if err != nil {
		return fault.Invalid("type is not JSON: " + err.Error())
	}
	r := treeReader{}
	parsed := r.dataType("type", tree, 1)
	if len(r.errs) > 0 {
		return r.errs[0]
	}
	*t = parsed
	return nil
}

// MarshalJSON writes the type as schema files hold it, without line breaks. An
// invalid type is an error.
func (t Type) MarshalJSON() ([]byte, error) {
	if err := checkType(t, 1); err != nil {
		return nil, err
	}
	w := jsonWriter{compact: true}
	w.dataType(t)
	return w.buf, nil
}

// dataType reads a type from a document; depth counts the nesting so far.
func (r *treeReader) dataType(path string, v any, depth int) Type {
	if depth > MaxDepth {
		r.fail(path, "types nest deeper than %d", MaxDepth)
		return Type{}
	}
	switch v := v.(type) {
	case scalar:
		return r.typeText(path, v)
	case *object:
		return r.nestedType(path, v, depth)
	}
	r.fail(path, "a type as text or as an object expected")
	return Type{}
}

func (r *treeReader) typeText(path string, v scalar) Type {
	if !v.quoted {
		r.fail(path, "a type as text or as an object expected")
		return Type{}
	}
	t, err := ParseType(v.text)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", path, err))
	}
	return t
}

func (r *treeReader) nestedType(path string, o *object, depth int) Type {
	text := strings.ToUpper(strings.TrimSpace(r.text(path+".type", o.values["type"])))
	word, rest, _ := strings.Cut(text, " ")
	t := Type{Nullable: true}
	switch strings.Join(strings.Fields(rest), " ") {
	case "NOT NULL":
		t.Nullable = false
	case "", "NULL":
	default:
		r.fail(path+".type", "%q is none of ARRAY, MAP, MULTISET, ROW, VECTOR with or without NOT NULL", text)
	}
	child := func(member string) *Type {
		c := r.dataType(path+"."+member, o.values[member], depth+1)
		return &c
	}
	var members []string
	switch word {
	case "ARRAY", "MULTISET":
		members = []string{"type", "element"}
		t.Kind, t.Elem = Array, child("element")
		if word == "MULTISET" {
			t.Kind = Multiset
		}
	case "MAP":
		members = []string{"type", "key", "value"}
		t.Kind, t.Key, t.Elem = Map, child("key"), child("value")
	case "VECTOR":
		members = []string{"type", "element", "length"}
		t.Kind, t.Elem = Vector, child("element")
		t.Length = int(r.integer(path+".length", o.values["length"], 32))
	case "ROW":
		members = []string{"type", "fields"}
		t.Kind, t.Fields = Row, r.rowMembers(path+".fields", o.values["fields"], depth)
	default:
		r.fail(path+".type", "%q is none of ARRAY, MAP, MULTISET, ROW, VECTOR", text)
		return t
	}
	r.object(path, o, members...)
	return t
}

func (r *treeReader) rowMembers(path string, v any, depth int) []Field {
	fields := []Field{}
	if _, ok := v.([]any); !ok {
		r.fail(path, "a list expected")
		return fields
	}
	for i, e := range r.list(path, v) {
		fields = append(fields, r.field(fmt.Sprintf("%s[%d]", path, i), e, depth+1))
	}
	return fields
}

// field reads a column or a ROW member.
func (r *treeReader) field(path string, v any, depth int) Field {
	o := r.object(path, v, "id", "name", "type", "description", "defaultValue")
	f := Field{ID: NoID, Name: r.text(path+".name", o.values["name"])}
	if id, given := o.values["id"]; given {
		f.ID = int(r.integer(path+".id", id, 32))
	}
	f.Type = r.dataType(path+".type", o.values["type"], depth)
	if d := o.values["description"]; d != nil {
		f.Description = r.looseText(path+".description", d)
	}
	if d := o.values["defaultValue"]; d != nil {
		text := r.looseText(path+".defaultValue", d)
		f.Default = &text
	}
	return f
}
