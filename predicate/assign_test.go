package predicate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

func TestValuesOfUpdates(t *testing.T) {
	fields := []schema.Field{
		{Name: "n", Type: schema.Type{Kind: schema.Int}}, {Name: "s", Type: schema.Type{Kind: schema.VarChar, Length: 10}},
		{Name: "d", Type: schema.Type{Kind: schema.Date}}, {Name: "b", Type: schema.Type{Kind: schema.Boolean}}, {Name: "a b", Type: schema.Type{Kind: schema.Int}},
	}
	for _, c := range []struct {
		column int
		text   string
		value  any
		from   string
		class  error
		fact   string
	}{
		{0, " 3 ", int32(3), "", nil, ""},
		{0, "-3", int32(-3), "", nil, ""},
		{0, "'7'", int32(7), "", nil, ""},
		{0, "NULL", nil, "", nil, ""},
		{0, "`a b`", nil, "a b", nil, ""},
		{1, "s", nil, "s", nil, ""},
		{1, "'it''s'", "it's", "", nil, ""},
		{1, "5", "5", "", nil, ""},
		{2, "DATE '1970-01-03'", int32(2), "", nil, ""},
		{2, "'1970-01-03'", int32(2), "", nil, ""},
		{3, "TRUE", true, "", nil, ""},
		{3, "false", false, "", nil, ""},
		{0, "", nil, "", fault.ErrInvalid, "at character 1: found the end, want a literal or a column"},
		{0, "3 4", nil, "", fault.ErrInvalid, "want the end"},
		{0, "x", nil, "", fault.ErrInvalid, `no column is named "x"`},
		{0, "2.5", nil, "", fault.ErrInvalid, "as INT"},
		{0, "n + 1", nil, "", fault.ErrUnsupported, "arithmetic in a value"},
		{0, "abs(n)", nil, "", fault.ErrUnsupported, "function abs"},
	} {
		v, from, err := predicate.ParseValue(c.text, fields[c.column], fields, nil)
		if v != c.value || from != c.from || (err == nil) != (c.class == nil) {
			t.Errorf("%q: %v %q %v", c.text, v, from, err)
		}
		if err != nil && (!errors.Is(err, c.class) || !strings.Contains(err.Error(), c.fact)) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func ExampleParseValue() {
	fields := []schema.Field{{Name: "state", Type: schema.Type{Kind: schema.VarChar, Length: 20}}, {Name: "owner", Type: schema.Type{Kind: schema.VarChar, Length: 20}}}
	value, _, err := predicate.ParseValue("'closed'", fields[0], fields, nil)
	fmt.Println(value, err)
	_, column, err := predicate.ParseValue("owner", fields[0], fields, nil)
	fmt.Println(column, err)
	// Output:
	// closed <nil>
	// owner <nil>
}
