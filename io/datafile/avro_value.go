package datafile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/schema"
)

// avroItems bounds the elements of one array or map.
const avroItems = maxEntries

// bindAvro makes the decoder of one value of type t, stored as s, into b.
func bindAvro(path string, t schema.Type, s *avro.Schema, b array.Builder) (avroValue, error) {
	inner := notNull(s)
	read, err := bindAvroValue(path, t, inner, b)
	if err != nil {
		return nil, err
	}
	switch {
	case inner == s:
		return read, nil
	case !t.Nullable:
		return nullableAvro(s.NullBranch(), func(d *avro.Decoder) { d.Fail(errors.New("null where none may be")) }, read), nil
	}
	return nullableAvro(s.NullBranch(), func(*avro.Decoder) { b.AppendNull() }, read), nil
}

func nullableAvro(null int, none, read avroValue) avroValue {
	return func(d *avro.Decoder) {
		switch k := d.Branch(2); {
		case d.Err() != nil:
		case k == null:
			none(d)
		default:
			read(d)
		}
	}
}

func bindAvroValue(path string, t schema.Type, s *avro.Schema, b array.Builder) (avroValue, error) {
	cannot := fmt.Errorf("column %s: %s cannot be read from avro %s", path, t, s.Kind)
	switch t.Kind {
	case schema.Row:
		return bindAvroRow(path, t, s, b.(*array.StructBuilder), cannot)
	case schema.Array:
		if s.Kind != avro.Array {
			return nil, cannot
		}
		l := b.(*array.ListBuilder)
		item, err := bindAvro(path+".element", *t.Elem, s.Items, l.ValueBuilder())
		if err != nil {
			return nil, err
		}
		return avroList(func() { l.Append(true) }, item, s.Items.MinSize()), nil
	case schema.Map, schema.Multiset:
		return bindAvroMap(path, t, s, b.(*array.MapBuilder), cannot)
	}
	read := avroScalar(t, s, b)
	if read == nil {
		return nil, cannot
	}
	return read, nil
}

// avroScalar makes the decoder of a scalar, nil when s does not hold t.
func avroScalar(t schema.Type, s *avro.Schema, b array.Builder) avroValue {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		if s.Kind == avro.Boolean {
			return func(d *avro.Decoder) { b.Append(d.Bool()) }
		}
	case *array.Int8Builder:
		return avroInt(s, func(d *avro.Decoder, v int32) { b.Append(int8(v)); fits(d, v == int32(int8(v))) })
	case *array.Int16Builder:
		return avroInt(s, func(d *avro.Decoder, v int32) { b.Append(int16(v)); fits(d, v == int32(int16(v))) })
	case *array.Int32Builder:
		return avroInt(s, func(_ *avro.Decoder, v int32) { b.Append(v) })
	case *array.Date32Builder:
		return avroInt(s, func(_ *avro.Decoder, v int32) { b.Append(arrow.Date32(v)) })
	case *array.Time32Builder:
		return avroInt(s, func(_ *avro.Decoder, v int32) { b.Append(arrow.Time32(v)) })
	case *array.Int64Builder:
		if s.Kind == avro.Long {
			return func(d *avro.Decoder) { b.Append(d.Long()) }
		}
	case *array.Float32Builder:
		if s.Kind == avro.Float {
			return func(d *avro.Decoder) { b.Append(d.Float()) }
		}
	case *array.Float64Builder:
		if s.Kind == avro.Double {
			return func(d *avro.Decoder) { b.Append(d.Double()) }
		}
	case *array.StringBuilder:
		if s.Kind == avro.String {
			return func(d *avro.Decoder) { b.BinaryBuilder.Append(d.Bytes()) }
		}
	case *array.BinaryBuilder:
		switch s.Kind {
		case avro.Bytes:
			return func(d *avro.Decoder) { b.Append(d.Bytes()) }
		case avro.Fixed:
			return func(d *avro.Decoder) { b.Append(d.Fixed(s.Size)) }
		}
	case *array.TimestampBuilder:
		return avroTimestamp(t, s, b)
	case *array.Decimal128Builder:
		return avroDecimal(t, s, b)
	}
	return nil
}

func fits(d *avro.Decoder, ok bool) {
	if !ok {
		d.Fail(errors.New("an integer is too large for its type"))
	}
}

func avroInt(s *avro.Schema, add func(*avro.Decoder, int32)) avroValue {
	if s.Kind != avro.Int {
		return nil
	}
	return func(d *avro.Decoder) { add(d, d.Int()) }
}

// avroTimestamp reads timestamps in the unit of their logical type, which
// names TIMESTAMP and TIMESTAMP_LTZ the wrong way round; only the unit counts.
func avroTimestamp(t schema.Type, s *avro.Schema, b *array.TimestampBuilder) avroValue {
	if s.Kind != avro.Long {
		return nil
	}
	from, to := int64(milli), arrowUnit(t.Precision)
	switch name := s.Logical(); {
	case strings.HasSuffix(name, "-micros"):
		from = micro
	case strings.HasSuffix(name, "-nanos"):
		from = nano
	case name == "" && t.Precision > 3:
		from = micro
	}
	if from == to {
		return func(d *avro.Decoder) { b.Append(arrow.Timestamp(d.Long())) }
	}
	return func(d *avro.Decoder) {
		v := [1]int64{d.Long()}
		if err := rescale(v[:], from, to); err != nil {
			d.Fail(err)
			return
		}
		b.Append(arrow.Timestamp(v[0]))
	}
}

func avroDecimal(t schema.Type, s *avro.Schema, b *array.Decimal128Builder) avroValue {
	for _, p := range s.Props {
		if p.Name == "scale" && p.Value != fmt.Sprint(t.Scale) {
			return nil
		}
	}
	add := func(d *avro.Decoder, v []byte) {
		if d.Err() != nil {
			return
		}
		n, err := bigDecimal(v)
		if err != nil {
			d.Fail(err)
			n = decimal128.Num{}
		}
		b.Append(n)
	}
	switch s.Kind {
	case avro.Bytes:
		return func(d *avro.Decoder) { add(d, d.Bytes()) }
	case avro.Fixed:
		return func(d *avro.Decoder) { add(d, d.Fixed(s.Size)) }
	}
	return nil
}

// bindAvroRow reads a record member by member, in the order of the file.
func bindAvroRow(path string, t schema.Type, s *avro.Schema, b *array.StructBuilder, cannot error) (avroValue, error) {
	if s.Kind != avro.Record {
		return nil, cannot
	}
	if len(t.Fields) == 0 {
		return nil, fmt.Errorf("column %s is wanted without any member", path)
	}
	for _, f := range t.Fields {
		if _, ok := s.Field(f.Name); !ok {
			return nil, fmt.Errorf("the file has no %s.%s, which the schema says column %s has", path, f.Name, path)
		}
	}
	members := make([]avroField, len(s.Fields))
	for i, sf := range s.Fields {
		members[i] = avroField{typ: sf.Type}
		for j, f := range t.Fields {
			if f.Name == sf.Name {
				var err error
				if members[i].read, err = bindAvro(path+"."+f.Name, f.Type, sf.Type, b.FieldBuilder(j)); err != nil {
					return nil, err
				}
			}
		}
	}
	return func(d *avro.Decoder) {
		b.Append(true)
		for i := range members {
			if m := &members[i]; m.read != nil {
				m.read(d)
			} else {
				d.Skip(m.typ)
			}
			if d.Err() != nil {
				return
			}
		}
	}, nil
}

// avroList reads the items of an array or map, which come in counted blocks.
func avroList(begin func(), item avroValue, least int) avroValue {
	return func(d *avro.Decoder) {
		begin()
		for total := 0; d.Err() == nil; {
			n := d.Count(least)
			if n == 0 {
				return
			}
			if total += n; total > avroItems {
				d.Fail(fmt.Errorf("more than %d items", avroItems))
				return
			}
			for ; n > 0 && d.Err() == nil; n-- {
				item(d)
			}
		}
	}
}

// bindAvroMap reads a map, which has text keys, or an array of records of key
// and value, which is what maps with other keys are stored as.
func bindAvroMap(path string, t schema.Type, s *avro.Schema, b *array.MapBuilder, cannot error) (avroValue, error) {
	kt, vt := *t.Elem, schema.Type{Kind: schema.Int}
	if t.Kind == schema.Map {
		kt, vt = *t.Key, *t.Elem
	}
	kt.Nullable = false // Arrow's maps have no null keys
	ks, vs := &avro.Schema{Kind: avro.String}, s.Items
	pair := s.Items
	switch {
	case s.Kind == avro.Map && (kt.Kind == schema.VarChar || kt.Kind == schema.Char):
	case s.Kind == avro.Array && pair.Kind == avro.Record && len(pair.Fields) == 2:
		ks, vs = pair.Fields[0].Type, pair.Fields[1].Type
	default:
		return nil, cannot
	}
	key, err := bindAvro(path+".key", kt, ks, b.KeyBuilder())
	if err != nil {
		return nil, err
	}
	val, err := bindAvro(path+".value", vt, vs, b.ItemBuilder())
	if err != nil {
		return nil, err
	}
	least := ks.MinSize() + vs.MinSize()
	return avroList(func() { b.Append(true) }, func(d *avro.Decoder) {
		key(d)
		if d.Err() == nil {
			val(d)
		}
	}, least), nil
}
