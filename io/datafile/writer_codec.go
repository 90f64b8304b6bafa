package datafile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/tidelake/tidelake/internal/fault"
)

// codec compresses whole pages. pack appends the packed form of src to dst; it
// is safe for concurrent use, its state comes from a pool.
type codec struct {
	id       compress.Compression
	pack     packer
	literals bool // zstd: pages may be packed as packLiterals and packStrided do
	slack    int  // percent by which those may be larger and still win, being faster
}

type packer func(dst, src []byte) ([]byte, error)

func newCodec(name string, level int) (codec, error) {
	switch strings.ToLower(name) {
	case "", "zstd", "zstandard":
		c := codec{id: compress.Codecs.Zstd, pack: zstdPacker(level), literals: true}
		if level <= 1 {
			c.slack = 2
		}
		return c, nil
	case "snappy":
		return codec{id: compress.Codecs.Snappy, pack: packSnappy}, nil
	case "gzip":
		return codec{id: compress.Codecs.Gzip, pack: packGzip}, nil
	case "lz4":
		return codec{id: compress.Codecs.Lz4, pack: packLZ4}, nil
	case "none", "uncompressed":
		return codec{id: compress.Codecs.Uncompressed}, nil
	case "brotli", "lzo", "lz4_raw":
		return codec{}, fault.Unsupported("file.compression="+name, "use zstd, snappy, gzip, lz4 or none")
	}
	return codec{}, fault.Invalid(fmt.Sprintf("file.compression=%s is unknown; use zstd, snappy, gzip, lz4 or none", name))
}

// One pool of encoders per speed: a zstd encoder carries a hash table of some
// hundred KiB, too much to own one per open file.
var zstdPools [8]sync.Pool

func zstdPacker(level int) packer {
	if level <= 0 {
		level = 1
	}
	speed := zstd.EncoderLevelFromZstd(level)
	pool := &zstdPools[speed]
	return func(dst, src []byte) ([]byte, error) {
		enc, _ := pool.Get().(*zstd.Encoder)
		if enc == nil {
			var err error
			// A page is small and read whole: no checksum (the format has
			// its own place for one), and no window beyond the page.
			enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(1),
				zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true), zstd.WithWindowSize(1<<20),
				zstd.WithAllLitEntropyCompression(true))
			if err != nil {
				return dst, err
			}
		}
		dst = enc.EncodeAll(src, dst)
		pool.Put(enc)
		return dst, nil
	}
}

func packSnappy(dst, src []byte) ([]byte, error) {
	bound := s2.MaxEncodedLen(len(src))
	if bound < 0 {
		return dst, fmt.Errorf("page of %d bytes is too large for snappy", len(src))
	}
	dst = grow(dst, bound)
	packed := s2.EncodeSnappy(dst[len(dst):len(dst)+bound], src)
	return dst[:len(dst)+len(packed)], nil
}

var gzipPool = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func packGzip(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	z := gzipPool.Get().(*gzip.Writer)
	defer gzipPool.Put(z)
	z.Reset(out)
	if _, err := z.Write(src); err != nil {
		return dst, err
	}
	err := z.Close()
	return out.Bytes(), err
}

// lz4BlockBytes is how much of a page one block holds, as Hadoop has it: what
// surely fits its buffers of 256 KiB when it does not get smaller. Some readers
// (the Rust library's) cannot go on behind a page's first block.
const lz4BlockBytes = 256<<10 - (256<<10)/255 - 16

// packLZ4 writes what parquet-mr calls LZ4, which is Hadoop's framing:
//
//	4 bytes BE unpacked length | 4 bytes BE packed length | lz4 block   …repeated
func packLZ4(dst, src []byte) ([]byte, error) {
	raw, err := compress.GetCodec(compress.Codecs.Lz4Raw)
	if err != nil {
		return dst, err
	}
	for len(src) > 0 {
		part := src[:min(len(src), lz4BlockBytes)]
		src = src[len(part):]
		bound := int(raw.CompressBound(int64(len(part))))
		dst = grow(dst, 8+bound)
		head := len(dst)
		dst = dst[:head+8]
		packed := raw.Encode(dst[head+8:head+8+bound], part)
		binary.BigEndian.PutUint32(dst[head:], uint32(len(part)))
		binary.BigEndian.PutUint32(dst[head+4:], uint32(len(packed)))
		dst = append(dst, packed...)
	}
	return dst, nil
}

// grow makes room for n more bytes without changing the length.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	bigger := make([]byte, len(b), max(2*cap(b), len(b)+n))
	copy(bigger, b)
	return bigger
}
