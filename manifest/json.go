package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
)

// MarshalText is "ADD" or "DELETE".
func (k Kind) MarshalText() ([]byte, error) {
	if k != Add && k != Delete {
		return nil, fault.Invalid(fmt.Sprintf("entry kind %d", k))
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (k *Kind) UnmarshalText(text []byte) error {
	switch string(text) {
	case "ADD":
		*k = Add
	case "DELETE":
		*k = Delete
	default:
		return fault.Invalid("entry kind " + strconv.Quote(string(text)))
	}
	return nil
}

// MarshalJSON writes the entry so that UnmarshalJSON gives back an equal one
// in another process: the form of commit messages. Bytes are base64.
func (e Entry) MarshalJSON() ([]byte, error) {
	if err := e.File.checkText(); err != nil {
		return nil, err
	}
	type plain Entry
	return json.Marshal(plain(e))
}

// UnmarshalJSON reads what MarshalJSON writes. Members it does not know are
// errors: a message of a newer release may mean more than this one sees.
func (e *Entry) UnmarshalJSON(data []byte) error {
	type plain Entry
	var p plain
	if err := strict(data, &p); err != nil {
		return err
	}
	*e = Entry(p)
	if e.File.Name == "" {
		return fault.Invalid("entry without a file name")
	}
	return eachEntry(e, func(_ place, have []Unknown) error { return checkUnknown(have) })
}

// MarshalJSON writes the entry so that UnmarshalJSON gives back an equal one.
func (e IndexEntry) MarshalJSON() ([]byte, error) {
	texts := []string{e.Type, e.Name}
	for i := range e.Ranges {
		texts = append(texts, e.Ranges[i].File)
	}
	if e.ExternalPath != nil {
		texts = append(texts, *e.ExternalPath)
	}
	if err := checkText(texts...); err != nil {
		return nil, err
	}
	type plain IndexEntry
	return json.Marshal(plain(e))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *IndexEntry) UnmarshalJSON(data []byte) error {
	type plain IndexEntry
	var p plain
	if err := strict(data, &p); err != nil {
		return err
	}
	*e = IndexEntry(p)
	if e.Name == "" {
		return fault.Invalid("index entry without a file name")
	}
	return eachIndex(e, func(_ place, have []Unknown) error { return checkUnknown(have) })
}

func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &fault.Error{Class: fault.ErrInvalid, Detail: "entry as JSON", Err: err}
	}
	return nil
}

// checkText refuses text that JSON would change.
func checkText(texts ...string) error {
	for _, s := range texts {
		if !utf8.ValidString(s) {
			return fault.Invalid("text that is not UTF-8: " + strconv.Quote(s))
		}
	}
	return nil
}

func (f *DataFile) checkText() error {
	texts := append([]string{f.Name}, f.ExtraFiles...)
	texts = append(append(texts, f.ValueStatsCols...), f.WriteCols...)
	if f.ExternalPath != nil {
		texts = append(texts, *f.ExternalPath)
	}
	return checkText(texts...)
}

// checkUnknown makes sure that values can be written under their schemas.
func checkUnknown(have []Unknown) error {
	for i := range have {
		s, err := avro.ParseSchema([]byte(have[i].Schema))
		if err == nil && s.NullBranch() < 0 {
			err = fmt.Errorf("schema %s is not nullable", have[i].Schema)
		}
		if err == nil {
			d := avro.NewDecoder(have[i].Value)
			if d.Skip(s); d.Err() != nil || d.Left() > 0 {
				err = fmt.Errorf("value does not match schema %s", have[i].Schema)
			}
		}
		if err != nil {
			return &fault.Error{Class: fault.ErrInvalid, Detail: "unknown field " + have[i].Name, Err: err}
		}
	}
	return nil
}
