package model

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// A value is nil, a bool, a *big.Rat (numbers of every type), a string (all
// else that is atomic, as JSON has it), or what JSON has for a nested value:
// ROW a map by name, MAP a list of pairs, numbers inside as their text. The
// sets that rbm32 and its like keep in bytes are lists here.

// decode reads the JSON value of a column.
func decode(t schema.Type, v any) any {
	if t.Kind < schema.Decimal || t.Kind > schema.Double || v == nil {
		return v
	}
	n, _ := new(big.Rat).SetString(fmt.Sprint(v))
	return n
}

// encode prints a value as JSON, numbers to nine places. Loose lists are
// printed sorted: Paimon leaves their order open.
func encode(v any, loose bool) string {
	switch x := v.(type) {
	case *big.Rat:
		return strings.TrimSuffix(strings.TrimRight(x.FloatString(9), "0"), ".")
	case []any:
		items := make([]string, len(x))
		for i, e := range x {
			items[i] = id(e)
		}
		if loose {
			slices.Sort(items)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return id(v)
}

// id is the JSON of a value, which tells equal ones.
func id(v any) string {
	b, err := json.Marshal(v)
	must(err)
	return string(b)
}

// Compare orders two atomic values of one type, nil first.
func Compare(a, b any) int {
	n, isNumber := a.(*big.Rat)
	switch {
	case a == nil || b == nil:
		return either(a == nil, 0, 1) - either(b == nil, 0, 1)
	case isNumber:
		return n.Cmp(b.(*big.Rat))
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func either[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// must holds for the model's own input, which tests make.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
