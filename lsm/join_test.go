package lsm

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/mergeengine"
)

// joinRuns stores the join of runs as one run.
func joinRuns(t testing.TB, spec MergeSpec, runs ...Run) *sliceRun {
	t.Helper()
	m, err := Join(runs, spec)
	if err != nil {
		t.Fatal(err)
	}
	joined := &sliceRun{name: "joined", rank: 99, recs: collect(t, m)}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return joined
}

// Whichever runs are joined first, and joined again, the youngest file's row
// wins between rows that are equal in all else.
func TestJoiningKeepsHowOldTheFileOfARowIs(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}} {
		for first := 1; first < 4; first++ {
			var runs []Run
			for _, rank := range order {
				run := &sliceRun{name: "r", rank: rank, recs: []arrow.RecordBatch{stored(t, mem, fmt.Sprint("1 5 0 rank", rank), fmt.Sprint(2+rank, 1, 0, " x"))}}
				defer run.release()
				runs = append(runs, run)
			}
			spec := tinySpec(mem)
			once := joinRuns(t, spec, runs[:first]...)
			defer once.release()
			twice := joinRuns(t, spec, once, runs[first])
			defer twice.release()
			spec.Versions = true
			want(t, mergeTexts(t, mem, spec, append(slices.Clone(runs[first+1:]), twice)...), "1 rank0", "2 x", "3 x", "4 x", "5 x")
		}
	}
}

// A version stands for all those above its level, joined or not.
func TestJoiningKeepsTheLevelOfARow(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	var runs []Run
	for rank, row := range []string{"1 9 0 level0", "1 5 0 level2", "1 7 0 level4"} {
		run := &sliceRun{name: "r", rank: rank, recs: []arrow.RecordBatch{stored(t, mem, row)}}
		defer run.release()
		runs = append(runs, run)
	}
	spec := tinySpec(mem)
	joined := joinRuns(t, spec, runs[1], runs[2])
	defer joined.release()
	spec.Versions, spec.Levels, spec.Engine = true, []int{0, 2, 4}, AllVersions{}
	want(t, mergeTexts(t, mem, spec, runs[0], joined), "1 level2", "1 level0")
}

func TestARankColumnThatIsNoneIsRefused(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	rec := stored(t, mem, "1 5 0 a")
	defer rec.Release()
	fields := append(rec.Schema().Fields(), arrow.Field{Name: rankField.Name, Type: arrow.PrimitiveTypes.Int64})
	odd := &sliceRun{name: "odd", recs: []arrow.RecordBatch{array.NewRecordBatch(arrow.NewSchema(fields, nil), append(slices.Clone(rec.Columns()), rec.Column(0)), 1)}}
	defer odd.release()
	m, err := NewMerge([]Run{odd}, tinySpec(mem))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Next(); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	spec := tinySpec(mem)
	spec.Key, spec.Engine = []string{"no such"}, mergeengine.Deduplicate{}
	if _, err := Join(nil, spec); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
