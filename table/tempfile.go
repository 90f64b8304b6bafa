package table

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/tidelake/tidelake/internal/fault"
)

// tempPrefix begins the names of temporary files.
const tempPrefix = "tidelake-local-"

// sweepTempFiles deletes what a process that died has left. Files in use have
// no name, where the system allows it, or cannot be deleted.
func sweepTempFiles(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// codec says how the blocks of a temporary file are packed.
type codec struct {
	name  string // zstd, lz4 or none
	level int    // of zstd
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal appends a block as it lies in a temporary file: its length unpacked,
// its bytes packed, and their sum.
func (c codec) seal(dst, block []byte) ([]byte, error) {
	at := len(dst)
	dst, err := c.pack(binary.LittleEndian.AppendUint32(dst, uint32(len(block))), block)
	if err != nil {
		return dst, err
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli)), nil
}

// open gives a sealed block memory of its own.
func (c codec) open(sealed []byte) ([]byte, error) {
	body, sum := sealed[:len(sealed)-4], sealed[len(sealed)-4:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return nil, errors.New("a block does not match its checksum")
	}
	block, err := c.unpack(body[4:], int(binary.LittleEndian.Uint32(body)))
	if err != nil {
		return nil, &fault.Error{Detail: "a block cannot be unpacked", Err: err}
	}
	return block, nil
}

var packers [zstd.SpeedBestCompression + 1]struct {
	once    sync.Once
	encoder *zstd.Encoder
}

func packer(level int) *zstd.Encoder {
	speed := zstd.EncoderLevelFromZstd(level)
	p := &packers[speed]
	p.once.Do(func() { // blocks are small, and have a sum of their own
		p.encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
	})
	return p.encoder
}

var unpacker = sync.OnceValue(func() *zstd.Decoder {
	d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0))
	return d
})

func (c codec) pack(dst, block []byte) ([]byte, error) {
	switch c.name {
	case "zstd":
		return packer(c.level).EncodeAll(block, dst), nil
	case "lz4":
		at := len(dst)
		dst = append(dst, make([]byte, lz4.CompressBlockBound(len(block)))...)
		n, err := lz4.CompressBlock(block, dst[at:], nil)
		return dst[:at+n], err
	}
	return append(dst, block...), nil
}

func (c codec) unpack(packed []byte, size int) ([]byte, error) {
	switch c.name {
	case "zstd":
		return unpacker().DecodeAll(packed, make([]byte, 0, size))
	case "lz4":
		block := make([]byte, size)
		n, err := lz4.UncompressBlock(packed, block)
		return block[:n], err
	}
	return append(make([]byte, 0, size), packed...), nil
}
