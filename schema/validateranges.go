package schema

import (
	"slices"
	"strings"
)

// Values that can be read and make no sense. Paimon finds out about most of
// them when they are first used, or never; here they are refused when a table
// is made or altered, and a table that has them already can be opened.

// formatNames are the file formats that Paimon has.
var formatNames = []string{"avro", "blob", "csv", "json", "lance", "orc", "parquet", "text"}

func (v *validator) ranges() {
	if f := v.o.FileFormat; !slices.Contains(formatNames, f) {
		v.bad("option file.format is %s, must be one of %s", quoteShort(f), strings.Join(formatNames, ", "))
	}
	if _, set := v.o.set["cross-partition-upsert.index-ttl"]; set && v.o.CrossPartitionTTL == 0 {
		v.bad("option cross-partition-upsert.index-ttl is 0, must be a positive time; remove it to forget nothing")
	}
	c := &v.o.Compaction
	v.within("compaction.offpeak.start.hour", c.OffPeakStart, 23)
	v.within("compaction.offpeak.end.hour", c.OffPeakEnd, 24)
	if c.DeleteRatio < 0 || c.DeleteRatio > 1 {
		v.bad("option compaction.delete-ratio-threshold is %g, must be 0 to 1", c.DeleteRatio)
	}
	if _, set := v.o.set["full-compaction.delta-commits"]; set && c.FullDeltaCommits < 1 {
		v.bad("option full-compaction.delta-commits is %d, must be at least 1; remove it for none", c.FullDeltaCommits)
	}
	if n := v.number("sort-spill-threshold", 2); n < 2 {
		v.bad("option sort-spill-threshold is %d, must be at least 2", n)
	}
}

// within checks an hour, -1 for none.
func (v *validator) within(key string, hour, most int) {
	if hour > most {
		v.bad("option %s is %d, must be an hour up to %d, or -1 for none", key, hour, most)
	}
}
