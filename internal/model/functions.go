package model

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// fold gathers the values of one column over the versions of one key.
type fold struct {
	field   schema.Field
	fn      string // aggregate function, "" for none
	options map[string]string
	value   any
	began   bool // a first value was taken
}

func (f *fold) option(name string) string { return f.options["fields."+f.field.Name+"."+name] }

// late takes a value that belongs before what there is.
func (f *fold) late(in any) {
	if f.fn == "collect" {
		f.value = f.agg(f.value, in)
	} else {
		f.value = f.agg(in, f.value)
	}
}

func (f *fold) agg(acc, in any) any {
	switch f.fn {
	case "primary-key", "last_value":
		return in
	case "first_value", "first_non_null_value":
		if f.began || f.fn == "first_non_null_value" && in == nil {
			return acc
		}
		f.began = true
		return in
	}
	collects := f.fn == "collect" && f.option("distinct") == "true" || strings.HasPrefix(f.fn, "nested")
	if in == nil || acc == nil && !collects {
		return either(acc == nil, in, acc)
	}
	switch f.fn {
	case "last_non_null_value":
		return in
	case "max":
		return either(Compare(acc, in) < 0, in, acc)
	case "min":
		return either(Compare(acc, in) < 0, acc, in)
	case "bool_and":
		return acc.(bool) && in.(bool)
	case "bool_or":
		return acc.(bool) || in.(bool)
	case "sum":
		return new(big.Rat).Add(acc.(*big.Rat), in.(*big.Rat))
	case "product":
		return new(big.Rat).Mul(acc.(*big.Rat), in.(*big.Rat))
	case "listagg":
		return f.listagg(acc.(string), in.(string))
	}
	return f.collect(acc, in)
}

func either(first bool, a, b any) any {
	if first {
		return a
	}
	return b
}

func (f *fold) listagg(acc, in string) string {
	by := f.option("list-agg-delimiter")
	if by == "" {
		by = ","
	}
	tokens := strings.Split(acc, by)
	switch {
	case strings.TrimSpace(in) == "":
		return acc
	case strings.TrimSpace(acc) == "":
		return in
	case f.option("distinct") != "true":
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
func (f *fold) collect(acc, in any) any {
	out, limit := slices.Clone(list(acc)), 1<<30
	if s := f.option("count-limit"); s != "" {
		fmt.Sscan(s, &limit)
	}
	keyed := f.fn != "collect" && f.fn != "nested_update" || f.option("distinct") == "true" || f.option("nested-key") != ""
	for _, e := range list(in) {
		at := slices.IndexFunc(out, func(o any) bool { return keyed && f.key(o) == f.key(e) })
		if at < 0 {
			if e, stays := f.both(nil, e); stays && len(out) < limit {
				out = append(out, e)
			}
		} else if both, stays := f.both(out[at], e); stays {
			out[at] = both
		} else {
			out = slices.Delete(out, at, at+1)
		}
	}
	return either(out == nil, []any{}, out)
}

func list(v any) []any {
	if v == nil {
		return nil
	}
	return v.([]any)
}

// key tells the elements that replace one another.
func (f *fold) key(e any) (key string) {
	if strings.HasPrefix(f.fn, "merge_map") {
		return id(e.([]any)[0])
	}
	if f.option("nested-key") == "" {
		return id(e)
	}
	for _, name := range strings.Split(f.option("nested-key"), ",") {
		key += id(e.(map[string]any)[name]) + "|"
	}
	return key
}

// both is what becomes of an element, nil if it is new, and a later one with
// its key, if anything does.
func (f *fold) both(old, later any) (any, bool) {
	switch f.fn {
	case "nested_update":
		return later, later != nil
	case "collect":
		return later, true
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
			return row[f.option("ts-field")]
		}
		newer := later.([]any)[1] != nil && time(later) != nil && (old == nil || Compare(time(later), time(old)) > 0)
		return either(newer, later, old), later.([]any)[1] != nil && (newer || old != nil)
	}
	return later, true
}

// retract takes back a value.
func (f *fold) retract(in any) error {
	acc, _ := f.value, in
	switch {
	case f.option("ignore-retract") == "true":
	case f.fn == "primary-key":
		f.value = in
	case f.fn == "last_value" || f.fn == "last_non_null_value" && in != nil:
		f.value = nil
	case f.fn == "last_non_null_value":
	case f.fn == "sum" && in != nil:
		f.value = f.agg(acc, new(big.Rat).Neg(in.(*big.Rat)))
	case f.fn == "product" && acc != nil && in != nil: // of numbers that divide
		f.value = new(big.Rat).Quo(acc.(*big.Rat), in.(*big.Rat))
	case f.fn == "collect" || f.fn == "merge_map" || f.fn == "nested_update":
		if acc != nil && in != nil {
			f.value = f.remove(slices.Clone(list(acc)), slices.Clone(list(in)))
		}
	case f.fn != "sum" && f.fn != "product":
		return fmt.Errorf("%s cannot take back values of column %s", f.fn, f.field.Name)
	}
	return nil
}

// remove takes out elements: one for each that goes, or all of one key.
func (f *fold) remove(acc, gone []any) []any {
	return slices.DeleteFunc(acc, func(e any) bool {
		i := slices.IndexFunc(gone, func(g any) bool { return f.key(e) == f.key(g) })
		if i >= 0 && f.fn == "collect" {
			gone = slices.Delete(gone, i, i+1)
		}
		return i >= 0
	})
}
