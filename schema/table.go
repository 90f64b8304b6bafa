package schema

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// Table is one version of a table's schema, the content of schema/schema-N. It
// is not changed after it is built; share it freely.
type Table struct {
	Version        int   // layout version of the file it came from: 1, 2 or 3
	ID             int64 // N of schema-N
	Fields         []Field
	HighestFieldID int // never decreases, counts nested fields too
	PartitionKeys  []string
	PrimaryKeys    []string
	Options        map[string]string
	Comment        string
	TimeMillis     int64 // epoch milliseconds of its making, 0 if unknown
}

// BucketMode says how a row finds its bucket.
type BucketMode uint8

// The bucket modes.
const (
	HashFixed     BucketMode = iota + 1 // a hash of the bucket key over a fixed number of buckets
	HashDynamic                         // buckets grow as keys arrive, remembered in index files
	KeyDynamic                          // as HashDynamic, and keys may move between partitions
	Postpone                            // rows wait for a later job that assigns buckets
	BucketUnaware                       // no key: all rows in bucket 0
)

// String is the mode's name in words.
func (m BucketMode) String() string {
	switch m {
	case HashFixed:
		return "fixed"
	case HashDynamic:
		return "dynamic"
	case KeyDynamic:
		return "key-dynamic"
	case Postpone:
		return "postpone"
	case BucketUnaware:
		return "unaware"
	}
	return "BucketMode(" + strconv.Itoa(int(m)) + ")"
}

// Field finds a column by name.
func (t *Table) Field(name string) (Field, bool) {
	if i := t.Index(name); i >= 0 {
		return t.Fields[i], true
	}
	return Field{}, false
}

// Index is the position of a column, or -1.
func (t *Table) Index(name string) int {
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// FieldsByName finds columns by name, in the order given. Every unknown name is
// reported.
func (t *Table) FieldsByName(names []string) ([]Field, error) {
	out := make([]Field, 0, len(names))
	var errs []error
	for _, name := range names {
		if f, ok := t.Field(name); ok {
			out = append(out, f)
		} else {
			errs = append(errs, fault.Invalid("column "+strconv.Quote(name)+" does not exist"+suggestion(name, t.names())))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

func (t *Table) names() []string {
	out := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		out[i] = f.Name
	}
	return out
}

// known returns the columns of the names that exist.
func (t *Table) known(names []string) []Field {
	out := make([]Field, 0, len(names))
	for _, name := range names {
		if f, ok := t.Field(name); ok {
			out = append(out, f)
		}
	}
	return out
}

// PartitionFields are the partition columns in the order of the partition keys.
func (t *Table) PartitionFields() []Field { return t.known(t.PartitionKeys) }

// KeyFields are the columns of the trimmed primary key: the primary key without
// partition columns, which is what orders the rows of a bucket. Empty for
// append tables.
func (t *Table) KeyFields() []Field { return t.known(t.trimmedKeys()) }

// BucketKeyFields are the columns whose hash decides a row's bucket: the option
// bucket-key, else the trimmed primary key. Empty when rows are not hashed.
func (t *Table) BucketKeyFields() []Field { return t.known(t.bucketKeys()) }

func (t *Table) trimmedKeys() []string {
	var out []string
	for _, k := range t.PrimaryKeys {
		if !slices.Contains(t.PartitionKeys, k) {
			out = append(out, k)
		}
	}
	return out
}

func (t *Table) bucketKeys() []string {
	if keys := splitBucketKey(t.Options["bucket-key"]); len(keys) > 0 {
		return keys
	}
	return t.trimmedKeys()
}

// splitBucketKey keeps blanks around the names, as Paimon does: there they make
// the column unknown, and a silent repair would make a table that Java refuses.
func splitBucketKey(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return strings.Split(strings.TrimRight(text, ","), ",")
}

// CrossPartition reports whether a key may move between partitions: the primary
// key does not contain every partition column.
func (t *Table) CrossPartition() bool {
	if len(t.PrimaryKeys) == 0 {
		return false
	}
	for _, p := range t.PartitionKeys {
		if !slices.Contains(t.PrimaryKeys, p) {
			return true
		}
	}
	return false
}

func (t *Table) bucket() int {
	if n, err := strconv.ParseInt(t.Options["bucket"], 10, 32); err == nil {
		return int(n)
	}
	return -1
}

// BucketMode follows from the keys and the option bucket.
func (t *Table) BucketMode() BucketMode {
	n, keyed := t.bucket(), len(t.PrimaryKeys) > 0
	switch {
	case n > 0:
		return HashFixed
	case !keyed:
		return BucketUnaware
	case n == -2:
		return Postpone
	case t.CrossPartition():
		return KeyDynamic
	}
	return HashDynamic
}
