package partition

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// DefaultName stands for null and blank values unless the option
// partition.default-name says otherwise.
const DefaultName = "__DEFAULT_PARTITION__"

// Paths turns partition values into directory names. It is immutable and safe
// for concurrent use.
type Paths struct {
	fields      []schema.Field
	keys        []string // escaped column names
	defaultName string
	legacy      bool
	loc         *time.Location
}

// New describes the partitions of a table: its partition columns in order,
// partition.default-name ("" for DefaultName), partition.legacy-name, and the
// session's time zone for TIMESTAMP_LTZ (nil for UTC).
func New(fields []schema.Field, defaultName string, legacy bool, loc *time.Location) *Paths {
	p := &Paths{fields: fields, defaultName: defaultName, legacy: legacy, loc: loc}
	if p.defaultName == "" {
		p.defaultName = DefaultName
	}
	if p.loc == nil {
		p.loc = time.UTC
	}
	for _, f := range fields {
		p.keys = append(p.keys, Escape(f.Name))
	}
	return p
}

// Dir is the directory of a partition relative to the table's data, without a
// slash at its end; "" for a table without partitions.
func (p *Paths) Dir(values []any) (string, error) {
	texts, err := p.Text(values)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, text := range texts {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(p.keys[i])
		b.WriteByte('=')
		b.WriteString(Escape(text))
	}
	return b.String(), nil
}

// Text gives the values as they appear in directories, before escaping. A
// BINARY column under legacy names is fault.ErrUnsupported: Java writes the
// address of an object there. A value of the wrong Go type is fault.ErrInvalid.
func (p *Paths) Text(values []any) ([]string, error) {
	if len(values) != len(p.fields) {
		return nil, fault.Invalid(fmt.Sprintf("partition of %d values for %d columns", len(values), len(p.fields)))
	}
	texts := make([]string, len(values))
	for i, v := range values {
		text, err := p.text(p.fields[i], v)
		if err != nil {
			return nil, err
		}
		if isBlank(text) {
			text = p.defaultName
		}
		texts[i] = text
	}
	return texts, nil
}

// IsDefault reports whether text is the name of null and blank values.
func (p *Paths) IsDefault(text string) bool { return text == p.defaultName }
