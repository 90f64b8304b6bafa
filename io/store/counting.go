package store

import (
	"context"
	"iter"
	"sync/atomic"
)

// Counts are the requests and bytes that went through a Counter. A request is
// one call that reaches the store: a range read, a whole object written, one
// listing (however many pages it takes).
type Counts struct {
	Reads        int64 // ReadAll and ReadRange
	Writes       int64 // Write and Writers closed
	Creates      int64 // CreateIfAbsent, won or lost
	Lists        int64 // List, and Stat of a directory
	Deletes      int64 // Delete and DeleteDir
	Stats        int64 // Stat of a file, and Open of one of unknown size
	BytesRead    int64
	BytesWritten int64
}

// Requests is the number of all requests.
func (c Counts) Requests() int64 {
	return c.Reads + c.Writes + c.Creates + c.Lists + c.Deletes + c.Stats
}

// Sub is what was counted since an earlier reading.
func (c Counts) Sub(earlier Counts) Counts {
	return Counts{
		Reads: c.Reads - earlier.Reads, Writes: c.Writes - earlier.Writes, Creates: c.Creates - earlier.Creates,
		Lists: c.Lists - earlier.Lists, Deletes: c.Deletes - earlier.Deletes, Stats: c.Stats - earlier.Stats,
		BytesRead: c.BytesRead - earlier.BytesRead, BytesWritten: c.BytesWritten - earlier.BytesWritten,
	}
}

// Counter is a Store that counts what passes through it to another one.
// It may be used from many goroutines, as the store below.
type Counter struct {
	Store
	reads, writes, creates, lists, deletes, stats, bytesRead, bytesWritten atomic.Int64
}

// Counting wraps s.
func Counting(s Store) *Counter { return &Counter{Store: s} }

// Counts reads the counters; those of calls under way may be partly in.
func (c *Counter) Counts() Counts {
	return Counts{
		Reads: c.reads.Load(), Writes: c.writes.Load(), Creates: c.creates.Load(), Lists: c.lists.Load(),
		Deletes: c.deletes.Load(), Stats: c.stats.Load(),
		BytesRead: c.bytesRead.Load(), BytesWritten: c.bytesWritten.Load(),
	}
}

// ReadAll counts one read.
func (c *Counter) ReadAll(ctx context.Context, key string) ([]byte, error) {
	c.reads.Add(1)
	data, err := c.Store.ReadAll(ctx, key)
	c.bytesRead.Add(int64(len(data)))
	return data, err
}

// Open counts a stat when the size has to be asked for, and then each range.
func (c *Counter) Open(ctx context.Context, key string, size int64) (Object, error) {
	if size < 0 {
		c.stats.Add(1)
	}
	o, err := c.Store.Open(ctx, key, size)
	if err != nil {
		return nil, err
	}
	return &countedObject{o, c}, nil
}

type countedObject struct {
	Object
	c *Counter
}

func (o *countedObject) ReadRange(ctx context.Context, p []byte, off int64) (int, error) {
	o.c.reads.Add(1)
	n, err := o.Object.ReadRange(ctx, p, off)
	o.c.bytesRead.Add(int64(n))
	return n, err
}

// Create counts a write when the Writer is closed, and its bytes as they come.
func (c *Counter) Create(ctx context.Context, key string) (Writer, error) {
	w, err := c.Store.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	return &countedWriter{Writer: w, c: c}, nil
}

type countedWriter struct {
	Writer
	c    *Counter
	done bool
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.c.bytesWritten.Add(int64(n))
	return n, err
}

func (w *countedWriter) Close() error {
	if !w.done {
		w.done = true
		w.c.writes.Add(1)
	}
	return w.Writer.Close()
}

func (w *countedWriter) Abort() {
	w.done = true
	w.Writer.Abort()
}

// Write counts one write.
func (c *Counter) Write(ctx context.Context, key string, data []byte) error {
	c.writes.Add(1)
	c.bytesWritten.Add(int64(len(data)))
	return c.Store.Write(ctx, key, data)
}

// CreateIfAbsent counts one create.
func (c *Counter) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	c.creates.Add(1)
	c.bytesWritten.Add(int64(len(data)))
	return c.Store.CreateIfAbsent(ctx, key, data)
}

// Stat counts a stat, or a list when it asks for a directory.
func (c *Counter) Stat(ctx context.Context, key string) (Info, error) {
	if _, dir := cutDirKey(key); dir {
		c.lists.Add(1)
	} else {
		c.stats.Add(1)
	}
	return c.Store.Stat(ctx, key)
}

// List counts one list when it is ranged over.
func (c *Counter) List(ctx context.Context, dir string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		c.lists.Add(1)
		c.Store.List(ctx, dir)(yield)
	}
}

// Delete counts one delete.
func (c *Counter) Delete(ctx context.Context, key string) error {
	c.deletes.Add(1)
	return c.Store.Delete(ctx, key)
}

// DeleteDir counts one delete.
func (c *Counter) DeleteDir(ctx context.Context, dir string) error {
	c.deletes.Add(1)
	return c.Store.DeleteDir(ctx, dir)
}
