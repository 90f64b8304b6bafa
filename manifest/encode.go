package manifest

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
)

// appendEntry appends the record of an entry. lay says which unknown fields
// the file's schema has; arity is the number of partition columns.
func appendEntry(dst []byte, e *Entry, arity int, lay *layout) (_ []byte, err error) {
	dst = avro.AppendLong(dst, 2)
	dst = avro.AppendLong(dst, int64(e.Kind))
	if dst, err = appendRow(dst, arity, e.Partition); err != nil {
		return nil, fmt.Errorf("partition of file %s: %w", e.File.Name, err)
	}
	dst = avro.AppendLong(dst, int64(e.Bucket))
	dst = avro.AppendLong(dst, int64(e.TotalBuckets))
	if dst, err = appendFile(dst, &e.File, lay); err != nil {
		return nil, fmt.Errorf("file %s: %w", e.File.Name, err)
	}
	return lay.append(dst, inEntry, e.Extra), nil
}

func appendFile(dst []byte, f *DataFile, lay *layout) (_ []byte, err error) {
	dst = avro.AppendText(dst, f.Name)
	dst = avro.AppendLong(dst, f.Size)
	dst = avro.AppendLong(dst, f.Rows)
	arity := f.KeyArity
	if arity == 0 {
		arity = f.KeyStats.arity()
	}
	if dst, err = appendRow(dst, arity, f.MinKey); err != nil {
		return nil, fmt.Errorf("least key: %w", err)
	}
	if dst, err = appendRow(dst, arity, f.MaxKey); err != nil {
		return nil, fmt.Errorf("greatest key: %w", err)
	}
	if dst, err = appendStats(dst, &f.KeyStats, inKeyStats, lay); err != nil {
		return nil, fmt.Errorf("key statistics: %w", err)
	}
	if dst, err = appendStats(dst, &f.ValueStats, inValueStats, lay); err != nil {
		return nil, fmt.Errorf("value statistics: %w", err)
	}
	dst = avro.AppendLong(dst, f.MinSequence)
	dst = avro.AppendLong(dst, f.MaxSequence)
	dst = avro.AppendLong(dst, f.SchemaID)
	dst = avro.AppendLong(dst, int64(f.Level))
	dst = appendTexts(dst, f.ExtraFiles)
	if dst = appendBranch(dst, f.CreationTime != NoCreationTime); f.CreationTime != NoCreationTime {
		dst = avro.AppendLong(dst, f.CreationTime)
	}
	dst = appendOptional(dst, f.DeleteRows)
	if dst = appendBranch(dst, f.EmbeddedIndex != nil); f.EmbeddedIndex != nil {
		dst = avro.AppendBytes(dst, f.EmbeddedIndex)
	}
	dst = appendOptional(dst, f.Source)
	if dst = appendBranch(dst, f.HasValueStatsCols); f.HasValueStatsCols {
		dst = appendTexts(dst, f.ValueStatsCols)
	}
	dst = appendText(dst, f.ExternalPath)
	dst = appendOptional(dst, f.FirstRowID)
	if dst = appendBranch(dst, f.WriteCols != nil); f.WriteCols != nil {
		dst = appendTexts(dst, f.WriteCols)
	}
	return lay.append(dst, inFile, f.Extra), nil
}

func appendStats(dst []byte, s *Stats, at place, lay *layout) (_ []byte, err error) {
	if n := s.arity(); !s.NoNullCounts && len(s.NullCounts) != n {
		return nil, fault.Invalid(fmt.Sprintf("%d null counts for %d columns", len(s.NullCounts), n))
	}
	if dst, err = appendRow(dst, s.arity(), s.Min); err != nil {
		return nil, err
	}
	if dst, err = appendRow(dst, s.arity(), s.Max); err != nil {
		return nil, err
	}
	if dst = appendBranch(dst, !s.NoNullCounts); !s.NoNullCounts {
		if n := len(s.NullCounts); n > 0 {
			dst = avro.AppendLong(dst, int64(n))
		}
		for _, v := range s.NullCounts {
			if dst = appendBranch(dst, v >= 0); v >= 0 {
				dst = avro.AppendLong(dst, v)
			}
		}
		dst = append(dst, 0)
	}
	return lay.append(dst, at, s.Extra), nil
}

func appendMeta(dst []byte, m *Meta, lay *layout) (_ []byte, err error) {
	dst = avro.AppendLong(dst, 2)
	dst = avro.AppendText(dst, m.Name)
	dst = avro.AppendLong(dst, m.Size)
	dst = avro.AppendLong(dst, m.Added)
	dst = avro.AppendLong(dst, m.Deleted)
	if dst, err = appendStats(dst, &m.PartitionStats, inPartitionStats, lay); err != nil {
		return nil, fmt.Errorf("partition statistics of manifest %s: %w", m.Name, err)
	}
	dst = avro.AppendLong(dst, m.SchemaID)
	dst = appendOptional(dst, m.MinBucket)
	dst = appendOptional(dst, m.MaxBucket)
	dst = appendOptional(dst, m.MinLevel)
	dst = appendOptional(dst, m.MaxLevel)
	dst = appendOptional(dst, m.MinRowID)
	dst = appendOptional(dst, m.MaxRowID)
	return lay.append(dst, inMeta, m.Extra), nil
}

func appendIndex(dst []byte, e *IndexEntry, arity int, lay *layout) (_ []byte, err error) {
	dst = avro.AppendLong(dst, 1)
	dst = avro.AppendLong(dst, int64(e.Kind))
	if dst, err = appendRow(dst, arity, e.Partition); err != nil {
		return nil, fmt.Errorf("partition of index file %s: %w", e.Name, err)
	}
	dst = avro.AppendLong(dst, int64(e.Bucket))
	dst = avro.AppendText(dst, e.Type)
	dst = avro.AppendText(dst, e.Name)
	dst = avro.AppendLong(dst, e.Size)
	dst = avro.AppendLong(dst, e.Rows)
	if dst = appendBranch(dst, e.Ranges != nil); e.Ranges != nil {
		if n := len(e.Ranges); n > 0 {
			dst = avro.AppendLong(dst, int64(n))
		}
		for i := range e.Ranges {
			r := &e.Ranges[i]
			dst = avro.AppendText(appendBranch(dst, true), r.File)
			dst = avro.AppendLong(dst, int64(r.Offset))
			dst = avro.AppendLong(dst, int64(r.Length))
			dst = appendOptional(dst, r.Cardinality)
			dst = lay.append(dst, inRange, r.Extra)
		}
		dst = append(dst, 0)
	}
	dst = appendText(dst, e.ExternalPath)
	if dst = appendBranch(dst, e.Global != nil); e.Global != nil {
		dst = appendGlobal(dst, e.Global, lay)
	}
	return lay.append(dst, inIndex, e.Extra), nil
}

func appendGlobal(dst []byte, g *GlobalIndex, lay *layout) []byte {
	dst = avro.AppendLong(dst, g.RowStart)
	dst = avro.AppendLong(dst, g.RowEnd)
	dst = avro.AppendLong(dst, int64(g.FieldID))
	if dst = appendBranch(dst, g.ExtraFieldIDs != nil); g.ExtraFieldIDs != nil {
		if n := len(g.ExtraFieldIDs); n > 0 {
			dst = avro.AppendLong(dst, int64(n))
		}
		for _, v := range g.ExtraFieldIDs {
			dst = avro.AppendLong(dst, int64(v))
		}
		dst = append(dst, 0)
	}
	if dst = appendBranch(dst, g.Meta != nil); g.Meta != nil {
		dst = avro.AppendBytes(dst, g.Meta)
	}
	return lay.append(dst, inGlobal, g.Extra)
}

// appendBranch appends the index of [null, T].
func appendBranch(dst []byte, present bool) []byte {
	if present {
		return append(dst, 2)
	}
	return append(dst, 0)
}

func appendOptional[N int | int8 | int64](dst []byte, v *N) []byte {
	if v == nil {
		return append(dst, 0)
	}
	return avro.AppendLong(append(dst, 2), int64(*v))
}

func appendText(dst []byte, v *string) []byte {
	if v == nil {
		return append(dst, 0)
	}
	return avro.AppendText(append(dst, 2), *v)
}

func appendTexts(dst []byte, list []string) []byte {
	if len(list) > 0 {
		dst = avro.AppendLong(dst, int64(len(list)))
		for _, s := range list {
			dst = avro.AppendText(dst, s)
		}
	}
	return append(dst, 0)
}

// appendRow appends the serialized form of a binary row: arity, then body.
// A nil body is the row without columns.
func appendRow(dst []byte, arity int, body []byte) ([]byte, error) {
	if len(body) == 0 {
		body = emptyRow
	}
	if arity > math.MaxInt32 || len(body) < bodySize(arity) || arity == 0 && len(body) != len(emptyRow) {
		return nil, fault.Invalid(fmt.Sprintf("binary row of %d bytes with %d columns", len(body), arity))
	}
	dst = avro.AppendLong(dst, int64(len(body)+4))
	dst = binary.BigEndian.AppendUint32(dst, uint32(arity))
	return append(dst, body...), nil
}
