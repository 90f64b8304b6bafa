package datafile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

// A Parquet file ends with its metadata:
//
//	PAR1 | column chunks of row group 0 | … | page indexes | metadata | length of it | PAR1
//
// openTail reads the end of the file in one request, which for small files is
// the whole file.

// tailBytes is read at open. Metadata and page indexes mostly fit.
const tailBytes = 64 << 10

// smallFile is read whole at open: one request instead of several.
const smallFile = 512 << 10

// tail is the end of a file held in memory.
type tail struct {
	ctx  context.Context
	obj  store.Object
	name string
	size int64
	off  int64 // file offset of data[0]
	data []byte
}

func openTail(ctx context.Context, obj store.Object, name string) (*tail, error) {
	size := obj.Size()
	if size < 12 {
		return nil, corrupt(name, "a file of %d bytes is too short to be parquet", size)
	}
	n := int64(tailBytes)
	if size <= smallFile {
		n = size
	}
	t := &tail{ctx: ctx, obj: obj, name: name, size: size, off: size - n, data: make([]byte, n)}
	return t, readRange(ctx, obj, name, t.data, t.off)
}

// read returns n bytes at off, which the caller must not keep beyond the tail's life.
func (t *tail) read(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > t.size-n {
		return nil, corrupt(t.name, "%d bytes at %d lie outside the file of %d bytes", n, off, t.size)
	}
	if off >= t.off {
		return t.data[off-t.off : off-t.off+n : off-t.off+n], nil
	}
	p := make([]byte, n)
	return p, readRange(t.ctx, t.obj, t.name, p, off)
}

// footer finds, reads and parses the metadata.
func (t *tail) footer() (*fileMeta, error) {
	end := t.data[len(t.data)-8:]
	switch {
	case bytes.Equal(end[4:], []byte("PARE")):
		return nil, fault.Unsupported("encrypted parquet (file "+t.name+")", "decrypt the file first")
	case !bytes.Equal(end[4:], []byte("PAR1")):
		return nil, corrupt(t.name, "file ends in %q, not in PAR1: it is cut off or no parquet file", end[4:])
	}
	n := int64(binary.LittleEndian.Uint32(end))
	if n > t.size-12 {
		return nil, corrupt(t.name, "metadata of %d bytes does not fit into a file of %d bytes", n, t.size)
	}
	data, err := t.read(t.size-8-n, n)
	if err != nil {
		return nil, err
	}
	m, err := parseFileMeta(data)
	if err != nil {
		return nil, fault.Corrupt(t.name, "parquet metadata", err)
	}
	m.end = t.size - 8 - n
	return m, nil
}

// Physical types.
const (
	pBoolean = 0
	pInt32   = 1
	pInt64   = 2
	pInt96   = 3
	pFloat   = 4
	pDouble  = 5
	pBytes   = 6
	pFixed   = 7
)

var physicalNames = [...]string{"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}

// Repetitions.
const (
	required = 0
	optional = 1
	repeated = 2
)

// Annotations that change how a value is read; the others do not matter here.
const (
	annNone = iota
	annDecimal
	annMillis
	annMicros
	annNanos
	annUnsigned
)

// fileMeta is the metadata of a file.
type fileMeta struct {
	rows    int64
	schema  []schemaElement
	groups  []rowGroup
	ordered bool  // statistics follow the order of the column's type
	end     int64 // file offset of the metadata, after all data
}

// schemaElement is one node of the schema, in depth-first order.
type schemaElement struct {
	name       string
	physical   int32 // −1 for a group
	length     int32 // of FIXED_LEN_BYTE_ARRAY
	repetition int32
	children   int32
	annotation int
	scale      int32 // of a decimal
}

type rowGroup struct {
	rows   int64
	chunks []chunkMeta
}

// chunkMeta describes the values of one leaf column within one row group.
type chunkMeta struct {
	physical     int32
	codec        int32
	values       int64
	uncompressed int64
	compressed   int64
	dataOffset   int64
	dictOffset   int64
	stats        chunkStats
	offsetIndex  extent
	columnIndex  extent
	bloom        extent // its length is 0 where writers do not tell
	elsewhere    bool   // in another file
	encrypted    bool
	present      bool // has metadata
}

// chunkStats are raw statistics; nil bounds are unknown, as are nulls below 0.
type chunkStats struct {
	min, max       []byte
	oldMin, oldMax []byte // deprecated, in signed order
	nulls          int64
}

type extent struct{ off, len int64 }

// start is where the chunk's first page lies.
func (c *chunkMeta) start() int64 {
	if c.dictOffset > 0 && c.dictOffset < c.dataOffset {
		return c.dictOffset
	}
	return c.dataOffset
}

func parseFileMeta(data []byte) (*fileMeta, error) {
	t := &thrift{b: data}
	m := &fileMeta{}
	seen := 0
	t.fields(tStruct, func(id int16, typ byte) bool {
		switch id {
		case 2:
			t.list(typ, func(typ byte) { m.schema = append(m.schema, t.schemaElement(typ)) })
		case 3:
			m.rows = t.int(typ)
			seen++
		case 4:
			t.list(typ, func(typ byte) { m.groups = append(m.groups, t.rowGroup(typ)) })
		case 7:
			m.ordered = true
			return false
		default:
			return false
		}
		return true
	})
	if t.err != nil {
		return nil, t.err
	}
	if seen == 0 || len(m.schema) == 0 {
		return nil, errors.New("the schema or the number of rows is missing")
	}
	var sum int64
	for i := range m.groups {
		sum += m.groups[i].rows
	}
	if sum != m.rows {
		return nil, fmt.Errorf("row groups hold %d rows, the file %d", sum, m.rows)
	}
	return m, nil
}

func (t *thrift) schemaElement(typ byte) schemaElement {
	e := schemaElement{physical: -1}
	t.fields(typ, func(id int16, typ byte) bool {
		switch id {
		case 1:
			e.physical = t.int32(typ)
		case 2:
			e.length = t.int32(typ)
		case 3:
			e.repetition = t.int32(typ)
		case 4:
			e.name = string(t.bytes(typ))
		case 5:
			e.children = t.int32(typ)
		case 6:
			e.converted(t.int32(typ))
		case 7:
			e.scale = t.int32(typ)
		case 10:
			t.logical(typ, &e)
		default:
			return false
		}
		return true
	})
	if t.err == nil && (e.physical < -1 || e.physical > pFixed || e.repetition < 0 || e.repetition > 2 || e.children < 0) {
		t.fail(fmt.Errorf("schema element %q is impossible", e.name))
	}
	if t.err == nil && e.name == "" {
		t.fail(errors.New("schema element without a name"))
	}
	return e
}

// converted notes what the older annotation says, unless the newer one has spoken.
func (e *schemaElement) converted(v int32) {
	if e.annotation != annNone {
		return
	}
	switch v {
	case 5:
		e.annotation = annDecimal
	case 7, 9:
		e.annotation = annMillis
	case 8, 10:
		e.annotation = annMicros
	case 11, 12, 13, 14:
		e.annotation = annUnsigned
	}
}

func (t *thrift) logical(typ byte, e *schemaElement) {
	t.fields(typ, func(id int16, typ byte) bool {
		switch id {
		case 5:
			e.annotation = annDecimal
			t.fields(typ, func(id int16, typ byte) bool {
				if id == 1 {
					e.scale = t.int32(typ)
				}
				return id == 1
			})
		case 7, 8:
			t.fields(typ, func(id int16, typ byte) bool {
				if id != 2 {
					return false
				}
				t.fields(typ, func(id int16, _ byte) bool {
					if id >= 1 && id <= 3 {
						e.annotation = annMillis + int(id) - 1
					}
					return false
				})
				return true
			})
		case 10:
			t.fields(typ, func(id int16, typ byte) bool {
				if id == 2 && !t.bool(typ) {
					e.annotation = annUnsigned
				}
				return id == 2
			})
		default:
			return false
		}
		return true
	})
}

func (t *thrift) rowGroup(typ byte) rowGroup {
	g := rowGroup{rows: -1}
	t.fields(typ, func(id int16, typ byte) bool {
		switch id {
		case 1:
			t.list(typ, func(typ byte) { g.chunks = append(g.chunks, t.chunk(typ)) })
		case 3:
			g.rows = t.int(typ)
		default:
			return false
		}
		return true
	})
	if t.err == nil && g.rows < 0 {
		t.fail(fmt.Errorf("row group with %d rows", g.rows))
	}
	return g
}

func (t *thrift) chunk(typ byte) chunkMeta {
	c := chunkMeta{stats: chunkStats{nulls: -1}}
	t.fields(typ, func(id int16, typ byte) bool {
		switch id {
		case 1:
			c.elsewhere = len(t.bytes(typ)) > 0
		case 3:
			c.present = true
			t.chunkData(typ, &c)
		case 4:
			c.offsetIndex.off = t.int(typ)
		case 5:
			c.offsetIndex.len = t.int(typ)
		case 6:
			c.columnIndex.off = t.int(typ)
		case 7:
			c.columnIndex.len = t.int(typ)
		case 8:
			c.encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	if t.err == nil && !c.present && !c.encrypted {
		t.fail(errors.New("column chunk without metadata"))
	}
	return c
}

func (t *thrift) chunkData(typ byte, c *chunkMeta) {
	t.fields(typ, func(id int16, typ byte) bool {
		switch id {
		case 1:
			c.physical = t.int32(typ)
		case 4:
			c.codec = t.int32(typ)
		case 5:
			c.values = t.int(typ)
		case 6:
			c.uncompressed = t.int(typ)
		case 7:
			c.compressed = t.int(typ)
		case 9:
			c.dataOffset = t.int(typ)
		case 11:
			c.dictOffset = t.int(typ)
		case 12:
			t.stats(typ, &c.stats)
		case 14:
			c.bloom.off = t.int(typ)
		case 15:
			c.bloom.len = t.int(typ)
		default:
			return false
		}
		return true
	})
}

func (t *thrift) stats(typ byte, s *chunkStats) {
	t.fields(typ, func(id int16, typ byte) bool {
		switch id {
		case 1:
			s.oldMax = t.bytes(typ)
		case 2:
			s.oldMin = t.bytes(typ)
		case 3:
			s.nulls = t.int(typ)
		case 5:
			s.max = t.bytes(typ)
		case 6:
			s.min = t.bytes(typ)
		default:
			return false
		}
		return true
	})
}

// Page types and encodings.
const (
	pageData = 0
	pageDict = 2
	pageV2   = 3

	encPlain       = 0
	encPlainDict   = 2
	encRLE         = 3
	encBitPacked   = 4
	encDelta       = 5
	encDeltaLength = 6
	encDeltaBytes  = 7
	encRLEDict     = 8
	encSplit       = 9
)

// pageHeader stands before every page.
type pageHeader struct {
	kind         int32
	uncompressed int32
	compressed   int32
	crc          uint32
	hasCRC       bool
	values       int32
	encoding     int32
	defEncoding  int32
	repEncoding  int32
	nulls        int32 // v2
	rows         int32 // v2
	defBytes     int32 // v2
	repBytes     int32 // v2
	stored       bool  // v2: values are not compressed
	body         bool  // has the structure of its kind
}

// parsePageHeader returns the header at the start of data and its length.
func parsePageHeader(data []byte) (h pageHeader, n int, err error) {
	t := &thrift{b: data}
	h.kind, h.uncompressed, h.compressed = -1, -1, -1
	h.defEncoding, h.repEncoding = encRLE, encRLE
	t.fields(tStruct, func(id int16, typ byte) bool {
		switch id {
		case 1:
			h.kind = t.int32(typ)
		case 2:
			h.uncompressed = t.int32(typ)
		case 3:
			h.compressed = t.int32(typ)
		case 4:
			h.crc, h.hasCRC = uint32(t.int(typ)), true
		case 5:
			t.fields(typ, h.v1Field(t))
		case 7:
			t.fields(typ, h.dictField(t))
		case 8:
			t.fields(typ, h.v2Field(t))
		default:
			return false
		}
		return true
	})
	return h, t.pos, t.err
}

func (h *pageHeader) v1Field(t *thrift) func(int16, byte) bool {
	h.body = h.body || h.kind == pageData
	return func(id int16, typ byte) bool {
		switch id {
		case 1:
			h.values = t.int32(typ)
		case 2:
			h.encoding = t.int32(typ)
		case 3:
			h.defEncoding = t.int32(typ)
		case 4:
			h.repEncoding = t.int32(typ)
		default:
			return false
		}
		return true
	}
}

func (h *pageHeader) dictField(t *thrift) func(int16, byte) bool {
	h.body = h.body || h.kind == pageDict
	return func(id int16, typ byte) bool {
		switch id {
		case 1:
			h.values = t.int32(typ)
		case 2:
			h.encoding = t.int32(typ)
		default:
			return false
		}
		return true
	}
}

func (h *pageHeader) v2Field(t *thrift) func(int16, byte) bool {
	h.body = h.body || h.kind == pageV2
	return func(id int16, typ byte) bool {
		switch id {
		case 1:
			h.values = t.int32(typ)
		case 2:
			h.nulls = t.int32(typ)
		case 3:
			h.rows = t.int32(typ)
		case 4:
			h.encoding = t.int32(typ)
		case 5:
			h.defBytes = t.int32(typ)
		case 6:
			h.repBytes = t.int32(typ)
		case 7:
			h.stored = !t.bool(typ)
		default:
			return false
		}
		return true
	}
}

// node is an element of the schema as a tree, with its levels.
type node struct {
	schemaElement
	kids   []*node
	leaf   int // index among the leaves, −1 for a group
	maxDef int
	maxRep int
}

// schemaDepth bounds nesting; definition levels must fit a byte.
const schemaDepth = 100

// tree arranges the schema elements and numbers the leaves.
func (m *fileMeta) tree() (root *node, leaves []*node, err error) {
	next := 0
	var build func(parent *node, depth int) (*node, error)
	build = func(parent *node, depth int) (*node, error) {
		if next >= len(m.schema) {
			return nil, errors.New("the schema names more children than it holds")
		}
		if depth > schemaDepth {
			return nil, fmt.Errorf("the schema is nested deeper than %d levels", schemaDepth)
		}
		n := &node{schemaElement: m.schema[next], leaf: -1}
		next++
		if parent != nil {
			n.maxDef, n.maxRep = parent.maxDef, parent.maxRep
			if n.repetition != required {
				n.maxDef++
			}
			if n.repetition == repeated {
				n.maxRep++
			}
		}
		if n.physical >= 0 {
			if n.children != 0 {
				return nil, fmt.Errorf("column %q has both a type and children", n.name)
			}
			n.leaf = len(leaves)
			leaves = append(leaves, n)
			return n, nil
		}
		for range n.children {
			kid, err := build(n, depth+1)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
		return n, nil
	}
	root, err = build(nil, 0)
	if err == nil && next != len(m.schema) {
		err = errors.New("the schema holds more elements than its tree")
	}
	if err == nil && root.physical >= 0 {
		err = errors.New("the schema's root is not a group")
	}
	return root, leaves, err
}

// kid finds a child by its name.
func (n *node) kid(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// checkChunks compares every row group with the leaves and the file's size.
func (m *fileMeta) checkChunks(leaves []*node) error {
	for g := range m.groups {
		group := &m.groups[g]
		if len(group.chunks) != len(leaves) {
			return fmt.Errorf("row group %d holds %d columns, the schema %d", g, len(group.chunks), len(leaves))
		}
		for c := range group.chunks {
			ch := &group.chunks[c]
			if ch.encrypted || ch.elsewhere {
				continue // refused when the column is wanted
			}
			if err := ch.check(leaves[c], group.rows, m.end); err != nil {
				return fmt.Errorf("row group %d: column %q: %w", g, leaves[c].name, err)
			}
		}
	}
	return nil
}

func (c *chunkMeta) check(leaf *node, rows, end int64) error {
	switch {
	case c.physical != leaf.physical:
		return fmt.Errorf("chunk has type %d, the schema %d", c.physical, leaf.physical)
	case c.values < 0 || c.compressed < 0 || c.uncompressed < 0:
		return errors.New("a size is negative")
	case leaf.maxRep == 0 && c.values != rows:
		return fmt.Errorf("chunk holds %d values for %d rows", c.values, rows)
	case leaf.maxRep > 0 && c.values < rows:
		return fmt.Errorf("chunk holds %d values for %d rows", c.values, rows)
	case c.start() < 4 || c.start() > end || c.compressed > end-c.start():
		return fmt.Errorf("%d bytes at %d lie outside the data, which ends at %d", c.compressed, c.start(), end)
	}
	return nil
}
