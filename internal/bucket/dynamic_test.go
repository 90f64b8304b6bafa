package bucket

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/internal/binaryrow"
)

var noPartition = make([]byte, 8)

func assignAll(t *testing.T, x *Index, hashes ...int32) []int {
	t.Helper()
	var out []int
	for _, h := range hashes {
		b, err := x.Assign(h)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func TestABucketIsFilledBeforeTheNextIsBegun(t *testing.T) {
	x := Dynamic{Target: 2, Max: -1}.NewIndex(noPartition)
	if got := assignAll(t, x, 1, 2, 3, 1, 4, 5, 2); !slices.Equal(got, []int{0, 0, 1, 0, 1, 2, 0}) {
		t.Error(got)
	}
}

func TestFullBucketsTakeAnyKeyOnceThereAreEnough(t *testing.T) {
	picks := 0
	x := Dynamic{Target: 1, Max: 2, Pick: func(n int) int { picks++; return n - 1 }}.NewIndex(noPartition)
	if got := assignAll(t, x, 1, 2, 3, 4, 3); !slices.Equal(got, []int{0, 1, 1, 1, 1}) || picks != 2 {
		t.Error(got, picks)
	}
}

func TestNoMoreBucketsThanThereCanBe(t *testing.T) {
	x := Dynamic{Target: 1, Max: -1}.NewIndex(noPartition)
	for h := range int32(MaxDynamic) {
		assignAll(t, x, h)
	}
	if _, err := x.Assign(-1); err == nil {
		t.Error("one bucket too many")
	}
}

func TestClassesOwnEveryNthBucket(t *testing.T) {
	rule := Dynamic{Target: 1, Max: -1, Channels: 3}
	x := rule.NewIndex(noPartition)
	start := int(binaryrow.Hash(noPartition)%3+3) % 3
	if r := binaryrow.Hash(noPartition) % 3; r < 0 {
		start = int(-r)
	}
	for h := range int32(30) {
		got := assignAll(t, x, h)[0]
		if want := (start + int(h%3)) % 3; got%3 != want {
			t.Errorf("hash %d in bucket %d, of class %d, not %d", h, got, got%3, want)
		}
	}
	fewer := Dynamic{Target: 100, Max: -1, Channels: 8, Assigners: 2}.NewIndex(noPartition)
	seen := map[int]bool{}
	for h := range int32(50) {
		seen[assignAll(t, fewer, h)[0]] = true
	}
	if len(seen) != 2 {
		t.Errorf("%d buckets begun by two assigners", len(seen))
	}
}

// TestTheIndexSurvivesItsFiles carries random keys over restarts and compares with a plain map.
func TestTheIndexSurvivesItsFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	rule := Dynamic{Target: 100, Max: -1}
	model := map[int32]int{}
	files := map[int][]byte{}
	for range 10 {
		x := rule.NewIndex(noPartition)
		for b, f := range files {
			if elsewhere, err := x.Load(b, f); elsewhere != 0 || err != nil {
				t.Fatal(elsewhere, err)
			}
		}
		if x.Len() != len(model) {
			t.Fatalf("%d hashes, want %d", x.Len(), len(model))
		}
		for range 300 {
			h := int32(r.Uint32() % 2000)
			b := assignAll(t, x, h)[0]
			if old, known := model[h]; known && old != b {
				t.Fatalf("hash %d went from bucket %d to %d", h, old, b)
			}
			model[h] = b
		}
		for _, f := range x.Changed() {
			files[f.Bucket] = f.Data
			if f.Hashes*4 != len(f.Data) || f.Hashes > 100 {
				t.Errorf("bucket %d: %d hashes in %d bytes", f.Bucket, f.Hashes, len(f.Data))
			}
		}
		if len(x.Changed()) != 0 {
			t.Error("files handed out twice")
		}
	}
	back := map[int32]int{}
	for b, f := range files {
		for ; len(f) > 0; f = f[4:] {
			back[int32(binary.BigEndian.Uint32(f))] = b
		}
	}
	for h, b := range model {
		if back[h] != b {
			t.Fatalf("hash %d: files say bucket %d, not %d", h, back[h], b)
		}
	}
}

func TestAHashInTwoFilesIsNoticed(t *testing.T) {
	x := Dynamic{Target: 10, Max: -1}.NewIndex(noPartition)
	if _, err := x.Load(0, []byte{0, 0, 0, 1, 0, 0, 0, 2}); err != nil {
		t.Fatal(err)
	}
	if elsewhere, err := x.Load(1, []byte{0, 0, 0, 2}); elsewhere != 1 || err != nil {
		t.Error(elsewhere, err)
	}
	for _, bad := range [][]byte{{0}, {0, 0, 0, 1, 2}} {
		if _, err := x.Load(0, bad); err == nil {
			t.Errorf("takes a file of %d bytes", len(bad))
		}
	}
	if _, err := x.Load(MaxDynamic, nil); err == nil {
		t.Error("takes an impossible bucket")
	}
}

func BenchmarkAssign(b *testing.B) {
	x := Dynamic{Target: 2_000_000, Max: -1}.NewIndex(noPartition)
	for i := 0; b.Loop(); i++ {
		if _, err := x.Assign(binaryrow.HashSlot(uint64(i % 4_000_000))); err != nil {
			b.Fatal(err)
		}
	}
}
