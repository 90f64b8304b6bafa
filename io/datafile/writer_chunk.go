package datafile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// chunk holds one column of the open row group as finished pages, header and
// packed values, ready to be copied to the file:
//
//	[dictionary page] [data page] [data page] …
//
// Pages lie in blocks, one going on in the next, that start small and double, so
// that a writer of few rows stays small, and that the next row group uses again.
type chunk struct {
	alloc  memory.Allocator
	blocks []block // in order
	used   int     // blocks that are full
	pages  []pageInfo
	size   int64 // bytes in blocks

	values   int64 // levels, nulls included
	rows     int64
	unpacked int64 // bytes of headers and unpacked pages
}

type block struct {
	buf []byte // all of the allocation
	n   int
}

// pageInfo is what the indexes need to know of a page.
type pageInfo struct {
	bytes    int32 // header included
	firstRow int64
	enc      parquet.Encoding
	stats    metadata.EncodedStatistics
}

const (
	minBlock = 512 // of a file of a few rows, one for each column
	maxBlock = 256 << 10
)

// append copies bytes behind the others, through as many blocks as they need.
func (c *chunk) append(data []byte) {
	for len(data) > 0 {
		if c.used == len(c.blocks) {
			c.grow()
		}
		b := &c.blocks[c.used]
		n := copy(b.buf[b.n:], data)
		if b.n += n; b.n == len(b.buf) {
			c.used++
		}
		data = data[n:]
	}
}

func (c *chunk) grow() {
	size := minBlock
	if k := len(c.blocks); k > 0 {
		size = min(maxBlock, 2*len(c.blocks[k-1].buf))
	}
	c.blocks = append(c.blocks, block{buf: c.alloc.Allocate(size)})
}

func (c *chunk) add(header, data []byte, info pageInfo, unpacked int) error {
	n := len(header) + len(data)
	if unpacked > math.MaxInt32 || n > math.MaxInt32 {
		return fmt.Errorf("a page of %d bytes is beyond what parquet can hold", unpacked)
	}
	c.append(header)
	c.append(data)
	c.size += int64(n)
	c.unpacked += int64(len(header) + unpacked)
	info.bytes = int32(n)
	c.pages = append(c.pages, info)
	return nil
}

// restart empties the chunk and keeps its blocks.
func (c *chunk) restart() {
	for i := range c.blocks {
		c.blocks[i].n = 0
	}
	clear(c.pages) // they hold bounds
	c.pages = c.pages[:0]
	c.used, c.size, c.values, c.rows, c.unpacked = 0, 0, 0, 0, 0
}

func (c *chunk) free() {
	for _, b := range c.blocks {
		c.alloc.Free(b.buf)
	}
	*c = chunk{alloc: c.alloc}
}

// Page headers in Thrift's compact form. Each field is one byte of type and
// distance to the field before it, and then the value.
const (
	thriftFalse  = 2
	thriftInt32  = 5
	thriftStruct = 12
)

func thriftInt(dst []byte, skip byte, v int) []byte {
	return binary.AppendVarint(append(dst, skip<<4|thriftInt32), int64(v))
}

// appendPageHeader begins the header of a page that is stored as packed. The
// checksum is Java's default too: a flipped bit is noticed instead of read.
func appendPageHeader(dst []byte, kind, unpacked int, packed []byte) []byte {
	dst = thriftInt(dst, 1, kind)
	dst = thriftInt(dst, 1, unpacked)
	dst = thriftInt(dst, 1, len(packed))
	return thriftInt(dst, 1, int(int32(crc32.ChecksumIEEE(packed))))
}

func appendDataHeader(dst []byte, unpacked int, packed []byte, values int, enc parquet.Encoding) []byte {
	dst = appendPageHeader(dst, 0, unpacked, packed)
	dst = append(dst, 1<<4|thriftStruct) // field 5
	dst = thriftInt(dst, 1, values)
	dst = thriftInt(dst, 1, int(enc))
	dst = thriftInt(dst, 1, int(parquet.Encodings.RLE))
	dst = thriftInt(dst, 1, int(parquet.Encodings.RLE))
	return append(dst, 0, 0)
}

func appendDictHeader(dst []byte, unpacked int, packed []byte, entries int) []byte {
	dst = appendPageHeader(dst, 2, unpacked, packed)
	dst = append(dst, 3<<4|thriftStruct) // field 7
	dst = thriftInt(dst, 1, entries)
	dst = thriftInt(dst, 1, int(parquet.Encodings.PlainDict))
	return append(dst, 1<<4|thriftFalse, 0, 0)
}
