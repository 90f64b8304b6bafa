package bitmap

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// sample holds arrays, fields and runs below keys that share more and less.
func sample(rng *rand.Rand, keys int, spread uint64) *roaring64.Bitmap {
	bm := roaring64.New()
	for range keys {
		upper := rng.Uint64N(spread) << 16
		switch rng.IntN(3) {
		case 0:
			for range rng.IntN(50) + 1 {
				bm.Add(upper | rng.Uint64N(65536))
			}
		case 1:
			for range 8000 {
				bm.Add(upper | rng.Uint64N(65536))
			}
		default:
			from := rng.Uint64N(60000)
			bm.AddRange(upper|from, upper|(from+5000))
		}
	}
	return bm
}

func TestBitmaps64ReturnAsTheyWereWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(64, 0))
	for _, keys := range []int{0, 1, 2, 4, 5, 16, 17, 40, 48, 49, 200, 300} {
		for _, spread := range []uint64{256, 1 << 20, 1 << 48} {
			want := sample(rng, keys, spread)
			b, err := Write64(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read64(append(b, "what follows does not count"...))
			if err != nil {
				t.Fatalf("%d keys below %d: %v", keys, spread, err)
			}
			if !got.Equals(want) {
				t.Errorf("%d keys below %d: other numbers", keys, spread)
			}
		}
	}
}

func TestBitmaps32ReturnAsTheyWereWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(32, 0))
	for range 20 {
		want := roaring.New()
		for _, v := range sample(rng, rng.IntN(8), 1<<16).ToArray() {
			want.Add(uint32(v))
		}
		b, err := Write32(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read32(append(b, 1, 2, 3))
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equals(want) {
			t.Error("other numbers")
		}
	}
}

func TestCutBitmapsAreErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	b, err := Write64(sample(rng, 20, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(b)-16; n += 1 + rng.IntN(200) { // the last 16 bytes repeat what is known
		if _, err := Read64(b[:n]); err == nil {
			t.Fatalf("read from %d of %d bytes", n, len(b))
		}
	}
}

func TestAContainerUsedTwiceIsAnError(t *testing.T) {
	bm := roaring64.New()
	bm.AddMany([]uint64{1, 1 << 20})
	b, err := Write64(bm)
	if err != nil {
		t.Fatal(err)
	}
	node := 9 + 4 + 5 + 4                                // a prefix of five bytes
	first, second := node+4+keyBytes, node+18+4+keyBytes // the numbers in the two leaves
	if b[first] != 0 || b[second] != 1 {
		t.Fatalf("leaves are elsewhere: % x", b)
	}
	b[second] = 0
	if _, err := Read64(b); err == nil {
		t.Error("one container under two keys")
	}
}

func FuzzBitmaps(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, keys := range []int{0, 1, 3, 20} {
		b, _ := Write64(sample(rng, keys, 1<<30))
		f.Add(b)
		small := roaring.New()
		small.AddMany([]uint32{1, 2, 3, 70000})
		small.AddRange(200000, 300000)
		b, _ = Write32(small)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if bm, err := Read64(b); err == nil {
			again, err := Write64(bm)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := Read64(again); err != nil || !same.Equals(bm) {
				t.Fatalf("read, written and read: %v", err)
			}
		}
		if bm, err := Read32(b); err == nil {
			sum := roaring.BitmapOf(1, 1<<31)
			sum.Or(bm)
			again, err := Write32(sum)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := Read32(again); err != nil || !same.Equals(sum) {
				t.Fatalf("read, joined, written and read: %v", err)
			}
		}
	})
}

func ExampleWrite64() {
	b, err := Write64(roaring64.BitmapOf(1, 2, 3, 1<<40))
	if err != nil {
		panic(err)
	}
	bm, err := Read64(b)
	if err != nil {
		panic(err)
	}
	fmt.Println(bm.ToArray())
	// Output: [1 2 3 1099511627776]
}
