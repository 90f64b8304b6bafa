package binaryrow

import "github.com/tidelake/tidelake/schema"

// arrayHeader is the width of an array's length and null bits.
func arrayHeader(n int) int { return 4 + (n+31)/32*4 }

// elementWidth is the size of one array element (section 5.5).
func elementWidth(k schema.Kind) int {
	switch k {
	case schema.Boolean, schema.TinyInt:
		return 1
	case schema.SmallInt:
		return 2
	case schema.Int, schema.Date, schema.Time, schema.Float:
		return 4
	}
	return 8
}

// DecodeArray gives the elements of a BinaryArray. Bytes and strings are
// copies. Bytes that contradict the layout are fault.ErrCorrupt.
func DecodeArray(elem schema.Type, data []byte) ([]any, error) {
	if len(data) < 4 {
		return nil, corrupt("array of %d bytes has no length", len(data))
	}
	n := int(int32(le.Uint32(data)))
	width := elementWidth(elem.Kind)
	// Each element takes at least its width, so a false length is seen before anything is allocated.
	if n < 0 || n > len(data)/width || arrayHeader(n)+width*n > len(data) {
		return nil, corrupt("array of %d bytes claims %d elements", len(data), n)
	}
	header := arrayHeader(n)
	values := make([]any, n)
	for i := range values {
		if data[4+i/8]&(1<<(i&7)) != 0 {
			continue
		}
		v, err := get(data, header+width*i, elem)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

func decodeMap(t schema.Type, data []byte) ([][2]any, error) {
	if len(data) < 4 {
		return nil, corrupt("map of %d bytes has no key size", len(data))
	}
	size := int(int32(le.Uint32(data)))
	if size < 0 || size > len(data)-4 {
		return nil, corrupt("map of %d bytes claims %d bytes of keys", len(data), size)
	}
	key, elem := mapTypes(t)
	keys, err := DecodeArray(key, data[4:4+size])
	if err != nil {
		return nil, err
	}
	values, err := DecodeArray(elem, data[4+size:])
	if err != nil {
		return nil, err
	}
	if len(keys) != len(values) {
		return nil, corrupt("map of %d keys and %d values", len(keys), len(values))
	}
	pairs := make([][2]any, len(keys))
	for i := range keys {
		pairs[i] = [2]any{keys[i], values[i]}
	}
	return pairs, nil
}
