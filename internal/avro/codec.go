package avro

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/tidelake/tidelake/internal/fault"
)

// The codecs, by their name in a file's metadata.
const (
	CodecNull    = "null"
	CodecDeflate = "deflate"
	CodecSnappy  = "snappy"
	CodecZstd    = "zstandard"
	CodecBzip2   = "bzip2" // reading only
)

// A block may not expand beyond maxBlock, nor beyond maxRatio times its
// stored size where that is more than freeBlock: a small file cannot ask for
// a lot of memory.
const (
	maxBlock  = 1 << 30
	freeBlock = 16 << 20
	maxRatio  = 1024
)

var errTooLarge = errors.New("block expands beyond the limit")

func blockLimit(stored int) int { return min(maxBlock, max(freeBlock, stored*maxRatio)) }

// decompress expands a block into dst[:0], growing it as needed. The result
// may alias src for the null codec.
func decompress(codec string, dst, src []byte) ([]byte, error) {
	limit := blockLimit(len(src))
	switch codec {
	case CodecNull:
		return src, nil
	case CodecDeflate:
		r := flaters.Get().(io.ReadCloser)
		defer flaters.Put(r)
		if err := r.(flate.Resetter).Reset(bytes.NewReader(src), nil); err != nil {
			return nil, err
		}
		return readLimited(dst, r, limit)
	case CodecSnappy:
		return unsnap(dst, src, limit)
	case CodecZstd:
		return unzstd(dst, src, limit)
	case CodecBzip2:
		return readLimited(dst, bzip2.NewReader(bytes.NewReader(src)), limit)
	}
	return nil, checkCodec(codec)
}

// checkCodec refuses codecs that cannot be read.
func checkCodec(codec string) error {
	switch codec {
	case CodecNull, CodecDeflate, CodecSnappy, CodecZstd, CodecBzip2:
		return nil
	}
	return fault.Unsupported(fmt.Sprintf("avro codec %q", codec), "write the file with zstandard, snappy, deflate or null")
}

var flaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

func readLimited(dst []byte, r io.Reader, limit int) ([]byte, error) {
	b := bytes.NewBuffer(dst[:0])
	n, err := io.Copy(b, io.LimitReader(r, int64(limit)+1))
	if err == nil && n > int64(limit) {
		err = errTooLarge
	}
	return b.Bytes(), err
}

// unsnap expands a snappy block, which ends with the big-endian CRC-32 of its content.
func unsnap(dst, src []byte, limit int) ([]byte, error) {
	if len(src) < 4 {
		return nil, errShort
	}
	body, sum := src[:len(src)-4], binary.BigEndian.Uint32(src[len(src)-4:])
	n, err := snappy.DecodedLen(body)
	if err != nil {
		return nil, err
	}
	if n > limit || n > 64*len(body)+64 { // the format cannot expand more than 64 times
		return nil, errTooLarge
	}
	if cap(dst) < n {
		dst = make([]byte, n)
	}
	out, err := snappy.Decode(dst[:n], body)
	if err == nil && crc32.ChecksumIEEE(out) != sum {
		err = errors.New("snappy checksum differs")
	}
	return out, err
}

var unzstder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// unzstd expands into the room dst has, and retries with more until limit.
// Java writes frames without a content size, so the size is not known before.
func unzstd(dst, src []byte, limit int) ([]byte, error) {
	if cap(dst) == 0 {
		dst = make([]byte, 0, min(limit, 128<<10))
	}
	for {
		out, err := unzstder().DecodeAll(src, dst[:0])
		if err == nil {
			return out, nil
		}
		// The decoder has several errors for too little room, and some of them
		// read like corruption: only the largest room tells which it is.
		if cap(dst) >= limit {
			if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, io.ErrShortBuffer) {
				err = errTooLarge
			}
			return nil, err
		}
		dst = make([]byte, 0, min(limit, 4*cap(dst)))
	}
}

// compress appends the stored form of a block to dst.
func compress(codec string, level int, dst, src []byte) ([]byte, error) {
	switch codec {
	case CodecNull:
		return append(dst, src...), nil
	case CodecDeflate:
		b := bytes.NewBuffer(dst)
		w, err := flate.NewWriter(b, flate.DefaultCompression)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(src); err != nil {
			return nil, err
		}
		err = w.Close()
		return b.Bytes(), err
	case CodecSnappy:
		n := len(dst)
		dst = append(dst, make([]byte, snappy.MaxEncodedLen(len(src)))...)
		dst = dst[:n+len(snappy.Encode(dst[n:], src))]
		return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(src)), nil
	}
	e, err := zstdEncoder(level)
	if err != nil {
		return nil, err
	}
	return e.EncodeAll(src, dst), nil
}

var zstders sync.Map // zstd.EncoderLevel -> *zstd.Encoder; EncodeAll is safe for concurrent use

func zstdEncoder(level int) (*zstd.Encoder, error) {
	l := zstd.EncoderLevelFromZstd(level)
	if e, ok := zstders.Load(l); ok {
		return e.(*zstd.Encoder), nil
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderCRC(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	kept, _ := zstders.LoadOrStore(l, e)
	return kept.(*zstd.Encoder), nil
}
