package main

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/table"
)

// compact loads a table write-only and times one full compaction of it, like
// the Java program.
func compact(ctx context.Context, args []string) error {
	return loading(ctx, "compact", args, compactOnce)
}

func compactOnce(ctx context.Context, f ingestFlags) error {
	f.options += ",write-only=true"
	return f.onFresh(ctx, func(_ *catalog.Catalog, t *table.Table, sc *arrow.Schema) error {
		if _, err := load(ctx, t, f.generator(), sc, f); err != nil {
			return err
		}
		return f.compacted(ctx, t)
	})
}

func (f ingestFlags) compacted(ctx context.Context, t *table.Table) error {
	before, err := storedSize(ctx, t)
	if err != nil {
		return err
	}
	start, cpu := time.Now(), cpuTime()
	if _, err := t.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		return err
	}
	seconds, used := time.Since(start).Seconds(), (cpuTime() - cpu).Seconds()
	after, err := storedSize(ctx, t)
	if err != nil {
		return err
	}
	return say(append(base("bench-compact"), kv{"rows_written", f.rows}, kv{"bucket", f.bucket},
		kv{"files_in", before.files}, kv{"rows_in", before.rows}, kv{"bytes_in", before.bytes},
		kv{"files_out", after.files}, kv{"rows_out", after.rows}, kv{"bytes_out", after.bytes},
		kv{"seconds", r3(seconds)}, kv{"cpu_seconds", r3(used)}, kv{"peak_rss_mib", peakRSS()}))
}
