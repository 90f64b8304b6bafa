package datafile

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func unpackZstd(t *testing.T, packed, want []byte) {
	t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.DecodeAll(packed, nil)
	if err != nil {
		t.Fatalf("%d bytes: %v", len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes differ", len(want))
	}
}

func randomBytes(r *rand.Rand, n, alphabet int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(alphabet))
	}
	return b
}

func TestLiteralFramesAreZstd(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 255, 256, 1023, zstdBlock - 1, zstdBlock, zstdBlock + 1, 3*zstdBlock + 77} {
		for _, alphabet := range []int{1, 2, 16, 256} {
			src := randomBytes(r, n, alphabet)
			packed, err := packLiterals([]byte("x"), src)
			if err != nil {
				t.Fatal(err)
			}
			unpackZstd(t, packed[1:], src)
		}
	}
}

// stridedPage is what a column of strings of one length writes.
func stridedPage(r *rand.Rand, levels, text, n, alphabet int) []byte {
	page := randomBytes(r, levels, 256)
	for range n {
		page = binary.LittleEndian.AppendUint32(page, uint32(text))
		page = append(page, randomBytes(r, text, alphabet)...)
	}
	return page
}

func TestStridedFramesAreZstd(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, text := range []int{4, 15, 16, 17, 23, 24, 31, 32, 36, 47, 48, 63, 64, 65, 127, 128, 1000, 8000} {
		for _, n := range []int{2, 3, 4, 129, 1000, zstdBlock / (text + 4), zstdBlock/(text+4) + 1, zstdBlock/(text+4) + 2} {
			if n < 2 || n*text > 1<<20 {
				continue
			}
			for _, levels := range []int{0, 6, 2506} {
				for _, alphabet := range []int{1, 16, 256} {
					if levels == 6 && n > 1000 {
						continue
					}
					page := stridedPage(r, levels, text, n, alphabet)
					if can := canStride(len(page), levels, text+4); can != (n >= 4) {
						t.Fatalf("%d of %d bytes: %v", n, text, can)
					} else if !can {
						continue
					}
					packed, err := packStrided(nil, page, levels, text+4)
					if err != nil {
						t.Fatal(err)
					}
					unpackZstd(t, packed, page)
				}
			}
		}
	}
}

func TestStridedHexTakesHalfItsText(t *testing.T) {
	page := stridedPage(rand.New(rand.NewPCG(3, 3)), 0, 16, 20000, 16)
	packed, err := packStrided(nil, page, 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	if each := float64(len(packed)) / 20000; each > 8.2 {
		t.Errorf("%.2f bytes for 16 hex digits", each)
	}
}

func TestHybridIsReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for width := 1; width <= 20; width++ {
		for _, n := range []int{1, 7, 8, 9, 100, 4001} {
			vals := make([]uint32, n)
			for i := 0; i < n; {
				run := 1 + r.IntN(30)*r.IntN(2)
				v := uint32(r.IntN(1 << width))
				for ; run > 0 && i < n; i, run = i+1, run-1 {
					vals[i] = v
				}
			}
			got := unhybrid(appendHybrid(nil, vals, width), n, width)
			for i := range vals {
				if got[i] != vals[i] {
					t.Fatalf("width %d, %d values: value %d", width, n, i)
				}
			}
		}
	}
}

func unhybrid(src []byte, n, width int) []uint32 {
	var out []uint32
	for len(out) < n {
		head, k := binary.Uvarint(src)
		src = src[k:]
		if head&1 == 0 {
			var v uint32
			for i := range (width + 7) / 8 {
				v |= uint32(src[i]) << (8 * i)
			}
			src = src[(width+7)/8:]
			for range head >> 1 {
				out = append(out, v)
			}
			continue
		}
		for i := range int(head>>1) * 8 {
			var v uint32
			for b := range width {
				at := i*width + b
				v |= uint32(src[at/8]>>(at%8)&1) << b
			}
			out = append(out, v)
		}
		src = src[int(head>>1)*width:]
	}
	return out[:n]
}
