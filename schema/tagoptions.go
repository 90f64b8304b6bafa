package schema

import (
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
)

// TagOptions say which tags committers make by themselves, and how long tags live.
type TagOptions struct {
	Creation string         // "none", "process-time", "watermark", "batch"
	Period   time.Duration  // between two tags
	Layout   string         // of their names, for time.Time.Format
	Delay    time.Duration  // a period's tag is made so long after its end
	Complete bool           // tags of periods without a snapshot are made later
	Max      int            // of such tags that are kept, 0 for all
	Retained *time.Duration // how long a tag lives for which nothing else is said, nil for good
	Expire   bool           // committers delete tags whose time is over
	Batch    string         // name of the tag of a batch commit, "" for one with the date
	TimeZone string         // whose clock periods go by, "" for the session's: see Zone
	Told     bool           // code of others has to be told of tags: see CheckMade
}

// tagLayouts are the names of tags by period and formatter.
var tagLayouts = map[string][3]string{
	"daily":     {"2006-01-02", "20060102", "20060102"},
	"hourly":    {"2006-01-02 15", "20060102 15", "2006010215"},
	"two-hours": {"2006-01-02 15", "2006-01-02 15", "2006-01-02 15"},
}

var tagPeriods = map[string]time.Duration{"daily": 24 * time.Hour, "hourly": time.Hour, "two-hours": 2 * time.Hour}

func (o *Options) parseTags(r *optionReader) {
	t := &o.Tags
	t.Creation = r.enum("tag.automatic-creation")
	period, formatter := r.enum("tag.creation-period"), r.enum("tag.period-formatter")
	t.Period = tagPeriods[period]
	switch layouts := tagLayouts[period]; formatter {
	case "without_dashes":
		t.Layout = layouts[1]
	case "without_dashes_and_spaces":
		t.Layout = layouts[2]
	default:
		t.Layout = layouts[0]
	}
	if _, given := r.lookup("tag.creation-period-duration"); given {
		t.Period, t.Layout = r.duration("tag.creation-period-duration"), "200601021504"
	}
	t.Delay = r.duration("tag.creation-delay")
	t.Complete = r.bool("tag.automatic-completion")
	if _, given := r.lookup("tag.num-retained-max"); given {
		t.Max = r.int("tag.num-retained-max", 1)
	}
	if _, given := r.lookup("tag.default-time-retained"); given {
		d := r.duration("tag.default-time-retained")
		t.Retained = &d
	}
	t.Expire = r.bool("tag.time-expire-enabled")
	t.Batch = r.text("tag.batch.customized-name")
	t.TimeZone = r.text("sink.process-time-zone")
	if t.Creation == "watermark" {
		t.TimeZone = r.text("sink.watermark-time-zone")
	}
	t.Told = r.text("tag.callbacks") != "" || r.bool("tag.create-success-file")
}

// Check refuses what committers cannot make tags by.
func (t *TagOptions) Check() error {
	if t.Creation != "process-time" && t.Creation != "watermark" {
		return nil
	}
	if t.Period <= 0 || t.Delay >= t.Period {
		return fault.Invalid("tag.creation-delay has to be shorter than the period of tags")
	}
	_, err := t.Zone()
	return err
}

// CheckMade refuses to make or delete tags where more belongs to that than is
// done here.
func (t *TagOptions) CheckMade() error {
	if t.Told {
		return fault.Unsupported("making and deleting tags of a table with tag.callbacks or tag.create-success-file", "remove the options, or do it through Paimon")
	}
	return nil
}

// Zone is whose clock the periods go by, nil for the session's.
func (t *TagOptions) Zone() (*time.Location, error) {
	if t.TimeZone == "" {
		return nil, nil
	}
	offset := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(t.TimeZone, "UTC"), "GMT"), "UT")
	for _, layout := range []string{"Z07:00", "-07", "-07:00", "-07:00:00"} {
		if at, err := time.Parse(layout, offset); err == nil {
			return at.Location(), nil
		}
	}
	if len(offset) == 2 && (offset[0] == '+' || offset[0] == '-') { // "+8"
		if at, err := time.Parse("-07", offset[:1]+"0"+offset[1:]); err == nil {
			return at.Location(), nil
		}
	}
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return nil, fault.Invalid("the time zone of tags " + quoteShort(t.TimeZone) + " is not known: use a name such as UTC or Europe/Berlin")
	}
	return zone, nil
}
