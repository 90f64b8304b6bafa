package vector

import (
	"bytes"
	"cmp"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
)

// Search returns the first of the keys from up to to of k, which rise, that is
// not less than key j of probe; to when there is none.
func (l *Layout) Search(k *Keys, from, to int, probe *Keys, j int) int {
	if l.form == formWords {
		want, words := probe.words[j], k.words
		for from < to {
			if mid := int(uint(from+to) >> 1); words[mid] < want {
				from = mid + 1
			} else {
				to = mid
			}
		}
		return from
	}
	want := probe.Bytes(j)
	for from < to {
		if mid := int(uint(from+to) >> 1); bytes.Compare(k.Bytes(mid), want) < 0 {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// Hash mixes key i into 64 bits. Keys that Compare as equal have one hash.
func (l *Layout) Hash(k *Keys, i int) uint64 {
	if l.form == formWords {
		return mix(k.words[i] + 0x9e3779b97f4a7c15)
	}
	key := k.Bytes(i)
	h := uint64(len(key)) * 0x9e3779b97f4a7c15
	for ; len(key) > 0; key = key[min(8, len(key)):] {
		h = mix(h ^ Word(key, 0))
	}
	return h
}

// mix is a bijection whose every output bit depends on every input bit.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Prefix stands for all keys that begin with the same values.
type Prefix struct {
	layout *Layout
	whole  bool
	shift  uint // formWords: bits of the columns behind the prefix
	word   uint64
	bytes  []byte
}

// Prefix is the prefix of the values in row 0 of cols, the first columns of the key.
func (l *Layout) Prefix(cols []arrow.Array) (*Prefix, error) {
	if len(cols) == 0 || len(cols) > len(l.types) {
		return nil, fault.Invalid("a key prefix takes the first columns of the key, one at least")
	}
	p := &Prefix{layout: l, whole: len(cols) == len(l.types)}
	row := []int32{0}
	for i, c := range cols {
		one := Layout{types: l.types[i : i+1], bits: l.bits[i : i+1], form: l.form}
		k := Keys{n: 1}
		switch {
		case l.form == formWords:
			word := []uint64{p.word}
			if err := packOrder(word, l.bits[i], c, row); err != nil {
				return nil, err
			}
			p.word = word[0]
			continue
		case l.bits[i] > 0:
			one.width = int(l.bits[i] / 8)
			if err := one.buildFixed(&k, []arrow.Array{c}, row); err != nil {
				return nil, err
			}
			p.bytes = append(p.bytes, k.data...)
			continue
		}
		s := newBytesSource(c)
		cell := s.data[s.offs[0]:s.offs[1]]
		if i == len(l.types)-1 {
			p.bytes = append(p.bytes, cell...)
		} else {
			p.bytes = appendEscaped(p.bytes, cell)
		}
	}
	for _, bits := range l.bits[len(cols):] {
		p.shift += bits
	}
	return p, nil
}

// Compare is negative when key i of k lies before all keys of the prefix, zero
// when it is one of them, positive when it lies behind.
func (p *Prefix) Compare(k *Keys, i int) int {
	if p.layout.form == formWords {
		return cmp.Compare(k.words[i]>>p.shift, p.word)
	}
	key := k.Bytes(i)
	if !p.whole && len(key) > len(p.bytes) {
		key = key[:len(p.bytes)]
	}
	return bytes.Compare(key, p.bytes)
}
