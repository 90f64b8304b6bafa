package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// tagsAfter makes a commit at each of some times and returns the tags as "name:snapshot".
func tagsAfter(t *testing.T, st store.Store, times []string, options ...string) []string {
	t.Helper()
	create(t, st, keyed, append(options, "write-only=false", "num-sorted-run.compaction-trigger=50")...)
	w, _ := world(t)
	clock := stopped(&w, noon)
	tab := reopenIn(t, st, w)
	for i, text := range times {
		at, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		clock.set(at)
		if i == len(times)/2 { // another process goes on
			tab = reopenIn(t, st, w)
		}
		load(t, tab, `{"k":1,"v":"a"}`)
	}
	tags, err := tab.Tags(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, tag := range tags {
		out = append(out, tag.Name+":"+string(rune('0'+tag.ID)))
	}
	return out
}

func TestCommittersMakeTagsOfPeriods(t *testing.T) {
	for name, c := range map[string]struct {
		options string
		times   string
		want    string
	}{
		"hourly":          {"tag.automatic-creation=process-time,tag.creation-period=hourly", "2023-07-18 12:12,2023-07-18 12:59,2023-07-18 14:00,2023-07-18 14:01", "2023-07-18 11:1,2023-07-18 13:3"},
		"hourly, skipped": {"tag.automatic-creation=process-time,tag.creation-period=hourly", "2023-07-18 12:12,2023-07-18 16:00", "2023-07-18 11:1,2023-07-18 15:2"},
		"completed":       {"tag.automatic-creation=process-time,tag.creation-period=hourly,tag.automatic-completion=true", "2023-07-18 12:12,2023-07-18 16:00,2023-07-18 16:01,2023-07-18 16:02,2023-07-18 16:03,2023-07-18 16:04", "2023-07-18 11:1,2023-07-18 12:2,2023-07-18 13:3,2023-07-18 14:4,2023-07-18 15:5"},
		"delayed":         {"tag.automatic-creation=process-time,tag.creation-period=hourly,tag.creation-delay=10 s", "2023-07-18 12:12,2023-07-18 13:00,2023-07-18 13:01", "2023-07-18 11:1,2023-07-18 12:3"},
		"daily":           {"tag.automatic-creation=process-time", "2023-07-18 12:12,2023-07-19 00:00,2023-07-20 00:00", "2023-07-17:1,2023-07-18:2,2023-07-19:3"},
		"without dashes":  {"tag.automatic-creation=process-time,tag.period-formatter=without_dashes", "2023-07-18 12:12,2023-07-19 00:00", "20230717:1,20230718:2"},
		"no spaces":       {"tag.automatic-creation=process-time,tag.creation-period=hourly,tag.period-formatter=without_dashes_and_spaces", "2023-07-18 12:12", "2023071811:1"},
		"two hours":       {"tag.automatic-creation=process-time,tag.creation-period=two-hours", "2023-07-18 12:12,2023-07-18 13:59,2023-07-18 14:00", "2023-07-18 10:1,2023-07-18 12:3"},
		"five minutes":    {"tag.automatic-creation=process-time,tag.creation-period-duration=5 min", "2023-07-18 12:12,2023-07-18 12:15", "202307181205:1,202307181210:2"},
		"zone":            {"tag.automatic-creation=process-time,sink.process-time-zone=Asia/Shanghai", "2023-07-18 15:59,2023-07-18 16:00", "2023-07-17:1,2023-07-18:2"},
		"at most two":     {"tag.automatic-creation=process-time,tag.creation-period=hourly,tag.num-retained-max=2", "2023-07-18 12:12,2023-07-18 13:00,2023-07-18 14:00,2023-07-18 15:00", "2023-07-18 13:3,2023-07-18 14:4"},
		"time is over":    {"tag.automatic-creation=process-time,tag.creation-period=hourly,tag.default-time-retained=90 min", "2023-07-18 12:12,2023-07-18 13:00,2023-07-18 14:00", "2023-07-18 12:2,2023-07-18 13:3"},
		"never over":      {"tag.automatic-creation=process-time,tag.creation-period=hourly,tag.default-time-retained=90 min,tag.time-expire-enabled=false", "2023-07-18 12:12,2023-07-18 14:00", "2023-07-18 11:1,2023-07-18 13:2"},
		"no watermark":    {"tag.automatic-creation=watermark", "2023-07-18 12:12", ""},
		"none":            {"", "2023-07-18 12:12", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var options []string
			if c.options != "" {
				options = strings.Split(c.options, ",")
			}
			got := tagsAfter(t, store.NewMem(), strings.Split(c.times, ","), options...)
			if strings.Join(got, ",") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestBatchCommitsAreTagged(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed, "write-only=false", "tag.automatic-creation=batch", "tag.num-retained-max=1")
	tagNow := func() []string {
		names, err := tab.Snapshots().TagNames(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	load(t, tab, `{"k":1,"v":"a"}`) // no batch
	if got := tagNow(); len(got) != 0 {
		t.Error(got)
	}
	tagged(t, tab, "mine", table.TagOptions{})
	for range 2 {
		w := newWriter(t, tab, "")
		if err := write(t, w, tab, `{"k":2,"v":"b"}`); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, table.BatchIdentifier)
		if err == nil {
			err = w.Commit(ctx, table.BatchIdentifier, msgs)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := tagNow(); !slices.Equal(got, []string{"batch-write-2026-01-31", "mine"}) {
		t.Error(got)
	}
}

// The clock stands still: watermarks end the periods, and later commits keep them.
func TestWatermarksOfCommitsEndPeriodsOfTags(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed, "tag.automatic-creation=watermark", "tag.creation-period=hourly", "sink.watermark-time-zone=UTC",
		"write-only=false", "num-sorted-run.compaction-trigger=50")
	w := newWriter(t, tab, "")
	at := func(text string) int64 {
		when, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return when.UnixMilli()
	}
	commit := func(rows ...string) {
		t.Helper()
		if err := write(t, w, tab, rows...); err != nil {
			t.Fatal(err)
		}
		if err := w.CommitNext(ctx); err != nil {
			t.Fatal(err)
		}
	}
	commit(`{"k":1,"v":"a"}`)
	for _, text := range []string{"2026-01-31 12:12", "2026-01-31 12:59", "2026-01-31 11:00", "2026-01-31 14:05"} {
		w.SetWatermark(at(text))
		commit(`{"k":1,"v":"` + text[11:] + `"}`)
	}
	alter(t, st, "add c INT")
	commit(`{"k":2,"v":"b"}`) // takes the new schema up
	commit(`{"k":3,"v":"b"}`)
	names, err := tab.Snapshots().TagNames(ctx)
	if want := []string{"2026-01-31 11", "2026-01-31 13"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("tags %q, want %q: %v", names, want, err)
	}
	late := at("2026-01-31 12:30")
	if got := lines(t, tab, table.ScanOptions{Watermark: &late}); len(got) != 1 || !strings.Contains(got[0], "12:59") {
		t.Errorf("as of the watermark: %q", got)
	}
	newest, err := tab.Snapshots().Latest(ctx)
	if err != nil || newest.Watermark == nil || *newest.Watermark != at("2026-01-31 14:05") {
		t.Errorf("newest is %+v: %v", newest, err)
	}
}

// Another goroutine knows how far the input is. The race detector watches.
func TestAWatermarkComesWhileTheWriterTakesUpASchema(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	w := newWriter(t, tab, "")
	set := make(chan int64)
	go func() {
		defer close(set)
		for millis := range int64(2000) {
			w.SetWatermark(millis)
			if millis%100 == 0 {
				set <- millis
			}
		}
	}()
	for millis := range set {
		alter(t, st, fmt.Sprintf("add c%d INT", millis))
		if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
			t.Fatal(err)
		}
		if err := w.CommitNext(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(t, w, tab, `{"k":1,"v":"z"}`); err != nil {
		t.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	newest, err := tab.Snapshots().Latest(ctx)
	if err != nil || newest.Watermark == nil || *newest.Watermark != 1999 {
		t.Errorf("newest is %+v: %v", newest, err)
	}
}

// A tag that was for good when a committer looked may be another one by now.
func TestACommitterDeletesATagThatWasReplacedByOneWithATime(t *testing.T) {
	st, err := store.NewLocal(t.TempDir()) // which keeps times
	if err != nil {
		t.Fatal(err)
	}
	create(t, st, compacting)
	w, _ := world(t)
	clock := stopped(&w, noon)
	tab := reopenIn(t, st, w)
	writer := newWriter(t, tab, "svc")
	commit(t, writer, tab, `{"k":1,"v":"a"}`)
	tagged(t, tab, "backup", table.TagOptions{})
	clock.pass(2 * time.Minute)
	commit(t, writer, tab, `{"k":1,"v":"b"}`)
	if _, err := tab.ReplaceTag(ctx, "backup", table.TagOptions{Retained: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		clock.pass(50 * time.Minute)
		commit(t, writer, tab, `{"k":1,"v":"c"}`)
		if tags, err := tab.Tags(ctx); err != nil || len(tags) != want {
			t.Errorf("%d tags, want %d: %v", len(tags), want, err)
		}
	}
}

func TestPeriodsOfTagsThatCannotBe(t *testing.T) {
	for option, word := range map[string]string{"tag.creation-delay=24 h": "shorter", "sink.process-time-zone=Mars/Base": "Mars/Base"} {
		tab := create(t, store.NewMem(), keyed, "tag.automatic-creation=process-time")
		key, value, _ := strings.Cut(option, "=")
		_, err := tab.Alter(ctx, schema.SetOption{Key: key, Value: value})
		failsWith(t, err, table.ErrInvalid, word)
	}
}
