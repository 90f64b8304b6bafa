package table

import (
	"context"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/keymap"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// crossRouter finds the partition and bucket of every row of a table whose keys
// may move between partitions. It knows where each key lies, as the newest
// snapshot has it plus what this writer did since.
//
//	batch ─► place of each key ─► the same rows, moved rows and deletions ─► buffers
//
// A key that arrives in another partition than it lies in is, by merge engine,
// deleted there and inserted here (deduplicate), updated where it lies
// (partial-update, aggregation), or skipped (first-row).
//
// With cross-partition-upsert.index-ttl the places of keys in files older than
// that are forgotten, as Paimon forgets them: the index is made of newer files
// only, and made anew when it is so old itself.
//
// One writer owns such a table. What others commit meanwhile is noticed:
// between commits, after which the index is made anew; or by the committer,
// which refuses rows that were placed by an index that is no longer true.
type crossRouter struct {
	table     *Table
	user      string
	key, part keyColumns

	mu      sync.Mutex  // the committer tells of commits while the writer goes on
	index   *keymap.Map // of key places; nil: to be made from the newest snapshot
	rooms   *keyRooms
	fresh   bool                      // nothing of others needs to be looked for before the next Prepare
	seen    int64                     // the newest snapshot that the index knows, 0 for none
	list    string                    // its delta manifest list, which tells it from others of its id; "" when not known
	newest  func() *snapshot.Snapshot // that this process knows
	looked  time.Time
	made    time.Time // the index
	pending []int64   // identifiers that were prepared and are not known to be committed
}

// keyColumns are some columns of the table.
type keyColumns struct {
	at    []int
	types []schema.Type
}

func columnsOf(sc *schema.Table, fields []schema.Field) (c keyColumns) {
	for _, f := range fields {
		c.at, c.types = append(c.at, sc.Index(f.Name)), append(c.types, f.Type)
	}
	return c
}

// crossing tells that keys may move between partitions.
func (t *Table) crossing() bool { return t.schema.BucketMode() == schema.KeyDynamic }

func newCrossRouter(t *Table, user string, newest func() *snapshot.Snapshot) (*crossRouter, error) {
	fields, err := t.schema.FieldsByName(t.schema.PrimaryKeys)
	if err != nil {
		return nil, err
	}
	return &crossRouter{table: t, user: user, newest: newest,
		key: columnsOf(t.schema, fields), part: columnsOf(t.schema, t.schema.PartitionFields())}, nil
}

// route says what the rows of a batch become, and where they go. The caller
// releases the batch that it returns.
func (c *crossRouter) route(ctx context.Context, rec arrow.RecordBatch, kinds []int8, keep func(int) bool) (arrow.RecordBatch, []int8, []routed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refresh(ctx); err != nil {
		return nil, nil, nil, err
	}
	a, err := c.arrive(rec, kinds, keep)
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := c.rebuilt(rec, a)
	if err != nil {
		return nil, nil, nil, err
	}
	if kinds != nil || a.deletes {
		kinds = a.kinds
	}
	return out, kinds, c.targets(a), nil
}

// arrivals are what the rows of a batch become, in order.
type arrivals struct {
	rows    []int32 // of the batch
	home    []uint32
	places  []keyPlace // where they go; another partition than home must be written into the row
	kinds   []int8
	deletes bool // of rows that moved
	moved   bool // some go to another partition than theirs
}

func (a *arrivals) add(row int, home uint32, to keyPlace, kind int8) {
	a.rows, a.home = append(a.rows, int32(row)), append(a.home, home)
	a.places, a.kinds = append(a.places, to), append(a.kinds, kind)
	a.moved = a.moved || home != to.partition
}

func (c *crossRouter) arrive(rec arrow.RecordBatch, kinds []int8, keep func(int) bool) (*arrivals, error) {
	keys, err := binaryrow.NewEncoder(c.key.types, pick(rec, c.key.at))
	if err != nil {
		return nil, err
	}
	parts, err := binaryrow.NewEncoder(c.part.types, pick(rec, c.part.at))
	if err != nil {
		return nil, err
	}
	n := int(rec.NumRows())
	a := &arrivals{rows: make([]int32, 0, n), home: make([]uint32, 0, n), places: make([]keyPlace, 0, n), kinds: make([]int8, 0, n)}
	var scratch []byte
	for row := range n {
		if keep != nil && !keep(row) {
			continue
		}
		scratch = parts.Append(scratch[:0], row)
		home := c.rooms.of(scratch)
		scratch = keys.Append(scratch[:0], row)
		kind := int8(schema.Insert)
		if kinds != nil {
			kind = kinds[row]
		}
		if err := c.place(a, row, home, keymap.DigestOf(scratch), kind); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// place decides about one row.
func (c *crossRouter) place(a *arrivals, row int, home uint32, key keymap.Digest, kind int8) error {
	packed, known, err := c.index.Get(key)
	if err != nil {
		return err
	}
	at := placeOf(packed)
	if known && at.partition == home {
		a.add(row, home, at, kind)
		return nil
	}
	if known {
		switch c.table.options.MergeEngine {
		case "deduplicate":
			a.add(row, home, at, int8(schema.Delete))
			a.deletes = true
			c.rooms.count(at, -1)
		case "partial-update", "aggregation":
			if kind == int8(schema.UpdateAfter) {
				kind = int8(schema.Insert) // as Paimon, which makes such a row anew, but without losing a retraction
			}
			a.add(row, home, at, kind)
			return nil
		case "first-row":
			return nil
		default:
			return fault.Unsupported("moving keys between partitions with merge-engine = "+c.table.options.MergeEngine, "use another merge engine")
		}
	}
	to, err := c.rooms.assign(home)
	if err != nil {
		return err
	}
	a.add(row, home, to, kind)
	return c.index.Put(key, to.pack())
}

// close frees the index.
func (c *crossRouter) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index == nil {
		return nil
	}
	err := c.index.Close()
	c.index = nil
	return err
}

// targets groups the arrivals by partition and bucket.
func (c *crossRouter) targets(a *arrivals) []routed {
	var parts []routed
	known := make(map[keyPlace]int)
	for i, to := range a.places {
		at, ok := known[to]
		if !ok {
			at = len(parts)
			known[to] = at
			parts = append(parts, routed{partition: c.rooms.rooms[to.partition].partition, bucket: int(to.bucket)})
		}
		parts[at].rows = append(parts[at].rows, int32(i))
	}
	if len(parts) == 1 {
		parts[0].rows = nil
	}
	return parts
}
