package table

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/cast"
	"github.com/tidelake/tidelake/internal/partition"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// statsPrinter prints keys and statistics of files as Java prints its arrays
// and maps: "[1, x]", "{a=1, b=null}". Statistics are shown through the schema
// of the snapshot; of columns that the file does not have all rows are null.
type statsPrinter struct {
	*metaRead
	byName       []schema.Field // the columns of the snapshot
	keys, values bool           // are wanted
}

// fileStats is what a statsPrinter prints of a file. Keys are null where there are none.
type fileStats struct {
	minKey, maxKey         any
	nulls, least, greatest string
}

func (r *metaRead) newStatsPrinter() *statsPrinter {
	p := &statsPrinter{metaRead: r, byName: slices.Clone(r.scan.schema.Fields)}
	slices.SortFunc(p.byName, func(a, b schema.Field) int { return strings.Compare(a.Name, b.Name) })
	p.keys = r.wants("min_key", "max_key")
	p.values = r.wants("null_value_counts", "min_value_stats", "max_value_stats")
	return p
}

func (p *statsPrinter) of(ctx context.Context, f *manifest.DataFile) (out fileStats, err error) {
	if !p.keys && !p.values {
		return out, nil
	}
	own, err := p.schemas.get(ctx, f.SchemaID)
	if err != nil {
		return out, err
	}
	if keys := own.KeyFields(); p.keys && len(keys) > 0 {
		if out.minKey, err = keyText(keys, f.MinKey); err == nil {
			out.maxKey, err = keyText(keys, f.MaxKey)
		}
		if err != nil {
			return out, err
		}
	}
	if p.values {
		err = p.valueStats(own, f, &out)
	}
	return out, err
}

// keyText prints a key.
func keyText(fields []schema.Field, key []byte) (any, error) {
	values, err := binaryrow.Decode(typesOf(fields), key)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(fields))
	for i, f := range fields {
		if texts[i], err = partition.JavaText(f, values[i]); err != nil {
			return nil, err
		}
	}
	return javaList(texts), nil
}

func (p *statsPrinter) valueStats(own *schema.Table, f *manifest.DataFile, out *fileStats) error {
	stats := f.ValueColumns(own.Fields)
	var counts, least, greatest []string
	for _, want := range p.byName {
		nulls, low, high := "null", "null", "null"
		if have, ok := byID(own.Fields, want.ID); !ok {
			nulls = strconv.FormatInt(f.Rows, 10)
		} else {
			lo, hi, n, _ := stats(have.Name)
			if n >= 0 {
				nulls = strconv.FormatInt(n, 10)
			}
			var err error
			if low, err = p.bound(lo, have, want); err == nil {
				high, err = p.bound(hi, have, want)
			}
			if err != nil {
				return err
			}
		}
		counts = append(counts, want.Name+"="+nulls)
		least, greatest = append(least, want.Name+"="+low), append(greatest, want.Name+"="+high)
	}
	out.nulls, out.least, out.greatest = javaMap(counts), javaMap(least), javaMap(greatest)
	return nil
}

// javaMap prints members "key=value" as Java prints a map of them.
func javaMap(members []string) string { return "{" + strings.Join(members, ", ") + "}" }

// bound prints the least or greatest value of a column, cast to the type that
// the column has by now.
func (p *statsPrinter) bound(v any, have, want schema.Field) (string, error) {
	if v == nil || have.Type.EqualIgnoringNullability(want.Type) {
		return partition.JavaText(want, v)
	}
	to, err := cast.New(have.Type, want.Type, p.settings.TimeZone)
	if err != nil {
		return "", err
	}
	cell, err := oneCell(have, v, p.world.Alloc)
	if err != nil {
		return "", err
	}
	defer cell.Release()
	altered, err := to(cell, p.world.Alloc)
	if err != nil {
		return "", err
	}
	defer altered.Release()
	if v, err = binaryrow.Values(want.Type, altered, 0); err != nil {
		return "", err
	}
	return partition.JavaText(want, v)
}
