package lsm

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/tidelake/tidelake/manifest"
)

// SortedRun are files whose key ranges follow one another without touching:
// read in turn, they are one ordered stream.
type SortedRun []manifest.DataFile

// Sections cuts files into sections that have no key in common and lie in key
// order; within a section, files are put into as few sorted runs as possible.
// A section of one run needs no merging.
//
//	files      a━━━━c   d━━━━f      k━━━━m
//	              b━━━━━━━━e
//	sections   {[a-c d-f] [b-e]}    {[k-m]}
//
// compare orders the bodies of MinKey and MaxKey. The files are not changed;
// their order does not matter. Spec: lsm, 7.3 step 1.
func Sections(files []manifest.DataFile, compare func(a, b []byte) int) [][]SortedRun {
	sorted := make([]*manifest.DataFile, len(files)) // a file is large to move about
	for i := range files {
		sorted[i] = &files[i]
	}
	slices.SortStableFunc(sorted, func(a, b *manifest.DataFile) int {
		return cmp.Or(compare(a.MinKey, b.MinKey), compare(a.MaxKey, b.MaxKey))
	})
	var out [][]SortedRun
	start, bound := 0, []byte(nil)
	for i, f := range sorted {
		if i > start && compare(f.MinKey, bound) > 0 {
			out = append(out, sortedRuns(sorted[start:i], compare))
			start = i
		}
		if i == start || compare(f.MaxKey, bound) > 0 {
			bound = f.MaxKey
		}
	}
	if start < len(sorted) {
		out = append(out, sortedRuns(sorted[start:], compare))
	}
	return out
}

// sortedRuns gives each file to the run that ends first, if it ends before
// the file begins, and to a new run otherwise. The runs come in the order of
// Paimon's heap, which nothing but listings of files depends on.
func sortedRuns(files []*manifest.DataFile, compare func(a, b []byte) int) []SortedRun {
	h := &runHeap{compare: compare}
	for _, f := range files {
		if h.Len() == 0 {
			heap.Push(h, &runOf{f})
			continue
		}
		first := heap.Pop(h).(*runOf)
		if compare(f.MinKey, first.last().MaxKey) > 0 {
			*first = append(*first, f)
		} else {
			heap.Push(h, &runOf{f})
		}
		heap.Push(h, first)
	}
	out := make([]SortedRun, len(h.runs))
	for i, run := range h.runs {
		out[i] = make(SortedRun, len(*run))
		for k, f := range *run {
			out[i][k] = *f
		}
	}
	return out
}

// runOf is a sorted run in the making.
type runOf []*manifest.DataFile

func (r runOf) last() *manifest.DataFile { return r[len(r)-1] }

// runHeap has the run of the smallest last key on top.
type runHeap struct {
	runs    []*runOf
	compare func(a, b []byte) int
}

func (h *runHeap) Len() int { return len(h.runs) }
func (h *runHeap) Less(i, j int) bool {
	return h.compare(h.runs[i].last().MaxKey, h.runs[j].last().MaxKey) < 0
}
func (h *runHeap) Swap(i, j int) { h.runs[i], h.runs[j] = h.runs[j], h.runs[i] }
func (h *runHeap) Push(x any)    { h.runs = append(h.runs, x.(*runOf)) }
func (h *runHeap) Pop() any {
	last := h.runs[len(h.runs)-1]
	h.runs = h.runs[:len(h.runs)-1]
	return last
}

// CompareAge orders files of one bucket by age, the youngest first: level 0
// before level 1 and so on; within level 0 the larger largest sequence number
// first, then the smaller smallest one, then the earlier creation, then the
// name. The place of a file in this order is its rank ([Run]).
// Spec: lsm, 7.1.
func CompareAge(a, b *manifest.DataFile) int {
	if c := cmp.Compare(a.Level, b.Level); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(b.MaxSequence, a.MaxSequence),
		cmp.Compare(a.MinSequence, b.MinSequence),
		cmp.Compare(a.CreationTime, b.CreationTime),
		cmp.Compare(a.Name, b.Name),
	)
}

// Ranks gives each file its rank by [CompareAge], 0 for the youngest.
func Ranks(files []manifest.DataFile) []int {
	byAge := make([]int, len(files))
	for i := range byAge {
		byAge[i] = i
	}
	slices.SortFunc(byAge, func(i, j int) int { return CompareAge(&files[i], &files[j]) })
	ranks := make([]int, len(files))
	for rank, i := range byAge {
		ranks[i] = rank
	}
	return ranks
}
