package model

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// column gathers the values of one column over the versions of one key.
type column struct {
	field        schema.Field
	fn           string // aggregate function
	bare         bool   // none was given
	options      map[string]string
	sequence     []*column // of its sequence group, itself perhaps among them
	silent, late bool      // standing of the version under way
	value        any
	began        bool // a first value was taken
}

func (c *column) option(name string) string { return c.options["fields."+c.field.Name+"."+name] }

// collects are the functions that gather elements in any order, all but the
// first once each.
var collects = []string{"collect", "rbm32", "rbm64", "hll_sketch", "theta_sketch"}

func (c *column) agg(acc, in any) any {
	switch c.fn {
	case "primary-key", "last_value":
		return in
	case "first_value", "first_non_null_value":
		passes := c.began || c.fn == "first_non_null_value" && in == nil
		c.began = c.began || !passes
		return either(passes, acc, in)
	}
	if in == nil {
		return acc
	}
	sorts := strings.HasPrefix(c.fn, "nested") || c.fn == "collect" && c.option("distinct") == "true" // the first value too
	if c.fn == "last_non_null_value" || acc == nil && !sorts {
		return in
	}
	switch c.fn {
	case "max", "bool_or":
		return either(Compare(acc, in) < 0, in, acc)
	case "min", "bool_and":
		return either(Compare(acc, in) < 0, acc, in)
	case "sum":
		return new(big.Rat).Add(acc.(*big.Rat), in.(*big.Rat))
	case "product":
		return new(big.Rat).Mul(acc.(*big.Rat), in.(*big.Rat))
	case "listagg":
		return c.listagg(acc.(string), in.(string))
	}
	return c.collect(acc, in)
}

func (c *column) listagg(acc, in string) string {
	by := cmp.Or(c.option("list-agg-delimiter"), ",")
	tokens := strings.Split(acc, by)
	switch {
	case strings.TrimSpace(in) == "":
		return acc
	case strings.TrimSpace(acc) == "":
		return in
	case c.option("distinct") != "true":
		return acc + by + in
	}
	for _, token := range strings.Split(in, by) {
		if token != "" && !slices.Contains(tokens, token) {
			tokens = append(tokens, token)
		}
	}
	return strings.Join(tokens, by)
}

// collect adds the elements of a list or map one by one.
func (c *column) collect(acc, in any) any {
	out, limit := append([]any{}, list(acc)...), 0
	fmt.Sscan(cmp.Or(c.option("count-limit"), "1000000"), &limit)
	keyed := c.fn != "collect" && c.fn != "nested_update" || c.option("distinct") == "true" || c.option("nested-key") != ""
	for _, e := range list(in) {
		var old any
		if at := slices.IndexFunc(out, func(o any) bool { return keyed && c.key(o) == c.key(e) }); at >= 0 {
			old = out[at]
			out = slices.Delete(out, at, at+1)
		}
		if both, stays := c.both(old, e); stays && len(out) < limit {
			out = append(out, both)
		}
	}
	return out
}

// list is a copy of the elements, none for null.
func list(v any) []any {
	out, _ := v.([]any)
	return slices.Clone(out)
}

// key tells the elements that replace one another.
func (c *column) key(e any) (key string) {
	if strings.HasPrefix(c.fn, "merge_map") {
		return id(e.([]any)[0])
	}
	if c.option("nested-key") == "" {
		return id(e)
	}
	for _, name := range strings.Split(c.option("nested-key"), ",") {
		key += id(e.(map[string]any)[name]) + "|"
	}
	return key
}

// both is what becomes of an element, nil if it is new, and a later one with
// its key, if anything does.
func (c *column) both(old, later any) (any, bool) {
	switch c.fn {
	case "nested_update":
		return later, later != nil
	case "nested_partial_update":
		row := map[string]any{}
		for name, v := range later.(map[string]any) {
			before, _ := old.(map[string]any)
			row[name] = either(v == nil, before[name], v)
		}
		return row, true
	case "merge_map_with_keytime":
		time := func(pair any) any {
			row, _ := pair.([]any)[1].(map[string]any)
			return row[c.option("ts-field")]
		}
		newer := later.([]any)[1] != nil && time(later) != nil && (old == nil || Compare(time(later), time(old)) > 0)
		return either(newer, later, old), later.([]any)[1] != nil && (newer || old != nil)
	}
	return later, true
}

// retract takes back a value.
func (c *column) retract(in any) error {
	switch {
	case c.option("ignore-retract") == "true":
	case c.fn == "primary-key":
		c.value = in
	case c.fn == "last_value" || c.fn == "last_non_null_value" && in != nil:
		c.value = nil
	case !slices.Contains([]string{"last_non_null_value", "sum", "product", "collect", "merge_map", "nested_update"}, c.fn):
		return fmt.Errorf("%s cannot take back values of column %s", c.fn, c.field.Name)
	case in == nil || c.value == nil && c.fn != "sum":
	case c.fn == "sum":
		c.value = c.agg(c.value, new(big.Rat).Neg(in.(*big.Rat)))
	case c.fn == "product": // of numbers that divide
		c.value = new(big.Rat).Quo(c.value.(*big.Rat), in.(*big.Rat))
	default:
		c.value = c.remove(list(c.value), list(in))
	}
	return nil
}

// remove takes out elements: one for each that goes, or all of one key.
func (c *column) remove(acc, gone []any) []any {
	return slices.DeleteFunc(acc, func(e any) bool {
		i := slices.IndexFunc(gone, func(g any) bool { return c.key(e) == c.key(g) })
		if i >= 0 && c.fn == "collect" {
			gone = slices.Delete(gone, i, i+1)
		}
		return i >= 0
	})
}
