// SPDX-License-Identifier: Apache-2.0

// This file holds the readers of numbers, dates and addresses against those of the
// standard library.

package engine

import (
	"math/big"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"seismo/signals"
)

var decimalForm = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$`)

// Numbers without an exponent compare as rational numbers do, and nothing else is one.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-0", "+1", "00012", "1.50", ".5", "5.", ".", "-", "", "1e3", "1e", "18446744073709551616", "-9223372036854775809", "0x10", " 1", "1_0"} {
		f.Add(s, "1.5")
		f.Add("-2", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 200 || strings.ContainsAny(a+b, "eE") {
			return
		}
		x, okX := parseDecimal([]byte(a))
		y, okY := parseDecimal([]byte(b))
		if okX != decimalForm.MatchString(a) || okY != decimalForm.MatchString(b) {
			t.Fatalf("parseDecimal(%q) = %v, parseDecimal(%q) = %v", a, okX, b, okY)
		}
		if !okX || !okY {
			return
		}
		left, _ := new(big.Rat).SetString(a)
		right, _ := new(big.Rat).SetString(b)
		if got, want := x.compare(&y), left.Cmp(right); got != want {
			t.Errorf("%q compares with %q as %d, want %d", a, b, got, want)
		}
	})
}

func TestDecimalWithExponent(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1e3", "1000", 0}, {"1.5E-1", "0.15", 0}, {"-2e2", "1", -1}, {"1e999", "5", 1}, {"0e5", "-0", 0}, {"1e2", "99.5", 1},
	} {
		a, okA := parseDecimal([]byte(tt.a))
		b, okB := parseDecimal([]byte(tt.b))
		if got := a.compare(&b); !okA || !okB || got != tt.want {
			t.Errorf("%s compares with %s as %d, %v, %v; want %d", tt.a, tt.b, got, okA, okB, tt.want)
		}
	}
}

// naiveDate reads v with the standard library, in the forms that count.
func naiveDate(v string) (time.Time, bool) {
	forms := []struct{ form, layout string }{
		{`^\d{4}-\d\d-\d\d$`, time.DateOnly},
		{`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?$`, "2006-01-02 15:04:05.999999999"},
		{`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$`, "2006-01-02T15:04:05.999999999"},
		{`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`, "2006-01-02 15:04:05.999999999Z07:00"},
		{`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`, time.RFC3339Nano},
	}
	for _, f := range forms {
		if regexp.MustCompile(f.form).MatchString(v) {
			at, err := time.Parse(f.layout, v)
			return at, err == nil
		}
	}
	return time.Time{}, false
}

func naivePart(at time.Time, p signals.DatePart) int {
	_, week := at.ISOWeek()
	return map[signals.DatePart]int{signals.Minute: at.Minute(), signals.Hour: at.Hour(), signals.Day: at.Day(),
		signals.Week: week, signals.Month: int(at.Month()), signals.Year: at.Year()}[p]
}

// All parts of a date are those that package time gives.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"2026-11-22", "2026-11-22 19:46:56", "2026-11-22 19:46:56.123", "2026-11-22T19:46:56Z", "2026-11-22T19:46:56.1+05:30",
		"2024-02-29", "2023-02-29", "2026-11-22T19:46:56", "2026-11-22 19:46:56Z", "0000-01-01", "9999-12-31", "2026-11-22T24:00:00Z", "2026-13-01", "2026-1-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		got, ok := parseDate([]byte(v))
		at, want := naiveDate(v)
		if ok != want {
			t.Fatalf("parseDate(%q) = %v, want %v", v, ok, want)
		}
		for p := signals.Minute; ok && p <= signals.Year; p++ {
			if got, want := got.part(p), naivePart(at, p); got != want {
				t.Errorf("%s of %q = %d, want %d", p, v, got, want)
			}
		}
	})
}

// The week of every day of 800 years is that of package time.
func TestWeek(t *testing.T) {
	for at := time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2400; at = at.AddDate(0, 0, 1) {
		d := date{year: at.Year(), month: int(at.Month()), day: at.Day()}
		if _, want := at.ISOWeek(); d.week() != want {
			t.Fatalf("week of %s = %d, want %d", at.Format(time.DateOnly), d.week(), want)
		}
	}
}

// What is an address, and which, is what package netip says.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "::1", "::", "fe80::1%eth0", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "1::8", "1:2:3:4:5:6:1.2.3.4", "01.2.3.4",
		"256.1.1.1", "1.2.3", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:::2", "12345::", "::1.2.3.4.5", "1:2", "12:34:56", "fe80::%", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		got, ok := parseAddress([]byte(v))
		want, err := netip.ParseAddr(v)
		if want = want.WithZone("").Unmap(); ok != (err == nil) || ok && got != want {
			t.Errorf("parseAddress(%q) = %v, %v; want %v, %v", v, got, ok, want, err)
		}
	})
}
