package table

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// A finder answers where keys are stored in some files of one bucket, such as
// those above the level that a compaction writes to, and reads rows by their
// places. Key pages that can hold none of the keys are not read, and those
// that were read stay in a cache of bounded size.
//
//	keys ──► level 1 ─ found ──────────────► places (file, row)
//	           └ others ──► level 2 ─ …
//
// It is for one goroutine. Close it in the end.
type finder struct {
	space    *keySpace
	runs     []finderRun // the youngest first
	files    []*keyFile  // in the order given
	external externalFiles
	cache    *lookupCache
}

// finderRun is a sorted run: files in key order that share no key.
type finderRun struct {
	files        []int // numbers of the finder's files
	lower, upper *keyList
}

// newFinder looks into files of a bucket, read as sc says. Its cache takes
// memory bytes.
func (t *Table) newFinder(sc *schema.Table, partition []byte, bucket int, files []manifest.DataFile, cacheBytes int64) (*finder, error) {
	space, err := newKeySpace(sc)
	if err != nil {
		return nil, err
	}
	dir, err := t.bucketDir(partition, bucket)
	if err != nil {
		return nil, err
	}
	f := &finder{space: space, external: externalFiles{table: t}, cache: newLookupCache(cacheBytes)}
	for _, meta := range files {
		f.files = append(f.files, &keyFile{table: t, space: space, meta: meta, where: fileLocation{dir, &f.external}, cache: f.cache})
	}
	f.runs, err = space.runs(files)
	return f, err
}

// close closes the files.
func (f *finder) close() error {
	f.cache.close()
	return f.external.close()
}

// runs arranges files of a bucket in sorted runs, the youngest first: each
// file of level 0 is one, and so is each level above.
func (s *keySpace) runs(files []manifest.DataFile) ([]finderRun, error) {
	order := make([]int, len(files))
	for i := range files {
		if err := checkKeys(s.types, &files[i]); err != nil {
			return nil, err
		}
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &files[a], &files[b]
		if x.Level == y.Level && x.Level > 0 {
			return cmp.Or(binaryrow.Compare(s.types, x.MinKey, y.MinKey), cmp.Compare(x.Name, y.Name))
		}
		return lsm.CompareAge(x, y)
	})
	var runs []finderRun
	for at, i := range order {
		if at > 0 && files[i].Level > 0 && files[order[at-1]].Level == files[i].Level {
			run := &runs[len(runs)-1]
			run.files = append(run.files, i)
			continue
		}
		runs = append(runs, finderRun{files: []int{i}})
	}
	for i := range runs {
		if err := runs[i].bounds(s, files); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

func (r *finderRun) bounds(s *keySpace, files []manifest.DataFile) error {
	var lower, upper [][]any
	for at, i := range r.files {
		least, err := s.decode(files[i].MinKey)
		if err != nil {
			return err
		}
		if at > 0 && s.compare(upper[at-1], least) >= 0 {
			return fault.Corrupt(files[i].Name, "its keys overlap those of file "+files[r.files[at-1]].Name+" of the same level", nil)
		}
		greatest, err := s.decode(files[i].MaxKey)
		if err != nil {
			return err
		}
		lower, upper = append(lower, least), append(upper, greatest)
	}
	var err error
	if r.lower, err = s.fromValues(lower); err != nil {
		return err
	}
	r.upper, err = s.fromValues(upper)
	return err
}

// next is the first file of the run that may hold some of the keys which
// names, in rising order of key: its number, these keys, and those behind the
// file. Without such a file none are left.
func (r *finderRun) next(s *keySpace, keys *keyList, which []int32) (file int, in, rest []int32) {
	at := s.layout.Search(&r.upper.Keys, 0, len(r.files), &keys.Keys, int(which[0]))
	if at == len(r.files) {
		return -1, nil, nil
	}
	n := 0 // keys before the file
	for n < len(which) && s.layout.Compare(&r.lower.Keys, at, &keys.Keys, int(which[n])) > 0 {
		n++
	}
	end := n
	for end < len(which) && s.layout.Compare(&r.upper.Keys, at, &keys.Keys, int(which[end])) >= 0 {
		end++
	}
	return r.files[at], which[n:end], which[end:]
}

// newest finds the newest stored version of each key, by level as compaction
// has left them. keys are the columns of the trimmed primary key in their
// canonical Arrow types, borrowed; they are best sorted. Rows that are gone,
// if that is not nil, are passed over.
func (f *finder) newest(ctx context.Context, keys []arrow.Array, gone func(place) bool) ([]place, error) {
	list, err := f.space.list(keys)
	if err != nil {
		return nil, err
	}
	which, first := f.space.sortKeys(list, nil)
	places := make([]place, list.Len())
	for i := range places {
		places[i] = nowhere
	}
	for i := range f.runs {
		if err := f.inRun(ctx, &f.runs[i], list, which, gone, places); err != nil {
			return nil, err
		}
		which = slices.DeleteFunc(slices.Clone(which), func(k int32) bool { return places[k] != nowhere })
	}
	for i, k := range first {
		places[i] = places[k]
	}
	return places, nil
}

// inRun notes where a run stores keys.
func (f *finder) inRun(ctx context.Context, run *finderRun, list *keyList, which []int32, gone func(place) bool, places []place) error {
	for len(which) > 0 {
		var file int
		var keys []int32
		if file, keys, which = run.next(f.space, list, which); len(keys) == 0 {
			continue
		}
		err := f.files[file].find(ctx, list, keys, func(key int32, row int64) {
			if at := placeIn(file, row); gone == nil || !gone(at) {
				places[key] = at
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fetch reads the rows at places, in their order: _SEQUENCE_NUMBER,
// _VALUE_KIND and the wanted columns of the read schema. No place is nowhere.
// The caller releases the batch.
func (f *finder) fetch(ctx context.Context, places []place, fields []schema.Field) (arrow.RecordBatch, error) {
	as, err := schema.ArrowSchema(append(slices.Clone(systemFields), fields...))
	if err != nil {
		return nil, err
	}
	return rowsAt(as, places, f.external.table.world.Alloc, func(file int, rows []datafile.RowRange) (arrow.RecordBatch, error) {
		return f.files[file].fetch(ctx, fields, rows)
	})
}
