//go:build interop

package interop

import (
	"context"
	"fmt"
	"time"

	"github.com/tidelake/tidelake/table"
)

// get looks keys up again and again, through a cache that it keeps, and proves
// the answers to be rows of the commits that the snapshot shows.
func (r *chaosRole) get(ctx context.Context, t *table.Table) error {
	look, err := t.NewLookup(ctx, table.LookupOptions{})
	if err != nil {
		return err
	}
	defer look.Close()
	state, random := newChaosState(r.kind(), r.Seed), r.rand()
	for {
		var keys []any
		for w := range int64(chaosWriters) {
			keys = append(keys, chaosBeat+w)
			for range 6 {
				keys = append(keys, (w+1)*1000+random.Int64N(60), 500+random.Int64N(40))
			}
		}
		before, err := chaosTold(r.Logs)
		if err != nil {
			return err
		}
		if err := look.Refresh(ctx); err != nil {
			return err
		}
		if err := state.finds(ctx, look, keys, before); err != nil {
			return err
		}
		if err := chaosCount(r.Logs, "gets"); err != nil {
			return err
		}
		pause(ctx, time.Duration(random.Int64N(2*int64(r.Pace)+1)))
	}
}

// finds compares what keys are found to be.
func (s *chaosState) finds(ctx context.Context, look *table.Lookup, keys []any, before [chaosWriters]int64) error {
	rows, err := look.Get(ctx, keys...)
	if err != nil {
		return err
	}
	var beats []string
	got := make([]string, len(keys))
	for i, row := range rows {
		if row != nil {
			got[i] = s.kind.found(row)
		}
		if keys[i].(int64) >= chaosBeat && row != nil {
			beats = append(beats, got[i])
		}
	}
	if err := s.reach(beats, before); err != nil {
		return err
	}
	for i, key := range keys {
		want := ""
		if cell := s.rows[key.(int64)]; cell != nil {
			want = s.kind.cellLine(key.(int64), cell)
		}
		if got[i] != want {
			return fmt.Errorf("snapshot %d, commits %v: key %v is %q, want %q", look.Snapshot().ID, s.at, key, got[i], want)
		}
	}
	return nil
}

// found is a row that was looked up as a scan would show it.
func (k *chaosKind) found(row table.Row) string {
	var c chaosCell
	get := func(name string) int64 {
		n, _ := row[name].(int64)
		return n
	}
	c.n, c.s, c.v = get("n"), get("s"), get("v")
	for w := range chaosWriters {
		c.g[w], c.c[w] = get(fmt.Sprintf("g%d", w)), get(fmt.Sprintf("c%d", w))
	}
	return k.cellLine(get("id"), &c)
}
