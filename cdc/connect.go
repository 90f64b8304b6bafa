package cdc

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// connectSchema is a Kafka Connect schema in JSON. A logical type is a
// primitive with a name.
type connectSchema struct {
	Type       string            `json:"type"`
	Name       string            `json:"name"`
	Field      string            `json:"field"`
	Parameters map[string]string `json:"parameters"`
	Fields     []connectSchema   `json:"fields"`
	Items      *connectSchema    `json:"items"`
	Keys       *connectSchema    `json:"keys"`
	Values     *connectSchema    `json:"values"`
}

func parseConnectSchema(raw []byte) (*connectSchema, error) {
	s := new(connectSchema)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fault.Invalid("schema: " + err.Error())
	}
	if s.Type != "struct" {
		return nil, fault.Invalid(fmt.Sprintf("schema is of type %q, not a struct", s.Type))
	}
	return s, nil
}

// member finds a field of a struct.
func (s *connectSchema) member(name string) *connectSchema {
	for i := range s.Fields {
		if s.Fields[i].Field == name {
			return &s.Fields[i]
		}
	}
	return nil
}

// record turns the fields of a struct into columns.
func (s *connectSchema) record() (*record, error) {
	r := new(record)
	for i := range s.Fields {
		f := &s.Fields[i]
		src, err := f.source()
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Field, err)
		}
		r.add(f.Field, src)
	}
	return r, nil
}

// maxBits is the longest bit string whose leading zeros are put back.
const maxBits = 512

const (
	debeziumTime = "io.debezium.time."
	debeziumData = "io.debezium.data."
	connectData  = "org.apache.kafka.connect.data."
)

// logical are the named types whose form depends on nothing but the name.
var logical = map[string]source{
	connectData + "Date":                  {form: formDays, typ: scalar(schema.Date)},
	connectData + "Time":                  {form: formClock, digits: 3, typ: timed(schema.Time, 3)},
	connectData + "Timestamp":             {form: formStamp, digits: 3, typ: timed(schema.Timestamp, 3)},
	debeziumTime + "Date":                 {form: formDays, typ: scalar(schema.Date)},
	debeziumTime + "Time":                 {form: formClock, digits: 3, typ: timed(schema.Time, 3)},
	debeziumTime + "MicroTime":            {form: formClock, digits: 6, typ: timed(schema.Time, 6)},
	debeziumTime + "NanoTime":             {form: formClock, digits: 9, typ: timed(schema.Time, 9)},
	debeziumTime + "Timestamp":            {form: formStamp, digits: 3, typ: timed(schema.Timestamp, 3)},
	debeziumTime + "MicroTimestamp":       {form: formStamp, digits: 6, typ: timed(schema.Timestamp, 6)},
	debeziumTime + "NanoTimestamp":        {form: formStamp, digits: 9, typ: timed(schema.Timestamp, 9)},
	debeziumTime + "ZonedTimestamp":       {form: formInstant, typ: timed(schema.TimestampLTZ, 6)},
	debeziumData + "Bits":                 {form: formBits, typ: bytesType()},
	debeziumData + "geometry.Point":       {form: formGeometry, typ: bytesType()},
	debeziumData + "geometry.Geometry":    {form: formGeometry, typ: bytesType()},
	debeziumData + "geometry.Geography":   {form: formGeometry, typ: bytesType()},
	debeziumData + "VariableScaleDecimal": {form: formVarScale, typ: stringType()},
}

// primitive are the unnamed types. Names that are not in logical (Json, Xml,
// Uuid, Enum, EnumSet, Year, ZonedTime, Interval, …) are their primitive.
var primitive = map[string]source{
	"int8":    {form: formInt, typ: scalar(schema.TinyInt)},
	"int16":   {form: formInt, typ: scalar(schema.SmallInt)},
	"int32":   {form: formInt, typ: scalar(schema.Int)},
	"int64":   {form: formInt, typ: scalar(schema.BigInt)},
	"float":   {form: formFloat, typ: scalar(schema.Float)},
	"float32": {form: formFloat, typ: scalar(schema.Float)},
	"double":  {form: formFloat, typ: scalar(schema.Double)},
	"float64": {form: formFloat, typ: scalar(schema.Double)},
	"boolean": {form: formBool, typ: scalar(schema.Boolean)},
	"string":  {form: formString, typ: stringType()},
	"bytes":   {form: formBytes, typ: bytesType()},
}

// source is the column that a field's schema declares.
func (s *connectSchema) source() (*source, error) {
	name := s.Type
	if s.Name != "" {
		name = s.Name
	}
	if s.Name == connectData+"Decimal" {
		return s.decimal()
	}
	if l, ok := logical[s.Name]; ok {
		l.name = name
		if l.form == formBits {
			if n, err := strconv.Atoi(s.Parameters["length"]); err == nil && n > 0 && n <= maxBits {
				l.width = (n + 7) / 8
			}
		}
		return &l, nil
	}
	if p, ok := primitive[s.Type]; ok {
		p.name = name
		return &p, nil
	}
	switch s.Type {
	case "array":
		if s.Items == nil {
			return nil, fault.Invalid("an array without a type of elements")
		}
		elem, err := s.Items.source()
		if err != nil {
			return nil, err
		}
		return &source{form: formArray, name: name, elem: elem,
			typ: schema.Type{Kind: schema.Array, Nullable: true, Elem: &elem.typ}}, nil
	case "map":
		return s.mapSource(name)
	case "struct":
		return s.structSource(name)
	}
	return nil, fault.Unsupported(fmt.Sprintf("values of the Connect type %q", name), "leave the column out in the connector (column.exclude.list)")
}

func (s *connectSchema) decimal() (*source, error) {
	scale, err := strconv.Atoi(s.Parameters["scale"])
	if err != nil || scale < -maxScale || scale > maxScale {
		return nil, fault.Invalid(fmt.Sprintf("a decimal of scale %q", s.Parameters["scale"]))
	}
	precision := schema.MaxDecimalPrecision
	if text, ok := s.Parameters["connect.decimal.precision"]; ok {
		if precision, err = strconv.Atoi(text); err != nil {
			return nil, fault.Invalid(fmt.Sprintf("a decimal of precision %q", text))
		}
	}
	return &source{form: formDecimal, name: s.Name, scale: scale, typ: decimalType(precision, scale)}, nil
}

func (s *connectSchema) mapSource(name string) (*source, error) {
	if s.Keys == nil || s.Values == nil {
		return nil, fault.Invalid("a map without types of keys and values")
	}
	key, err := s.Keys.source()
	if err != nil {
		return nil, err
	}
	elem, err := s.Values.source()
	if err != nil {
		return nil, err
	}
	keyType := key.typ
	keyType.Nullable = false
	return &source{form: formMap, name: name, key: key, elem: elem,
		typ: schema.Type{Kind: schema.Map, Nullable: true, Key: &keyType, Elem: &elem.typ}}, nil
}

func (s *connectSchema) structSource(name string) (*source, error) {
	r, err := s.record()
	if err != nil {
		return nil, err
	}
	t := schema.Type{Kind: schema.Row, Nullable: true}
	for i, n := range r.names {
		t.Fields = append(t.Fields, schema.Field{ID: schema.NoID, Name: n, Type: r.sources[i].typ})
	}
	return &source{form: formStruct, name: name, fields: r, typ: t}, nil
}
