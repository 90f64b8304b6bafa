//go:build interop

package interop

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/table"
)

// follower is a stream that runs beside what else is done to a table.
type follower struct {
	w     *world
	seen  chan told // what was told of each snapshot; closed when the stream has ended
	end   func(last int64)
	ended chan error
	lines []string
	next  int64 // the first snapshot that is not among lines
}

// goFollows starts a stream of this library, which acknowledges what it has told.
func (w *world) goFollows(o table.StreamOptions) *follower {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	s, err := w.open().Stream(ctx, o)
	w.must(err)
	f := &follower{w: w, seen: make(chan told, 1000), ended: make(chan error, 1)}
	f.end = func(int64) { cancel() }
	go func() {
		err := w.follow(ctx, s, o.Consumer, f.seen)
		if ctx.Err() != nil {
			err = nil
		}
		f.ended <- err
	}()
	return f
}

// javaFollows starts Java's streaming scan in a process that does nothing else.
func (w *world) javaFollows(args ...string) *follower {
	w.t.Helper()
	until := filepath.Join(w.t.TempDir(), "until")
	f := &follower{w: w, seen: make(chan told, 1000), ended: make(chan error, 1)}
	f.end = func(last int64) {
		w.must(os.WriteFile(until+"~", []byte(strconv.FormatInt(last, 10)), 0o644))
		w.must(os.Rename(until+"~", until))
	}
	java := &peer{server: run.follow.take(w.t), dir: w.dir}
	done := make(chan struct{})
	w.t.Cleanup(func() { f.end(0); <-done }) // before another test takes the process
	command := java.command(w.id.String(), "stream", append(args, "--until-file", until, "--progress"))
	go func() {
		defer close(done)
		var one told
		err := java.tell(command, func(line string) {
			number, is := strings.CutPrefix(line, `{"_next":`)
			if !is {
				one.lines = append(one.lines, line)
				return
			}
			next, _ := strconv.ParseInt(strings.TrimSuffix(number, "}"), 10, 64)
			one.id = next - 1
			f.seen <- one
			one = told{}
		})
		close(f.seen)
		f.ended <- err
	}()
	return f
}

// upTo waits until a snapshot was told.
func (f *follower) upTo(id int64) {
	f.w.t.Helper()
	for f.next <= id {
		one, more := <-f.seen
		if !more {
			f.w.t.Fatalf("a stream ended before snapshot %d: %v", id, <-f.ended)
		}
		f.lines, f.next = append(f.lines, one.lines...), one.id+1
	}
}

// stop ends the stream behind a snapshot and returns all that it told.
func (f *follower) stop(last int64) []string {
	f.w.t.Helper()
	f.upTo(last)
	f.end(last)
	for range f.seen { // until it has ended
	}
	f.w.must(<-f.ended)
	return f.lines
}

// expire takes away all snapshots but some that no consumer has still to read.
func (w *world) expire(byGo bool, retain int) {
	w.t.Helper()
	if !byGo {
		w.javaRuns("expire", "--retain", strconv.Itoa(retain))
		return
	}
	_, err := w.open().Expire(context.Background(), table.ExpireOptions{RetainMin: retain, RetainMax: retain, OlderThan: time.Now()})
	w.must(err)
}

// TestBothFollowWhatBothWrite: a stream of each side runs, in a process of its
// own, while both write, compact and expire. They tell the same, once and in
// order, and leave consumers from which the other side goes on.
func TestBothFollowWhatBothWrite(t *testing.T) {
	for _, producer := range append([]string{"none"}, producers...) {
		t.Run(producer, func(t *testing.T) {
			each(t, run.java, 1, func(w *world) {
				w.draw(func(t *randomTable) bool { return producer == "none" || t.changelogs(producer) })
				w.create(w.half())
				w.writeSome(w.half())
				mode, from := table.FromSnapshot, "1"
				if w.half() && w.rand.options["bucket"] != "-2" { // a full start has the rows of a key that wait in any order
					mode, from = table.FromSnapshotFull, "full:1"
				}
				ours := w.goFollows(table.StreamOptions{Mode: mode, Snapshot: 1, Consumer: "ours",
					ConsumerMode: pick(w.rand.r, table.ExactlyOnce, table.AtLeastOnce)})
				java := w.javaFollows("--from", from, "--consumer", "javas")
				ours.upTo(1) // both consumers are there
				java.upTo(1)
				for range 6 + w.rand.r.IntN(6) {
					w.write(w.half(), w.rand.batch(nil))
					switch w.rand.r.IntN(4) {
					case 0:
						w.compact(w.half(), w.half())
					case 1:
						w.expire(w.half(), 1+w.rand.r.IntN(3))
					}
				}
				last := w.latest()
				w.same("streams that followed", "this side's", w.byKey(ours.stop(last)), "Java's", w.byKey(java.stop(last)))
				w.changeReaders(last)
				w.verify()
			})
		})
	}
}

// writeSome writes until there is a snapshot.
func (w *world) writeSome(byGo bool) {
	w.t.Helper()
	for w.latest() == 0 {
		w.write(byGo, w.rand.batch(nil))
	}
}

// changeReaders lets each side go on from the consumer that the other left.
func (w *world) changeReaders(last int64) {
	w.t.Helper()
	ctx := context.Background()
	ours, err := w.open().Consumer(ctx, "ours")
	w.must(err)
	javas, err := w.open().Consumer(ctx, "javas")
	w.must(err)
	if javas.Next != last+1 {
		w.t.Fatalf("Java's consumer is at %d behind snapshot %d", javas.Next, last)
	}
	w.expire(w.half(), 1)
	w.write(w.half(), w.rand.batch(nil))
	w.compact(w.half(), true)
	last = w.latest()
	until := strconv.FormatInt(last, 10)
	w.same("Java goes on from our consumer", "this side", w.byKey(w.streamed(table.StreamOptions{Snapshot: ours.Next, UntilSnapshot: last})),
		"Java", w.byKey(w.javaRuns("stream", "--consumer", "ours", "--until-snapshot", until)))
	w.same("this side goes on from Java's consumer", "this side", w.byKey(w.streamed(table.StreamOptions{Consumer: "javas", UntilSnapshot: last})),
		"Java", w.byKey(w.javaRuns("stream", "--from", strconv.FormatInt(javas.Next, 10), "--until-snapshot", until)))
}
