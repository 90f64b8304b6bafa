package table

import (
	"context"
	"errors"
	"path"
	"strings"
	"sync"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
)

// locate finds the store and key of a data file of the split.
func (r *splitReader) locate(ctx context.Context, f *manifest.DataFile) (store.Store, string, error) {
	return fileLocation{r.dir, &r.external}.of(ctx, f)
}

// fileLocation is where the files of a bucket lie: its directory, and the
// external roots.
type fileLocation struct {
	dir      string
	external *externalFiles
}

// of finds the store and key of a data file. A name in metadata never
// leads out of the table's directory; an external path leads only to a root
// that the table declares in data-file.external-paths.
func (l fileLocation) of(ctx context.Context, f *manifest.DataFile) (store.Store, string, error) {
	if !plainName(f.Name) {
		return nil, "", fault.Corrupt(f.Name, "the manifest names a file outside its bucket's directory", nil)
	}
	if f.ExternalPath == nil {
		return l.external.table.store, path.Join(l.dir, f.Name), nil
	}
	return l.external.open(ctx, *f.ExternalPath)
}

// checkRoot refuses an external root outside the table's directory unless that
// is allowed. how says what the table does with it, and file what is asked for.
func (t *Table) checkRoot(root, file, how string) error {
	if t.settings.AllowOutsideRoots || inside(t.store.URL(), root) {
		return nil
	}
	return &fault.Error{Class: fault.ErrInvalid, File: file, Detail: "the table " + how + " an external path outside its directory",
		Hint: "allow it with AllowOutsideRoots, or --allow-outside-roots on the command line"}
}

// externalFiles opens the declared external roots, each once. Runs that are
// read beside each other share it.
type externalFiles struct {
	table *Table
	mu    sync.Mutex
	roots map[string]store.Store
}

func (e *externalFiles) open(ctx context.Context, url string) (store.Store, string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.table
	for _, root := range t.options.ExternalPaths {
		key, ok := strings.CutPrefix(url, strings.TrimSuffix(root, "/")+"/")
		if !ok {
			continue
		}
		if err := store.CheckKey(key); err != nil {
			return nil, "", fault.Corrupt(url, "the manifest names a file outside the declared external path", err)
		}
		if err := t.checkRoot(root, url, "keeps data in"); err != nil {
			return nil, "", err
		}
		st := e.roots[root]
		if st == nil {
			var err error
			if st, err = t.world.External(ctx, root); err != nil {
				return nil, "", err
			}
			if e.roots == nil {
				e.roots = make(map[string]store.Store)
			}
			e.roots[root] = st
		}
		return st, key, nil
	}
	return nil, "", fault.Corrupt(url, "the manifest names a file outside every path that data-file.external-paths declares", nil)
}

// inside tells that root lies below the directory of the table itself.
func inside(tableURL, root string) bool {
	plain := func(s string) string { // "/.." leads out of it, and Java writes file:/x
		return path.Clean(strings.TrimPrefix(strings.TrimPrefix(s, "file://"), "file:"))
	}
	return strings.HasPrefix(plain(root)+"/", plain(tableURL)+"/")
}

func (e *externalFiles) close() error {
	var errs []error
	for _, st := range e.roots {
		errs = append(errs, st.Close())
	}
	e.roots = nil
	return errors.Join(errs...)
}
