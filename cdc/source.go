package cdc

import "github.com/tidelake/tidelake/schema"

// form says how a source wrote the values of a column.
type form uint8

const (
	formJSON     form = iota // no type given: the JSON and the table's type have to do
	formText                 // Canal: every value is text; the table's type says what it means
	formBool                 // true, false
	formInt                  // whole number
	formFloat                // number, or the words NaN, Infinity, -Infinity
	formString               // text
	formBytes                // base64
	formDecimal              // base64 of the unscaled number, big endian; scale in the type
	formVarScale             // {"scale", "value"}, value as in formDecimal
	formDays                 // days since 1970
	formClock                // time of day in units of 10^-digits seconds
	formStamp                // date and time in units of 10^-digits seconds since 1970, no zone
	formInstant              // ISO 8601 text with an offset
	formBits                 // base64, lowest byte first
	formGeometry             // {"wkb", "srid", …}
	formArray                // elements of form elem
	formMap                  // object, or pairs, of values of form elem
	formStruct               // object of fields
	formLatin1               // Canal: bytes as ISO-8859-1 text; width pads with zeros
	formPoint                // Canal: formLatin1 of a geometry, behind four bytes that tell its system
	formEnum                 // Canal: ordinal of one of labels
	formSet                  // Canal: bit mask of labels
	formBitText              // Canal: bit string as a decimal number; width in bytes
)

// source is a column as its source declares it.
type source struct {
	form   form
	typ    schema.Type // the column type that holds its values
	name   string      // the declared type, for errors
	scale  int         // formDecimal
	digits int         // formClock, formStamp: 3, 6 or 9
	width  int         // bytes
	labels []string
	elem   *source
	key    *source // formMap
	fields *record // formStruct
}

var (
	untypedJSON = &source{form: formJSON}
	untypedText = &source{form: formText, name: "text"}
)

// typed reports whether the source declared a type.
func (s *source) typed() bool { return s != nil && s.typ.Kind != 0 }

// record is the columns of a row, or the fields of a struct.
type record struct {
	names   []string
	sources []*source
	index   map[string]int
}

func (r *record) add(name string, s *source) {
	if r.index == nil {
		r.index = make(map[string]int)
	}
	if i, twice := r.index[name]; twice {
		r.sources[i] = s
		return
	}
	r.index[name] = len(r.names)
	r.names = append(r.names, name)
	r.sources = append(r.sources, s)
}

// find looks a column up; next is where it most likely is, as rows repeat the order of their schema.
func (r *record) find(name string, next int) *source {
	if next < len(r.names) && r.names[next] == name {
		return r.sources[next]
	}
	if i, ok := r.index[name]; ok {
		return r.sources[i]
	}
	return nil
}

// cache keeps what was made of the schemas that lines repeat, by their text.
type cache[T any] map[string]T

// maxSchemas bounds a cache; schemas change seldom, so starting anew costs little.
const maxSchemas = 256

func (c *cache[T]) get(text []byte, build func() (T, error)) (T, error) {
	if v, ok := (*c)[string(text)]; ok {
		return v, nil
	}
	v, err := build()
	if err != nil {
		return v, err
	}
	if *c == nil || len(*c) >= maxSchemas {
		*c = make(cache[T])
	}
	(*c)[string(text)] = v
	return v, nil
}

// Types that sources map to; all nullable, keys lose that later.
func scalar(k schema.Kind) schema.Type { return schema.Type{Kind: k, Nullable: true} }

func stringType() schema.Type {
	return schema.Type{Kind: schema.VarChar, Nullable: true, Length: schema.MaxLength}
}

func bytesType() schema.Type {
	return schema.Type{Kind: schema.VarBinary, Nullable: true, Length: schema.MaxLength}
}

func timed(k schema.Kind, precision int) schema.Type {
	return schema.Type{Kind: k, Nullable: true, Precision: precision}
}

// decimalType is DECIMAL(precision, scale), or STRING for what no DECIMAL can hold.
func decimalType(precision, scale int) schema.Type {
	if precision < 1 || precision > schema.MaxDecimalPrecision || scale < 0 || scale > precision {
		return stringType()
	}
	return schema.Type{Kind: schema.Decimal, Nullable: true, Precision: precision, Scale: scale}
}
