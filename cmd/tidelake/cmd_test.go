package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/klauspost/compress/gzip"

	"github.com/tidelake/tidelake/table"
)

// call runs one command line in the current directory.
func call(t *testing.T, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{in: stdin, out: &out, err: &errs}
	code = a.run(t.Context(), args)
	return out.String(), errs.String(), code
}

func must(t *testing.T, stdin io.Reader, args ...string) string {
	t.Helper()
	out, errs, code := call(t, stdin, args...)
	if code != 0 {
		t.Fatalf("%q: exit %d: %s", args, code, errs)
	}
	return out
}

func TestQuickstartEndsWithTheRowsOfTheDatabase(t *testing.T) {
	t.Setenv("TIDELAKE_WAREHOUSE", "")
	t.Chdir(t.TempDir())
	for _, name := range []string{"shop.order_lines", "shop.order_lines_2", "shop.order_lines_3"} {
		out := must(t, nil, "quickstart")
		for _, want := range []string{name, "compared, equal", "3 snapshot reads", "2 updates", "1 delete", "1001      1        A-1  2    9.9900", "1001      1        A-1  20   9.9900"} {
			if !strings.Contains(out, want) {
				t.Errorf("the tour of %s lacks %q:\n%s", name, want, out)
			}
		}
		rows := must(t, nil, "read", name)
		if same, err := sameRows([]byte(rows), sampleFinal); !same || err != nil {
			t.Errorf("%s holds %s, MySQL held %s: %v", name, rows, sampleFinal, err)
		}
		if out := must(t, nil, "check", name); !strings.Contains(out, "no problems") {
			t.Error(out)
		}
	}
}

func TestEveryCommandThatTheQuickstartShowsWorks(t *testing.T) {
	t.Setenv("TIDELAKE_WAREHOUSE", "")
	t.Chdir(t.TempDir())
	out := must(t, nil, "quickstart", "--warehouse", "elsewhere")
	_, commands, ok := strings.Cut(out, "Go on:\n")
	if !ok {
		t.Fatal(out)
	}
	for _, line := range strings.Split(strings.TrimSpace(commands), "\n") {
		_, args, ok := strings.Cut(strings.TrimSpace(line), " --warehouse elsewhere")
		if !ok {
			t.Errorf("%s goes to another warehouse", line)
		}
		must(t, nil, append([]string{"--warehouse", "elsewhere"}, words(t, strings.TrimSpace(args))...)...)
	}
}

func TestTheSampleCanBeWrittenByHand(t *testing.T) {
	t.Setenv("TIDELAKE_WAREHOUSE", "")
	t.Chdir(t.TempDir())
	events := must(t, nil, "quickstart", "--events")
	must(t, strings.NewReader(events), "write", "shop.copy", "-", "--format", "debezium-json", "--create")
	if same, err := sameRows([]byte(must(t, nil, "read", "shop.copy")), sampleFinal); !same || err != nil {
		t.Error(same, err)
	}
}

func TestCompressedInputIsUnpacked(t *testing.T) {
	t.Chdir(t.TempDir())
	w := "--warehouse=w"
	must(t, nil, "db", "create", "d", w)
	def := `{"columns": [{"name": "n", "type": "INT"}]}`
	must(t, strings.NewReader(def), "table", "create", "d.t", "--schema", "-", w)
	var z bytes.Buffer
	gz := gzip.NewWriter(&z)
	if _, err := gz.Write([]byte("n\n1\n2\n")); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	whole := z.Bytes()
	for name, data := range map[string][]byte{"a.csv.gz": whole, "b.CSV.GZ": whole} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		must(t, nil, "write", "d.t", name, w)
	}
	must(t, bytes.NewReader(whole), "write", "d.t", "-", "--format", "csv", w)
	if n := must(t, nil, "read", "d.t", "--count", w); n != "6\n" {
		t.Error(n)
	}
	for name, data := range map[string][]byte{"cut.csv.gz": whole[:len(whole)-6], "plain.csv.gz": []byte("n\n1\n")} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, errs, code := call(t, nil, "write", "d.t", name, w); code != exitFailure || !strings.Contains(errs, name+": gzip") {
			t.Errorf("%s: exit %d: %s", name, code, errs)
		}
	}
	if n := must(t, nil, "read", "d.t", "--count", w); n != "6\n" {
		t.Error("damaged input was committed: " + n)
	}
}

// Nanoseconds are INT96 in Parquet, which does not tell whether they have a zone.
func TestParquetOutputOfNanosecondsIsInput(t *testing.T) {
	t.Chdir(t.TempDir())
	w := "--warehouse=w"
	must(t, nil, "db", "create", "d", w)
	def := `{"columns": [{"name": "k", "type": "INT"}, {"name": "at", "type": "TIMESTAMP(9)"}, {"name": "zoned", "type": "TIMESTAMP_LTZ(9)"}], "primary-key": ["k"], "options": {"bucket": "1"}}`
	for _, name := range []string{"d.a", "d.b"} {
		must(t, strings.NewReader(def), "table", "create", name, "--schema", "-", w)
	}
	rows := `{"k":1,"at":"2026-01-31T12:00:00.123456789","zoned":"2026-01-31T12:00:00.123456789Z"}` + "\n" + `{"k":2,"at":null,"zoned":null}` + "\n"
	must(t, strings.NewReader(rows), "write", "d.a", "-", w)
	file := must(t, nil, "read", "d.a", "--format", "parquet", w)
	must(t, strings.NewReader(file), "write", "d.b", "-", "--format", "parquet", w)
	if got := must(t, nil, "read", "d.b", w); got != rows {
		t.Errorf("read back:\n%s", got)
	}
}

func TestArrowOutputIsAStream(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, nil, "quickstart", "--warehouse", "w", "--json")
	out := must(t, nil, "read", "shop.order_lines", "--format", "arrow", "--select", "sku,qty", "--warehouse", "w")
	r, err := ipc.NewReader(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	if rows != 4 || r.Schema().NumFields() != 2 || r.Err() != nil {
		t.Error(rows, r.Schema(), r.Err())
	}
	// An empty result is a stream too.
	out = must(t, nil, "read", "shop.order_lines", "--format", "arrow", "--where", "qty > 1000", "--warehouse", "w")
	if r, err = ipc.NewReader(strings.NewReader(out)); err != nil || r.Next() {
		t.Error(err)
	}
}

func TestBinaryFormatsDoNotGoToATerminal(t *testing.T) {
	var out, errs bytes.Buffer
	a := &app{out: &out, err: &errs, binaryOff: true}
	if code := a.run(t.Context(), []string{"read", "shop.t", "--format", "parquet"}); code != exitUsage || !strings.Contains(errs.String(), "redirect") {
		t.Error(code, errs.String())
	}
}

// closedPipe is an output whose reader has gone.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestAClosedOutputIsNoNoise(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, nil, "quickstart", "--warehouse", "w", "--json")
	for _, c := range []struct {
		args string
		code int
	}{
		{"read shop.order_lines", 0}, // the reader had enough
		{"read shop.order_lines --format csv", 0},
		{"read shop.order_lines --format table", 0},
		{"read shop.order_lines --format parquet", 0},
		{"read shop.order_lines --format arrow", 0},
		{"check shop.order_lines", exitFailure}, // nobody saw the verdict
		{"snapshots shop.order_lines", exitFailure},
	} {
		var errs bytes.Buffer
		a := &app{out: pipeWriter{closedPipe{}}, err: &errs}
		if code := a.run(t.Context(), append(strings.Fields(c.args), "--warehouse", "w")); code != c.code || errs.Len() > 0 {
			t.Errorf("%s: exit %d, %q", c.args, code, errs.String())
		}
	}
}

func TestOnlyRefusalsSpeakOfSupport(t *testing.T) {
	err := &os.LinkError{Op: "link", Old: "a", New: "b", Err: syscall.ENOTSUP}
	if text := errorText(err); strings.Contains(text, "not supported") {
		t.Error(text)
	}
	if code := exitCode(err); code != exitFailure {
		t.Error(code)
	}
	refusal := usageError{errors.Join(errors.New("x"), &table.Error{Class: table.ErrUnsupported, Detail: "y"})}
	if code, text := exitCode(refusal), errorText(refusal); code != exitRefused || !strings.Contains(text, "not supported: y") {
		t.Error(code, text)
	}
}

func TestAnInterruptedWriteSaysSo(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, nil, "quickstart", "--warehouse", "w", "--json")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(`{"order_id":1,"line_no":1,"sku":"x","qty":1}`), out: &out, err: &errs}
	if code := a.run(ctx, []string{"write", "shop.order_lines", "--warehouse", "w"}); code != exitFailure || !strings.Contains(errs.String(), "interrupted") {
		t.Error(code, errs.String())
	}
}

func TestDamageIsFound(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, nil, "quickstart", "--warehouse", "w", "--json")
	files, err := filepath.Glob("w/shop.db/order_lines/bucket-0/*.parquet")
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[2]); err != nil {
		t.Fatal(err)
	}
	out, errs, code := call(t, nil, "check", "shop.order_lines", "--warehouse", "w")
	if code != exitFailure || !strings.Contains(out, filepath.Base(files[2])) || !strings.Contains(errs, "1 problem found") {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
	if out, errs, code := call(t, nil, "read", "shop.order_lines", "--warehouse", "w"); code != exitFailure || !strings.Contains(errs, filepath.Base(files[2])) {
		t.Errorf("exit %d\n%s\n%s", code, out, errs)
	}
}

func TestProgressIsForTerminals(t *testing.T) {
	var errs bytes.Buffer
	a := &app{err: &errs, progressOn: true}
	p := a.progress("writing")
	p.last = p.last.Add(-time.Second)
	p.show("%d rows", 5)
	p.last = p.last.Add(time.Hour) // however long the machine was busy since
	p.show("%d rows", 6)           // too soon
	p.done()
	if got := errs.String(); got != "\r\x1b[Kwriting: 5 rows\r\x1b[K" {
		t.Errorf("%q", got)
	}
	errs.Reset()
	a.progressOn = false
	p = a.progress("writing")
	p.last = p.last.Add(-time.Second)
	p.show("%d rows", 5)
	p.done()
	if errs.Len() > 0 {
		t.Errorf("%q", errs.String())
	}
}

func TestAnInterruptEndsAReadOfStandardInput(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, nil, "quickstart", "--warehouse", "w", "--json")
	ctx, interrupt := context.WithCancel(t.Context())
	silent, w := io.Pipe() // never written, never closed before the end
	defer w.Close()
	var out, errs bytes.Buffer
	a := &app{in: onRead{silent, interrupt}, out: &out, err: &errs, prompt: true}
	if code := a.run(ctx, []string{"write", "shop.order_lines", "--warehouse", "w"}); code != exitFailure || !strings.Contains(errs.String(), "from the terminal") || !strings.Contains(errs.String(), "interrupted") {
		t.Error(code, errs.String())
	}
}

// onRead tells that somebody has begun to read.
type onRead struct {
	io.Reader
	tell func()
}

func (r onRead) Read(p []byte) (int, error) {
	r.tell()
	return r.Reader.Read(p)
}

func TestTheQuickstartQuotesAWarehouseForAShell(t *testing.T) {
	t.Chdir(t.TempDir())
	for warehouse, want := range map[string]string{
		"plain/dir":       " --warehouse plain/dir read ",
		"with blank":      " --warehouse 'with blank' read ",
		"mem://?region=x": "",
		"it's":            ` --warehouse 'it'\''s' read `,
	} {
		out, _, code := call(t, nil, "quickstart", "--warehouse", warehouse)
		if (code == 0) != (want != "") || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d\n%s", warehouse, code, out)
		}
	}
}
