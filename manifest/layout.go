package manifest

import (
	"strings"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
)

// place is a record within which unknown fields may occur.
type place uint8

const (
	inEntry place = iota
	inFile
	inKeyStats
	inValueStats
	inMeta
	inPartitionStats
	inIndex
	inRange
	inGlobal
	places
)

// paths locate the records of the places within their schema.
var paths = [places][]string{
	inFile:           {"_FILE"},
	inKeyStats:       {"_FILE", "_KEY_STATS"},
	inValueStats:     {"_FILE", "_VALUE_STATS"},
	inPartitionStats: {"_PARTITION_STATS"},
	inRange:          {"_DELETIONS_VECTORS_RANGES"},
	inGlobal:         {"_GLOBAL_INDEX"},
}

// column is an unknown field of a schema to be written.
type column struct {
	name, schema string
	null         []byte // the encoding of null
}

// layout is the unknown fields that a file's schema has besides ours, per
// place. The zero value is our schema.
type layout struct {
	extra [places][]column
	any   bool
}

// append writes the unknown fields of a record: the value where the record has the field, else null.
func (l *layout) append(dst []byte, at place, have []Unknown) []byte {
	if !l.any {
		return dst
	}
	for _, c := range l.extra[at] {
		v := c.null
		for i := range have {
			if have[i].Name == c.name {
				v = have[i].Value
			}
		}
		dst = append(dst, v...)
	}
	return dst
}

// covers says whether all fields are in the layout.
func (l *layout) covers(at place, have []Unknown) bool {
	for i := range have {
		if c := l.column(at, have[i].Name); c == nil || c.schema != have[i].Schema {
			return false
		}
	}
	return true
}

func (l *layout) column(at place, name string) *column {
	for i := range l.extra[at] {
		if l.extra[at][i].name == name {
			return &l.extra[at][i]
		}
	}
	return nil
}

// add takes the fields into the layout. A field that is there with another
// type takes the new type, and clash reports it.
func (l *layout) add(at place, have []Unknown) (clash bool, err error) {
	for i := range have {
		u := &have[i]
		c := l.column(at, u.Name)
		if c != nil && c.schema == u.Schema {
			continue
		}
		s, err := avro.ParseSchema([]byte(u.Schema))
		if err != nil {
			return clash, err
		}
		if s.NullBranch() < 0 {
			return clash, fault.Invalid("unknown field " + u.Name + " is not nullable")
		}
		if c == nil {
			l.extra[at] = append(l.extra[at], column{})
			c = &l.extra[at][len(l.extra[at])-1]
		} else {
			clash = true
		}
		*c = column{u.Name, u.Schema, avro.AppendLong(nil, int64(s.NullBranch()))}
		l.any = true
	}
	return clash, nil
}

// schema is our schema with the unknown fields at the end of their records.
func (l *layout) schema(ours string) (string, error) {
	if !l.any {
		return ours, nil
	}
	root, err := avro.ParseSchema([]byte(ours))
	if err != nil {
		return "", err
	}
	for at, cols := range l.extra {
		rec := root
		for _, name := range paths[at] {
			rec = recordIn(rec, name)
		}
		for _, c := range cols {
			t, err := avro.ParseSchema([]byte(c.schema))
			if err != nil {
				return "", err
			}
			f := avro.Field{Name: c.name, Type: t}
			if t.NullBranch() == 0 {
				f.Props = []avro.Prop{{Name: "default", Value: "null"}}
			}
			rec.Fields = append(rec.Fields, f)
		}
	}
	return root.String(), nil
}

// recordIn is the record behind a field, through unions and arrays. A place
// that the schema does not have gives a record that nobody prints.
func recordIn(rec *avro.Schema, name string) *avro.Schema {
	f, ok := rec.Field(name)
	if !ok {
		return &avro.Schema{Kind: avro.Record}
	}
	t := f.Type
	for t.Kind == avro.Array || t.Kind == avro.Union {
		if t.Kind == avro.Array {
			t = t.Items
		} else {
			t = t.Branches[len(t.Branches)-1]
		}
	}
	return t
}

// eachEntry calls f for the unknown fields in all places of an entry.
func eachEntry(e *Entry, f func(place, []Unknown) error) error {
	if e.Extra == nil && e.File.Extra == nil && e.File.KeyStats.Extra == nil && e.File.ValueStats.Extra == nil {
		return nil
	}
	for at, have := range [...][]Unknown{inEntry: e.Extra, inFile: e.File.Extra, inKeyStats: e.File.KeyStats.Extra, inValueStats: e.File.ValueStats.Extra} {
		if err := f(place(at), have); err != nil {
			return err
		}
	}
	return nil
}

func eachMeta(m *Meta, f func(place, []Unknown) error) error {
	if err := f(inMeta, m.Extra); err != nil {
		return err
	}
	return f(inPartitionStats, m.PartitionStats.Extra)
}

func eachIndex(e *IndexEntry, f func(place, []Unknown) error) error {
	if err := f(inIndex, e.Extra); err != nil {
		return err
	}
	for i := range e.Ranges {
		if err := f(inRange, e.Ranges[i].Extra); err != nil {
			return err
		}
	}
	if e.Global == nil {
		return nil
	}
	return f(inGlobal, e.Global.Extra)
}

// must adds fields to a layout of a file that cannot be split in two.
func (l *layout) must(at place, have []Unknown) error {
	clash, err := l.add(at, have)
	if clash {
		var names []string
		for _, u := range have {
			names = append(names, u.Name)
		}
		return fault.Unsupported("fields with different types in one list: "+strings.Join(names, ", "), "use the release that wrote them")
	}
	return err
}
