package schema

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// EngineOptions are what the merge engines partial-update and aggregation go
// by, besides the option merge-engine itself.
type EngineOptions struct {
	// RemoveOnDelete lets a -D take the whole row away: the option
	// remove-record-on-delete of the table's own engine.
	RemoveOnDelete bool
	// RemoveOnGroup names sequence columns: a -D that is newest in the group
	// of one of them takes the whole row away
	// (partial-update.remove-record-on-sequence-group).
	RemoveOnGroup []string
	// DefaultFunction is fields.default-aggregate-function, "" when unset.
	DefaultFunction string
	// Groups are the sequence groups in the order of their keys.
	Groups []SequenceGroup
	// Fields holds the options fields.<column>.* by column, where any is set.
	Fields map[string]FieldOptions
}

// SequenceGroup is fields.<sequence>.sequence-group = <columns>: columns that
// are as new as their sequence columns say, whatever came later otherwise.
type SequenceGroup struct {
	Sequence []string // compared one after the other, null smallest
	Columns  []string // without the sequence columns, unless the option names them too
}

// FieldOptions are a column's options for merging.
type FieldOptions struct {
	Function      string   // aggregate-function, "" when unset
	IgnoreRetract bool     // ignore-retract
	Distinct      bool     // distinct
	Delimiter     string   // list-agg-delimiter, "," unless set
	NestedKey     []string // nested-key
	CountLimit    int      // count-limit, math.MaxInt32 unless set
	TimeField     string   // ts-field, "" when unset
}

// Field is the column's options, with defaults where none is set.
func (o *EngineOptions) Field(column string) FieldOptions {
	if f, set := o.Fields[column]; set {
		return f
	}
	return FieldOptions{Delimiter: ",", CountLimit: math.MaxInt32}
}

// GroupOf is the sequence group that a column belongs to, as a sequence column
// or otherwise, if there is one.
func (o *EngineOptions) GroupOf(column string) (SequenceGroup, bool) {
	at := slices.IndexFunc(o.Groups, func(g SequenceGroup) bool {
		return slices.Contains(g.Sequence, column) || slices.Contains(g.Columns, column)
	})
	if at < 0 {
		return SequenceGroup{}, false
	}
	return o.Groups[at], true
}

// GroupFunction is the aggregate function of a column within its sequence
// group, "" where the newest sequence decides.
func (o *EngineOptions) GroupFunction(column string) string {
	g, grouped := o.GroupOf(column)
	if !grouped || slices.Contains(g.Sequence, column) {
		return ""
	}
	if own := o.Field(column).Function; own != "" {
		return own
	}
	return o.DefaultFunction
}

const (
	sequenceGroupSuffix = ".sequence-group"
	defaultFunctionKey  = "fields.default-aggregate-function"
	removeOnGroupKey    = "partial-update.remove-record-on-sequence-group"
	ignoredFieldsKey    = "changelog-producer.row-deduplicate-ignore-fields"
)

func (o *Options) parseEngine(r *optionReader) {
	e := &o.Engine
	switch o.MergeEngine {
	case "partial-update", "aggregation":
		e.RemoveOnDelete = r.bool(o.MergeEngine + ".remove-record-on-delete")
	}
	// Paimon does not trim the names in these, so a blank makes another name.
	if text, set := r.set[removeOnGroupKey]; set {
		e.RemoveOnGroup = strings.Split(text, ",")
	}
	e.DefaultFunction = r.set[defaultFunctionKey]
	for _, key := range sortedKeys(r.set) {
		rest, isField := strings.CutPrefix(key, "fields.")
		dot := strings.LastIndexByte(rest, '.')
		if !isField || dot <= 0 {
			continue
		}
		if names, isGroup := strings.CutSuffix(rest, sequenceGroupSuffix); isGroup {
			e.Groups = append(e.Groups, SequenceGroup{strings.Split(names, ","), strings.Split(r.set[key], ",")})
			continue
		}
		e.parseField(r, key, rest[:dot], rest[dot+1:])
	}
}

func (o *EngineOptions) parseField(r *optionReader, key, column, suffix string) {
	f := o.Field(column)
	switch suffix {
	case "aggregate-function":
		f.Function = r.set[key]
	case "ignore-retract":
		f.IgnoreRetract = r.bool(key)
	case "distinct":
		f.Distinct = r.bool(key)
	case "list-agg-delimiter":
		f.Delimiter = r.set[key]
	case "nested-key":
		f.NestedKey = splitComma(r.set[key])
	case "count-limit":
		n, _ := take(r, key, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 32) })
		f.CountLimit = int(n)
	case "ts-field":
		f.TimeField = r.set[key]
	default:
		return
	}
	if o.Fields == nil {
		o.Fields = map[string]FieldOptions{}
	}
	o.Fields[column] = f
}
