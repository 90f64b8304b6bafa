package binaryrow

import "math/bits"

// Hash is the hash of a row body that Paimon's default bucket function and
// its hash index use: murmur3 of 32 bits, seed 42, over whole words (section
// 5.7). Bodies have no tail, so bytes after the last whole word do not count.
func Hash(body []byte) int32 {
	h := hashSeed
	n := len(body)
	for ; len(body) >= 8; body = body[8:] {
		k := le.Uint64(body)
		h = hashWord(h, uint32(k))
		h = hashWord(h, uint32(k>>32))
	}
	if len(body) >= 4 {
		h = hashWord(h, le.Uint32(body))
	}
	return hashEnd(h, n)
}

const hashSeed uint32 = 42

func hashWord(h, k uint32) uint32 {
	k = bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593
	return bits.RotateLeft32(h^k, 13)*5 + 0xe6546b64
}

func hashEnd(h uint32, n int) int32 {
	h ^= uint32(n)
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return int32(h ^ h>>16)
}

// afterHeader is the state once the empty header of a short row is hashed.
var afterHeader = hashWord(hashWord(hashSeed, 0), 0)

// HashSlot is the hash of a row of one non-null column whose eight-byte slot
// is given: the value of a BIGINT, or an INT in the low four bytes.
func HashSlot(slot uint64) int32 {
	return hashEnd(hashWord(hashWord(afterHeader, uint32(slot)), uint32(slot>>32)), 16)
}

// HashNull is the hash of a row of one column that is null and reserves no variable part.
var HashNull = Hash([]byte{0, 1, 15: 0})
