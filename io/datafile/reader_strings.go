package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// batchBytes is how many bytes of text one column puts into a batch before it
// ends the batch early.
const batchBytes = 64 << 20

// slack is kept free behind text that short values are copied to, and present
// behind text they are copied from, so that sixteen bytes can move at once.
const slack = 16

var errTextFull = errors.New("values of one batch exceed 2 GiB; read smaller batches")

// bytesVector is a vector of text or bytes: offsets, and the bytes end to end.
type bytesVector struct {
	coded
	alloc   memory.Allocator
	dictAt  []uint32 // offsets into dictBuf, one more than values; nil without dictionary
	dictBuf []byte   // with slack behind
	longest int      // dictionary value
	offs    *memory.Buffer
	out     []int32 // one more than slots
	data    *memory.Buffer
	text    []byte // all of data
	n, size int
	guess   int // bytes of the last batch
	idxs    [512]uint32
}

func (v *bytesVector) dictionary(data []byte, n int) error {
	v.enc, v.src = encPlain, data
	least := v.width
	if least == 0 {
		least = 4
	}
	if n > len(data)/least {
		return fmt.Errorf("dictionary of %d bytes claims %d values", len(data), n)
	}
	v.dictAt = append(v.dictAt[:0], 0)
	v.dictBuf = v.dictBuf[:0]
	v.longest = 0
	for range n {
		b, err := v.bytes()
		if err != nil {
			return err
		}
		v.dictBuf = append(v.dictBuf, b...)
		v.dictAt = append(v.dictAt, uint32(len(v.dictBuf)))
		v.longest = max(v.longest, len(b))
	}
	v.dictBuf = append(v.dictBuf, make([]byte, slack)...)
	return nil
}

func (v *bytesVector) forget() { v.dictAt = v.dictAt[:0] }

func (v *bytesVector) page(enc int32, data []byte) error {
	return v.open(enc, data, len(v.dictAt)-1)
}

func (v *bytesVector) begin(slots int) {
	v.release()
	v.offs = memory.NewResizableBuffer(v.alloc)
	v.data = memory.NewResizableBuffer(v.alloc)
	v.grow(slots)
	v.out[0] = 0
	v.reserve(v.guess + v.guess/16)
}

func (v *bytesVector) grow(slots int) {
	if slots < len(v.out) {
		return
	}
	v.offs.Resize(4 * max(slots+1, 2*len(v.out)))
	v.out = view[int32](v.offs.Bytes())
}

// reserve makes room for n more bytes and the slack behind them.
func (v *bytesVector) reserve(n int) {
	if need := v.size + n + slack; need > len(v.text) {
		v.data.Resize(max(need, len(v.text)+len(v.text)/2))
		v.text = v.data.Bytes()
	}
}

func (v *bytesVector) room() int {
	left := batchBytes - v.size
	each := 1
	switch v.enc {
	case encRLEDict:
		each = v.longest
	case encDeltaBytes:
		each = len(v.strs.last)
	}
	if left <= 0 || v.size > 0 && left < each {
		return 0
	}
	return min(max(left/max(each, 1), 1), roomRows)
}

func (v *bytesVector) read(n int) error {
	v.grow(v.n + n)
	out := v.out[v.n+1 : v.n+1+n]
	v.n += n
	switch {
	case v.enc == encRLEDict:
		return v.gather(out)
	case v.enc == encPlain && v.width == 0:
		return v.plain(out)
	}
	for i := range out {
		b, err := v.bytes()
		if err != nil {
			return err
		}
		if v.size+len(b) > math.MaxInt32-slack {
			return errTextFull
		}
		v.reserve(len(b))
		copy(v.text[v.size:], b)
		v.size += len(b)
		out[i] = int32(v.size)
	}
	return nil
}

// plain copies values that stand one after the other, each behind its length.
func (v *bytesVector) plain(out []int32) error {
	src, at, size, text := v.src, 0, v.size, v.text
	for i := range out {
		if at+4 > len(src) {
			return errPageEnd
		}
		n := int(binary.LittleEndian.Uint32(src[at:]))
		at += 4
		if n > len(src)-at {
			return fmt.Errorf("value of %d bytes, %d are left", n, len(src)-at)
		}
		if size+n+slack > len(text) {
			if size+n > math.MaxInt32-slack {
				return errTextFull
			}
			v.size = size
			v.reserve(n + (len(out)-i)*min(n, 64))
			text = v.text
		}
		if n <= slack && at+slack <= len(src) {
			d, s := text[size:size+slack], src[at:at+slack]
			binary.LittleEndian.PutUint64(d, binary.LittleEndian.Uint64(s))
			binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:]))
		} else {
			copy(text[size:size+n], src[at:at+n])
		}
		at += n
		size += n
		out[i] = int32(size)
	}
	v.src, v.size = src[at:], size
	return nil
}

// gather copies dictionary values.
func (v *bytesVector) gather(out []int32) error {
	at, dict := v.dictAt, v.dictBuf
	for len(out) > 0 {
		idx := v.idxs[:min(len(out), len(v.idxs))]
		if err := v.idx.read(idx); err != nil {
			return err
		}
		if v.size+len(idx)*v.longest > math.MaxInt32-slack {
			return errTextFull
		}
		v.reserve(len(idx) * v.longest)
		size, text := v.size, v.text
		for i, k := range idx {
			if uint(k)+1 >= uint(len(at)) {
				return fmt.Errorf("dictionary of %d values has no number %d", len(at)-1, k)
			}
			from, to := at[k], at[k+1]
			n := int(to - from)
			if n <= slack {
				d, s := text[size:size+slack], dict[from:from+slack]
				binary.LittleEndian.PutUint64(d, binary.LittleEndian.Uint64(s))
				binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:]))
			} else {
				copy(text[size:size+n], dict[from:to])
			}
			size += n
			out[i] = int32(size)
		}
		v.size = size
		out = out[len(idx):]
	}
	return nil
}

func (v *bytesVector) skip(n int) error {
	switch {
	case v.enc == encRLEDict:
		return v.idx.skip(n)
	case v.enc == encPlain && v.width > 0:
		_, err := v.fixedBytes(n)
		return err
	}
	for range n {
		if _, err := v.bytes(); err != nil {
			return err
		}
	}
	return nil
}

func (v *bytesVector) spread(valid []byte, from, slots, n int) {
	first := v.n - n
	v.grow(first + slots)
	v.n = first + slots
	out := v.out[first : v.n+1]
	j := n
	for i := slots; i > j; i-- { // ends of values; a null ends where the one before it does
		out[i] = out[j]
		j -= int(valid[(from+i-1)>>3] >> ((from + i - 1) & 7) & 1)
	}
}

func (v *bytesVector) take() []*memory.Buffer {
	v.guess = v.size
	v.offs.ResizeNoShrink(4 * (v.n + 1))
	v.data.ResizeNoShrink(v.size)
	b := []*memory.Buffer{v.offs, v.data}
	v.offs, v.data, v.out, v.text, v.n, v.size = nil, nil, nil, nil, 0, 0
	return b
}

func (v *bytesVector) release() {
	if v.offs != nil {
		v.offs.Release()
		v.data.Release()
	}
	v.offs, v.data, v.out, v.text, v.n, v.size = nil, nil, nil, nil, 0, 0
}
