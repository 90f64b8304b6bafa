package datafile

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	pqschema "github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// A page ends after this many rows, as with parquet-mr, if its bytes do not
// end it before: point reads decode whole pages.
const maxPageRows = 20000

// column writes one leaf of the message: it cuts the rows into pages, encodes
// and packs them. Columns share nothing, so that each may run on its own.
//
//	arrow array --path--> levels + values --page full--> pack --> chunk
type column struct {
	descr *pqschema.Column
	name  string // for errors: the path with dots
	field int    // top-level field
	path  path   // from the field's array to the leaf
	codec codec

	pageBytes int
	vals      values
	chunk     chunk
	dict      packedDict

	// The page being filled.
	rows     int
	nulls    int      // levels below the highest
	flat     nullBits // definition levels of a flat nullable column
	def, rep []uint8  // levels of a nested column

	// What the last trial found best.
	pagesToTrial int
	plainWay     way

	chunkNulls, fileNulls int64

	// Over the file so far, to estimate what an unpacked byte comes to.
	packedBytes, unpackedBytes int64
}

// packedDict is the dictionary page of a chunk that has ended.
type packedDict struct {
	header, data []byte
	unpacked     int
	stats        metadata.EncodedStatistics
}

// scratch is what one worker needs while it encodes; none of it survives a call.
type scratch struct {
	page          []byte
	packed, other []byte
	header        []byte
	rows          []int32
	levels        levels
}

func newColumn(descr *pqschema.Column, field int, p path, trial dictTrial, pageBytes int, c codec) *column {
	col := &column{descr: descr, name: descr.Path(), field: field, path: p, codec: c, pageBytes: pageBytes}
	// Java looks for a wide decimal in the dictionary by its shortest bytes, not
	// by those of the column's width, and so finds none: it writes none either.
	wide := descr.PhysicalType() == parquet.Types.FixedLenByteArray
	if p.leaf().Kind == schema.Boolean || wide {
		trial.state = dictNever
	}
	col.vals = newValues(p.leaf(), trial)
	return col
}

// write appends a whole array of the column's top-level field.
func (c *column) write(a arrow.Array, s *scratch) error {
	var err error
	if len(c.path) == 1 {
		err = c.writeFlat(a, s)
	} else {
		err = c.writeNested(a, s)
	}
	return c.wrap(err)
}

func (c *column) wrap(err error) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) && known.Class != nil {
		return &fault.Error{Class: known.Class, Op: "write column " + c.name, Err: err}
	}
	return fmt.Errorf("write column %s: %w", c.name, err)
}

// countNulls is the array's NullN without its memory: that writes to the
// array, which other goroutines may be reading.
func countNulls(a arrow.Array) int {
	bits := a.NullBitmapBytes()
	if len(bits) == 0 {
		return 0
	}
	return a.Len() - bitutil.CountSetBits(bits, a.Data().Offset(), a.Len())
}

var errNull = fault.Invalid("null in a NOT NULL column")

func (c *column) writeFlat(a arrow.Array, s *scratch) error {
	nullable := c.path[0].nullable
	nulls := countNulls(a)
	if nulls > 0 && !nullable {
		return errNull
	}
	c.vals.bind(a)
	bits, off := a.NullBitmapBytes(), a.Data().Offset()
	for lo, n := 0, a.Len(); lo < n; {
		hi := lo + c.take(lo, n)
		valid := hi - lo
		if nulls > 0 {
			valid = bitutil.CountSetBits(bits, off+lo, hi-lo)
		}
		if nullable {
			c.flat.add(bits, off+lo, hi-lo, valid)
		}
		c.nulls += hi - lo - valid
		c.rows += hi - lo
		var err error
		if valid == hi-lo {
			err = c.vals.put(lo, hi)
		} else {
			s.rows = validRows(s.rows[:0], bits, off, lo, hi)
			err = c.vals.putRows(s.rows)
		}
		if err != nil {
			return err
		}
		lo = hi
		if err := c.endFullPage(s); err != nil {
			return err
		}
	}
	return nil
}

// take is how many of rows lo..hi-1 the page still takes; one at least, so
// that a value larger than a page gets in.
func (c *column) take(lo, hi int) int {
	n := min(hi-lo, maxPageRows-c.rows)
	return max(1, c.vals.fit(lo, lo+n, max(0, c.pageBytes-c.vals.raw())))
}

func (c *column) endFullPage(s *scratch) error {
	// Under 1/64 of a page is left: better than a run of tiny last steps.
	if c.rows < maxPageRows && c.vals.raw() < c.pageBytes-c.pageBytes/64 {
		return nil
	}
	return c.endPage(s)
}

// endPage packs what the page holds.
func (c *column) endPage(s *scratch) error {
	if c.rows == 0 {
		return nil
	}
	levels := c.rows
	s.page = s.page[:0]
	if len(c.path) > 1 {
		levels = len(c.def)
		if c.descr.MaxRepetitionLevel() > 0 {
			s.page = appendLevels(s.page, c.rep, int(c.descr.MaxRepetitionLevel()))
		}
		if c.descr.MaxDefinitionLevel() > 0 {
			s.page = appendLevels(s.page, c.def, int(c.descr.MaxDefinitionLevel()))
		}
	} else if c.path[0].nullable {
		s.page = c.flat.appendTo(s.page)
	}
	page, data, enc, err := c.encode(s, s.page)
	if err != nil {
		return err
	}
	stats := c.vals.endPage()
	stats.SetNullCount(int64(c.nulls))
	stats.AllNullValue = c.nulls == levels
	s.header = appendDataHeader(s.header[:0], len(page), data, levels, enc)
	err = c.chunk.add(s.header, data, pageInfo{firstRow: c.chunk.rows, enc: enc, stats: stats}, len(page))
	c.chunk.values += int64(levels)
	c.chunk.rows += int64(c.rows)
	c.chunkNulls += int64(c.nulls)
	c.packedBytes += int64(len(data))
	c.unpackedBytes += int64(len(page))
	c.rows, c.nulls = 0, 0
	c.flat.reset()
	c.def, c.rep = c.def[:0], c.rep[:0]
	return err
}

// A column's first page, and one in trialPages after it, is encoded and packed
// in all the ways that it could be; the best serves it and those that follow.
const trialPages = 32

// encode appends the values to the levels and packs both. Integers are never
// kept as differences (DELTA_BINARY_PACKED): under a filter that left out pages
// Paimon 1.4.2 has read other values from such a column than were written.
func (c *column) encode(s *scratch, levels []byte) (page, packed []byte, enc parquet.Encoding, err error) {
	trial := c.pagesToTrial == 0
	if trial {
		c.pagesToTrial = trialPages
	}
	c.pagesToTrial--
	s.page, enc = c.vals.encode(levels)
	packed, err = c.pack(s, s.page, len(levels), c.vals.stride(), trial, &c.plainWay)
	return s.page, packed, enc, err
}

// way is how a column's pages are packed.
type way uint8

const (
	wayFull way = iota
	wayLiterals
	wayStrided
)

// pack compresses a page into s.packed, on trial in every way there is, of
// which it notes the best. stride is 0 unless the page can be strided.
func (c *column) pack(s *scratch, page []byte, levels, stride int, trial bool, best *way) ([]byte, error) {
	if c.codec.pack == nil {
		return page, nil
	}
	if !c.codec.literals || len(page) > 1<<26 {
		return c.packAs(s, wayFull, page, 0, 0)
	}
	if stride > 0 && !canStride(len(page), levels, stride) {
		stride = 0
	}
	if !trial {
		w := *best
		if w == wayStrided && stride == 0 {
			w = wayFull
		}
		return c.packAs(s, w, page, levels, stride)
	}
	if _, err := c.packAs(s, wayFull, page, 0, 0); err != nil {
		return nil, err
	}
	*best = wayFull
	for _, w := range []way{wayLiterals, wayStrided} {
		if w == wayStrided && stride == 0 {
			continue
		}
		s.packed, s.other = s.other, s.packed
		if _, err := c.packAs(s, w, page, levels, stride); err != nil {
			return nil, err
		}
		slack := 0
		if *best == wayFull {
			slack = c.codec.slack
		}
		if len(s.packed)*100 <= len(s.other)*(100+slack) {
			*best = w
		} else {
			s.packed, s.other = s.other, s.packed
		}
	}
	return s.packed, nil
}

func (c *column) packAs(s *scratch, w way, page []byte, levels, stride int) ([]byte, error) {
	var err error
	switch w {
	case wayLiterals:
		s.packed, err = packLiterals(s.packed[:0], page)
	case wayStrided:
		s.packed, err = packStrided(s.packed[:0], page, levels, stride)
	default:
		s.packed, err = c.codec.pack(s.packed[:0], page)
	}
	return s.packed, err
}

// endChunk ends the last page and the dictionary of the row group.
func (c *column) endChunk(s *scratch) error {
	if err := c.endPage(s); err != nil {
		return c.wrap(err)
	}
	dict, entries, stats := c.vals.endChunk(s.page[:0])
	s.page = dict
	stats.SetNullCount(c.chunkNulls)
	c.fileNulls += c.chunkNulls
	c.chunkNulls = 0
	c.dict = packedDict{header: c.dict.header[:0], data: c.dict.data[:0], stats: stats, unpacked: len(dict)}
	if entries == 0 {
		return nil
	}
	full := wayFull
	data, err := c.pack(s, dict, 0, 0, false, &full)
	c.dict.data = append(c.dict.data, data...)
	c.dict.header = appendDictHeader(c.dict.header, len(dict), data, entries)
	return c.wrap(err)
}

// buffered is what the open row group holds in memory.
func (c *column) buffered() int64 {
	return c.chunk.size + int64(c.vals.raw()+len(c.def)+len(c.rep))
}

// estimate is what the open row group will add to the file.
func (c *column) estimate() int64 {
	pending := int64(c.vals.raw() + (len(c.def)+len(c.rep)+c.flat.rows)/8)
	if c.unpackedBytes > 0 {
		pending = pending * c.packedBytes / c.unpackedBytes
	}
	return c.chunk.size + pending
}

// stats are the column's in the file, for the manifest.
func (c *column) stats() ColumnStats {
	lo, hi := c.vals.bounds(c.path.leaf())
	return ColumnStats{Min: lo, Max: hi, Nulls: c.fileNulls}
}

// flush copies the ended chunk to the file and describes it.
func (c *column) flush(out *sink, meta *metadata.ColumnChunkMetaDataBuilder, ci metadata.ColumnIndexBuilder, oi *metadata.OffsetIndexBuilder) error {
	info := metadata.ChunkMetaInfo{NumValues: c.chunk.values, IndexPageOffset: -1,
		CompressedSize: c.chunk.size, UncompressedSize: c.chunk.unpacked}
	encs := metadata.EncodingStats{DictEncodingStats: map[parquet.Encoding]int32{}, DataEncodingStats: map[parquet.Encoding]int32{}}
	hasDict := len(c.dict.header) > 0
	if hasDict {
		info.DictPageOffset = out.Tell()
		info.CompressedSize += int64(len(c.dict.header) + len(c.dict.data))
		info.UncompressedSize += int64(len(c.dict.header) + c.dict.unpacked)
		encs.DictEncodingStats[parquet.Encodings.PlainDict] = 1
		out.put(c.dict.header)
		out.put(c.dict.data)
	}
	info.DataPageOffset = out.Tell()
	at := info.DataPageOffset
	for i := range c.chunk.pages {
		p := &c.chunk.pages[i]
		encs.DataEncodingStats[p.enc]++
		if err := errors.Join(ci.AddPage(&p.stats), oi.AddPage(at, p.firstRow, p.bytes)); err != nil {
			return err
		}
		at += int64(p.bytes)
	}
	for i := range c.chunk.blocks {
		b := &c.chunk.blocks[i]
		out.put(b.buf[:b.n])
	}
	meta.SetStats(c.dict.stats)
	fallback := hasDict && encs.DataEncodingStats[parquet.Encodings.Plain] > 0
	err := errors.Join(meta.Finish(info, hasDict, fallback, encs), ci.Finish(), oi.Finish(0), out.err)
	c.chunk.restart()
	return err
}
