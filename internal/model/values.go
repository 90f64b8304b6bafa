package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// A value is nil, a bool, a *big.Rat (numbers of every type), a string (all
// else that is atomic, as JSON has it), or what JSON has for a nested value:
// ROW a map by name, MAP a list of pairs, numbers inside as their text.

// decode reads the JSON value of a column.
func decode(t schema.Type, v any) any {
	if t.Kind < schema.Decimal || t.Kind > schema.Double || v == nil {
		return v
	}
	text, ok := v.(string)
	if !ok {
		text = v.(json.Number).String()
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("not a number: " + text)
	}
	return n
}

// encode prints a value as JSON. Loose lists are printed sorted: Paimon leaves
// their order open.
func encode(t schema.Type, v any, loose bool) string {
	switch x := v.(type) {
	case *big.Rat:
		switch t.Kind {
		case schema.Decimal:
			return `"` + x.FloatString(t.Scale) + `"`
		case schema.Float, schema.Double:
			f, _ := x.Float64()
			return id(f)
		}
		return x.Num().String()
	case []any:
		items := make([]string, len(x))
		for i, e := range x {
			items[i] = id(e)
		}
		if loose || t.Kind == schema.Map {
			slices.Sort(items)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return id(v)
}

// id is the JSON of a value, which tells equal ones.
func id(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	must(e.Encode(v))
	return strings.TrimSpace(b.String())
}

// Compare orders two atomic values of one type, nil first.
func Compare(a, b any) int {
	n, isNumber := a.(*big.Rat)
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	case isNumber:
		return n.Cmp(b.(*big.Rat))
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// must holds for the model's own input, which tests make.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
