package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A vector turns the encoded values of one leaf column into the Arrow buffers
// of one batch at a time. Values arrive densely, nulls left out; spread then
// moves the last ones to their places.
//
//	page values   a b c            read(3)
//	buffer      … a b c · ·
//	valid         1 0 1 1 0        spread
//	buffer      … a 0 b c 0
type vector interface {
	// dictionary decodes the PLAIN values of a dictionary page.
	dictionary(data []byte, n int) error
	// forget drops the dictionary at the end of a column chunk.
	forget()
	// page starts the values of a data page.
	page(enc int32, data []byte) error
	// begin starts a batch of about that many slots.
	begin(slots int)
	// room is how many values may be read before asking again, 0 when the
	// batch holds enough bytes.
	room() int
	// read appends n values of the page, skip steps over them.
	read(n int) error
	skip(n int) error
	// spread makes slots out of the last n values: slot i is the next value
	// where bit from+i of valid is set.
	spread(valid []byte, from, slots, n int)
	// take ends the batch and gives its buffers away, those after validity.
	take() []*memory.Buffer
	// release drops an unfinished batch.
	release()
}

// roomRows bounds one step of reading.
const roomRows = 4096

// fixed are the cells of fixed-width Arrow arrays; floats travel as their bits.
type fixed interface {
	int8 | int16 | int32 | int64 | decimal128.Num
}

// view sees the bytes of a buffer as cells.
func view[T fixed](b []byte) []T {
	var z T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(z)))
}

// raw sees cells as bytes.
func raw[T fixed](s []T) []byte {
	var z T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(z)))
}

// littleEndian says that cells in memory are as they are in files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// coded is the undecoded part of the current page, common to all vectors.
type coded struct {
	physical int32
	width    int // bytes of a PLAIN value, 0 when its length stands before it
	enc      int32
	src      []byte
	idx      hybrid
	ints     delta
	strs     deltaBytes
	swap     []byte // BYTE_STREAM_SPLIT put together again
}

var errPageEnd = errors.New("page holds fewer values than it claims")

func (c *coded) open(enc int32, data []byte, dict int) error {
	c.enc, c.src = enc, data
	ok := true
	switch enc {
	case encPlain:
	case encPlainDict, encRLEDict:
		c.enc = encRLEDict
		if dict < 0 {
			return errors.New("page refers to a dictionary that is missing")
		}
		if len(data) == 0 { // only nulls
			return c.idx.reset(nil, 1)
		}
		return c.idx.reset(data[1:], uint(data[0]))
	case encDelta:
		if ok = c.physical == pInt32 || c.physical == pInt64; ok {
			if len(data) == 0 {
				c.ints = delta{}
				return nil
			}
			return c.ints.reset(data)
		}
	case encDeltaLength, encDeltaBytes:
		if ok = c.physical == pBytes || enc == encDeltaBytes && c.physical == pFixed; ok {
			if len(data) == 0 {
				c.strs.left, c.strs.at, c.strs.have = 0, 0, 0
				return nil
			}
			return c.strs.reset(data, enc == encDeltaBytes)
		}
	case encSplit:
		if ok = c.width > 1; ok {
			c.enc = encPlain
			return c.join(data)
		}
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("encoding %d does not go with type %s", enc, physicalNames[c.physical])
	}
	return nil
}

// join undoes BYTE_STREAM_SPLIT: first bytes of all values, then second bytes, …
func (c *coded) join(data []byte) error {
	n := len(data) / c.width
	if n*c.width != len(data) {
		return fmt.Errorf("%d bytes do not divide into values of %d", len(data), c.width)
	}
	c.swap = append(c.swap[:0], data...)
	for k := range c.width {
		part := data[k*n : (k+1)*n]
		for i, b := range part {
			c.swap[i*c.width+k] = b
		}
	}
	c.src = c.swap
	return nil
}

// fixedBytes takes n PLAIN values of fixed width.
func (c *coded) fixedBytes(n int) ([]byte, error) {
	if n*c.width > len(c.src) {
		return nil, errPageEnd
	}
	p := c.src[:n*c.width]
	c.src = c.src[len(p):]
	return p, nil
}

// bytes takes the next PLAIN value with a length before it, or the next of a
// delta encoding.
func (c *coded) bytes() ([]byte, error) {
	if c.enc != encPlain {
		v, err := c.strs.next()
		if err == nil && c.width > 0 && len(v) != c.width {
			err = fmt.Errorf("value of %d bytes where all have %d", len(v), c.width)
		}
		return v, err
	}
	if c.width > 0 {
		return c.fixedBytes(1)
	}
	if len(c.src) < 4 {
		return nil, errPageEnd
	}
	n := int(binary.LittleEndian.Uint32(c.src))
	if n > len(c.src)-4 {
		return nil, fmt.Errorf("value of %d bytes, %d are left", n, len(c.src)-4)
	}
	v := c.src[4 : 4+n]
	c.src = c.src[4+n:]
	return v, nil
}

// fixedVector is a vector of fixed-width cells.
type fixedVector[T fixed] struct {
	coded
	alloc memory.Allocator
	plain func(dst []T, src []byte) error // PLAIN values of width bytes to cells
	one   func(v []byte) (T, error)       // a value of varying length to a cell
	dict  []T
	has   bool // dictionary seen
	buf   *memory.Buffer
	out   []T
	n     int
	idxs  [512]uint32
	nums  []int64
	nums4 []int32
}

func (v *fixedVector[T]) dictionary(data []byte, n int) error {
	v.enc, v.src = encPlain, data
	if n > len(data)/max(v.width, 1) || v.width == 0 && n > len(data)/4 {
		return fmt.Errorf("dictionary of %d bytes claims %d values", len(data), n)
	}
	if cap(v.dict) < n {
		v.dict = make([]T, n)
	}
	v.dict, v.has = v.dict[:n], true
	if v.one == nil {
		src, err := v.fixedBytes(n)
		if err != nil {
			return err
		}
		return v.plain(v.dict, src)
	}
	for i := range v.dict {
		b, err := v.bytes()
		if err != nil {
			return err
		}
		if v.dict[i], err = v.one(b); err != nil {
			return err
		}
	}
	return nil
}

func (v *fixedVector[T]) forget() { v.has = false }

func (v *fixedVector[T]) page(enc int32, data []byte) error {
	dict := -1
	if v.has {
		dict = len(v.dict)
	}
	return v.open(enc, data, dict)
}

func (v *fixedVector[T]) begin(slots int) {
	v.release()
	v.buf = memory.NewResizableBuffer(v.alloc)
	v.grow(slots)
}

func (v *fixedVector[T]) grow(slots int) {
	if slots <= len(v.out) {
		return
	}
	var z T
	v.buf.Resize(max(slots, 2*len(v.out)) * int(unsafe.Sizeof(z)))
	v.out = view[T](v.buf.Bytes())
}

func (v *fixedVector[T]) room() int { return roomRows }

func (v *fixedVector[T]) read(n int) error {
	v.grow(v.n + n)
	dst := v.out[v.n : v.n+n]
	v.n += n
	switch v.enc {
	case encPlain:
		if v.one != nil {
			return v.readBytes(dst)
		}
		src, err := v.fixedBytes(n)
		if err != nil {
			return err
		}
		return v.plain(dst, src)
	case encRLEDict:
		return v.gather(dst)
	case encDelta:
		return v.readInts(dst)
	default:
		return v.readBytes(dst)
	}
}

// gather looks dictionary values up.
func (v *fixedVector[T]) gather(dst []T) error {
	dict := v.dict
	for len(dst) > 0 {
		idx := v.idxs[:min(len(dst), len(v.idxs))]
		if err := v.idx.read(idx); err != nil {
			return err
		}
		part := dst[:len(idx)]
		for i, k := range idx {
			if uint(k) >= uint(len(dict)) {
				return fmt.Errorf("dictionary of %d values has no number %d", len(dict), k)
			}
			part[i] = dict[k]
		}
		dst = dst[len(idx):]
	}
	return nil
}

// readInts decodes delta-packed integers and has plain convert them.
func (v *fixedVector[T]) readInts(dst []T) error {
	if v.nums == nil {
		v.nums, v.nums4 = make([]int64, 512), make([]int32, 512)
	}
	for len(dst) > 0 {
		nums := v.nums[:min(len(dst), len(v.nums))]
		if err := v.ints.read(nums); err != nil {
			return err
		}
		src := raw(nums)
		if v.physical == pInt32 {
			for i, x := range nums {
				v.nums4[i] = int32(x)
			}
			src = raw(v.nums4[:len(nums)])
		}
		if err := v.plain(dst[:len(nums)], src); err != nil {
			return err
		}
		dst = dst[len(nums):]
	}
	return nil
}

func (v *fixedVector[T]) readBytes(dst []T) (err error) {
	for i := range dst {
		b, err := v.bytes()
		if err != nil {
			return err
		}
		if v.one == nil {
			err = v.plain(dst[i:i+1], b)
		} else {
			dst[i], err = v.one(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *fixedVector[T]) skip(n int) error {
	switch {
	case v.enc == encRLEDict:
		return v.idx.skip(n)
	case v.enc == encPlain && v.one == nil:
		_, err := v.fixedBytes(n)
		return err
	case v.enc == encDelta:
		if v.nums == nil {
			v.nums, v.nums4 = make([]int64, 512), make([]int32, 512)
		}
		for n > 0 {
			k := min(n, len(v.nums))
			if err := v.ints.read(v.nums[:k]); err != nil {
				return err
			}
			n -= k
		}
		return nil
	}
	for range n {
		if _, err := v.bytes(); err != nil {
			return err
		}
	}
	return nil
}

func (v *fixedVector[T]) spread(valid []byte, from, slots, n int) {
	first := v.n - n
	v.grow(first + slots)
	v.n = first + slots
	out := v.out[first:v.n]
	var zero T
	j := n - 1
	for i := slots - 1; i > j; i-- { // from i == j on every value is in place
		if valid[(from+i)>>3]>>((from+i)&7)&1 != 0 {
			out[i] = out[j]
			j--
		} else {
			out[i] = zero
		}
	}
}

func (v *fixedVector[T]) take() []*memory.Buffer {
	var z T
	v.buf.ResizeNoShrink(v.n * int(unsafe.Sizeof(z)))
	b := v.buf
	v.buf, v.out, v.n = nil, nil, 0
	return []*memory.Buffer{b}
}

func (v *fixedVector[T]) release() {
	if v.buf != nil {
		v.buf.Release()
	}
	v.buf, v.out, v.n = nil, nil, 0
}

// boolVector is a vector of booleans, a bitmap in files and in Arrow.
type boolVector struct {
	alloc memory.Allocator
	rle   bool
	bits  hybrid
	src   []byte
	at    int // bit of src
	buf   *memory.Buffer
	n     int
}

func (v *boolVector) dictionary([]byte, int) error { return errors.New("booleans with a dictionary") }
func (v *boolVector) forget()                      {}
func (v *boolVector) room() int                    { return roomRows }

func (v *boolVector) page(enc int32, data []byte) error {
	v.src, v.at, v.rle = data, 0, enc == encRLE
	switch {
	case enc == encPlain:
		return nil
	case enc != encRLE:
		return fmt.Errorf("encoding %d does not go with type BOOLEAN", enc)
	case len(data) == 0:
		return v.bits.reset(nil, 1)
	case len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4):
		return errPageEnd
	}
	return v.bits.reset(data[4:4+binary.LittleEndian.Uint32(data)], 1)
}

func (v *boolVector) begin(slots int) {
	v.release()
	v.buf = memory.NewResizableBuffer(v.alloc)
	v.grow(slots)
}

func (v *boolVector) grow(slots int) {
	if size := (slots + 7) / 8; size > v.buf.Len() {
		v.buf.Resize(max(size, 2*v.buf.Len()))
	}
}

func (v *boolVector) read(n int) (err error) {
	v.grow(v.n + n)
	if v.rle {
		_, err = v.bits.bits(v.buf.Bytes(), v.n, n)
	} else {
		if v.at+n > 8*len(v.src) {
			return errPageEnd
		}
		copyBits(v.buf.Bytes(), v.n, v.src, v.at, n)
		v.at += n
	}
	v.n += n
	return err
}

func (v *boolVector) skip(n int) error {
	if v.rle {
		return v.bits.skip(n)
	}
	if v.at+n > 8*len(v.src) {
		return errPageEnd
	}
	v.at += n
	return nil
}

func (v *boolVector) spread(valid []byte, from, slots, n int) {
	first := v.n - n
	v.grow(first + slots)
	v.n = first + slots
	out := v.buf.Bytes()
	j := first + n - 1
	for i := slots - 1; first+i > j; i-- {
		at := first + i
		b := byte(0)
		if valid[(from+i)>>3]>>((from+i)&7)&1 != 0 {
			b = out[j>>3] >> (j & 7) & 1
			j--
		}
		out[at>>3] = out[at>>3]&^(1<<(at&7)) | b<<(at&7)
	}
}

func (v *boolVector) take() []*memory.Buffer {
	v.buf.ResizeNoShrink((v.n + 7) / 8)
	b := v.buf
	v.buf, v.n = nil, 0
	return []*memory.Buffer{b}
}

func (v *boolVector) release() {
	if v.buf != nil {
		v.buf.Release()
	}
	v.buf, v.n = nil, 0
}
