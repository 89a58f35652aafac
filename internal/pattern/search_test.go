// SPDX-License-Identifier: Apache-2.0

package pattern_test

import (
	"bytes"
	"strings"
	"testing"

	"seismo/internal/ascii"
	"seismo/internal/pattern"
)

// searchable are expressions of all sorts.
var searchable = []string{"a", "^a", "a$", "^$", `\babc\b`, `\Bb`, "a|b|cd", "(a|ab)(c|bcd)", "a{2,5}b", ".{3,}", `\s[a-f0-9]{4}\s`, "(?s)a.b", "a.b", "(?m)^b$",
	`\w+` + "`" + `(?:\w+|-|.)` + "`", "[^a]b", "é+", "[а-я]{2}", "x*", `\x00`, "(?:set).*&&.*\"", `\p{Greek}`, "a+?b", "(?U)a+b", `\d{3}-\d{4}$`, "[a-c]{2,}", `^.{1,3}$`, "k", "(a*)*b", `\z`, `a\b|\bb`}

// A searcher says what package regexp says, also when it was asked before, and what a
// value must have is in each that matches.
func FuzzSearcher(f *testing.F) {
	for _, re := range searchable {
		for _, v := range []string{"", "a", "ab abc\ncd", "\nb\n", "aé b\xffc", "Kk", "xxxx 12ab 34", strings.Repeat("ab`-`", 40), "привет мир", "a\xe2\x82"} {
			f.Add(re, v, v+"b")
		}
	}
	f.Fuzz(func(t *testing.T, re, v, w string) {
		if len(re) > 60 || len(v)+len(w) > 2000 {
			return
		}
		for _, cased := range []bool{true, false} {
			r, err := pattern.ParseRegex(re, cased)
			if err != nil {
				continue
			}
			s := r.NewSearcher()
			for _, value := range []string{v, w, w + v, v, strings.Repeat(v, 3)} {
				want := r.MatchString(value)
				if got := s.Match([]byte(value)); got != want {
					t.Fatalf("NewSearcher(%q, %v).Match(%q) = %v, want %v", re, cased, value, got, want)
				}
				if !want {
					continue
				}
				folded := ascii.Fold(value)
				for c := range byte(128) {
					if r.Bytes()[c/64]>>(c%64)&1 != 0 && strings.IndexByte(folded, c) < 0 {
						t.Fatalf("ParseRegex(%q, %v).Bytes() has %q, which %q lacks but matches", re, cased, c, value)
					}
				}
			}
		}
	})
}

// The memory of a searcher is bounded whatever the value, and it stays right.
func TestSearcherMemory(t *testing.T) {
	r, err := pattern.ParseRegex("[ab]*a[ab]{16}c", true) // 2^17 states
	if err != nil {
		t.Fatal(err)
	}
	s := r.NewSearcher()
	seed := uint32(1)
	var v []byte
	for range 20_000 {
		seed = seed*1664525 + 1013904223
		v = append(v, "ab"[seed>>31])
	}
	for _, tail := range []string{"", "c"} {
		value := append(bytes.Clone(v), tail...)
		if got, want := s.Match(value), r.Match(value); got != want {
			t.Errorf("Match with %q behind = %v, want %v", tail, got, want)
		}
	}
	if s.Size() > 2<<20 {
		t.Errorf("Size() = %d", s.Size())
	}
}

func TestSearcherAllocates(t *testing.T) {
	for _, re := range searchable {
		r, err := pattern.ParseRegex(re, false)
		if err != nil {
			t.Fatal(err)
		}
		s := r.NewSearcher()
		v := []byte(strings.Repeat("c:\\windows\\system32\\x.exe -enc 12ab é ", 3))
		s.Match(v)
		if n := testing.AllocsPerRun(20, func() { s.Match(v) }); n > 0 {
			t.Errorf("a searcher of %q makes %v allocations", re, n)
		}
	}
}
