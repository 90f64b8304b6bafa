package table

import "math"

// keyBloom is a Bloom filter of the keys of a file, in blocks of 512 bits so
// that asking touches one line of memory.
type keyBloom struct {
	words  []uint64
	probes int
}

// newKeyBloom takes keys keys, of which a share of about fpp is wrongly said
// to be there. Blocks fill unevenly, which a fifth more of bits makes up for.
func newKeyBloom(keys int64, fpp float64) *keyBloom {
	perKey := -math.Log(fpp) / (math.Ln2 * math.Ln2)
	blocks := int64(1.2*perKey*float64(keys))/512 + 1
	return &keyBloom{words: make([]uint64, 8*blocks), probes: max(1, int(math.Round(perKey*math.Ln2)))}
}

func (b *keyBloom) block(h uint64) []uint64 {
	at := (h >> 32) * uint64(len(b.words)/8) >> 32
	return b.words[8*at : 8*at+8]
}

func (b *keyBloom) add(h uint64) {
	block, bits := b.block(h), h
	for range b.probes {
		bits *= 0x9e3779b97f4a7c15
		bit := bits >> 55
		block[bit>>6] |= 1 << (bit & 63)
	}
}

func (b *keyBloom) has(h uint64) bool {
	block, bits := b.block(h), h
	for range b.probes {
		bits *= 0x9e3779b97f4a7c15
		bit := bits >> 55
		if block[bit>>6]&(1<<(bit&63)) == 0 {
			return false
		}
	}
	return true
}
