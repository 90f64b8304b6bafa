package avro

import (
	"encoding/json"
	"strconv"
)

// String prints the schema as compact JSON in the order Java's library uses.
// A named type is written where it first occurs and referred to later; a
// different type of the same name gets a name of its own.
func (s *Schema) String() string {
	p := printer{names: map[string]string{}, bodies: map[string]string{}}
	p.print(s, "")
	return string(p.b)
}

type printer struct {
	b      []byte
	names  map[string]string // definition -> full name it was printed under
	bodies map[string]string // full name -> definition
}

func (p *printer) raw(s string) { p.b = append(p.b, s...) }

func (p *printer) quote(s string) {
	q, _ := json.Marshal(s) // a string always marshals
	p.b = append(p.b, q...)
}

func (p *printer) print(s *Schema, space string) {
	switch s.Kind {
	case Union:
		for i, b := range s.Branches {
			p.raw([]string{"[", ","}[min(i, 1)])
			p.print(b, space)
		}
		p.raw("]")
	case Array, Map:
		p.raw(`{"type":"` + s.Kind.String() + `",` + map[Kind]string{Array: `"items":`, Map: `"values":`}[s.Kind])
		p.print(s.Items, space)
		p.props(s.Props)
		p.raw("}")
	case Record, Enum, Fixed:
		p.define(s, space)
	default:
		if len(s.Props) == 0 {
			p.quote(s.Kind.String())
			return
		}
		p.raw(`{"type":"` + s.Kind.String() + `"`)
		p.props(s.Props)
		p.raw("}")
	}
}

func (p *printer) props(props []Prop) {
	for _, x := range props {
		p.raw(",")
		p.quote(x.Name)
		p.raw(":")
		p.raw(x.Value)
	}
}

// define prints a named type, or a reference when the same one was printed.
func (p *printer) define(s *Schema, space string) {
	alone := printer{names: map[string]string{}, bodies: map[string]string{}}
	alone.body(s, s.Name, "")
	key := string(alone.b)
	if full, ok := p.names[key]; ok {
		p.quote(full)
		return
	}
	name := s.Name
	for n := 2; ; n++ {
		if _, taken := p.bodies[fullName(name, s.Namespace)]; !taken {
			break
		}
		name = s.Name + "_" + strconv.Itoa(n)
	}
	p.names[key] = fullName(name, s.Namespace)
	p.bodies[fullName(name, s.Namespace)] = key
	p.body(s, name, space)
}

func (p *printer) body(s *Schema, name, space string) {
	p.raw(`{"type":"` + s.Kind.String() + `","name":`)
	p.quote(name)
	if s.Namespace != space {
		p.raw(`,"namespace":`)
		p.quote(s.Namespace)
	}
	switch s.Kind {
	case Fixed:
		p.raw(`,"size":` + strconv.Itoa(s.Size))
	case Enum:
		q, _ := json.Marshal(s.Symbols)
		p.raw(`,"symbols":` + string(q))
	default:
		p.raw(`,"fields":[`)
		for i := range s.Fields {
			if i > 0 {
				p.raw(",")
			}
			p.raw(`{"name":`)
			p.quote(s.Fields[i].Name)
			p.raw(`,"type":`)
			p.print(s.Fields[i].Type, s.Namespace)
			p.props(s.Fields[i].Props)
			p.raw("}")
		}
		p.raw("]")
	}
	p.props(s.Props)
	p.raw("}")
}
