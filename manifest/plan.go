package manifest

import (
	"fmt"
	"sync"

	"github.com/tidelake/tidelake/internal/avro"
)

// shape is the set of Avro types that a field of ours may have in a file.
type shape uint8

const (
	aLong    shape = iota // int, long
	aBytes                // bytes, string
	aTexts                // array of bytes or string
	aLongs                // array of int or long, items may be null
	aRecord               // record
	aRecords              // array of record, items may be null
)

// spec describes one of our fields: what it is called, what it may look like,
// whether a file may do without it.
type spec struct {
	name     string
	id       int8
	shape    shape
	optional bool
	sub      []spec // aRecord, aRecords
}

// unknownField is the id of steps over fields that no spec describes.
const unknownField = -1

// step decodes one field of a file's record. The union around it, if there is
// one, has been reduced to the index of its null branch.
type step struct {
	id       int8
	null     int8 // index of null in a union of two, -1 when the field cannot be null
	itemNull int8 // the same for the items of an array
	name     string
	sub      *plan
	skip     *avro.Schema // unknown fields
	schema   string       // unknown fields: the nullable schema to write them with
	wrap     bool         // unknown fields: the value gets a union index in front
	shift    bool         // unknown fields: the value's union index moves up by one
}

// plan is the order and form in which a file holds the fields of a record.
// One is compiled for each distinct schema; decoding a record then is a walk
// over its steps.
type plan struct {
	steps []step
	min   int // fewest bytes of a record, at least 1
}

// compile matches a file's record with our specs by field name.
func compile(specs []spec, s *avro.Schema) (*plan, error) {
	if s.Kind != avro.Record {
		return nil, fmt.Errorf("schema is a %s, want a record", s.Kind)
	}
	p := &plan{min: max(1, s.MinSize())}
	seen := make(map[string]bool, len(specs))
	for i := range s.Fields {
		f := &s.Fields[i]
		sp := find(specs, f.Name)
		if sp == nil {
			p.steps = append(p.steps, unknownStep(f))
			continue
		}
		seen[f.Name] = true
		st, err := knownStep(sp, f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
		p.steps = append(p.steps, st)
	}
	for i := range specs {
		if !specs[i].optional && !seen[specs[i].name] {
			return nil, fmt.Errorf("schema has no field %q", specs[i].name)
		}
	}
	return p, nil
}

func find(specs []spec, name string) *spec {
	for i := range specs {
		if specs[i].name == name {
			return &specs[i]
		}
	}
	return nil
}

func knownStep(sp *spec, t *avro.Schema) (step, error) {
	st := step{id: sp.id, name: sp.name, itemNull: -1}
	t, null, err := unwrap(t)
	if err != nil {
		return st, err
	}
	st.null = null
	ok := false
	switch sp.shape {
	case aLong:
		ok = isLong(t)
	case aBytes:
		ok = isBytes(t)
	case aRecord:
		st.sub, err = compile(sp.sub, t)
		return st, err
	case aTexts:
		ok = t.Kind == avro.Array && isBytes(t.Items)
	case aLongs, aRecords:
		if ok = t.Kind == avro.Array; !ok {
			break
		}
		var item *avro.Schema
		if item, st.itemNull, err = unwrap(t.Items); err != nil {
			return st, err
		}
		if sp.shape == aRecords {
			st.sub, err = compile(sp.sub, item)
			return st, err
		}
		ok = isLong(item)
	}
	if !ok {
		return st, fmt.Errorf("unexpected type %s", t)
	}
	return st, nil
}

func isLong(t *avro.Schema) bool  { return t.Kind == avro.Int || t.Kind == avro.Long }
func isBytes(t *avro.Schema) bool { return t.Kind == avro.Bytes || t.Kind == avro.String }

// unwrap reduces [null, T] and [T, null] to T and the index of null.
func unwrap(t *avro.Schema) (*avro.Schema, int8, error) {
	if t.Kind != avro.Union {
		return t, -1, nil
	}
	null := t.NullBranch()
	if null < 0 || len(t.Branches) != 2 {
		return nil, 0, fmt.Errorf("unexpected type %s", t)
	}
	return t.Branches[1-null], int8(null), nil
}

// unknownStep prepares to carry a field along. Written again it has to be
// nullable, because entries of other files lack it.
func unknownStep(f *avro.Field) step {
	st := step{id: unknownField, name: f.Name, skip: f.Type}
	t := f.Type
	if t.Kind != avro.Union {
		st.wrap = true
		t = &avro.Schema{Kind: avro.Union, Branches: []*avro.Schema{{Kind: avro.Null}, t}}
	} else if t.NullBranch() < 0 {
		st.shift = true
		t = &avro.Schema{Kind: avro.Union, Branches: append([]*avro.Schema{{Kind: avro.Null}}, t.Branches...)}
	}
	st.schema = t.String()
	return st
}

// unknown takes the value of an unknown field as it is.
func (st *step) unknown(d *avro.Decoder) Unknown {
	at := d.Offset()
	u := Unknown{Name: st.name, Schema: st.schema}
	switch {
	case st.wrap:
		d.Skip(st.skip)
		u.Value = append([]byte{2}, d.Since(at)...)
	case st.shift:
		branch := d.Branch(len(st.skip.Branches))
		at = d.Offset()
		d.Skip(st.skip.Branches[branch])
		u.Value = append(avro.AppendLong(nil, int64(branch)+1), d.Since(at)...)
	default:
		d.Skip(st.skip)
		u.Value = d.Since(at)
	}
	return u
}

// isNull reads the union index in front of a value, if there is one, and says
// whether the value is null.
func (st *step) isNull(d *avro.Decoder) bool {
	return st.null >= 0 && d.Branch(2) == int(st.null)
}

// maxPlans bounds the cache: real tables have a handful of schemas.
const maxPlans = 128

// planCache remembers the plans of schemas by their JSON.
type planCache struct {
	mu    sync.Mutex
	plans map[string]*plan
}

func (c *planCache) get(specs []spec, json []byte) (*plan, error) {
	c.mu.Lock()
	p := c.plans[string(json)]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	s, err := avro.ParseSchema(json)
	if err != nil {
		return nil, err
	}
	if p, err = compile(specs, s); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plans == nil || len(c.plans) >= maxPlans {
		c.plans = map[string]*plan{}
	}
	c.plans[string(json)] = p
	return p, nil
}
