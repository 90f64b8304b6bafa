package table_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// soak is a table under a writer, a compactor and readers at once. Commit n
// leaves n in the row of key -1, so that a reader can tell what it saw.
type soak struct {
	t   *testing.T
	st  store.Store
	agg bool

	mu     sync.Mutex
	states [][]string // the rows after each commit; commit n is told before it is made
}

const soakTable = `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: BIGINT}]
primary-key: [k]
`

// TestReadersSeeCommittedPrefixes writes, compacts and reads one table at the
// same time: every read is what some number of commits made.
//
//	TIDELAKE_SOAK=10m go test -race -timeout 30m -run TestReadersSee ./table
func TestReadersSeeCommittedPrefixes(t *testing.T) {
	for name, options := range map[string][]string{
		"deduplicate": nil,
		"aggregation": {"merge-engine=aggregation", "fields.v.aggregate-function=sum"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := store.NewMem()
			create(t, st, soakTable, append(options, "bucket=2", "num-sorted-run.compaction-trigger=2", "target-file-size=2 kb", "write-buffer-size=2 kb")...)
			s := &soak{t: t, st: st, agg: options != nil, states: [][]string{nil}}
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error { defer stop(); return s.write(ctx) })
			group.Go(func() error { return s.compact(ctx) })
			for range 2 {
				group.Go(func() error { return s.read(ctx) })
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			sound(t, reopen(t, st))
			t.Logf("%d commits", len(s.states)-1)
		})
	}
}

// rows of commit n: changes of some keys, and n itself.
func (s *soak) rows(n int) []string {
	v := func(n int) string {
		if s.agg {
			return "1" // which add up to n
		}
		return fmt.Sprint(n)
	}
	out := []string{fmt.Sprintf(`{"k":-1,"v":%s}`, v(n))}
	for j := range 5 {
		kind := "+I"
		if !s.agg && (n+j)%4 == 0 {
			kind = "-D"
		}
		out = append(out, fmt.Sprintf(`{"_kind":%q,"k":%d,"v":%s}`, kind, (n*31+j*17)%40, v(n)))
	}
	return out
}

func (s *soak) write(ctx context.Context) error {
	tab := reopen(s.t, s.st)
	m := model.New(tab.Schema())
	w, err := tab.NewWriter(ctx, table.WriterOptions{User: "writer"})
	if err != nil {
		return err
	}
	defer w.Close()
	end := time.Now()
	if text := os.Getenv("TIDELAKE_SOAK"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		end = end.Add(d)
	}
	for n := 1; n <= 60 || time.Now().Before(end); n++ {
		m.Write(s.rows(n)...)
		if n%20 == 0 { // the model forgets nothing by itself
			if err := m.Merge(0); err != nil {
				return err
			}
		}
		rows, err := m.Rows()
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.states = append(s.states, modelLines(m, rows))
		s.mu.Unlock()
		if err := write(s.t, w, tab, s.rows(n)...); err != nil {
			return err
		}
		if err := w.CommitNext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// compact runs jobs beside the compactions of the writer.
func (s *soak) compact(ctx context.Context) error {
	for full := true; ctx.Err() == nil; full = !full {
		if _, err := reopen(s.t, s.st).Compact(ctx, table.CompactOptions{Full: full}); err != nil && ctx.Err() == nil {
			return fmt.Errorf("compact: %w", err)
		}
	}
	return nil
}

func (s *soak) read(ctx context.Context) error {
	for ctx.Err() == nil {
		got, err := scanLines(ctx, reopen(s.t, s.st), table.ScanOptions{})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := s.prefix(got); err != nil {
			return err
		}
	}
	return nil
}

// prefix tells whether rows are the state after some commit.
func (s *soak) prefix(got []string) error {
	n := 0
	for _, line := range got {
		var row struct{ K, V int }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return err
		}
		if row.K == -1 {
			n = row.V
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= len(s.states) {
		return fmt.Errorf("%d commits were seen, and %d made", n, len(s.states)-1)
	}
	if d := cmp.Diff(s.states[n], got); d != "" && strings.Join(s.states[n], "") != strings.Join(got, "") {
		return fmt.Errorf("after %d commits (-want +got):\n%s", n, d)
	}
	return nil
}
