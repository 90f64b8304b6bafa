package table_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// clone copies a table into another store, with one file changed.
func clone(t *testing.T, from store.Store, change func(key string, data []byte) ([]byte, bool)) store.Store {
	t.Helper()
	to := store.NewMem()
	for _, key := range storetest.Tree(t, from, "") {
		data, err := from.ReadAll(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		data, keep := change(key, append([]byte{}, data...))
		if !keep {
			continue
		}
		if err := to.Write(ctx, key, data); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// readAll opens a table as a new process and reads all of it.
func readAll(t *testing.T, st store.Store) ([]string, error) {
	t.Helper()
	parts, _ := world(t)
	tab, err := table.Open(ctx, st, "db.t", table.Settings{}, parts)
	if err != nil {
		return nil, err
	}
	return scanLines(ctx, tab, table.ScanOptions{})
}

// damaged is a table of two snapshots on which damage is tried.
func damaged(t *testing.T) (store.Store, []string) {
	st := store.NewMem()
	if err := table.Create(ctx, st, define(t, events)); err != nil {
		t.Fatal(err)
	}
	parts, _ := world(t)
	parts.NewID = nil // names as they are in life: no flip makes one of another
	tab := reopenIn(t, st, parts)
	load(t, tab, `{"dt":"x","k":1,"a":10,"s":"one"}`, `{"dt":"x","k":2,"a":20,"s":"two"}`, `{"dt":"x","k":3,"a":30,"s":"three"}`)
	load(t, tab, `{"dt":"x","k":1,"a":11,"s":"ONE"}`, `{"_kind":"-D","dt":"x","k":2}`)
	return st, lines(t, tab, table.ScanOptions{})
}

// needed are the files that a read of the newest snapshot cannot do without.
func needed(t *testing.T, st store.Store) []string {
	var out []string
	for _, key := range storetest.Tree(t, st, "") {
		switch {
		case strings.HasSuffix(key, "/"), key == "snapshot/EARLIEST", key == "snapshot/LATEST", key == "snapshot/snapshot-1":
			continue // a hint that is missing or wrong costs a listing, and the first snapshot is not read
		}
		out = append(out, key)
	}
	return out
}

func TestAMissingFileIsNamed(t *testing.T) {
	st, want := damaged(t)
	missed := map[string]int{}
	for _, gone := range needed(t, st) {
		sick := clone(t, st, func(key string, data []byte) ([]byte, bool) { return data, key != gone })
		got, err := readAll(t, sick)
		layer := strings.TrimRight(path.Base(gone), "0123456789-abcdef.")
		switch {
		case strings.HasPrefix(gone, "snapshot/"):
			// The chain then ends one earlier; the hint says otherwise, and the listing decides.
			if err == nil && cmp.Equal(got, want) {
				t.Errorf("without %s: the same rows", gone)
			}
			continue
		case err == nil && cmp.Equal(got, want) && strings.Contains(gone, "manifest-list"):
			continue // of the first snapshot alone
		case err == nil:
			t.Errorf("without %s: no error", gone)
		case !errors.Is(err, table.ErrNotFound):
			t.Errorf("without %s: %v", gone, err)
		case !strings.Contains(err.Error(), path.Base(gone)) && !strings.HasPrefix(gone, "schema/"):
			t.Errorf("without %s the error does not name it: %v", gone, err)
		}
		missed[layer]++
	}
	if len(missed) < 3 {
		t.Errorf("layers tried: %v", missed)
	}
}

func TestATruncatedFileIsNamed(t *testing.T) {
	st, want := damaged(t)
	for _, cut := range needed(t, st) {
		info, err := st.Stat(ctx, cut)
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(0); n < info.Size; n += max(1, info.Size*slow/40) {
			sick := clone(t, st, func(key string, data []byte) ([]byte, bool) {
				if key == cut {
					data = data[:n]
				}
				return data, true
			})
			got, err := readAll(t, sick)
			judgeDamage(t, fmt.Sprintf("%s cut to %d of %d bytes", cut, n, info.Size), cut, want, got, err, strings.HasSuffix(cut, "0") && strings.Contains(cut, "manifest-list"))
		}
	}
}

// judgeDamage proves that damage gave an error that names the file, or did not matter.
func judgeDamage(t *testing.T, what, key string, want, got []string, err error, unread bool) {
	t.Helper()
	switch {
	case err == nil && cmp.Equal(want, got):
	case err == nil:
		t.Errorf("%s: wrong rows without an error: %q", what, got)
	case unread:
	case !strings.Contains(err.Error(), path.Base(key)):
		t.Errorf("%s: the error does not name it: %v", what, err)
	case !errors.Is(err, table.ErrCorrupt) && !errors.Is(err, table.ErrUnsupported) && !errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrNotFound):
		t.Errorf("%s: an error without a class: %v", what, err)
	}
}

// One bit of any file flips: pages, manifests and lists carry checksums, a
// name that changes names nothing, so rows are as before or there is an error.
func TestAFlippedBitNeverChangesRows(t *testing.T) {
	st, want := damaged(t)
	for _, hit := range needed(t, st) {
		info, err := st.Stat(ctx, hit)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, info.Size*slow/150)
		for at := int64(0); at < info.Size; at += step {
			sick := clone(t, st, func(key string, data []byte) ([]byte, bool) {
				if key == hit {
					data[at] ^= 1 << (at % 8)
				}
				return data, true
			})
			got, err := readAll(t, sick)
			if err == nil && !cmp.Equal(want, got) {
				t.Errorf("%s byte %d bit %d: %q", hit, at, at%8, got)
			}
		}
	}
}

// Names in metadata never lead out of the table, whatever they say.
func TestPathsInMetadataStayInside(t *testing.T) {
	for _, name := range []string{"../x.parquet", "a/b.parquet", "..", ".", "", "/etc/passwd", "a\\b", "x\x00y"} {
		st := store.NewMem()
		tab := create(t, st, keyed)
		load(t, tab, `{"k":1,"v":"a"}`)
		s, err := tab.Scan(ctx, table.ScanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		splits, err := s.Plan(ctx)
		if err != nil {
			t.Fatal(err)
		}
		splits[0].Files[0].Name = name
		failsWith(t, lastError(s, splits), table.ErrCorrupt, "outside its bucket")
	}
	for what, snapshot := range map[string]string{"../../../secret": "baseManifestList", "../schema/schema-0": "deltaManifestList"} {
		st, _ := damaged(t)
		sick := clone(t, st, func(key string, data []byte) ([]byte, bool) {
			if key == "snapshot/snapshot-2" {
				at := strings.Index(string(data), `"`+snapshot+`" : "`) + len(snapshot) + 6
				end := at + strings.IndexByte(string(data[at:]), '"')
				data = []byte(string(data[:at]) + what + string(data[end:]))
			}
			return data, true
		})
		_, err := readAll(t, sick)
		failsWith(t, err, nil, path.Base(what))
		if errors.Is(err, table.ErrNotFound) {
			t.Errorf("the path was followed: %v", err)
		}
	}
}

func lastError(s *table.Scan, splits []table.Split) (last error) {
	for _, err := range s.ReadSplits(ctx, splits) {
		last = err
	}
	return last
}

// An external path leads only to roots that the table declares, and out of the
// warehouse only when the caller allows it.
func TestExternalPathsStayWithinDeclaredRoots(t *testing.T) {
	outside := store.NewMem()
	read := func(path, roots string, allow bool) error {
		st := store.NewMem()
		tab := create(t, st, keyed)
		load(t, tab, `{"k":1,"v":"a"}`)
		for _, key := range dataFiles(t, st) { // the data lives outside from now on
			data, err := st.ReadAll(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(outside.Write(ctx, "bucket-0/f.parquet", data), st.Delete(ctx, key)); err != nil {
				t.Fatal(err)
			}
		}
		sc := define(t, keyed)
		sc.ID = 1
		if roots != "" {
			sc.Options["data-file.external-paths"] = roots
			sc.Options["data-file.external-paths.strategy"] = "none"
		}
		data, err := sc.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := st.CreateIfAbsent(ctx, "schema/schema-1", data); err != nil {
			t.Fatal(err)
		}
		parts, _ := world(t)
		parts.External = func(_ context.Context, url string) (store.Store, error) { return keepOpen{outside}, nil }
		tab, err = table.Open(ctx, st, "db.t", table.Settings{AllowOutsideRoots: allow}, parts)
		if err != nil {
			return err
		}
		s, err := tab.Scan(ctx, table.ScanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		splits, err := s.Plan(ctx)
		if err != nil {
			t.Fatal(err)
		}
		splits[0].Files[0].ExternalPath = &path
		return lastError(s, splits)
	}
	const root = "s3://other/data"
	if err := read(root+"/bucket-0/f.parquet", root, true); err != nil {
		t.Error(err)
	}
	failsWith(t, read(root+"/bucket-0/f.parquet", root, false), table.ErrInvalid, "outside", "AllowOutsideRoots")
	away := store.NewMem().URL() + "/../data"
	failsWith(t, read(away+"/bucket-0/f.parquet", away, false), table.ErrInvalid, "outside", "AllowOutsideRoots")
	failsWith(t, read(root+"/../../x/f.parquet", root, true), table.ErrCorrupt, "outside")
	failsWith(t, read("s3://otherdata/f.parquet", root, true), table.ErrCorrupt, "data-file.external-paths")
	failsWith(t, read(root+"/bucket-0/f.parquet", "", true), table.ErrCorrupt, "data-file.external-paths")
}

// keepOpen is a store that its users must not close.
type keepOpen struct{ store.Store }

func (keepOpen) Close() error { return nil }
