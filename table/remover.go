package table

import (
	"context"
	"errors"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
)

// RemovedFile is a file that was deleted, or would be.
type RemovedFile struct {
	Path  string // relative to the table, or a URL for external files
	Bytes int64
}

// victim is a file that nothing needs any more.
type victim struct {
	st    store.Store
	key   string
	shown string // RemovedFile.Path
	bytes int64  // -1: nobody knows
}

// remover deletes files, many at once, or in a dry run only tells them. It is
// for one goroutine.
type remover struct {
	table    *Table
	dry      bool
	parallel int
	each     func(RemovedFile) // nil: nobody wants to know
	external externalFiles
	files    int
	bytes    int64
}

func newRemover(t *Table, dry bool, each func(RemovedFile)) *remover {
	parallel := t.options.Expiry.Threads
	if parallel == 0 {
		parallel = t.settings.Parallel
	}
	return &remover{table: t, dry: dry, parallel: parallel, each: each, external: externalFiles{table: t}}
}

// remove deletes files. One that is gone already is none of its business.
func (r *remover) remove(ctx context.Context, victims []victim) error {
	for i := range victims {
		if err := r.tell(ctx, &victims[i]); err != nil {
			return err
		}
	}
	if r.dry {
		return ctx.Err()
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.parallel)
	for _, v := range victims {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return v.st.Delete(ctx, v.key)
		})
	}
	return g.Wait()
}

// tell counts a file. Where metadata does not say how large it is, the store does.
func (r *remover) tell(ctx context.Context, v *victim) error {
	if v.bytes < 0 {
		info, err := v.st.Stat(ctx, v.key)
		if err != nil && !isNotFound(err) {
			return err
		}
		if err != nil {
			return nil
		}
		v.bytes = info.Size
	}
	r.files++
	r.bytes += v.bytes
	if r.each != nil {
		r.each(RemovedFile{v.shown, v.bytes})
	}
	return nil
}

// own is a file in the table's own directory.
func (r *remover) own(key string, bytes int64) victim {
	return victim{r.table.store, key, key, bytes}
}

// manifestFile is a file of the directory of manifests; size is nil where nobody knows it.
func (r *remover) manifestFile(name string, size *int64) victim {
	bytes := int64(-1)
	if size != nil {
		bytes = *size
	}
	return r.own(r.table.manifest.Path(name), bytes)
}

// dataFile is a file of a bucket, with what belongs to it.
func (r *remover) dataFile(ctx context.Context, f *deadFile) ([]victim, error) {
	dir, err := r.table.bucketDir([]byte(f.partition), f.bucket)
	if err != nil {
		return nil, err
	}
	where := fileLocation{dir, &r.external}
	st, key, err := where.of(ctx, &manifest.DataFile{Name: f.name, ExternalPath: f.external})
	if err != nil {
		return nil, err
	}
	shown := func(key string) string {
		if f.external == nil {
			return key
		}
		return (*f.external)[:strings.LastIndexByte(*f.external, '/')+1] + path.Base(key)
	}
	out := []victim{{st, key, shown(key), f.bytes}}
	for _, name := range f.extra {
		if !plainName(name) {
			return nil, fault.Corrupt(name, "the manifest names an extra file outside its bucket's directory", nil)
		}
		beside := path.Join(path.Dir(key), name)
		out = append(out, victim{st, beside, shown(beside), -1})
	}
	return out, nil
}

// indexFile is a file of deletion vectors or hashes.
func (r *remover) indexFile(ctx context.Context, e *manifest.IndexEntry) (victim, error) {
	dir, err := r.table.bucketDir(e.Partition, e.Bucket)
	if err != nil {
		return victim{}, err
	}
	vectors := vectorReader{table: r.table, dir: r.table.indexDir(dir)}
	st, key, err := vectors.locate(ctx, e.Name, e.ExternalPath, &r.external)
	if err != nil {
		return victim{}, err
	}
	shown := key
	if e.ExternalPath != nil {
		shown = *e.ExternalPath
	}
	return victim{st, key, shown, e.Size}, nil
}

func (r *remover) close() error { return r.external.close() }

// unreadable tells an error that stays however often it is asked: metadata that
// is gone or not what it should be. Others are those of a store that may answer
// later.
func unreadable(err error) bool {
	return isNotFound(err) || errors.Is(err, fault.ErrCorrupt) || errors.Is(err, fault.ErrUnsupported)
}
