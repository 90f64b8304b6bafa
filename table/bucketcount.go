package table

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// countedBuckets notices partitions whose files are of another number of
// buckets than a writer has, because the option was altered since. A key would
// get two buckets there, and two rows.
type countedBuckets struct {
	want   int             // the writer's number, 0 for any
	others map[string]bool // partitions that have or had files of another one
}

func (c *countedBuckets) saw(e *manifest.Entry) {
	if c.want <= 0 || e.TotalBuckets <= 0 || e.TotalBuckets == c.want {
		return
	}
	if c.others == nil {
		c.others = make(map[string]bool)
	}
	c.others[string(e.Partition)] = true
}

// sameCount refuses a partition whose files, as of the snapshot seen last, are
// of another number of buckets.
func (s *sequences) sameCount(ctx context.Context, partition string) error {
	if !s.counted.others[partition] {
		return nil
	}
	at, err := s.snapshotSeen(ctx)
	if err != nil || at == nil {
		return err
	}
	live, err := s.table.liveFiles(ctx, at, &manifest.Filter{Partition: func(p []byte) bool { return string(p) == partition }})
	if err != nil {
		return err
	}
	for i := range live {
		if have := live[i].TotalBuckets; have > 0 && have != s.counted.want {
			return s.table.otherCount(partition, have, s.counted.want)
		}
	}
	delete(s.counted.others, partition) // overwritten since
	return nil
}

func (t *Table) otherCount(partition string, have, want int) error {
	where := "the table"
	if len(t.schema.PartitionKeys) > 0 {
		text, err := t.partitionText([]byte(partition))
		if err != nil {
			return err
		}
		where = "partition " + strings.Join(text, "/")
	}
	return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("the rows of %s are in %d buckets, and option bucket is %d now", where, have, want),
		Hint: fmt.Sprintf("set bucket to %d again, or overwrite %s with all its rows", have, where)}
}
