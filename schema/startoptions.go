package schema

import "strings"

// StartOptions say which snapshot batch reads read and where streams begin,
// unless the reader says it.
type StartOptions struct {
	// Mode is scan.mode, or what the other options imply: "latest-full",
	// "latest", "compacted-full", "from-timestamp", "from-snapshot",
	// "from-snapshot-full", "from-file-creation-time", "from-creation-timestamp".
	Mode      string
	Snapshot  int64  // 0 when unset
	Tag       string // "" when unset
	Watermark *int64 // nil when unset
	Version   string // the name of a tag, the id of a snapshot, or watermark-N; "" when unset
	Timestamp string // a time of the mode in the session's time zone, unless there is Millis
	Millis    *int64 // the time of the mode, nil when unset
}

func (o *Options) parseStart(r *optionReader) {
	given := func(key string) *int64 {
		if _, set := r.set[key]; !set {
			return nil
		}
		n := r.long(key, -1<<63)
		return &n
	}
	s := StartOptions{
		Mode: startMode(r.set), Tag: r.text("scan.tag-name"), Version: r.text("scan.version"),
		Watermark: given("scan.watermark"), Timestamp: r.text("scan.timestamp"),
	}
	if s.Mode == "full" {
		s.Mode = "latest-full"
	}
	if id := given("scan.snapshot-id"); id != nil {
		s.Snapshot = *id
	}
	switch s.Mode {
	case "from-timestamp":
		s.Millis = given("scan.timestamp-millis")
	case "from-file-creation-time":
		s.Millis = given("scan.file-creation-time-millis")
	case "from-creation-timestamp":
		s.Millis = given("scan.creation-time-millis")
	}
	o.Start = s
}

// startMode is the mode in effect: the one set, or what the other options imply.
func startMode(set map[string]string) string {
	mode := strings.ToLower(strings.TrimSpace(set["scan.mode"]))
	if mode != "" && mode != "default" {
		return mode
	}
	anySet := func(keys ...string) bool {
		for _, key := range keys {
			if _, is := set[key]; is {
				return true
			}
		}
		return false
	}
	switch {
	case anySet("scan.timestamp-millis", "scan.timestamp"):
		return "from-timestamp"
	case anySet("scan.snapshot-id", "scan.tag-name", "scan.watermark", "scan.version"):
		return "from-snapshot"
	case anySet("scan.file-creation-time-millis"):
		return "from-file-creation-time"
	case anySet("scan.creation-time-millis"):
		return "from-creation-timestamp"
	case anySet("incremental-between", "incremental-between-timestamp"):
		return "incremental"
	}
	return "latest-full"
}
