package house

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tidelake/tidelake"

// floors lists the packages from the ground up. A package may import those on
// the floors below its own, and beside it only what beside allows.
var floors = [][]string{
	{"internal/fault", "internal/house", "internal/tempfile"},
	{"schema"},
	{"internal/avro", "internal/deletion", "internal/fileindex", "internal/binaryrow", "internal/binaryrow/rowtest", "internal/bitmap", "internal/conform", "internal/keymap", "internal/sketch", "internal/model", "internal/take", "internal/vector", "internal/rowjson/literal"},
	{"internal/cell"},
	{"internal/rowblock"},
	{"internal/bucket", "internal/cast", "internal/partition", "internal/rowjson", "internal/benchrows", "io/store", "mergeengine", "changelog"},
	{"io/datafile", "io/store/cloud", "io/store/storetest", "predicate"},
	{"manifest"},
	{"snapshot", "lsm"},
	{"table"},
	{"catalog"},
	{"cdc"},
	{"cmd/tidelake", "bench", "interop", "examples"},
}

type pkg struct {
	ImportPath, Name, Dir string
	Imports               []string
	GoFiles               []string
	TestGoFiles           []string
	XTestGoFiles          []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Imports,GoFiles,TestGoFiles,XTestGoFiles", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func inside(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

// floorOf finds a package's floor; a package below examples counts as it does.
func floorOf(path string) int {
	for i, floor := range floors {
		for _, p := range floor {
			if path == p || strings.HasPrefix(path, p+"/") && (p == "examples" || p == "interop" || p == "bench") {
				return i
			}
		}
	}
	return -1
}

func TestImportsPointDownwards(t *testing.T) {
	for _, p := range packages(t) {
		own := floorOf(inside(p.ImportPath))
		if own < 0 {
			t.Errorf("%s stands on no floor: add it to the list", p.ImportPath)
		}
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp, module) {
				continue
			}
			if below := floorOf(inside(imp)); below >= own {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports point downwards only", inside(p.ImportPath), own, inside(imp), below)
			}
		}
	}
}

func TestIoItselfHoldsNoGoFile(t *testing.T) {
	files, err := filepath.Glob("../../io/*.go")
	if err != nil || len(files) > 0 {
		t.Errorf("io would shadow the standard library's: %v %v", files, err)
	}
}

// topLevel is everything that may stand in the module's root.
var topLevel = strings.Fields(`table lsm manifest snapshot mergeengine changelog io catalog bench schema
	predicate cdc cmd internal interop examples docs go.mod go.sum README.md CHANGELOG.md LICENSE .git .ci .gitignore`)

func TestNothingElseStandsAtTopLevel(t *testing.T) {
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(topLevel, e.Name()) && !ignoredByGit(e.Name()) {
			t.Errorf("%s stands at top level without cause", e.Name())
		}
	}
}

func ignoredByGit(name string) bool {
	cmd := exec.Command("git", "check-ignore", "-q", name)
	cmd.Dir = "../.."
	return cmd.Run() == nil
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		if d := docOf(t, p); d != nil && len(strings.Fields(d.Doc)) < 12 {
			t.Errorf("%s: its package comment says %q", inside(p.ImportPath), d.Doc)
		}
	}
}

func TestEveryExportedNameIsExplained(t *testing.T) {
	for _, p := range packages(t) {
		d := docOf(t, p)
		if d == nil || p.Name == "main" {
			continue
		}
		for _, name := range undocumented(d) {
			t.Errorf("%s.%s has no comment", inside(p.ImportPath), name)
		}
	}
}

// docOf parses the documentation of a package; nil for one of tests only.
func docOf(t *testing.T, p pkg) *doc.Package {
	t.Helper()
	if len(p.GoFiles) == 0 {
		return nil
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	d, err := doc.NewFromFiles(fset, files, p.ImportPath)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func undocumented(d *doc.Package) []string {
	var out []string
	check := func(name, text string) {
		if text == "" && ast.IsExported(name[strings.LastIndexByte(name, '.')+1:]) {
			out = append(out, name)
		}
	}
	values := func(all []*doc.Value) {
		for _, v := range all {
			if v.Doc == "" && !eachExplained(v.Decl) {
				check(v.Names[0], "")
			}
		}
	}
	values(d.Consts)
	values(d.Vars)
	for _, f := range d.Funcs {
		check(f.Name, f.Doc)
	}
	for _, t := range d.Types {
		check(t.Name, t.Doc)
		values(t.Consts)
		values(t.Vars)
		for _, f := range t.Funcs {
			check(f.Name, f.Doc)
		}
		for _, m := range t.Methods {
			if m.Level == 0 && !obvious(m.Name) {
				check(t.Name+"."+m.Name, m.Doc)
			}
		}
	}
	return out
}

// obvious methods implement interfaces of the standard library and need no words.
func obvious(name string) bool {
	return slices.Contains([]string{"String", "Error", "Unwrap", "MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "Len", "Less", "Swap", "Close"}, name)
}

// eachExplained tells that every name of a group has a comment of its own.
func eachExplained(d *ast.GenDecl) bool {
	for _, s := range d.Specs {
		if v, ok := s.(*ast.ValueSpec); ok && v.Doc == nil && v.Comment == nil {
			return false
		}
	}
	return true
}

// entryPoints must each have an example that go test runs.
var entryPoints = map[string][]string{
	"table":              {"Open", "Table_NewWriter", "Table_Scan", "Table_Alter", "Table_Delete", "Table_Update"},
	"catalog":            {"Open"},
	"schema":             {"ParseType", "ParseTable", "ParseOptions", "Table_Alter"},
	"predicate":          {"Parse", "ParseValue"},
	"io/store":           {"Open"},
	"io/datafile":        {"NewWriter", "Open"},
	"manifest":           {"IO"},
	"snapshot":           {"Chain", "Committer"},
	"lsm":                {"NewBuffer", "NewMerge"},
	"cdc":                {"NewDebezium", "NewCanal"},
	"internal/avro":      {},
	"internal/binaryrow": {},
}

func TestEveryEntryPointHasAnExample(t *testing.T) {
	byPath := make(map[string]pkg)
	for _, p := range packages(t) {
		byPath[inside(p.ImportPath)] = p
	}
	for path, names := range entryPoints {
		have := examples(t, byPath[path])
		for _, name := range names {
			if !slices.ContainsFunc(have, func(e string) bool { return e == name || strings.HasPrefix(e, name+"_") }) {
				t.Errorf("%s: no Example%s among %v", path, name, have)
			}
		}
	}
}

func examples(t *testing.T, p pkg) []string {
	t.Helper()
	var out []string
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range doc.Examples(f) {
			if e.Output != "" || e.EmptyOutput {
				out = append(out, e.Name)
			}
		}
	}
	return out
}

// TestFunctionsFitAScreen keeps functions readable in one look.
func TestFunctionsFitAScreen(t *testing.T) {
	const screen = 80
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line; lines > screen {
				t.Errorf("%s: %s is %d lines long", strings.TrimPrefix(path, "../../"), fn.Name.Name, lines)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(fmt.Errorf("walk: %w", err))
	}
}
