package table

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/fileindex"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// hasIndex tells that a data file has a file index.
func hasIndex(f *manifest.DataFile) bool { return len(f.EmbeddedIndex) > 0 || indexName(f) != "" }

// indexName is the file beside a data file that holds its index, "" for none.
func indexName(f *manifest.DataFile) string {
	at := slices.IndexFunc(f.ExtraFiles, func(name string) bool { return strings.HasSuffix(name, ".index") })
	if at < 0 {
		return ""
	}
	return f.ExtraFiles[at]
}

// index is the index of a data file that has one. One in the manifest costs no
// request, one beside the file a single one.
func (l fileLocation) index(ctx context.Context, f *manifest.DataFile) (*fileindex.Index, error) {
	data, name := f.EmbeddedIndex, f.Name
	if len(data) == 0 {
		if name = indexName(f); !plainName(name) {
			return nil, fault.Corrupt(name, "the manifest names an index file outside its bucket's directory", nil)
		}
		st, key, err := l.of(ctx, f)
		if err != nil {
			return nil, err
		}
		if data, err = st.ReadAll(ctx, path.Join(path.Dir(key), name)); err != nil {
			return nil, err
		}
	}
	index, err := fileindex.Parse(data)
	if err != nil {
		return nil, fault.Corrupt(name, "file index", err)
	}
	return index, nil
}

// indexed is what the index of a file says of the scan's filter: whether a row
// may match, and whether one may match what it asks of key columns.
type indexed struct{ row, key bool }

// asksIndex tells whether an index can say anything of the filter.
func (s *Scan) asksIndex() bool {
	return s.table.options.FileIndexRead && !s.filter.MayHold(func(schema.Field, any) bool { return false })
}

// admitted leaves out of a group what the file indexes say cannot matter. A
// file without the keys that the filter asks for has no version of any row of
// the result. Beyond that, a file that is merged with others goes only with
// all of them: a row that does not match may hide an older one that does.
func (r *splitReader) admitted(ctx context.Context, runs []rankedRun) ([]rankedRun, error) {
	if !r.scan.asksIndex() {
		return runs, nil
	}
	merged, some := len(runs) > 1, false
	var left []rankedRun
	for _, run := range runs {
		var files rankedRun
		for _, f := range run {
			x, err := r.askIndex(ctx, &f.DataFile)
			if err != nil {
				return nil, err
			}
			some = some || x.row
			if x.key && (merged || x.row) {
				files = append(files, f)
			}
		}
		if len(files) > 0 {
			left = append(left, files)
		}
	}
	if merged && !some && r.choosing() {
		return nil, nil
	}
	return left, nil
}

// askIndex asks the index of a file, once.
func (r *splitReader) askIndex(ctx context.Context, f *manifest.DataFile) (indexed, error) {
	if !hasIndex(f) {
		return indexed{true, true}, nil
	}
	r.indexMu.Lock()
	defer r.indexMu.Unlock()
	if x, ok := r.indexes[f.Name]; ok {
		return x, nil
	}
	own, err := r.scan.table.schemas.get(ctx, f.SchemaID)
	if err != nil {
		return indexed{}, err
	}
	index, err := fileLocation{r.dir, &r.external}.index(ctx, f)
	if err != nil {
		return indexed{}, err
	}
	var bad error
	has := func(c schema.Field, value any) bool {
		may, err := mayHave(index, own.Fields, c, value)
		if err != nil {
			bad = fault.Corrupt(f.Name, "file index", err)
		}
		return may
	}
	s := r.scan
	x := indexed{key: true, row: s.filter.MayHold(has)}
	if !x.row && len(s.schema.PrimaryKeys) > 0 {
		x.key = r.keyPart.MayHold(has)
	}
	if bad != nil {
		return indexed{}, bad
	}
	if r.indexes == nil {
		r.indexes = map[string]indexed{}
	}
	r.indexes[f.Name] = x
	return x, nil
}

// mayHave asks the Bloom filter of a column, by the name that it had when the
// file was written. It knows nothing of a column whose type has changed.
func mayHave(index *fileindex.Index, own []schema.Field, c schema.Field, value any) (bool, error) {
	have, ok := byID(own, c.ID)
	if !ok || !have.Type.EqualIgnoringNullability(c.Type) {
		return true, nil
	}
	bloom, err := index.Bloom(have.Name)
	if bloom == nil || err != nil {
		return true, err
	}
	cell, err := oneCell(c, value, memory.DefaultAllocator)
	if err != nil {
		return true, err
	}
	return bloom.MayHold(cell, 0), nil
}
