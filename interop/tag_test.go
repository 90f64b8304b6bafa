//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/tidelake/tidelake/table"
)

// tag does something to a tag, by either side: create, replace, rename, delete.
func (w *world) tag(byGo bool, what, name string, snapshot int64) {
	w.t.Helper()
	if !byGo {
		args := []string{what, "--name", name}
		switch {
		case what == "rename":
			args = append(args, "--to", name+"2")
		case snapshot > 0:
			args = append(args, "--snapshot", strconv.FormatInt(snapshot, 10))
		}
		w.javaRuns("tag", args...)
		return
	}
	ctx, t, err := context.Background(), w.open(), error(nil)
	switch what {
	case "create":
		_, err = t.CreateTag(ctx, name, table.TagOptions{Snapshot: snapshot})
	case "replace":
		_, err = t.ReplaceTag(ctx, name, table.TagOptions{Snapshot: snapshot})
	case "rename":
		err = t.RenameTag(ctx, name, name+"2")
	case "delete":
		err = t.DeleteTag(ctx, name)
	}
	w.must(err)
}

// sameTags compares what both sides say of the tags, and their rows.
func (w *world) sameTags() {
	w.t.Helper()
	w.sameSystemTable("tags")
	tags, err := w.open().Tags(context.Background())
	w.must(err)
	for _, tag := range tags {
		w.agree("rows of tag "+tag.Name, table.ScanOptions{Tag: tag.Name}, "--tag", tag.Name)
	}
}

// TestBothTag: tags that either side makes, moves, renames and deletes, while both
// write, compact and expire. Each side reads all of them whenever one changed.
func TestBothTag(t *testing.T) {
	each(t, run.java, 3, func(w *world) {
		w.rand.maybe(3, "tag.default-time-retained", "1 d")
		w.create(w.half())
		w.writeSome(w.half())
		var names []string
		for i := range 5 {
			name := fmt.Sprintf("tag %d", i)
			snapshot := pick(w.rand.r, 0, w.latest())
			w.tag(w.half(), "create", name, snapshot)
			for range 2 {
				w.write(w.half(), w.rand.batch(nil))
			}
			switch what := pick(w.rand.r, "", "rename", "replace", "delete"); {
			case what == "delete" && len(names) > 0:
				w.tag(w.half(), what, names[0], 0)
				names = names[1:]
			case what == "rename":
				w.tag(w.half(), what, name, 0)
				name += "2"
			case what == "replace":
				w.tag(w.half(), what, name, snapshot)
			}
			names = append(names, name)
			if w.half() {
				w.compact(w.half(), true)
				w.expire(w.half(), 1)
			}
			w.sameTags()
		}
		w.agree("rows", table.ScanOptions{})
		w.verify()
	})
}

// TestBothMakeTheSameTags: of two tables with the same history, each written by
// one side with the same watermarks, tagged by themselves at the ends of periods.
func TestBothMakeTheSameTags(t *testing.T) {
	each(t, run.java, 2, func(w *world) {
		r := w.rand.r
		w.draw(func(t *randomTable) bool { return t.options["write-only"] == "" && t.options["bucket"] != "-2" })
		o := w.rand.options
		o["tag.automatic-creation"] = pick(r, "process-time", "watermark", "watermark", "watermark")
		delays := []string{"10 min", "2 h"}
		if o["tag.automatic-creation"] == "process-time" {
			if time.Now().UTC().Add(2*time.Hour).Hour() < 5 { // a day must not end between the commits of the two sides, nor its delay
				o["sink.process-time-zone"] = "Asia/Shanghai"
			}
		} else if w.rand.maybe(2, "tag.creation-period", "hourly", "two-hours") {
			delays = delays[:1] // they have to be shorter than the period
		}
		w.rand.maybe(3, "tag.period-formatter", "without_dashes")
		w.rand.maybe(3, "tag.creation-delay", delays...)
		w.rand.maybe(3, "tag.num-retained-max", "2")
		if w.rand.maybe(3, "tag.automatic-completion", "true") {
			o["compaction.min.file-num"] = "100" // a snapshot makes up for one period, and only Java compacts append tables
		}
		w.rand.maybe(3, "tag.default-time-retained", "1 h")
		w.rand.maybe(3, "sink.watermark-time-zone", "Asia/Shanghai", "America/New_York")
		twin := w.twin()
		w.create(true)
		twin.create(false)
		at := time.Date(2026, 3, 7, 21, 10, 0, 0, time.UTC)
		for range 8 {
			lines := w.rand.batch(nil)
			for len(lines) == 0 {
				lines = w.rand.batch(nil)
			}
			at = at.Add(time.Duration(r.IntN(300)) * time.Minute)
			mark := strconv.FormatInt(at.UnixMilli(), 10)
			for _, one := range []*world{w, twin} { // a committer that makes no tags
				one.javaRuns("write", "--input", w.file(lines), "--watermark", mark, "--options", "write-only=true")
			}
			if w.half() {
				at = at.Add(time.Duration(r.IntN(90)) * time.Minute)
				out, msgs := w.prepare(lines, false)
				out.SetWatermark(at.UnixMilli())
				w.must(errors.Join(out.Commit(context.Background(), 1, msgs), out.Close()))
				twin.javaRuns("write", "--input", w.file(lines), "--watermark", strconv.FormatInt(at.UnixMilli(), 10))
				w.same("tags", "java", twin.tagged(), "go", w.tagged())
			}
		}
		w.verify()
	})
}

// tagged are the names of the tags and the watermarks of what they hold: the ids
// of snapshots differ where the two sides compact at other times.
func (w *world) tagged() (out []string) {
	w.t.Helper()
	tags, err := w.open().Tags(context.Background())
	w.must(err)
	for _, tag := range tags {
		mark := "none"
		if tag.Watermark != nil {
			mark = time.UnixMilli(*tag.Watermark).UTC().Format(time.RFC3339)
		}
		out = append(out, fmt.Sprintf("%s watermark %s retained %v", tag.Name, mark, tag.Retained))
	}
	return sorted(out)
}
