package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
)

// Parse reads a snapshot file of any release, or a tag. file names it in
// errors. Unknown fields are ignored. Text that is no snapshot is
// fault.ErrCorrupt; a version or a kind of commit from the future is
// fault.ErrUnsupported.
func Parse(file string, data []byte) (*Snapshot, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, fault.Corrupt(file, "not a JSON object", err)
	}
	s := &Snapshot{}
	d := decoder{file: file, members: members}
	s.Version = 1
	if v := d.number("version"); v != nil {
		s.Version = int(*v)
	}
	s.UUID = d.text("uuid")
	s.ID = d.needNumber("id")
	s.SchemaID = d.needNumber("schemaId")
	s.BaseManifestList = d.needFile("baseManifestList")
	s.BaseManifestListSize = d.number("baseManifestListSize")
	s.DeltaManifestList = d.needFile("deltaManifestList")
	s.DeltaManifestListSize = d.number("deltaManifestListSize")
	s.ChangelogManifestList = d.fileName("changelogManifestList")
	s.ChangelogManifestListSize = d.number("changelogManifestListSize")
	s.IndexManifest = d.fileName("indexManifest")
	s.CommitUser = d.text("commitUser")
	s.WriterVersion = d.text("writerVersion")
	s.CommitIdentifier = d.needNumber("commitIdentifier")
	s.CommitKind = Kind(d.text("commitKind"))
	s.TimeMillis = d.needNumber("timeMillis")
	s.TotalRecordCount = d.number("totalRecordCount")
	s.DeltaRecordCount = d.number("deltaRecordCount")
	s.ChangelogRecordCount = d.number("changelogRecordCount")
	s.Watermark = d.number("watermark")
	s.Statistics = d.fileName("statistics")
	d.get("properties", &s.Properties)
	s.NextRowID = d.number("nextRowId")
	s.Operation = d.text("operation")
	if d.err != nil {
		return nil, d.err
	}
	return s, s.check(file)
}

func (s *Snapshot) check(file string) error {
	if s.Version > CurrentVersion {
		return fault.Unsupported(fmt.Sprintf("%s: snapshot version %d", file, s.Version), "use a newer release of this program")
	}
	if s.Version < 1 || s.ID < 1 || s.SchemaID < 0 {
		return fault.Corrupt(file, fmt.Sprintf("version %d, id %d, schema %d", s.Version, s.ID, s.SchemaID), nil)
	}
	switch s.CommitKind {
	case Append, Compact, Overwrite, Analyze:
		return nil
	case "":
		return fault.Corrupt(file, "no commitKind", nil)
	}
	return fault.Unsupported(fmt.Sprintf("%s: commit kind %q", file, string(s.CommitKind)), "use a newer release of this program")
}

// decoder takes members one by one and keeps the first error.
type decoder struct {
	file    string
	members map[string]json.RawMessage
	err     error
}

// get decodes a member that is there and not null.
func (d *decoder) get(name string, into any) bool {
	raw, ok := d.members[name]
	if !ok || d.err != nil || bytes.Equal(raw, []byte("null")) {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		d.err = fault.Corrupt(d.file, name, err)
		return false
	}
	return true
}

func (d *decoder) text(name string) string {
	var s string
	d.get(name, &s)
	return s
}

func (d *decoder) number(name string) *int64 {
	var n int64
	if !d.get(name, &n) {
		return nil
	}
	return &n
}

func (d *decoder) needNumber(name string) int64 {
	n := d.number(name)
	if n == nil {
		d.missing(name)
		return 0
	}
	return *n
}

// fileName is a member that names a file in a directory known from elsewhere;
// a name that leads out of that directory is refused.
func (d *decoder) fileName(name string) string {
	s := d.text(name)
	if d.err == nil && (strings.ContainsAny(s, "/\\") || s == "." || s == "..") {
		d.err = fault.Corrupt(d.file, fmt.Sprintf("%s %q is not the name of a file", name, s), nil)
	}
	return s
}

func (d *decoder) needFile(name string) string {
	s := d.fileName(name)
	if s == "" {
		d.missing(name)
	}
	return s
}

func (d *decoder) missing(name string) {
	if d.err == nil {
		d.err = fault.Corrupt(d.file, "no "+name, nil)
	}
}

// Marshal writes the snapshot as Java 1.4 does: two spaces of indentation,
// fields in Java's order, absent fields left out.
func (s *Snapshot) Marshal() []byte {
	var p printer
	p.number("version", int64(s.Version))
	p.text("uuid", s.UUID)
	p.number("id", s.ID)
	p.number("schemaId", s.SchemaID)
	p.text("baseManifestList", s.BaseManifestList)
	p.optional("baseManifestListSize", s.BaseManifestListSize)
	p.text("deltaManifestList", s.DeltaManifestList)
	p.optional("deltaManifestListSize", s.DeltaManifestListSize)
	p.text("changelogManifestList", s.ChangelogManifestList)
	p.optional("changelogManifestListSize", s.ChangelogManifestListSize)
	p.text("indexManifest", s.IndexManifest)
	p.member("commitUser")
	p.out = appendString(p.out, s.CommitUser)
	p.text("writerVersion", s.WriterVersion)
	p.number("commitIdentifier", s.CommitIdentifier)
	p.text("commitKind", string(s.CommitKind))
	p.number("timeMillis", s.TimeMillis)
	p.optional("totalRecordCount", s.TotalRecordCount)
	p.optional("deltaRecordCount", s.DeltaRecordCount)
	p.optional("changelogRecordCount", s.ChangelogRecordCount)
	p.optional("watermark", s.Watermark)
	p.text("statistics", s.Statistics)
	p.object("properties", s.Properties)
	p.optional("nextRowId", s.NextRowID)
	p.text("operation", s.Operation)
	return append(p.out, "\n}"...)
}

type printer struct{ out []byte }

func (p *printer) member(name string) {
	if len(p.out) == 0 {
		p.out = append(p.out, '{')
	} else {
		p.out = append(p.out, ',')
	}
	p.out = append(p.out, "\n  \""...)
	p.out = append(p.out, name...)
	p.out = append(p.out, "\" : "...)
}

func (p *printer) number(name string, n int64) {
	p.member(name)
	p.out = strconv.AppendInt(p.out, n, 10)
}

func (p *printer) optional(name string, n *int64) {
	if n != nil {
		p.number(name, *n)
	}
}

func (p *printer) text(name, s string) {
	if s != "" {
		p.member(name)
		p.out = appendString(p.out, s)
	}
}

func (p *printer) object(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	p.member(name)
	p.out = append(p.out, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		p.out = append(p.out, "\n    "...)
		p.out = appendString(p.out, k)
		p.out = append(p.out, " : "...)
		p.out = appendString(p.out, m[k])
	}
	p.out = append(p.out, "\n  }"...)
}

// appendString quotes as Jackson does: only quotes, backslashes and control
// characters are escaped.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\b':
			dst = append(dst, '\\', 'b')
		case r == '\f':
			dst = append(dst, '\\', 'f')
		case r < 0x20:
			dst = fmt.Appendf(dst, "\\u%04X", r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
