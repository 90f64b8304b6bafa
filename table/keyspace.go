package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// keySpace is how the keys of a bucket are written and compared: the primary
// key without partition columns. It is immutable.
type keySpace struct {
	fields []schema.Field
	types  []schema.Type
	schema *arrow.Schema
	layout *vector.Layout
}

// keyList is a list of keys: a vector that compares, and the columns it borrows.
type keyList struct {
	vector.Keys
	cols []arrow.Array
}

func newKeySpace(sc *schema.Table) (*keySpace, error) {
	s := &keySpace{fields: sc.KeyFields()}
	s.types = typesOf(s.fields)
	var err error
	if s.schema, err = schema.ArrowSchema(s.fields); err != nil {
		return nil, err
	}
	var types []arrow.DataType
	for _, f := range s.schema.Fields() {
		types = append(types, f.Type)
	}
	s.layout, err = vector.NewLayout(types)
	return s, err
}

// list borrows cols.
func (s *keySpace) list(cols []arrow.Array) (*keyList, error) {
	l := &keyList{cols: cols}
	return l, s.layout.Build(&l.Keys, cols, nil)
}

// fromValues makes keys of metadata values, a row each. They are few and live
// on Go's heap, whatever the allocator of the table is.
func (s *keySpace) fromValues(rows [][]any) (*keyList, error) {
	a, err := rowjson.NewAppender(s.fields, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := a.Append(schema.Insert, r); err != nil {
			return nil, err
		}
	}
	rec, _ := a.Flush()
	return s.list(rec.Columns())
}

// decode gives the values of a key as metadata has it.
func (s *keySpace) decode(body []byte) ([]any, error) { return binaryrow.Decode(s.types, body) }

func (s *keySpace) compare(a, b []any) int {
	for i, t := range s.types {
		if c := schema.Compare(t, a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}
