// SPDX-License-Identifier: Apache-2.0

package pattern_test

import (
	"errors"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/pattern"
)

func regex(t testing.TB, text string, cased bool) *pattern.Regex {
	t.Helper()
	r, err := pattern.ParseRegex(text, cased)
	if err != nil {
		t.Fatalf("ParseRegex(%q): %v", text, err)
	}
	return r
}

func TestRegex(t *testing.T) {
	tests := []struct {
		name, regex string
		cased       bool
		yes, no     []string
	}{
		{"anywhere", "b.d", false, []string{"abcd", "BXD"}, []string{"bd", "b\nd"}},
		{"anchored", "^a$", false, []string{"a", "A"}, []string{"ab", "ba", "a\n"}},
		{"cased", "aB", true, []string{"xaBx"}, []string{"ab", "AB"}},
		{"K is no kelvin", "k", false, []string{"k", "K"}, []string{"\u212a"}},
		{"S is no long s", "[s-t]", false, []string{"s", "S", "T"}, []string{"\u017f"}},
		{"kelvin is no K", "\u212a", false, []string{"\u212a"}, []string{"k", "K"}},
		{"a class of kelvin", "[\u212aéÉ]", false, []string{"\u212a", "é", "É"}, []string{"k", "K"}},
		{"other letters are exact", "é", false, []string{"é"}, []string{"É"}},
		{"a class of two cases", "[éÉ]x", false, []string{"éx", "ÉX"}, []string{"ex"}},
		{"negated class", "^[^a]$", false, []string{"b", "é", "\xff"}, []string{"a", "A"}},
		{"negated range", "^[^A-F0]+$", false, []string{"xyz"}, []string{"xay", "B"}},
		{"negated class in cased", "^[^a]$", true, []string{"A"}, []string{"a"}},
		{"negated class that begins with ^", "^[^^a]$", false, []string{"b"}, []string{"^", "a", "A"}},
		{"class with a bracket", "^[]a]$", false, []string{"]", "A"}, []string{"["}},
		{"negated class with a bracket", "^[^]a]$", false, []string{"b"}, []string{"]", "A"}},
		{"upper case letters", `^\p{Lu}+$`, false, []string{"ab", "AÉ"}, []string{"é"}},
		{"posix class", `^[[:upper:]_]+$`, false, []string{"a_B"}, []string{"1"}},
		{"negated posix class without case", `^[[:^digit:]]$`, false, []string{"a", "A"}, []string{"1"}},
		{"one of two letters", "^(a|B)$", false, []string{"a", "A", "b", "B"}, []string{"c"}},
		{"quoted", `^\Qa(b\E+$`, false, []string{"A(BB"}, []string{"a(b)"}},
		{"escaped letter", `^\x41\x{42}\103$`, false, []string{"abc"}, []string{"x41"}},
		{"flag i says nothing new", "^a(?i)b(?i:c)(?is:.)$", false, []string{"ABC\n"}, []string{"abc"}},
		{"flags", "(?s)a.b.(?m)^c", false, []string{"a\nb\nc"}, nil},
		{"flag i alone before a repeat", "^(?i)a$", false, []string{"A"}, []string{""}},
		{"named group", "(?P<x>a)(?<y>b)", false, []string{"AB"}, []string{"ba"}},
		{"bytes that are not UTF-8", "^a.b$", false, []string{"a\xffb", "a\x00b", "aéb"}, []string{"a\xff\xfeb"}},
		{"xff is a character", `\xff`, false, []string{"ÿ"}, []string{"\xff"}},
		{"nul", `a\x00b`, false, []string{"A\x00b"}, []string{"ab"}},
		{"matches the empty text", "a*", false, []string{"", "x"}, nil},
		{"matches nothing", "[^\\x00-\\x{10ffff}]", false, nil, []string{"", "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := regex(t, tt.regex, tt.cased)
			for i, v := range slices.Concat(tt.yes, tt.no) {
				want := i < len(tt.yes)
				if got := r.MatchString(v); got != want || r.Match([]byte(v)) != got {
					t.Errorf("regex %q, cased %v: MatchString(%q) = %v, want %v", tt.regex, tt.cased, v, got, want)
				}
			}
		})
	}
}

func TestRegexErrors(t *testing.T) {
	tests := []struct {
		regex string
		cased bool
		want  string
	}{
		{"", false, "an empty pattern"},
		{strings.Repeat("x", 4097), false, "a pattern of 4097 bytes, at most 4096 are taken"},
		{"a(?=b)", false, "look-ahead (?= is not supported (at byte 2)"},
		{"(?!b)", false, "look-ahead (?! is not supported (at byte 1)"},
		{"(?<=b)a", false, "look-behind (?<= is not supported (at byte 1)"},
		{"(?<!b)a", false, "look-behind (?<! is not supported (at byte 1)"},
		{"(?>a)", false, "atomic group (?> is not supported (at byte 1)"},
		{`(a)\1`, false, `back-reference \1 is not supported (at byte 4)`},
		{`(a)\9`, false, `back-reference \9 is not supported (at byte 4)`},
		{`(?P<x>a)\k<x>`, false, `back-reference \k is not supported (at byte 9)`},
		{`(?P<x>a)(?P=x)`, false, `back-reference (?P= is not supported (at byte 9)`},
		{"ba*+", false, `possessive repeat "*+" (at byte 3)`},
		{"a**", false, `repeat of a repeat "**" (at byte 2)`},
		{"*a", false, `"*" repeats nothing (at byte 1)`},
		{"a{1001}", false, `repeat "{1001}": at most 1000 times are taken, repeats in repeats multiplied (at byte 2)`},
		{"((a{100}){100}){100}", false, `repeat "{100}": at most 1000 times are taken, repeats in repeats multiplied (at byte 4)`},
		{strings.Repeat("[ab]{1000}", 11), false, "its program has 11000 instructions, at most 10000 are taken"},
		{strings.Repeat("(", 101) + strings.Repeat(")", 101), false, "parentheses are nested deeper than 100 levels (at byte 101)"},
		{strings.Repeat(`\pL`, 1365), true, "its character classes have"},
		{"a(b", false, "a ( is not closed"},
		{"a)b", false, "a ) closes nothing"},
		{"a[b", false, `a [ is not closed (at byte 2)`},
		{"a\\", false, "it ends in a backslash (at byte 2)"},
		{`a\yb`, false, `unknown escape "\\y" (at byte 2)`},
		{`[z-a]`, false, `unknown class or wrong range "z-a" (at byte 2)`},
		{`\p{Nonesuch}`, false, `unknown class or wrong range "\\p{Nonesuch}"`},
		{"a\xffb", false, "it is not UTF-8"},
		{"a\ufffdb", false, "the character U+FFFD, which every byte that is not UTF-8 is taken for"},
		{"(?x)a b", false, `unknown flag in "(?x" (at byte 1)`},
		{"(?i)a", true, "(?i) in a cased expression (at byte 1)"},
		{"a(?-i:b)", false, "(?-i) in an expression (at byte 2)"},
		{`[\P{Lu}x]`, false, `\P{Lu} is about the case of letters (at byte 1)`},
		{`a\P{Ll}`, false, `\P{Ll} is about the case of letters (at byte 2)`},
		{`[[:^lower:]]`, false, `[:^lower:] is about the case of letters (at byte 1)`},
	}
	for _, tt := range tests {
		_, err := pattern.ParseRegex(tt.regex, tt.cased)
		if !errors.Is(err, pattern.ErrPattern) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("ParseRegex(%.20q, %v): %v, want %s", tt.regex, tt.cased, err, tt.want)
		}
	}
}

func TestRegexNeeds(t *testing.T) {
	tests := []struct {
		regex string
		want  []string
	}{
		{"Abc", []string{"abc"}},
		{"^abc$", []string{"abc"}},
		{"ab", nil},
		{"(abc|DEF)x", []string{"abcx", "defx"}},
		{"abc|de", nil},
		{"abc|.def", []string{"abc", "def"}},
		{"abcd.*longer", []string{"longer"}},
		{"colou?r", []string{"color", "colour"}},
		{"abc?", nil},
		{"(abc)?", nil},
		{"(abc)+", []string{"abc"}},
		{"(abc)*", nil},
		{"x(abc){2}", []string{"xabcabc"}},
		{"(abc){0,3}", nil},
		{`foo\d`, []string{"foo"}},
		{`[ab]cd`, []string{"acd", "bcd"}},
		{`a[éÉ]c`, []string{"aéc", "aÉc"}},
		{`\w+\.exe`, []string{".exe"}},
		{`abc|xabcx`, []string{"abc"}},
		{".", nil},
		{`ab[^x]cd`, nil},
		{`-e(nc)?x`, []string{"-encx", "-ex"}},
	}
	for _, tt := range tests {
		got := regex(t, tt.regex, true).Needs()
		slices.Sort(got)
		if !slices.Equal(got, tt.want) && !(len(tt.want) == 2 && slices.Equal(got, []string{tt.want[1], tt.want[0]})) {
			t.Errorf("needs of %q: %q, want %q", tt.regex, got, tt.want)
		}
	}
}

// A catastrophic-looking expression takes one pass.
func TestRegexHostile(t *testing.T) {
	value := []byte(strings.Repeat("a", 20_000))
	for _, text := range []string{"^(a+)+$b", "(a|aa)+b", "(.*)(.*)(.*)(.*)b", "^(([a-z])+.)+[A-Z]([a-z])+b$"} {
		if regex(t, text, false).Match(value) {
			t.Errorf("regex %q matches", text)
		}
	}
}

// genRegex makes expressions of ASCII characters with every operator.
func genRegex() *rapid.Generator[string] {
	atom := rapid.SampledFrom([]string{"a", "B", "k", "S", "ab", "Foo", "bar", "^", "$", ".", `\d`, `\w`, `\b`, `\W`, "[ab]", "[^a]", "[^K-S]", "[A-C]", "[^^b]", "1", `\.`, "foo", "(?i)"})
	var node func(depth int) *rapid.Generator[string]
	node = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			if depth == 0 {
				return atom.Draw(t, "atom")
			}
			sub := node(depth - 1)
			switch rapid.IntRange(0, 6).Draw(t, "op") {
			case 0:
				return "(" + sub.Draw(t, "a") + "|" + sub.Draw(t, "b") + ")"
			case 1:
				return "(" + sub.Draw(t, "a") + ")" + rapid.SampledFrom([]string{"?", "*", "+", "{2}", "{0,2}", "{1,}", "+?"}).Draw(t, "repeat")
			case 2:
				return "(?:" + sub.Draw(t, "a") + ")"
			case 3:
				return atom.Draw(t, "atom")
			default:
				return sub.Draw(t, "a") + sub.Draw(t, "b")
			}
		})
	}
	return node(4)
}

// Folding is Go's (?i) where no character outside of ASCII is in play; whatever
// matches has one of the literals that are needed.
func TestRegexProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genRegex().Draw(t, "regex")
		value := rapid.StringOfN(rapid.RuneFrom([]rune("abABkKsSfoOr1./ \n")), 0, 24, -1).Draw(t, "value")
		folded, err := pattern.ParseRegex(text, false)
		if err != nil {
			t.Fatalf("ParseRegex(%q): %v", text, err)
		}
		if want := regexp.MustCompile("(?i)" + text).MatchString(value); folded.MatchString(value) != want {
			t.Errorf("regex %q on %q: %v, want %v", text, value, !want, want)
		}
		checkNeeds(t, folded, text, value)
		plain := strings.ReplaceAll(text, "(?i)", "")
		cased, err := pattern.ParseRegex("(?:"+plain+")", true)
		if err != nil {
			return // a repeat lost what it repeats
		}
		if want := regexp.MustCompile("(?:" + plain + ")").MatchString(value); cased.MatchString(value) != want {
			t.Errorf("cased regex %q on %q: %v, want %v", plain, value, !want, want)
		}
		checkNeeds(t, cased, plain, value)
	})
}

func checkNeeds(t interface {
	Errorf(format string, args ...any)
}, r *pattern.Regex, text, value string) {
	needs := r.Needs()
	if len(needs) > 64 || slices.ContainsFunc(needs, func(n string) bool { return len(n) < 3 }) {
		t.Errorf("needs of %q: %q", text, needs)
	}
	folded := lowerASCII(value)
	if len(needs) > 0 && r.MatchString(value) && !slices.ContainsFunc(needs, func(n string) bool { return strings.Contains(folded, n) }) {
		t.Errorf("regex %q matches %q without any of %q", text, value, needs)
	}
}

// Any text is refused as a bad pattern, or it is what Go's regexp takes, cased
// the same as it, and matches in the case of neither ASCII letter differently.
func FuzzRegex(f *testing.F) {
	for _, s := range []string{"a(b|C)[^d]*\\x41$", `\Q[a\E(?i)k`, `[[:^digit:]\pL-]{2,5}`, "[^\\x{e9}É]|é\\b", "(?P<n>x)(?s:.)?", "[^]a-z\\]]", "[\\x{fffd}a]b\ufffe"} {
		f.Add(s, "aBCxÉ\xff\ufffd"+s)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text) > 200 || len(value) > 200 {
			return
		}
		cased, err := pattern.ParseRegex(text, true)
		if err == nil {
			if want := regexp.MustCompile(text).MatchString(value); cased.MatchString(value) != want {
				t.Errorf("cased regex %q on %q: %v, want %v", text, value, !want, want)
			}
			checkNeeds(t, cased, text, value)
		} else if !errors.Is(err, pattern.ErrPattern) {
			t.Errorf("ParseRegex(%q): %v", text, err)
		}
		folded, err := pattern.ParseRegex(text, false)
		if err != nil {
			return
		}
		got := folded.MatchString(value)
		if lower, upper := folded.MatchString(lowerASCII(value)), folded.MatchString(upperASCII(value)); got != lower || got != upper {
			t.Errorf("regex %q on %q: %v, in lower case %v, in upper case %v", text, value, got, lower, upper)
		}
		checkNeeds(t, folded, text, value)
	})
}

func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// Matching does not allocate.
func TestNoAllocation(t *testing.T) {
	value := []byte("C:\\Windows\\System32\\cmd.exe /c whoami")
	r, g := regex(t, `\\(cmd|powershell)\.exe.*who[a-z]+`, false), glob(t, `*\cmd.exe*who*`, false, false)
	s := r.NewSearcher()
	if n := testing.AllocsPerRun(100, func() { s.Match(value); g.Match(value) }); n != 0 {
		t.Errorf("%v allocations with a searcher, want 0", n)
	}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("under the race detector a sync.Pool, which regexp keeps its machines in, drops some at random")
	}
	if n := testing.AllocsPerRun(100, func() { r.Match(value) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
