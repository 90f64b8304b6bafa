package datafile

import (
	"crypto/rand"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// avroWriter writes rows to an Avro file, one block of 64 KiB at a time. The
// format is rows by nature: each row is encoded column by column, by encoders
// that are bound to the columns of a batch.
type avroWriter struct {
	fields []schema.Field
	out    *avro.Writer
	stats  []*avroStats
	rows   int64
}

// avroCodecs are the values of file.compression that Java takes for Avro, and none.
var avroCodecs = map[string]string{
	"": avro.CodecZstd, "zstd": avro.CodecZstd, "zstandard": avro.CodecZstd, "snappy": avro.CodecSnappy,
	"deflate": avro.CodecDeflate, "none": avro.CodecNull, "null": avro.CodecNull,
}

func newAvroWriter(w io.Writer, fields []schema.Field, opts *WriterOptions) (*avroWriter, error) {
	codec, ok := avroCodecs[opts.Compression]
	if !ok {
		return nil, fault.Unsupported("writing avro data files with file.compression="+opts.Compression, "use zstd, snappy, deflate or none")
	}
	text, err := avroSchemaOf(fields)
	if err != nil {
		return nil, err
	}
	o := avro.WriterOptions{Schema: text, Codec: codec, Level: opts.ZstdLevel}
	_, _ = rand.Read(o.Sync[:]) // never fails
	out, err := avro.NewWriter(w, o)
	if err != nil {
		return nil, err
	}
	a := &avroWriter{fields: fields, out: out}
	for _, f := range fields {
		a.stats = append(a.stats, newAvroStats(f.Type))
	}
	return a, nil
}

func (a *avroWriter) write(rec arrow.RecordBatch, stats bool) error {
	puts := make([]avroPut, len(a.fields))
	for i, f := range a.fields {
		col := rec.Column(i)
		if !f.Type.Nullable && col.NullN() > 0 {
			return fault.Invalid(fmt.Sprintf("column %s is null, but its type is %s", f.Name, f.Type))
		}
		var err error
		if puts[i], err = avroWriterOf(f.Name, f.Type, col); err != nil {
			return err
		}
		if stats {
			a.stats[i].add(col)
		}
	}
	for row := range int(rec.NumRows()) {
		for _, put := range puts {
			a.out.Block = put(a.out.Block, row)
		}
		if err := a.out.End(); err != nil {
			return err
		}
	}
	a.rows += rec.NumRows()
	return nil
}

// size is exact for what is written and an upper bound for the open block.
func (a *avroWriter) size() int64 { return a.out.Bytes() + int64(len(a.out.Block)) }

func (a *avroWriter) close(stats bool) (Result, error) {
	if err := a.out.Flush(); err != nil {
		return Result{}, err
	}
	res := Result{Rows: a.rows, Bytes: a.out.Bytes()}
	if stats {
		for _, s := range a.stats {
			res.Columns = append(res.Columns, s.result())
		}
	}
	return res, nil
}
