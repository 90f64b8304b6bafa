//go:build interop

package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// number reads a setting of the run from the environment.
func number(t testing.TB, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// world is one warehouse seen from both sides.
type world struct {
	t    *testing.T
	dir  string
	java *peer
	cat  *catalog.Catalog
	id   catalog.Identifier
	rand *randomTable
}

func newWorld(t *testing.T, java *peer, cat *catalog.Catalog, dir, name string, seed uint64) *world {
	t.Helper()
	w := &world{t: t, dir: dir, java: java, cat: cat, id: catalog.Identifier{Database: "r", Table: name}}
	w.rand = newRandomTable(rand.New(rand.NewPCG(seed, 1)))
	return w
}

// each runs f on as many random tables as asked for; every table has its own seed.
func each(t *testing.T, f func(w *world)) {
	seed := number(t, "TIDELAKE_INTEROP_SEED", uint64(time.Now().UnixNano()))
	tables := number(t, "TIDELAKE_INTEROP_TABLES", 60)
	t.Logf("%d tables, TIDELAKE_INTEROP_SEED=%d", tables, seed)
	java := startPeer(t, os.Getenv("TIDELAKE_PEER"))
	dir := t.TempDir()
	cat, err := catalog.Open(context.Background(), dir, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	if err := cat.CreateDatabase(context.Background(), "r"); err != nil {
		t.Fatal(err)
	}
	for i := range tables {
		ok := t.Run(strconv.FormatUint(seed+i, 10), func(t *testing.T) {
			w := newWorld(t, java, cat, dir, "t"+strconv.FormatUint(i, 10), seed+i)
			f(w)
			if t.Failed() {
				t.Logf("definition: %s", w.rand.definition())
			}
		})
		if !ok && os.Getenv("TIDELAKE_INTEROP_KEEP_GOING") == "" {
			t.Fatalf("replay with TIDELAKE_INTEROP_SEED=%d TIDELAKE_INTEROP_TABLES=1", seed+i)
		}
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) javaCreates() {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "schema.json")
	w.must(os.WriteFile(file, []byte(w.rand.definition()), 0o644))
	_, err := w.java.run("create", "--warehouse", w.dir, "--table", w.id.String(), "--schema", file)
	w.must(err)
}

func (w *world) goCreates() {
	w.t.Helper()
	def, err := schema.ParseDefinition([]byte(w.rand.ours()))
	w.must(err)
	_, err = w.cat.CreateTable(context.Background(), w.id, def)
	w.must(err)
}

func (w *world) javaWrites(lines []string) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "rows.jsonl")
	w.must(os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644))
	_, err := w.java.run("write", "--warehouse", w.dir, "--table", w.id.String(), "--input", file)
	w.must(err)
}

func (w *world) goWrites(lines []string) {
	w.t.Helper()
	ctx := context.Background()
	t, err := w.cat.Table(ctx, w.id)
	w.must(err)
	out, err := t.NewWriter(ctx, table.WriterOptions{})
	w.must(err)
	defer func() { w.must(out.Close()) }()
	dec, err := rowjson.NewDecoder(t.Schema().Fields, rowjson.Options{})
	w.must(err)
	for _, l := range lines {
		w.must(dec.Row([]byte(l)))
	}
	if len(lines) == 0 {
		return
	}
	rec, kinds := dec.Flush()
	defer rec.Release()
	w.must(out.WriteKinds(ctx, rec, kinds))
	w.must(out.CommitNext(ctx))
}

// goRows is a scan by this library as sorted lines.
func (w *world) goRows(o table.ScanOptions) []string {
	w.t.Helper()
	ctx := context.Background()
	t, err := w.cat.Table(ctx, w.id)
	w.must(err)
	s, err := t.Scan(ctx, o)
	w.must(err)
	enc, err := rowjson.NewEncoder(s.Fields())
	w.must(err)
	var lines []string
	for rec, err := range s.Batches(ctx) {
		w.must(err)
		w.must(enc.Bind(rec))
		for r := range int(rec.NumRows()) {
			lines = append(lines, string(enc.AppendRow(nil, r)))
		}
	}
	slices.Sort(lines)
	return lines
}

// agree compares both readers, and lets each side's checker look at everything.
func (w *world) agree() {
	w.t.Helper()
	want, err := w.java.rows(w.dir, w.id.String())
	w.must(err)
	if d := cmp.Diff(want, w.goRows(table.ScanOptions{})); d != "" {
		w.t.Fatalf("rows (-java +go):\n%s", d)
	}
}

func (w *world) verify() {
	w.t.Helper()
	if out, err := w.java.run("verify", "--warehouse", w.dir, "--table", w.id.String()); err != nil {
		w.t.Fatalf("java's verify: %v\n%s", err, strings.Join(out, "\n"))
	}
	t, err := w.cat.Table(context.Background(), w.id)
	w.must(err)
	report, err := t.Check(context.Background(), nil)
	w.must(err)
	for _, p := range report.Problems {
		w.t.Errorf("check: %s", p)
	}
}

func TestJavaReadsWhatGoWrites(t *testing.T) {
	each(t, func(w *world) {
		w.goCreates()
		for range 1 + w.rand.r.IntN(4) {
			w.goWrites(w.rand.batch())
		}
		w.agree()
		w.verify()
	})
}

func TestGoReadsWhatJavaWrites(t *testing.T) {
	each(t, func(w *world) {
		w.javaCreates()
		for range 1 + w.rand.r.IntN(4) {
			w.javaWrites(w.rand.batch())
		}
		w.agree()
		w.verify()
	})
}

func TestBothWriteInTurn(t *testing.T) {
	each(t, func(w *world) {
		if w.rand.r.IntN(2) == 0 {
			w.goCreates()
		} else {
			w.javaCreates()
		}
		for range 2 + w.rand.r.IntN(6) {
			if w.rand.r.IntN(2) == 0 {
				w.goWrites(w.rand.batch())
			} else {
				w.javaWrites(w.rand.batch())
			}
			w.agree()
		}
		w.verify()
	})
}

// TestFiltersAgree asks both sides the same questions.
func TestFiltersAgree(t *testing.T) {
	each(t, func(w *world) {
		w.goCreates()
		for range 1 + w.rand.r.IntN(4) {
			w.goWrites(w.rand.batch())
		}
		for _, c := range w.rand.columns {
			if c.typ != "INT" && c.typ != "BIGINT" && c.typ != "STRING" {
				continue
			}
			for _, op := range []string{"=", "<", ">=", "!="} {
				w.filter(c, op)
			}
		}
	})
}

func (w *world) filter(c randomColumn, op string) {
	w.t.Helper()
	literal := c.value(w.rand.r)
	if c.typ == "STRING" {
		literal = "'" + pickText(w.rand.r, "a", "X", "b=c/d", "zz") + "'"
	}
	question := fmt.Sprintf("%s %s %s", c.name, op, literal)
	want, err := w.java.rows(w.dir, w.id.String(), "--filter", question)
	w.must(err)
	if d := cmp.Diff(want, w.goRows(table.ScanOptions{Where: question})); d != "" {
		w.t.Fatalf("%s (-java +go):\n%s", question, d)
	}
}
