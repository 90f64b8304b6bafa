package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// CheckReport is what Check looked at and what it found wrong.
type CheckReport struct {
	Snapshots, Manifests, Files int
	Rows                        int64 // rows decoded, each file once
	Problems                    []CheckProblem
}

// CheckProblem is one contradiction between metadata and files.
type CheckProblem struct {
	Snapshot int64 // the first snapshot that shows it
	File     string
	Fact     string
}

func (p CheckProblem) String() string {
	return fmt.Sprintf("snapshot %d: %s: %s", p.Snapshot, p.File, p.Fact)
}

// Check walks every snapshot and proves that every file exists and parses, and
// that rows, key ranges, sequence numbers, order, deletion vectors and hash
// indexes are what the metadata says. It changes nothing. Progress, if not nil,
// is called after each file.
// An error means that the walk itself could not go on; what is wrong with the
// table is in the report.
func (t *Table) Check(ctx context.Context, progress func(CheckReport)) (CheckReport, error) {
	c := &checker{table: t, progress: progress, manifests: make(map[string]bool), files: make(map[string]bool), decoded: make(map[string]map[string]checkedVector)}
	for at, err := range t.chain.All(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return c.report, t.wrap("check", err)
			}
			c.problem("snapshot/", err.Error())
			continue
		}
		c.at = at.ID
		if err := c.snapshot(ctx, at); err != nil {
			return c.report, t.wrap("check", err)
		}
		c.report.Snapshots++
	}
	return c.report, nil
}

type checker struct {
	table            *Table
	progress         func(CheckReport)
	at               int64
	report           CheckReport
	manifests, files map[string]bool                     // seen already
	decoded          map[string]map[string]checkedVector // by index file and data file
	hashes           hashCheck
}

func (c *checker) problem(file, fact string) {
	c.report.Problems = append(c.report.Problems, CheckProblem{c.at, file, fact})
}

// snapshot checks one snapshot: its lists, its live files, its record counts.
func (c *checker) snapshot(ctx context.Context, at *snapshot.Snapshot) error {
	if _, err := c.table.schemas.get(ctx, at.SchemaID); err != nil {
		c.problem(c.table.schemas.key(at.SchemaID), err.Error())
		return ctx.Err()
	}
	base, ok1 := c.list(ctx, at.BaseManifestList, at.BaseManifestListSize)
	delta, ok2 := c.list(ctx, at.DeltaManifestList, at.DeltaManifestListSize)
	if !ok1 || !ok2 {
		return ctx.Err()
	}
	live, err := c.table.manifest.Live(ctx, slices.Concat(base, delta), nil)
	if err != nil {
		c.problem(at.BaseManifestList, err.Error())
		return ctx.Err()
	}
	c.counts(ctx, at, live, delta)
	c.levels(live)
	if err := c.hashIndex(ctx, at); err != nil {
		return err
	}
	if err := c.dataFiles(ctx, live, false); err != nil {
		return err
	}
	if err := c.vectors(ctx, at, live); err != nil {
		return err
	}
	return c.changelog(ctx, at)
}

// changelog checks what a snapshot tells in files of its own. The first one may
// have been brought back by a tag after that had expired.
func (c *checker) changelog(ctx context.Context, at *snapshot.Snapshot) error {
	if at.ChangelogManifestList == "" {
		return nil
	}
	if c.report.Snapshots == 0 {
		if _, err := c.table.manifest.ReadList(ctx, at.ChangelogManifestList); isNotFound(err) {
			return nil
		}
	}
	metas, ok := c.list(ctx, at.ChangelogManifestList, at.ChangelogManifestListSize)
	if !ok {
		return ctx.Err()
	}
	changes, err := c.table.manifest.Live(ctx, metas, nil)
	if err != nil {
		c.problem(at.ChangelogManifestList, err.Error())
		return ctx.Err()
	}
	if n := recordCount(changes); at.ChangelogRecordCount != nil && *at.ChangelogRecordCount != n {
		c.problem("snapshot/", fmt.Sprintf("changelogRecordCount is %d, the changelog holds %d rows", *at.ChangelogRecordCount, n))
	}
	return c.dataFiles(ctx, changes, true)
}

// list reads a manifest list and proves each manifest's counters, once.
func (c *checker) list(ctx context.Context, name string, size *int64) ([]manifest.Meta, bool) {
	metas, err := c.table.manifest.ReadList(ctx, name)
	if err != nil {
		c.problem(name, err.Error())
		return nil, false
	}
	if size != nil {
		if info, err := c.table.store.Stat(ctx, "manifest/"+name); err == nil && info.Size != *size {
			c.problem(name, fmt.Sprintf("is %d bytes long, the snapshot says %d", info.Size, *size))
		}
	}
	for _, m := range metas {
		if c.manifests[m.Name] {
			continue
		}
		c.manifests[m.Name] = true
		c.report.Manifests++
		if !c.oneManifest(ctx, m) {
			return nil, false
		}
	}
	return metas, true
}

func (c *checker) oneManifest(ctx context.Context, m manifest.Meta) bool {
	entries, err := c.table.manifest.ReadEntries(ctx, m)
	if err != nil {
		c.problem(m.Name, err.Error())
		return false
	}
	var added, deleted int64
	for _, e := range entries {
		if e.Kind == manifest.Add {
			added++
		} else {
			deleted++
		}
		if m.MinBucket != nil && m.MaxBucket != nil && (e.Bucket < *m.MinBucket || e.Bucket > *m.MaxBucket) {
			c.problem(m.Name, fmt.Sprintf("holds bucket %d, its list says %d to %d", e.Bucket, *m.MinBucket, *m.MaxBucket))
		}
	}
	if added != m.Added || deleted != m.Deleted {
		c.problem(m.Name, fmt.Sprintf("adds %d and deletes %d files, its list says %d and %d", added, deleted, m.Added, m.Deleted))
	}
	return true
}

func (c *checker) counts(ctx context.Context, at *snapshot.Snapshot, live []manifest.Entry, delta []manifest.Meta) {
	var change int64
	total := recordCount(live)
	if at.TotalRecordCount != nil && *at.TotalRecordCount != total {
		c.problem("snapshot/", fmt.Sprintf("totalRecordCount is %d, live files hold %d rows", *at.TotalRecordCount, total))
	}
	for e, err := range c.table.manifest.Scan(ctx, delta, nil) {
		switch {
		case err != nil:
			c.problem(at.DeltaManifestList, err.Error())
			return
		case e.Kind == manifest.Add:
			change += e.File.Rows
		default:
			change -= e.File.Rows
		}
	}
	if at.DeltaRecordCount != nil && *at.DeltaRecordCount != change {
		c.problem("snapshot/", fmt.Sprintf("deltaRecordCount is %d, the delta holds %d rows", *at.DeltaRecordCount, change))
	}
}

func recordCount(entries []manifest.Entry) (rows int64) {
	for i := range entries {
		rows += entries[i].File.Rows
	}
	return rows
}

// levels proves that the files of one level above 0 do not overlap.
func (c *checker) levels(live []manifest.Entry) {
	if len(c.table.schema.PrimaryKeys) == 0 {
		return
	}
	types := typesOf(c.table.schema.KeyFields())
	type place struct {
		bucketKey
		level int
	}
	byLevel := make(map[place][]manifest.DataFile)
	for _, e := range live {
		if e.File.Level > 0 {
			at := place{bucketKey{string(e.Partition), e.Bucket}, e.File.Level}
			byLevel[at] = append(byLevel[at], e.File)
		}
	}
	for at, files := range byLevel {
		slices.SortFunc(files, func(a, b manifest.DataFile) int { return binaryrow.Compare(types, a.MinKey, b.MinKey) })
		for i := 1; i < len(files); i++ {
			if binaryrow.Compare(types, files[i-1].MaxKey, files[i].MinKey) >= 0 {
				c.problem(files[i].Name, fmt.Sprintf("overlaps %s at level %d of bucket %d", files[i-1].Name, at.level, at.bucket))
			}
		}
	}
}

// dataFiles decodes every file that was not decoded for an earlier snapshot.
func (c *checker) dataFiles(ctx context.Context, entries []manifest.Entry, changelog bool) error {
	for _, e := range entries {
		info, err := c.table.fileInfo(e)
		if err != nil {
			c.problem(e.File.Name, err.Error())
			continue
		}
		if c.files[info.Path] {
			continue
		}
		c.files[info.Path] = true
		c.report.Files++
		rows, err := c.decode(ctx, e, changelog)
		c.report.Rows += rows
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			c.problem(info.Path, err.Error())
		}
		if c.progress != nil {
			c.progress(c.report)
		}
	}
	return nil
}

// decode reads one file whole and compares it with its metadata.
func (c *checker) decode(ctx context.Context, e manifest.Entry, changelog bool) (rows int64, err error) {
	f := &e.File
	own, err := c.table.schemas.get(ctx, f.SchemaID)
	if err != nil {
		return 0, err
	}
	dir, err := c.table.bucketDir(e.Partition, e.Bucket)
	if err != nil {
		return 0, err
	}
	r := &splitReader{scan: &Scan{scanned: scanned{table: c.table}}, dir: dir, external: externalFiles{table: c.table}}
	defer r.external.close()
	st, key, err := r.locate(ctx, f)
	if err != nil {
		return 0, err
	}
	info, err := st.Stat(ctx, key)
	if err != nil {
		return 0, err
	}
	if info.Size != f.Size {
		return 0, fmt.Errorf("is %d bytes long, its manifest says %d", info.Size, f.Size)
	}
	object, err := st.Open(ctx, key, info.Size)
	if err != nil {
		return 0, err
	}
	defer object.Close()
	keyed := len(own.PrimaryKeys) > 0
	fields := own.Fields
	if keyed {
		fields = own.FileFields(false)
	}
	reader, err := datafile.Open(ctx, object, key, datafile.ReaderOptions{Format: fileFormat(f.Name), Fields: fields, Alloc: c.table.world.Alloc})
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	walk := &fileWalk{file: f, table: own, ordered: keyed && e.Bucket >= 0, repeats: changelog}
	if !changelog {
		if err := c.useHashes(ctx, walk, &e); err != nil {
			return 0, err
		}
	}
	if err = eachBatch(reader, walk.batch); err == nil {
		err = walk.end()
	}
	return walk.rows, err
}

// fileWalk compares the rows of one file with its metadata.
type fileWalk struct {
	file     *manifest.DataFile
	table    *schema.Table
	ordered  bool
	repeats  bool // several rows may have one key
	rows     int64
	deletes  int64
	lo, hi   int64
	min, max []byte

	hashes  *bucket.Index // of the partition, in tables with dynamic buckets
	bucket  int
	scratch []int32
}

func (w *fileWalk) batch(rec arrow.RecordBatch) error {
	n := int(rec.NumRows())
	if n == 0 {
		return nil
	}
	first := w.rows
	w.rows += int64(n)
	if len(w.table.PrimaryKeys) == 0 {
		return nil
	}
	at := len(w.table.KeyFields()) // the key columns come first
	numbers, kinds := rec.Column(at).(*array.Int64).Values(), rec.Column(at+1).(*array.Int8).Values()
	if first == 0 {
		w.lo, w.hi = numbers[0], numbers[0]
	}
	for i := range n {
		w.lo, w.hi = min(w.lo, numbers[i]), max(w.hi, numbers[i])
		if mergeengine.Retracts(kinds[i]) {
			w.deletes++
		}
	}
	if w.hashes != nil {
		if err := w.keyHashes(rec, first); err != nil {
			return err
		}
	}
	if !w.ordered {
		return nil
	}
	return w.keys(rec, first)
}

// keys proves that keys rise, strictly unless they repeat, and notes the first and the last.
func (w *fileWalk) keys(rec arrow.RecordBatch, first int64) error {
	fields := w.table.KeyFields()
	types := typesOf(fields)
	stored, at := make([]int, len(fields)), make([]int, len(fields))
	for i, f := range fields {
		stored[i], at[i] = i, len(fields)+2+w.table.Index(f.Name)
		if rec.Column(i).NullN() == int(rec.NumRows()) {
			stored[i] = at[i] // a thin file stores its key once
		}
	}
	enc, err := binaryrow.NewEncoder(types, pick(rec, at))
	if err != nil {
		return err
	}
	twin, err := binaryrow.NewEncoder(types, pick(rec, stored))
	if err != nil {
		return err
	}
	var key, other []byte
	for row := range int(rec.NumRows()) {
		key, other = enc.Append(key[:0], row), twin.Append(other[:0], row)
		if !bytes.Equal(key, other) {
			return fmt.Errorf("row %d: its key columns differ from the columns they repeat", first+int64(row))
		}
		if w.min == nil {
			w.min = slices.Clone(key)
		} else if c := binaryrow.Compare(types, w.max, key); c > 0 || c == 0 && !w.repeats {
			return fmt.Errorf("row %d: its key does not follow the one before", first+int64(row))
		}
		w.max = append(w.max[:0], key...)
	}
	return nil
}

func (w *fileWalk) end() error {
	f := w.file
	if w.rows != f.Rows {
		return fmt.Errorf("holds %d rows, its manifest says %d", w.rows, f.Rows)
	}
	if !w.ordered || w.rows == 0 {
		return nil
	}
	if f.DeleteRows != nil && *f.DeleteRows != w.deletes {
		return fmt.Errorf("holds %d deletes, its manifest says %d", w.deletes, *f.DeleteRows)
	}
	if w.lo != f.MinSequence || w.hi != f.MaxSequence {
		return fmt.Errorf("holds sequence numbers %d to %d, its manifest says %d to %d", w.lo, w.hi, f.MinSequence, f.MaxSequence)
	}
	types := typesOf(w.table.KeyFields())
	if binaryrow.Compare(types, w.min, f.MinKey) != 0 || binaryrow.Compare(types, w.max, f.MaxKey) != 0 {
		return errors.New("its first or last key is not the one its manifest says")
	}
	return nil
}
