package keymap_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/keymap"
)

func digest(n uint64) keymap.Digest {
	return keymap.DigestOf(binary.LittleEndian.AppendUint64(nil, n))
}

// The map is that of Go, whatever fits into memory.
func TestKeysOnDiskAreThoseOfAMap(t *testing.T) {
	for _, memory := range []int64{1, 500, 20_000, 1 << 30} {
		r := rand.New(rand.NewPCG(1, uint64(memory)))
		dir := t.TempDir()
		m, want := keymap.New(keymap.Limits{Memory: memory, Disk: math.MaxInt64, Dir: dir}), map[uint64]uint64{}
		steps := 40_000
		if memory < 1000 {
			steps = 1000
		}
		for range steps {
			k := r.Uint64N(9_000)
			if r.IntN(3) > 0 {
				want[k] = r.Uint64()
				if err := m.Put(digest(k), want[k]); err != nil {
					t.Fatal(err)
				}
				continue
			}
			got, ok, err := m.Get(digest(k))
			if v, known := want[k]; err != nil || got != v || ok != known {
				t.Fatalf("memory %d: key %d is %d %v %v, want %d %v", memory, k, got, ok, err, v, known)
			}
		}
		for k := range uint64(9_100) {
			got, ok, err := m.Get(digest(k))
			if v, known := want[k]; err != nil || got != v || ok != known {
				t.Fatalf("memory %d: key %d is %d %v %v, want %d %v", memory, k, got, ok, err, v, known)
			}
		}
		keys, err := m.Settle()
		if got, ok, _ := m.Get(digest(1)); err != nil || keys != int64(len(want)) || ok && got != want[1] {
			t.Errorf("memory %d: %d keys settled, want %d: %v", memory, keys, len(want), err)
		}
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%d files are left", len(left))
		}
	}
}

// Keys that agree in their first 8 bytes are told apart, even over many blocks.
func TestDigestsThatBeginAlike(t *testing.T) {
	m := keymap.New(keymap.Limits{Memory: 100 * keymap.KeyBytes, Disk: math.MaxInt64, Dir: t.TempDir()})
	defer m.Close()
	alike := func(n uint64) (d keymap.Digest) {
		binary.BigEndian.PutUint64(d[8:], n)
		d[0] = byte(n % 2)
		return d
	}
	for n := range uint64(1000) {
		if err := m.Put(alike(n), n); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(1001) {
		if got, ok, err := m.Get(alike(n)); err != nil || ok != (n < 1000) || ok && got != n {
			t.Errorf("%d is %d %v %v", n, got, ok, err)
		}
	}
}

func TestDiskIsBounded(t *testing.T) {
	m := keymap.New(keymap.Limits{Memory: 10 * keymap.KeyBytes, Disk: 5000, Dir: t.TempDir()})
	defer m.Close()
	var err error
	for n := uint64(0); err == nil && n < 1000; n++ {
		err = m.Put(digest(n), n)
	}
	if !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("1000 keys in 5000 bytes: %v", err)
	}
}

func TestADiskThatFailsIsAnError(t *testing.T) {
	m := keymap.New(keymap.Limits{Memory: 1, Disk: math.MaxInt64, Dir: t.TempDir() + "/none"})
	defer m.Close()
	if err := m.Put(digest(1), 1); err == nil {
		t.Error("no error without the directory")
	}
}

func Example() {
	m := keymap.New(keymap.Limits{Memory: 64 << 20, Disk: 1 << 40})
	defer m.Close()
	if err := m.Put(keymap.DigestOf([]byte("a")), 7); err != nil {
		panic(err)
	}
	v, ok, err := m.Get(keymap.DigestOf([]byte("a")))
	fmt.Println(v, ok, err)
	// Output: 7 true <nil>
}
