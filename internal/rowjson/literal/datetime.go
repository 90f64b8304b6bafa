package literal

import (
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/tidelake/tidelake/schema"
)

// DateTime is a date with an optional time of day and offset, as written.
type DateTime struct {
	Days    int64 // since 1970-01-01
	Nanos   int64 // of the day
	More    bool  // digits below the nanosecond follow that are not all zero
	HasTime bool
	Zoned   bool // an offset is given
	Offset  int  // seconds east of UTC
}

const (
	secondsPerDay = 86400
	nanosPerDay   = secondsPerDay * 1e9
)

var (
	errDate = errors.New("is not a date, write 2026-01-31")
	errTime = errors.New("is not a time, write 10:11:12.345")
	errDay  = errors.New("names a day that its month does not have")
)

// scanner walks a text; every method reports whether it moved.
type scanner struct {
	text string
	at   int
}

func (s *scanner) end() bool { return s.at == len(s.text) }

func (s *scanner) byte(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// digits reads lo to hi decimal digits.
func (s *scanner) digits(lo, hi int) (int, bool) {
	start, v := s.at, 0
	for s.at < len(s.text) && s.at-start < hi && s.text[s.at]-'0' <= 9 {
		v = v*10 + int(s.text[s.at]-'0')
		s.at++
	}
	return v, s.at-start >= lo
}

// ParseDateTime reads [+-]year-month-day, then optionally T or a space and
// hour:minute[:second[.fraction]], then optionally Z or an offset such as
// +08:00. Years have four to seven digits, months, days and hours one or two.
func ParseDateTime(text string) (DateTime, error) {
	s := scanner{text: text}
	var dt DateTime
	var err error
	if dt.Days, err = s.date(); err != nil {
		return dt, err
	}
	if s.end() {
		return dt, nil
	}
	if !s.byte('T') && !s.byte(' ') && !s.byte('t') {
		return dt, errDate
	}
	dt.HasTime = true
	var ok bool
	if dt.Nanos, dt.More, ok = s.clock(); !ok {
		return dt, errTime
	}
	if s.end() {
		return dt, nil
	}
	dt.Zoned = true
	if dt.Offset, ok = s.offset(); !ok || !s.end() {
		return dt, errors.New("has no valid offset, write Z or +08:00")
	}
	return dt, nil
}

func (s *scanner) date() (int64, error) {
	negative := s.byte('-')
	if !negative {
		s.byte('+')
	}
	year, ok := s.digits(4, 7)
	if !ok || !s.byte('-') {
		return 0, errDate
	}
	month, ok := s.digits(1, 2)
	if !ok || !s.byte('-') {
		return 0, errDate
	}
	day, ok := s.digits(1, 2)
	if !ok {
		return 0, errDate
	}
	if negative {
		year = -year
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, errDay
	}
	return DaysOf(year, month, day), nil
}

// clock reads a time of day in nanoseconds.
func (s *scanner) clock() (nanos int64, more, ok bool) {
	hour, ok1 := s.digits(1, 2)
	if !ok1 || !s.byte(':') {
		return 0, false, false
	}
	minute, ok2 := s.digits(2, 2)
	second, ok3 := 0, true
	if s.byte(':') {
		second, ok3 = s.digits(2, 2)
		if ok3 && s.byte('.') {
			if nanos, more, ok3 = s.fraction(); !ok3 {
				return 0, false, false
			}
		}
	}
	if !ok2 || !ok3 || hour > 23 || minute > 59 || second > 59 {
		return 0, false, false
	}
	return nanos + int64(hour*3600+minute*60+second)*1e9, more, true
}

func (s *scanner) fraction() (nanos int64, more, ok bool) {
	start := s.at
	for scale := int64(1e8); s.at < len(s.text) && s.text[s.at]-'0' <= 9; s.at++ {
		d := int64(s.text[s.at] - '0')
		nanos += d * scale
		more = more || (scale == 0 && d != 0)
		scale /= 10
	}
	return nanos, more, s.at > start
}

// offset reads Z, +08, +0800, +08:00, up to eighteen hours as Java does.
func (s *scanner) offset() (int, bool) {
	if s.byte('Z') || s.byte('z') {
		return 0, true
	}
	sign := 1
	if s.byte('-') {
		sign = -1
	} else if !s.byte('+') {
		return 0, false
	}
	hour, ok := s.digits(2, 2)
	minute := 0
	if ok && !s.end() {
		s.byte(':')
		minute, ok = s.digits(2, 2)
	}
	total := hour*3600 + minute*60
	return sign * total, ok && minute < 60 && total <= 18*3600
}

// ParseTime reads hour:minute[:second[.fraction]] as nanoseconds of the day;
// more tells of digits below the nanosecond that are not all zero.
func ParseTime(text string) (nanos int64, more bool, err error) {
	s := scanner{text: text}
	nanos, more, ok := s.clock()
	if !ok || !s.end() {
		return 0, false, errTime
	}
	return nanos, more, nil
}

// Wall is the date and time as written, as if it were UTC.
func (dt DateTime) Wall() schema.TimestampValue {
	millis := dt.Days*secondsPerDay*1000 + dt.Nanos/1e6
	return schema.TimestampValue{Millis: millis, Nanos: int32(dt.Nanos % 1e6)}
}

// Instant is the moment meant: at its own offset, else in loc (nil is UTC).
// Where a clock is set forward the skipped times count on from before the gap;
// where it is set back the earlier of the two moments is meant.
func (dt DateTime) Instant(loc *time.Location) schema.TimestampValue {
	v := dt.Wall()
	offset := dt.Offset
	if !dt.Zoned {
		offset = WallOffset(dt.Days*secondsPerDay+dt.Nanos/1e9, loc)
	}
	v.Millis -= int64(offset) * 1000
	return v
}

// WallOffset is the offset in loc of a wall clock given in seconds as if it were UTC.
func WallOffset(wall int64, loc *time.Location) int {
	if loc == nil || loc == time.UTC {
		return 0
	}
	before, after := OffsetAt(wall-secondsPerDay, loc), OffsetAt(wall+secondsPerDay, loc)
	if before == after || OffsetAt(wall-int64(before), loc) == before {
		return before
	}
	if OffsetAt(wall-int64(after), loc) == after {
		return after
	}
	return before
}

// OffsetAt is the offset of loc from UTC, in seconds, at a moment given in seconds since 1970.
func OffsetAt(second int64, loc *time.Location) int {
	_, offset := time.Unix(second, 0).In(loc).Zone()
	return offset
}

// DaysOf counts the days from 1970-01-01 to a date of the proleptic Gregorian calendar.
func DaysOf(year, month, day int) int64 {
	// Years run from March, so that the leap day is the last of its year.
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
		m += 12
	}
	leaps := floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400)
	return 365*y + leaps + (153*(m-3)+2)/5 + int64(day) - 1 - 719468
}

// DateOf is the date that lies days after 1970-01-01.
func DateOf(days int64) (year, month, day int) {
	days += 719468                               // from 0000-03-01
	era := floorDiv(days, 146097)                // of 400 years
	d := days - era*146097                       // 0..146096
	y := (d - d/1460 + d/36524 - d/146096) / 365 // of the era
	d -= 365*y + y/4 - y/100                     // of the year, from 1 March
	m := (5*d + 2) / 153                         // 0 is March
	day = int(d-(153*m+2)/5) + 1
	year = int(y + era*400)
	if m += 3; m > 12 {
		m -= 12
		year++
	}
	return year, int(m), day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// FromTime is the moment t, and its wall clock in its own zone as if it were UTC.
func FromTime(t time.Time) (instant, wall schema.TimestampValue) {
	instant = schema.TimestampValue{Millis: t.UnixMilli(), Nanos: int32(t.Nanosecond() % 1e6)}
	_, offset := t.Zone()
	wall = instant
	wall.Millis += int64(offset) * 1000
	return instant, wall
}

// unitsPerSecond is the Arrow unit of a TIMESTAMP of the given precision.
func unitsPerSecond(precision int) int64 {
	switch {
	case precision == 0:
		return 1
	case precision <= 3:
		return 1e3
	case precision <= 6:
		return 1e6
	}
	return 1e9
}

// ToUnits is the Arrow value of v in a TIMESTAMP of the given precision: the
// largest that is not above v. The Fit tells what lies below the unit, and a v
// that Arrow's 64 bits cannot hold (nanoseconds reach from 1677 to 2262).
func ToUnits(v schema.TimestampValue, precision int) (int64, Fit) {
	per := unitsPerSecond(precision)
	if per <= 1e3 {
		units := floorDiv(v.Millis, 1e3/per)
		return units, fitOf(v.Nanos != 0 || units*(1e3/per) != v.Millis)
	}
	perMilli := per / 1e3 // 1e3 or 1e6
	nanosPerUnit := 1e6 / perMilli
	below := int64(v.Nanos) / nanosPerUnit
	// The smallest int64 lies within its millisecond: test from the next one up.
	if v.Millis > (math.MaxInt64-below)/perMilli {
		return math.MaxInt64, TooLarge
	}
	if v.Millis < math.MinInt64/perMilli {
		if v.Millis == math.MinInt64/perMilli-1 && below >= perMilli+math.MinInt64%perMilli {
			return (v.Millis+1)*perMilli + (below - perMilli), fitOf(int64(v.Nanos)%nanosPerUnit != 0)
		}
		return math.MinInt64, TooSmall
	}
	return v.Millis*perMilli + below, fitOf(int64(v.Nanos)%nanosPerUnit != 0)
}

// FromUnits is the inverse of ToUnits.
func FromUnits(units int64, precision int) schema.TimestampValue {
	seconds, nanos := SplitUnits(units, precision)
	return schema.TimestampValue{Millis: seconds*1e3 + int64(nanos)/1e6, Nanos: nanos % 1e6}
}

// SplitUnits parts an Arrow timestamp into whole seconds (rounded down) and nanoseconds.
func SplitUnits(units int64, precision int) (seconds int64, nanos int32) {
	per := unitsPerSecond(precision)
	seconds = floorDiv(units, per)
	return seconds, int32((units - seconds*per) * (1e9 / per))
}

// Truncate drops what a TIMESTAMP of the given precision cannot hold.
func Truncate(v schema.TimestampValue, precision int) schema.TimestampValue {
	if precision >= 9 {
		return v
	}
	step := pow10(9 - precision) // in nanoseconds
	if step >= 1e6 {
		v.Millis -= floorMod(v.Millis, step/1e6)
		v.Nanos = 0
		return v
	}
	v.Nanos -= v.Nanos % int32(step)
	return v
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// AppendDate appends 2026-01-31; years outside 0..9999 carry a sign.
func AppendDate(dst []byte, days int64) []byte {
	year, month, day := DateOf(days)
	switch {
	case year < 0:
		dst, year = append(dst, '-'), -year
	case year > 9999:
		dst = append(dst, '+')
	}
	if year > 9999 {
		dst = strconv.AppendInt(dst, int64(year), 10)
	} else {
		dst = append(dst, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10))
	}
	dst = append(dst, '-')
	dst = appendTwo(dst, month)
	dst = append(dst, '-')
	return appendTwo(dst, day)
}

func appendTwo(dst []byte, v int) []byte { return append(dst, byte('0'+v/10%10), byte('0'+v%10)) }

// AppendTime appends 10:11:12.345 of the milliseconds of a day. Negative ones,
// which Paimon makes of a TIMESTAMP before 1970, count back from midnight.
func AppendTime(dst []byte, millis int32) []byte {
	for millis < 0 {
		millis += secondsPerDay * 1000
	}
	dst = appendClock(dst, int(millis)/1000)
	ms := int(millis) % 1000
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

func appendClock(dst []byte, seconds int) []byte {
	dst = appendTwo(dst, seconds/3600)
	dst = append(dst, ':')
	dst = appendTwo(dst, seconds/60%60)
	dst = append(dst, ':')
	return appendTwo(dst, seconds%60)
}

// AppendTimestamp appends 2026-01-31T10:11:12.345 with precision fraction
// digits, or as many more as the value needs; no point when there are none.
func AppendTimestamp(dst []byte, seconds int64, nanos int32, precision int) []byte {
	days := floorDiv(seconds, secondsPerDay)
	dst = AppendDate(dst, days)
	dst = append(dst, 'T')
	dst = appendClock(dst, int(seconds-days*secondsPerDay))
	var digits [9]byte
	for i, n := 8, nanos; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	n := 9
	for n > precision && digits[n-1] == '0' {
		n--
	}
	if n == 0 {
		return dst
	}
	return append(append(dst, '.'), digits[:n]...)
}
