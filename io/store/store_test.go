package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
)

func openLocal(t *testing.T) store.Store {
	s, err := store.NewLocal(filepath.Join(t.TempDir(), "not", "there", "yet"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLocal(t *testing.T) { storetest.Suite(t, openLocal) }
func TestMem(t *testing.T) {
	storetest.Suite(t, func(*testing.T) store.Store { return store.NewMem() })
}
func TestCounting(t *testing.T) {
	storetest.Suite(t, func(*testing.T) store.Store { return store.Counting(store.NewMem()) })
}
func TestFaultyWithoutFaults(t *testing.T) {
	storetest.Suite(t, func(*testing.T) store.Store { return storetest.Faulty(store.NewMem(), nil) })
}
func TestSub(t *testing.T) {
	storetest.Suite(t, func(t *testing.T) store.Store { return store.Sub(openLocal(t), "a/b") })
}
func TestSubOfBucket(t *testing.T) {
	storetest.Suite(t, func(*testing.T) store.Store {
		return store.Sub(store.NewBlob(memblob.OpenBucket(nil), "mem://"), "a/b")
	})
}

// TestMain lets the test binary be one racing process among several.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TIDELAKE_TEST_RACE_DIR"); dir != "" {
		os.Exit(race(dir, os.Getenv("TIDELAKE_TEST_RACE_NAME")))
	}
	os.Exit(m.Run())
}

const raceRounds = 40

// race creates snapshot after snapshot as fast as it can and prints those it won.
func race(dir, name string) int {
	s, err := store.NewLocal(dir)
	if err != nil {
		return 1
	}
	_, _ = io.ReadFull(os.Stdin, make([]byte, 1)) // the starting gun
	for round := range raceRounds {
		key := fmt.Sprintf("snapshot/snapshot-%d", round)
		err := s.CreateIfAbsent(context.Background(), key, []byte(name))
		if err != nil && !errors.Is(err, fault.ErrExists) {
			fmt.Println(err)
			return 1
		}
		if err == nil {
			fmt.Println(key)
		}
	}
	return 0
}

func TestRacingProcessesHaveOneWinnerEach(t *testing.T) {
	dir := t.TempDir()
	const racers = 6
	var outs [racers]strings.Builder
	var cmds [racers]*exec.Cmd
	var guns [racers]io.WriteCloser
	for i := range racers {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "TIDELAKE_TEST_RACE_DIR="+dir, fmt.Sprintf("TIDELAKE_TEST_RACE_NAME=racer-%d", i))
		cmd.Stdout, cmd.Stderr = &outs[i], os.Stderr
		gun, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds[i], guns[i] = cmd, gun
	}
	for _, gun := range guns {
		_, _ = gun.Write([]byte("!"))
	}
	winners := map[string]string{}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Fatalf("racer %d: %v: %s", i, err, outs[i].String())
		}
		for _, key := range strings.Fields(outs[i].String()) {
			if winners[key] != "" {
				t.Errorf("%s was won twice", key)
			}
			winners[key] = fmt.Sprintf("racer-%d", i)
		}
	}
	s, _ := store.NewLocal(dir)
	for round := range raceRounds {
		key := fmt.Sprintf("snapshot/snapshot-%d", round)
		got, err := s.ReadAll(t.Context(), key)
		if err != nil || string(got) != winners[key] {
			t.Errorf("%s holds %q, %v; its winner is %q", key, got, err, winners[key])
		}
	}
	if n := len(storetest.Tree(t, s, "")); n != raceRounds {
		t.Errorf("%d files for %d snapshots", n, raceRounds)
	}
}

func TestLocalLeavesNoSideFilesWhenWritingFails(t *testing.T) {
	dir := t.TempDir()
	s, _ := store.NewLocal(dir)
	ctx := t.Context()
	if err := s.Write(ctx, "taken/inner", []byte("x")); err != nil {
		t.Fatal(err)
	}
	// A directory has the name, so neither rename nor link can succeed.
	if err := s.Write(ctx, "taken", []byte("y")); !errors.Is(err, fault.ErrExists) {
		t.Errorf("write over a directory: %v", err)
	}
	if err := s.CreateIfAbsent(ctx, "taken", []byte("y")); !errors.Is(err, fault.ErrExists) {
		t.Errorf("create over a directory: %v", err)
	}
	if err := s.Write(ctx, "taken/inner/below", nil); err == nil {
		t.Error("a file became a directory")
	}
	if got := storetest.Tree(t, s, ""); !slices.Equal(got, []string{"taken/inner"}) {
		t.Errorf("store holds %q", got)
	}
}

func TestLocalTakesLongNames(t *testing.T) {
	s := openLocal(t)
	key := "d/" + strings.Repeat("n", 250)
	if err := s.CreateIfAbsent(t.Context(), key, []byte("x")); err != nil {
		t.Error(err)
	}
	if err := s.Write(t.Context(), key, []byte("y")); err != nil {
		t.Error(err)
	}
}

func TestLocalFollowsLinkedDirectories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	dir, other := t.TempDir(), t.TempDir()
	if err := os.Symlink(other, filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	s, _ := store.NewLocal(dir)
	if err := s.Write(t.Context(), "moved/f", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := storetest.Tree(t, s, ""); !slices.Equal(got, []string{"moved/f"}) {
		t.Errorf("store holds %q", got)
	}
	if err := s.DeleteDir(t.Context(), "moved"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(other, "f")); err != nil {
		t.Error("removing the link removed what it pointed to")
	}
}

func TestLocalNeedsADirectory(t *testing.T) {
	f := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(f, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", f} {
		if _, err := store.NewLocal(dir); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("NewLocal(%q): %v", dir, err)
		}
	}
}

func TestClosedObjectSaysSo(t *testing.T) {
	s := openLocal(t)
	if err := s.Write(t.Context(), "f", []byte("abc")); err != nil {
		t.Fatal(err)
	}
	o, err := s.Open(t.Context(), "f", -1)
	if err != nil {
		t.Fatal(err)
	}
	_ = o.Close()
	if _, err := o.ReadRange(t.Context(), make([]byte, 1), 0); !errors.Is(err, fault.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

func TestCounterCountsRequestsAndBytes(t *testing.T) {
	ctx := t.Context()
	c := store.Counting(store.NewMem())
	_ = c.Write(ctx, "a", make([]byte, 10))
	_ = c.CreateIfAbsent(ctx, "b", make([]byte, 5))
	_ = c.CreateIfAbsent(ctx, "b", make([]byte, 5))
	w, _ := c.Create(ctx, "c")
	_, _ = w.Write(make([]byte, 100))
	_ = w.Close()
	_ = w.Close()
	w, _ = c.Create(ctx, "dropped")
	w.Abort()
	_, _ = c.ReadAll(ctx, "a")
	o, _ := c.Open(ctx, "c", 100)
	_, _ = o.ReadRange(ctx, make([]byte, 30), 0)
	_, _ = c.Open(ctx, "c", -1)
	_, _ = c.Stat(ctx, "a")
	_, _ = c.Stat(ctx, "a/")
	for range c.List(ctx, "") {
	}
	_ = c.Delete(ctx, "a")
	before := c.Counts()
	want := store.Counts{Reads: 2, Writes: 2, Creates: 2, Lists: 2, Deletes: 1, Stats: 2, BytesRead: 40, BytesWritten: 120}
	if before != want || before.Requests() != 11 {
		t.Errorf("counted %+v, %d requests", before, before.Requests())
	}
	_ = c.DeleteDir(ctx, "x")
	if d := c.Counts().Sub(before); d != (store.Counts{Deletes: 1}) {
		t.Errorf("difference is %+v", d)
	}
}

func TestOpenKnowsItsURLs(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	for _, url := range []string{dir, "file://" + dir, "file://localhost" + dir, "file:" + dir} {
		s, err := store.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		if s.URL() != dir {
			t.Errorf("%s opens %s", url, s.URL())
		}
	}
	for url, class := range map[string]error{
		"":               fault.ErrInvalid,
		"file://":        fault.ErrInvalid,
		"file://host/x":  fault.ErrInvalid,
		"ftp://host/x":   fault.ErrUnsupported,
		"s3://bucket/x":  fault.ErrUnsupported, // this test binary has no cloud drivers
		"mem://x?y=z":    fault.ErrInvalid,
		"mem://n/a/../b": fault.ErrInvalid,
		"s3:///x":        fault.ErrInvalid,
	} {
		if _, err := store.Open(ctx, url); !errors.Is(err, class) {
			t.Errorf("open %q: %v, want %v", url, err, class)
		}
	}
}

func TestNamedMemoryIsSharedAndUnnamedIsNot(t *testing.T) {
	ctx := t.Context()
	open := func(url string) store.Store {
		s, err := store.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := open("mem://shared/warehouse")
	if err := a.Write(ctx, "f", []byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = a.Close()
	if got := storetest.Tree(t, open("mem://shared"), ""); !slices.Equal(got, []string{"warehouse/f"}) {
		t.Errorf("the other opening sees %q", got)
	}
	b := open("mem://")
	_ = b.Write(ctx, "f", nil)
	if got := storetest.Tree(t, open("mem://"), ""); len(got) != 0 {
		t.Errorf("a new store holds %q", got)
	}
}

func ExampleOpen() {
	ctx := context.Background()
	s, err := store.Open(ctx, "mem://")
	if err != nil {
		panic(err)
	}
	defer func() { _ = s.Close() }()

	fmt.Println(s.CreateIfAbsent(ctx, "snapshot/snapshot-1", []byte("{}")))
	err = s.CreateIfAbsent(ctx, "snapshot/snapshot-1", []byte("{}"))
	fmt.Println(errors.Is(err, fault.ErrExists))
	// Output:
	// <nil>
	// true
}

func ExampleNewLocal() {
	dir, err := os.MkdirTemp("", "warehouse")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	s, err := store.NewLocal(dir)
	if err != nil {
		panic(err)
	}
	w, err := s.Create(ctx, "bucket-0/data-1.parquet")
	if err != nil {
		panic(err)
	}
	_, _ = w.Write([]byte("PAR1"))
	_, err = s.Stat(ctx, "bucket-0/data-1.parquet")
	fmt.Println("before Close:", errors.Is(err, fault.ErrNotFound))
	_ = w.Close()
	info, _ := s.Stat(ctx, "bucket-0/data-1.parquet")
	fmt.Println("after Close:", info.Size)
	// Output:
	// before Close: true
	// after Close: 4
}

func ExampleCounting() {
	ctx := context.Background()
	s := store.Counting(store.NewMem())
	_ = s.Write(ctx, "a", []byte("hello"))
	_, _ = s.ReadAll(ctx, "a")
	c := s.Counts()
	fmt.Println(c.Requests(), c.BytesRead, c.BytesWritten)
	// Output: 2 5 5
}

func ExampleSub() {
	ctx := context.Background()
	warehouse := store.NewMem()
	table := store.Sub(warehouse, "shop.db/orders")
	_ = table.Write(ctx, "schema/schema-0", []byte("{}"))
	for info := range warehouse.List(ctx, "shop.db/orders/schema") {
		fmt.Println(info.Key)
	}
	// Output: shop.db/orders/schema/schema-0
}

func ExampleReaderAt() {
	ctx := context.Background()
	s := store.NewMem()
	_ = s.Write(ctx, "a", []byte("hello, tide"))
	o, _ := s.Open(ctx, "a", 11)
	defer func() { _ = o.Close() }()
	text, _ := io.ReadAll(io.NewSectionReader(store.ReaderAt(ctx, o), 7, 4))
	fmt.Println(string(text))
	// Output: tide
}
