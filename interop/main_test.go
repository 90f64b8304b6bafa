//go:build interop

package interop

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/table"
)

// run is what the whole run shares.
var run struct {
	seed    uint64
	tables  uint64            // random tables in each direction; a share of them in other tests
	java    *pool             // Paimon 1.4, from peer/
	follow  *pool             // another of it, for streams that run beside what java does
	java2   *pool             // Paimon 2.0, nil where it could not be built
	python  *pool             // pypaimon, nil where it could not be installed
	program string            // our command line, "" when it does not build
	mu      sync.Mutex        // guards done
	done    map[string]uint64 // tables that passed, by test
}

func TestMain(m *testing.M) {
	if role := os.Getenv(chaosRoleEnv); role != "" {
		os.Exit(runChaosRole(role))
	}
	code, err := begin(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func begin(m *testing.M) (code int, err error) {
	if run.seed, err = number("TIDELAKE_INTEROP_SEED", uint64(time.Now().UnixNano())); err != nil {
		return 1, err
	}
	if run.tables, err = number("TIDELAKE_INTEROP_TABLES", 500); err != nil {
		return 1, err
	}
	run.done = make(map[string]uint64)
	run.java = newPool(2, func() (*server, error) { return startServer("peer/peer", "serve") })
	defer run.java.stop()
	run.follow = newPool(1, func() (*server, error) { return startServer("peer/peer", "serve") })
	defer run.follow.stop()
	if home := os.Getenv("TIDELAKE_PEER_2_0"); home != "" {
		run.java2 = newPool(1, func() (*server, error) { return startServer(home+"/peer", "serve") })
		defer run.java2.stop()
	}
	if python := os.Getenv("TIDELAKE_PYTHON"); python != "" {
		run.python = newPool(1, func() (*server, error) { return startServer(python, "pypaimon_read.py") })
		defer run.python.stop()
	}
	dir, err := os.MkdirTemp("", "tidelake-interop")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	run.program = filepath.Join(dir, "tidelake")
	if out, err := exec.Command("go", "build", "-o", run.program, "../cmd/tidelake").CombinedOutput(); err != nil {
		fmt.Printf("!!!!!!!! the command line does not build: %v\n%s", err, out)
		run.program = ""
	}
	code = m.Run()
	fmt.Printf("interop: TIDELAKE_INTEROP_SEED=%d\n", run.seed)
	for _, name := range slices.Sorted(maps.Keys(run.done)) {
		fmt.Printf("interop: %4d random tables passed %s\n", run.done[name], name)
	}
	return code, nil
}

// number reads a setting of the run from the environment.
func number(name string, otherwise uint64) (uint64, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// each runs f on share percent of the random tables asked for, but on one at
// least. Every table has a seed of its own, which is its name in the output;
// none has a type whose name contains one of without.
func each(t *testing.T, servers *pool, share uint64, f func(w *world), without ...string) {
	t.Parallel()
	dir := t.TempDir()
	if keep := os.Getenv("TIDELAKE_INTEROP_KEEP"); keep != "" {
		dir = filepath.Join(keep, t.Name())
	}
	cat, err := catalog.Open(context.Background(), dir, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	if err := cat.CreateDatabase(context.Background(), "r"); err != nil {
		t.Fatal(err)
	}
	for i := range max(1, run.tables*share/100) {
		seed := run.seed + i
		ok := t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			w := newWorld(t, servers, cat, dir, "t"+strconv.FormatUint(i, 10), seed, without)
			defer w.end()
			f(w)
		})
		if !ok && os.Getenv("TIDELAKE_INTEROP_KEEP_GOING") == "" {
			t.Fatalf("replay with TIDELAKE_INTEROP_SEED=%d TIDELAKE_INTEROP_TABLES=1 go test -tags interop -run %s", seed, t.Name())
		}
		if ok {
			run.mu.Lock()
			run.done[t.Name()]++
			run.mu.Unlock()
		}
	}
}
