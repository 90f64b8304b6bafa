package mergeengine

import "github.com/tidelake/tidelake/internal/fault"

// FirstRow keeps the oldest version of each key.
type FirstRow struct {
	// IgnoreDelete skips -U and -D rows among several versions. Without it
	// they are an error.
	IgnoreDelete bool
}

// Name is "first-row".
func (FirstRow) Name() string { return "first-row" }

// Choose answers each group with its first +I or +U. A group of ignored rows
// only gives [None]. A -U or -D among several versions is ErrInvalid unless
// deletes are ignored.
func (f FirstRow) Choose(dst []int32, g *Groups) ([]int32, error) {
	for i := range g.Len() {
		start, end := g.Starts[i], g.Starts[i+1]
		if end-start == 1 {
			dst = append(dst, start)
			continue
		}
		first := None
		for pos := start; pos < end; pos++ {
			if !Retracts(g.kind(pos)) {
				if first == None {
					first = pos
				}
				continue
			}
			if !f.IgnoreDelete {
				return dst, &fault.Error{Class: fault.ErrInvalid, Detail: "merge-engine first-row takes no -U and -D rows",
					Hint: "set ignore-delete = true to leave them out"}
			}
		}
		dst = append(dst, first)
	}
	return dst, nil
}
