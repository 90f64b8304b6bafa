package datafile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// avroSpace is the name space of the records in Paimon's Avro files.
const avroSpace = "org.apache.paimon.avro.generated"

// AvroHolds says whether an Avro data file can hold these columns: nil, or
// ErrUnsupported naming the first that stands against it. Paimon cannot put
// TIME beyond milliseconds, timestamps beyond microseconds, multisets of other
// than text, and names that are not words, into Avro.
func AvroHolds(fields []schema.Field) error {
	_, err := avroSchemaOf(fields)
	return err
}

// avroSchemaOf is the JSON of the record that Paimon writes for these columns
// (spec section 6.6).
func avroSchemaOf(fields []schema.Field) (string, error) {
	s := avroSchemaText{names: map[string]bool{"record": true}}
	s.WriteString(`{"type":"record","name":"record","namespace":"` + avroSpace + `","fields":`)
	if err := s.members("record", "", fields); err != nil {
		return "", err
	}
	s.WriteString("}")
	return s.String(), nil
}

type avroSchemaText struct {
	strings.Builder
	names map[string]bool // of records, which must differ
}

func (s *avroSchemaText) members(record, path string, fields []schema.Field) error {
	s.WriteString("[")
	for i, f := range fields {
		if i > 0 {
			s.WriteString(",")
		}
		if !avroName(f.Name) {
			return noAvro(path+f.Name, "its name is not one of letters, digits and _")
		}
		s.WriteString(`{"name":` + strconv.Quote(f.Name) + `,"type":`)
		if err := s.value(record+"_"+f.Name, path+f.Name, f.Type); err != nil {
			return err
		}
		if f.Type.Nullable {
			s.WriteString(`,"default":null`)
		}
		s.WriteString("}")
	}
	s.WriteString("]")
	return nil
}

// value writes a type; nullable ones are unions with null.
func (s *avroSchemaText) value(record, path string, t schema.Type) error {
	if !t.Nullable {
		return s.plain(record, path, t)
	}
	s.WriteString(`["null",`)
	if err := s.plain(record, path, t); err != nil {
		return err
	}
	s.WriteString("]")
	return nil
}

func (s *avroSchemaText) plain(record, path string, t schema.Type) error {
	switch t.Kind {
	case schema.Row:
		if err := s.record(record, path); err != nil {
			return err
		}
		if err := s.members(record, path+".", t.Fields); err != nil {
			return err
		}
		s.WriteString("}")
	case schema.Array:
		s.WriteString(`{"type":"array","items":`)
		if err := s.value(record, path+".element", *t.Elem); err != nil {
			return err
		}
		s.WriteString("}")
	case schema.Map, schema.Multiset:
		return s.pairs(record, path, t)
	default:
		text, err := avroScalarText(path, t)
		s.WriteString(text)
		return err
	}
	return nil
}

// record opens a nested record.
func (s *avroSchemaText) record(name, path string) error {
	if s.names[name] {
		return noAvro(path, "its record would have the name of another one")
	}
	s.names[name] = true
	s.WriteString(`{"type":"record","name":` + strconv.Quote(name) + `,"fields":`)
	return nil
}

// pairs writes a map: Avro's own with text keys, an array of pairs with others.
func (s *avroSchemaText) pairs(record, path string, t schema.Type) error {
	key, value := avroPair(t)
	if textual(key) {
		s.WriteString(`{"type":"map","values":`)
		if err := s.value(record, path+".value", value); err != nil {
			return err
		}
		s.WriteString("}")
		return nil
	}
	if t.Kind == schema.Multiset {
		return noAvro(path, "Paimon itself fails on a MULTISET of other than text there")
	}
	s.WriteString(`{"type":"array","items":`)
	if err := s.record(record, path); err != nil {
		return err
	}
	s.WriteString(`[{"name":"key","type":`)
	if err := s.value(record+"_key", path+".key", key); err != nil {
		return err
	}
	s.WriteString(`},{"name":"value","type":`)
	if err := s.value(record+"_value", path+".value", value); err != nil {
		return err
	}
	if value.Nullable {
		s.WriteString(`,"default":null`)
	}
	s.WriteString(`}]},"logicalType":"map"}`)
	return nil
}

// avroPair is the key and the value of a map, as the file declares them.
func avroPair(t schema.Type) (key, value schema.Type) {
	if t.Kind == schema.Multiset {
		return *t.Elem, schema.Type{Kind: schema.Int, Nullable: true}
	}
	return *t.Key, *t.Elem
}

func textual(t schema.Type) bool { return t.Kind == schema.Char || t.Kind == schema.VarChar }

// avroPlain are the types that need no more than a name.
var avroPlain = map[schema.Kind]string{
	schema.Boolean: "boolean", schema.TinyInt: "int", schema.SmallInt: "int", schema.Int: "int", schema.BigInt: "long",
	schema.Float: "float", schema.Double: "double", schema.Char: "string", schema.VarChar: "string", schema.Binary: "bytes", schema.VarBinary: "bytes",
}

func avroScalarText(path string, t schema.Type) (string, error) {
	logical := func(physical, name string) string { return `{"type":"` + physical + `","logicalType":"` + name + `"}` }
	switch {
	case avroPlain[t.Kind] != "":
		return `"` + avroPlain[t.Kind] + `"`, nil
	case t.Kind == schema.Decimal:
		return fmt.Sprintf(`{"type":"bytes","logicalType":"decimal","precision":%d,"scale":%d}`, t.Precision, t.Scale), nil
	case t.Kind == schema.Date:
		return logical("int", "date"), nil
	case t.Kind == schema.Time && t.Precision <= 3:
		return logical("int", "time-millis"), nil
	case (t.Kind == schema.Timestamp || t.Kind == schema.TimestampLTZ) && t.Precision <= 6:
		name := "timestamp-millis"
		if t.Precision > 3 {
			name = "timestamp-micros"
		}
		if t.Kind == schema.TimestampLTZ { // Paimon has the two names the wrong way round
			name = "local-" + name
		}
		return logical("long", name), nil
	}
	return "", noAvro(path, "its type is "+t.String())
}

// avroName is what Avro's Java library takes for a name.
func avroName(name string) bool {
	for i, r := range name {
		if !unicode.IsLetter(r) && r != '_' && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return name != ""
}

func noAvro(path, why string) error {
	return fault.Unsupported("column "+path+" in an avro file: "+why, "set file.format=parquet")
}
