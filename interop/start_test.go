//go:build interop

package interop

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// Options of a table that say which snapshot is read mean to both sides the same.
func TestOptionsOfATableChooseJavasSnapshot(t *testing.T) {
	each(t, run.java, 3, func(w *world) {
		w.draw(func(r *randomTable) bool { return !r.hides() })
		w.create(w.half())
		for range 3 {
			w.write(w.half(), w.rand.batch(nil))
			w.compact(w.half(), w.half())
		}
		w.javaRuns("tag", "create", "--name", "t", "--snapshot", "1")
		at, err := w.open().Snapshots().Latest(context.Background())
		w.must(err)
		millis := strconv.FormatInt(at.TimeMillis, 10)
		for _, options := range []string{
			"scan.snapshot-id=1", "scan.tag-name=t", "scan.mode=compacted-full", "scan.mode=latest",
			"scan.mode=from-snapshot-full,scan.snapshot-id=" + strconv.FormatInt(max(1, at.ID-1), 10),
			"scan.timestamp-millis=" + millis, "scan.timestamp=" + time.UnixMilli(at.TimeMillis).UTC().Format("2006-01-02 15:04:05.000"),
			"scan.file-creation-time-millis=" + millis, "scan.creation-time-millis=" + millis,
		} {
			w.set(w.half(), strings.Split(options, ",")...)
			w.agree(options, table.ScanOptions{})
			for _, o := range strings.Split(options, ",") {
				key, _, _ := strings.Cut(o, "=")
				_, err := w.open().Alter(context.Background(), schema.RemoveOption{Key: key})
				w.must(err)
			}
		}
	})
}
