package datafile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/tidelake/tidelake/internal/fault"
)

// Codecs of column chunks.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecLz4Old = 5
	codecZstd   = 6
	codecLz4    = 7
)

func codecError(codec int32) error {
	name := "codec " + strconv.Itoa(int(codec))
	switch codec {
	case codecNone, codecSnappy, codecGzip, codecLz4Old, codecZstd, codecLz4:
		return nil
	case 3:
		name = "lzo"
	case 4:
		name = "brotli"
	}
	return fault.Unsupported("parquet compressed with "+name, "rewrite the file with zstd, snappy, lz4, gzip or none")
}

// pageCap bounds the size of one page in memory. Writers end pages after
// about a megabyte, so only a page with one enormous value comes near.
const pageCap = 1 << 30

// trustedRatio is how far a page's claim of its size is believed without
// proof. Beyond, memory is given in steps, each paid for by bytes decoded.
const trustedRatio = 256

// maxRatio is how far a codec's format lets a page grow.
func maxRatio(codec int32) int {
	switch codec {
	case codecSnappy:
		return 64
	case codecGzip:
		return 1100
	case codecZstd:
		return 128 << 10 / 3 // a block of one byte repeated
	}
	return 256
}

// decompress appends nothing and returns src unpacked, size bytes long, in
// buf when that is large enough.
func decompress(codec int32, buf, src []byte, size int) ([]byte, error) {
	if codec == codecNone {
		if len(src) != size {
			return nil, fmt.Errorf("page holds %d bytes and claims %d", len(src), size)
		}
		return src, nil
	}
	if size > pageCap || size > maxRatio(codec)*len(src)+64 {
		return nil, fmt.Errorf("page of %d bytes claims %d, more than it can hold", len(src), size)
	}
	if size == 0 {
		return buf[:0], nil
	}
	for room := min(size, trustedRatio*len(src)+4096); ; room = min(size, 8*room) {
		if cap(buf) < room {
			buf = make([]byte, room, room+room/8+64)
		}
		out, err := unpack(codec, buf[:room], src)
		// The zstd decoder has several words for a block that does not fit, most
		// of them those for broken input: this close to the end it may be either.
		if err != nil && room < size && (errors.Is(err, errFull) || codec == codecZstd && cap(buf)-len(out) < zstdBlock) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(out) != size {
			return nil, fmt.Errorf("page unpacks to %d bytes and claims %d", len(out), size)
		}
		return out, nil
	}
}

// errFull says that the output does not fit.
var errFull = errors.New("page unpacks to more bytes than it claims")

// unpack decompresses src into dst and returns the part of dst that was used,
// of zstd the whole blocks too that came before an error.
func unpack(codec int32, dst, src []byte) ([]byte, error) {
	switch codec {
	case codecZstd:
		out, err := zstdDecoder().DecodeAll(src, dst[:0]) // spare capacity behind dst lets it copy faster
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			err = errFull
		}
		return out, err
	case codecSnappy:
		n, err := s2.DecodedLen(src)
		if err != nil {
			return nil, err
		}
		if n > len(dst) {
			return nil, errFull
		}
		return s2.Decode(dst, src)
	case codecGzip:
		return gunzip(dst, src)
	case codecLz4:
		return lz4Block(dst, src)
	default:
		return lz4Hadoop(dst, src)
	}
}

// zstdDecoder is shared by all readers: DecodeAll may run at the same time in
// as many goroutines as the decoder holds states.
var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(pageCap))
	if err != nil {
		panic(err) // the options are constant
	}
	return d
})

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

func gunzip(dst, src []byte) ([]byte, error) {
	r := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(r)
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return nil, err
	}
	n, err := io.ReadFull(r, dst)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return dst[:n], nil
	}
	if err != nil {
		return nil, err
	}
	var one [1]byte
	switch m, err := io.ReadFull(r, one[:]); {
	case m > 0:
		return nil, errFull
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return dst, nil
}

func lz4Block(dst, src []byte) ([]byte, error) {
	n, err := lz4.UncompressBlock(src, dst)
	if err != nil { // too short a dst looks like broken input; a block grows less than 256-fold anyway
		return nil, err
	}
	return dst[:n], nil
}

// lz4Hadoop reads what parquet-mr calls LZ4: blocks of
//
//	4 bytes BE unpacked length | (4 bytes BE packed length | lz4 block)…
//
// Some writers put a bare block under the same name; that is tried last.
func lz4Hadoop(dst, src []byte) ([]byte, error) {
	out, rest := 0, src
	for len(rest) >= 8 {
		want := int64(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		if want > int64(len(dst)-out) {
			return lz4Bare(dst, src)
		}
		for end := out + int(want); out < end; {
			if len(rest) < 4 {
				return lz4Bare(dst, src)
			}
			packed := int64(binary.BigEndian.Uint32(rest))
			if packed > int64(len(rest)-4) {
				return lz4Bare(dst, src)
			}
			n, err := lz4.UncompressBlock(rest[4:4+packed], dst[out:end])
			if err != nil || n == 0 {
				return lz4Bare(dst, src)
			}
			out += n
			rest = rest[4+packed:]
		}
	}
	if len(rest) != 0 {
		return lz4Bare(dst, src)
	}
	return dst[:out], nil
}

func lz4Bare(dst, src []byte) ([]byte, error) { return lz4Block(dst, src) }
