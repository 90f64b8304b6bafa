package schema

import (
	"cmp"
	"time"
)

// Retention says which snapshots, or changelogs, are kept: the newest Min in any
// case, those younger than Time, but never more than Max.
type Retention struct {
	Min, Max int
	Time     time.Duration
}

// ExpiryOptions say what expiry keeps, and how it goes about it.
type ExpiryOptions struct {
	Snapshots  Retention
	Changelogs Retention // as it is set, 0 where it is not: see ChangelogRetention
	Limit      int       // snapshots that expire at a time, and changelogs
	Threads    int       // files deleted at once, 0 when unset
	// CleanEmptyDirectories takes away the directories of buckets and partitions
	// whose last file went.
	CleanEmptyDirectories bool
	// ConsumerChangelogOnly lets snapshots that a consumer has still to read go,
	// if their changelogs stay behind.
	ConsumerChangelogOnly bool
}

// ChangelogRetention is which changelogs are kept: as snapshots, where nothing
// else is said. It counts where they are Decoupled.
func (e *ExpiryOptions) ChangelogRetention() Retention {
	c, s := &e.Changelogs, &e.Snapshots
	return Retention{Min: cmp.Or(c.Min, s.Min), Max: cmp.Or(c.Max, s.Max), Time: cmp.Or(c.Time, s.Time)}
}

// Decoupled tells that changelogs are kept after their snapshots have gone.
func (e *ExpiryOptions) Decoupled() bool {
	c, s := e.ChangelogRetention(), &e.Snapshots
	return c.Max > s.Max || c.Min > s.Min || c.Time > s.Time
}

func (o *Options) parseExpiry(r *optionReader) {
	e := &o.Expiry
	e.Snapshots = Retention{
		Min: r.int("snapshot.num-retained.min", 1), Max: r.int("snapshot.num-retained.max", 1), Time: r.duration("snapshot.time-retained"),
	}
	if _, given := r.lookup("changelog.num-retained.min"); given {
		e.Changelogs.Min = r.int("changelog.num-retained.min", 1)
	}
	if _, given := r.lookup("changelog.num-retained.max"); given {
		e.Changelogs.Max = r.int("changelog.num-retained.max", 1)
	}
	if _, given := r.lookup("changelog.time-retained"); given {
		e.Changelogs.Time = r.duration("changelog.time-retained")
	}
	e.Limit = r.int("snapshot.expire.limit", 1)
	if _, given := r.lookup("file-operation.thread-num"); given {
		e.Threads = r.int("file-operation.thread-num", 1)
	}
	r.enum("snapshot.expire.execution-mode")
	e.CleanEmptyDirectories = r.bool("snapshot.clean-empty-directories")
	e.ConsumerChangelogOnly = r.bool("consumer.changelog-only")
}
