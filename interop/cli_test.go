//go:build interop

package interop

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestCommandLine makes, fills, reads and checks tables with the program alone.
func TestCommandLine(t *testing.T) {
	if run.program == "" {
		t.Fatal("cmd/tidelake does not build")
	}
	each(t, run.java, 5, func(w *world) {
		w.tidelake("table", "create", w.id.String(), "--schema", w.file([]string{w.rand.ours()}))
		for range 1 + w.rand.r.IntN(3) {
			w.tidelake("write", w.id.String(), w.file(w.rand.batch(nil)), "--format", "jsonl")
		}
		want, err := w.java.rows(w.id.String())
		w.must(err)
		w.same("rows", "java", want, "tidelake", sorted(w.tidelake("read", w.id.String(), "--format", "jsonl")))
		q := w.question(1)
		want = w.agree(q.text, table.ScanOptions{Where: q.text}, "--filter", q.json)
		w.same(q.text, "java", want, "tidelake", sorted(w.tidelake("read", w.id.String(), "--where", q.text)))
		if n := w.tidelake("read", w.id.String(), "--where", q.text, "--count"); n[0] != strconv.Itoa(len(want)) {
			w.t.Errorf("count where %s: %s, want %d", q.text, n, len(want))
		}
		w.tidelake("check", w.id.String())
		for _, list := range []string{"snapshots", "files", "manifests", "partitions", "schemas", "options"} {
			w.tidelake(list, w.id.String(), "--json")
		}
	})
}

// tidelake runs the program on the warehouse and answers its lines of output.
func (w *world) tidelake(args ...string) []string {
	w.t.Helper()
	cmd := exec.Command(run.program, append(args, "--warehouse", w.dir)...)
	var out, why bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &why
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("tidelake %s: %v\n%s%s", strings.Join(args, " "), err, why.String(), out.String())
	}
	if out.Len() == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}
