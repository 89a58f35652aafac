// SPDX-License-Identifier: Apache-2.0

// This file reads points in time as logs spell them.

package jsonl

import (
	"bytes"
	"time"
)

// timeNames are the fields that tell when an event happened, the best first: what
// the event says of itself, then when it was logged, then when it was collected.
// EventTime comes late since NXLog writes it in local time without a zone.
var timeNames = [...]string{"UtcTime", "TimeCreated_SystemTime", "TimeCreated", "SystemTime", "@timestamp", "timestamp",
	"Timestamp", "EventTime", "TimeGenerated", "time", "_time", "ts", "datetime"}

// when returns the time of the event at hand, or false if it has none.
func (f *fields) when() (int64, bool) {
	for _, name := range timeNames {
		if v := f.get(name); v != nil {
			if t, ok := parseTime(v); ok {
				return t, true
			}
		}
	}
	return 0, false
}

// maxTime is the last second whose nanoseconds an int64 holds (2262).
const maxTime = int64(1<<63-1)/1e9 - 1

// parseTime reads a point in time and returns its Unix time in nanoseconds. It takes
// RFC 3339 and its relatives (a blank for the T, a fraction of any length after a dot
// or comma, the zone as Z, UTC, +hh:mm, +hhmm, +hh, or none, which is UTC), and Unix
// time in seconds, with or without a fraction, or in milli-, micro- or nanoseconds,
// which the number of digits tells; also /Date(milliseconds)/ of .NET. Times before
// 1970 are none.
func parseTime(v []byte) (int64, bool) {
	v = bytes.TrimSpace(v)
	if len(v) >= 10 && v[4] == '-' && v[7] == '-' {
		return parseDate(v)
	}
	if inner, ok := bytes.CutPrefix(v, []byte("/Date(")); ok {
		v, _ = bytes.CutSuffix(inner, []byte(")/"))
	}
	return parseUnix(v)
}

func parseDate(v []byte) (int64, bool) {
	year, ok1 := decimal(v[:4])
	month, ok2 := decimal(v[5:7])
	day, ok3 := decimal(v[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	sec := days(year, month, day) * 86400
	v = v[10:]
	if len(v) == 0 {
		return bounded(sec, 0, 0)
	}
	if len(v) < 9 || v[0] != 'T' && v[0] != 't' && v[0] != ' ' || v[3] != ':' || v[6] != ':' {
		return 0, false
	}
	hour, ok1 := decimal(v[1:3])
	minute, ok2 := decimal(v[4:6])
	second, ok3 := decimal(v[7:9])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	sec += hour*3600 + minute*60 + second
	nanos, rest := fraction(v[9:])
	offset, ok := zone(rest)
	if !ok {
		return 0, false
	}
	return bounded(sec, nanos, offset)
}

// bounded returns the nanoseconds of sec, less the offset of its zone, and nanos.
func bounded(sec, nanos, offset int64) (int64, bool) {
	sec -= offset
	if sec < 0 || sec > maxTime {
		return 0, false
	}
	return sec*1e9 + nanos, true
}

// decimal reads v, at most 18 bytes, as digits only.
func decimal(v []byte) (n int64, ok bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	for _, c := range v {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// fraction reads the fraction of a second that v may begin with, in nanoseconds.
func fraction(v []byte) (nanos int64, rest []byte) {
	if len(v) < 2 || v[0] != '.' && v[0] != ',' {
		return 0, v
	}
	scale := int64(100_000_000)
	i := 1
	for ; i < len(v) && v[i]-'0' <= 9; i++ {
		nanos += int64(v[i]-'0') * scale
		scale /= 10
	}
	return nanos, v[i:]
}

// zone reads the offset of a time zone from UTC, in seconds.
func zone(v []byte) (int64, bool) {
	v = bytes.TrimLeft(v, " ")
	switch string(v) {
	case "", "Z", "z", "UTC", "GMT":
		return 0, true
	}
	sign := int64(1)
	switch v[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	v = v[1:]
	if len(v) == 5 && v[2] == ':' {
		hour, ok1 := decimal(v[:2])
		minute, ok2 := decimal(v[3:])
		return sign * (hour*3600 + minute*60), ok1 && ok2 && hour < 24 && minute < 60
	}
	n, ok := decimal(v)
	switch {
	case ok && len(v) == 4 && n%100 < 60 && n < 2400:
		return sign * (n/100*3600 + n%100*60), true
	case ok && len(v) == 2 && n < 24:
		return sign * n * 3600, true
	}
	return 0, false
}

// daysBefore are the days of a common year before each month.
var daysBefore = [...]int64{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

func leap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int64) int64 {
	n := daysBefore[month] - daysBefore[month-1]
	if month == 2 && leap(year) {
		n++
	}
	return n
}

// days returns the days from 1970-01-01 to the date, in the Gregorian calendar.
func days(year, month, day int64) int64 {
	y := year - 1
	n := y*365 + y/4 - y/100 + y/400 + daysBefore[month-1] + day - 1
	if month > 2 && leap(year) {
		n++
	}
	const epoch = 719162 // days from 0001-01-01 to 1970-01-01
	return n - epoch
}

// parseUnix reads a Unix time. Of whole numbers the size tells the unit: seconds up
// to the year 2286, then milliseconds, microseconds and nanoseconds.
func parseUnix(v []byte) (int64, bool) {
	whole := v
	dot := bytes.IndexByte(v, '.')
	if dot > 0 {
		whole = v[:dot]
	}
	if len(v) == 19 && dot < 0 { // nanoseconds
		sec, ok1 := decimal(v[:10])
		nanos, ok2 := decimal(v[10:])
		if !ok1 || !ok2 {
			return 0, false
		}
		return bounded(sec, nanos, 0)
	}
	n, ok := decimal(whole)
	if !ok {
		return 0, false
	}
	var nanos int64
	if dot > 0 {
		var rest []byte
		if nanos, rest = fraction(v[dot:]); len(rest) > 0 {
			return 0, false
		}
	}
	switch {
	case n < 1e8: // before 1973: a number that is no time of day
		return 0, false
	case n < 1e10:
		return bounded(n, nanos, 0)
	case n < 1e13:
		return bounded(n/1e3, n%1e3*int64(time.Millisecond)+nanos/1e3, 0)
	case n < 1e16:
		return bounded(n/1e6, n%1e6*int64(time.Microsecond), 0)
	}
	return bounded(n/1e9, n%1e9, 0)
}
