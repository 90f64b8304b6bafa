package datafile

import (
	"bytes"
	"encoding/binary"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/tidelake/tidelake/schema"
)

// bytesSource gives the values of an array as byte strings: views into its
// buffers, or, where width is set, values made one after the other.
type bytesSource struct {
	offsets []int32
	data    []byte
	width   int
	at      func(i int) (v []byte, ok bool) // valid until the next call
}

func stringSource(a arrow.Array) bytesSource {
	d := a.Data()
	var s bytesSource
	if b := d.Buffers()[1]; b != nil && b.Len() > 0 {
		s.offsets = arrow.Int32Traits.CastFromBytes(b.Bytes())[d.Offset() : d.Offset()+d.Len()+1]
	} else {
		s.offsets = make([]int32, d.Len()+1)
	}
	if b := d.Buffers()[2]; b != nil {
		s.data = b.Bytes()
	}
	return s
}

// bytesValues encodes strings, binaries, wide decimals and INT96 timestamps.
type bytesValues struct {
	source  func(arrow.Array) bytesSource
	src     bytesSource
	ordered bool // has an order Parquet knows: keep a span
	decimal bool // ordered as big-endian two's complement instead

	page     []byte  // the page's values one after the other, unless numbered
	lengths  []int32 // and how long each is, unless all are of one width
	unpacked int     // unencoded bytes of the page while numbered
	trial    dictTrial
	dict     bytesDict
	ids      []uint32
	marks    []uint32
	at       uint32

	pageSpan, chunkSpan, fileSpan bytesSpan
	pageDec, chunkDec, fileDec    decimalSpan
}

func (v *bytesValues) bind(a arrow.Array) { v.src = v.source(a) }

func (v *bytesValues) raw() int { return len(v.page) + 4*len(v.lengths) + v.unpacked }

func (v *bytesValues) fit(lo, hi, room int) int {
	if v.src.width > 0 {
		return min(hi-lo, room/v.src.width)
	}
	off := v.src.offsets
	size := func(n int) int { return int(off[lo+n]-off[lo]) + 4*n }
	if size(hi-lo) <= room {
		return hi - lo
	}
	return sort.Search(hi-lo, func(n int) bool { return size(n+1) > room })
}

func (v *bytesValues) put(lo, hi int) error {
	for lo < hi && v.trial.open() {
		n := min(hi-lo, max(1, dictSample-len(v.ids)))
		if err := v.numberRange(lo, lo+n); err != nil {
			return err
		}
		lo += n
		v.judge()
	}
	switch {
	case lo == hi:
		return nil
	case v.trial.on():
		return v.numberRange(lo, hi)
	case v.src.width > 0:
		for i := lo; i < hi; i++ {
			b, ok := v.src.at(i)
			if !ok {
				return misfit(i)
			}
			v.page = append(v.page, b...)
			v.widen(b)
		}
		return nil
	}
	v.putStrings(lo, hi)
	return nil
}

// putStrings is the hot loop of text columns: one copy of the bytes, and a
// look at each value for its length and the bounds.
func (v *bytesValues) putStrings(lo, hi int) {
	off, data := v.src.offsets[lo:hi+1], v.src.data
	v.page = append(v.page, data[off[0]:off[len(off)-1]]...)
	v.lengths = growLengths(v.lengths, hi-lo)
	track := newTracker(&v.pageSpan)
	start := off[0]
	for _, end := range off[1:] {
		v.lengths = append(v.lengths, end-start)
		track.add(data[start:end])
		start = end
	}
	track.done()
}

func growLengths(s []int32, n int) []int32 {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]int32, 0, max(2*cap(s), len(s)+n)), s...)
}

func (v *bytesValues) putRows(rows []int32) error {
	for len(rows) > 0 && v.trial.open() {
		n := min(len(rows), max(1, dictSample-len(v.ids)))
		if err := v.numberRows(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
		v.judge()
	}
	if v.trial.on() {
		return v.numberRows(rows)
	}
	if v.src.width > 0 {
		for _, r := range rows {
			b, ok := v.src.at(int(r))
			if !ok {
				return misfit(int(r))
			}
			v.page = append(v.page, b...)
			v.widen(b)
		}
		return nil
	}
	track := newTracker(&v.pageSpan)
	for _, r := range rows {
		s := v.src.data[v.src.offsets[r]:v.src.offsets[r+1]]
		v.lengths = append(v.lengths, int32(len(s)))
		v.page = append(v.page, s...)
		track.add(s)
	}
	track.done()
	return nil
}

func (v *bytesValues) get(i int) ([]byte, bool) {
	if v.src.width > 0 {
		return v.src.at(i)
	}
	return v.src.data[v.src.offsets[i]:v.src.offsets[i+1]], true
}

func (v *bytesValues) numberRange(lo, hi int) error {
	for i := lo; i < hi; i++ {
		if err := v.numberRow(i); err != nil {
			return err
		}
	}
	return nil
}

func (v *bytesValues) numberRows(rows []int32) error {
	for _, r := range rows {
		if err := v.numberRow(int(r)); err != nil {
			return err
		}
	}
	return nil
}

func (v *bytesValues) numberRow(i int) error {
	b, ok := v.get(i)
	if !ok {
		return misfit(i)
	}
	id := v.dict.number(b)
	v.ids = append(v.ids, id)
	v.unpacked += len(b)
	if v.src.width == 0 {
		v.unpacked += 4
	}
	if int(id) >= len(v.marks) {
		v.marks = append(v.marks, 0)
	}
	if v.marks[id] != v.at+1 {
		v.marks[id] = v.at + 1
		v.widen(b)
	}
	return nil
}

// widen takes b into the page's range.
func (v *bytesValues) widen(b []byte) {
	switch {
	case v.decimal:
		v.pageDec.add(decimalOf(b))
	case v.ordered:
		v.pageSpan.add(b)
	}
}

func decimalOf(b []byte) decimal128.Num {
	fill := byte(0)
	if b[0]&0x80 != 0 {
		fill = 0xff
	}
	var w [16]byte
	for i := range w {
		w[i] = fill
	}
	copy(w[16-len(b):], b)
	return decimal128.New(int64(binary.BigEndian.Uint64(w[:])), binary.BigEndian.Uint64(w[8:]))
}

func (v *bytesValues) judge() {
	n := len(v.ids)
	if n >= dictSample && !v.trial.judge(n, len(v.dict.ends), v.unpacked/n) {
		v.toPlain()
	}
}

func (v *bytesValues) toPlain() {
	for _, id := range v.ids {
		b := v.dict.value(id)
		if v.dict.width == 0 {
			v.lengths = append(v.lengths, int32(len(b)))
		}
		v.page = append(v.page, b...)
	}
	v.ids, v.unpacked = v.ids[:0], 0
	v.dict.reset()
}

func (v *bytesValues) settle() {
	if v.trial.on() && len(v.ids) > 0 &&
		!v.trial.keep(len(v.ids), len(v.dict.ends), v.dict.bytes(), v.unpacked) {
		v.toPlain()
	}
}

func (v *bytesValues) encode(dst []byte) ([]byte, parquet.Encoding) {
	v.settle()
	if len(v.ids) > 0 {
		return appendIDs(dst, v.ids, len(v.dict.ends)), parquet.Encodings.PlainDict
	}
	if v.src.width > 0 || len(v.lengths) == 0 {
		return append(dst, v.page...), parquet.Encodings.Plain
	}
	at := len(dst)
	dst = grow(dst, len(v.page)+4*len(v.lengths))
	dst = dst[:at+len(v.page)+4*len(v.lengths)]
	rest := v.page
	for _, n := range v.lengths {
		binary.LittleEndian.PutUint32(dst[at:], uint32(n))
		at += 4 + copy(dst[at+4:], rest[:n])
		rest = rest[n:]
	}
	return dst, parquet.Encodings.Plain
}

func (v *bytesValues) stride() int {
	if len(v.lengths) == 0 {
		return 0
	}
	for _, n := range v.lengths {
		if n != v.lengths[0] {
			return 0
		}
	}
	return lengthBytes + int(v.lengths[0])
}

func (v *bytesValues) endPage() metadata.EncodedStatistics {
	if len(v.ids) > 0 {
		v.trial.ended(v.dict.bytes())
	}
	v.ids, v.unpacked, v.page, v.lengths = v.ids[:0], 0, v.page[:0], v.lengths[:0]
	v.at++
	var e metadata.EncodedStatistics
	switch {
	case v.decimal:
		e = v.pageDec.encode(v.dict.width)
		v.chunkDec.merge(&v.pageDec)
		v.pageDec.has = false
	case v.ordered:
		e = v.pageSpan.encodePage()
		v.chunkSpan.merge(&v.pageSpan)
		v.pageSpan.has = false
	}
	return e
}

func (v *bytesValues) endChunk(dst []byte) ([]byte, int, metadata.EncodedStatistics) {
	var e metadata.EncodedStatistics
	switch {
	case v.decimal:
		e = v.chunkDec.encode(v.dict.width)
		v.fileDec.merge(&v.chunkDec)
		v.chunkDec.has = false
	case v.ordered:
		e = v.chunkSpan.encodeChunk()
		v.fileSpan.merge(&v.chunkSpan)
		v.chunkSpan.has = false
	}
	n := len(v.dict.ends)
	dst = append(dst, v.dict.arena...)
	v.dict.reset()
	v.trial.restart()
	clear(v.marks)
	v.at = 0
	return dst, n, e
}

func (v *bytesValues) bounds(t schema.Type) (lo, hi any) {
	switch {
	case v.decimal && v.fileDec.has:
		return v.fileDec.min, v.fileDec.max
	case (t.Kind == schema.Char || t.Kind == schema.VarChar) && v.fileSpan.has:
		return string(v.fileSpan.min), string(v.fileSpan.max)
	}
	return nil, nil // the manifest has no bounds of binaries and INT96
}

// tracker follows least and greatest over one stretch of values by views, and
// decides most comparisons on the first eight bytes.
type tracker struct {
	span     *bytesSpan
	min, max []byte
	lo, hi   uint64
	has      bool
}

func newTracker(s *bytesSpan) tracker {
	t := tracker{span: s, min: s.min, max: s.max, has: s.has}
	if t.has {
		t.lo, t.hi = prefix(t.min), prefix(t.max)
	}
	return t
}

func prefix(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var p uint64
	for i, c := range b {
		p |= uint64(c) << (56 - 8*i)
	}
	return p
}

func (t *tracker) add(s []byte) {
	p := prefix(s)
	if p > t.lo && p < t.hi {
		return
	}
	t.slow(s, p)
}

func (t *tracker) slow(s []byte, p uint64) {
	if !t.has {
		t.has, t.min, t.max, t.lo, t.hi = true, s, s, p, p
		return
	}
	if p < t.lo || p == t.lo && bytes.Compare(s, t.min) < 0 {
		t.min, t.lo = s, p
	}
	if p > t.hi || p == t.hi && bytes.Compare(s, t.max) > 0 {
		t.max, t.hi = s, p
	}
}

// done hands the bounds over to the span, which copies them.
func (t *tracker) done() {
	if t.has {
		t.span.add(t.min)
		t.span.add(t.max)
	}
}
