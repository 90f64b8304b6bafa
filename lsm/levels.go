package lsm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// Levels are the live files of one bucket by level. In level 0 every file is
// a run of its own and may overlap any other; the files of a higher level are
// one run together. A bucket has few files and whole runs come and go, so
// plain sorted slices serve best. Levels are for one goroutine at a time; the
// slices that its methods return are shared and must not be changed.
// Spec: lsm, 7.1.
type Levels struct {
	compare func(a, b []byte) int
	zero    []manifest.DataFile   // the youngest first
	upper   [][]manifest.DataFile // upper[i] is level i+1, in key order
}

// LevelRun is one sorted run and the level that it lies on.
type LevelRun struct {
	Level int
	Files SortedRun
}

// Size is the number of bytes of the run's files.
func (r LevelRun) Size() (bytes int64) {
	for i := range r.Files {
		bytes += r.Files[i].Size
	}
	return bytes
}

// NewLevels puts files on their levels. There are as many levels as asked
// for, and more where files lie on higher ones. compare orders the bodies of
// keys. ErrInvalid is the error for fewer than two levels or a negative one.
func NewLevels(compare func(a, b []byte) int, files []manifest.DataFile, levels int) (*Levels, error) {
	for i := range files {
		if files[i].Level < 0 {
			return nil, fault.Corrupt(files[i].Name, fmt.Sprintf("lies on level %d", files[i].Level), nil)
		}
		levels = max(levels, files[i].Level+1)
	}
	if levels < 2 {
		return nil, fault.Invalid(fmt.Sprintf("num-levels is %d, an LSM tree has at least 2", levels))
	}
	l := &Levels{compare: compare, upper: make([][]manifest.DataFile, levels-1)}
	l.Update(nil, files)
	return l, nil
}

// Max is the highest level that there is, with files or without.
func (l *Levels) Max() int { return len(l.upper) }

// Highest is the highest level with files, -1 without any.
func (l *Levels) Highest() int {
	for i := len(l.upper); i > 0; i-- {
		if len(l.upper[i-1]) > 0 {
			return i
		}
	}
	return min(len(l.zero), 1) - 1
}

// Level are the files of one level: of level 0 the youngest first, of others
// in key order. A level that there is not has no files.
func (l *Levels) Level(n int) []manifest.DataFile {
	switch {
	case n == 0:
		return l.zero
	case n < 0 || n > len(l.upper):
		return nil
	}
	return l.upper[n-1]
}

// Runs are the sorted runs from the youngest to the oldest.
func (l *Levels) Runs() []LevelRun {
	runs := make([]LevelRun, 0, l.RunCount())
	for i := range l.zero {
		runs = append(runs, LevelRun{0, l.zero[i : i+1 : i+1]})
	}
	for i, files := range l.upper {
		if len(files) > 0 {
			runs = append(runs, LevelRun{i + 1, files})
		}
	}
	return runs
}

// RunCount is the number of sorted runs.
func (l *Levels) RunCount() int {
	n := len(l.zero)
	for _, files := range l.upper {
		if len(files) > 0 {
			n++
		}
	}
	return n
}

// Files are all files, those of the youngest runs first. The slice is the caller's.
func (l *Levels) Files() []manifest.DataFile {
	return slices.Concat(append([][]manifest.DataFile{l.zero}, l.upper...)...)
}

// Has tells whether a file is there, on the level that it says.
func (l *Levels) Has(f *manifest.DataFile) bool {
	files := l.Level(f.Level)
	for i := range files { // a file is large to move about
		if files[i].Name == f.Name {
			return true
		}
	}
	return false
}

// Fits tells that Update with the same files would take away only what is there,
// each file once, and put no file beside one of its level, above 0, that shares
// keys with it.
func (l *Levels) Fits(before, after []manifest.DataFile) bool {
	rest := &Levels{compare: l.compare, zero: l.zero, upper: slices.Clone(l.upper)}
	rest.Update(before, nil)
	return rest.count() == l.count()-len(before) && !slices.ContainsFunc(after, rest.touches)
}

// count is the number of files.
func (l *Levels) count() int {
	n := len(l.zero)
	for _, files := range l.upper {
		n += len(files)
	}
	return n
}

// touches tells that a file shares keys with others of its level.
func (l *Levels) touches(f manifest.DataFile) bool {
	if f.Level == 0 {
		return false
	}
	files := l.Level(f.Level)
	i, _ := slices.BinarySearchFunc(files, f.MinKey, func(g manifest.DataFile, key []byte) int { return l.compare(g.MaxKey, key) })
	return i < len(files) && l.compare(files[i].MinKey, f.MaxKey) <= 0
}

// Update takes files away, by name and level, and adds others. Files that are
// not there are passed over, and so are files that are there already. A
// higher level than there was makes more levels. It takes time for each file
// of the levels that change, however many of them come and go.
func (l *Levels) Update(before, after []manifest.DataFile) {
	for n, gone := range namesByLevel(before) {
		if files := l.Level(n); len(files) > 0 {
			l.set(n, slices.DeleteFunc(slices.Clone(files), func(g manifest.DataFile) bool { return gone[g.Name] }))
		}
	}
	for n, fresh := range namesByLevel(after) {
		files := slices.Clip(l.Level(n))
		for i := range files {
			delete(fresh, files[i].Name)
		}
		for i := range after {
			if f := &after[i]; f.Level == n && fresh[f.Name] {
				delete(fresh, f.Name)
				files = append(files, *f)
			}
		}
		l.set(n, files)
		l.sort(n)
	}
}

func namesByLevel(files []manifest.DataFile) map[int]map[string]bool {
	names := map[int]map[string]bool{}
	for i := range files {
		of := names[files[i].Level]
		if of == nil {
			of = map[string]bool{}
			names[files[i].Level] = of
		}
		of[files[i].Name] = true
	}
	return names
}

func (l *Levels) set(n int, files []manifest.DataFile) {
	if n == 0 {
		l.zero = files
		return
	}
	for n > len(l.upper) {
		l.upper = append(l.upper, nil)
	}
	l.upper[n-1] = files
}

func (l *Levels) sort(n int) {
	if n == 0 {
		slices.SortFunc(l.zero, func(a, b manifest.DataFile) int { return CompareAge(&a, &b) })
		return
	}
	slices.SortFunc(l.upper[n-1], func(a, b manifest.DataFile) int {
		return cmp.Or(l.compare(a.MinKey, b.MinKey), cmp.Compare(a.Name, b.Name))
	})
}
