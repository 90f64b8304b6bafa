package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets tests run the program as a process of its own, to kill it.
func TestMain(m *testing.M) {
	if os.Getenv("TIDELAKE_TEST_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a running tidelake.
type program struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TIDELAKE_TEST_PROGRAM=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &program{t, cmd, bufio.NewReader(out)}
}

// row reads a printed row: the snapshot it came with and its id; ok is false at the end.
func (p *program) row() (snapshot, id int64, ok bool) {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err == io.EOF && line == "" {
		return 0, 0, false
	}
	var row struct {
		Snapshot int64 `json:"_snapshot"`
		ID       int64 `json:"id"`
	}
	if err == nil {
		err = json.Unmarshal([]byte(line), &row)
	}
	if err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
	return row.Snapshot, row.ID, true
}

// kill is kill -9; what was printed until then can still be read.
func (p *program) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
}

// A tail that is killed at any time goes on by its consumer: nothing is lost,
// and nothing comes twice but the one snapshot that it could have printed
// without being able to say so.
func TestAKilledTailGoesOnByItsConsumer(t *testing.T) {
	t.Setenv("TIDELAKE_WAREHOUSE", "")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("t.yaml", []byte("columns: [{name: id, type: BIGINT}]\nprimary-key: [id]\noptions: {bucket: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, nil, "db", "create", "shop")
	must(t, nil, "table", "create", "shop.t", "--schema", "t.yaml")
	write := func(id int) { must(t, strings.NewReader(fmt.Sprintf(`{"id":%d}`, id)), "write", "shop.t", "-") }
	acknowledged := func(snapshot int64) bool {
		var consumer struct {
			Next int64 `json:"next_snapshot"`
		}
		if err := json.Unmarshal([]byte(must(t, nil, "consumer", "list", "shop.t", "--json")), &consumer); err != nil {
			t.Fatal(err)
		}
		return consumer.Next > snapshot // by more than one where a compaction followed
	}
	var seen []int64 // snapshots, as printed
	for life := range 4 {
		p := start(t, "tail", "shop.t", "--consumer", "copy", "--from", "snapshot:1")
		again := 0
		for n := range 3 {
			write(life*3 + n + 1)
			snapshot, id, ok := p.row()
			if n == 0 && len(seen) > 0 && snapshot == seen[len(seen)-1] { // printed before the kill, not acknowledged
				again++
				snapshot, id, ok = p.row()
			}
			if !ok || id != int64(life*3+n+1) {
				t.Fatalf("process %d printed row %d of snapshot %d after %v", life, id, snapshot, seen)
			}
			seen = append(seen, snapshot)
		}
		// Every other process lives until its last snapshot is acknowledged.
		last := seen[len(seen)-1]
		for tries := 0; life%2 == 0 && !acknowledged(last); tries++ {
			if tries == 20_000 {
				t.Fatalf("snapshot %d was never acknowledged", last)
			}
		}
		p.kill()
		if snapshot, id, ok := p.row(); ok {
			t.Errorf("process %d printed row %d of snapshot %d in the end", life, id, snapshot)
		}
		_ = p.cmd.Wait() // killed
		if life%2 == 1 && again > 0 {
			t.Errorf("process %d printed again what was acknowledged", life)
		}
	}
	if len(seen) != 12 {
		t.Errorf("snapshots are %v", seen)
	}
}
