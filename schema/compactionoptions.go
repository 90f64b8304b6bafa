package schema

import (
	"math"
	"strconv"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
)

// CompactionOptions steer which files of a bucket are merged, when, and what
// else happens to rows then. Sizes are bytes. Spec: lsm, 7.2 and 7.8.
type CompactionOptions struct {
	Trigger           int           // sorted runs that trigger a compaction
	StopTrigger       int           // sorted runs beyond which a writer waits for one
	SizeAmplification int           // percent
	SizeRatio         int           // percent
	FullInterval      time.Duration // 0 when unset
	TotalSize         *int64        // nil when unset
	IncrementalSize   *int64        // nil when unset
	OffPeakStart      int           // hour, -1 when unset
	OffPeakEnd        int           // hour, -1 when unset
	OffPeakRatio      int           // percent
	ForceLevel0       bool
	ForceRewrite      bool
	FullDeltaCommits  int  // full compaction every so many commit identifiers, 0 for never
	WaitAtCommit      bool // commit.force-compact

	Lookup            bool // force-lookup
	LookupGentle      bool // level 0 is forced up only every LookupMaxInterval-th time
	LookupMaxInterval int
	LookupWait        bool // a commit waits for the lookup compaction it causes

	MinFiles    int     // append tables: files that make a compaction
	FileLimit   int     // append tables: files that one plan looks at
	DeleteRatio float64 // append tables: share of deleted rows that rewrites a file

	ExpireTime  time.Duration // record-level.expire-time, 0 when unset
	ExpireField string        // record-level.time-field
}

func (o *Options) parseCompaction(r *optionReader) {
	c := &o.Compaction
	c.Trigger = r.int("num-sorted-run.compaction-trigger", 1)
	c.StopTrigger = max(c.Trigger, r.intOr("num-sorted-run.stop-trigger", addSafely(c.Trigger, 3)))
	c.SizeAmplification = r.int("compaction.max-size-amplification-percent", 0)
	c.SizeRatio = r.int("compaction.size-ratio", 0)
	c.FullInterval = r.duration("compaction.optimization-interval")
	c.TotalSize = r.optionalSize("compaction.total-size-threshold")
	c.IncrementalSize = r.optionalSize("compaction.incremental-size-threshold")
	c.OffPeakStart = r.int("compaction.offpeak.start.hour", -1)
	c.OffPeakEnd = r.int("compaction.offpeak.end.hour", -1)
	c.OffPeakRatio = r.int("compaction.offpeak-ratio", 0)
	c.ForceLevel0 = r.bool("compaction.force-up-level-0")
	c.ForceRewrite = r.bool("compaction.force-rewrite-all-files")
	c.FullDeltaCommits = r.intOr("full-compaction.delta-commits", 0)
	c.WaitAtCommit = r.bool("commit.force-compact")
	c.Lookup = r.bool("force-lookup")
	c.LookupGentle = r.enum("lookup-compact") == "gentle"
	c.LookupMaxInterval = max(c.Trigger, r.intOr("lookup-compact.max-interval", addSafely(c.Trigger, c.Trigger)))
	c.LookupWait = r.bool("lookup-wait")
	c.MinFiles = r.int("compaction.min.file-num", 1)
	c.FileLimit = r.int("compaction.file-num-limit", 1)
	c.DeleteRatio, _ = take(r, "compaction.delete-ratio-threshold", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	r.bool("bucket-append-ordered")
	c.ExpireTime = r.duration("record-level.expire-time")
	c.ExpireField = r.text("record-level.time-field")
}

// NeedsLookup tells that compactions look up older versions of rows in the
// levels that they leave alone. Such tables always lift level 0.
func (o *Options) NeedsLookup() bool {
	return o.MergeEngine == "first-row" || o.ChangelogProducer == "lookup" || o.DeletionVectors || o.Compaction.Lookup
}

// SmallFileSize is the size below which a file of a table with or without a
// primary key takes part in compactions although nothing overlaps it: 70
// percent of the target, because files come out somewhat smaller than that.
func (o *Options) SmallFileSize(primaryKey bool) int64 {
	return o.TargetFileSizeFor(primaryKey) / 10 * 7
}

// checkExpiry refuses an expiry of records that has no time to go by.
func (o *Options) checkExpiry(t *Table) error {
	if o.Compaction.ExpireTime == 0 || len(t.PrimaryKeys) == 0 {
		return nil
	}
	if _, ok := t.Field(o.Compaction.ExpireField); !ok {
		return fault.Invalid("option record-level.expire-time is set without record-level.time-field: name the column that holds the time of a row")
	}
	return nil
}

// intOr is a whole number not below zero, or otherwise where the option is not set.
func (r *optionReader) intOr(key string, otherwise int) int {
	if _, given := r.lookup(key); !given {
		return otherwise
	}
	return r.int(key, 0)
}

func (r *optionReader) optionalSize(key string) *int64 {
	if _, given := r.lookup(key); !given {
		return nil
	}
	n := r.size(key, 0)
	return &n
}

func addSafely(a, b int) int { return min(a+b, math.MaxInt32) }
