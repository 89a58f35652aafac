// SPDX-License-Identifier: Apache-2.0

package pattern_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"seismo/internal/pattern"
)

func TestFoldScopes(t *testing.T) {
	tests := []struct{ text, want string }{
		{"abc", "abc"},
		{"(?i)ab.1", "(?:)[Aa][Bb].1"},
		{"a(?i:b)c", "a(?:[Bb])c"},
		{"a(b(?i)c)d", "a(b(?:)[Cc])d"},
		{"a(?i)b|c", "a(?:)[Bb]|[Cc]"},
		{"(?i)a(?-i:b)c", "(?:)[Aa](?:b)[Cc]"},
		{"(?im)a(?s-i)b", "(?m)[Aa](?s)b"},
		{"a(?i-s:b)", "a(?-s:[Bb])"},
		{`(?i)\d\x41\Q.a\E\.`, `(?:)\d[Aa]\.[Aa]\.`},
		{"(?i:(?P<name>x))y", "(?:(?P<name>[Xx]))y"},
		{"[a](?i:[^b])", `[a](?:[^\x{42}-\x{42}\x{62}-\x{62}])`},
		{"(?i)é", "(?:)é"},
	}
	for _, tt := range tests {
		got, err := pattern.FoldScopes(tt.text)
		if got != tt.want || err != nil {
			t.Errorf("FoldScopes(%s) = %s, %v; want %s", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"(?i)a(?=b)", `(?i:a)\1`, "a(?i)*b", "a(?i){2}b", "", strings.Repeat("a", 5000)} {
		if got, err := pattern.FoldScopes(text); !errors.Is(err, pattern.ErrPattern) {
			t.Errorf("FoldScopes(%.20s) = %.20s, %v; want it refused", text, got, err)
		}
	}
}

// On ASCII the rewritten expression matches what the first one does, with (?i) as
// package regexp has it.
func FuzzFoldScopes(f *testing.F) {
	f.Add("a(?i:b[c-e]|(?-i:f))+(?i)g", "abEfG")
	f.Add(`^(?i)\x6b\Qs.\E[^x]$`, "Ks.y")
	f.Add("(?P<n>(?i)a)b(?U:c+)", "Ab")
	f.Add("0(?)*00", "00")
	f.Add("(?i){x}(?i){,2}", "{X}{,2}")
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text) > 60 || len(value) > 60 {
			return
		}
		for i := range len(value) {
			if value[i] >= 0x80 {
				return
			}
		}
		first, err := regexp.Compile(text)
		if err != nil {
			return
		}
		rewritten, err := pattern.FoldScopes(text)
		if err != nil {
			return
		}
		again, err := pattern.ParseRegex(rewritten, true)
		if err != nil {
			return // ParseRegex takes less than regexp; its own tests say what
		}
		if got, want := again.MatchString(value), first.MatchString(value); got != want {
			t.Errorf("%q rewritten to %q on %q = %v, want %v", text, rewritten, value, got, want)
		}
	})
}
