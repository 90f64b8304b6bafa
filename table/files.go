package table

import (
	"cmp"
	"context"
	"errors"
	"path"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// systemStats is the statistics mode of key and system columns (manifest format, section 4.5).
const systemStats = "truncate(128)"

// fileMaker writes data files of one table and describes them as manifests do.
// It is immutable and safe for concurrent use.
type fileMaker struct {
	table      *Table
	physical   []schema.Field // columns of a file, in file order
	arrow      *arrow.Schema  // of these
	keys       []int          // physical positions of the trimmed primary key's values
	keyTypes   []schema.Type
	sequence   int   // physical position of _SEQUENCE_NUMBER, -1 in append tables
	kind       int   // physical position of _VALUE_KIND, -1 in append tables
	values     int   // physical position of the first value column
	level      int   // of the files in their bucket
	source     int8  // manifest.SourceAppend or SourceCompact
	rowGroup   int64 // packed bytes that an open file holds at most
	target     int64
	keyModes   []manifest.StatsMode
	valueModes []manifest.StatsMode
	prefix     string // of file names
	format     string // parquet or avro
	extension  string
	code       string // compression
}

// newFileMaker returns the maker of files of one level.
func newFileMaker(t *Table, level int, source int8) (*fileMaker, error) {
	o := t.options
	m, err := layoutFiles(t, level, source)
	if err != nil {
		return nil, err
	}
	m.prefix, m.format, m.code = o.DataFilePrefix, o.FileFormatFor(m.overrides()), o.FileCompressionFor(m.overrides())
	return m, m.encodeBy(o.StatsModeFor("", m.overrides()))
}

// newChangelogMaker returns the maker of changelog files. Where nothing else is
// said they look like data files of the level.
func newChangelogMaker(t *Table, level int) (*fileMaker, error) {
	m, err := layoutFiles(t, level, manifest.SourceAppend)
	if err != nil {
		return nil, err
	}
	o := &t.options.Changelog
	m.prefix, m.format = o.FilePrefix, cmp.Or(o.FileFormat, t.options.FileFormatFor(level))
	m.code = cmp.Or(o.FileCompression, t.options.FileCompressionFor(level))
	if m.format == "avro" {
		m.code = cmp.Or(t.options.AvroCodec, m.code)
	}
	return m, m.encodeBy(cmp.Or(o.StatsMode, t.options.StatsModeFor("", level)))
}

// layoutFiles finds out what the files of a level hold.
func layoutFiles(t *Table, level int, source int8) (*fileMaker, error) {
	m := &fileMaker{table: t, physical: t.schema.FileFields(t.options.ThinMode), sequence: -1, kind: -1, level: level, source: source}
	m.values = len(m.physical) - len(t.schema.Fields)
	if len(t.schema.PrimaryKeys) > 0 {
		m.sequence, m.kind = m.values-2, m.values-1
		for _, f := range t.schema.KeyFields() {
			m.keys = append(m.keys, m.values+t.schema.Index(f.Name))
			m.keyTypes = append(m.keyTypes, f.Type)
		}
	}
	var err error
	m.arrow, err = schema.ArrowSchema(m.physical)
	m.target = t.options.TargetFileSizeFor(len(t.schema.PrimaryKeys) > 0)
	m.rowGroup = m.rowGroupBytes()
	return m, err
}

// encodeBy gets ready to write files of the maker's format, with statistics of
// a mode where a column has none of its own.
func (m *fileMaker) encodeBy(mode string) error {
	m.extension = "." + m.format
	if m.table.options.SuffixIncludesCompression {
		m.extension = "." + m.code + m.extension
	}
	if m.format == "avro" {
		return errors.Join(datafile.AvroHolds(m.physical), m.avroStatsModes(mode))
	}
	return m.statsModes(mode)
}

// overrides is the level whose own values of options apply: files of append tables have none.
func (m *fileMaker) overrides() int {
	if len(m.table.schema.PrimaryKeys) == 0 {
		return -1
	}
	return m.level
}

func (m *fileMaker) statsModes(mode string) error {
	o := m.table.options
	names := make([]string, len(m.table.schema.Fields))
	for i, f := range m.table.schema.Fields {
		names[i] = f.Name
	}
	var thinKeys []string
	if o.ThinMode {
		for _, f := range m.table.schema.KeyFields() {
			thinKeys = append(thinKeys, f.Name)
		}
	}
	var err error
	if m.valueModes, err = manifest.StatsModes(names, mode, o.FieldStatsMode, o.StatsKeepFirstN, thinKeys); err != nil {
		return err
	}
	system, err := manifest.ParseStatsMode(systemStats)
	m.keyModes = make([]manifest.StatsMode, len(m.keys))
	for i := range m.keyModes {
		m.keyModes[i] = system
	}
	return err
}

// avroStatsModes: of Avro files Paimon gathers the statistics of key and system
// columns by the same rules as those of the others.
func (m *fileMaker) avroStatsModes(mode string) error {
	o := m.table.options
	columns := make([]string, len(m.physical))
	for i, f := range m.physical {
		columns[i] = f.Name
	}
	modes, err := manifest.AvroStatsModes(columns, mode, o.FieldStatsMode, o.StatsKeepFirstN)
	if err != nil {
		return err
	}
	m.valueModes, m.keyModes = modes[m.values:], make([]manifest.StatsMode, len(m.keys))
	for i, at := range m.keys {
		if m.sequence > 0 { // key columns of their own, in the same order
			at = i
		}
		m.keyModes[i] = modes[at]
	}
	return nil
}

// options of the encoder of one file.
func (m *fileMaker) encoder(parallel int) datafile.WriterOptions {
	o := m.table.options
	return datafile.WriterOptions{
		Format: m.format, Compression: m.code, ZstdLevel: o.ZstdLevel,
		RowGroupBytes: m.rowGroup, PageBytes: o.ParquetPageSize,
		Dictionary: m.dictionary, Parallel: parallel, Alloc: m.table.world.Alloc, Stats: true,
	}
}

const (
	// minRowGroup is how small, in packed bytes, a small write buffer makes row groups.
	minRowGroup = 1 << 20
	// compactRowGroup bounds those of compactions: several may run beside the writers.
	compactRowGroup = 24 << 20
	// sharedRowGroup is how small they become where one compaction writes many files at once.
	sharedRowGroup = 8 << 20
)

// rowGroupBytes bounds what an open file holds in memory by half of the write
// buffer, which is nothing that a default configuration notices.
func (m *fileMaker) rowGroupBytes() int64 {
	size := m.table.options.BlockSize
	if size == 0 {
		size = 128 << 20
	}
	if m.source == manifest.SourceCompact {
		size = min(size, compactRowGroup)
	}
	return min(size, max(minRowGroup, m.table.options.WriteBufferSize/2))
}

// among makes files of which so many are open at once.
func (m *fileMaker) among(n int) *fileMaker {
	one := *m
	one.rowGroup = max(min(m.rowGroup, sharedRowGroup), m.rowGroup/int64(n))
	return &one
}

func (m *fileMaker) dictionary(col string) *bool {
	if on, ok := m.table.options.ParquetDictionaryColumns[col]; ok {
		return &on
	}
	return m.table.options.ParquetDictionary
}

// newFile is one data file being written. It is for one goroutine.
type newFile struct {
	maker       *fileMaker
	key, name   string
	out         countedWriter
	stop        context.CancelFunc // gives up what the store still does for the file
	enc         *datafile.Writer
	meta        manifest.DataFile
	deleteRows  int64
	minKey, max []byte
}

// countedWriter counts what has left the encoder.
type countedWriter struct {
	store.Writer
	sent int64
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.sent += int64(n)
	return n, err
}

// create starts the n-th file of a bucket writer. The file may outlive the
// call that starts it, so it has a context of its own, which ends early only
// when the context of a call that works on it does.
func (m *fileMaker) create(ctx context.Context, dir, id string, n, parallel int) (*newFile, error) {
	f := &newFile{maker: m, name: m.prefix + id + "-" + strconv.Itoa(n) + m.extension}
	f.key = path.Join(dir, f.name)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var own context.Context
	own, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, f.stop)()
	out, err := m.table.store.Create(own, f.key)
	if err != nil {
		f.stop()
		return nil, err
	}
	f.out.Writer = out
	if f.enc, err = datafile.NewWriter(&f.out, m.physical, m.encoder(parallel)); err != nil {
		out.Abort()
		f.stop()
		return nil, err
	}
	return f, nil
}

// write appends a physical batch whose rows are in file order.
func (f *newFile) write(ctx context.Context, rec arrow.RecordBatch) error {
	if rec.NumRows() == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, f.stop)()
	if err := f.note(rec); err != nil {
		return err
	}
	return f.enc.Write(rec)
}

// note keeps what the file's metadata says about its rows.
func (f *newFile) note(rec arrow.RecordBatch) error {
	m := f.maker
	if m.sequence < 0 {
		return nil
	}
	numbers := rec.Column(m.sequence).(*array.Int64).Values()
	if f.minKey == nil {
		f.meta.MinSequence, f.meta.MaxSequence = numbers[0], numbers[0]
	}
	for _, n := range numbers {
		f.meta.MinSequence, f.meta.MaxSequence = min(f.meta.MinSequence, n), max(f.meta.MaxSequence, n)
	}
	for _, k := range rec.Column(m.kind).(*array.Int8).Values() {
		if k == int8(schema.Delete) || k == int8(schema.UpdateBefore) {
			f.deleteRows++
		}
	}
	enc, err := binaryrow.NewEncoder(m.keyTypes, pick(rec, m.keys))
	if err != nil {
		return err
	}
	if f.minKey == nil {
		f.minKey = enc.Append(nil, 0)
	}
	f.max = enc.Append(f.max[:0], int(rec.NumRows())-1)
	return nil
}

// held is about how many bytes wait in memory to be sent.
func (f *newFile) held() int64 { return f.enc.Size() - f.out.sent }

// finish makes the file durable and describes it. After an error the file is
// gone, or nothing refers to it.
func (f *newFile) finish() (manifest.DataFile, error) {
	defer f.stop()
	result, err := f.enc.Close()
	if err != nil {
		f.out.Abort()
		return manifest.DataFile{}, err
	}
	d, err := f.describe(result)
	if err != nil {
		f.out.Abort()
		return manifest.DataFile{}, err
	}
	if err := f.out.Close(); err != nil {
		// The store may have the file although it did not say so.
		_ = f.maker.table.store.Delete(context.Background(), f.key)
		return manifest.DataFile{}, err
	}
	return d, nil
}

func (f *newFile) describe(result datafile.Result) (manifest.DataFile, error) {
	m, t := f.maker, f.maker.table
	d := f.meta
	source := m.source
	d.Name, d.Size, d.Rows, d.SchemaID, d.Level = f.name, result.Bytes, result.Rows, t.schema.ID, m.level
	d.CreationTime, d.DeleteRows, d.Source = wallClock(t.world.Clock(), t.settings.TimeZone), &f.deleteRows, &source
	d.MinKey, d.MaxKey, d.KeyArity = f.minKey, f.max, len(m.keys)
	if m.sequence < 0 {
		d.MinKey, d.MaxKey = emptyRow, emptyRow
	}
	return d, m.stats(&d, result.Columns)
}

// emptyRow is the body of a BinaryRow without columns.
var emptyRow = make([]byte, 8)

// stats fills in the key and value statistics from those of the columns.
func (m *fileMaker) stats(d *manifest.DataFile, cols []datafile.ColumnStats) error {
	sc := m.table.schema
	values := cols[m.values:]
	keys := make([]datafile.ColumnStats, len(m.keys))
	for i, at := range m.keys {
		keys[i] = cols[at]
	}
	var err error
	if len(keys) > 0 {
		if d.KeyStats, err = manifest.BuildStats(sc.KeyFields(), keys, func(i int) manifest.StatsMode { return m.keyModes[i] }); err != nil {
			return err
		}
	}
	mode := func(i int) manifest.StatsMode { return m.valueModes[i] }
	if m.table.options.StatsDense {
		d.ValueStats, d.ValueStatsCols, d.HasValueStatsCols, err = manifest.DenseValueStats(sc.Fields, values, mode)
		return err
	}
	d.ValueStats, err = manifest.BuildStats(sc.Fields, values, mode)
	return err
}

// abandon gives up a file that was not finished.
func (f *newFile) abandon() {
	f.enc.Abort()
	f.out.Abort()
	f.stop()
}

// wallClock is the local time of day in loc, encoded as if it were UTC, in milliseconds.
func wallClock(now time.Time, loc *time.Location) int64 {
	_, offset := now.In(loc).Zone()
	return now.UnixMilli() + int64(offset)*1000
}

// bucketDir is the directory of a partition's bucket, relative to the table.
func (t *Table) bucketDir(partition []byte, bucket int) (string, error) {
	values, err := t.partitionValues(partition)
	if err != nil {
		return "", err
	}
	dir, err := t.paths.Dir(values)
	if err != nil {
		return "", err
	}
	name := "bucket-" + strconv.Itoa(bucket)
	if bucket == -2 {
		name = "bucket-postpone"
	}
	return path.Join(t.options.DataFilePathDirectory, dir, name), nil
}

func (t *Table) partitionValues(partition []byte) ([]any, error) {
	return binaryrow.Decode(t.parts, partition)
}

// deleteFiles removes files that no snapshot names; failures are joined.
func (t *Table) deleteFiles(ctx context.Context, dir string, files []manifest.DataFile) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, t.store.Delete(ctx, path.Join(dir, f.Name)))
	}
	return errors.Join(errs...)
}
