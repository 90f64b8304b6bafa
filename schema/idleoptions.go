package schema

import (
	"slices"
	"strings"
)

// Options that a table's merge engine or changelog producer does not look at.
// Paimon keeps them without a word, so they are no fault; but who sets a sum and
// forgets the engine that sums gets another table than was meant.

// goBy is which values of an option give others an effect.
type goBy struct {
	option string
	values []string
}

var (
	byFunctions   = goBy{"merge-engine", []string{"aggregation", "partial-update"}}
	byGroups      = goBy{"merge-engine", []string{"partial-update"}}
	byAggregation = goBy{"merge-engine", []string{"aggregation"}}
	byComparison  = goBy{"changelog-producer", []string{"lookup", "full-compaction"}}
)

// goneBy is keyed by option, or by the end of fields.<column>.<end>.
var goneBy = map[string]goBy{
	defaultFunctionKey: byFunctions, ".aggregate-function": byFunctions,
	sequenceGroupSuffix: byGroups, removeOnGroupKey: byGroups, "partial-update.remove-record-on-delete": byGroups,
	"aggregation.remove-record-on-delete": byAggregation,
	"changelog-producer.row-deduplicate":  byComparison, ignoredFieldsKey: byComparison,
}

// idle says why an option has no effect beside the others, "" where it has.
func (o *Options) idle(key string) string {
	by, known := goneBy[key]
	if !known && strings.HasPrefix(key, "fields.") {
		by, known = goneBy[key[strings.LastIndexByte(key, '.'):]]
	}
	is := o.MergeEngine
	if by.option == "changelog-producer" {
		is = o.ChangelogProducer
	}
	if !known || slices.Contains(by.values, is) || OwnName(is) {
		return ""
	}
	return by.option + " is " + is + ", and only " + strings.Join(by.values, " and ") + " heed it"
}
