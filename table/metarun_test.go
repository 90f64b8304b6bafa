package table_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// metaRun does the steps of a case with the engine and with the model.
type metaRun struct {
	metaCase
	random  *rand.Rand // of the reads
	store   store.Store
	parts   table.Components
	alloc   *memory.CheckedAllocator
	table   *table.Table
	writers []*table.Writer
	commits int
	model   *model.Table
	past    []moment
	dir     string        // of local files
	begun   *table.Writer // has rows that it commits after the next alteration
}

// run does a case, and says where engine and model part, or why it could not go on.
func (c metaCase) run(dir string) (err error) {
	m := &metaRun{metaCase: c, random: rand.New(rand.NewPCG(c.Seed, 2)), store: store.NewMem(), dir: dir}
	m.alloc = memory.NewCheckedAllocator(memory.NewGoAllocator())
	m.parts = virtual(m.alloc, c.Config.Live)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	defer func() {
		err = errors.Join(err, m.close())
		if n := m.alloc.CurrentAlloc(); err == nil && n != 0 {
			err = fmt.Errorf("%d bytes of Arrow memory were not given back", n)
		}
	}()
	if err := m.create(); err != nil {
		return err
	}
	for i, s := range c.Steps {
		alters := i+1 < len(c.Steps) && c.Steps[i+1].Do == "alter"
		if err := m.step(s, alters); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.Do, err)
		}
		if m.begun != nil {
			continue
		}
		if err := m.look(i == len(c.Steps)-1); err != nil {
			return fmt.Errorf("after step %d, %s: %w", i+1, s.Do, err)
		}
	}
	return m.end()
}

func (m *metaRun) create() error {
	sc, err := m.Table.schema(m.Config.Options)
	if err != nil {
		return err
	}
	m.model = model.New(sc)
	if err := table.Create(ctx, m.store, sc); err != nil {
		return err
	}
	m.table, err = m.open()
	m.writers = make([]*table.Writer, m.Config.Writers)
	return err
}

func (m *metaRun) open() (*table.Table, error) {
	return table.Open(ctx, m.store, "db.t", table.Settings{Parallel: m.Config.Parallel, TempDir: m.dir}, m.parts)
}

func (m *metaRun) close() error {
	var errs []error
	for i := range m.writers {
		errs = append(errs, m.closeWriter(i))
	}
	return errors.Join(errs...)
}

func (m *metaRun) closeWriter(i int) error {
	if m.writers[i] == nil {
		return nil
	}
	err := m.writers[i].Close()
	m.writers[i] = nil
	return err
}

// step does a step with the model and with the engine.
func (m *metaRun) step(s metaStep, alters bool) error {
	if s.Do == "alter" {
		return m.alter(s)
	}
	before := m.model.Schema
	if err := s.apply(m.model); err != nil {
		return err
	}
	switch s.Do {
	case "write":
		return m.write(packed(before, s.Rows), alters)
	case "overwrite":
		return m.overwrite(s.Inside, packed(before, s.Rows))
	case "drop":
		return m.drop(s.Inside)
	}
	tab, err := m.open()
	if err != nil {
		return err
	}
	switch s.Do {
	case "compact":
		_, err = tab.Compact(ctx, table.CompactOptions{Full: s.Full})
	case "delete":
		_, err = tab.Delete(ctx, table.ChangeOptions{Where: s.Where.text(before)})
	case "update":
		set := table.Assignment{Name: s.Set[0], Value: m.row(map[string]string{s.Set[0]: s.Set[1]})[s.Set[0]]}
		_, err = tab.Update(ctx, []table.Assignment{set}, table.ChangeOptions{Where: s.Where.text(before)})
	default:
		err = fmt.Errorf("no step %q", s.Do)
	}
	return err
}

func (m *metaRun) drop(inside map[string]string) error {
	c, err := m.committer()
	if err != nil {
		return err
	}
	if inside == nil {
		return c.Truncate(ctx, 1)
	}
	return c.DropPartitions(ctx, 1, m.row(inside))
}

func (m *metaRun) committer() (*table.Committer, error) {
	tab, err := m.open()
	if err != nil {
		return nil, err
	}
	return tab.NewCommitter(ctx, "")
}

// alter changes the schema. The writer that has begun takes it up after its
// commit of rows of the old one; others are opened anew.
func (m *metaRun) alter(s metaStep) error {
	changes, err := schema.ParseChange(s.Change[0], s.Change[1])
	if err != nil {
		return err
	}
	if _, err := m.table.Alter(ctx, changes...); err != nil {
		return err
	}
	went, w := false, m.begun
	if m.begun = nil; w != nil {
		if went, err = m.commitBegun(w); err != nil {
			return err
		}
	}
	for i := range m.writers {
		if went && m.writers[i] == w {
			continue
		}
		if err := m.closeWriter(i); err != nil {
			return err
		}
	}
	if err := s.apply(m.model); err != nil {
		return err
	}
	m.table, err = m.open()
	return err
}

// commitBegun tells whether there was anything to commit.
func (m *metaRun) commitBegun(w *table.Writer) (bool, error) {
	before, err := m.table.Snapshots().LatestID(ctx)
	if err != nil {
		return false, err
	}
	if err := w.CommitNext(ctx); err != nil {
		return false, err
	}
	after, err := m.table.Snapshots().LatestID(ctx)
	return after != before, err
}

// hidden tells that rows are seen only once they are compacted.
func (m *metaRun) hidden() bool {
	return m.model.Schema.Options["merge-engine"] == "first-row" || m.Config.Options["deletion-vectors.enabled"] == "true" || m.postponed()
}

func (m *metaRun) postponed() bool { return m.Config.Options["bucket"] == "-2" }
