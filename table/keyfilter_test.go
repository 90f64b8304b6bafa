package table_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/table"
)

// fileIndex is a file index with a Bloom filter of a column whose bits are all
// the same: one that has no value, or any.
func fileIndex(column string, bits byte) []byte {
	body := append([]byte{0, 0, 0, 3}, bytes.Repeat([]byte{bits}, 64)...)
	text := func(b []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	head := text(binary.BigEndian.AppendUint32(nil, 1), column)
	head = text(binary.BigEndian.AppendUint32(head, 1), "bloom-filter")
	n := uint32(16 + len(head) + 12)
	for _, v := range []uint32{n, uint32(len(body)), 0} {
		head = binary.BigEndian.AppendUint32(head, v)
	}
	out := binary.BigEndian.AppendUint64(nil, 1493475289347502)
	out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, 1), n)
	return slices.Concat(out, head, body)
}

// loadChanged writes rows to one file, whose entry change may alter before it
// is committed.
func loadChanged(t *testing.T, tab *table.Table, change func(f *manifest.DataFile), rows ...string) {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := write(t, w, tab, rows...); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(msgs) != 1 || len(msgs[0].NewFiles) != 1 {
		t.Fatal("more than one file")
	}
	change(&msgs[0].NewFiles[0])
	if err := w.Commit(ctx, 1, msgs); err != nil {
		t.Fatal(err)
	}
}

// lookupCost are how many a lookup of one key takes, and whether it finds a row.
func lookupCost(t *testing.T, c *store.Counter, l *table.Lookup, key string) (n int64, found bool) {
	t.Helper()
	before := c.Counts()
	found = getAll(t, l, key)[0] != ""
	return c.Counts().Sub(before).Requests(), found
}

const pairs = "columns: [{name: a, type: BIGINT NOT NULL}, {name: b, type: STRING NOT NULL}, {name: v, type: INT}]\nprimary-key: [a, b]\noptions: {bucket: 1, write-only: true}\n"

// The filters of these tests know no key, or all, so that the answer tells
// whether they were asked.
func TestFilesWhoseIndexLacksAKeyAreNotRead(t *testing.T) {
	for name, c := range map[string]struct {
		column     string
		bits       byte
		beside     bool
		options    string
		cost, more int64 // of the first key, and of one that comes later
		found      bool
	}{
		"embedded, no key":             {column: "b", cost: 0, more: 0},
		"embedded, any key":            {column: "b", bits: 0xff, cost: 1, more: 0, found: true},
		"beside, no key":               {column: "a", beside: true, cost: 1, more: 0},
		"beside, any key":              {column: "a", beside: true, bits: 0xff, cost: 2, more: 0, found: true},
		"of a column outside the key":  {column: "v", cost: 1, more: 0, found: true},
		"not to be read":               {column: "b", options: "file-index.read.enabled=false", cost: 1, more: 0, found: true},
		"of a file of no row access":   {column: "b", options: "file.format=avro", cost: 0, more: 0},
		"beside a file without access": {column: "b", beside: true, options: "file.format=avro", cost: 1, more: 0},
	} {
		t.Run(name, func(t *testing.T) {
			counter := store.Counting(store.NewMem())
			var options []string
			if c.options != "" {
				options = append(options, c.options)
			}
			tab := create(t, counter, pairs, options...)
			loadChanged(t, tab, func(f *manifest.DataFile) {
				index := fileIndex(c.column, c.bits)
				if !c.beside {
					f.EmbeddedIndex = index
					return
				}
				f.ExtraFiles = append(f.ExtraFiles, f.Name+".index")
				if err := counter.Write(ctx, "bucket-0/"+f.Name+".index", index); err != nil {
					t.Fatal(err)
				}
			}, `{"a":1,"b":"x","v":1}`, `{"a":5,"b":"y","v":2}`)
			l := openLookup(t, tab, table.LookupOptions{DiskBytes: 1})
			for i, key := range []string{`{"a":1,"b":"x"}`, `{"a":5,"b":"y"}`} {
				want := []int64{c.cost, c.more}[i]
				if n, found := lookupCost(t, counter, l, key); n != want || found != c.found {
					t.Errorf("key %s took %d requests, want %d; found: %v", key, n, want, found)
				}
			}
		})
	}
}

func TestDamagedFileIndexesAreTold(t *testing.T) {
	good := fileIndex("k", 0xff)
	for _, index := range [][]byte{good[:20], good[:len(good)-64], append([]byte{1}, good...)} {
		tab := create(t, store.NewMem(), keyed)
		name := ""
		loadChanged(t, tab, func(f *manifest.DataFile) { f.EmbeddedIndex, name = index, f.Name }, `{"k":1,"v":"a"}`)
		_, err := openLookup(t, tab, table.LookupOptions{}).Get(ctx, 1)
		failsWith(t, err, table.ErrCorrupt, name)
	}
}

// withFilters writes a Parquet file anew, with Bloom filters of a column.
func withFilters(t *testing.T, data []byte, column string) []byte {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := fr.ReadTable(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Release()
	var out bytes.Buffer
	props := parquet.NewWriterProperties(parquet.WithBloomFilterEnabledFor(column, true), parquet.WithBloomFilterFPP(0.001), parquet.WithBloomFilterNDV(20_000), parquet.WithMaxRowGroupLength(20_000),
		parquet.WithDictionaryDefault(false), parquet.WithPageIndexEnabled(true), parquet.WithDataPageSize(4<<10))
	if err := pqarrow.WriteTable(tab, &out, 20_000, props, pqarrow.DefaultWriterProps()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAbsentKeysOfParquetFilesWithFiltersCostNoRead(t *testing.T) {
	counter := store.Counting(store.NewMem())
	tab := create(t, counter, keyed, "file.compression=none")
	var rows []string
	for k := range 60_000 {
		rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"%032d"}`, 2*k, k))
	}
	loadChanged(t, tab, func(f *manifest.DataFile) {
		data, err := counter.ReadAll(ctx, "bucket-0/"+f.Name)
		if err != nil {
			t.Fatal(err)
		}
		data = withFilters(t, data, "k")
		f.Size = int64(len(data))
		if err := counter.Delete(ctx, "bucket-0/"+f.Name); err != nil {
			t.Fatal(err)
		}
		if err := counter.Write(ctx, "bucket-0/"+f.Name, data); err != nil {
			t.Fatal(err)
		}
	}, rows...)
	l := openLookup(t, tab, table.LookupOptions{DiskBytes: 1})
	lookupCost(t, counter, l, `{"k":60001}`) // opens the file
	cost := int64(0)
	for k := 1; k < 120_000; k += 600 {
		n, found := lookupCost(t, counter, l, fmt.Sprintf(`{"k":%d}`, k))
		if found {
			t.Errorf("key %d is there", k)
		}
		cost += n
	}
	if cost > 5 {
		t.Errorf("200 absent keys took %d requests", cost)
	}
	for k := 0; k < 120_000; k += 6000 {
		if n, found := lookupCost(t, counter, l, fmt.Sprintf(`{"k":%d}`, k)); !found || n == 0 {
			t.Errorf("key %d took %d requests; found: %v", k, n, found)
		}
	}
}
