package datafile

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

// readAhead is how much of a column chunk is read at once, unless the reader says otherwise.
const readAhead = 1 << 20

// chunkIO hands out the bytes of one column chunk in order, reading ahead
// into a buffer of its own, or from memory where the chunk is there already.
type chunkIO struct {
	ctx   context.Context
	obj   store.Object
	name  string
	own   *[]byte // buffer for reading ahead, nil between pages of its size and more
	buf   []byte  // what is in memory: a part of own, of tail or of memory of others
	at    int     // position in buf
	off   int64   // file offset of buf[at]
	end   int64   // of the chunk
	stop  int64   // where reading ahead is to end, at most end
	ahead int64   // bytes to read at once
	tail  [headerRoom]byte
}

// headerRoom holds most page headers. It is read along with the page before, so
// that a large page takes one request.
const headerRoom = 256

func (c *chunkIO) left() int64 { return c.end - c.off }

// peek returns n bytes from the current position, valid until the next peek.
func (c *chunkIO) peek(n int) ([]byte, error) {
	if int64(n) > c.left() {
		return nil, fmt.Errorf("%d bytes are wanted where the column chunk has %d left", n, c.left())
	}
	if have := len(c.buf) - c.at; have < n {
		if err := c.fill(n); err != nil {
			return nil, err
		}
	}
	return c.buf[c.at : c.at+n : c.at+n], nil
}

func (c *chunkIO) fill(n int) error {
	want := int(max(int64(n), min(c.stop-c.off, max(c.ahead, int64(n)+headerRoom))))
	to := c.own
	if to == nil || len(*to) < want {
		to = readBuffer(want)
	}
	have := copy(*to, c.buf[c.at:])
	if to != c.own {
		c.giveBack()
		c.own = to
	}
	c.buf, c.at = (*to)[:have], 0
	if err := readRange(c.ctx, c.obj, c.name, (*to)[have:want], c.off+int64(have)); err != nil {
		return err
	}
	c.buf = (*to)[:want]
	return nil
}

// spent tells that what peek returned is not looked at any more: once a page is
// unpacked its buffer may go to another column. A merge has many, each in the
// middle of a page.
func (c *chunkIO) spent() {
	if rest := c.buf[c.at:]; c.own != nil && len(rest) <= headerRoom {
		c.buf, c.at = c.tail[:copy(c.tail[:], rest)], 0
		c.giveBack()
	}
}

func (c *chunkIO) giveBack() {
	if c.own != nil {
		readBuffers.Put(c.own)
		c.own = nil
	}
}

var readBuffers sync.Pool // of *[]byte

func readBuffer(n int) *[]byte {
	if b, ok := readBuffers.Get().(*[]byte); ok && len(*b) >= n {
		return b
	}
	const step = 64 << 10 // pages that differ by little fit in one another's buffers
	b := make([]byte, (n+step-1)/step*step)
	return &b
}

// advance steps over n bytes, which may lie beyond what was read.
func (c *chunkIO) advance(n int) {
	if c.at += n; c.at > len(c.buf) {
		c.buf, c.at = nil, 0
	}
	c.off += int64(n)
}

// seek moves to off. Reading ahead is to end at stop.
func (c *chunkIO) seek(off, stop int64) {
	c.stop = stop
	if d := off - c.off; d >= -int64(c.at) && d <= int64(len(c.buf)-c.at) {
		c.at += int(d)
	} else {
		c.buf, c.at = nil, 0
	}
	c.off = off
}

// pageLoc is an entry of an offset index.
type pageLoc struct {
	off, size, row int64
}

// leafReader reads one leaf column through the row groups of a file.
//
//	chunk: [dictionary page] data page, data page, …
//	page:  header | repetition levels | definition levels | values
type leafReader struct {
	node  *node
	path  string
	vec   vector
	alloc memory.Allocator
	io    chunkIO
	codec int32
	pages []pageLoc // offset index, nil when there is none or no need
	rows  int64     // of the row group
	row   int64     // next row to read
	todo  int64     // levels of pages not yet opened; −1 after a seek
	first bool      // no page opened yet

	entered int // for chosen rows: one more than the page that the leaf is in

	left     int // levels of the page not yet taken
	def, rep hybrid
	unpacked []byte // memory of the page

	// One batch:
	valid  *memory.Buffer // bit per slot
	slots  int
	values int

	// Leaves below a list, map or row only:
	nested       bool
	defs, reps   []uint8 // of the batch
	qdef, qrep   []uint8 // taken from the page, not yet consumed
	floor        uint8   // least level that makes a slot
	queue, queuR [512]uint8
	scratch      [512]uint32
}

// open starts a column chunk.
func (l *leafReader) open(c *chunkMeta, rows int64, pages []pageLoc) error {
	if c.encrypted {
		return fault.Unsupported("encrypted parquet", "decrypt the file first")
	}
	if c.elsewhere {
		return fault.Unsupported("parquet with columns in other files", "rewrite the file")
	}
	if err := codecError(c.codec); err != nil {
		return err
	}
	l.vec.forget()
	l.codec, l.pages, l.rows, l.row, l.todo, l.first = c.codec, pages, rows, 0, c.values, true
	l.left, l.qdef, l.qrep, l.entered = 0, nil, nil, 0
	l.io.end = c.start() + c.compressed
	l.io.buf, l.io.at, l.io.off, l.io.stop = nil, 0, c.start(), l.io.end
	return nil
}

// preload gives the bytes of the chunk, already in memory.
func (l *leafReader) preload(data []byte) { l.io.buf, l.io.at = data, 0 }

// fail wraps an error with the file and column. Errors of the store and of
// features pass with their class.
func (l *leafReader) fail(err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f) && f.Class == fault.ErrUnsupported:
		return &fault.Error{Class: fault.ErrUnsupported, File: l.io.name, Detail: "column " + l.path + ": " + f.Detail, Hint: f.Hint, Err: f.Err}
	case errors.As(err, &f), errors.As(err, new(storeError)):
		return err
	}
	return fault.Corrupt(l.io.name, fmt.Sprintf("column %s, row group row %d", l.path, l.row), err)
}

// header reads the next page header and steps over it.
func (l *leafReader) header() (pageHeader, error) {
	for want := int64(headerRoom); ; want *= 8 {
		n := min(want, l.io.left())
		data, err := l.io.peek(int(n))
		if err != nil {
			return pageHeader{}, err
		}
		h, used, err := parsePageHeader(data)
		if errors.Is(err, errShort) && n < l.io.left() && want < 1<<24 {
			continue
		}
		if err != nil {
			return h, fmt.Errorf("page header: %w", err)
		}
		l.io.advance(used)
		return h, h.check(l.io.left())
	}
}

func (h *pageHeader) check(left int64) error {
	switch {
	case h.compressed < 0 || int64(h.compressed) > left:
		return fmt.Errorf("page of %d bytes where the column chunk has %d left", h.compressed, left)
	case h.uncompressed < 0 || h.values < 0:
		return errors.New("page header with negative sizes")
	case !h.body && (h.kind == pageData || h.kind == pageV2 || h.kind == pageDict):
		return errors.New("page header without the part of its kind")
	case h.kind == pageV2 && (h.defBytes < 0 || h.repBytes < 0 || h.rows < 0 || h.nulls < 0 || h.nulls > h.values || h.rows > h.values ||
		int64(h.defBytes)+int64(h.repBytes) > int64(min(h.compressed, h.uncompressed))):
		return errors.New("page header with impossible counts")
	}
	return nil
}

// nextPage opens the next data page. Flat pages that hold fewer than skip rows
// are stepped over unopened. It returns io.EOF after the last.
func (l *leafReader) nextPage(skip int64) error {
	for {
		if l.io.left() == 0 || l.todo == 0 {
			return io.EOF
		}
		h, err := l.header()
		if err != nil {
			return err
		}
		switch h.kind {
		case pageDict:
			if !l.first {
				return errors.New("dictionary page behind data pages")
			}
			if err := l.dictionary(h); err != nil {
				return fmt.Errorf("dictionary page: %w", err)
			}
			continue
		case pageData, pageV2:
		default: // index pages: nothing of ours
			l.io.advance(int(h.compressed))
			continue
		}
		l.first = false
		if l.todo >= 0 {
			if int64(h.values) > l.todo {
				return fmt.Errorf("pages hold more values than the column chunk, %d for %d", h.values, l.todo)
			}
			l.todo -= int64(h.values)
		}
		if l.node.maxRep == 0 {
			if int64(h.values) > l.rows-l.row {
				return fmt.Errorf("page of %d rows where the row group has %d left", h.values, l.rows-l.row)
			}
			if skip > 0 && int64(h.values) <= skip {
				l.io.advance(int(h.compressed))
				l.row += int64(h.values)
				skip -= int64(h.values)
				if skip == 0 {
					l.left = 0
					return nil
				}
				continue
			}
		}
		if h.values == 0 {
			l.io.advance(int(h.compressed))
			continue
		}
		return l.data(h)
	}
}

// body returns the page's bytes as stored, after checking their sum.
func (l *leafReader) body(h pageHeader) ([]byte, error) {
	src, err := l.io.peek(int(h.compressed))
	if err != nil {
		return nil, err
	}
	l.io.advance(len(src))
	if h.hasCRC && crc32.ChecksumIEEE(src) != h.crc {
		return nil, errors.New("page does not match its checksum")
	}
	return src, nil
}

func (l *leafReader) dictionary(h pageHeader) error {
	if h.encoding != encPlain && h.encoding != encPlainDict {
		return fmt.Errorf("encoding %d", h.encoding)
	}
	src, err := l.body(h)
	if err != nil {
		return err
	}
	if l.codec != codecNone {
		if l.unpacked, err = decompress(l.codec, l.unpacked[:cap(l.unpacked)], src, int(h.uncompressed)); err != nil {
			return err
		}
		l.io.spent()
		src = l.unpacked
	}
	return l.vec.dictionary(src, int(h.values))
}

// data opens a data page of either version.
func (l *leafReader) data(h pageHeader) error {
	src, err := l.body(h)
	if err != nil {
		return err
	}
	if h.kind == pageV2 {
		return l.dataV2(h, src)
	}
	if l.codec != codecNone {
		if l.unpacked, err = decompress(l.codec, l.unpacked[:cap(l.unpacked)], src, int(h.uncompressed)); err != nil {
			return err
		}
		l.io.spent()
		src = l.unpacked
	}
	if l.node.maxRep > 0 {
		if src, err = levelsV1(&l.rep, src, h.repEncoding, l.node.maxRep); err != nil {
			return fmt.Errorf("repetition levels: %w", err)
		}
	}
	if l.node.maxDef > 0 {
		if src, err = levelsV1(&l.def, src, h.defEncoding, l.node.maxDef); err != nil {
			return fmt.Errorf("definition levels: %w", err)
		}
	}
	l.left = int(h.values)
	return l.vec.page(h.encoding, src)
}

// levelsV1 takes levels that stand behind their length.
func levelsV1(h *hybrid, src []byte, encoding int32, top int) ([]byte, error) {
	if encoding != encRLE {
		return nil, fault.Unsupported(fmt.Sprintf("parquet with levels in encoding %d", encoding), "rewrite the file")
	}
	if len(src) < 4 {
		return nil, errPageEnd
	}
	n := int64(src[0]) | int64(src[1])<<8 | int64(src[2])<<16 | int64(src[3])<<24
	if n > int64(len(src)-4) {
		return nil, fmt.Errorf("%d bytes, %d are left", n, len(src)-4)
	}
	return src[4+n:], h.reset(src[4:4+n], bitWidth(top))
}

func bitWidth(top int) (w uint) {
	for ; top > 0; top >>= 1 {
		w++
	}
	return w
}

// dataV2 opens a page whose levels stand uncompressed before the values. The
// header's count of nulls is not looked at: some writers leave it at zero.
func (l *leafReader) dataV2(h pageHeader, src []byte) error {
	levels := int(h.repBytes + h.defBytes)
	if err := l.rep.reset(src[:h.repBytes], bitWidth(l.node.maxRep)); err != nil {
		return err
	}
	if err := l.def.reset(src[h.repBytes:levels], bitWidth(l.node.maxDef)); err != nil {
		return err
	}
	if l.node.maxRep == 0 && h.rows != h.values {
		return fmt.Errorf("page of %d values claims %d rows", h.values, h.rows)
	}
	src = src[levels:]
	if l.codec != codecNone && !h.stored {
		var err error
		if l.unpacked, err = decompress(l.codec, l.unpacked[:cap(l.unpacked)], src, int(h.uncompressed)-levels); err != nil {
			return err
		}
		src = l.unpacked
	}
	l.left = int(h.values)
	return l.vec.page(h.encoding, src)
}

// skipTo moves forward to a row of the row group, through the offset index
// where that saves pages.
func (l *leafReader) skipTo(row int64, stop int64) error {
	if row <= l.row {
		return nil
	}
	if l.pages != nil {
		if err := l.jump(row, stop); err != nil {
			return err
		}
	}
	if l.nested {
		return l.skipNested(row)
	}
	for l.row < row {
		if l.left == 0 {
			err := l.nextPage(row - l.row)
			if err != nil {
				return noEOF(err)
			}
			continue
		}
		n := int(min(row-l.row, int64(l.left)))
		values := n
		if l.node.maxDef > 0 {
			var err error
			if values, err = l.def.countBits(n); err != nil {
				return err
			}
		}
		if err := l.vec.skip(values); err != nil {
			return err
		}
		l.left -= n
		l.row += int64(n)
	}
	return nil
}

// noEOF turns the end of the chunk, where rows are missing, into an error.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("column chunk ends before its row group")
	}
	return err
}

// jump seeks to the page that holds row when it lies ahead of the current one.
// Reading ahead then ends with the page that holds row stop−1.
func (l *leafReader) jump(row, stop int64) error {
	p := l.pageOf(row)
	if l.pages[p].row <= l.row {
		return nil // within the current page, or the next
	}
	if l.first { // the dictionary, if there is one, stands before all pages
		if dict := l.pages[0].off - l.io.off; dict > 0 {
			h, err := l.header()
			if err != nil {
				return err
			}
			if h.kind == pageDict {
				if err := l.dictionary(h); err != nil {
					return fmt.Errorf("dictionary page: %w", err)
				}
			}
		}
	}
	last := l.pages[l.pageOf(stop-1)]
	l.io.seek(l.pages[p].off, min(last.off+last.size, l.io.end))
	l.first, l.todo = false, -1
	l.left, l.qdef, l.qrep = 0, nil, nil
	l.row = l.pages[p].row
	return nil
}

// pageOf finds the page that holds a row.
func (l *leafReader) pageOf(row int64) int {
	return sort.Search(len(l.pages), func(i int) bool { return l.pages[i].row > row }) - 1
}

// begin starts a batch.
func (l *leafReader) begin(rows int) {
	l.vec.begin(rows)
	l.slots, l.values = 0, 0
	l.defs, l.reps = l.defs[:0], l.reps[:0]
	l.growValid(rows)
}

func (l *leafReader) growValid(slots int) {
	if size := (slots+7)/8 + 8; size > l.valid.Len() {
		l.valid.Resize(max(size, 2*l.valid.Len()))
	}
}

// readFlat appends up to n rows to the batch; fewer when it is full.
func (l *leafReader) readFlat(n int) error {
	for n > 0 {
		if l.left == 0 {
			if err := l.nextPage(0); err != nil {
				return noEOF(err)
			}
		}
		k := min(n, l.left, l.vec.room())
		if k == 0 {
			return nil
		}
		values := k
		if l.node.maxDef > 0 {
			var err error
			if values, err = l.def.bits(l.valid.Bytes(), l.slots, k); err != nil {
				return err
			}
		}
		if err := l.vec.read(values); err != nil {
			return err
		}
		if values < k {
			l.vec.spread(l.valid.Bytes(), l.slots, k, values)
		}
		l.slots += k
		l.values += values
		l.left -= k
		l.row += int64(k)
		n -= k
	}
	return nil
}

// finish ends the batch: the buffers of an Arrow array and its number of nulls.
func (l *leafReader) finish() (bufs []*memory.Buffer, nulls int) {
	nulls = l.slots - l.values
	bufs = append(make([]*memory.Buffer, 0, 3), nil)
	if nulls > 0 {
		l.valid.ResizeNoShrink((l.slots + 7) / 8)
		bufs[0] = l.valid
		l.valid = memory.NewResizableBuffer(l.alloc)
	}
	return append(bufs, l.vec.take()...), nulls
}

func (l *leafReader) release() {
	l.vec.release()
	l.valid.Release()
}
