package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

// WriterOptions are the choices of one Writer. The zero value is ready.
type WriterOptions struct {
	// User is the commit user: a name that only this writer, and its later
	// incarnations, carry. Default: random, which suits batch jobs; a service
	// that wants replays recognised gives a name that survives its restarts.
	User string
	// Overwrite is for rows that Committer.Overwrite will put in the place of
	// others, the only one who takes them: they get their buckets and are
	// compacted, at Prepare, as if the table were empty. Default false.
	Overwrite bool
	// Batch is for a writer that makes one commit and ends. In a table with
	// bucket -2 its rows go straight into real buckets and are visible at once,
	// unless postpone.batch-write-fixed-bucket is false; those of another writer
	// wait for Table.CompactPostponed. Default false.
	Batch bool
	// WaitCompaction makes Prepare wait for the compaction that its rows
	// cause, so that the same rows always leave the same files. Default: a
	// compaction that takes longer goes into a later commit.
	WaitCompaction bool
}

// BatchIdentifier is the commit identifier of batch jobs, which commit once
// under a fresh user.
const BatchIdentifier = math.MaxInt64

// rowBatch is how many single rows are gathered into one Arrow batch.
const rowBatch = 4096

// Writer turns rows into data files and commit messages.
//
//	Write, Put, Delete ─► buffers by partition and bucket ─► Prepare: files ─► Commit: snapshot
//
// Rows given before a Prepare belong to that commit. Memory is bounded by the
// table's write-buffer-size plus one batch: a full buffer of a table with a
// primary key is spilled to Settings.TempDir in sorted runs, which Prepare
// merges into level-0 files. Where there is no room, or the table sets
// write-buffer-spillable to false, it becomes level-0 files at once.
//
// Files are compacted beside the writing, unless the table is write-only, on
// goroutines that all writers of the process share. The writer waits for them
// only when a bucket has more sorted runs than num-sorted-run.stop-trigger. What
// is compacted when Prepare is called goes into its messages. A compaction that
// loses against one of another process is dropped and never costs a row.
//
// A schema that the table gets in the meantime is taken up after a commit, when
// nothing is buffered and nothing prepared is left to be committed, within a
// minute. From then on rows are matched with its columns: one that is new is
// null or its default where the rows do not have it.
//
// All methods may be called concurrently; they take turns. After an error in
// Write, Put, Delete or Prepare the rows since the last Prepare are gone from
// the writer: Close it, open another and send them again.
type Writer struct {
	table   *Table
	commits *Committer
	turn    sync.Mutex // one CommitNext at a time, so that each has its own identifier

	mu      sync.Mutex
	canon   *canonicalizer
	router  *router
	filter  rowFilter
	buffers *bufferPool
	rows    *rowjson.Appender // single rows on their way to a batch
	shape   *schema.Table     // the schema whose columns these have
	pending int               // rows in there
	seen    int64             // rows accepted, for messages
	unsent  *unsent           // a CommitNext that failed
	doubted doubts            // kinds of row that the engine may refuse
	broken  error
	closed  bool
	renewal
}

// NewWriter opens a writer on the schema that t was opened with; a newer one is
// taken up after a commit, see Writer. It refuses, by name,
// options whose writing is not built. Close the writer in the end.
func (t *Table) NewWriter(ctx context.Context, o WriterOptions) (*Writer, error) {
	return t.newWriter(ctx, o, o.Batch && t.options.PostponeBatchFixed)
}

// newWriter opens a writer; a direct one gives rows of a table with postponed
// buckets their real ones.
func (t *Table) newWriter(ctx context.Context, o WriterOptions, direct bool) (*Writer, error) {
	if err := t.options.CheckWrite(t.schema); err != nil {
		return nil, t.wrap("open writer", err)
	}
	commits, err := t.NewCommitter(ctx, o.User)
	if err != nil {
		return nil, err
	}
	w := &Writer{table: t, commits: commits, filter: rowFilter{t.options.IgnoreDelete, t.options.IgnoreUpdateBefore}}
	w.doubted = newDoubts(t)
	w.renewal = renewal{opened: t.schema, options: o}
	if w.router, err = newRouter(t.schema, t.options); err != nil {
		return nil, t.wrap("open writer", err)
	}
	if w.canon, err = newCanonicalizer(t, t.world.Alloc); err != nil {
		return nil, t.wrap("open writer", err)
	}
	if err := w.openBuffers(ctx, o, direct); err != nil {
		w.canon.release()
		return nil, t.wrap("open writer", err)
	}
	return w, nil
}

// User is the commit user of this writer.
func (w *Writer) User() string { return w.committer().User() }

// SetWatermark says up to which event time, in epoch milliseconds, the table is
// complete with the commits from now on: see Committer.SetWatermark.
func (w *Writer) SetWatermark(millis int64) { w.committer().SetWatermark(millis) }

// Write adds a batch of rows. Columns are matched by name; one that is missing
// is null, or the column's default. An int8 column _VALUE_KIND, if there is
// one, gives each row's kind (0 +I, 1 -U, 2 +U, 3 -D); without it every row is
// an insert, which in a primary-key table replaces the row of the same key.
// The batch is retained until its rows are in files; the caller may release it
// at once, and must not change its buffers.
func (w *Writer) Write(ctx context.Context, rec arrow.RecordBatch) error {
	return w.WriteKinds(ctx, rec, nil)
}

// WriteKinds is Write with the row kinds beside the batch instead of in a
// column; nil kinds are all inserts.
func (w *Writer) WriteKinds(ctx context.Context, rec arrow.RecordBatch, kinds []int8) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	if rec == nil {
		return w.table.wrap("write", fault.Invalid("a nil batch"))
	}
	if kinds != nil && int64(len(kinds)) != rec.NumRows() {
		return w.table.wrap("write", fault.Invalid(fmt.Sprintf("%d row kinds for %d rows", len(kinds), rec.NumRows())))
	}
	if err := w.flushRows(ctx); err != nil {
		return w.fail("write", err)
	}
	return w.fail("write", w.addKinds(ctx, rec, kinds))
}

// Put adds one row: a struct (or pointer to one) whose fields carry the tag
// `tidelake:"column"` or the column's name in camel case, or a Row. In a
// primary-key table it replaces the row of the same key.
//
// Go values by column type: bool; any integer in range; float32 and float64;
// string; []byte; decimal128.Num (unscaled), integers or text for DECIMAL;
// time.Time for DATE, TIMESTAMP (wall clock) and TIMESTAMP_LTZ (instant), cut to
// the column's precision; time.Duration for TIME; text as in filters for these
// four; slices for ARRAY; maps for MAP and, element to count, MULTISET; structs
// or Row for ROW. A nil pointer, slice, map or interface is null.
func (w *Writer) Put(ctx context.Context, row any) error {
	return w.WriteRow(ctx, schema.Insert, row)
}

// Delete adds a deletion of the row with row's primary key; other columns may
// be left out unless they are NOT NULL.
func (w *Writer) Delete(ctx context.Context, row any) error {
	return w.WriteRow(ctx, schema.Delete, row)
}

// WriteRow adds one row of the given kind; see Put.
func (w *Writer) WriteRow(ctx context.Context, kind schema.RowKind, row any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	values, err := rowValues(w.table.schema.Fields, row, w.table.settings.TimeZone)
	if err == nil {
		err = w.canon.complete(values)
	}
	if err != nil {
		return w.table.wrap("write", err)
	}
	return w.gather(ctx, w.table.schema, kind, values)
}

// WriteValues adds one row of metadata values (see schema.TimestampValue), one
// for each column in the order of the schema that the table had when the writer
// was opened. It does not keep the slice.
func (w *Writer) WriteValues(ctx context.Context, kind schema.RowKind, values []any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	return w.gather(ctx, w.opened, kind, values)
}

// gather adds a single row in the shape of a schema.
func (w *Writer) gather(ctx context.Context, shape *schema.Table, kind schema.RowKind, values []any) error {
	if w.rows != nil && w.shape != shape {
		if err := w.flushRows(ctx); err != nil {
			return w.fail("write", err)
		}
		w.rows = nil
	}
	if w.rows == nil {
		rows, err := rowjson.NewAppender(nullable(shape.Fields), w.table.world.Alloc)
		if err != nil {
			return w.table.wrap("write", err)
		}
		w.rows, w.shape = rows, shape
	}
	if err := w.rows.Append(kind, values); err != nil {
		return w.table.wrap("write", err)
	}
	if w.pending++; w.pending < rowBatch {
		return nil
	}
	return w.fail("write", w.flushRows(ctx))
}

// nullable lets single rows carry nulls as far as the checks that name the row.
func nullable(fields []schema.Field) []schema.Field {
	out := make([]schema.Field, len(fields))
	for i, f := range fields {
		f.Type.Nullable = true
		out[i] = f
	}
	return out
}

func (w *Writer) ready() error {
	if w.closed {
		return w.table.wrap("write", &fault.Error{Class: fault.ErrClosed, Detail: "the writer was closed"})
	}
	if w.broken != nil {
		return w.table.wrap("write", fmt.Errorf("an earlier call failed and its rows are gone; open a new writer: %w", w.broken))
	}
	if w.stale != nil {
		return w.table.wrap("write", fmt.Errorf("the table was altered, and cannot be written any more: %w", w.stale))
	}
	return nil
}

// fail remembers an error that lost rows.
func (w *Writer) fail(op string, err error) error {
	if err != nil {
		w.broken = err
	}
	return w.table.wrap(op, err)
}

// flushRows moves single rows into the buffers.
func (w *Writer) flushRows(ctx context.Context) error {
	if w.pending == 0 {
		return nil
	}
	rec, kinds := w.rows.Flush()
	w.pending = 0
	rec, err := w.reshaped(rec)
	if err != nil {
		return err
	}
	defer rec.Release()
	return w.addKinds(ctx, rec, kinds)
}

// addKinds canonicalises, routes and buffers one batch.
func (w *Writer) addKinds(ctx context.Context, rec arrow.RecordBatch, given []int8) error {
	stored, kinds, err := w.canon.apply(rec, w.seen)
	if err != nil {
		return err
	}
	defer stored.Release()
	if given != nil {
		if kinds, err = w.canon.agreed(given, kinds, w.seen); err != nil {
			return err
		}
	}
	w.seen += rec.NumRows()
	if len(w.table.schema.PrimaryKeys) == 0 {
		if err := insertsOnly(kinds, w.seen-rec.NumRows()); err != nil {
			return err
		}
	}
	keep := w.filter.keep(kinds)
	if err := w.doubted.settle(w.table, stored, kinds, keep); err != nil {
		return err
	}
	if w.buffers.cross != nil {
		return w.addCrossing(ctx, stored, kinds, keep)
	}
	parts, err := w.router.route(ctx, stored, keep)
	if err != nil {
		return err
	}
	return w.buffers.add(ctx, stored, kinds, parts)
}

// store buffers rows that were read from this table, just as they are.
func (w *Writer) store(ctx context.Context, rec arrow.RecordBatch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return err
	}
	parts, err := w.router.route(ctx, rec, nil)
	if err == nil {
		err = w.buffers.add(ctx, rec, nil, parts)
	}
	return w.fail("write", err)
}

// insertsOnly refuses changes in a table that has no key to apply them to.
func insertsOnly(kinds []int8, firstRow int64) error {
	for r, k := range kinds {
		if k != int8(schema.Insert) {
			return fault.Invalid(fmt.Sprintf("row %d: kind %s in a table without a primary key, which takes only +I", firstRow+int64(r), schema.RowKind(k)))
		}
	}
	return nil
}

// Prepare writes everything buffered into files and returns the messages that
// name them; they are durable but invisible until committed. Identifier is the
// one they will be committed under. An empty result means there was nothing.
// What several calls return is to be committed in their order, or never: once a
// later one is in the table, the writer takes an earlier one for given up.
func (w *Writer) Prepare(ctx context.Context, identifier int64) ([]CommitMessage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ready(); err != nil {
		return nil, err
	}
	if err := w.flushRows(ctx); err != nil {
		return nil, w.fail("prepare", err)
	}
	msgs, err := w.buffers.prepare(ctx, identifier)
	if err == nil {
		w.handedOut(identifier, len(msgs), w.seen)
	}
	return msgs, w.fail("prepare", err)
}

// Commit publishes messages under an identifier, at most once; see Committer.Commit.
func (w *Writer) Commit(ctx context.Context, identifier int64, msgs []CommitMessage) error {
	if err := w.committer().Commit(ctx, identifier, msgs); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed(ctx, identifier)
	return nil
}

// CommitNext prepares everything buffered and commits it under the next
// identifier of this user. Without new rows it does nothing.
//
// After an error of the commit itself (ErrUncertain, ErrConflict, a store that
// does not answer) the writer keeps what it prepared: call CommitNext again,
// which first settles that commit and then commits what was written since. That
// does not help against another process which commits as the same user and was
// faster (ErrConflict too): the error says so, and the rows are not in the table.
func (w *Writer) CommitNext(ctx context.Context) error {
	w.turn.Lock()
	defer w.turn.Unlock()
	if err := w.resend(ctx); err != nil {
		return err
	}
	id, err := w.committer().NextIdentifier(ctx)
	if err != nil {
		return err
	}
	msgs, err := w.Prepare(ctx, id)
	if err != nil || len(msgs) == 0 {
		return err
	}
	return w.send(ctx, &unsent{id: id, msgs: msgs})
}

// unsent is a commit whose files are durable and whose snapshot may be missing.
type unsent struct {
	id        int64
	msgs      []CommitMessage
	uncertain bool // a snapshot may name the files
}

func (w *Writer) send(ctx context.Context, u *unsent) error {
	appended, err := w.committer().commit(ctx, u.id, u.msgs, !u.uncertain)
	w.mu.Lock()
	defer w.mu.Unlock()
	if appended {
		u.msgs = compactionsOf(u.msgs)
	}
	switch {
	case err == nil && w.unsent == u:
		w.unsent = nil
	case err != nil:
		u.uncertain = u.uncertain || errors.Is(err, fault.ErrUncertain)
		w.unsent = u
	}
	if err == nil {
		w.committed(ctx, u.id)
	}
	return err
}

// resend repeats a CommitNext that failed.
func (w *Writer) resend(ctx context.Context) error {
	w.mu.Lock()
	u, err := w.unsent, w.ready()
	w.mu.Unlock()
	if u == nil || err != nil {
		return err
	}
	return w.send(ctx, u)
}

// Close releases the writer, waits for its compactions, and deletes the files that nobody can commit any
// more: those that no Prepare handed out, and those of a CommitNext that failed
// for certain. It is safe to call twice.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	w.canon.release()
	if w.pending > 0 {
		rec, _ := w.rows.Flush()
		rec.Release()
	}
	err := w.buffers.close()
	if u := w.unsent; u != nil && !u.uncertain {
		err = errors.Join(err, w.table.abort(context.Background(), u.msgs))
	}
	return w.table.wrap("close writer", err)
}
