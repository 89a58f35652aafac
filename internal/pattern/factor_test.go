// SPDX-License-Identifier: Apache-2.0

package pattern_test

import (
	"regexp"
	"strings"
	"testing"

	"seismo/internal/pattern"
)

// What a Searcher passes over without its automaton does not match.
func FuzzFactor(f *testing.F) {
	expressions := []string{
		`\s[a-f0-9]{20}\s[a-f0-9]{16}`, `\\[a-z0-9]{1,32}\.[a-z0-9]{1,6}\.[ "']{1}`, `([0-9]{17,})x`, `(?:\.[ab])+`, `x*\.[ab]`,
		`(?:\.[ab])?c`, `\.[ab]|d`, `[0-9]{16}[a-f]{16}`, `(a[0-9]{16})+b`, `\.\.[.]`, `é[ab]`, `[0-9é]{16}`,
	}
	values := []string{"", " 0123456789abcdef0123 0123456789abcdef", `\a1.b2." `, `\a1.b2.x`, "..", "...", ".a", ".", "c", "d", "x.b", "éa",
		strings.Repeat("7", 15) + "a" + strings.Repeat("7", 15), strings.Repeat("7", 17) + "x", "a" + strings.Repeat("1", 16) + "b", strings.Repeat("9", 40)}
	for i := range expressions {
		for _, v := range values {
			f.Add(uint8(i), v)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, v string) {
		text := expressions[int(i)%len(expressions)]
		r, err := pattern.ParseRegex(text, true)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.NewSearcher().Match([]byte(v)), regexp.MustCompile(text).MatchString(v); got != want {
			t.Errorf("%s on %q: %v, want %v", text, v, got, want)
		}
	})
}
