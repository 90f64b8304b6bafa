package table_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// handed are messages that wait, with the rows in them; "" is a deletion.
type handed struct {
	id   int64
	msgs []table.CommitMessage
	rows map[int]string
}

// fellow is one of several writers, each with keys of its own, so that the order
// of its own commits alone decides what is in the table.
type fellow struct {
	t     *testing.T
	n     int
	tab   *table.Table
	w     *table.Writer
	id    int64
	queue []handed
}

func (f *fellow) open() {
	w, err := f.tab.NewWriter(ctx, table.WriterOptions{User: fmt.Sprint("w", f.n), WaitCompaction: f.n == 0})
	if err != nil {
		f.t.Fatal(err)
	}
	f.w = w
}

func (f *fellow) prepare(r *rand.Rand) {
	rows := map[int]string{}
	var lines []string
	for range r.IntN(5) { // none: a Prepare that only hands compactions out
		k := 100*f.n + r.IntN(6)
		if _, twice := rows[k]; twice {
			continue
		}
		rows[k] = strconv.Itoa(int(f.id))
		line := fmt.Sprintf(`{"k":%d,"v":%q}`, k, rows[k])
		if r.IntN(3) == 0 {
			rows[k] = ""
			line = fmt.Sprintf(`{"_kind":"-D","k":%d,"v":null}`, k)
		}
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		if err := write(f.t, f.w, f.tab, lines...); err != nil {
			f.t.Fatal(err)
		}
	}
	f.id++
	msgs, err := f.w.Prepare(ctx, f.id)
	if err != nil {
		f.t.Fatal(err)
	}
	if len(msgs) > 0 {
		f.queue = append(f.queue, handed{f.id, msgs, rows})
	}
}

// commit publishes the oldest messages, by the writer's own committer or another one.
func (f *fellow) commit(r *rand.Rand, state map[int]string) {
	if len(f.queue) == 0 {
		return
	}
	p := f.queue[0]
	f.queue = f.queue[1:]
	commit := f.w.Commit
	if r.IntN(3) == 0 {
		c, err := f.tab.NewCommitter(ctx, fmt.Sprint("w", f.n))
		if err != nil {
			f.t.Fatal(err)
		}
		commit = c.Commit
	}
	err := commit(ctx, p.id, p.msgs)
	if err != nil && !(len(p.rows) == 0 && errors.Is(err, table.ErrConflict)) { // compactions alone
		f.t.Fatal(err)
	}
	for k, v := range p.rows {
		if state[k] = v; v == "" {
			delete(state, k)
		}
	}
}

func (f *fellow) abort(r *rand.Rand) {
	if len(f.queue) == 0 {
		return
	}
	i := r.IntN(len(f.queue))
	if err := f.tab.Abort(ctx, f.queue[i].msgs); err != nil {
		f.t.Fatal(err)
	}
	f.queue = slices.Delete(f.queue, i, i+1)
}

// restart settles what waits, as a service does before it writes again.
func (f *fellow) restart(r *rand.Rand, state map[int]string) {
	for len(f.queue) > 0 {
		if r.IntN(2) == 0 {
			f.commit(r, state)
		} else {
			f.abort(r)
		}
	}
	if err := f.w.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.open()
}

// Writers prepare, commit, give up and start again beside each other and beside
// jobs, while snapshots expire that they have not seen: each key has what its
// writer committed last.
//
// TIDELAKE_FELLOWS is how many rounds to play, TIDELAKE_SEED the first seed.
func TestWritersBesideEachOtherKeepWhatTheyCommitted(t *testing.T) {
	rounds, seed := 12/slow, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("TIDELAKE_FELLOWS")); err == nil {
		rounds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("TIDELAKE_SEED"), 10, 64); err == nil {
		seed = n
	}
	for i := range rounds {
		for _, options := range [][]string{{eager}, {}, {"deletion-vectors.enabled=true"}, {"bucket=2", "write-buffer-size=1 kb", "manifest.merge-min-count=1"}} {
			if !t.Run(fmt.Sprint(seed+uint64(i), options), func(t *testing.T) { playFellows(t, seed+uint64(i), options) }) {
				return
			}
		}
	}
}

func playFellows(t *testing.T, seed uint64, options []string) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	st := store.NewMem()
	create(t, st, compacting, append([]string{"num-sorted-run.compaction-trigger=2"}, options...)...)
	hidden := slices.Contains(options, "deletion-vectors.enabled=true") // until compacted
	state := map[int]string{}
	var fellows []*fellow
	var leaps []func()
	for n := range 2 {
		tab, leap := leaping(t, st)
		f := &fellow{t: t, n: n, tab: tab}
		f.open()
		defer func() { _ = f.w.Close() }()
		fellows, leaps = append(fellows, f), append(leaps, leap)
	}
	check := func() {
		var want []string
		for _, k := range slices.Sorted(maps.Keys(state)) {
			want = append(want, fmt.Sprintf(`{"k":%d,"v":%q}`, k, state[k]))
		}
		expect(t, reopen(t, st), table.ScanOptions{}, want...)
	}
	for range 40 {
		f := fellows[r.IntN(2)]
		switch n := r.IntN(20); {
		case n < 8:
			f.prepare(r)
		case n < 14:
			f.commit(r, state)
		case n < 15:
			f.abort(r)
		case n < 16:
			f.restart(r, state)
		case n < 18:
			compactAll(t, st)
		case n < 19:
			if newest, err := reopen(t, st).Snapshots().Latest(ctx); err == nil && newest != nil {
				withoutSnapshots(t, st)
			}
		default:
			leaps[f.n]()
		}
		if !hidden {
			check()
		}
		if t.Failed() {
			return
		}
	}
	compactAll(t, st)
	check()
	sound(t, reopen(t, st))
}
