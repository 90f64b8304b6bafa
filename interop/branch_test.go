//go:build interop

package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tidelake/tidelake/table"
)

// inBranch is the same table seen through a branch.
func (w *world) inBranch(name string) *world {
	other := *w
	other.id.Branch = name
	return &other
}

// branches does something to a branch, by either side: create, fast-forward, delete.
func (w *world) branches(byGo bool, what, name, tag string) {
	w.t.Helper()
	if !byGo {
		args := []string{what, "--name", name}
		if tag != "" {
			args = append(args, "--tag", tag)
		}
		w.javaRuns("branch", args...)
		if what == "fast-forward" { // Java copies the branch's hint, which lies of a table that began earlier
			w.must(os.RemoveAll(filepath.Join(w.path(), "snapshot", "EARLIEST")))
		}
		return
	}
	ctx, t, err := context.Background(), w.open(), error(nil)
	switch what {
	case "create":
		err = t.CreateBranch(ctx, name, table.BranchOptions{Tag: tag})
	case "fast-forward":
		err = t.FastForward(ctx, name)
	case "delete":
		err = t.DeleteBranch(ctx, name)
	}
	w.must(err)
}

// TestBothBranch: branches that either side makes, writes and brings back, while
// the main one goes on.
func TestBothBranch(t *testing.T) {
	each(t, run.java, 3, func(w *world) {
		w.create(w.half())
		w.writeSome(w.half())
		w.write(w.half(), w.rand.batch(nil))
		tag, tagged := pick(w.rand.r, "", "first"), 1+w.rand.r.Int64N(w.latest())
		w.tag(w.half(), "create", "first", tagged)
		if w.half() {
			w.write(w.half(), w.rand.batch(nil))
		}
		w.branches(w.half(), "create", "b", tag)
		b := w.inBranch("b")
		if tag != "" {
			w.same("rows of the new branch", "the tag", w.rows(table.ScanOptions{Tag: tag}), "the branch", b.agree("rows of the new branch", table.ScanOptions{}))
		} else if rows := b.agree("rows of the new branch", table.ScanOptions{}); len(rows) > 0 {
			w.t.Fatalf("a branch from nothing has %d rows", len(rows))
		}
		for range 2 + w.rand.r.IntN(3) {
			pick(w.rand.r, w, b).perform(w.half(), w.step())
			b.agree("rows of the branch", table.ScanOptions{})
			w.agree("rows", table.ScanOptions{})
		}
		w.verify()
		b.writeSome(w.half())
		b.verifyBranch()
		rows := b.agree("rows of the branch", table.ScanOptions{})
		w.sameSystemTable("branches")
		w.branches(w.half(), "fast-forward", "b", "")
		w.same("rows behind a fast-forward", "the branch", rows, "the table", w.agree("rows behind a fast-forward", table.ScanOptions{}))
		w.perform(w.half(), w.step())
		w.agree("rows of a step behind a fast-forward", table.ScanOptions{})
		w.sameTags()
		w.branches(w.half(), "delete", "b", "")
		w.sameSystemTable("branches")
		w.agree("rows without the branch", table.ScanOptions{})
		w.verify()
	})
}

// verifyBranch is verify for Java, which is told branches by a flag.
func (w *world) verifyBranch() {
	w.t.Helper()
	main := *w
	main.id.Branch = ""
	main.javaRuns("verify", "--branch", w.id.Branch)
	report, err := w.open().Check(context.Background(), nil)
	w.must(err)
	for _, p := range report.Problems {
		w.t.Errorf("check of branch %s: %s", w.id.Branch, p)
	}
}

// TestBothGoBack: one side goes back to a snapshot, a tag or a time; both read
// what was there then, and go on from it.
func TestBothGoBack(t *testing.T) {
	each(t, run.java, 3, func(w *world) {
		ctx := context.Background()
		w.create(w.half())
		w.writeSome(w.half())
		for range 2 {
			for range 3 {
				w.perform(w.half(), w.step())
			}
			first, err := w.open().Snapshots().Earliest(ctx)
			w.must(err)
			target := first.ID + w.rand.r.Int64N(w.latest()-first.ID+1)
			rows := w.agree("rows of a snapshot", table.ScanOptions{Snapshot: target}, "--snapshot", strconv.FormatInt(target, 10))
			name := fmt.Sprintf("tag of %d", target)
			w.tag(w.half(), "create", name, target)
			byTag := w.half()
			if byTag && w.half() {
				w.expire(w.half(), 1) // only the tag is left
			}
			w.goBack(w.half(), target, name, byTag)
			w.same("rows gone back to", "before", rows, "after", w.agree("rows gone back to", table.ScanOptions{}))
			w.sameTags()
			w.systemTables()
			w.tag(w.half(), "delete", name, 0)
		}
		w.perform(w.half(), w.step())
		w.travel()
		w.verify()
	})
}

// goBack rolls the table back, to a tag or to the snapshot that it holds, by id or time.
func (w *world) goBack(byGo bool, snapshot int64, tag string, byTag bool) {
	w.t.Helper()
	if !byGo {
		if byTag {
			w.javaRuns("rollback", "--tag", tag)
		} else {
			w.javaRuns("rollback", "--snapshot", strconv.FormatInt(snapshot, 10))
		}
		return
	}
	ctx, o := context.Background(), table.RollbackOptions{Tag: tag}
	if !byTag {
		o = table.RollbackOptions{Snapshot: snapshot}
		at, err := w.open().Snapshots().Get(ctx, snapshot)
		w.must(err)
		next, err := w.open().Snapshots().AtOrBefore(ctx, at.TimeMillis)
		w.must(err)
		if byTime := w.half(); byTime && next.ID == snapshot { // not two in one millisecond
			o = table.RollbackOptions{AsOf: time.UnixMilli(at.TimeMillis)}
		}
	}
	at, err := w.open().Rollback(ctx, o)
	w.must(err)
	if at.ID != snapshot {
		w.t.Fatalf("went back to snapshot %d, not %d", at.ID, snapshot)
	}
}
