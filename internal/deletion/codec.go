package deletion

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/tidelake/tidelake/internal/fault"
)

// Version is the first byte of an index file.
const Version = 1

const (
	magic32 = 1581511376 // big-endian
	magic64 = 1681511377 // little-endian
	frame   = 8          // bytes of size and CRC

	// mostHigh is the largest high key that is read: no file has 2⁴⁸ rows, and
	// writing a vector takes room for every high key below its largest.
	mostHigh = 1<<16 - 1
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Append writes a vector's record to the end of an index file, dst, and
// returns the length that the index manifest has to give: the 32-bit kind
// leaves size and CRC out of it, the 64-bit kind counts them in.
//
// wide asks for the 64-bit kind; positions beyond 2³¹-1 get it in any case.
// It is ErrInvalid when the record or the file would pass 2 GiB.
func Append(dst []byte, v *Vector, wide bool) (out []byte, length int32, err error) {
	start := len(dst)
	wide = wide || !v.fits32()
	if n := int64(start) + frame + v.size(wide); n > math.MaxInt32 {
		return dst, 0, fault.Invalid(fmt.Sprintf("deletion vectors of %d bytes in one index file, 2 GiB are the most", n))
	}
	out = append(dst, 0, 0, 0, 0)
	if wide {
		out = v.append64(binary.LittleEndian.AppendUint32(out, magic64))
	} else {
		out = v.append32(binary.BigEndian.AppendUint32(out, magic32))
	}
	size := len(out) - start - 4
	binary.BigEndian.PutUint32(out[start:], uint32(size))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start+4:]))
	if wide {
		return out, int32(size + frame), nil
	}
	return out, int32(size), nil
}

// size is about how many bytes the magic and the bitmaps take: it does not
// know yet which containers will be shorter as runs.
func (v *Vector) size(wide bool) int64 {
	n := int64(4)
	for _, p := range v.parts {
		n += int64(p.low.GetSerializedSizeInBytes())
	}
	if wide && len(v.parts) > 0 { // bitmaps of all high keys, the missing ones too
		n += 8 + 12*(int64(v.parts[len(v.parts)-1].high)+1)
	}
	return n
}

func (v *Vector) append32(dst []byte) []byte {
	i, there := v.find(0)
	if !there {
		return appendBitmap(dst, roaring.New())
	}
	return appendBitmap(dst, v.parts[i].low)
}

// append64 stores a bitmap for every high key up to the last, as Java does.
func (v *Vector) append64(dst []byte) []byte {
	count := uint32(0)
	if n := len(v.parts); n > 0 {
		count = v.parts[n-1].high + 1
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(count))
	parts := v.parts
	for key := range count {
		low := roaring.New()
		if parts[0].high == key {
			low, parts = parts[0].low, parts[1:]
		}
		dst = appendBitmap(binary.LittleEndian.AppendUint32(dst, key), low)
	}
	return dst
}

// appendBitmap writes a bitmap in the portable format. Turning containers into
// runs changes how the set is held and not the set, but is done on a copy:
// others may be reading.
func appendBitmap(dst []byte, b *roaring.Bitmap) []byte {
	b = b.Clone()
	b.RunOptimize()
	buf := bytes.NewBuffer(dst)
	_, _ = b.WriteTo(buf) // a Buffer takes everything
	return buf.Bytes()
}

// Span is how many bytes of an index file, from a vector's offset on, are
// enough to decode it: of the two kinds one has the frame outside its length.
func Span(length int32) int64 { return int64(length) + frame }

// Decode reads the record that rec begins with; what follows it, and for the
// 64-bit kind may be missing, is of no interest. length is what the index
// manifest says, file the index file for errors. Bytes that no writer makes
// are ErrCorrupt; it never panics.
func Decode(file string, rec []byte, length int32) (*Vector, error) {
	v, err := decode(rec, int64(length))
	if err != nil {
		return nil, fault.Corrupt(file, "deletion vector", err)
	}
	return v, nil
}

func decode(rec []byte, length int64) (*Vector, error) {
	if len(rec) < frame {
		return nil, errors.New("ends within its head")
	}
	size := int64(int32(binary.BigEndian.Uint32(rec)))
	var read func([]byte) (*Vector, error)
	switch {
	case binary.BigEndian.Uint32(rec[4:]) == magic32:
		read = decode32
	case binary.LittleEndian.Uint32(rec[4:]) == magic64:
		read, length = decode64, length-frame
	default:
		return nil, fmt.Errorf("unknown magic %x", rec[4:8])
	}
	if size != length {
		return nil, fmt.Errorf("is %d bytes long, the index manifest says %d", size, length)
	}
	if size < 4 || size > int64(len(rec)-frame) {
		return nil, fmt.Errorf("is %d bytes long, of which %d are there", size, len(rec)-frame)
	}
	body, sum := rec[4:4+size], binary.BigEndian.Uint32(rec[4+size:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, errors.New("its checksum does not match")
	}
	return read(body[4:])
}

func decode32(b []byte) (*Vector, error) {
	low, rest, err := readBitmap(b)
	switch {
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, fmt.Errorf("%d bytes after its bitmap", len(rest))
	case low.IsEmpty():
		return &Vector{}, nil
	}
	return &Vector{parts: []part{{0, low}}}, nil
}

func decode64(b []byte) (*Vector, error) {
	if len(b) < 8 {
		return nil, errors.New("ends within its number of bitmaps")
	}
	v := &Vector{}
	count := binary.LittleEndian.Uint64(b)
	b = b[8:]
	for last := int64(-1); count > 0; count-- {
		if len(b) < 4 {
			return nil, errors.New("ends before its last bitmap")
		}
		key := binary.LittleEndian.Uint32(b)
		if int64(key) <= last || key > mostHigh {
			return nil, fmt.Errorf("bitmap of high key %d after %d", key, last)
		}
		last = int64(key)
		low, rest, err := readBitmap(b[4:])
		if err != nil {
			return nil, err
		}
		if b = rest; !low.IsEmpty() {
			v.parts = append(v.parts, part{key, low})
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after its last bitmap", len(b))
	}
	return v, nil
}

// readBitmap reads one bitmap in the portable format and returns what follows.
func readBitmap(b []byte) (*roaring.Bitmap, []byte, error) {
	n, err := checkPortable(b)
	if err != nil {
		return nil, nil, err
	}
	low := roaring.New()
	if _, err := low.ReadFrom(bytes.NewReader(b[:n])); err != nil {
		return nil, nil, err
	}
	return low, b[n:], nil
}
