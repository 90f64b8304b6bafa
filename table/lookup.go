package table

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// LookupOptions says what a Lookup answers with. The zero value is all columns
// of the newest snapshot, and caches as large as the table's options say.
type LookupOptions struct {
	// Columns are the columns to return, in this order; nil returns all.
	Columns []string
	// Snapshot answers from this snapshot, for good; 0 is the newest.
	Snapshot int64
	// AsOf answers from the newest snapshot committed at or before this time, for good.
	AsOf time.Time
	// Tag answers from the snapshot that this tag holds, for good.
	Tag string
	// Watermark answers from the oldest snapshot whose watermark, epoch
	// milliseconds, has come to this, for good.
	Watermark *int64
	// MaxAge is how old what is known of the newest snapshot may be: whoever
	// asks later looks for a newer one first. 0 looks only when Refresh is called.
	MaxAge time.Duration
	// Dir is where the local cache keeps its files. Default: Settings.TempDir.
	Dir string
	// MemoryBytes and DiskBytes bound the local cache. Default: the table
	// options lookup.cache-max-memory-size and lookup.cache-max-disk-size.
	MemoryBytes, DiskBytes int64
}

// Lookup answers which row a key has. It holds what it has read of the table
// in a local cache:
//
//	keys ─► partition, bucket ─► level 0, newest first, then level 1 …
//	                               │ bounds and filters leave few files
//	                               ▼
//	            memory: blocks of rows ◄── local files ◄── data files
//
// A key that is asked for first costs at most one read of key pages for every
// sorted run whose bounds and filters admit it, and one read for every row
// group that holds a version of it. A data file that was read from so often
// that reading it once would have been cheaper is copied, in the background,
// to a local file of small blocks.
//
// Its methods may be called concurrently. It answers from one snapshot at a
// time; Refresh and MaxAge move it to the newest. Close it in the end.
type Lookup struct {
	table    *Table
	options  LookupOptions
	scan     *Scan // the read schema, the columns of the result, what is visible
	space    *keySpace
	primary  []schema.Field // the key as callers give it
	stored   []schema.Field // columns that blocks hold, beside the system columns
	rows     *arrow.Schema  // of blocks
	keyAt    []int          // of the key within a bucket, in the primary key
	at       []int          // of each column of the result in blocks, -1 for partition columns
	routes   *router        // nil when keys do not say the partition
	plain    bool           // the newest version of a key is its row
	cache    *lookupCache
	local    *localFiles
	external externalFiles

	answers sync.Pool // of *answer, for later calls

	refreshing sync.Mutex
	mu         sync.Mutex
	idle       sync.Cond // signalled when a call ends
	calls      int
	closed     bool
	state      *lookupState
	known      time.Time // when the state was known to be the newest
	files      map[string]*lookupFile
}

// scan is the scan that resolves the snapshot and the columns.
func (o *LookupOptions) scan() ScanOptions {
	return ScanOptions{Columns: o.Columns, Snapshot: o.Snapshot, AsOf: o.AsOf, Tag: o.Tag, Watermark: o.Watermark}
}

// NewLookup resolves the snapshot. Errors: ErrNotFound (no such snapshot),
// ErrInvalid (columns, a table without a primary key).
func (t *Table) NewLookup(ctx context.Context, o LookupOptions) (*Lookup, error) {
	l, err := t.newLookup(ctx, o)
	return l, t.wrap("lookup", err)
}

func (t *Table) newLookup(ctx context.Context, o LookupOptions) (*Lookup, error) {
	if len(t.schema.PrimaryKeys) == 0 {
		return nil, &fault.Error{Class: fault.ErrInvalid, Detail: "the table has no primary key to look up", Hint: "read it with a filter"}
	}
	scan, err := t.scanAlone(ctx, o.scan())
	if err != nil {
		return nil, err
	}
	if scan.schema.ID != t.schema.ID { // of an earlier snapshot: its columns, options and engine
		if t, err = t.withSchema(scan.schema); err != nil {
			return nil, err
		}
	}
	l, err := t.lookupOf(scan, o)
	if err != nil {
		return nil, err
	}
	if err := l.open(ctx, scan.snapshot); err != nil {
		return nil, l.abandon(err)
	}
	return l, nil
}

// lookupOf answers with the columns of a scan, from the rows that it sees. Open
// a snapshot before anything is asked.
func (t *Table) lookupOf(scan *Scan, o LookupOptions) (*Lookup, error) {
	sc, err := scan.schema, error(nil)
	l := &Lookup{table: t, scan: scan, options: o, external: externalFiles{table: t}, files: make(map[string]*lookupFile)}
	l.idle.L = &l.mu
	if l.space, err = newKeySpace(sc); err != nil {
		return nil, err
	}
	if l.primary, err = sc.FieldsByName(sc.PrimaryKeys); err != nil {
		return nil, err
	}
	if err := l.chooseColumns(sc); err != nil {
		return nil, err
	}
	opts := t.options.Lookup
	if l.options.MemoryBytes <= 0 {
		l.options.MemoryBytes = opts.MemoryBytes
	}
	if l.options.DiskBytes <= 0 {
		l.options.DiskBytes = opts.DiskBytes
	}
	l.cache = newLookupCache(l.options.MemoryBytes)
	l.local = newLocalFiles(l)
	return l, nil
}

func (l *Lookup) abandon(err error) error {
	_ = l.Close()
	return err
}

// chooseColumns finds what blocks hold: the result, the key, and what the
// merge engine looks at.
func (l *Lookup) chooseColumns(sc *schema.Table) error {
	t := l.table
	output := names(l.scan.fields)
	if f, ok := t.engine.(mergeengine.Folder); ok {
		output = f.Sources(output)
	}
	needed := map[string]bool{}
	for _, name := range slices.Concat(output, names(l.space.fields), t.options.SequenceFields) {
		needed[name] = true
	}
	parts, merged := nameSet(sc.PartitionFields()), looksAt(t.engine)
	for _, f := range sc.Fields {
		if needed[f.Name] && (!parts[f.Name] || merged[f.Name]) {
			l.stored = append(l.stored, f)
		}
	}
	dedup, ok := t.engine.(mergeengine.Deduplicate)
	l.plain = l.scan.firstRow && l.scan.compacted || ok && !dedup.IgnoreDelete && len(t.options.SequenceFields) == 0
	var err error
	if l.rows, err = schema.ArrowSchema(append(slices.Clone(systemFields), l.stored...)); err != nil {
		return err
	}
	for _, f := range l.scan.fields {
		at := l.column(f.Name)
		if parts[f.Name] {
			at = -1
		}
		l.at = append(l.at, at)
	}
	for _, f := range l.space.fields {
		l.keyAt = append(l.keyAt, l.inPrimary(f.Name))
	}
	l.routes, err = l.newRouter()
	return err
}

// Schema is the Arrow schema of the rows.
func (l *Lookup) Schema() *arrow.Schema { return l.scan.arrow }

// Fields are the columns of the rows.
func (l *Lookup) Fields() []schema.Field { return l.scan.fields }

// KeyFields are the columns of a key: the primary key of the table.
func (l *Lookup) KeyFields() []schema.Field { return l.primary }

// Snapshot is the snapshot that answers now, nil for a table without one.
func (l *Lookup) Snapshot() *snapshot.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == nil {
		return nil
	}
	return l.state.snapshot
}

// begin starts a call: it gives the state to answer from, which end gives back.
func (l *Lookup) begin(ctx context.Context) (*lookupState, error) {
	if err := l.refreshIfOld(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, &fault.Error{Class: fault.ErrClosed, Op: "lookup", Table: l.table.name}
	}
	l.calls++
	l.state.users++
	return l.state, nil
}

func (l *Lookup) end(s *lookupState) {
	l.mu.Lock()
	l.calls--
	gone := l.leave(s)
	if l.calls == 0 {
		l.idle.Broadcast()
	}
	l.mu.Unlock()
	l.forget(gone)
}

func (l *Lookup) refreshIfOld(ctx context.Context) error {
	if l.options.MaxAge <= 0 {
		return nil
	}
	l.mu.Lock()
	old := l.table.world.Clock().Sub(l.known) >= l.options.MaxAge
	l.mu.Unlock()
	if !old {
		return nil
	}
	return l.Refresh(ctx)
}

// Refresh moves to the newest snapshot, at the cost of what was committed
// since. It does nothing for a Lookup of a given snapshot, time, tag or watermark.
func (l *Lookup) Refresh(ctx context.Context) error {
	l.refreshing.Lock()
	defer l.refreshing.Unlock()
	if at := l.options.scan(); at.travels() > 0 { // it stays there
		return nil
	}
	now := l.table.world.Clock()
	newest, err := l.table.newest(ctx)
	if err == nil && newest != nil {
		err = l.table.checkAltered(ctx, newest.SchemaID)
	}
	if err != nil {
		return l.table.wrap("lookup", err)
	}
	if have := l.Snapshot(); newest == nil || have != nil && have.Same(newest) {
		l.mu.Lock()
		l.known = now
		l.mu.Unlock()
		return nil
	}
	return l.table.wrap("lookup", l.open(ctx, newest))
}

// Close waits for calls that are under way, gives up the cache and deletes its
// files. It may be called more than once.
func (l *Lookup) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	for l.calls > 0 {
		l.idle.Wait()
	}
	l.mu.Unlock()
	if !first {
		return nil
	}
	l.local.close()
	l.cache.close()
	return l.external.close()
}

// Warm copies every data file of the snapshot to the local cache, as far as it
// has room, so that later calls read nothing but new files.
func (l *Lookup) Warm(ctx context.Context) error {
	s, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer l.end(s)
	for _, b := range s.buckets {
		for _, f := range b.files {
			if err := l.local.copy(ctx, f); err != nil {
				return l.table.wrap("lookup", err)
			}
		}
	}
	return nil
}

// wrongKey is a key that callers gave wrongly.
func (l *Lookup) wrongKey(format string, args ...any) error {
	return fault.Invalid("key of table " + l.table.name + ": " + fmt.Sprintf(format, args...))
}
