package changelog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/changelog"
)

// tell is what a rule makes of versions on some levels.
func tell(r changelog.Rule, after, same bool, levels ...int) string {
	before, changes := r.Before(len(levels), func(i int) int { return levels[i] })
	if !changes {
		return "unchanged"
	}
	var out []string
	for _, e := range r.Events(before != changelog.None, after, func() bool { return same }) {
		text := "after"
		if e.Before {
			text = fmt.Sprint("version ", before)
		}
		if e.Kind == changelog.AsStored {
			text += " as stored"
		} else {
			text = e.Kind.String() + " " + text
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestRules(t *testing.T) {
	full, lookup, first := changelog.Rule{Top: 5}, changelog.Rule{}, changelog.Rule{FirstRow: true}
	for _, c := range []struct {
		rule        changelog.Rule
		after, same bool
		levels      []int
		want        string
	}{
		{full, true, false, []int{0}, "+I after"},
		{full, true, false, []int{5}, "unchanged"},
		{full, false, false, []int{0, 3}, ""},
		{full, true, false, []int{5, 0}, "-U version 0, +U after"},
		{full, true, true, []int{5, 0}, ""},
		{full, false, false, []int{0, 5}, "-D version 1"},
		{full, true, false, []int{3}, "+I after"},

		{lookup, true, false, []int{0}, "+I after"},
		{lookup, true, false, []int{3, 5}, "unchanged"},
		{lookup, true, false, []int{5, 3, 0}, "-U version 1, +U after"},
		{lookup, false, false, []int{0, 5, 3}, "-D version 2"},
		{lookup, false, false, []int{0, 0}, ""},
		{lookup, true, true, []int{4, 0}, ""},

		{first, true, false, []int{0, 0}, "after as stored"},
		{first, true, false, []int{4, 0}, ""},
	} {
		if got := tell(c.rule, c.after, c.same, c.levels...); got != c.want {
			t.Errorf("%+v, versions on levels %v, after %v: %q, want %q", c.rule, c.levels, c.after, got, c.want)
		}
	}
}

func ExampleRule() {
	lookup := changelog.Rule{}
	levels := []int{5, 0, 0} // of the versions of a key, as merged
	before, changes := lookup.Before(len(levels), func(i int) int { return levels[i] })
	for _, e := range lookup.Events(before != changelog.None, true, nil) {
		fmt.Println(changes, e.Kind, e.Before)
	}
	// Output:
	// true -U true
	// true +U false
}
