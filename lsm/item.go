package lsm

import (
	"bytes"
	"slices"

	"github.com/tidelake/tidelake/internal/vector"
)

// item stands for a row while rows are put in key order: the word of its key
// and where it is.
type item struct {
	word uint64
	ref  vector.Ref
}

// sortGroup puts the few versions of one key in order, oldest first. It is
// stable.
func sortGroup(group []item, compare func(a, b vector.Ref) int) {
	if len(group) > 24 {
		slices.SortStableFunc(group, func(a, b item) int { return compare(a.ref, b.ref) })
		return
	}
	for i := 1; i < len(group); i++ {
		for j := i; j > 0 && compare(group[j-1].ref, group[j].ref) > 0; j-- {
			group[j-1], group[j] = group[j], group[j-1]
		}
	}
}

// groupStarts appends where equal keys begin, and the number of items in the
// end. Equal words are equal keys unless same says otherwise.
func groupStarts(dst []int32, items []item, same func(a, b vector.Ref) bool) []int32 {
	if len(items) == 0 {
		return append(dst, 0)
	}
	dst = append(slices.Grow(dst, len(items)+1), 0)
	prev := items[0]
	for i, it := range items[1:] {
		if it.word != prev.word || same != nil && !same(prev.ref, it.ref) {
			dst = append(dst, int32(i+1))
		}
		prev = it
	}
	return append(dst, int32(len(items)))
}

// compareFrom compares two keys whose first skip bytes are known to be equal
// as far as both have them.
func compareFrom(a, b []byte, skip int) int {
	if len(a) > skip && len(b) > skip {
		return bytes.Compare(a[skip:], b[skip:])
	}
	return len(a) - len(b)
}
