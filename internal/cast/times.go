package cast

import (
	"regexp"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

const dayMillis = 86_400_000

// wall is the wall clock of a moment, as if it were UTC.
func (c caster) wall(v schema.TimestampValue) schema.TimestampValue {
	if c.zone != time.UTC {
		v.Millis += int64(literal.OffsetAt(floorDiv(v.Millis, 1000), c.zone)) * 1000
	}
	return v
}

// moment is the inverse of wall: skipped times count on from before the gap, of
// repeated ones the earlier is meant.
func (c caster) moment(v schema.TimestampValue) schema.TimestampValue {
	if c.zone != time.UTC {
		v.Millis -= int64(literal.WallOffset(floorDiv(v.Millis, 1000), c.zone)) * 1000
	}
	return v
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (c caster) toDate(col arrow.Array) func(i int) (arrow.Date32, verdict) {
	if a, ok := col.(*array.String); ok {
		return func(i int) (arrow.Date32, verdict) {
			v, ok := parseDate(a.Value(i))
			return arrow.Date32(v), okay(ok)
		}
	}
	at := c.timestamps(col)
	if c.from.Kind == schema.TimestampLTZ {
		return sure(func(i int) arrow.Date32 { return arrow.Date32(floorDiv(c.wall(at(i)).Millis, dayMillis)) })
	}
	return sure(func(i int) arrow.Date32 { return arrow.Date32(at(i).Millis / dayMillis) })
}

func (c caster) toTime(col arrow.Array) func(i int) (arrow.Time32, verdict) {
	if a, ok := col.(*array.String); ok {
		return func(i int) (arrow.Time32, verdict) {
			v, ok := parseTime(a.Value(i))
			return arrow.Time32(v), okay(ok)
		}
	}
	at := c.timestamps(col)
	if c.from.Kind == schema.TimestampLTZ {
		return sure(func(i int) arrow.Time32 {
			millis := c.wall(at(i)).Millis
			return arrow.Time32(millis - floorDiv(millis, dayMillis)*dayMillis)
		})
	}
	return sure(func(i int) arrow.Time32 { return arrow.Time32(at(i).Millis % dayMillis) })
}

func (c caster) timestamps(col arrow.Array) func(i int) schema.TimestampValue {
	a := col.(*array.Timestamp)
	return func(i int) schema.TimestampValue { return literal.FromUnits(int64(a.Value(i)), c.from.Precision) }
}

// toTimestamp refuses what nanoseconds of 64 bits cannot hold: years before 1677 and behind 2262.
func (c caster) toTimestamp(col arrow.Array) func(i int) (arrow.Timestamp, verdict) {
	at := c.moments(col)
	return func(i int) (arrow.Timestamp, verdict) {
		v, ok := at(i)
		if !ok {
			return 0, refuse
		}
		units, fit := literal.ToUnits(v, c.to.Precision)
		return arrow.Timestamp(units), okay(fit != literal.TooLarge && fit != literal.TooSmall)
	}
}

func (c caster) moments(col arrow.Array) func(i int) (schema.TimestampValue, bool) {
	zoned := c.to.Kind == schema.TimestampLTZ
	millis := func(v int64) (schema.TimestampValue, bool) { return schema.TimestampValue{Millis: v}, true }
	switch a := col.(type) {
	case *array.String:
		return func(i int) (schema.TimestampValue, bool) { return c.parseTimestamp(a.Value(i)) }
	case *array.Date32:
		return func(i int) (schema.TimestampValue, bool) {
			v := schema.TimestampValue{Millis: int64(a.Value(i)) * dayMillis}
			if zoned {
				v = c.moment(v)
			}
			return v, true
		}
	case *array.Time32:
		return func(i int) (schema.TimestampValue, bool) { return millis(int64(a.Value(i))) }
	case *array.Timestamp:
		at, same := c.timestamps(col), c.from.Kind == c.to.Kind
		return func(i int) (schema.TimestampValue, bool) {
			v := at(i)
			switch {
			case same:
			case zoned:
				v = c.moment(v)
			default:
				v = c.wall(v)
			}
			if c.from.Precision > c.to.Precision {
				v = shorten(v, c.to.Precision)
			}
			return v, true
		}
	}
	at := integers(col)
	return func(i int) (schema.TimestampValue, bool) {
		v := schema.TimestampValue{Millis: at(i) * 1000}
		if zoned {
			v = c.wall(v) // Paimon takes the wall clock for the moment here
		}
		return v, true
	}
}

// shorten drops digits as Paimon does: nothing of a fraction that has few digits
// when read as a whole number of nanoseconds, and towards 1970 above the millisecond.
func shorten(v schema.TimestampValue, precision int) schema.TimestampValue {
	nano := (v.Millis-floorDiv(v.Millis, 1000)*1000)*1_000_000 + int64(v.Nanos)
	if len(strconv.FormatInt(nano, 10)) <= precision {
		return v
	}
	if precision <= 3 {
		step := pow10(3 - precision)
		return schema.TimestampValue{Millis: v.Millis / step * step}
	}
	step := int32(pow10(9 - precision))
	v.Nanos = v.Nanos / step * step
	return v
}

var timestampForm = regexp.MustCompile(`^(\d{4}|\+\d{5,9})-(\d\d?)-(\d\d?)(?: (\d\d?):(\d\d?):(\d\d?)(?:\.(\d{0,9}))?)?$`)

// parseTimestamp reads year-month-day[ hour:minute:second[.fraction]], and for a TIMESTAMP a
// bare number of its units. A day behind the end of a month is the month's last.
func (c caster) parseTimestamp(text string) (schema.TimestampValue, bool) {
	zoned := c.to.Kind == schema.TimestampLTZ
	if !zoned && numeric(text) {
		units, ok := parseLong(text, schema.BigInt)
		if c.to.Precision == 0 {
			return schema.TimestampValue{Millis: units * 1000}, ok
		}
		return literal.FromUnits(units, c.to.Precision), ok && c.to.Precision%3 == 0
	}
	m := timestampForm.FindStringSubmatch(text)
	if m == nil {
		return schema.TimestampValue{}, false
	}
	var n [7]int
	for i := 1; i <= 6; i++ {
		n[i], _ = strconv.Atoi(m[i])
	}
	year, month, day, hour, minute, second := n[1], n[2], n[3], n[4], n[5], n[6]
	nanos, _ := strconv.Atoi((m[7] + "000000000")[:9])
	midnight := hour == 24 && minute == 0 && second == 0 && nanos == 0
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 && !midnight || minute > 59 || second > 59 {
		return schema.TimestampValue{}, false
	}
	days := literal.DaysOf(year, month, min(day, daysIn(year, month)))
	nanos -= nanos % int(pow10(9-c.to.Precision))
	v := schema.TimestampValue{Millis: days*dayMillis + int64(hour*3600+minute*60+second)*1000 + int64(nanos/1_000_000), Nanos: int32(nanos % 1_000_000)}
	if zoned {
		v = c.moment(v)
	}
	return v, true
}
