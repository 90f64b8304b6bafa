package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// Kind is the kind of an Avro type.
type Kind uint8

// The kinds of Avro types.
const (
	Null Kind = iota
	Boolean
	Int
	Long
	Float
	Double
	Bytes
	String
	Record
	Enum
	Array
	Map
	Union
	Fixed
)

var kindNames = [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string",
	"record", "enum", "array", "map", "union", "fixed"}

// String is the kind's name in a schema.
func (k Kind) String() string { return kindNames[k] }

const (
	maxSchemaBytes = 16 << 20
	maxSchemaDepth = 64
)

// Schema is a parsed Avro type. References to named types are resolved to the
// type itself. It is immutable once shared.
type Schema struct {
	Kind      Kind
	Name      string // RECORD, ENUM, FIXED: the short name
	Namespace string // of named types
	Fields    []Field
	Symbols   []string
	Items     *Schema // ARRAY items, MAP values
	Branches  []*Schema
	Size      int    // FIXED
	Props     []Prop // other attributes, such as logicalType, sorted by name
}

// Field is a field of a record.
type Field struct {
	Name  string
	Type  *Schema
	Props []Prop // default, doc, ... sorted by name
}

// Prop is an attribute kept as JSON text.
type Prop struct {
	Name  string
	Value string
}

// Logical is the type's logicalType, or "".
func (s *Schema) Logical() string {
	for _, p := range s.Props {
		if p.Name == "logicalType" {
			var text string
			if json.Unmarshal([]byte(p.Value), &text) == nil {
				return text
			}
		}
	}
	return ""
}

// Field finds a record's field by name.
func (s *Schema) Field(name string) (*Field, bool) {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i], true
		}
	}
	return nil, false
}

// NullBranch is the index of null in a union, -1 when there is none.
func (s *Schema) NullBranch() int {
	return slices.IndexFunc(s.Branches, func(b *Schema) bool { return b.Kind == Null })
}

// MinSize is the fewest bytes that a value takes. It is 0 only for types
// whose values never take any.
func (s *Schema) MinSize() int {
	switch s.Kind {
	case Null:
		return 0
	case Float:
		return 4
	case Double:
		return 8
	case Fixed:
		return s.Size
	case Record:
		n := 0
		for i := range s.Fields {
			n += s.Fields[i].Type.MinSize()
		}
		return n
	}
	return 1
}

// ParseSchema parses the JSON of a schema. A type that contains itself is
// refused: none of the files this library reads has one.
func ParseSchema(text []byte) (*Schema, error) {
	if len(text) > maxSchemaBytes {
		return nil, fmt.Errorf("schema of %d bytes", len(text))
	}
	p := parser{named: map[string]*Schema{}, budget: 1 << 20}
	s, err := p.parse(text, "", 0)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return s, nil
}

type parser struct {
	named  map[string]*Schema // nil while the type is being defined
	budget int                // types still allowed after expanding references
}

func (p *parser) parse(text []byte, space string, depth int) (*Schema, error) {
	if depth > maxSchemaDepth {
		return nil, errors.New("types nested too deeply")
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, errors.New("empty type")
	}
	switch text[0] {
	case '"':
		var name string
		if err := json.Unmarshal(text, &name); err != nil {
			return nil, err
		}
		return p.reference(name, space)
	case '[':
		return p.union(text, space, depth)
	}
	return p.object(text, space, depth)
}

// reference resolves a primitive or an earlier named type.
func (p *parser) reference(name, space string) (*Schema, error) {
	for k := Null; k <= String; k++ {
		if name == kindNames[k] {
			return &Schema{Kind: k}, nil
		}
	}
	s, ok := p.named[fullName(name, space)]
	if !ok {
		if s, ok = p.named[name]; !ok {
			return nil, fmt.Errorf("type %q is not defined", name)
		}
	}
	if s == nil {
		return nil, fault.Unsupported(fmt.Sprintf("avro type %q that contains itself", name), "write the file without recursive types")
	}
	// A chain of types that refer twice to the one before grows without
	// bound when it is walked, so references count as what they stand for.
	if p.budget -= s.weight(p.budget); p.budget <= 0 {
		return nil, errors.New("too many types")
	}
	return s, nil
}

// weight counts the types in s, stopping at limit.
func (s *Schema) weight(limit int) int {
	n := 1
	add := func(c *Schema) {
		if c != nil && n < limit {
			n += c.weight(limit - n)
		}
	}
	add(s.Items)
	for _, b := range s.Branches {
		add(b)
	}
	for i := range s.Fields {
		add(s.Fields[i].Type)
	}
	return n
}

func (p *parser) union(text []byte, space string, depth int) (*Schema, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	s := &Schema{Kind: Union}
	for _, r := range raw {
		b, err := p.parse(r, space, depth+1)
		if err != nil {
			return nil, err
		}
		if b.Kind == Union {
			return nil, errors.New("union within a union")
		}
		s.Branches = append(s.Branches, b)
	}
	if len(s.Branches) == 0 {
		return nil, errors.New("union without branches")
	}
	return s, nil
}

func (p *parser) object(text []byte, space string, depth int) (*Schema, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	t := bytes.TrimSpace(m["type"])
	var name string
	if len(t) == 0 || t[0] != '"' { // {"type": {...}} and {"type": [...]} wrap a type
		return p.parse(t, space, depth+1)
	}
	if err := json.Unmarshal(t, &name); err != nil {
		return nil, err
	}
	kind := Kind(slices.Index(kindNames[:], name))
	var s *Schema
	var err error
	switch kind {
	case Record, Enum, Fixed:
		s, err = p.define(kind, m, space, depth)
	case Array:
		s = &Schema{Kind: Array}
		s.Items, err = p.parse(m["items"], space, depth+1)
	case Map:
		s = &Schema{Kind: Map}
		s.Items, err = p.parse(m["values"], space, depth+1)
	default:
		s, err = p.reference(name, space)
		if err == nil && s.Kind > String {
			return s, nil // a wrapped reference: shared, so it takes no attributes
		}
	}
	if err != nil {
		return nil, err
	}
	s.Props, err = props(m, structural)
	return s, err
}

// define parses a named type and remembers it.
func (p *parser) define(kind Kind, m map[string]json.RawMessage, space string, depth int) (*Schema, error) {
	s := &Schema{Kind: kind}
	if err := json.Unmarshal(m["name"], &s.Name); err != nil {
		return nil, fmt.Errorf("%s without a name", kind)
	}
	if raw, ok := m["namespace"]; ok {
		if err := json.Unmarshal(raw, &space); err != nil {
			return nil, err
		}
	}
	if i := strings.LastIndexByte(s.Name, '.'); i >= 0 {
		space, s.Name = s.Name[:i], s.Name[i+1:]
	}
	s.Namespace = space
	if s.Name == "" {
		return nil, fmt.Errorf("%s without a name", kind)
	}
	full := fullName(s.Name, space)
	if _, ok := p.named[full]; ok {
		return nil, fmt.Errorf("type %q is defined twice", full)
	}
	p.named[full] = nil
	defer func() { p.named[full] = s }()
	switch kind {
	case Fixed:
		if err := json.Unmarshal(m["size"], &s.Size); err != nil || s.Size < 0 || s.Size > 1<<30 {
			return nil, fmt.Errorf("fixed %q has no valid size", full)
		}
	case Enum:
		if err := json.Unmarshal(m["symbols"], &s.Symbols); err != nil {
			return nil, fmt.Errorf("enum %q: %w", full, err)
		}
	default:
		return s, p.fields(s, m["fields"], depth)
	}
	return s, nil
}

func (p *parser) fields(s *Schema, text []byte, depth int) error {
	var raw []map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return fmt.Errorf("fields of %q: %w", s.Name, err)
	}
	seen := make(map[string]bool, len(raw))
	for _, m := range raw {
		var f Field
		if err := json.Unmarshal(m["name"], &f.Name); err != nil || f.Name == "" {
			return fmt.Errorf("field without a name in %q", s.Name)
		}
		if seen[f.Name] {
			return fmt.Errorf("field %q occurs twice in %q", f.Name, s.Name)
		}
		seen[f.Name] = true
		var err error
		if f.Type, err = p.parse(m["type"], s.Namespace, depth+1); err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
		if f.Props, err = props(m, map[string]bool{"name": true, "type": true}); err != nil {
			return err
		}
		s.Fields = append(s.Fields, f)
	}
	return nil
}

var structural = map[string]bool{"type": true, "name": true, "namespace": true, "fields": true,
	"items": true, "values": true, "symbols": true, "size": true}

// props keeps the attributes that do not shape the encoding, as compact JSON.
func props(m map[string]json.RawMessage, skip map[string]bool) ([]Prop, error) {
	var out []Prop
	for name, raw := range m {
		if skip[name] {
			continue
		}
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, err
		}
		out = append(out, Prop{name, b.String()})
	}
	slices.SortFunc(out, func(a, b Prop) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}
