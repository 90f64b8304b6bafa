package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

// Suite runs every promise of package store against stores that open makes.
// Each call of open must give an empty store.
func Suite(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"WrittenBytesComeBack", writtenBytesComeBack},
		{"AbsentIsNotFound", absentIsNotFound},
		{"CreateAppearsWholeAtClose", createAppearsWholeAtClose},
		{"AbortLeavesNothing", abortLeavesNothing},
		{"CreateIfAbsentKeepsTheFirst", createIfAbsentKeepsTheFirst},
		{"FiftyRacersHaveOneWinner", fiftyRacersHaveOneWinner},
		{"RangesAreExact", rangesAreExact},
		{"WrongSizeIsCorrupt", wrongSizeIsCorrupt},
		{"LargeObjectsSurvive", largeObjectsSurvive},
		{"ListShowsOneLevel", listShowsOneLevel},
		{"ListStopsWhenAsked", listStopsWhenAsked},
		{"ManyFilesAreAllListed", manyFilesAreAllListed},
		{"EmptyDirectoriesExist", emptyDirectoriesExist},
		{"DeleteIsRepeatable", deleteIsRepeatable},
		{"DeleteDirTakesAllBelow", deleteDirTakesAllBelow},
		{"RenameDirMovesAll", renameDirMovesAll},
		{"StrangeNamesAreKept", strangeNamesAreKept},
		{"EscapingKeysAreRefused", escapingKeysAreRefused},
		{"CancelledContextStops", cancelledContextStops},
		{"CancelledWriterLeavesNothing", cancelledWriterLeavesNothing},
		{"SubSeesOnlyItsPart", subSeesOnlyItsPart},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			defer func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			c.test(t, s)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantClass(t *testing.T, err, class error, what string) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("%s: got %v, want %v", what, err, class)
	}
}

func wantContent(t *testing.T, s store.Store, key string, want []byte) {
	t.Helper()
	got, err := s.ReadAll(t.Context(), key)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

// Tree lists all files below dir, and empty directories with a slash at their end, sorted.
func Tree(t testing.TB, s store.Store, dir string) []string {
	t.Helper()
	var all []string
	for info, err := range s.List(t.Context(), dir) {
		if err != nil {
			t.Fatal(err)
		}
		if !info.Dir {
			all = append(all, info.Key)
			continue
		}
		below := Tree(t, s, info.Key)
		if len(below) == 0 {
			below = []string{info.Key + "/"}
		}
		all = append(all, below...)
	}
	sort.Strings(all)
	return all
}

func wantTree(t *testing.T, s store.Store, want ...string) {
	t.Helper()
	sort.Strings(want)
	if got := Tree(t, s, ""); !slices.Equal(got, want) {
		t.Errorf("store holds %q, want %q", got, want)
	}
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func writtenBytesComeBack(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, data := range [][]byte{nil, []byte("x"), random(100_000)} {
		must(t, s.Write(ctx, "a/b/one", data))
		wantContent(t, s, "a/b/one", data)
		info, err := s.Stat(ctx, "a/b/one")
		must(t, err)
		if info.Name != "one" || info.Key != "a/b/one" || info.Size != int64(len(data)) || info.Dir || info.ModTime.IsZero() {
			t.Errorf("stat gives %+v for %d bytes", info, len(data))
		}
	}
	wantTree(t, s, "a/b/one")
	if s.URL() == "" {
		t.Error("store has no URL")
	}
}

func absentIsNotFound(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Write(ctx, "d/file", []byte("x")))
	for _, key := range []string{"no", "no/no", "d", "d/fil", "d/file2"} {
		_, err := s.ReadAll(ctx, key)
		wantClass(t, err, fault.ErrNotFound, "read "+key)
		_, err = s.Stat(ctx, key)
		wantClass(t, err, fault.ErrNotFound, "stat "+key)
		_, err = s.Open(ctx, key, -1)
		wantClass(t, err, fault.ErrNotFound, "open "+key)
		o, err := s.Open(ctx, key, 5)
		if err == nil {
			_, err = o.ReadRange(ctx, make([]byte, 5), 0)
			_ = o.Close()
		}
		wantClass(t, err, fault.ErrNotFound, "range of "+key)
	}
	for info, err := range s.List(ctx, "no/no") {
		t.Errorf("an absent directory lists %v, %v", info, err)
	}
}

func createAppearsWholeAtClose(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, old := range []string{"", "what was there before"} {
		key := fmt.Sprintf("c/file%d", len(old))
		if old != "" {
			must(t, s.Write(ctx, key, []byte(old)))
		}
		w, err := s.Create(ctx, key)
		must(t, err)
		data := random(300_000)
		for piece := range slices.Chunk(data, 70_001) {
			n, err := w.Write(piece)
			must(t, err)
			if n != len(piece) {
				t.Fatalf("wrote %d of %d bytes", n, len(piece))
			}
		}
		got, err := s.ReadAll(ctx, key)
		if old == "" {
			wantClass(t, err, fault.ErrNotFound, "read before Close")
		} else if string(got) != old {
			t.Errorf("before Close the object holds %d bytes, %v", len(got), err)
		}
		must(t, w.Close())
		must(t, w.Close())
		w.Abort()
		wantContent(t, s, key, data)
		if _, err := w.Write([]byte("late")); err == nil {
			t.Error("a closed writer takes more")
		}
	}
	wantTree(t, s, "c/file0", "c/file21")
}

func abortLeavesNothing(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Write(ctx, "x/keep", []byte("k")))
	for _, key := range []string{"x/new", "x/keep"} {
		for _, size := range []int{0, 10, 200_000} {
			w, err := s.Create(ctx, key)
			must(t, err)
			_, err = w.Write(random(size))
			must(t, err)
			w.Abort()
			w.Abort()
			if w.Close() == nil {
				t.Error("closing after Abort claims success")
			}
		}
	}
	wantTree(t, s, "x/keep")
	wantContent(t, s, "x/keep", []byte("k"))
}

func createIfAbsentKeepsTheFirst(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.CreateIfAbsent(ctx, "snapshot/snapshot-1", []byte("first")))
	for range 3 {
		wantClass(t, s.CreateIfAbsent(ctx, "snapshot/snapshot-1", []byte("second")), fault.ErrExists, "second create")
	}
	wantContent(t, s, "snapshot/snapshot-1", []byte("first"))
	wantTree(t, s, "snapshot/snapshot-1")
	must(t, s.Delete(ctx, "snapshot/snapshot-1"))
	must(t, s.CreateIfAbsent(ctx, "snapshot/snapshot-1", nil))
	wantContent(t, s, "snapshot/snapshot-1", nil)
}

// fiftyRacersHaveOneWinner is the promise that commits stand on. The losers
// must also see the winner's object as soon as they have lost.
func fiftyRacersHaveOneWinner(t *testing.T, s store.Store) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	var want []string
	for round := range rounds {
		key := fmt.Sprintf("snapshot/snapshot-%d", round)
		want = append(want, key)
		if err := Race(t.Context(), s, key, 50); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	wantTree(t, s, want...)
}

// Race lets n goroutines create key with different contents and proves that
// exactly one succeeds, that all others get fault.ErrExists, and that each
// loser finds the winner's bytes at once.
func Race(ctx context.Context, s store.Store, key string, n int) error {
	var wg sync.WaitGroup
	start := make(chan struct{})
	errs, seen := make([]error, n), make([]string, n)
	content := func(i int) string { return fmt.Sprintf("%s by racer %d %s", key, i, strings.Repeat("x", i*50)) }
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = s.CreateIfAbsent(ctx, key, []byte(content(i)))
			data, err := s.ReadAll(ctx, key)
			if err != nil {
				seen[i] = err.Error()
				return
			}
			seen[i] = string(data)
		})
	}
	close(start)
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			return fmt.Errorf("racers %d and %d both won %s", winner, i, key)
		case err == nil:
			winner = i
		case !errors.Is(err, fault.ErrExists):
			return fmt.Errorf("racer %d: %w", i, err)
		}
	}
	if winner < 0 {
		return fmt.Errorf("nobody won %s", key)
	}
	for i, got := range seen {
		if got != content(winner) {
			return fmt.Errorf("racer %d won %s, racer %d reads %.60q", winner, key, i, got)
		}
	}
	return nil
}

func rangesAreExact(t *testing.T, s store.Store) {
	ctx := t.Context()
	data := random(1000)
	must(t, s.Write(ctx, "r", data))
	for _, size := range []int64{-1, 1000} {
		o, err := s.Open(ctx, "r", size)
		must(t, err)
		if o.Size() != 1000 {
			t.Errorf("size is %d", o.Size())
		}
		for _, c := range []struct {
			off  int64
			n    int
			want int
			err  error
		}{
			{0, 1000, 1000, nil}, {0, 1, 1, nil}, {999, 1, 1, nil}, {500, 500, 500, nil},
			{0, 0, 0, nil}, {1000, 0, 0, nil}, {5000, 0, 0, nil},
			{999, 2, 1, io.EOF}, {0, 2000, 1000, io.EOF}, {1000, 1, 0, io.EOF}, {1 << 40, 10, 0, io.EOF},
		} {
			p := bytes.Repeat([]byte{0xEE}, c.n)
			n, err := o.ReadRange(ctx, p, c.off)
			if n != c.want || err != c.err {
				t.Errorf("range %d+%d gives %d, %v; want %d, %v", c.off, c.n, n, err, c.want, c.err)
				continue
			}
			if n > 0 && !bytes.Equal(p[:n], data[c.off:c.off+int64(n)]) {
				t.Errorf("range %d+%d gives other bytes", c.off, c.n)
			}
			if rest := p[n:]; !bytes.Equal(rest, bytes.Repeat([]byte{0xEE}, len(rest))) {
				t.Errorf("range %d+%d writes past what it returns", c.off, c.n)
			}
		}
		_, err = o.ReadRange(ctx, make([]byte, 1), -1)
		wantClass(t, err, fault.ErrInvalid, "negative offset")
		got, err := io.ReadAll(io.NewSectionReader(store.ReaderAt(ctx, o), 0, o.Size()))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("ReaderAt gives %d bytes, %v", len(got), err)
		}
		parallelRanges(t, o, data)
		must(t, o.Close())
		must(t, o.Close())
	}
}

func parallelRanges(t *testing.T, o store.Object, data []byte) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			p := make([]byte, 50)
			off := int64(i * 60)
			if _, err := o.ReadRange(t.Context(), p, off); err != nil || !bytes.Equal(p, data[off:off+50]) {
				t.Errorf("parallel range %d: %v", off, err)
			}
		})
	}
	wg.Wait()
}

func wrongSizeIsCorrupt(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Write(ctx, "f", random(100)))
	for _, size := range []int64{0, 99, 101, 1 << 30} {
		o, err := s.Open(ctx, "f", size)
		if err == nil {
			_, err = o.ReadRange(ctx, make([]byte, 10), 0)
			_ = o.Close()
		}
		if size == 0 && err == io.EOF {
			continue // nothing can be read, so nothing wrong either
		}
		wantClass(t, err, fault.ErrCorrupt, fmt.Sprintf("size %d", size))
	}
}

func largeObjectsSurvive(t *testing.T, s store.Store) {
	ctx := t.Context()
	data := random(17<<20 + 13) // more than three parts of an S3 upload
	w, err := s.Create(ctx, "large/file")
	must(t, err)
	for piece := range slices.Chunk(data, 1<<20) {
		_, err := w.Write(piece)
		must(t, err)
	}
	must(t, w.Close())
	wantContent(t, s, "large/file", data)
	o, err := s.Open(ctx, "large/file", int64(len(data)))
	must(t, err)
	defer func() { must(t, o.Close()) }()
	p := make([]byte, 100)
	_, err = o.ReadRange(ctx, p, int64(len(data)-100))
	if err != nil || !bytes.Equal(p, data[len(data)-100:]) {
		t.Errorf("the tail reads wrong: %v", err)
	}
	wantTree(t, s, "large/file")
}

func names(t *testing.T, s store.Store, dir string) []string {
	t.Helper()
	var got []string
	for info, err := range s.List(t.Context(), dir) {
		must(t, err)
		name := info.Name
		if info.Dir {
			name += "/"
			if info.Size != 0 {
				t.Errorf("directory %s has size %d", info.Key, info.Size)
			}
		} else if info.Size != 3 || info.ModTime.IsZero() {
			t.Errorf("listed file is %+v", info)
		}
		if want := strings.TrimPrefix(dir+"/"+info.Name, "/"); info.Key != want {
			t.Errorf("listed key is %q, want %q", info.Key, want)
		}
		got = append(got, name)
	}
	sort.Strings(got)
	return got
}

func listShowsOneLevel(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, key := range []string{"top", "t/a", "t/b", "t/d/x", "t/d/e/y", "t/d.z", "tt/a"} {
		must(t, s.Write(ctx, key, []byte("abc")))
	}
	for dir, want := range map[string][]string{
		"": {"t/", "top", "tt/"}, "t": {"a", "b", "d.z", "d/"}, "t/d": {"e/", "x"}, "t/d/e": {"y"},
		"t/a": nil, "to": nil, "t/d/e/y/z": nil,
	} {
		if got := names(t, s, dir); !slices.Equal(got, want) {
			t.Errorf("list %q gives %q, want %q", dir, got, want)
		}
	}
}

func listStopsWhenAsked(t *testing.T, s store.Store) {
	for i := range 5 {
		must(t, s.Write(t.Context(), fmt.Sprintf("l/%d", i), []byte("abc")))
	}
	n := 0
	for _, err := range s.List(t.Context(), "l") {
		must(t, err)
		if n++; n == 2 {
			break
		}
	}
}

func manyFilesAreAllListed(t *testing.T, s store.Store) {
	n := 1100 // more than a page of a bucket
	if testing.Short() {
		n = 60
	}
	var wg sync.WaitGroup
	gate := make(chan struct{}, 16)
	for i := range n {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			if err := s.Write(t.Context(), fmt.Sprintf("many/f%04d", i), []byte("abc")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := names(t, s, "many"); len(got) != n || got[0] != "f0000" || got[n-1] != fmt.Sprintf("f%04d", n-1) {
		t.Errorf("%d of %d files are listed", len(got), n)
	}
	must(t, s.DeleteDir(t.Context(), "many"))
	wantTree(t, s)
}

func wantDir(t *testing.T, s store.Store, dir string, want bool) {
	t.Helper()
	got, err := store.DirExists(t.Context(), s, dir)
	must(t, err)
	if got != want {
		t.Errorf("directory %q exists: %v, want %v", dir, got, want)
	}
}

func emptyDirectoriesExist(t *testing.T, s store.Store) {
	ctx := t.Context()
	wantDir(t, s, "a.db", false)
	must(t, s.MakeDir(ctx, ""))
	wantDir(t, s, "", true)
	must(t, s.MakeDir(ctx, "a.db/t"))
	must(t, s.MakeDir(ctx, "a.db/t"))
	wantTree(t, s, "a.db/t/")
	wantDir(t, s, "a.db", true)
	wantDir(t, s, "a.db/t", true)
	wantDir(t, s, "a.db/", true)
	wantDir(t, s, "a", false)
	must(t, s.Write(ctx, "a.db/t/f", []byte("abc")))
	wantTree(t, s, "a.db/t/f")
	wantDir(t, s, "a.db/t/f", false)
	info, err := s.Stat(ctx, "a.db/t/")
	must(t, err)
	if info.Key != "a.db/t" || info.Name != "t" || !info.Dir {
		t.Errorf("stat of a directory gives %+v", info)
	}
}

func deleteIsRepeatable(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Write(ctx, "d/a", []byte("abc")))
	must(t, s.Write(ctx, "d/b", []byte("abc")))
	must(t, s.Delete(ctx, "d/a"))
	must(t, s.Delete(ctx, "d/a"))
	must(t, s.Delete(ctx, "no/such"))
	must(t, s.Delete(ctx, "d"))
	wantTree(t, s, "d/b")
}

func deleteDirTakesAllBelow(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, key := range []string{"x/a", "x/y/b", "x/y/z/c", "xx/keep", "keep"} {
		must(t, s.Write(ctx, key, []byte("abc")))
	}
	must(t, s.MakeDir(ctx, "x/empty/deep"))
	must(t, s.DeleteDir(ctx, "x"))
	must(t, s.DeleteDir(ctx, "x"))
	wantTree(t, s, "keep", "xx/keep")
	wantDir(t, s, "x", false)
	wantClass(t, s.DeleteDir(ctx, ""), fault.ErrInvalid, "deleting the root")
}

func renameDirMovesAll(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, key := range []string{"db.db/t/schema/schema-0", "db.db/t/b/c/d", "db.db/tt/keep"} {
		must(t, s.Write(ctx, key, []byte(key)))
	}
	must(t, s.MakeDir(ctx, "db.db/t/empty"))
	wantClass(t, s.RenameDir(ctx, "db.db/t", "db.db/tt"), fault.ErrExists, "rename onto another")
	wantClass(t, s.RenameDir(ctx, "db.db/none", "db.db/new"), fault.ErrNotFound, "rename of none")
	if err := s.RenameDir(ctx, "db.db/t", "db.db/t/inner"); err == nil {
		t.Error("a directory moved into itself")
	}
	must(t, s.RenameDir(ctx, "db.db/t", "other.db/new"))
	wantTree(t, s, "db.db/tt/keep", "other.db/new/b/c/d", "other.db/new/empty/", "other.db/new/schema/schema-0")
	wantContent(t, s, "other.db/new/b/c/d", []byte("db.db/t/b/c/d"))
	wantDir(t, s, "db.db/t", false)
}

func strangeNamesAreKept(t *testing.T, s store.Store) {
	ctx := t.Context()
	keys := []string{
		"dt=2026-01-01/h=%2F/f", "name with space/f", "ümläut/日本/🌊", "a+b&c=d/f#1", "per%20cent/f%", "quote'\"/f",
		"dots...more/..f", ".hidden/.f", "tilde~/!@$^*()_-;,[]{}",
	}
	for _, key := range keys {
		must(t, s.Write(ctx, key, []byte(key)))
		wantContent(t, s, key, []byte(key))
	}
	wantTree(t, s, keys...)
	for _, key := range keys {
		must(t, s.Delete(ctx, key))
		_, err := s.ReadAll(ctx, key)
		wantClass(t, err, fault.ErrNotFound, "read deleted "+key)
	}
}

func escapingKeysAreRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, key := range []string{"..", "../x", "a/../x", "a/..", "/etc/passwd", "/", "a//b", ".", "./a", "a/.", "a\x00b", "a\xff", "a/"} {
		_, err := s.ReadAll(ctx, key)
		wantClass(t, err, fault.ErrInvalid, "read "+key)
		_, err = s.Open(ctx, key, -1)
		wantClass(t, err, fault.ErrInvalid, "open "+key)
		_, err = s.Open(ctx, key, 3)
		wantClass(t, err, fault.ErrInvalid, "open sized "+key)
		_, err = s.Create(ctx, key)
		wantClass(t, err, fault.ErrInvalid, "create "+key)
		wantClass(t, s.Write(ctx, key, nil), fault.ErrInvalid, "write "+key)
		wantClass(t, s.CreateIfAbsent(ctx, key, nil), fault.ErrInvalid, "create if absent "+key)
		wantClass(t, s.Delete(ctx, key), fault.ErrInvalid, "delete "+key)
		wantClass(t, s.DeleteDir(ctx, key), fault.ErrInvalid, "delete directory "+key)
		wantClass(t, s.MakeDir(ctx, key), fault.ErrInvalid, "make directory "+key)
		wantClass(t, s.RenameDir(ctx, key, "x"), fault.ErrInvalid, "rename "+key)
		wantClass(t, s.RenameDir(ctx, "x", key), fault.ErrInvalid, "rename to "+key)
		for _, err := range s.List(ctx, key) {
			wantClass(t, err, fault.ErrInvalid, "list "+key)
		}
		if key != "/" && !strings.HasSuffix(key, "/") {
			_, err = s.Stat(ctx, key)
			wantClass(t, err, fault.ErrInvalid, "stat "+key)
			_, err = s.Stat(ctx, key+"/")
			wantClass(t, err, fault.ErrInvalid, "stat directory "+key)
		}
	}
	for name, err := range map[string]error{"write": s.Write(ctx, "", nil), "delete": s.Delete(ctx, "")} {
		wantClass(t, err, fault.ErrInvalid, name+" of the empty key")
	}
	wantTree(t, s)
}

func cancelledContextStops(t *testing.T, s store.Store) {
	must(t, s.Write(t.Context(), "f", []byte("abc")))
	o, err := s.Open(t.Context(), "f", 3)
	must(t, err)
	defer func() { must(t, o.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.ReadAll(ctx, "f")
	wantClass(t, err, context.Canceled, "read")
	_, err = s.Open(ctx, "f", -1)
	wantClass(t, err, context.Canceled, "open")
	_, err = o.ReadRange(ctx, make([]byte, 3), 0)
	wantClass(t, err, context.Canceled, "range")
	_, err = s.Create(ctx, "g")
	wantClass(t, err, context.Canceled, "create")
	wantClass(t, s.Write(ctx, "g", nil), context.Canceled, "write")
	wantClass(t, s.CreateIfAbsent(ctx, "g", nil), context.Canceled, "create if absent")
	_, err = s.Stat(ctx, "f")
	wantClass(t, err, context.Canceled, "stat")
	for _, err := range s.List(ctx, "") {
		wantClass(t, err, context.Canceled, "list")
	}
	wantClass(t, s.Delete(ctx, "f"), context.Canceled, "delete")
	wantClass(t, s.DeleteDir(ctx, "f"), context.Canceled, "delete directory")
	wantClass(t, s.RenameDir(ctx, "f", "g"), context.Canceled, "rename")
	wantClass(t, s.MakeDir(ctx, "g"), context.Canceled, "make directory")
	wantTree(t, s, "f")
}

func cancelledWriterLeavesNothing(t *testing.T, s store.Store) {
	for _, size := range []int{0, 10, 12 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := s.Create(ctx, "w/file")
		must(t, err)
		_, err = w.Write(random(size))
		must(t, err)
		cancel()
		if err := w.Close(); err == nil {
			t.Error("closing after cancel claims success")
		}
	}
	for _, key := range Tree(t, s, "") {
		if key != "w/" { // an empty directory may stay
			t.Errorf("%q was left behind", key)
		}
	}
}

func subSeesOnlyItsPart(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Write(ctx, "outside", []byte("abc")))
	sub := store.Sub(store.Sub(s, "db.db"), "t")
	must(t, sub.Write(ctx, "f", []byte("one")))
	must(t, sub.CreateIfAbsent(ctx, "d/g", []byte("two")))
	wantClass(t, sub.CreateIfAbsent(ctx, "d/g", nil), fault.ErrExists, "create again")
	w, err := sub.Create(ctx, "d/h")
	must(t, err)
	must(t, w.Close())
	wantTree(t, sub, "f", "d/g", "d/h")
	wantTree(t, s, "outside", "db.db/t/f", "db.db/t/d/g", "db.db/t/d/h")
	info, err := sub.Stat(ctx, "d/g")
	must(t, err)
	if info.Key != "d/g" || info.Name != "g" {
		t.Errorf("stat in a view gives %+v", info)
	}
	info, err = sub.Stat(ctx, "d/")
	must(t, err)
	if info.Key != "d" || !info.Dir {
		t.Errorf("stat of a directory in a view gives %+v", info)
	}
	if !strings.Contains(sub.URL(), "/db.db/t") {
		t.Errorf("URL of the view is %q", sub.URL())
	}
	wantDir(t, sub, "", true)
	wantClass(t, sub.Delete(ctx, "../../outside"), fault.ErrInvalid, "delete outside")
	must(t, sub.RenameDir(ctx, "d", "e"))
	must(t, sub.Delete(ctx, "f"))
	wantTree(t, sub, "e/g", "e/h")
	must(t, sub.DeleteDir(ctx, "e"))
	must(t, sub.MakeDir(ctx, "m"))
	wantDir(t, s, "db.db/t/m", true)
}
