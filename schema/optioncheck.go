package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// OptionClass is the verdict on an option.
type OptionClass uint8

// The verdicts. Refusals speak of values that are neither the default nor harmless.
const (
	Honoured     OptionClass = iota + 1 // the option is obeyed
	Ignored                             // the option is kept; not obeying it changes no row
	RefusedWrite                        // the table is read, not written
	RefusedRead                         // the table is written, not read
	RefusedBoth                         // the table is neither read nor written
)

// String is the verdict in words.
func (c OptionClass) String() string {
	switch c {
	case Honoured:
		return "honoured"
	case Ignored:
		return "ignored"
	case RefusedWrite:
		return "refused for writing"
	case RefusedRead:
		return "refused for reading"
	case RefusedBoth:
		return "refused"
	}
	return "OptionClass(" + strconv.Itoa(int(c)) + ")"
}

func (c OptionClass) refuses(write bool) bool {
	return c == RefusedBoth || write && c == RefusedWrite || !write && c == RefusedRead
}

// OptionInfo is what is known about one option. A key with <…> or * stands for
// a family of keys.
type OptionInfo struct {
	Key       string
	Default   string // "" when derived from other options or absent
	Class     OptionClass
	Why       string   // meaning, reason for ignoring, or what to do instead
	Immutable bool     // fixed once the table has snapshots
	Former    []string // old names that still count
}

// KnownOptions lists all of Paimon's options with our verdict, then the families
// of keys. The slice is the caller's.
func KnownOptions() []OptionInfo {
	var out []OptionInfo
	add := func(o option) {
		out = append(out, OptionInfo{o.key, o.def, o.class, o.why, immutableOptions[o.key], fallbackKeys[o.key]})
	}
	for _, o := range optionTable {
		add(o)
	}
	for _, o := range exactExtras {
		add(o)
	}
	for _, suffix := range fieldSuffixes {
		add(*fieldOption("fields.c." + suffix))
	}
	add(*indexOption("file-index.t.columns"))
	add(*indexOption("file-index.t.c.o"))
	for _, f := range families {
		add(f.option)
	}
	return out
}

// CheckRead says whether rows of the table can be read with certainty: nil, or
// ErrUnsupported naming every option and column type that stands against it.
func (o *Options) CheckRead(t *Table) error {
	errs := o.refusals(t, false)
	return errors.Join(append(errs, refusedColumns(t.Fields)...)...)
}

// CheckWrite says whether the table can be written without breaking what it
// asks for: nil, or ErrUnsupported naming every option and column type that
// stands against it.
func (o *Options) CheckWrite(t *Table) error {
	errs := o.refusals(t, true)
	errs = append(errs, o.checkExpiry(t))
	errs = append(errs, o.writeShape(t)...)
	return errors.Join(append(errs, refusedColumns(t.Fields)...)...)
}

// refusals go through the options given, in order, by the table of verdicts.
func (o *Options) refusals(t *Table, write bool) []error {
	var errs []error
	keyed := len(t.PrimaryKeys) > 0
	for _, key := range sortedKeys(o.set) {
		spec, known := findOption(key)
		if !known || !spec.class.refuses(write) || decidedByLevel[key] {
			continue
		}
		if keyedOnly[key] && !keyed || appendOnly[key] && keyed || harmless(spec, o.set[key]) {
			continue
		}
		if key == "parquet.compression" && codecName(o.set[key]) == o.FileCompression {
			continue
		}
		errs = append(errs, refuseOption(key, o.set[key], spec.why, write))
	}
	return errs
}

func harmless(spec *option, value string) bool {
	value = strings.TrimSpace(value)
	return value == "" || strings.EqualFold(value, spec.def)
}

func refuseOption(key, value, instead string, write bool) error {
	use := "reading"
	if write {
		use = "writing"
	}
	return fault.Unsupported(fmt.Sprintf("%s a table with %s = %s", use, key, quoteShort(value)), instead)
}

// writtenCodecs are the formats of data files that are written, with their codecs.
var writtenCodecs = map[string][]string{
	"parquet": {"zstd", "snappy", "lz4", "gzip", "none"},
	"avro":    {"zstd", "zstandard", "snappy", "deflate", "none", "null"},
}

// writeShape refuses what several options decide together: buckets, and the
// formats and codecs of the levels that are written.
func (o *Options) writeShape(t *Table) []error {
	var errs []error
	said := map[string]bool{} // levels mostly share their format
	refuse := func(key, value string) {
		spec, _ := findOption(key)
		if !said[key+value] {
			errs = append(errs, refuseOption(key, value, spec.why, true))
		}
		said[key+value] = true
	}
	if len(t.PrimaryKeys) > 0 {
		if t.BucketMode() == KeyDynamic && o.MergeEngine == "deduplicate" && o.IgnoreDelete {
			errs = append(errs, fault.Unsupported("writing a table whose keys move between partitions with merge-engine = deduplicate and ignore-delete = true",
				"reset ignore-delete: the row that a key leaves behind is removed by a delete"))
		}
	}
	for _, level := range o.levelsWritten(len(t.PrimaryKeys) > 0) {
		format := o.FileFormatFor(level)
		codecs, written := writtenCodecs[format]
		if !written {
			key := "file.format"
			if _, set := o.FileFormatPerLevel[level]; set {
				key = "file.format.per.level"
			}
			refuse(key, format)
			continue
		}
		if codec := o.FileCompressionFor(level); !slices.Contains(codecs, codec) {
			key := "file.compression"
			if _, set := o.FileCompressionPerLevel[level]; set {
				key = "file.compression.per.level"
			}
			if format == "avro" && o.AvroCodec != "" {
				key = "avro.codec"
			}
			refuse(key, codec)
		}
	}
	if codecs, written := writtenCodecs[o.Changelog.FileFormat]; o.Changelog.FileFormat != "" && !written {
		refuse("changelog-file.format", o.Changelog.FileFormat)
	} else if written && o.Changelog.FileCompression != "" && !slices.Contains(codecs, o.Changelog.FileCompression) {
		refuse("changelog-file.compression", o.Changelog.FileCompression)
	}
	if !slices.Contains([]string{"zstd", "snappy", "deflate", "null"}, o.ManifestCompression) {
		refuse("manifest.compression", o.ManifestCompression)
	}
	return errs
}

// levelsWritten are the levels whose files a writer makes, -1 for all that
// have no options of their own: level 0, and others where it compacts.
func (o *Options) levelsWritten(keyed bool) []int {
	switch {
	case !keyed:
		return []int{-1}
	case o.WriteOnly:
		return []int{0}
	}
	levels := []int{0, -1}
	for _, overrides := range []map[int]string{o.FileFormatPerLevel, o.FileCompressionPerLevel} {
		for level := range overrides {
			levels = append(levels, level)
		}
	}
	slices.Sort(levels)
	return slices.Compact(levels)
}

// Warnings names the options that are set and have no effect here, in order:
// those nobody knows, those that the table's merge engine or changelog producer
// does not look at, and those ignored with a reason. Defaults and the options
// of engines are not worth a word.
func (o *Options) Warnings() []string {
	var out []string
	for _, key := range sortedKeys(o.set) {
		spec, known := findOption(key)
		switch {
		case !known:
			out = append(out, "option "+key+" is unknown; it is kept and has no effect")
		case o.idle(key) != "" && !harmless(spec, o.set[key]):
			out = append(out, "option "+key+" has no effect: "+o.idle(key))
		case spec.class == Ignored && spec.why != engineOwn && !harmless(spec, o.set[key]):
			out = append(out, "option "+key+" has no effect: "+spec.why)
		}
	}
	return out
}

// CheckNewOptions checks options that are about to be set, when a table is made
// or altered: a key that is a near miss of a known one is an error with the
// suggestion, and so is a malformed value of any known key. Other unknown keys,
// and the keys engines keep for themselves, pass. All faults are returned together.
func CheckNewOptions(raw map[string]string) error {
	var errs []error
	names := suggestable()
	for _, key := range sortedKeys(raw) {
		spec, known := findOption(key)
		switch {
		case key == "path":
			errs = append(errs, fault.Invalid("option path cannot be set: a table's place follows from the warehouse"))
		case key == "auto-create" && !strings.EqualFold(raw[key], "false"):
			errs = append(errs, fault.Invalid("option auto-create must be false for tables of a catalog"))
		case known:
			errs = append(errs, checkValue(key, spec.kind, raw[key]))
		case strings.TrimSpace(key) == "":
			errs = append(errs, fault.Invalid("an option without a key"))
		default:
			errs = append(errs, nearMiss(key, names))
		}
	}
	return errors.Join(errs...)
}

func suggestable() []string {
	var names []string
	for _, o := range optionTable {
		names = append(names, o.key)
		names = append(names, fallbackKeys[o.key]...)
	}
	for _, o := range exactExtras {
		names = append(names, o.key)
	}
	return names
}

// nearMiss compares an unknown key with the known ones; in keys that carry a
// column, the words around it.
func nearMiss(key string, names []string) error {
	for _, old := range fallbackKeys {
		if slices.Contains(old, key) {
			return nil
		}
	}
	best, found := nearest(key, names)
	if first, rest, ok := strings.Cut(key, "."); !found && ok {
		dot := strings.LastIndexByte(rest, '.')
		switch {
		case dot < 0:
		case first == "fields":
			suffix, near := nearest(rest[dot+1:], fieldSuffixes)
			best, found = key[:len(key)-len(rest[dot+1:])]+suffix, near
		case first != "fields" && fieldOption("fields."+rest) != nil:
			_, found = nearest(first, []string{"fields"})
			best = "fields." + rest
		}
		if !found && first == "file-index" {
			suffix, near := nearest(rest[dot+1:], []string{"columns"})
			best, found = key[:len(key)-len(rest[dot+1:])]+suffix, near
		}
	}
	if !found {
		return nil
	}
	return fault.Invalid("unknown option " + strconv.Quote(key) + `, did you mean "` + best + `"?`)
}
