package lsm

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tidelake/tidelake/manifest"
)

func leveled(name string, level int, lo, hi string) manifest.DataFile {
	return manifest.DataFile{Name: name, Level: level, MinKey: []byte(lo), MaxKey: []byte(hi)}
}

func TestAChangeOfLevelsFitsWhereItsFilesAre(t *testing.T) {
	a, b, top := leveled("a", 0, "a", "c"), leveled("b", 0, "b", "d"), leveled("top", 3, "a", "k")
	l, err := NewLevels(bytes.Compare, []manifest.DataFile{a, b, top}, 4)
	if err != nil {
		t.Fatal(err)
	}
	type files = []manifest.DataFile
	for _, c := range []struct {
		name          string
		before, after files
		fits          bool
	}{
		{"all of it", files{a, b, top}, files{leveled("new", 3, "a", "k")}, true},
		{"a file twice", files{a, a}, nil, false},
		{"a file of another level", files{leveled("a", 3, "a", "c")}, nil, false},
		{"a level that there is not", files{leveled("a", 9, "a", "c")}, nil, false},
		{"keys of a file that stays", files{a, b}, files{leveled("new", 3, "c", "d")}, false},
		{"keys behind it", files{a, b}, files{leveled("new", 3, "l", "m")}, true},
	} {
		if fits := l.Fits(c.before, c.after); fits != c.fits {
			t.Errorf("%s: fits is %v", c.name, fits)
		}
	}
	l.Update(files{leveled("gone", 9, "", "")}, files{a, leveled("c", 0, "x", "y"), leveled("c", 0, "x", "y")})
	if l.Max() != 3 || l.RunCount() != 4 {
		t.Errorf("levels up to %d with %d runs", l.Max(), l.RunCount())
	}
}

// BenchmarkLevels puts the files of a bucket that was written for long without
// a compaction on their levels, and takes them away.
func BenchmarkLevels(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		files := make([]manifest.DataFile, n)
		for i := range files {
			key := fmt.Sprintf("%08d", i)
			files[i] = leveled(key, 0, key, key)
			files[i].MaxSequence = int64(i)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				l, err := NewLevels(bytes.Compare, files, 6)
				if err != nil || !l.Fits(files, nil) {
					b.Fatal(err)
				}
				l.Update(files, nil)
			}
		})
	}
}
