//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// Both sides make a table, a branch of other buckets, and rows in both, in
// turn. With either option, what batch reads of the two find together is what
// Java's find: every row, by filters, at every snapshot, with kinds, as a list
// of partitions.
func TestFallbackBranchesAreReadAsJavaReadsThem(t *testing.T) {
	each(t, run.java, 8, func(w *world) {
		w.draw(func(r *randomTable) bool { return len(r.parts) > 0 && !r.hides() && !r.moves() })
		w.create(w.half())
		branch := w.branch("b")
		if n, err := strconv.Atoi(w.rand.options["bucket"]); err == nil && n > 0 {
			branch.set(w.half(), fmt.Sprintf("bucket=%d", n%3+1))
		}
		w.set(w.half(), pick(w.rand.r, "scan.fallback-branch", "scan.primary-branch")+"=b")
		for i := range 4 + w.rand.r.IntN(4) {
			on := []*world{w, branch}[i%2]
			on.write(w.half(), on.some(i%2))
			if w.rand.r.IntN(3) == 0 {
				on.compact(w.half(), w.half())
			}
		}
		w.together()
		for s, err := range w.open().Snapshots().All(context.Background()) {
			w.must(err)
			w.agree(fmt.Sprintf("snapshot %d", s.ID), table.ScanOptions{Snapshot: s.ID}, "--snapshot", strconv.FormatInt(s.ID, 10))
		}
	})
}

// some are random rows, most of them of partitions that only one side has.
func (w *world) some(side int) []string {
	w.t.Helper()
	return slices.DeleteFunc(w.rand.batch(nil), func(line string) bool {
		var row map[string]json.RawMessage
		w.must(json.Unmarshal([]byte(line), &row))
		h := fnv.New32()
		for _, part := range w.rand.parts {
			h.Write(row[part])
		}
		return row["_commit"] == nil && h.Sum32()%3 == uint32(side)
	})
}

// together compares what batch reads find.
func (w *world) together() {
	w.t.Helper()
	w.agree("both branches", table.ScanOptions{})
	for range 4 {
		w.ask(w.question(1))
	}
	for _, name := range []string{"audit_log", "partitions"} {
		if name == "partitions" && (w.partitioned("TIMESTAMP") || w.rand.lookedUp) {
			continue // Java cannot list these; of others it lists only what is compacted
		}
		want, err := w.java.run(w.id.String()+"$"+name, "scan", "--unsorted")
		w.must(err)
		w.same("$"+name, "java", sorted(want), "go", sorted(w.system(name, table.ScanOptions{})))
	}
}

// branch makes an empty branch.
func (w *world) branch(name string) *world {
	w.t.Helper()
	w.branches(w.half(), "create", name, "")
	return w.inBranch(name)
}

// set changes options in one alteration.
func (w *world) set(byGo bool, options ...string) {
	w.t.Helper()
	var changes []schema.Change
	var args []string
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		changes = append(changes, schema.SetOption{Key: key, Value: value})
		args = append(args, "--set", o)
	}
	if !byGo {
		w.javaRuns("alter", args...)
		return
	}
	_, err := w.open().Alter(context.Background(), changes...)
	w.must(err)
}

// A table without a key and a branch with one, which is what Paimon has these
// options for: nights correct what a stream has written by day.
func TestABranchWithAKeyHelpsATableWithoutOne(t *testing.T) {
	each(t, run.java, 4, func(w *world) {
		text := func(of ...string) maker { return func(r *rand.Rand) string { return pick(r, of...) } }
		w.rand = &randomTable{r: w.rand.r, options: map[string]string{}, seen: map[string][]string{}, parts: []string{"dt"}, columns: []randomColumn{
			{name: "dt", typ: "STRING", notNull: true, value: text(`"24"`, `"25"`, `"26"`, `"27"`, `"28"`)},
			{name: "name", typ: "STRING", notNull: true, value: text(`"apple"`, `"pear"`, `"fig"`, `"plum"`)},
			{name: "amount", typ: "BIGINT", value: text("1", "2", "3")},
		}}
		w.create(w.half())
		live := w.branch("live")
		live.set(w.half(), append([]string{"primary-key=dt,name"}, pick(w.rand.r,
			[]string{"bucket=2", "changelog-producer=lookup"}, []string{"bucket=-1"}, []string{"bucket=1", "deletion-vectors.enabled=true"},
			[]string{"bucket=1", "merge-engine=aggregation", "fields.amount.aggregate-function=sum"})...)...)
		w.set(w.half(), pick(w.rand.r, "scan.fallback-branch", "scan.primary-branch")+"=live")
		for i := range 4 {
			on := []*world{w, live}[i%2]
			on.write(w.half(), on.some(i%2))
		}
		w.rand.lookedUp = true
		w.together()
	})
}
