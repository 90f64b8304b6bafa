package manifest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Objects is the part of a store that manifests need; a store.Store has it.
type Objects interface {
	ReadAll(ctx context.Context, key string) ([]byte, error)
	Write(ctx context.Context, key string, data []byte) error
	Delete(ctx context.Context, key string) error
}

// IOOptions shape the files that an IO writes and how it reads.
type IOOptions struct {
	Partition   []schema.Field // partition columns of the table, in order
	Compression string         // manifest.compression: zstd (default), snappy, deflate, none, or an Avro codec name
	ZstdLevel   int            // default 1
	TargetSize  int64          // manifest.target-file-size in bytes, default 8 MiB
	Parallel    int            // manifests read at once, default 8
	NewID       func() string  // the part of file names that is unique, default a random UUID
}

// IO reads and writes the manifests of one table. It is safe for concurrent use.
type IO struct {
	st    Objects
	dir   string
	opts  IOOptions
	codec string
	id    string

	manifests, lists, indexes atomic.Int64 // files named so far
}

// NewIO works on the manifest directory dir of the store. The names of files
// it writes carry one id and a counter, as Java names them.
func NewIO(st Objects, dir string, opts IOOptions) *IO {
	if opts.ZstdLevel == 0 {
		opts.ZstdLevel = 1
	}
	if opts.TargetSize <= 0 {
		opts.TargetSize = 8 << 20
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 8
	}
	if opts.NewID == nil {
		opts.NewID = uuid.NewString
	}
	return &IO{st: st, dir: dir, opts: opts, codec: codecName(opts.Compression), id: opts.NewID()}
}

// codecName translates the values of manifest.compression; other names are
// refused when a file is written.
func codecName(compression string) string {
	switch c := strings.ToLower(compression); c {
	case "", "zstd":
		return avro.CodecZstd
	case "none":
		return avro.CodecNull
	default:
		return c
	}
}

// Path is the key of a manifest, a manifest list or an index manifest.
func (m *IO) Path(name string) string {
	if m.dir == "" {
		return name
	}
	return m.dir + "/" + name
}

func (m *IO) name(prefix string, counter *atomic.Int64) string {
	return fmt.Sprintf("%s-%s-%d", prefix, m.id, counter.Add(1)-1)
}

// fetch reads a whole file with one request: manifests are read to the end.
// The size that metadata gives is not relied upon.
func (m *IO) fetch(ctx context.Context, name string) ([]byte, error) {
	data, err := m.st.ReadAll(ctx, m.Path(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", m.Path(name), err)
	}
	return data, nil
}

// ReadList reads a manifest list.
func (m *IO) ReadList(ctx context.Context, name string) ([]Meta, error) {
	data, err := m.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	return metaCodec.read(m.Path(name), data, len(m.opts.Partition), nil)
}

// ReadEntries reads a manifest. The entries share memory; see the package comment.
func (m *IO) ReadEntries(ctx context.Context, meta Meta) ([]Entry, error) {
	return m.readEntries(ctx, meta.Name, nil)
}

func (m *IO) readEntries(ctx context.Context, name string, keep func(*Entry) bool) ([]Entry, error) {
	data, err := m.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	return entryCodec.read(m.Path(name), data, len(m.opts.Partition), keep)
}

// ReadIndex reads an index manifest. Its entries all say Add.
func (m *IO) ReadIndex(ctx context.Context, name string) ([]IndexEntry, error) {
	data, err := m.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	entries, err := indexCodec.read(m.Path(name), data, len(m.opts.Partition), nil)
	for i := range entries {
		if entries[i].Kind != Add {
			return nil, fault.Corrupt(m.Path(name), "index manifest with a DELETE of "+entries[i].Name, nil)
		}
	}
	return entries, err
}

// WriteList writes a manifest list, which may be empty, and returns its name
// and its size in bytes.
func (m *IO) WriteList(ctx context.Context, metas []Meta) (name string, size int64, err error) {
	name = m.name("manifest-list", &m.lists)
	var lay layout
	for i := range metas {
		if err := eachMeta(&metas[i], lay.must); err != nil {
			return "", 0, err
		}
	}
	f, err := m.create(name, metaSchema, &lay)
	for i := 0; i < len(metas) && err == nil; i++ {
		if f.w.Block, err = appendMeta(f.w.Block, &metas[i], &lay); err == nil {
			err = f.w.End()
		}
	}
	if err == nil {
		size, err = f.close(ctx)
	}
	if err != nil {
		return "", 0, fmt.Errorf("write %s: %w", m.Path(name), err)
	}
	return name, size, nil
}

// WriteIndex writes an index manifest with the live index files, which all
// have to say Add.
func (m *IO) WriteIndex(ctx context.Context, entries []IndexEntry) (name string, err error) {
	name = m.name("index-manifest", &m.indexes)
	var lay layout
	for i := range entries {
		if entries[i].Kind != Add {
			return "", fault.Invalid("index file " + entries[i].Name + " is deleted: combine changes before writing them")
		}
		if err := eachIndex(&entries[i], lay.must); err != nil {
			return "", err
		}
	}
	f, err := m.create(name, indexSchema, &lay)
	for i := 0; i < len(entries) && err == nil; i++ {
		if f.w.Block, err = appendIndex(f.w.Block, &entries[i], len(m.opts.Partition), &lay); err == nil {
			err = f.w.End()
		}
	}
	if err == nil {
		_, err = f.close(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", m.Path(name), err)
	}
	return name, nil
}

// WriteEntries writes entries into as many manifests as the target size asks
// for; none for no entries. After an error nothing is left behind.
func (m *IO) WriteEntries(ctx context.Context, entries []Entry) ([]Meta, error) {
	r := m.newRoller(m.opts.TargetSize)
	for i := range entries {
		if err := r.prepare(&entries[i]); err != nil {
			return nil, err
		}
	}
	for i := range entries {
		if err := r.write(ctx, &entries[i]); err != nil {
			return nil, r.abort(ctx, err)
		}
	}
	metas, err := r.finish(ctx)
	if err != nil {
		return nil, r.abort(ctx, err)
	}
	return metas, nil
}

// Remove deletes manifests, lists and index manifests by name. It tries all
// of them and joins the errors.
func (m *IO) Remove(ctx context.Context, names ...string) error {
	var errs []error
	for _, name := range names {
		if err := m.st.Delete(ctx, m.Path(name)); err != nil {
			errs = append(errs, fmt.Errorf("delete %s: %w", m.Path(name), err))
		}
	}
	return errors.Join(errs...)
}

// file is a container file being built in memory: manifests are small and are
// stored with one request.
type file struct {
	m    *IO
	name string
	buf  bytes.Buffer
	w    *avro.Writer
}

func (m *IO) create(name, ours string, lay *layout) (*file, error) {
	text, err := lay.schema(ours)
	if err != nil {
		return nil, err
	}
	// The marker has to differ from file to file and from what records hold.
	// Names are unique, so their hash will do, and a run can be repeated.
	sum := sha256.Sum256([]byte(name))
	f := &file{m: m, name: name}
	f.w, err = avro.NewWriter(&f.buf, avro.WriterOptions{Schema: text, Codec: m.codec, Level: m.opts.ZstdLevel, Sync: [16]byte(sum[:])})
	return f, err
}

func (f *file) close(ctx context.Context) (int64, error) {
	if err := f.w.Flush(); err != nil {
		return 0, err
	}
	return f.w.Bytes(), f.m.st.Write(ctx, f.m.Path(f.name), f.buf.Bytes())
}

// Scan reads manifests, several at once, and yields the entries that the
// filter keeps (nil = all) in the order of metas, skipping manifests that
// cannot hold any. The first error ends it. Entries may be kept.
func (m *IO) Scan(ctx context.Context, metas []Meta, f *Filter) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for entries, err := range m.batches(ctx, m.prune(metas, f), f.entryTest()) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range entries {
				if !yield(&entries[i], nil) {
					return
				}
			}
		}
	}
}

// ScanLists scans the manifests of one list after the other.
func (m *IO) ScanLists(ctx context.Context, f *Filter, lists ...string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for _, list := range lists {
			metas, err := m.ReadList(ctx, list)
			if err != nil {
				yield(nil, err)
				return
			}
			for e, err := range m.Scan(ctx, metas, f) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// prune drops the manifests that cannot hold wanted entries.
func (m *IO) prune(metas []Meta, f *Filter) []Meta {
	if f == nil {
		return metas
	}
	return slices.DeleteFunc(slices.Clone(metas), func(x Meta) bool { return !f.KeepMeta(&x, m.opts.Partition) })
}

// batches reads manifests in parallel and yields the entries of one after the other.
func (m *IO) batches(ctx context.Context, metas []Meta, keep func(*Entry) bool) iter.Seq2[[]Entry, error] {
	return ordered(ctx, len(metas), m.opts.Parallel, func(ctx context.Context, i int) ([]Entry, error) {
		return m.readEntries(ctx, metas[i].Name, keep)
	})
}

// Live reads manifests, several at once, and returns the files that are live
// after all of them and pass the filter (nil = all). metas have to be all
// manifests of a snapshot, base before delta: unlike Fold, deletes that match
// nothing are dropped.
func (m *IO) Live(ctx context.Context, metas []Meta, f *Filter) ([]Entry, error) {
	var all [][]Entry
	total := 0
	var gone deletions
	for entries, err := range m.batches(ctx, m.prune(metas, f), f.entryTest()) {
		if err != nil {
			return nil, err
		}
		all = append(all, entries)
		total += len(entries)
		for i := range entries {
			if entries[i].Kind == Delete {
				gone.add(&entries[i])
			}
		}
	}
	live := make([]Entry, 0, max(0, total-2*len(gone.ids)))
	for _, entries := range all {
		for i := range entries {
			if e := &entries[i]; e.Kind == Add && !gone.has(e) {
				live = append(live, *e)
			}
		}
	}
	return live, nil
}
