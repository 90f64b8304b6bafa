package main

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// What expiry costs: requests, time and memory for a thousand snapshots of a
// table of ten thousand files, and for twice as much.

const expiringTable = `
columns: [{name: p, type: INT NOT NULL}, {name: k, type: BIGINT NOT NULL}]
primary-key: [p, k]
partition-by: [p]
options: {bucket: 100, write-only: true, snapshot.num-retained.max: 100000}
`

// churn is a table each of whose buckets has one file, which commits replace by
// others. Nobody reads the files, so a few bytes stand for each.
type churn struct {
	b       *testing.B
	st      *store.Counter
	tab     *table.Table
	commit  *table.Committer
	buckets []table.CommitMessage // NewFiles is the file that a bucket has in the newest snapshot
	dirs    []string              // of the buckets
	made    int
}

func newChurn(b *testing.B, partitions int) *churn {
	b.Helper()
	ctx := context.Background()
	local, err := store.NewLocal(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	c := &churn{b: b, st: store.Counting(local)}
	def, err := schema.ParseDefinition([]byte(expiringTable))
	if err != nil {
		b.Fatal(err)
	}
	sc, err := def.Table(1)
	if err == nil {
		err = table.Create(ctx, c.st, sc)
	}
	if err == nil {
		c.tab, err = table.Open(ctx, c.st, "bench.t", table.Settings{}, table.Components{})
	}
	if err == nil {
		c.commit, err = c.tab.NewCommitter(ctx, "")
	}
	if err != nil {
		b.Fatal(err)
	}
	c.fill(partitions)
	c.commits(1, c.buckets)
	return c
}

// fill makes a file for each bucket of each partition, like one that was really written.
func (c *churn) fill(partitions int) {
	c.b.Helper()
	ctx := context.Background()
	w, err := c.tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		c.b.Fatal(err)
	}
	defer w.Close()
	for p := range partitions {
		if err := w.Put(ctx, table.Row{"p": p, "k": p}); err != nil {
			c.b.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, 1)
		if err == nil {
			err = c.tab.Abort(ctx, msgs)
		}
		if err != nil || len(msgs) != 1 {
			c.b.Fatal(len(msgs), err)
		}
		m := msgs[0]
		for m.Bucket = range m.TotalBuckets {
			c.dirs = append(c.dirs, fmt.Sprintf("p=%d/bucket-%d", p, m.Bucket))
			m.NewFiles = []manifest.DataFile{c.file(len(c.dirs)-1, msgs[0].NewFiles[0])}
			c.buckets = append(c.buckets, m)
		}
	}
}

// file makes another file like one of a bucket.
func (c *churn) file(bucket int, like manifest.DataFile) manifest.DataFile {
	c.b.Helper()
	c.made++
	like.Name, like.Level = fmt.Sprintf("data-00000000-0000-4000-8000-%012d-0.parquet", c.made), 4
	if err := c.st.Write(context.Background(), c.dirs[bucket]+"/"+like.Name, []byte("rows")); err != nil {
		c.b.Fatal(err)
	}
	return like
}

func (c *churn) commits(id int64, msgs []table.CommitMessage) {
	c.b.Helper()
	if err := c.commit.Commit(context.Background(), id, msgs); err != nil {
		c.b.Fatal(err)
	}
}

// run makes snapshots that replace the files of some buckets each.
func (c *churn) run(snapshots, each int) {
	c.b.Helper()
	at := 0
	for s := range snapshots {
		msgs := make([]table.CommitMessage, each)
		for i := range msgs {
			bucket := at % len(c.buckets)
			at += 997 // visits all: it has no factor in common with their number
			m := &c.buckets[bucket]
			after := c.file(bucket, m.NewFiles[0])
			msgs[i] = table.CommitMessage{Partition: m.Partition, Bucket: m.Bucket, TotalBuckets: m.TotalBuckets, CompactBefore: m.NewFiles, CompactAfter: []manifest.DataFile{after}}
			m.NewFiles = []manifest.DataFile{after}
		}
		c.commits(int64(s+2), msgs)
	}
}

// heapPeak watches how much memory lives while a function runs.
func heapPeak(f func()) (bytes uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	<-done
	return peak.Load() - min(before, peak.Load())
}

// BenchmarkExpire takes all snapshots of a table away but the last. Run it with
// -benchtime 1x: making the table takes longer than that.
func BenchmarkExpire(b *testing.B) {
	for _, size := range []struct{ partitions, snapshots int }{{100, 1000}, {200, 2000}} {
		b.Run(fmt.Sprintf("files=%d/snapshots=%d", size.partitions*100, size.snapshots), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				c := newChurn(b, size.partitions)
				c.run(size.snapshots, 10)
				c.buckets, c.dirs = nil, nil // what the benchmark itself remembers is none of expiry
				before := c.st.Counts()
				b.StartTimer()
				var r table.ExpireReport
				var err error
				peak := heapPeak(func() {
					r, err = c.tab.Expire(context.Background(), table.ExpireOptions{RetainMin: 1, RetainMax: 1})
				})
				b.StopTimer()
				if err != nil || r.Snapshots != size.snapshots {
					b.Fatalf("%+v %v", r, err)
				}
				n := c.st.Counts().Sub(before)
				b.ReportMetric(float64(n.Requests()-n.Deletes)/float64(r.Snapshots), "requests/snapshot")
				b.ReportMetric(float64(n.Deletes)/float64(r.Snapshots), "deletes/snapshot")
				b.ReportMetric(float64(n.BytesRead)/float64(r.Snapshots), "bytes-read/snapshot")
				b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MiB")
				b.Logf("%+v %+v", r, n)
			}
		})
	}
}
