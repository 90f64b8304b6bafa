package binaryrow

import "encoding/binary"

// Serialize puts the big-endian arity before a body: the form in manifests
// (section 5.6).
func Serialize(arity int, body []byte) []byte {
	b := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(b, uint32(arity))
	return append(b, body...)
}

// Deserialize splits what Serialize joined. The body shares b's memory and is
// long enough for the arity; anything else is fault.ErrCorrupt.
func Deserialize(b []byte) (arity int, body []byte, err error) {
	if len(b) < 4 {
		return 0, nil, corrupt("serialized row of %d bytes has no arity", len(b))
	}
	n := int64(int32(binary.BigEndian.Uint32(b)))
	body = b[4:]
	if n < 0 || n > int64(len(body))/slotSize || len(body) < fixedSize(int(n)) {
		return 0, nil, corrupt("serialized row of %d bytes claims %d columns", len(b), n)
	}
	return int(n), body, nil
}
