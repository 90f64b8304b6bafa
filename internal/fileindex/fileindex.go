// Package fileindex reads the file indexes that Paimon writes beside a data
// file, or into its manifest entry: small summaries of columns that tell what
// a file does not hold.
//
//	magic | version | length of the head
//	head: column ─► type of index ─► where its body lies
//	bodies
//
// Bloom filters are understood; indexes of other types are stepped over.
//
// Values are immutable and may be shared by goroutines; they borrow the bytes
// they were parsed from. Errors say what is wrong with the bytes; callers add
// where these came from.
package fileindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

const (
	magic   = 1493475289347502
	version = 1
	preface = 16 // bytes before the head: magic, version, length
	absent  = -1 // start of an index without a body
)

// Index is the container of all indexes of one data file.
type Index struct {
	data   []byte
	blooms map[string][]byte // by column, in Java's modified UTF-8
}

// Parse reads the head, and checks that every body lies in data.
func Parse(data []byte) (*Index, error) {
	if len(data) < preface {
		return nil, fmt.Errorf("a file index of %d bytes is too short", len(data))
	}
	if m := binary.BigEndian.Uint64(data); m != magic {
		return nil, fmt.Errorf("a file index begins with %#x, not with its magic number", m)
	}
	if v := binary.BigEndian.Uint32(data[8:]); v != version {
		return nil, fmt.Errorf("a file index has version %d, which is not known", v)
	}
	n := int64(int32(binary.BigEndian.Uint32(data[12:])))
	if n < preface || n > int64(len(data)) {
		return nil, fmt.Errorf("the head of a file index is said to take %d of %d bytes", n, len(data))
	}
	x := &Index{data: data, blooms: make(map[string][]byte)}
	h := &head{b: data[preface:n]}
	for range h.count() {
		column := h.text()
		for range h.count() {
			kind, start, length := h.text(), h.int32(), h.int32()
			if h.short {
				break
			}
			if start == absent {
				continue
			}
			if int64(start) < n || length < 0 || int64(start)+int64(length) > int64(len(data)) {
				return nil, fmt.Errorf("index %q of column %q: %d bytes at %d lie outside the bodies", kind, column, length, start)
			}
			if kind == "bloom-filter" {
				x.blooms[column] = data[start : start+length : start+length]
			}
		}
	}
	if h.short {
		return nil, errors.New("the head of a file index ends within a value")
	}
	return x, nil
}

// Bloom is the Bloom filter of a column, nil when there is none.
func (x *Index) Bloom(column string) (*Bloom, error) {
	body, ok := x.blooms[modified(column)]
	if !ok {
		return nil, nil
	}
	b, err := parseBloom(body)
	if err != nil {
		return nil, fmt.Errorf("Bloom filter of column %q: %w", column, err)
	}
	return b, nil
}

// head reads big-endian values. What is missing reads as zero.
type head struct {
	b     []byte
	short bool
}

func (h *head) take(n int) []byte {
	if n > len(h.b) {
		h.b, h.short = nil, true
		return make([]byte, min(n, 4))
	}
	p := h.b[:n]
	h.b = h.b[n:]
	return p
}

func (h *head) int32() int32 { return int32(binary.BigEndian.Uint32(h.take(4))) }

// count is a number of things that take six bytes each at least.
func (h *head) count() int {
	n := int(h.int32())
	if n < 0 || n > len(h.b)/6 {
		h.short = true
		return 0
	}
	return n
}

func (h *head) text() string { return string(h.take(int(binary.BigEndian.Uint16(h.take(2))))) }

// modified is a text in Java's modified UTF-8: what needs two units in UTF-16
// is written as both, three bytes each, and zero takes two bytes.
func modified(s string) string {
	var out []byte
	for _, r := range s {
		switch {
		case r == 0:
			out = append(out, 0xc0, 0x80)
		case r > 0xffff:
			a, b := utf16.EncodeRune(r)
			for _, u := range [2]rune{a, b} {
				out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0xbf, 0x80|byte(u)&0xbf)
			}
		default:
			out = append(out, string(r)...)
		}
	}
	return string(out)
}
