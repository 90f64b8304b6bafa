package manifest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
)

// codec is what it takes to read one of the three kinds of files.
type codec[T any] struct {
	what   string // "manifest", for errors
	specs  []spec
	decode func(c *cursor, p *plan, t *T)
	plans  planCache
}

var (
	entryCodec = codec[Entry]{what: "manifest", specs: entrySpecs, decode: (*cursor).entry}
	metaCodec  = codec[Meta]{what: "manifest list", specs: metaSpecs, decode: (*cursor).meta}
	indexCodec = codec[IndexEntry]{what: "index manifest", specs: indexSpecs, decode: (*cursor).index}
)

// cursor decodes the records of a file. Small things that records need are
// cut from slabs: one allocation serves many records.
type cursor struct {
	avro.Decoder
	arity int // columns of a partition, -1 = any

	longs     []int64
	chunk     int // size of the last slab of longs
	bytes     []int8
	statsCols names
	writeCols names
}

// names remembers the last list of names: the entries of a manifest mostly
// repeat one list.
type names struct {
	raw  []byte // its encoding
	list []string
}

// leastStored is the fewest bytes of a file per record for which room is made
// in advance. Entries compress to 50 bytes and more.
const leastStored = 24

var scratches = sync.Pool{New: func() any { return new([]byte) }}

// decode reads a whole file. keep, if given, selects records; it must not
// retain them. What is returned shares memory with data only when the file is
// not compressed.
func (c *codec[T]) read(name string, data []byte, arity int, keep func(*T) bool) ([]T, error) {
	out, err := c.records(data, arity, keep)
	if err == nil {
		return out, nil
	}
	if errors.Is(err, fault.ErrUnsupported) {
		return nil, &fault.Error{Class: fault.ErrUnsupported, File: name, Detail: c.what, Err: err}
	}
	return nil, fault.Corrupt(name, c.what, err)
}

func (c *codec[T]) records(data []byte, arity int, keep func(*T) bool) (out []T, err error) {
	r, p, err := c.open(data)
	if err != nil {
		return nil, err
	}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	cur := &cursor{arity: arity}
	if keep != nil {
		out = []T{}
	} else {
		// Counts are claims: a record is believed to take at least leastStored bytes.
		out = make([]T, 0, min(r.Records(), int64(len(data)/leastStored)))
	}
	for {
		block, n, err := r.Next(*scratch)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if n > len(block)/p.min {
			return nil, fmt.Errorf("block of %d bytes claims %d records", len(block), n)
		}
		if r.Codec() != avro.CodecNull && cap(block) > cap(*scratch) && cap(block) <= 4<<20 {
			*scratch = block[:0]
		}
		switch {
		case keep != nil:
			if block, n, err = c.sift(p, block, n, arity, keep); err != nil {
				return nil, err
			}
		case r.Codec() != avro.CodecNull:
			block = bytes.Clone(block)
		}
		if out, err = c.block(cur, p, block, n, out); err != nil {
			return nil, err
		}
	}
}

// open checks the header and finds the plan of the file's schema.
func (c *codec[T]) open(data []byte) (*avro.Reader, *plan, error) {
	for _, f := range []struct{ name, magic string }{{"parquet", "PAR1"}, {"orc", "ORC"}} {
		if bytes.HasPrefix(data, []byte(f.magic)) {
			return nil, nil, fault.Unsupported("manifest.format "+f.name, "set manifest.format to avro and rewrite the table's manifests")
		}
	}
	r, err := avro.NewReader(data)
	if err != nil {
		return nil, nil, err
	}
	p, err := c.plans.get(c.specs, r.Schema())
	return r, p, err
}

// block decodes the n records that make up a block.
func (c *codec[T]) block(cur *cursor, p *plan, block []byte, n int, out []T) ([]T, error) {
	cur.Reset(block)
	if free := cap(out) - len(out); free < n {
		out = append(make([]T, 0, max(len(out)+n, 2*len(out))), out...)
	}
	for range n {
		out = out[:len(out)+1]
		c.decode(cur, p, &out[len(out)-1])
		if err := cur.Err(); err != nil {
			return nil, fmt.Errorf("record %d: %w", len(out), err)
		}
	}
	if cur.Left() > 0 {
		return nil, fmt.Errorf("%d bytes after the last record of a block", cur.Left())
	}
	return out, nil
}

// sift finds the records of a block that are wanted and copies just those, so
// that a few kept records do not hold the whole block in memory.
func (c *codec[T]) sift(p *plan, block []byte, n, arity int, keep func(*T) bool) (kept []byte, count int, err error) {
	cur := &cursor{arity: arity}
	cur.Reset(block)
	var t, zero T
	for i := range n {
		t = zero
		at := cur.Offset()
		c.decode(cur, p, &t)
		if err := cur.Err(); err != nil {
			return nil, 0, fmt.Errorf("record %d of a block: %w", i+1, err)
		}
		if keep(&t) {
			kept = append(kept, cur.Since(at)...)
			count++
		}
	}
	if cur.Left() > 0 {
		return nil, 0, fmt.Errorf("%d bytes after the last record of a block", cur.Left())
	}
	return kept, count, nil
}

func (c *cursor) entry(p *plan, e *Entry) {
	for i := range p.steps {
		st := &p.steps[i]
		if st.id != unknownField && st.isNull(&c.Decoder) {
			c.missing(st)
			continue
		}
		switch st.id {
		case eVersion:
			c.version(2)
		case eKind:
			e.Kind = c.kind()
		case ePartition:
			e.Partition = c.partition()
		case eBucket:
			e.Bucket = int(c.Int())
		case eTotal:
			e.TotalBuckets = int(c.Int())
		case eFile:
			c.file(st.sub, &e.File)
		default:
			e.Extra = append(e.Extra, st.unknown(&c.Decoder))
		}
	}
}

func (c *cursor) file(p *plan, f *DataFile) {
	f.CreationTime = NoCreationTime
	for i := range p.steps {
		st := &p.steps[i]
		if st.id != unknownField && st.isNull(&c.Decoder) {
			if st.id < fCreation {
				c.missing(st)
			}
			continue
		}
		switch st.id {
		case fName:
			f.Name = c.Text()
		case fSize:
			f.Size = c.Long()
		case fRows:
			f.Rows = c.Long()
		case fMinKey:
			f.KeyArity, f.MinKey = c.row()
		case fMaxKey:
			var arity int
			if arity, f.MaxKey = c.row(); arity != f.KeyArity {
				c.Fail(fmt.Errorf("_MIN_KEY has %d columns, _MAX_KEY %d", f.KeyArity, arity))
			}
		case fKeyStats:
			c.stats(st.sub, &f.KeyStats)
		case fValueStats:
			c.stats(st.sub, &f.ValueStats)
		case fMinSequence:
			f.MinSequence = c.Long()
		case fMaxSequence:
			f.MaxSequence = c.Long()
		case fSchemaID:
			f.SchemaID = c.Long()
		case fLevel:
			f.Level = int(c.Int())
		case fExtraFiles:
			f.ExtraFiles = c.texts()
		default:
			c.fileOptional(st, f)
		}
	}
}

// fileOptional decodes the fields that not every release writes.
func (c *cursor) fileOptional(st *step, f *DataFile) {
	switch st.id {
	case fCreation:
		f.CreationTime = c.Long()
	case fDeleteRows:
		f.DeleteRows = c.long()
	case fEmbedded:
		f.EmbeddedIndex = c.Bytes()
	case fSource:
		f.Source = c.tiny()
	case fStatsCols:
		f.ValueStatsCols, f.HasValueStatsCols = c.names(&c.statsCols), true
	case fExternal:
		f.ExternalPath = c.text()
	case fFirstRow:
		f.FirstRowID = c.long()
	case fWriteCols:
		f.WriteCols = c.names(&c.writeCols)
	default:
		f.Extra = append(f.Extra, st.unknown(&c.Decoder))
	}
}

func (c *cursor) stats(p *plan, s *Stats) {
	s.NoNullCounts = true
	for i := range p.steps {
		st := &p.steps[i]
		if st.id != unknownField && st.isNull(&c.Decoder) {
			if st.id != sNulls {
				c.missing(st)
			}
			continue
		}
		switch st.id {
		case sMin:
			s.Arity, s.Min = c.row()
		case sMax:
			var arity int
			if arity, s.Max = c.row(); arity != s.Arity {
				c.Fail(fmt.Errorf("_MIN_VALUES has %d columns, _MAX_VALUES %d", s.Arity, arity))
			}
		case sNulls:
			s.NullCounts, s.NoNullCounts = c.counts(st.itemNull), false
		default:
			s.Extra = append(s.Extra, st.unknown(&c.Decoder))
		}
	}
	if !s.NoNullCounts && len(s.NullCounts) != s.Arity {
		c.Fail(fmt.Errorf("%d null counts of %d columns", len(s.NullCounts), s.Arity))
	}
}

func (c *cursor) meta(p *plan, m *Meta) {
	for i := range p.steps {
		st := &p.steps[i]
		if st.id != unknownField && st.isNull(&c.Decoder) {
			if st.id < mMinBucket {
				c.missing(st)
			}
			continue
		}
		switch st.id {
		case mVersion:
			c.version(2)
		case mName:
			m.Name = c.Text()
		case mSize:
			m.Size = c.Long()
		case mAdded:
			m.Added = c.Long()
		case mDeleted:
			m.Deleted = c.Long()
		case mStats:
			c.stats(st.sub, &m.PartitionStats)
			if a := m.PartitionStats.Arity; c.arity >= 0 && a != c.arity {
				c.Fail(fmt.Errorf("statistics of %d partition columns, the table has %d", a, c.arity))
			}
		case mSchemaID:
			m.SchemaID = c.Long()
		case mMinBucket:
			m.MinBucket = c.int()
		case mMaxBucket:
			m.MaxBucket = c.int()
		case mMinLevel:
			m.MinLevel = c.int()
		case mMaxLevel:
			m.MaxLevel = c.int()
		case mMinRow:
			m.MinRowID = c.long()
		case mMaxRow:
			m.MaxRowID = c.long()
		default:
			m.Extra = append(m.Extra, st.unknown(&c.Decoder))
		}
	}
}

func (c *cursor) index(p *plan, e *IndexEntry) {
	for i := range p.steps {
		st := &p.steps[i]
		if st.id != unknownField && st.isNull(&c.Decoder) {
			if st.id < iRanges {
				c.missing(st)
			}
			continue
		}
		switch st.id {
		case iVersion:
			c.version(1)
		case iKind:
			e.Kind = c.kind()
		case iPartition:
			e.Partition = c.partition()
		case iBucket:
			e.Bucket = int(c.Int())
		case iType:
			e.Type = c.Text()
		case iName:
			e.Name = c.Text()
		case iSize:
			e.Size = c.Long()
		case iRows:
			e.Rows = c.Long()
		case iRanges:
			e.Ranges = c.ranges(st)
		case iExternal:
			e.ExternalPath = c.text()
		case iGlobal:
			e.Global = new(GlobalIndex)
			c.global(st.sub, e.Global)
		default:
			e.Extra = append(e.Extra, st.unknown(&c.Decoder))
		}
	}
}

func (c *cursor) ranges(st *step) []DeletionRange {
	out := []DeletionRange{}
	for c.Err() == nil {
		n := c.Count(st.sub.min)
		if n == 0 {
			break
		}
		for range n {
			if st.itemNull >= 0 && c.Branch(2) == int(st.itemNull) {
				c.Fail(errors.New("null among the ranges of deletion vectors"))
				return nil
			}
			out = append(out, DeletionRange{})
			c.deletionRange(st.sub, &out[len(out)-1])
			if c.Err() != nil {
				return nil
			}
		}
	}
	return out
}

func (c *cursor) deletionRange(p *plan, r *DeletionRange) {
	for i := range p.steps {
		st := &p.steps[i]
		if st.id != unknownField && st.isNull(&c.Decoder) {
			if st.id != rCardinality {
				c.missing(st)
			}
			continue
		}
		switch st.id {
		case rFile:
			r.File = c.Text()
		case rOffset:
			r.Offset = c.Int()
		case rLength:
			r.Length = c.Int()
		case rCardinality:
			r.Cardinality = c.long()
		default:
			r.Extra = append(r.Extra, st.unknown(&c.Decoder))
		}
	}
}

func (c *cursor) global(p *plan, g *GlobalIndex) {
	for i := range p.steps {
		st := &p.steps[i]
		if st.id != unknownField && st.isNull(&c.Decoder) {
			if st.id < gExtraFields {
				c.missing(st)
			}
			continue
		}
		switch st.id {
		case gStart:
			g.RowStart = c.Long()
		case gEnd:
			g.RowEnd = c.Long()
		case gField:
			g.FieldID = c.Int()
		case gExtraFields:
			g.ExtraFieldIDs = []int32{}
			for _, v := range c.counts(st.itemNull) {
				if v != int64(int32(v)) {
					c.Fail(fmt.Errorf("field id %d", v))
				}
				g.ExtraFieldIDs = append(g.ExtraFieldIDs, int32(v))
			}
		case gMeta:
			g.Meta = c.Bytes()
		default:
			g.Extra = append(g.Extra, st.unknown(&c.Decoder))
		}
	}
}

// missing refuses null where a value must be.
func (c *cursor) missing(st *step) { c.Fail(fmt.Errorf("field %q is null", st.name)) }

func (c *cursor) version(want int64) {
	if v := c.Long(); v != want && c.Err() == nil {
		c.Fail(fault.Unsupported("record version "+strconv.FormatInt(v, 10), "read the table with the release that wrote it"))
	}
}

func (c *cursor) kind() Kind {
	k := c.Long()
	if k != int64(Add) && k != int64(Delete) {
		c.Fail(fmt.Errorf("entry kind %d", k))
	}
	return Kind(k)
}

// row reads a serialized binary row and checks that its body can hold its columns.
func (c *cursor) row() (arity int, body []byte) {
	b := c.Bytes()
	if len(b) < 12 {
		c.Fail(fmt.Errorf("binary row of %d bytes", len(b)))
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b)
	if n > math.MaxInt32 || len(b)-4 < bodySize(int(n)) {
		c.Fail(fmt.Errorf("binary row of %d bytes with %d columns", len(b), n))
		return 0, nil
	}
	return int(n), b[4:]
}

// bodySize is the size of the fixed part of a row: null bits, then 8 bytes a column.
func bodySize(arity int) int { return (arity+63+8)/64*8 + 8*arity }

func (c *cursor) partition() []byte {
	n, body := c.row()
	if c.arity >= 0 && n != c.arity && c.Err() == nil {
		c.Fail(fmt.Errorf("partition of %d columns, the table has %d", n, c.arity))
	}
	return body
}

// counts reads an array of numbers from 0 on, -1 for null.
func (c *cursor) counts(null int8) []int64 {
	out := []int64{}
	for c.Err() == nil {
		n := c.Count(1)
		if n == 0 {
			break
		}
		if len(out) == 0 {
			out = c.slab(n)[:0]
		}
		for range n {
			v := int64(-1)
			if null < 0 || c.Branch(2) != int(null) {
				if v = c.Long(); v < 0 {
					c.Fail(fmt.Errorf("%d among counts", v))
				}
			}
			out = append(out, v)
		}
	}
	return out
}

// slab cuts n numbers from memory shared by many records.
func (c *cursor) slab(n int) []int64 {
	if len(c.longs) < n {
		c.chunk = min(1024, 2*c.chunk+16) // a file of few entries needs little
		c.longs = make([]int64, max(n, c.chunk))
	}
	s := c.longs[:n:n]
	c.longs = c.longs[n:]
	return s
}

func (c *cursor) long() *int64 {
	s := c.slab(1)
	s[0] = c.Long()
	return &s[0]
}

func (c *cursor) int() *int {
	v := int(c.Int())
	return &v
}

func (c *cursor) tiny() *int8 {
	v := c.Long()
	if v != int64(int8(v)) {
		c.Fail(fmt.Errorf("%d is not an 8 bit number", v))
	}
	if len(c.bytes) == 0 {
		c.bytes = make([]int8, 64)
	}
	p := &c.bytes[0]
	c.bytes = c.bytes[1:]
	*p = int8(v)
	return p
}

func (c *cursor) text() *string {
	v := c.Text()
	return &v
}

// texts reads an array of strings; nil when it is empty.
func (c *cursor) texts() []string {
	var out []string
	for c.Err() == nil {
		n := c.Count(1)
		if n == 0 {
			break
		}
		for range n {
			out = append(out, c.Text())
		}
	}
	return out
}

// names reads an array of strings, not nil, that likely equals the last one.
// An encoded array ends itself, so input that starts with the same bytes
// holds the same array.
func (c *cursor) names(last *names) []string {
	if len(last.raw) > 0 && bytes.HasPrefix(c.Rest(), last.raw) {
		c.Fixed(len(last.raw))
		return last.list
	}
	at := c.Offset()
	list := c.texts()
	if list == nil {
		list = []string{}
	}
	if c.Err() == nil {
		last.raw, last.list = c.Since(at), list
	}
	return list
}
