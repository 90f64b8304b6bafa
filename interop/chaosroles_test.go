//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	_ "github.com/tidelake/tidelake/io/store/cloud"
	"github.com/tidelake/tidelake/table"
)

// chaosRole is what one process does, until it is done or killed.
type chaosRole struct {
	Do      string // write, read, get or follow
	Name    string
	URL     string // the warehouse
	Table   string
	Logs    string // a directory that all processes share
	Kind    int    // of chaosKinds
	Seed    uint64
	Life    uint64 // which process of its role it is, from 0
	Writer  int
	Commits int64
	Pace    time.Duration // between commits, about
	Full    bool          // follow with FullChangelog
	Keep    string        // token: the place is kept with the rows; consumer: with the table; batch: a token behind every batch
	Until   int64         // the last snapshot to follow, 0 for none
}

// exit codes of a role.
const (
	chaosDone  = 0
	chaosWrong = 3 // what must not be
	chaosAgain = 7 // an error that says to try again
)

// runChaosRole is the main function of such a process.
func runChaosRole(text string) int {
	var r chaosRole
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.run(context.Background())
	}
	if err == nil {
		return chaosDone
	}
	fmt.Fprintf(os.Stderr, "%s, life %d: %v\n", r.Name, r.Life, err)
	if errors.Is(err, table.ErrConflict) || errors.Is(err, table.ErrUncertain) {
		return chaosAgain
	}
	return chaosWrong
}

func (r *chaosRole) run(ctx context.Context) error {
	cat, err := catalog.Open(ctx, r.URL, table.Settings{TempDir: os.TempDir()}, table.Components{})
	if err != nil {
		return err
	}
	defer cat.Close()
	id, err := catalog.ParseIdentifier(r.Table)
	if err != nil {
		return err
	}
	t, err := cat.Table(ctx, id)
	if err != nil {
		return err
	}
	switch r.Do {
	case "write":
		return r.write(ctx, t)
	case "read":
		return r.read(ctx, t)
	case "get":
		return r.get(ctx, t)
	}
	return r.follow(ctx, t)
}

func (r *chaosRole) kind() *chaosKind { return &chaosKinds[r.Kind] }

// rand is another one for every life.
func (r *chaosRole) rand() *rand.Rand {
	return rand.New(rand.NewPCG(r.Seed+uint64(r.Writer), r.Life))
}

// progress is the number that a writer has put into one of its logs last.
func chaosProgress(logs string, writer int, what string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(logs, fmt.Sprintf("w%d.%s", writer, what)))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	lines := strings.Split(string(data), "\n") // the last one is being written
	if err != nil || len(lines) < 2 {
		return 0, err
	}
	return strconv.ParseInt(lines[len(lines)-2], 10, 64)
}

func chaosNote(logs string, writer int, what string, n int64) error {
	f, err := os.OpenFile(filepath.Join(logs, fmt.Sprintf("w%d.%s", writer, what)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", n)
	return errors.Join(err, f.Close())
}

// settled is how many commits of a writer there are, by the table and by its
// logs, which may lack the acknowledgement of the last one.
func chaosSettled(logs string, writer int, next int64) (int64, error) {
	told, err := chaosProgress(logs, writer, "told")
	if err != nil {
		return 0, err
	}
	tried, err := chaosProgress(logs, writer, "tried")
	if err != nil {
		return 0, err
	}
	switch there := next - 1; {
	case there == 0 && told > 0 && tried == told: // its snapshots have expired
		return told, nil
	case there < told || there > max(told, tried):
		return 0, fmt.Errorf("writer %d has commit %d in the table, was told of %d and tried %d", writer, there, told, tried)
	case there > told:
		return there, chaosNote(logs, writer, "told", there)
	}
	return told, nil
}

// write commits batches until there are all of them.
func (r *chaosRole) write(ctx context.Context, t *table.Table) (err error) {
	random := r.rand()
	w, err := t.NewWriter(ctx, table.WriterOptions{User: chaosUser(r.Writer), WaitCompaction: random.IntN(2) == 0})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	c, err := t.NewCommitter(ctx, w.User())
	if err != nil {
		return err
	}
	next, err := c.NextIdentifier(ctx)
	if err != nil {
		return err
	}
	done, err := chaosSettled(r.Logs, r.Writer, next)
	if err != nil {
		return err
	}
	for n := done + 1; n <= r.Commits; n++ {
		if err := r.commit(ctx, t, w, n); err != nil {
			return err
		}
		pause(ctx, time.Duration(random.Int64N(2*int64(r.Pace)+1)))
	}
	return nil
}

func chaosUser(writer int) string { return fmt.Sprintf("writer-%d", writer) }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// commit writes one batch. An error that says to repeat the commit is followed.
func (r *chaosRole) commit(ctx context.Context, t *table.Table, w *table.Writer, n int64) error {
	dec, err := rowjson.NewDecoder(t.Schema().Fields, rowjson.Options{})
	if err != nil {
		return err
	}
	for _, line := range r.kind().batchLines(r.Seed, r.Writer, n) {
		if err := dec.Row([]byte(line)); err != nil {
			return err
		}
	}
	rec, kinds := dec.Flush()
	err = w.WriteKinds(ctx, rec, kinds)
	rec.Release()
	if err != nil {
		return err
	}
	msgs, err := w.Prepare(ctx, n)
	if err != nil {
		return err
	}
	if err := chaosNote(r.Logs, r.Writer, "tried", n); err != nil {
		return err
	}
	if err := w.Commit(ctx, n, msgs); err != nil {
		return fmt.Errorf("commit %d: %w", n, err)
	}
	return chaosNote(r.Logs, r.Writer, "told", n)
}

// told is how far all writers are by a log.
func chaosTold(logs string) (at [chaosWriters]int64, err error) {
	for w := range at {
		n, e := chaosProgress(logs, w, "told")
		at[w], err = n, errors.Join(err, e)
	}
	return at, err
}

// read scans the newest snapshot again and again: each shows some commits of
// each writer, all before them and none of the others, and never fewer than before.
func (r *chaosRole) read(ctx context.Context, t *table.Table) error {
	state, random := newChaosState(r.kind(), r.Seed), r.rand()
	for {
		before, err := chaosTold(r.Logs)
		if err != nil {
			return err
		}
		s, lines, err := chaosScan(ctx, t, table.ScanOptions{AnyOrder: random.IntN(2) == 0})
		if err != nil {
			return err
		}
		if err := state.holds(lines, before); err != nil {
			return fmt.Errorf("snapshot %d: %w", s, err)
		}
		if err := chaosCount(r.Logs, "reads"); err != nil {
			return err
		}
		pause(ctx, time.Duration(random.Int64N(2*int64(r.Pace)+1)))
	}
}

// chaosCount adds one to a count that a process keeps.
func chaosCount(logs, what string) error {
	f, err := os.OpenFile(filepath.Join(logs, what), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(".")
	return errors.Join(err, f.Close())
}

// holds proves lines to be the state with some more commits, those told before among them.
func (s *chaosState) holds(lines []string, before [chaosWriters]int64) error {
	if err := s.reach(lines, before); err != nil {
		return err
	}
	if d := differ(s.lines(), lines); d != "" {
		return fmt.Errorf("not the rows of commits %v:\n%s", s.at, d)
	}
	return nil
}

// reach advances the state to the commits that lines show.
func (s *chaosState) reach(lines []string, before [chaosWriters]int64) error {
	at, err := s.kind.commits(lines)
	if err != nil {
		return err
	}
	for w, n := range at {
		if n < s.at[w] {
			return fmt.Errorf("writer %d went back from commit %d to %d", w, s.at[w], n)
		}
		if n < before[w] && !s.kind.hides {
			return fmt.Errorf("writer %d was told of commit %d, and %d is there", w, before[w], n)
		}
		s.advance(w, n)
	}
	return nil
}

// chaosScan is a snapshot and its rows as sorted lines.
func chaosScan(ctx context.Context, t *table.Table, o table.ScanOptions) (int64, []string, error) {
	s, err := t.Scan(ctx, o)
	if err != nil || s.Snapshot() == nil {
		return 0, nil, err
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		return 0, nil, err
	}
	var lines []string
	for rec, err := range s.Batches(ctx) {
		if err == nil {
			err = enc.Bind(rec)
		}
		if err != nil {
			return s.Snapshot().ID, nil, err
		}
		for i := range int(rec.NumRows()) {
			lines = append(lines, string(enc.AppendRow(nil, i)))
		}
	}
	slices.Sort(lines)
	return s.Snapshot().ID, lines, nil
}
