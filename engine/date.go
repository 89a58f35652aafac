// SPDX-License-Identifier: Apache-2.0

// This file takes parts of dates that stand in values as text.

package engine

import (
	"cmp"

	"seismo/signals"
)

// date is a moment as it was written: in the zone that was given, UTC if none was.
type date struct{ year, month, day, hour, minute int }

// parseDate reads a date of RFC 3339, also with a blank for its T or without a zone, with
// or without a fraction of a second, or "2006-01-02".
func parseDate(v []byte) (d date, ok bool) {
	if len(v) < 10 || v[4] != '-' || v[7] != '-' {
		return d, false
	}
	year, ok1 := number2(v[0:2])
	rest, ok2 := number2(v[2:4])
	d.year = 100*year + rest
	month, ok3 := number2(v[5:7])
	day, ok4 := number2(v[8:10])
	d.month, d.day = month, day
	if !ok1 || !ok2 || !ok3 || !ok4 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > daysIn(d.year, d.month) {
		return d, false
	}
	if len(v) == 10 {
		return d, true
	}
	return d.withTime(v[10:])
}

// withTime adds the time that v, which begins with the separator, gives.
func (d date) withTime(v []byte) (date, bool) {
	if len(v) < 9 || v[0] != 'T' && v[0] != ' ' || v[3] != ':' || v[6] != ':' {
		return d, false
	}
	var second int
	var ok1, ok2, ok3 bool
	d.hour, ok1 = number2(v[1:3])
	d.minute, ok2 = number2(v[4:6])
	second, ok3 = number2(v[7:9])
	if !ok1 || !ok2 || !ok3 || d.hour > 23 || d.minute > 59 || second > 59 {
		return d, false
	}
	zone := v[9:]
	if len(zone) > 0 && zone[0] == '.' {
		n := digits(zone[1:])
		if n == 0 {
			return d, false
		}
		zone = zone[1+n:]
	}
	return d, len(zone) == 0 || isZone(zone)
}

// isZone reports whether v is Z or a difference to UTC.
func isZone(v []byte) bool {
	if len(v) == 1 {
		return v[0] == 'Z'
	}
	if len(v) != 6 || v[0] != '+' && v[0] != '-' || v[3] != ':' {
		return false
	}
	hours, ok1 := number2(v[1:3])
	minutes, ok2 := number2(v[4:6])
	return ok1 && ok2 && hours < 24 && minutes < 60
}

// number2 reads two digits.
func number2(v []byte) (int, bool) {
	a, b := v[0]-'0', v[1]-'0'
	return 10*int(a) + int(b), a < 10 && b < 10
}

// daysIn returns the days of a month of the Gregorian calendar.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if isLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// part returns a part of d.
func (d *date) part(p signals.DatePart) int {
	switch p {
	case signals.Minute:
		return d.minute
	case signals.Hour:
		return d.hour
	case signals.Day:
		return d.day
	case signals.Week:
		return d.week()
	case signals.Month:
		return d.month
	}
	return d.year
}

// week returns the number of d's week by ISO 8601: the week that has the Thursday
// belongs to the year.
func (d *date) week() int {
	n := d.yearDay()
	week := (n - d.weekday() + 9) / 7 // weekday 0 is Monday; n counts from 1
	switch {
	case week < 1:
		return weeksIn(d.year - 1)
	case week > weeksIn(d.year):
		return 1
	}
	return week
}

// yearDay returns the day of d's year, from 1.
func (d *date) yearDay() int {
	n := d.day
	for m := 1; m < d.month; m++ {
		n += daysIn(d.year, m)
	}
	return n
}

// weekday returns the day of d's week: 0 is Monday.
func (d *date) weekday() int {
	y := d.year + 399 // of a cycle of 400 years, all of which have the same weekdays
	first := y*365 + y/4 - y/100 + y/400
	return (first + d.yearDay() + 6) % 7
}

// weeksIn returns the weeks of a year: 53 if its first or last day is a Thursday.
func weeksIn(year int) int {
	first, last := date{year: year, month: 1, day: 1}, date{year: year, month: 12, day: 31}
	if first.weekday() == 3 || last.weekday() == 3 {
		return 53
	}
	return 52
}

// meetsDate reports whether v is a date whose part compares with the number of a as
// the condition of a says.
func meetsDate(a *atom, v []byte) bool {
	d, ok := parseDate(v)
	return ok && satisfies(a.cond, cmp.Compare(int64(d.part(a.part)), a.number))
}
