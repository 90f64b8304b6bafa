package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

var ctx = context.Background()

// world is one table on one store, and a clock of its own.
type world struct {
	t       testing.TB
	st      store.Store
	schema  *schema.Table
	options *schema.Options
	ids     atomic.Int64
	now     atomic.Int64
}

var (
	text   = schema.Type{Kind: schema.VarChar, Length: schema.MaxLength}
	bigint = schema.Type{Kind: schema.BigInt}
)

// newWorld makes a table keyed by (dt, id) and partitioned by dt; options
// "append" drops the key, the others are table options.
func newWorld(t testing.TB, st store.Store, options ...string) *world {
	t.Helper()
	sc := &schema.Table{
		Version: 3, Fields: []schema.Field{{ID: 0, Name: "dt", Type: text}, {ID: 1, Name: "id", Type: bigint}},
		HighestFieldID: 1, PartitionKeys: []string{"dt"}, PrimaryKeys: []string{"dt", "id"},
		Options: map[string]string{"bucket": "2", "overwrite-upgrade": "false", "commit.min-retry-wait": "1 ms", "commit.max-retry-wait": "4 ms", "commit.max-retries": "60"},
	}
	for _, o := range options {
		if o == "append" {
			sc.PrimaryKeys, sc.Options["bucket"] = nil, "-1"
			continue
		}
		key, value, _ := strings.Cut(o, "=")
		sc.Options[key] = value
	}
	parsed, err := schema.ParseOptions(sc.Options)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, st: st, schema: sc, options: parsed}
	w.now.Store(1_700_000_000_000)
	return w
}

func (w *world) clock() time.Time { return time.UnixMilli(w.now.Add(1000)) }

func (w *world) manifests(st store.Store) *manifest.IO {
	return manifest.NewIO(st, "manifest", manifest.IOOptions{
		Partition: w.schema.PartitionFields(),
		NewID:     func() string { return fmt.Sprintf("u%d", w.ids.Add(1)) },
	})
}

type configure func(*snapshot.Config)

func newUser(c *snapshot.Config) { c.NewUser = true }

func over(st store.Store) configure { return func(c *snapshot.Config) { c.Store = st } }

func (w *world) committer(user string, more ...configure) *snapshot.Committer {
	w.t.Helper()
	cfg := snapshot.Config{Store: w.st, Schema: w.schema, Options: w.options, User: user, Clock: w.clock, Sequential: true,
		Rand: func() float64 { return 0.5 }, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	for _, m := range more {
		m(&cfg)
	}
	cfg.Manifest = w.manifests(cfg.Store)
	c, err := snapshot.NewCommitter(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) chain() *snapshot.Chain { return snapshot.NewChain(w.st, "") }

func part(dt string) []byte {
	body, err := binaryrow.Append(nil, []schema.Type{text}, []any{dt})
	if err != nil {
		panic(err)
	}
	return body
}

func key(id int64) []byte {
	body, err := binaryrow.Append(nil, []schema.Type{bigint}, []any{id})
	if err != nil {
		panic(err)
	}
	return body
}

// add is an entry for a file of 10 rows at level 0 of bucket 0 of partition "a".
func add(name string, more ...func(*manifest.Entry)) manifest.Entry {
	e := manifest.Entry{Partition: part("a"), TotalBuckets: 2, File: manifest.DataFile{
		Name: name, Size: 100, Rows: 10, MinKey: key(0), MaxKey: key(9), KeyArity: 1, CreationTime: 1,
	}}
	for _, m := range more {
		m(&e)
	}
	return e
}

func in(dt string) func(*manifest.Entry)  { return func(e *manifest.Entry) { e.Partition = part(dt) } }
func bucket(b int) func(*manifest.Entry)  { return func(e *manifest.Entry) { e.Bucket = b } }
func buckets(n int) func(*manifest.Entry) { return func(e *manifest.Entry) { e.TotalBuckets = n } }
func level(n int) func(*manifest.Entry)   { return func(e *manifest.Entry) { e.File.Level = n } }
func rows(n int64) func(*manifest.Entry)  { return func(e *manifest.Entry) { e.File.Rows = n } }
func keys(lo, hi int64) func(*manifest.Entry) {
	return func(e *manifest.Entry) { e.File.MinKey, e.File.MaxKey = key(lo), key(hi) }
}

func del(e manifest.Entry) manifest.Entry {
	e.Kind = manifest.Delete
	return e
}

func files(names ...string) []manifest.Entry {
	var out []manifest.Entry
	for _, n := range names {
		out = append(out, add(n))
	}
	return out
}

func adding(identifier int64, names ...string) snapshot.Changes {
	return snapshot.Changes{Identifier: identifier, AppendFiles: files(names...), IgnoreEmpty: true}
}

func (w *world) commit(c *snapshot.Committer, ch snapshot.Changes) []int64 {
	w.t.Helper()
	ids, err := c.Commit(ctx, ch)
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

func (w *world) latest() *snapshot.Snapshot {
	w.t.Helper()
	s, err := w.chain().Latest(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// live reads the files of a snapshot from the store: "name" or "name@level".
func (w *world) live(s *snapshot.Snapshot) []string {
	w.t.Helper()
	names := []string{}
	if s == nil {
		return names
	}
	m := w.manifests(w.st)
	var metas []manifest.Meta
	for _, list := range s.Lists() {
		more, err := m.ReadList(ctx, list)
		if err != nil {
			w.t.Fatalf("snapshot %d: %v", s.ID, err)
		}
		metas = append(metas, more...)
	}
	entries, deletes, err := manifest.Fold(m.Scan(ctx, metas, nil))
	if err != nil || len(deletes) > 0 {
		w.t.Fatalf("snapshot %d: deletes %v: %v", s.ID, deletes, err)
	}
	total := int64(0)
	for _, e := range entries {
		total += e.File.Rows
		name := e.File.Name
		if e.File.Level > 0 {
			name += fmt.Sprintf("@%d", e.File.Level)
		}
		names = append(names, name)
	}
	if s.TotalRecordCount == nil || *s.TotalRecordCount != total {
		w.t.Errorf("snapshot %d counts %v records, its files hold %d", s.ID, s.TotalRecordCount, total)
	}
	slices.Sort(names)
	return names
}

func (w *world) wantLive(names ...string) {
	w.t.Helper()
	slices.Sort(names)
	if got := w.live(w.latest()); !slices.Equal(got, names) {
		w.t.Errorf("live files are %v, want %v", got, names)
	}
}

// expire removes the snapshots up to id, and what only they name.
func (w *world) expire(upTo int64) {
	w.t.Helper()
	keep := map[string]bool{}
	var drop []string
	m := w.manifests(w.st)
	for s, err := range w.chain().All(ctx) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, list := range s.Lists() {
			metas, err := m.ReadList(ctx, list)
			if err != nil {
				w.t.Fatal(err)
			}
			names := []string{list}
			for _, meta := range metas {
				names = append(names, meta.Name)
			}
			for _, name := range names {
				if s.ID > upTo {
					keep[name] = true
				} else {
					drop = append(drop, name)
				}
			}
		}
		if s.ID <= upTo {
			if err := w.st.Delete(ctx, w.chain().Path(s.ID)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for _, name := range drop {
		if !keep[name] {
			if err := m.Remove(ctx, name); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

func wantClass(t testing.TB, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("error is %v, want %v", err, class)
	}
}

// inParallel runs n functions and fails on their errors.
func inParallel(t testing.TB, n int, f func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
