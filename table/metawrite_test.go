package table_test

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// writer is the one whose turn it is.
func (m *metaRun) writer() (*table.Writer, error) {
	m.commits++
	i := m.commits % len(m.writers)
	if m.Config.Restart > 0 && m.commits%m.Config.Restart == 0 {
		if err := m.closeWriter(i); err != nil {
			return nil, err
		}
	}
	return m.openWriter(i)
}

func (m *metaRun) openWriter(i int) (*table.Writer, error) {
	if m.writers[i] != nil {
		return m.writers[i], nil
	}
	tab, err := m.open()
	if err != nil {
		return nil, err
	}
	m.writers[i], err = tab.NewWriter(ctx, table.WriterOptions{User: fmt.Sprintf("w%d", i)})
	return m.writers[i], err
}

// write commits rows, or leaves that to the alteration that comes next.
func (m *metaRun) write(rows []string, alters bool) error {
	if m.postponed() && m.random.IntN(3) == 0 {
		return m.writeBatch(rows)
	}
	w, err := m.writer()
	if err != nil {
		return err
	}
	if m.Config.Abort > 0 && m.commits%m.Config.Abort == 0 {
		if w, err = m.giveUp(w, rows); err != nil {
			return err
		}
	}
	if err := m.give(w, rows); err != nil {
		return err
	}
	if m.Config.Live && alters {
		m.begun = w
		return nil
	}
	return w.CommitNext(ctx)
}

// giveUp begins a commit, takes it back, and opens the writer anew.
func (m *metaRun) giveUp(w *table.Writer, rows []string) (*table.Writer, error) {
	if err := m.give(w, rows[:m.random.IntN(len(rows)+1)]); err != nil {
		return nil, err
	}
	if m.random.IntN(3) > 0 {
		c, err := m.table.NewCommitter(ctx, w.User())
		if err != nil {
			return nil, err
		}
		id, err := c.NextIdentifier(ctx)
		if err != nil {
			return nil, err
		}
		msgs, err := w.Prepare(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := m.table.Abort(ctx, msgs); err != nil {
			return nil, err
		}
	}
	i := slices.Index(m.writers, w)
	if err := m.closeWriter(i); err != nil {
		return nil, err
	}
	return m.openWriter(i)
}

// writeBatch commits rows straight into buckets, after those that wait: they
// would count as later ones.
func (m *metaRun) writeBatch(rows []string) error {
	tab, err := m.open()
	if err != nil {
		return err
	}
	if _, err := tab.CompactPostponed(ctx); err != nil {
		return err
	}
	w, err := tab.NewWriter(ctx, table.WriterOptions{Batch: true})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := m.give(w, rows); err != nil {
		return err
	}
	return w.CommitNext(ctx)
}

// overwrite writes with the writer whose turn it is, or with one that was
// opened for it, as dynamic buckets and lookups demand.
func (m *metaRun) overwrite(inside map[string]string, rows []string) error {
	w, err := m.writer()
	if err != nil {
		return err
	}
	if m.hidden() || m.Config.Options["bucket"] == "-1" || m.Config.Options["changelog-producer"] == "lookup" || m.random.IntN(2) == 0 {
		if w, err = m.table.NewWriter(ctx, table.WriterOptions{Overwrite: true}); err != nil {
			return err
		}
		defer w.Close()
	}
	if err := m.give(w, rows); err != nil {
		return err
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		return err
	}
	c, err := m.committer()
	if err != nil {
		return err
	}
	return c.Overwrite(ctx, 1, m.row(inside), msgs)
}

// give gives rows to a writer, some at a time.
func (m *metaRun) give(w *table.Writer, rows []string) error {
	for rows := range slices.Chunk(rows, 1+m.random.IntN(20)) {
		rec, kinds, err := m.batch(m.table.Schema().Fields, rows...)
		if err != nil {
			return err
		}
		err = w.WriteKinds(ctx, rec, kinds)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// batch decodes rows; the caller releases it.
func (m *metaRun) batch(fields []schema.Field, rows ...string) (arrow.RecordBatch, []int8, error) {
	dec, err := rowjson.NewDecoder(fields, rowjson.Options{Alloc: m.alloc})
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		if err = dec.Row([]byte(row)); err != nil {
			break
		}
	}
	rec, kinds := dec.Flush()
	if err != nil {
		rec.Release()
		return nil, nil, err
	}
	return rec, kinds, nil
}

// row turns JSON values into Go values.
func (m *metaRun) row(values map[string]string) table.Row {
	if values == nil {
		return nil
	}
	row := table.Row{}
	for name, text := range values {
		f, _ := m.table.Schema().Field(name)
		rec, _, err := m.batch([]schema.Field{f}, fmt.Sprintf("{%q:%s}", name, text))
		must(err)
		row[name] = table.RowOf([]schema.Field{f}, rec, 0)[name]
		rec.Release()
	}
	return row
}
