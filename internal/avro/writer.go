package avro

import (
	"fmt"
	"io"

	"github.com/tidelake/tidelake/internal/fault"
)

// blockBytes is the size at which a block is closed, as Java's writer does.
const blockBytes = 64000

// WriterOptions shape a new file.
type WriterOptions struct {
	Schema string   // JSON
	Codec  string   // CodecNull, CodecDeflate, CodecSnappy or CodecZstd
	Level  int      // of zstandard, 1..22; 0 = 1
	Sync   [16]byte // marker between blocks, should be random
}

// Writer writes an object container file. The caller appends the encoding of
// a record to Block and calls End:
//
//	w.Block = avro.AppendLong(w.Block, 7)
//	err := w.End()
//
// It is not safe for concurrent use.
type Writer struct {
	Block []byte // records of the open block

	out   io.Writer
	opts  WriterOptions
	count int64
	bytes int64
	buf   []byte // head of a block, content, marker
	data  []byte // compressed content
}

// NewWriter writes the header. Closing out is the caller's business.
func NewWriter(out io.Writer, opts WriterOptions) (*Writer, error) {
	switch opts.Codec {
	case CodecNull, CodecDeflate, CodecSnappy, CodecZstd:
	default:
		return nil, fault.Unsupported(fmt.Sprintf("writing avro with codec %q", opts.Codec), "use zstandard, snappy, deflate or null")
	}
	if opts.Level == 0 {
		opts.Level = 1
	}
	w := &Writer{out: out, opts: opts}
	h := append([]byte(nil), magic...)
	h = AppendLong(h, 2)
	h = AppendText(AppendText(h, "avro.schema"), opts.Schema)
	h = AppendText(AppendText(h, "avro.codec"), opts.Codec)
	h = append(h, 0)
	return w, w.write(append(h, opts.Sync[:]...))
}

func (w *Writer) write(b []byte) error {
	n, err := w.out.Write(b)
	w.bytes += int64(n)
	return err
}

// End closes the record that was appended to Block, and the block when it is full.
func (w *Writer) End() error {
	w.count++
	if len(w.Block) < blockBytes {
		return nil
	}
	return w.Flush()
}

// Flush writes the open block, if it has records.
func (w *Writer) Flush() (err error) {
	if w.count == 0 {
		return nil
	}
	if w.data, err = compress(w.opts.Codec, w.opts.Level, w.data[:0], w.Block); err != nil {
		return err
	}
	w.buf = AppendBytes(AppendLong(w.buf[:0], w.count), w.data)
	w.buf = append(w.buf, w.opts.Sync[:]...)
	w.Block, w.count = w.Block[:0], 0
	return w.write(w.buf)
}

// Bytes is the number of bytes written out, without the open block.
func (w *Writer) Bytes() int64 { return w.bytes }
