//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// chaosFollowed is all that a follower knows, in one file that it replaces at once.
type chaosFollowed struct {
	Token string
	Last  int64 // the snapshot that was read last
	Open  bool  // not to its end
	Rows  map[string]int
}

// follow applies changes to the rows that it keeps. It is killed at any time.
func (r *chaosRole) follow(ctx context.Context, t *table.Table) error {
	now, err := r.loadFollowed()
	if err != nil {
		return err
	}
	o := table.StreamOptions{FullChangelog: r.Full, UntilSnapshot: r.Until, BatchRows: 2 + r.rand().IntN(20)}
	o.Consumer = r.Name // keeps from expiring what is still to be read
	if r.Keep != "consumer" {
		o.Token = now.Token
	}
	if r.Until > 0 && now.Last >= r.Until && !now.Open {
		return nil
	}
	s, err := t.Stream(ctx, o)
	if err != nil {
		return err
	}
	f := &chaosFollower{role: r, now: now, stream: s, file: r.file()}
	return f.run(ctx, t)
}

func (r *chaosRole) file() string { return filepath.Join(r.Logs, r.Name+".json") }

func (r *chaosRole) loadFollowed() (now chaosFollowed, err error) {
	now.Rows = map[string]int{}
	data, err := os.ReadFile(r.file())
	if errors.Is(err, os.ErrNotExist) {
		return now, nil
	}
	return now, errors.Join(err, json.Unmarshal(data, &now))
}

type chaosFollower struct {
	role   *chaosRole
	now    chaosFollowed
	stream *table.Stream
	file   string
}

func (f *chaosFollower) run(ctx context.Context, t *table.Table) error {
	enc, err := rowjson.NewEncoder(f.stream.Fields())
	if err != nil {
		return err
	}
	rows, err := schema.ArrowSchema(f.stream.Fields())
	if err != nil {
		return err
	}
	first := true
	for c, err := range f.stream.Snapshots(ctx) {
		if err != nil {
			return err
		}
		again, err := f.comes(c, first)
		if err != nil {
			return err
		}
		first = false
		for rec, err := range c.Batches() {
			if err != nil {
				return err
			}
			if again {
				continue
			}
			if err := f.batch(enc, rows, rec); err != nil {
				return fmt.Errorf("snapshot %d: %w", c.Snapshot.ID, err)
			}
			if f.role.Keep == "batch" {
				f.now.Last, f.now.Open, f.now.Token = c.Snapshot.ID, true, f.stream.Token()
				if err := f.save(); err != nil {
					return err
				}
			}
		}
		if err := f.done(ctx, t, c); err != nil {
			return fmt.Errorf("snapshot %d: %w", c.Snapshot.ID, err)
		}
	}
	return nil
}

// comes proves a snapshot to be the next one. It may come again from a
// consumer, where the follower died before it acknowledged what it had kept.
func (f *chaosFollower) comes(c *table.Changes, first bool) (again bool, err error) {
	id := c.Snapshot.ID
	if f.role.Keep == "consumer" && first && c.Full { // died before the whole picture was acknowledged: another one comes
		f.now.Rows = map[string]int{}
		return false, nil
	}
	switch {
	case f.now.Last == 0, id == f.now.Last+1 && !f.now.Open, id == f.now.Last && f.now.Open:
		return false, nil
	case id == f.now.Last+1 && f.now.Open && first: // all of its rows were read
		return false, nil
	case f.role.Keep == "consumer" && first && id == f.now.Last:
		return true, nil
	}
	return false, fmt.Errorf("snapshot %d comes behind %d (open: %v)", id, f.now.Last, f.now.Open)
}

func (f *chaosFollower) batch(enc *rowjson.Encoder, rows *arrow.Schema, rec arrow.RecordBatch) error {
	plain := array.NewRecordBatch(rows, rec.Columns()[2:], rec.NumRows())
	defer plain.Release()
	if err := enc.Bind(plain); err != nil {
		return err
	}
	for i := range int(rec.NumRows()) {
		kind := schema.RowKind(rec.Column(0).(*array.Int8).Value(i))
		if err := f.apply(kind, string(enc.AppendRow(nil, i))); err != nil {
			return fmt.Errorf("%s %s: %w", kind, enc.AppendRow(nil, i), err)
		}
	}
	return nil
}

// apply takes one told row in: a changelog has to fit exactly, other rows go
// through what the merge engine does.
func (f *chaosFollower) apply(kind schema.RowKind, line string) error {
	k := f.role.kind()
	if k.shape == "bag" {
		f.now.Rows[line]++
		return nil
	}
	if !f.role.Full && k.producer != "lookup" && k.producer != "full-compaction" {
		return f.merge(kind, line)
	}
	if kind == schema.Delete || kind == schema.UpdateBefore {
		if f.now.Rows[line] != 1 {
			return fmt.Errorf("no such row was told")
		}
		delete(f.now.Rows, line)
		return nil
	}
	id, _, _ := strings.Cut(line, ",")
	for other := range f.now.Rows {
		if strings.HasPrefix(other, id+",") {
			return fmt.Errorf("told already is %s", other)
		}
	}
	f.now.Rows[line] = 1
	return nil
}

// merge takes in a row that was told as it was written.
func (f *chaosFollower) merge(kind schema.RowKind, line string) error {
	state := newChaosState(f.role.kind(), 0)
	id, _, _ := strings.Cut(line, ",")
	for other := range f.now.Rows {
		if strings.HasPrefix(other, id+",") {
			if err := state.take("+I", other); err != nil {
				return err
			}
			delete(f.now.Rows, other)
		}
	}
	if kind == schema.UpdateBefore {
		kind = schema.Delete
	}
	if kind == schema.UpdateAfter {
		kind = schema.Insert
	}
	if err := state.take(kind.String(), line); err != nil {
		return err
	}
	for _, l := range state.lines() {
		f.now.Rows[l] = 1
	}
	return nil
}

// take applies a row of the table's columns.
func (s *chaosState) take(kind, line string) error {
	var row map[string]*int64
	if err := json.Unmarshal([]byte(line), &row); err != nil {
		return err
	}
	get := func(name string) int64 {
		if row[name] == nil {
			return 0
		}
		return *row[name]
	}
	if s.kind.shape != "wide" {
		s.apply(chaosRow{kind: kind, id: get("id"), n: get("n"), s: get("s"), v: get("v")})
		return nil
	}
	for w := range chaosWriters {
		if g := get(fmt.Sprintf("g%d", w)); g != 0 {
			s.apply(chaosRow{kind: kind, id: get("id"), s: g, v: get(fmt.Sprintf("c%d", w)), w: w})
		}
	}
	return nil
}

// done keeps what was read of a snapshot, and now and then compares it with the
// table as it was then.
func (f *chaosFollower) done(ctx context.Context, t *table.Table, c *table.Changes) error {
	f.now.Last, f.now.Open, f.now.Token = c.Snapshot.ID, false, f.stream.Token()
	k := f.role.kind()
	if told := k.producer == "" || k.producer == "input" || f.role.Full; told && !k.hides && c.Snapshot.ID%3 == 0 {
		_, want, err := chaosScan(ctx, t, table.ScanOptions{Snapshot: c.Snapshot.ID})
		if err != nil && !errors.Is(err, table.ErrNotFound) {
			return err
		}
		if d := differ(want, f.now.lines()); err == nil && d != "" {
			return fmt.Errorf("what was told is not the table (the commits are its rows here):\n%s", d)
		}
	}
	if err := f.save(); err != nil {
		return err
	}
	return f.stream.Acknowledge(ctx)
}

func (n *chaosFollowed) lines() (lines []string) {
	for _, l := range slices.Sorted(maps.Keys(n.Rows)) {
		for range n.Rows[l] {
			lines = append(lines, l)
		}
	}
	return lines
}

func (f *chaosFollower) save() error {
	data, err := json.Marshal(&f.now)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.file+"~", data, 0o644); err != nil {
		return err
	}
	return os.Rename(f.file+"~", f.file)
}
