package table_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// peakAllocator knows the most bytes that were held at once.
type peakAllocator struct {
	memory.Allocator
	now, peak atomic.Int64
}

func (a *peakAllocator) add(n int) {
	now := a.now.Add(int64(n))
	for p := a.peak.Load(); now > p && !a.peak.CompareAndSwap(p, now); p = a.peak.Load() {
	}
}

func (a *peakAllocator) Allocate(size int) []byte { a.add(size); return a.Allocator.Allocate(size) }
func (a *peakAllocator) Free(b []byte)            { a.add(-len(b)); a.Allocator.Free(b) }
func (a *peakAllocator) Reallocate(size int, b []byte) []byte {
	a.add(size - len(b))
	return a.Allocator.Reallocate(size, b)
}

// wideBatch is about 1 MB of rows whose keys fall everywhere.
func wideBatch(mem memory.Allocator, random *rand.Rand) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.PrimitiveTypes.Int64}, {Name: "v", Type: arrow.BinaryTypes.String}}, nil))
	defer b.Release()
	text := make([]byte, 100)
	for range 9000 {
		for i := range text {
			text[i] = 'a' + byte(random.Uint32()%26)
		}
		b.Field(0).(*array.Int64Builder).Append(random.Int64N(1 << 40))
		b.Field(1).(*array.StringBuilder).BinaryBuilder.Append(text)
	}
	return b.NewRecordBatch()
}

// Whatever is written, a writer holds its write buffer, what one flush makes
// of it and the batch at hand.
func TestMemoryOfAWriterIsBoundedByItsBuffer(t *testing.T) {
	for _, c := range []struct {
		key     string
		buckets string
		batches int
	}{
		{"primary-key: [k]", "1", 64 / slow}, {"primary-key: [k]", "500", 8 / slow}, {"", "-1", 40 / slow}, {"", "12", 40 / slow},
	} {
		t.Run(c.key+c.buckets, func(t *testing.T) {
			st := store.NewMem()
			yaml := "columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}]\n" + c.key + "\noptions: {write-buffer-size: 4 mb, write-only: true}"
			options := []string{"bucket=" + c.buckets}
			if c.buckets == "12" {
				options = append(options, "bucket-key=k")
			}
			if err := table.Create(ctx, st, define(t, yaml, options...)); err != nil {
				t.Fatal(err)
			}
			parts, checked := world(t)
			peak := &peakAllocator{Allocator: checked}
			parts.Alloc = peak
			tab := reopenIn(t, st, parts)
			w := newWriter(t, tab, "")
			random := rand.New(rand.NewPCG(1, 2))
			for range c.batches {
				rec := wideBatch(peak, random)
				if err := w.Write(ctx, rec); err != nil {
					t.Fatal(err)
				}
				rec.Release()
			}
			if err := w.CommitNext(ctx); err != nil {
				t.Fatal(err)
			}
			t.Logf("peak %.1f MB", float64(peak.peak.Load())/(1<<20))
			// 4 MB of rows, as much of sorted rows and packed pages, and the batches at hand.
			if limit := int64(16 << 20); peak.peak.Load() > limit {
				t.Errorf("%d bytes at once, more than %d", peak.peak.Load(), limit)
			}
			s, err := tab.Scan(ctx, table.ScanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.Count(ctx); err != nil || n < int64(c.batches)*9000*99/100 {
				t.Errorf("%d rows, %v", n, err)
			}
		})
	}
}

// Files that append buckets keep open between flushes count as memory too.
func TestOpenAppendFilesGrowOverFlushes(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, "columns: [{name: k, type: BIGINT}, {name: v, type: STRING}]\noptions: {bucket: -1, write-buffer-size: 1 kb}")
	w := newWriter(t, tab, "")
	for i := range 50 {
		if err := write(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"a text that is longer than twenty bytes"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	if n := len(dataFiles(t, st)); n != 1 {
		t.Errorf("%d files of one small write", n)
	}
	if got := lines(t, tab, table.ScanOptions{}); len(got) != 50 {
		t.Errorf("%d rows", len(got))
	}
	sound(t, tab)
}
