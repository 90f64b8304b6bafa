package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
)

// mergeInput is a run that is to be merged with others.
type mergeInput struct {
	bytes int64 // of its files
	held  int64 // of memory, about, while it is read
	// open begins to read it as one of so many runs.
	open func(among int) (lsm.Run, error)
}

// merge merges runs, as many at once as fit in so many bytes of memory or, where
// it is set, as sort-spill-threshold says. Of more, the smallest are joined on
// local disk first, with all versions of their keys:
//
//	files        ▒ ▒ ▒ ▒ ▒ ▒   ▒▒▒   ▒▒▒▒▒▒
//	             └─┬─┘ └─┬─┘    │      │
//	local disk   ▒▒▒▒   ▒▒▒▒    │      │
//	               └────┴───────┼──────┘
//	                          merge
//
// so the result does not depend on how many there are. Inputs are opened only
// here, and closed with what is returned.
func (t *Table) merge(ctx context.Context, memory int64, inputs []mergeInput, spec lsm.MergeSpec) (rowSource, error) {
	j := joining{table: t, memory: memory, spec: spec}
	inputs, err := j.reduce(ctx, inputs)
	if err != nil {
		return nil, errors.Join(err, j.spill.close())
	}
	spec.Versions = spec.Versions || j.spill != nil
	m, err := openInputs(inputs, spec, lsm.NewMerge)
	if err != nil {
		return nil, errors.Join(err, j.spill.close())
	}
	if j.spill == nil {
		return m, nil
	}
	return &joinedMerge{m, j.spill}, nil
}

// openInputs merges inputs by what make says.
func openInputs(inputs []mergeInput, spec lsm.MergeSpec, make func([]lsm.Run, lsm.MergeSpec) (*lsm.Merge, error)) (*lsm.Merge, error) {
	var runs []lsm.Run
	for i := range inputs {
		run, err := inputs[i].open(len(inputs))
		if err != nil {
			return nil, errors.Join(err, closeRuns(runs))
		}
		runs = append(runs, run)
	}
	m, err := make(runs, spec)
	if err != nil {
		return nil, errors.Join(err, closeRuns(runs))
	}
	return m, nil
}

// joinedMerge takes the local disk along when it is closed.
type joinedMerge struct {
	*lsm.Merge
	spill *spillFile
}

func (m *joinedMerge) Close() error { return errors.Join(m.Merge.Close(), m.spill.close()) }

// joining makes fewer inputs of many.
type joining struct {
	table  *Table
	memory int64         // of the inputs that are open at once
	spec   lsm.MergeSpec // of the merge that comes in the end
	spill  *spillFile    // nil before the first join
}

// reduce joins inputs until all that are left may be open at once.
func (j *joining) reduce(ctx context.Context, inputs []mergeInput) ([]mergeInput, error) {
	all := len(inputs)
	for {
		slices.SortStableFunc(inputs, func(a, b mergeInput) int { return cmp.Compare(a.bytes, b.bytes) })
		n := j.excess(inputs)
		if n == 0 {
			return inputs, nil
		}
		if j.spill == nil {
			j.spill = makeSpillFile(j.table)
			j.spill.hint = fmt.Sprintf("more than fit in sort-spill-buffer-size are joined on local disk; give Settings.TempDir room there, or set sort-spill-threshold=%d to merge them all in memory", all)
		}
		joined, err := j.join(ctx, inputs[:n])
		if err != nil {
			return nil, fmt.Errorf("joining %d of %d sorted runs: %w", n, all, err)
		}
		inputs = append(inputs[n:], joined)
	}
}

// excess is how many of the inputs, the smallest first, are to be joined now:
// as few as will do, and no more than may be open at once themselves.
func (j *joining) excess(inputs []mergeInput) int {
	fits := func(n int, held int64) bool {
		if most := j.table.options.Spill.Threshold; most > 0 {
			return n <= most
		}
		return n <= 2 || held <= j.memory
	}
	rest, joined := int64(0), j.table.joinedHeld()
	for i := range inputs {
		rest += inputs[i].held
	}
	if fits(len(inputs), rest) {
		return 0
	}
	n, held := 0, int64(0)
	for n < 2 || !fits(len(inputs)-n+1, rest+joined) && fits(n+1, held+inputs[n].held) {
		held, rest = held+inputs[n].held, rest-inputs[n].held
		n++
	}
	return n
}

// join makes one input of several.
func (j *joining) join(ctx context.Context, inputs []mergeInput) (mergeInput, error) {
	rows, err := openInputs(inputs, j.spec, lsm.Join)
	if err != nil {
		return mergeInput{}, err
	}
	run, err := j.spill.write(ctx, rows)
	if err = errors.Join(err, rows.Close()); err != nil {
		return mergeInput{}, err
	}
	joined := mergeInput{held: j.table.joinedHeld(), open: func(int) (lsm.Run, error) {
		return readAhead(&spilledReader{spilledRun: run}, j.spec.Parallel), nil
	}}
	for i := range inputs {
		joined.bytes += inputs[i].bytes
	}
	return joined, nil
}

// joinedHeld is the memory that a joined run takes: a block, the one read ahead,
// and what merging looks at.
func (t *Table) joinedHeld() int64 { return 3 * t.spillBlock() }

// readAhead decodes a run beside others where there are cores for it.
func readAhead(r lsm.Run, parallel int) lsm.Run {
	if parallel > 1 {
		return lsm.Prefetch(r, 1)
	}
	return r
}

// mostPageRows is how many rows of a column are packed together.
const mostPageRows = 20000

// heldBy is about how much memory a run of files takes while it is read in
// batches of a few rows: of each column a page, packed and not. Rows take
// rowBytes; names and counts of columns go by the fields that are read.
func heldBy(files []manifest.DataFile, rowBytes int64, fields int) int64 {
	const (
		page   = 2 << 20 // packed and not, of one column
		column = 12 << 10
		file   = 64 << 10 // its end, with the footer
	)
	rows := int64(0)
	for i := range files {
		rows = max(rows, files[i].Rows)
	}
	return min(min(rows, mostPageRows)*rowBytes, int64(fields)*page) + int64(fields)*column + file
}
