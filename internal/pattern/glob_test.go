// SPDX-License-Identifier: Apache-2.0

package pattern_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"seismo/internal/pattern"
)

func glob(t testing.TB, text string, path, cased bool) *pattern.Glob {
	t.Helper()
	g, err := pattern.ParseGlob(text, path, cased)
	if err != nil {
		t.Fatalf("ParseGlob(%q): %v", text, err)
	}
	return g
}

func TestGlob(t *testing.T) {
	tests := []struct {
		name        string
		glob        string
		path, cased bool
		yes, no     []string
	}{
		{"no wildcard", "abc", false, false, []string{"abc", "ABC"}, []string{"", "ab", "abcd", "xabc"}},
		{"star", "a*c", false, false, []string{"ac", "abc", "a/b/c", "a\x00\xffc"}, []string{"a", "c", "acb"}},
		{"only a star", "*", false, false, []string{"", "a", "a/b"}, nil},
		{"question mark is one byte", "a?", false, false, []string{"ab", "a\xff", "a/"}, []string{"a", "abc", "aé"}},
		{"cased", "Ab*", false, true, []string{"Ab", "AbC"}, []string{"ab", "AB"}},
		{"folds ASCII only", "k*", false, false, []string{"k", "K1"}, []string{"\u212a"}},
		{"other letters are exact", "é", false, false, []string{"é"}, []string{"É"}},
		{"classes of one", "[*][?][[]]", false, false, []string{"*?[]"}, []string{"abc]", "*?["}},
		{"windows path", `c:\*\x.exe`, false, false, []string{`C:\a\b\X.EXE`}, []string{`c:\x.exe`}},
		{"path star stops at separators", `/etc/*/x`, true, false, []string{"/etc/a/x", "/etc//x"}, []string{"/etc/a/b/x", `/etc/a\b/x`}},
		{"path question mark", `a?b`, true, false, []string{"axb"}, []string{"a/b", `a\b`}},
		{"double star in a path", `/etc/**/x`, true, false, []string{"/etc/a/x", "/etc/a/b/x", "/etc//x"}, []string{"/etc/x", "/etc/a/xx"}},
		{"stars of both kinds", `**/*.d/*.conf`, true, false, []string{"/a/b.d/c.conf", "x/.d/.conf"}, []string{"/b.d/c/d.conf", "b.d/c.conf"}},
		{"three stars", `a***b`, true, false, []string{"ab", "a/b"}, []string{"a/"}},
		{"double star in a glob", `a**b`, false, false, []string{"ab", "a/b"}, nil},
		{"character", "a[u+]c", false, false, []string{"abc", "aéc", "A€c", "a😀C", "a/c", "a\xffc"}, []string{"ac", "abbc", "aééc", "a\x80c"}},
		{"characters", "[u+][u+]", false, false, []string{"ab", "éb", "b€", "😀é"}, []string{"é", "a", "abc", "€éa"}},
		{"character at least", "*[u+]x", false, true, []string{"ax", "éx", "aaéx"}, []string{"x", "éX"}},
		{"character beside a star", "[u+]*é", false, false, []string{"aé", "éé", "é1é"}, []string{"é", "éÉ"}},
		{"character in a path", "/a/[u+]", true, false, []string{"/a/b", "/a/é"}, []string{"/a//", `/a/\`}},
		{"character in upper case", "[U+]", false, false, []string{"é", "u"}, []string{"", "[u+]"}},
		{"bytes as they are", "a\x00\xff*", false, false, []string{"a\x00\xff", "A\x00\xffb"}, []string{"a\x00\xfe"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := glob(t, tt.glob, tt.path, tt.cased)
			for i, v := range slices.Concat(tt.yes, tt.no) {
				want := i < len(tt.yes)
				if got := g.MatchString(v); got != want || g.Match([]byte(v)) != got {
					t.Errorf("glob %q, path %v, cased %v: MatchString(%q) = %v, want %v", tt.glob, tt.path, tt.cased, v, got, want)
				}
			}
		})
	}
}

// A glob with every byte there is, and so long that its states need many words.
func TestGlobOfAllBytes(t *testing.T) {
	var all []byte
	for c := range 256 {
		if c != '*' && c != '?' && c != '[' {
			all = append(all, byte(c))
		}
	}
	text := "*" + string(all) + "[*][?][[]" + strings.Repeat("x?", 300) + "*end"
	value := "before" + string(all) + "*?[" + strings.Repeat("x\xff", 300) + "...end"
	for _, path := range []bool{false, true} {
		g := glob(t, text, path, true)
		if !g.MatchString(value) {
			t.Errorf("path %v: no match", path)
		}
		for i := len("before"); i < len("before")+len(all); i++ {
			other := []byte(value)
			other[i]++
			if g.Match(other) {
				t.Errorf("path %v: matches with byte %d changed", path, i)
			}
		}
	}
}

func TestGlobNeeds(t *testing.T) {
	tests := []struct {
		glob         string
		begins, ends string
		contains     []string
	}{
		{"Abc", "abc", "abc", nil},
		{"*", "", "", nil},
		{"a*", "a", "", nil},
		{"*a", "", "a", nil},
		{"*a*", "", "", []string{"a"}},
		{"ab*CD?e*[*]x", "ab", "*x", []string{"cd", "e"}},
		{"?a?", "", "", []string{"a"}},
		{"??", "", "", nil},
		{"a?", "a", "", nil},
		{"?a", "", "a", nil},
		{"ab[u+]cd[u+]*e", "ab", "e", []string{"cd"}},
	}
	for _, tt := range tests {
		begins, ends, contains := glob(t, tt.glob, false, true).Needs()
		if begins != tt.begins || ends != tt.ends || !slices.Equal(contains, tt.contains) {
			t.Errorf("needs of %q: %q, %q, %q; want %q, %q, %q", tt.glob, begins, ends, contains, tt.begins, tt.ends, tt.contains)
		}
	}
}

func TestGlobErrors(t *testing.T) {
	tests := []struct{ glob, want string }{
		{"", "an empty pattern"},
		{"a[bc]", "a glob has no sets of characters (at byte 2)"},
		{"[!a]", "a glob has no sets of characters (at byte 1)"},
		{"a[", "a glob has no sets of characters (at byte 2)"},
		{"[u+", "a glob has no sets of characters (at byte 1)"},
		{"[*", "a glob has no sets of characters (at byte 1)"},
		{strings.Repeat("x", 4097), "a pattern of 4097 bytes, at most 4096 are taken"},
	}
	for _, tt := range tests {
		_, err := pattern.ParseGlob(tt.glob, false, false)
		if !errors.Is(err, pattern.ErrPattern) || err.Error() != tt.want {
			t.Errorf("ParseGlob(%.20q): %v, want %s", tt.glob, err, tt.want)
		}
	}
	glob(t, strings.Repeat("?", 4096), true, false)
}

// A glob that makes a backtracking matcher try 2^n ways takes one pass: this test
// would not end otherwise.
func TestGlobHostile(t *testing.T) {
	value := strings.Repeat("a", 100_000)
	for _, text := range []string{strings.Repeat("a*", 500) + "b", strings.Repeat("*a**", 300) + "b*a", "**" + strings.Repeat("*/", 200) + "b"} {
		for _, path := range []bool{false, true} {
			if glob(t, text, path, false).MatchString(value) {
				t.Errorf("glob %.20q, path %v matches", text, path)
			}
		}
	}
}

// naive is the meaning of a glob, written down as a recursion.
func naive(glob, v string, path bool) bool {
	separator := func(c byte) bool { return path && (c == '/' || c == '\\') }
	switch {
	case glob == "":
		return v == ""
	case path && strings.HasPrefix(glob, "**"):
		rest := strings.TrimLeft(glob, "*")
		for i := range len(v) + 1 {
			if naive(rest, v[i:], path) {
				return true
			}
		}
		return false
	case glob[0] == '*':
		for i := range len(v) + 1 {
			if naive(glob[1:], v[i:], path) {
				return true
			}
			if i < len(v) && separator(v[i]) {
				return false
			}
		}
		return false
	case v == "":
		return false
	case strings.HasPrefix(glob, "[u+]"):
		inside := func(c byte) bool { return 0x80 <= c && c < 0xc0 }
		if inside(v[0]) || separator(v[0]) {
			return false
		}
		n := 1
		for ; n < len(v) && inside(v[n]); n++ {
			if naive(glob[4:], v[n:], path) { // what follows may begin with such a byte itself
				return true
			}
		}
		return naive(glob[4:], v[n:], path)
	case glob[0] == '?':
		return !separator(v[0]) && naive(glob[1:], v[1:], path)
	case glob[0] == '[':
		return glob[1] == v[0] && naive(glob[3:], v[1:], path)
	}
	return glob[0] == v[0] && naive(glob[1:], v[1:], path)
}

// lowerASCII folds as patterns do.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// A glob matches what its recursive meaning says, and every match has what it
// needs.
func FuzzGlob(f *testing.F) {
	f.Add("*/a**b?", "x/aYb/", true, true)
	f.Add("a*[*]B", "a*b", false, false)
	f.Add("[u+]*[u+]é", "aé\xffé", true, false)
	f.Add(strings.Repeat("a?", 40)+"*b", strings.Repeat("ax", 40)+"b", true, false)
	f.Fuzz(func(t *testing.T, text, value string, path, cased bool) {
		if len(text) > 100 || len(value) > 60 || strings.Count(text, "*") > 4 {
			return
		}
		g, err := pattern.ParseGlob(text, path, cased)
		if err != nil {
			if !errors.Is(err, pattern.ErrPattern) {
				t.Fatalf("ParseGlob(%q): %v", text, err)
			}
			return
		}
		wantText, wantValue := text, value
		if !cased {
			wantText, wantValue = lowerASCII(text), lowerASCII(value)
		}
		got, want := g.MatchString(value), naive(wantText, wantValue, path)
		if got != want || g.Match([]byte(value)) != got {
			t.Fatalf("glob %q, path %v, cased %v, value %q: %v, want %v", text, path, cased, value, got, want)
		}
		begins, ends, contains := g.Needs()
		folded := lowerASCII(value)
		if !got {
			return
		}
		if !strings.HasPrefix(folded, begins) || !strings.HasSuffix(folded, ends) {
			t.Errorf("glob %q matches %q without %q, %q", text, value, begins, ends)
		}
		for _, c := range contains {
			if !strings.Contains(folded, c) {
				t.Errorf("glob %q matches %q without %q", text, value, c)
			}
		}
	})
}

func BenchmarkGlob(b *testing.B) {
	value := []byte(`"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -Command "& {Get-ChildItem C:\Users}" -Path x.tmp`)
	for _, text := range []string{`*\powershell.exe*-enc*`, `*a*b*c*d*e*f*`, strings.Repeat("?", 70) + "*q"} {
		g := glob(b, text, false, false)
		b.Run("glob="+text[:8], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				g.Match(value)
			}
		})
	}
}
