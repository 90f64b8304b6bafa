package snapshot_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

func realFiles(t testing.TB) []string {
	t.Helper()
	a, _ := filepath.Glob("testdata/*.json")
	b, _ := filepath.Glob("testdata/real/*.json")
	if len(a) < 7 || len(b) < 4 {
		t.Fatalf("found %d and %d files", len(a), len(b))
	}
	return append(a, b...)
}

// What we leave out: log offsets of old releases and the two fields of tags.
var omitted = regexp.MustCompile(`(?m),\n  "(logOffsets|tagCreateTime|tagTimeRetained)" : (\{ \}|\[.*\]|[0-9.]+)`)

func TestFilesOfJavaComeOutAsTheyCameIn(t *testing.T) {
	for _, file := range realFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := snapshot.Parse(file, data)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.Marshal(), omitted.ReplaceAll(data, nil); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestEveryFieldSurvives(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	want := &snapshot.Snapshot{
		Version: 3, UUID: "u", ID: 7, SchemaID: 2, BaseManifestList: "b", BaseManifestListSize: n(1), DeltaManifestList: "d",
		DeltaManifestListSize: n(2), ChangelogManifestList: "c", ChangelogManifestListSize: n(3), IndexManifest: "i",
		CommitUser: "user \"é\" \\ \n\x01<&>", WriterVersion: "v", CommitIdentifier: math.MaxInt64, CommitKind: snapshot.Overwrite,
		TimeMillis: 4, TotalRecordCount: n(5), DeltaRecordCount: n(-6), ChangelogRecordCount: n(7), Watermark: n(math.MinInt64),
		Statistics: "s", Properties: map[string]string{"b": "2", "a": "1"}, NextRowID: n(8), Operation: "MERGE",
	}
	data := want.Marshal()
	got, err := snapshot.Parse("snapshot-7", data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v: %v", got, want, err)
	}
	for _, line := range []string{
		`  "commitUser" : "user \"é\" \\ \n\u0001<&>",`,
		"  \"properties\" : {\n    \"a\" : \"1\",\n    \"b\" : \"2\"\n  },",
		`  "watermark" : -9223372036854775808,`,
	} {
		if !strings.Contains(string(data), line) {
			t.Errorf("no %q in\n%s", line, data)
		}
	}
	fields := reflect.TypeFor[snapshot.Snapshot]().NumField()
	if zero := strings.Count(string(data), "\n  \""); zero != fields {
		t.Errorf("%d fields written, %d in the struct", zero, fields)
	}
}

const small = `{"id":3,"schemaId":0,"baseManifestList":"b","deltaManifestList":"d","commitUser":"u","commitIdentifier":1,"commitKind":"APPEND","timeMillis":5`

func TestAncientAndFutureFieldsAreTaken(t *testing.T) {
	s, err := snapshot.Parse("f", []byte(small+`,"watermark":null,"ID":9,"later":{"x":[1]}}`))
	if err != nil || s.Version != 1 || s.ID != 3 || s.Watermark != nil || s.TotalRecordCount != nil {
		t.Errorf("%+v %v", s, err)
	}
}

func TestBadFilesAreRefusedByName(t *testing.T) {
	for text, class := range map[string]error{
		"":                                   fault.ErrCorrupt,
		"[]":                                 fault.ErrCorrupt,
		small:                                fault.ErrCorrupt, // cut off
		small + `,"version":4}`:              fault.ErrUnsupported,
		small + `,"version":0}`:              fault.ErrCorrupt,
		small + `,"commitKind":"FOLD"}`:      fault.ErrUnsupported,
		small + `,"commitKind":null}`:        fault.ErrCorrupt,
		small + `,"id":"x"}`:                 fault.ErrCorrupt,
		small + `,"id":0}`:                   fault.ErrCorrupt,
		small + `,"id":9223372036854775808}`: fault.ErrCorrupt,
		small + `,"indexManifest":"../x"}`:   fault.ErrCorrupt,
		small + `,"statistics":"a/b"}`:       fault.ErrCorrupt,
		small + `,"baseManifestList":""}`:    fault.ErrCorrupt,
		`{"id":3}`:                           fault.ErrCorrupt,
		small + `,"properties":["a"]}`:       fault.ErrCorrupt,
	} {
		_, err := snapshot.Parse("snapshot-3", []byte(text))
		if !errors.Is(err, class) || !strings.Contains(err.Error(), "snapshot-3") {
			t.Errorf("%s: %v, want %v", text, err, class)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range realFiles(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(small + "}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := snapshot.Parse("f", data)
		if err != nil {
			return
		}
		again, err := snapshot.Parse("f", s.Marshal())
		if err != nil {
			t.Fatalf("our own text: %v", err)
		}
		if len(s.Properties) == 0 {
			s.Properties, again.Properties = nil, nil
		}
		if !reflect.DeepEqual(s, again) {
			t.Errorf("%+v became %+v", s, again)
		}
	})
}
