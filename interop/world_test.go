//go:build interop

package interop

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// world is one random table, seen from both sides.
type world struct {
	t    *testing.T
	dir  string // the warehouse
	java *peer
	cat  *catalog.Catalog
	id   catalog.Identifier
	rand *randomTable
}

func newWorld(t *testing.T, servers *pool, cat *catalog.Catalog, dir, name string, seed uint64, without []string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, cat: cat, id: catalog.Identifier{Database: "r", Table: name}}
	w.rand = newRandomTable(rand.New(rand.NewPCG(seed, 1)), without...)
	w.java = &peer{server: servers.take(t), dir: dir}
	return w
}

// end tells about the table when its test failed, and removes it otherwise.
func (w *world) end() {
	if w.t.Failed() {
		w.t.Logf("%s: %s", w.id, w.rand.definition())
		return
	}
	w.must(os.RemoveAll(w.path()))
}

func (w *world) path() string {
	return filepath.Join(w.dir, w.id.Database+".db", w.id.Table)
}

// twin is a second table of the same definition, for the same rows.
func (w *world) twin() *world {
	other := *w
	other.id.Table += "twin"
	return &other
}

// half is true for one table in two.
func (w *world) half() bool { return w.rand.r.IntN(2) == 0 }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// file writes lines where the other side can read them.
func (w *world) file(lines []string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "lines")
	w.must(os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644))
	return path
}

func (w *world) javaRuns(command string, args ...string) []string {
	w.t.Helper()
	lines, err := w.java.run(w.id.String(), command, args...)
	w.must(err)
	return lines
}

func (w *world) create(byGo bool) {
	w.t.Helper()
	if !byGo {
		w.javaRuns("create", "--schema", w.file([]string{w.rand.definition()}))
		return
	}
	def, err := schema.ParseDefinition([]byte(w.rand.ours()))
	w.must(err)
	_, err = w.cat.CreateTable(context.Background(), w.id, def)
	w.must(err)
}

func (w *world) open() *table.Table {
	w.t.Helper()
	t, err := w.cat.Table(context.Background(), w.id)
	w.must(err)
	return t
}

func (w *world) write(byGo bool, lines []string) {
	w.t.Helper()
	if !byGo {
		w.javaRuns("write", "--input", w.file(lines))
		return
	}
	ctx := context.Background()
	out, msgs := w.prepare(lines, false)
	defer func() { w.must(out.Close()) }()
	w.must(out.Commit(ctx, 1, msgs))
}

// prepare turns lines into files that no snapshot names yet.
func (w *world) prepare(lines []string, overwrite bool) (*table.Writer, []table.CommitMessage) {
	w.t.Helper()
	ctx, t := context.Background(), w.open()
	out, err := t.NewWriter(ctx, table.WriterOptions{Overwrite: overwrite})
	w.must(err)
	dec, err := rowjson.NewDecoder(t.Schema().Fields, rowjson.Options{})
	w.must(err)
	for i, l := range lines {
		w.must(dec.Row([]byte(l)))
		if i%250 == 249 || i == len(lines)-1 {
			rec, kinds := dec.Flush()
			err := out.WriteKinds(ctx, rec, kinds)
			rec.Release()
			w.must(err)
		}
	}
	msgs, err := out.Prepare(ctx, 1)
	w.must(err)
	return out, msgs
}

// rows is a scan by this library as sorted lines.
func (w *world) rows(o table.ScanOptions) []string {
	w.t.Helper()
	ctx := context.Background()
	s, err := w.open().Scan(ctx, o)
	w.must(err)
	return sorted(w.lines(s.Fields(), s.Batches(ctx)))
}

// lines are rows as JSON, in the order in which they come.
func (w *world) lines(fields []schema.Field, batches iter.Seq2[arrow.RecordBatch, error]) (lines []string) {
	w.t.Helper()
	enc, err := rowjson.NewEncoder(fields)
	w.must(err)
	for rec, err := range batches {
		w.must(err)
		w.must(enc.Bind(rec))
		for r := range int(rec.NumRows()) {
			lines = append(lines, string(enc.AppendRow(nil, r)))
		}
	}
	return lines
}

// agree compares what both readers find, with the same options on each side.
func (w *world) agree(what string, o table.ScanOptions, java ...string) []string {
	w.t.Helper()
	want, err := w.java.rows(w.id.String(), java...)
	w.must(err)
	w.same(what, "java", want, "go", w.rows(o))
	return want
}

// same compares sorted lines and shows only what differs.
func (w *world) same(what, left string, a []string, right string, b []string) {
	w.t.Helper()
	a, b = w.rand.settled(a), w.rand.settled(b)
	var onlyA, onlyB []string
	i, k := 0, 0
	for i < len(a) || k < len(b) {
		switch {
		case k == len(b) || i < len(a) && a[i] < b[k]:
			onlyA = append(onlyA, a[i])
			i++
		case i == len(a) || b[k] < a[i]:
			onlyB = append(onlyB, b[k])
			k++
		default:
			i++
			k++
		}
	}
	if len(onlyA)+len(onlyB) > 0 {
		w.t.Fatalf("%s:\n%s%s", what, some(left, len(a), onlyA), some(right, len(b), onlyB))
	}
}

// some shows the first lines that only one side has.
func some(side string, all int, lines []string) string {
	text := fmt.Sprintf("%d of %d lines are only %s's\n", len(lines), all, side)
	for _, l := range lines[:min(4, len(lines))] {
		text += "\t" + l[:min(3000, len(l))] + "\n"
	}
	return text
}

// verify lets the checker of each side look at everything.
func (w *world) verify() {
	w.t.Helper()
	if out, err := w.java.run(w.id.String(), "verify"); err != nil {
		w.t.Fatalf("java's verify: %v\n%s", err, strings.Join(out, "\n"))
	}
	report, err := w.open().Check(context.Background(), nil)
	w.must(err)
	for _, p := range report.Problems {
		w.t.Errorf("check: %s", p)
	}
}
