// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestAppendString(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want string
		err  error
	}{
		{"quoted", `"/usr/bin/curl"`, "/usr/bin/curl", nil},
		{"hex digits in quotes", `"2F746D70"`, "2F746D70", nil},
		{"empty", `""`, "", nil},
		{"hex for a blank", `2F746D702F612062`, "/tmp/a b", nil},
		{"hex for a NUL", `6100`, "a\x00", nil},
		{"missing", `(null)`, "", nil},
		{"lower case", `2f`, "", ErrMalformed},
		{"odd number of digits", `2F7`, "", ErrMalformed},
		{"nothing", ``, "", ErrMalformed},
		{"plain", `curl`, "", ErrMalformed},
		{"not closed", `"curl`, "", ErrMalformed},
		{"one quote", `"`, "", ErrMalformed},
		{"blank in quotes", `"a b"`, "", ErrMalformed},
		{"blank in quotes, after eight bytes", `"12345678 "`, "", ErrMalformed},
		{"blank in quotes, among eight bytes", `"1234 678"`, "", ErrMalformed},
		{"quote in quotes", `"a"b"`, "", ErrMalformed},
		{"quote in quotes, among eight bytes", `"123"56789"`, "", ErrMalformed},
		{"DEL in quotes, among eight bytes", "\"123\x7f56789\"", "", ErrMalformed},
		{"all that may stand in quotes", `"!#~}09AZaz/.:-_|\"`, `!#~}09AZaz/.:-_|\`, nil},
		{"bytes over 0x7f", "\"\xc3\xa9\"", "", ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendString([]byte("x"), []byte(tt.in))
			if string(got) != "x"+tt.want || !errors.Is(err, tt.err) {
				t.Errorf("AppendString(%s) = %q, %v; want %q, %v", tt.in, got, err, "x"+tt.want, tt.err)
			}
		})
	}
}

func TestAppendValue(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"quoted", `"root"`, "root"},
		{"hex digits in quotes", `"726F6F74"`, "726F6F74"},
		{"hex", `6120622063`, "a b c"},
		{"plain", `root`, "root"},
		{"plain, even number of lower-case hex digits", `cafe`, "cafe"},
		{"plain, odd number of digits", `123`, "123"},
		{"missing", `(null)`, ""},
		{"unknown", `?`, "?"},
		{"nothing", ``, ""},
		{"blanks in quotes, not closed", `"a b`, "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := AppendValue([]byte("x"), []byte(tt.in)); string(got) != "x"+tt.want {
				t.Errorf("AppendValue(%s) = %q, want %q", tt.in, got, "x"+tt.want)
			}
		})
	}
}

// kernelQuote writes b as the kernel does (kernel/audit.c,
// audit_log_n_untrustedstring).
func kernelQuote(b []byte) []byte {
	for _, c := range b {
		if c < 0x21 || c > 0x7e || c == '"' {
			return fmt.Appendf(nil, "%X", b)
		}
	}
	return fmt.Appendf(nil, `"%s"`, b)
}

// What the kernel writes is read back; what it cannot have written is refused
// without a panic and without a byte appended.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "/tmp/a b", `a"b`, "/usr/bin/something/longer", "2F", `"2F"`, "(null)", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := AppendString(nil, kernelQuote(b))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("round trip of %q: %q, %v", b, got, err)
		}
		if got := AppendValue(nil, kernelQuote(b)); !bytes.Equal(got, b) {
			t.Errorf("AppendValue(%q) = %q", kernelQuote(b), got)
		}
		got, err = AppendString(nil, b)
		switch {
		case err != nil && (len(got) != 0 || !errors.Is(err, ErrMalformed)):
			t.Errorf("AppendString(%q) = %q, %v", b, got, err)
		case err == nil && string(b) != "(null)" && !bytes.Equal(kernelQuote(got), b):
			// The kernel writes hex digits only where it must; they are read always.
			if hex := fmt.Appendf(nil, "%X", got); !bytes.Equal(hex, b) {
				t.Errorf("AppendString(%q) = %q, which the kernel writes %q", b, got, kernelQuote(got))
			}
		}
	})
}
