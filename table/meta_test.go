package table_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/table"
)

// The engine under random configurations must give the model's table, whatever
// the configuration. One list of steps runs under several configurations.
//
//	TIDELAKE_META_CASES=20000  how many configurations
//	TIDELAKE_META_SEED=17      where the seeds begin; a failure prints its own
//	TIDELAKE_META_REPLAY=file  one case as a failure printed it
func TestEveryConfigurationGivesTheModelsTable(t *testing.T) {
	if file := os.Getenv("TIDELAKE_META_REPLAY"); file != "" {
		replayCase(t, file)
		return
	}
	t.Cleanup(table.SetMinRangeRows(3)) // or no table here were cut by key ranges
	t.Cleanup(table.SetJudgeAfter(5))
	cases, first := setting(t, "TIDELAKE_META_CASES", 210/slow), setting(t, "TIDELAKE_META_SEED", 1)
	for lane := range uint64(4) {
		t.Run(strconv.FormatUint(lane, 10), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for seed := first + lane; seed < first+cases; seed += 4 {
				c, err := drawCase(seed)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				run := func(c metaCase) error { return c.run(dir) }
				if err := run(c); err != nil {
					c, err = c.shrink(err, run)
					t.Fatalf("seed %d: %v\nreplay with TIDELAKE_META_REPLAY=file and this in the file:\n%s", seed, err, c)
				}
			}
		})
	}
}

func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(name, err)
	}
	return n
}

func replayCase(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c metaCase
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if err := c.run(t.TempDir()); err != nil {
		t.Fatal(err)
	}
}

// perScript is how many configurations one list of steps is run under.
const perScript = 5

// built are the merge engines that the engine can do.
var built = []string{"aggregation", "deduplicate", "first-row", "partial-update"}

// builtVectors tells that the engine can write deletion vectors.
const builtVectors = true

// drawCase draws the case of a seed; steps change with every perScript-th seed only.
func drawCase(seed uint64) (c metaCase, err error) {
	c.Seed = seed
	script := rand.New(rand.NewPCG(seed/perScript, 0))
	var makers map[string]maker
	c.Table, makers = drawTable(script, oneOf(script, built...))
	if c.Steps, err = drawSteps(script, c.Table, makers); err != nil {
		return c, err
	}
	c.Config = drawConfig(rand.New(rand.NewPCG(seed, 1)), c.Table)
	return c, nil
}

// The rules must leave out every row whose effect depends on when versions are
// merged: with random traces of merging the model gives one table.
func TestRandomRowsDoNotDependOnWhenTheyAreMerged(t *testing.T) {
	for seed := range setting(t, "TIDELAKE_META_CASES", 400/slow) {
		r := rand.New(rand.NewPCG(seed, 3))
		m, makers := drawTable(r, oneOf(r, slices.Sorted(maps.Keys(engines))...))
		steps, err := drawSteps(r, m, makers)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		c := metaCase{Seed: seed, Table: m, Steps: steps, Config: metaConfig{Options: map[string]string{"bucket": "1"}}}
		if err := c.traces(4); err != nil {
			c, err = c.shrink(err, func(c metaCase) error { return c.traces(60) })
			t.Fatalf("seed %d: %v\n%s", seed, err, c)
		}
	}
}

// traces tells whether merging at random moments changes the model's table.
func (c metaCase) traces(n int) error {
	plain, err := trace(c, nil)
	if err != nil {
		return err
	}
	for i := range n {
		merged, err := trace(c, rand.New(rand.NewPCG(c.Seed, uint64(i))))
		if err != nil {
			return err
		}
		if d := cmp.Diff(plain, merged); d != "" {
			return fmt.Errorf("merging changes the table (-without +with):\n%s", d)
		}
	}
	return nil
}

// trace is the model's table after the steps of a case, with random merging between.
func trace(c metaCase, merging *rand.Rand) ([]string, error) {
	sc, err := c.Table.schema(nil)
	if err != nil {
		return nil, err
	}
	m := model.New(sc)
	var errs []error
	for _, s := range c.Steps {
		if s.Do != "write" || merging == nil {
			errs = append(errs, s.apply(m))
			continue
		}
		for rows := range slices.Chunk(s.Rows, 1+merging.IntN(4)) {
			m.Write(rows...)
			if merging.IntN(2) == 0 {
				errs = append(errs, m.Merge(merging.IntN(6)))
			}
		}
	}
	rows, err := m.Rows()
	var lines []string
	for _, row := range rows {
		lines = append(lines, m.Line(row, m.Schema.Fields))
	}
	slices.Sort(lines)
	return lines, errors.Join(append(errs, err)...)
}

// String is the case as it can be replayed, a line a step.
func (c metaCase) String() string {
	text := func(v any) string {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return err.Error()
		}
		return strings.TrimSpace(b.String())
	}
	steps := make([]string, len(c.Steps))
	for i, s := range c.Steps {
		steps[i] = text(s)
	}
	return fmt.Sprintf("{\"Seed\":%d,\n\"Table\":%s,\n\"Config\":%s,\n\"Steps\":[\n%s]}", c.Seed, text(c.Table), text(c.Config), strings.Join(steps, ",\n"))
}

// virtual are components without time, waits or chance. Where time flies, the
// newest schema is looked for at every commit.
func virtual(alloc memory.Allocator, flies bool) table.Components {
	var ids, now atomic.Int64
	tick := int64(1)
	if flies {
		tick = (2 * time.Minute).Milliseconds()
	}
	now.Store(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).UnixMilli())
	return table.Components{
		Clock: func() time.Time { return time.UnixMilli(now.Add(tick)) },
		NewID: func() string { return fmt.Sprintf("%06d", ids.Add(1)) },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Alloc: alloc,
	}
}

// shrink drops steps, rows and options while the case still fails, and returns
// the smallest that does with its error.
func (c metaCase) shrink(err error, run func(metaCase) error) (metaCase, error) {
	deadline := 2000 // runs
	try := func(smaller metaCase) bool {
		if deadline--; deadline < 0 || !smaller.allowed() {
			return false
		}
		failure := run(smaller)
		if failure == nil || class(failure) != class(err) {
			return false
		}
		c, err = smaller, failure
		return true
	}
	for before := ""; before != c.String() && deadline > 0; {
		before = c.String()
		for size := len(c.Steps); size > 0; size /= 2 {
			for i := 0; i+size <= len(c.Steps); {
				smaller := c
				smaller.Steps = slices.Delete(slices.Clone(c.Steps), i, i+size)
				if len(smaller.Steps) == 0 || !try(smaller) {
					i += size
				}
			}
		}
		for i := range c.Steps {
			c.shrinkRows(i, try, func() metaCase { return c })
		}
		for _, key := range slices.Sorted(maps.Keys(c.Config.Options)) {
			smaller := c
			smaller.Config.Options = maps.Clone(c.Config.Options)
			if delete(smaller.Config.Options, key); key != "bucket" {
				try(smaller)
			}
		}
		for _, change := range []func(*metaConfig){
			func(o *metaConfig) { o.Writers = 1 }, func(o *metaConfig) { o.Restart = 0 }, func(o *metaConfig) { o.Parallel = 1 },
			func(o *metaConfig) { o.Abort = 0 }, func(o *metaConfig) { o.Live = false },
			func(o *metaConfig) { o.BatchRows = 0 }, func(o *metaConfig) { o.Options = maps.Clone(o.Options); o.Options["bucket"] = "1" },
		} {
			smaller := c
			if change(&smaller.Config); smaller.String() != c.String() {
				try(smaller)
			}
		}
	}
	return c, err
}

// class tells errors apart, so that shrinking does not go from one to another.
func class(err error) error {
	for _, c := range []error{table.ErrNotFound, table.ErrExists, table.ErrConflict, table.ErrUnsupported, table.ErrInvalid, table.ErrCorrupt, table.ErrClosed} {
		if errors.Is(err, c) {
			return c
		}
	}
	return nil
}

// shrinkRows drops rows of one step, many at a time first.
func (metaCase) shrinkRows(step int, try func(metaCase) bool, now func() metaCase) {
	for size := len(now().Steps[step].Rows); size > 0; size /= 2 {
		for i := 0; i+size <= len(now().Steps[step].Rows); {
			smaller := now()
			smaller.Steps = slices.Clone(smaller.Steps)
			smaller.Steps[step].Rows = slices.Delete(slices.Clone(smaller.Steps[step].Rows), i, i+size)
			if !try(smaller) {
				i += size
			}
		}
	}
}
