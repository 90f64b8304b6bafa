package table

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/manifest"
)

// Tables without a key are compacted for their small files only. Without
// buckets any files may be joined, so those of like size are; in a bucket rows
// keep their order, so only neighbours are.

// fewestFull is how many files in a bucket a full compaction begins with.
const fewestFull = 3

// planAppend finds the tasks of one bucket of a table without a key.
func (t *Table) planAppend(b bucketFiles, full bool) []CompactTask {
	var groups [][]manifest.DataFile
	switch files := slices.SortedFunc(slices.Values(b.files), appendOrder); {
	case t.unaware():
		groups = t.packByVectors(files, b.index, full)
	case full:
		groups = t.wholeBucket(files, b.index)
	default:
		group, _ := t.window(files)
		groups = append(groups, group)
	}
	var tasks []CompactTask
	for _, g := range groups {
		if len(g) > 0 {
			task := CompactTask{Partition: []byte(b.key.partition), Bucket: b.key.bucket, Files: g}
			task.reads(g)
			tasks = append(tasks, task)
		}
	}
	return tasks
}

// packByVectors packs the files apart whose deletion vectors lie in the same
// index file, and makes one task of them: so no two tasks write an index file
// anew. Of these files those too are worth it that have lost many rows.
func (t *Table) packByVectors(files []manifest.DataFile, index *bucketIndex, full bool) [][]manifest.DataFile {
	type vector struct {
		index int   // whose file holds it
		rows  int64 // that it marks
	}
	vectors := make(map[string]vector)
	for i := range index.files {
		for _, r := range index.files[i].Ranges {
			v := vector{index: i}
			if r.Cardinality != nil {
				v.rows = *r.Cardinality
			}
			vectors[r.File] = v
		}
	}
	worn, rest := make([][]manifest.DataFile, len(index.files)), make([][]manifest.DataFile, len(index.files))
	var unmarked []manifest.DataFile
	for _, f := range files {
		switch v, marked := vectors[f.Name]; {
		case !marked:
			unmarked = append(unmarked, f)
		case float64(v.rows) > t.options.Compaction.DeleteRatio*float64(f.Rows):
			worn[v.index] = append(worn[v.index], f)
		default:
			rest[v.index] = append(rest[v.index], f)
		}
	}
	var out [][]manifest.DataFile
	for i := range index.files {
		out = append(out, slices.Concat(append([][]manifest.DataFile{worn[i]}, t.packSmall(rest[i], full)...)...))
	}
	return append(out, t.packSmall(unmarked, full)...)
}

// packSmall joins small files, the smallest first, into groups of about twice
// the target. A rest has to be compaction.min.file-num files, or two when all
// is to be compacted. Spec: append, 11.1.
func (t *Table) packSmall(files []manifest.DataFile, full bool) [][]manifest.DataFile {
	small := t.options.SmallFileSize(false)
	files = slices.DeleteFunc(slices.Clone(files), func(f manifest.DataFile) bool { return f.Size >= small })
	files = files[:min(len(files), t.options.Compaction.FileLimit)]
	slices.SortStableFunc(files, func(a, b manifest.DataFile) int { return cmp.Compare(a.Size, b.Size) })
	var out [][]manifest.DataFile
	var group []manifest.DataFile
	weight := int64(0)
	for _, f := range files {
		group = append(group, f)
		weight += f.Size + t.options.SplitOpenFileCost
		if len(group) > 1 && weight >= 2*t.options.TargetFileSizeFor(false) {
			out = append(out, group)
			group, weight = nil, 0
		}
	}
	least := t.options.Compaction.MinFiles
	if full {
		least = 2
	}
	if len(group) >= max(least, 2) {
		out = append(out, group)
	}
	return out
}

// wholeBucket is all files from the first small one on, if most of them are
// small; or from the first one with deleted rows, so that these go. Spec: append, 11.2.
func (t *Table) wholeBucket(files []manifest.DataFile, index *bucketIndex) [][]manifest.DataFile {
	if t.options.Compaction.ForceRewrite {
		return [][]manifest.DataFile{files}
	}
	marked := func(f manifest.DataFile) bool { return index.has(&f) }
	worn := slices.ContainsFunc(files, marked)
	if len(files) < fewestFull && !worn {
		return nil
	}
	size := t.options.SmallFileSize(false)
	for len(files) > 0 && files[0].Size >= size && !marked(files[0]) {
		files = files[1:]
	}
	if worn {
		return [][]manifest.DataFile{files}
	}
	small := 0
	for i := range files {
		if files[i].Size < size {
			small++
		}
	}
	if len(files) < fewestFull || small <= len(files)-small {
		return nil
	}
	return [][]manifest.DataFile{files}
}

// window is the first stretch of neighbours that is worth joining: enough
// files that are not too large together. rest are the files from there on
// that a later window may begin with.
func (t *Table) window(files []manifest.DataFile) (group, rest []manifest.DataFile) {
	from, size := 0, int64(0)
	for to := range files {
		size += files[to].Size
		switch {
		case to-from+1 >= t.options.Compaction.MinFiles:
			return files[from : to+1 : to+1], files[to+1:]
		case size >= 2*t.options.TargetFileSizeFor(false):
			size -= files[from].Size
			from++
		}
	}
	return nil, files[from:]
}

// appendWork joins the files of a task, in their order.
func (t *Table) appendWork(task *CompactTask, view *vectorView, progress func(rows int64)) work {
	return func(ctx context.Context) (compactResult, error) {
		return t.joinFiles(ctx, bucketKey{string(task.Partition), task.Bucket}, task.Files, view, progress)
	}
}

// joinFiles copies the rows of files, in their order, into new files.
func (t *Table) joinFiles(ctx context.Context, key bucketKey, files []manifest.DataFile, view *vectorView, progress func(rows int64)) (compactResult, error) {
	maker, err := t.makerFor(0)
	if err != nil {
		return compactResult{}, err
	}
	if err := t.mayWriteAgain(schemasOf(files)...); err != nil {
		return compactResult{}, err
	}
	r, err := t.wholeReader([]byte(key.partition), key.bucket)
	if err != nil {
		return compactResult{}, err
	}
	r.vectorOf = view.of
	ranked := make(rankedRun, len(files))
	for i, f := range files {
		ranked[i] = rankedFile{f, i}
	}
	out := rolling{files: maker, dir: r.dir, id: t.world.NewID(), next: files[0].MinSequence}
	from := &countedSource{r.newRun(ctx, ranked, false, int(min(8192, max(128, mergedBytes/rowBytes(t.schema.Fields, len(t.schema.Fields), files))))), progress}
	err = errors.Join(copyRows(ctx, from, &out, r.parallel), from.Close(), r.external.close())
	if err == nil {
		err = out.roll()
	}
	if err != nil {
		return compactResult{}, errors.Join(err, out.discard())
	}
	return compactResult{before: files, after: out.take()}, nil
}

// countedSource tells of the rows that are read.
type countedSource struct {
	rowSource
	tell func(rows int64) // may be nil
}

func (c *countedSource) Next() (arrow.RecordBatch, error) {
	rec, err := c.rowSource.Next()
	if err == nil && c.tell != nil {
		c.tell(rec.NumRows())
	}
	return rec, err
}

// appendTree is a bucket of a table without a key: its files in the order of
// their rows, as far as compactions have not left them behind.
type appendTree struct {
	table *Table
	key   bucketKey
	all   map[fileID]bool
	queue []manifest.DataFile
}

func (a *appendTree) update(before, after []manifest.DataFile) {
	gone := make(map[string]bool, len(before))
	for i := range before {
		delete(a.all, idOf(&before[i]))
		gone[before[i].Name] = true
	}
	if len(before) > 0 {
		a.queue = slices.DeleteFunc(a.queue, func(f manifest.DataFile) bool { return gone[f.Name] })
	}
	for i := range after {
		f := after[i]
		if a.all[idOf(&f)] {
			continue
		}
		a.all[idOf(&f)] = true
		// Of what a compaction made only the last file can be worth another one.
		if len(before) == 0 || i == len(after)-1 && f.Size < a.table.options.SmallFileSize(false) {
			a.queue = append(a.queue, f)
		}
	}
	slices.SortFunc(a.queue, appendOrder)
}

func (a *appendTree) has(f *manifest.DataFile) bool { return a.all[idOf(f)] }

// fits: keys are no matter.
func (a *appendTree) fits(before, _ []manifest.DataFile) bool {
	return !slices.ContainsFunc(before, func(f manifest.DataFile) bool { return !a.has(&f) })
}

func (a *appendTree) above0() []string { return nil }

// runs: readers of such a table merge nothing, so writers never wait.
func (a *appendTree) runs() int { return 0 }

func (a *appendTree) pick(_ context.Context, full bool, _ time.Time, index *bucketIndex, before *compactResult) (work, error) {
	var group []manifest.DataFile
	if full {
		if groups := a.table.wholeBucket(a.queue, index); len(groups) > 0 {
			group, a.queue = groups[0], nil
		}
	} else {
		group, a.queue = a.table.window(a.queue)
	}
	if len(group) == 0 {
		return nil, nil
	}
	view, err := index.view(before)
	return func(ctx context.Context) (compactResult, error) {
		return a.table.joinFiles(ctx, a.key, group, view, nil)
	}, err
}
