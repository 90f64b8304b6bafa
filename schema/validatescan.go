package schema

import (
	"slices"
	"strings"
)

// The options that place the start of a scan, and which of them each scan.mode
// takes. Paimon refuses to make a table that stores a contradiction here.

var scanStartKeys = []string{
	"scan.timestamp-millis", "scan.timestamp", "scan.snapshot-id", "scan.tag-name", "scan.watermark",
	"scan.file-creation-time-millis", "incremental-between", "incremental-between-timestamp", "incremental-to-auto-tag",
}

var scanModeTakes = map[string][]string{
	"from-timestamp":          {"scan.timestamp-millis", "scan.timestamp"},
	"from-snapshot":           {"scan.snapshot-id", "scan.tag-name", "scan.watermark"},
	"from-snapshot-full":      {"scan.snapshot-id"},
	"from-file-creation-time": {"scan.file-creation-time-millis"},
	"incremental":             {"incremental-between", "incremental-between-timestamp", "incremental-to-auto-tag"},
}

func (v *validator) scanStart() {
	mode := startMode(v.o.set)
	takes := scanModeTakes[mode]
	given := 0
	for _, key := range scanStartKeys {
		if _, set := v.o.set[key]; !set {
			continue
		}
		switch {
		case slices.Contains(takes, key):
			given++
		case key == "scan.watermark":
			// Paimon lets a watermark stand beside every mode.
		default:
			v.bad("option %s contradicts scan.mode %s", key, mode)
		}
	}
	if len(takes) > 0 && given != 1 {
		v.bad("scan.mode %s takes exactly one of %s", mode, strings.Join(takes, ", "))
	}
}
