// SPDX-License-Identifier: Apache-2.0

// This file has, for every modifier and every legal chain, values that must match and
// values that must not. It was written from the specification.

package sigma

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf16"
)

// wide returns s in UTF-16, little endian.
func wide(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// chainCase is one detection item, and values of its field F.
type chainCase struct {
	name    string
	item    string   // key and value as YAML, of the field F
	yes, no []string // one value each; "(absent)" for an event without the field
}

const absent = "(absent)"

// textChains are the chains of modifiers on plain texts.
var textChains = []chainCase{
	{"plain", `F: 'C:\a.EXE'`, []string{`C:\a.EXE`, `c:\A.exe`}, []string{`c:\a.exe `, `xc:\a.exe`, "", absent}},
	{"folds ASCII only", `F: 'é'`, []string{"é"}, []string{"É"}},
	{"number", `F: 4688`, []string{"4688"}, []string{"04688", "4688.0", absent}},
	{"boolean", `F: true`, []string{"true", "TRUE"}, []string{"1", "yes"}},
	{"boolean, cased", `F|cased: True`, []string{"true"}, []string{"True"}},
	{"text that reads like a boolean, cased", `F|cased: 'True'`, []string{"True"}, []string{"true"}},
	{"float", `F: 1.50`, []string{"1.50"}, []string{"1.5"}},
	{"hexadecimal as written", `F: 0x1F`, []string{"0x1f"}, []string{"31"}},
	{"list is any", `F: [a, 5]`, []string{"a", "5"}, []string{"b", "a5"}},
	{"star", `F: 'a*b'`, []string{"ab", "aXXb"}, []string{"abc", "xab"}},
	{"star at the end", `F: 'a*'`, []string{"a", "AB"}, []string{"ba"}},
	{"star at the beginning", `F: '*a'`, []string{"a", "ba"}, []string{"ab"}},
	{"stars around", `F: '*a*'`, []string{"a", "bab"}, []string{"b"}},
	{"only a star is present", `F: '*'`, []string{"", "x"}, []string{absent}},
	{"two stars", `F: '**'`, []string{"", "x"}, []string{absent}},
	{"question mark is one character", `F: 'a?c'`, []string{"abc", "aéc", "a😀c"}, []string{"ac", "abbc"}},
	{"question mark alone", `F: '?'`, []string{"a", "é"}, []string{"", "ab"}},
	{"at least one character", `F: '?*'`, []string{"a", "ab"}, []string{"", absent}},
	{"escaped star", `F: 'a\*'`, []string{"a*"}, []string{"ab", `a\*`, `a\b`}},
	{"escaped question mark", `F: 'a\?b'`, []string{"a?b"}, []string{"axb"}},
	{"escaped backslash before a star", `F: 'a\\*'`, []string{`a\`, `a\b`}, []string{"a*", "ab"}},
	{"three backslashes before a star", `F: 'a\\\*'`, []string{`a\*`}, []string{`a\\*`, `a\b`}},
	{"lone backslash", `F: 'a\b'`, []string{`a\b`}, []string{`a\\b`}},
	{"two backslashes are one", `F: 'a\\b'`, []string{`a\b`}, []string{`a\\b`}},
	{"three backslashes are two", `F: 'a\\\b'`, []string{`a\\b`}, []string{`a\b`, `a\\\b`}},
	{"four backslashes are two", `F: 'a\\\\b'`, []string{`a\\b`}, []string{`a\b`}},
	{"backslash at the end", `F: 'a\'`, []string{`a\`}, []string{`a`, `a\\`}},
	{"glob characters are plain", `F: '[a]*[b]?'`, []string{"[a]x[b]y"}, []string{"ax[b]y", "[a][b]"}},
	{"empty is present and empty", `F: ''`, []string{""}, []string{"x", absent}},
	{"null is absent", `F: null`, []string{absent}, []string{"", "x", "null"}},
	{"no value is null", `F:`, []string{absent}, []string{""}},
	{"null beside texts", `F: [null, 'a', '']`, []string{absent, "a", ""}, []string{"b"}},
	{"percent signs are plain", `F: '%one%'`, []string{"%one%"}, []string{"alpha"}},

	{"contains", `F|contains: 'b'`, []string{"b", "aBc"}, []string{"ac", absent}},
	{"contains of nothing is present", `F|contains: ''`, []string{"", "a"}, []string{absent}},
	{"contains with a wildcard", `F|contains: 'a*b'`, []string{"xaYbz"}, []string{"ba"}},
	{"startswith", `F|startswith: 'a'`, []string{"a", "Ab"}, []string{"ba", absent}},
	{"startswith with a wildcard at the front", `F|startswith: '*a'`, []string{"xay"}, []string{"x"}},
	{"endswith", `F|endswith: '\a.exe'`, []string{`C:\A.EXE`}, []string{`C:\a.exe1`, "a.exe"}},
	{"endswith escaped star", `F|endswith: '\*'`, []string{"a*"}, []string{"a"}},
	{"all", `F|all: ['*a*', '*b*']`, []string{"xbax"}, []string{"a", "b"}},
	{"all of one value", `F|all: 'a'`, []string{"a"}, []string{"b"}},
	{"all with null", `F|all: [null, a]`, nil, []string{absent, "a"}},
	{"contains|all", `F|contains|all: [a, b]`, []string{"ba"}, []string{"aa", absent}},
	{"all|contains", `F|all|contains: [a, b]`, []string{"ba"}, []string{"bb"}},
	{"startswith|all", `F|startswith|all: [a, ab]`, []string{"abc"}, []string{"ac"}},
	{"endswith|all", `F|endswith|all: [c, bc]`, []string{"abc"}, []string{"ac"}},
	{"cased", `F|cased: 'Ab'`, []string{"Ab"}, []string{"ab", "AB"}},
	{"cased|contains", `F|cased|contains: 'Ab'`, []string{"xAbx"}, []string{"xabx"}},
	{"contains|cased", `F|contains|cased: 'Ab'`, []string{"xAbx"}, []string{"xABx"}},
	{"cased|startswith", `F|cased|startswith: 'A'`, []string{"Ab"}, []string{"ab"}},
	{"endswith|cased", `F|endswith|cased: 'B'`, []string{"aB"}, []string{"ab"}},
	{"cased|all", `F|cased|all: ['*A*', '*b*']`, []string{"Ab"}, []string{"ab", "AB"}},
	{"cased wildcards", `F|cased: 'A?b*C'`, []string{"A1bC"}, []string{"a1bC", "A1BC"}},
	{"neq", `F|neq: a`, []string{"b", "ab", absent}, []string{"a", "A"}},
	{"neq of a number", `F|neq: 5`, []string{"6", "50"}, []string{"5"}},
	{"neq of a list is none of it", `F|neq: [a, b]`, []string{"c"}, []string{"a", "b"}},
	{"neq of mixed shapes is none of them", `F|neq: [a, 'b*', '*c']`, []string{"d"}, []string{"a", "bx", "xc"}},
	{"neq of null is present", `F|neq: null`, []string{"", "x"}, []string{absent}},
	{"neq of nothing is not empty", `F|neq: ''`, []string{"x", absent}, []string{""}},
	{"neq|all", `F|neq|all: [a, b]`, []string{"c"}, []string{"a", "b"}},
	{"all|neq", `F|all|neq: [a, b]`, []string{"c"}, []string{"a", "b"}},
	{"contains|neq", `F|contains|neq: b`, []string{"ac", absent}, []string{"abc"}},
	{"neq|startswith", `F|neq|startswith: a`, []string{"ba"}, []string{"ab"}},
	{"endswith|neq", `F|endswith|neq: a`, []string{"ab"}, []string{"ba"}},
	{"cased|neq", `F|cased|neq: A`, []string{"a"}, []string{"A"}},

	{"windash", `F|windash: '-a'`, []string{"-a", "/a", "–a", "—A", "―a"}, []string{"a", "\\a", "--a"}},
	{"windash each by itself", `F|windash: 'x -s /i'`, []string{"x -s /i", "x /s -i", "x –s ―i"}, []string{"x s i"}},
	{"windash inside of a word stays", `F|windash: '-a-b/c'`, []string{"/a-b/c"}, []string{"/a/b/c", "-a-b-c"}},
	{"windash alone stays", `F|windash: 'a - b'`, []string{"a - b"}, []string{"a / b"}},
	{"windash second of two", `F|windash: '--a'`, []string{"--a", "-/a"}, []string{"//a"}},
	{"windash takes the others too", `F|windash: '―a'`, []string{"-a", "/a", "―a"}, []string{"a"}},
	{"windash|contains", `F|windash|contains: ' -f '`, []string{"x /f y"}, []string{"x f y"}},
	{"contains|windash", `F|contains|windash: '-f'`, []string{"/f", "x—f"}, []string{"f"}},
	{"contains|windash beside a star", `F|contains|windash: '-f*-g'`, []string{"/fx-g"}, []string{"-g-f"}},
	{"windash|startswith", `F|windash|startswith: '-f'`, []string{"/fx"}, []string{"x/f"}},
	{"endswith|windash", `F|endswith|windash: ' /f'`, []string{"x -f"}, []string{"x -fx"}},
	{"windash|contains|all", `F|windash|contains|all: [' -a', ' /b']`, []string{"x /b -a", "x –b —a"}, []string{"x -a", "x -b"}},
	{"windash|cased", `F|windash|cased: '-A'`, []string{"/A"}, []string{"/a"}},
	{"windash|all", `F|windash|all: ['-a', '/A']`, []string{"-a", "/A"}, []string{"-b"}},
	{"windash|neq", `F|windash|neq: '-a'`, []string{"-b"}, []string{"/a"}},
	{"windash with many dashes", `F|windash|contains: ' -a -b -c -d -e -f'`, []string{"x /a -b –c —d ―e /F y"}, []string{"x /a -b –c —d ―e f"}},
	{"windash with many dashes, whole", `F|windash: '-a -b -c -d -e *'`, []string{"/a -B –c —d ―e ", "-a -b -c -d -e xx"}, []string{"x/a -b –c —d ―e "}},
	{"windash with dashes and wildcards", `F|windash|contains: '-a*-b'`, []string{"x/aX–bx"}, []string{"-b-a"}},
	{"windash with many dashes and wildcards", `F|windash|contains: '-a -b*-c -d?'`, []string{"x/a –b —c ―dx", "-a -b x -c -dé"}, []string{"-a -b -c -d", "-a -b -c ?dx"}},
	{"windash with many dashes, cased", `F|windash|cased|endswith: '-A -b -c -d -e'`, []string{"x/A -b /c –d -e"}, []string{"/a -b /c –d -e", "/A -b /c –d -e "}},

	{"expand", `F|expand: '%one%'`, []string{"alpha"}, []string{"%one%"}},
	{"expand of several", `F|expand: '%two%'`, []string{"alpha", "beXXta"}, []string{"be*t"}},
	{"expand inside", `F|expand: 'x%two%y'`, []string{"xalphay", "xbe-tay"}, []string{"xy"}},
	{"expand twice", `F|expand: '%one%/%two%'`, []string{"alpha/alpha", "alpha/beta"}, []string{"beta/alpha"}},
	{"expand escaped", `F|expand: '\%one%two%'`, []string{"%onealpha", "%onebeta"}, []string{"alphatwo%", `\%onealpha`}},
	{"expand without a placeholder", `F|expand: '100%'`, []string{"100%"}, []string{"100"}},
	{"expand|contains", `F|expand|contains: '%one%'`, []string{"xALPHAx"}, []string{"beta"}},
	{"contains|expand", `F|contains|expand: '%two%'`, []string{"xalphax", "xbe..tax"}, []string{"gamma"}},
	{"contains|expand|all", `F|contains|expand|all: ['%one%', 'z']`, []string{"zalpha"}, []string{"alpha", "z"}},
	{"expand|all joins values, not what one expands to", `F|expand|all: ['%two%', '*a*']`, []string{"alpha", "beta"}, []string{"a"}},
	{"startswith|expand", `F|startswith|expand: '%one%'`, []string{"alphabet"}, []string{"xalpha"}},
	{"expand|endswith", `F|expand|endswith: '%one%'`, []string{"xalpha"}, []string{"alphax"}},
	{"expand|cased", `F|expand|cased: '%one%'`, []string{"alpha"}, []string{"Alpha"}},
	{"expand|neq", `F|expand|neq: '%two%'`, []string{"gamma"}, []string{"alpha", "beta"}},
	{"expand|windash", `F|expand|windash: '%dash%'`, []string{"-x", "/x"}, []string{"x"}},
	{"windash|expand", `F|windash|expand: '-a %dash%'`, []string{"/a -x"}, []string{"/a /x"}},
	{"expand|base64", `F|expand|base64: '%one%'`, []string{b64("alpha")}, []string{"alpha"}},
	{"expand|wide", `F|expand|wide: '%one%'`, []string{wide("alpha")}, []string{"alpha"}},
	{"expand|base64offset|contains", `F|expand|base64offset|contains: '%one%'`, []string{b64("1alpha"), b64("alphabet")}, []string{b64("alp")}},
}

// encodedChains are those of texts in other forms.
var encodedChains = []chainCase{
	{"base64", `F|base64: 'whoami'`, []string{b64("whoami"), strings.ToLower(b64("whoami"))}, []string{"whoami", b64("whoami ")}},
	{"base64|contains", `F|base64|contains: 'whoami'`, []string{"x" + b64("whoami") + "x"}, []string{b64(" whoami")}},
	{"base64|startswith", `F|base64|startswith: 'abc'`, []string{b64("abcdef")}, []string{b64("xabc")}},
	{"base64|endswith", `F|base64|endswith: 'abc'`, []string{b64("xyzabc")}, []string{b64("xabc")}},
	{"base64|cased", `F|base64|cased: 'abc'`, []string{b64("abc")}, []string{strings.ToLower(b64("abc"))}},
	{"base64|contains|all", `F|base64|contains|all: [abc, xyz]`, []string{b64("xyzabc")}, []string{b64("abc")}},
	{"base64|neq", `F|base64|neq: abc`, []string{"abc"}, []string{b64("abc")}},
	{"base64 of base64", `F|base64|base64: abc`, []string{b64(b64("abc"))}, []string{b64("abc")}},
	{"base64|wide", `F|base64|wide: abc`, []string{wide(b64("abc"))}, []string{b64(wide("abc"))}},
	{"base64|base64offset|contains", `F|base64|base64offset|contains: abc`, []string{b64("1" + b64("abc"))}, []string{b64("abc")}},
	{"base64 of a number", `F|base64: 123`, []string{b64("123")}, []string{"123"}},
	{"base64 of an escaped star", `F|base64: 'a\*'`, []string{b64("a*")}, []string{b64("ab")}},
	{"windash|base64|contains", `F|windash|base64|contains: '-ab'`, []string{b64("-ab"), b64("/abc")}, []string{b64("ab")}},
	{"base64offset|contains", `F|base64offset|contains: 'http://'`,
		[]string{b64("http://a"), b64("1http://a"), b64("12http://a"), b64("123http://"), "x" + b64("zzhttp://zz")}, []string{"http://", b64("ttp://")}},
	{"base64offset of two bytes", `F|base64offset|contains: 'ab'`, []string{b64("ab"), b64("1ab1"), b64("12ab34")}, []string{"zzzz"}},
	{"base64offset folds", `F|base64offset|contains: 'http://'`, []string{strings.ToUpper(b64("http://"))}, nil},
	{"base64offset|cased|contains", `F|base64offset|cased|contains: 'http://'`, []string{b64("1http://")}, []string{strings.ToUpper(b64("http://"))}},
	{"base64offset", `F|base64offset: abc`, []string{"YWJj", "FiY", "hYm"}, []string{"xYWJj", b64("1abc")}},
	{"base64offset|startswith", `F|base64offset|startswith: abc`, []string{b64("abcd")}, []string{"x" + b64("abcd")}},
	{"base64offset|endswith", `F|base64offset|endswith: abc`, []string{b64("abc")}, []string{b64("abcd")}},
	{"base64offset|contains|all", `F|base64offset|contains|all: [abcd, wxyz]`, []string{b64("1abcd") + b64("wxyz")}, []string{b64("abcd")}},
	{"base64offset|neq", `F|base64offset|contains|neq: abcd`, []string{"abcd"}, []string{b64("11abcd")}},
	{"base64offset|utf16le|contains", `F|base64offset|utf16le|contains: abcd`, []string{wide(b64("1abcd"))}, []string{b64("1abcd")}},
	{"windash|base64offset|contains", `F|windash|base64offset|contains: ' -enc '`, []string{b64("x -enc y"), b64("xx /enc y")}, []string{b64("enc")}},
	{"utf16le", `F|utf16le: 'aé'`, []string{"a\x00\xe9\x00"}, []string{"aé", "\x00a\x00\xe9"}},
	{"utf16be", `F|utf16be: 'aé'`, []string{"\x00a\x00\xe9"}, []string{"a\x00\xe9\x00"}},
	{"utf16", `F|utf16: 'a'`, []string{"\xff\xfea\x00"}, []string{"a\x00"}},
	{"wide", `F|wide: '😀'`, []string{wide("😀"), "\x3d\xd8\x00\xde"}, []string{"😀"}},
	{"wide with a star", `F|wide: 'a*b'`, []string{"a\x00b\x00", "a\x00xxb\x00"}, []string{"ab"}},
	{"wide|contains", `F|wide|contains: ab`, []string{"x" + wide("ab")}, []string{"ab"}},
	{"wide|startswith", `F|wide|startswith: ab`, []string{wide("abc")}, []string{wide("xab")}},
	{"wide|endswith", `F|wide|endswith: ab`, []string{wide("xab")}, []string{wide("abx")}},
	{"wide|cased", `F|wide|cased: A`, []string{wide("A")}, []string{wide("a")}},
	{"wide|all", `F|wide|contains|all: [a, b]`, []string{wide("ba")}, []string{wide("a")}},
	{"wide|neq", `F|wide|neq: a`, []string{"a"}, []string{wide("a")}},
	{"windash|wide", `F|windash|wide: '-a'`, []string{wide("/a"), wide("–a")}, []string{"/a"}},
	{"wide|base64", `F|wide|base64: abc`, []string{b64(wide("abc"))}, []string{b64("abc")}},
	{"utf16le|base64", `F|utf16le|base64: abc`, []string{b64(wide("abc"))}, []string{b64("abc")}},
	{"utf16be|base64", `F|utf16be|base64: ab`, []string{b64("\x00a\x00b")}, []string{b64(wide("ab"))}},
	{"utf16|base64", `F|utf16|base64: ab`, []string{b64("\xff\xfea\x00b\x00")}, []string{b64(wide("ab"))}},
	{"utf16le|base64offset|contains", `F|utf16le|base64offset|contains: 'abc'`, []string{b64(wide("abc")), b64("1" + wide("abcd")), b64("12" + wide("abc"))}, []string{b64("abc")}},
	{"wide|base64offset|contains", `F|wide|base64offset|contains: 'abc'`, []string{b64(wide("xabcx"))}, []string{b64("abc")}},
	{"utf16be|base64offset|contains", `F|utf16be|base64offset|contains: 'abc'`, []string{b64("1\x00a\x00b\x00c")}, []string{b64(wide("abc"))}},
	{"utf16|base64offset|contains", `F|utf16|base64offset|contains: 'abc'`, []string{b64("1\xff\xfea\x00b\x00c\x00")}, []string{b64(wide("abc"))}},
}

// typedChains are those whose values are no plain texts.
var typedChains = []chainCase{
	{"re", `F|re: 'a.c'`, []string{"abc", "xabcx"}, []string{"ac", "ABC", "a\nc", absent}},
	{"re anchored", `F|re: '^a+$'`, []string{"aaa"}, []string{"aab", "a\nb"}},
	{"re is not Sigma's wildcards", `F|re: 'a\*b?'`, []string{"a*", "a*b"}, []string{"aXb"}},
	{"re of a number", `F|re: 12`, []string{"3124"}, []string{"21"}},
	{"re|i", `F|re|i: 'aBc'`, []string{"ABC", "abc"}, []string{"ab"}},
	{"re|i folds ASCII only", `F|re|i: 'ké'`, []string{"Ké"}, []string{"KÉ", "\u212aé"}},
	{"re with its own flag", `F|re: '(?i)abc'`, []string{"ABC"}, []string{"ab"}},
	{"re with its own flags", `F|re: '(?is)a.c'`, []string{"A\nC"}, []string{"ac"}},
	{"re that folds in the middle", `F|re: '^a(?i)b'`, []string{"ab", "aB"}, []string{"AB"}},
	{"re that folds in a group", `F|re: 'a(?i:[b-c]x)d'`, []string{"aBXd", "acxd"}, []string{"abxD", "Abxd"}},
	{"re that does not fold in a group", `F|re: '(?i)a(?-i:b)c'`, []string{"AbC"}, []string{"aBc"}},
	{"re|i that does not fold in a group", `F|re|i: 'a(?-i:b)c'`, []string{"AbC"}, []string{"aBc"}},
	{"re|i with the flag too", `F|re|i: 'a(?i:b)c'`, []string{"ABC"}, []string{"ac"}},
	{"re|m", `F|re|m: '^b$'`, []string{"a\nb\nc"}, []string{"a\nbc", "B"}},
	{"re|s", `F|re|s: 'a.c'`, []string{"a\nc"}, []string{"A\nc"}},
	{"re|i|m|s", `F|re|i|m|s: '^b.c$'`, []string{"a\nB\nc\nd"}, []string{"ab\ncd"}},
	{"re|i|m", `F|re|i|m: '^b$'`, []string{"a\nB"}, []string{"ab"}},
	{"re|i|s", `F|re|i|s: 'a.b'`, []string{"A\nb"}, []string{"ab"}},
	{"re|m|s", `F|re|m|s: '^a.b$'`, []string{"x\na\nb"}, []string{"A\nb"}},
	{"re|all", `F|re|all: ['a+', 'b+']`, []string{"xabx"}, []string{"a", "b"}},
	{"all|re", `F|all|re: ['a+', 'b+']`, []string{"ab"}, []string{"a"}},
	{"re|neq", `F|re|neq: '^a'`, []string{"ba", absent}, []string{"ab"}},
	{"re|cased", `F|re|cased: 'A'`, []string{"A"}, []string{"a"}},
	{"re|contains", `F|re|contains: 'a.c'`, []string{"xabcx"}, []string{"ac"}},
	{"re|startswith", `F|re|startswith: 'a|b'`, []string{"ax", "bx"}, []string{"xa"}},
	{"re|endswith", `F|re|endswith: 'a|b'`, []string{"xa", "xb"}, []string{"ax", "bx"}},
	{"re|expand", `F|re|expand: '^%two%[0-9]$'`, []string{"alpha1", "be.ta2"}, []string{"alpha", "gamma1"}},
	{"expand|re", `F|expand|re: '\%one%x'`, []string{"%one%x"}, []string{"alphax"}},
	{"re list", `F|re: [a+, b+]`, []string{"a", "b"}, []string{"c"}},

	{"cidr", `F|cidr: 10.0.0.0/8`, []string{"10.1.2.3", "::ffff:10.1.2.3"}, []string{"11.0.0.1", "10.1.2", "", absent}},
	{"cidr of IPv6", `F|cidr: 'fe80::/10'`, []string{"fe80::1"}, []string{"fec0::1", "10.0.0.1"}},
	{"cidr with bits of a host", `F|cidr: 192.168.1.7/24`, []string{"192.168.1.200"}, []string{"192.168.2.1"}},
	{"cidr of one address", `F|cidr: '127.0.0.1'`, []string{"127.0.0.1"}, []string{"127.0.0.2"}},
	{"cidr of all", `F|cidr: '0.0.0.0/0'`, []string{"1.2.3.4"}, []string{"::1", "host"}},
	{"cidr list", `F|cidr: [10.0.0.0/8, '::1/128']`, []string{"10.0.0.1", "::1"}, []string{"11.0.0.1"}},
	{"cidr|all", `F|cidr|all: [10.0.0.0/8, 10.1.0.0/16]`, []string{"10.1.0.1"}, []string{"10.2.0.1"}},
	{"cidr|neq", `F|cidr|neq: 10.0.0.0/8`, []string{"11.0.0.1", "x", absent}, []string{"10.0.0.1"}},
	{"cidr|expand", `F|cidr|expand: '%nets%'`, []string{"10.0.0.1", "fe80::1"}, []string{"11.0.0.1"}},
	{"expand|cidr", `F|expand|cidr: '%nets%'`, []string{"10.0.0.1"}, []string{"11.0.0.1"}},

	{"exists true", `F|exists: true`, []string{"", "x"}, []string{absent}},
	{"exists false", `F|exists: false`, []string{absent}, []string{"", "x"}},

	{"lt", `F|lt: 5`, []string{"4", "-7", "4.9", "0"}, []string{"5", "10", "x", "", absent}},
	{"lte", `F|lte: 5`, []string{"5", "5.0"}, []string{"5.01"}},
	{"gt", `F|gt: 5`, []string{"6", "10", "5.5"}, []string{"5", "4"}},
	{"gte", `F|gte: 5`, []string{"5", "5.0"}, []string{"4.99", "0x10"}},
	{"gt of a fraction", `F|gt: 1.5`, []string{"1.51"}, []string{"1.5"}},
	{"gt below zero", `F|gt: -5`, []string{"-4", "0"}, []string{"-5"}},
	{"gt of a large number", `F|gt: 18446744073709551615`, []string{"18446744073709551616"}, []string{"18446744073709551615"}},
	{"gt of a hexadecimal number", `F|gt: 0x10`, []string{"17"}, []string{"16"}},
	{"gt of a quoted number", `F|gt: '5'`, []string{"6"}, []string{"5"}},
	{"lt list", `F|lt: [3, 5]`, []string{"4"}, []string{"5"}},
	{"lt|all", `F|lt|all: [3, 5]`, []string{"2"}, []string{"4"}},
	{"lte|all", `F|lte|all: [3, 5]`, []string{"3"}, []string{"4"}},
	{"gt|all", `F|gt|all: [3, 5]`, []string{"6"}, []string{"4"}},
	{"gte|all", `F|all|gte: [3, 5]`, []string{"5"}, []string{"4"}},

	{"minute", `F|minute: 7`, []string{"2024-01-02T03:07:05Z", "2024-01-02 03:07:00"}, []string{"2024-01-02T07:03:05Z", "7", "x"}},
	{"hour", `F|hour: 3`, []string{"2024-01-02T03:07:05.5Z", "2024-01-02T03:07:05+05:00", "2024-01-02 03:59:59.123"}, []string{"2024-01-02T13:07:05Z", "3", absent}},
	{"day", `F|day: 2`, []string{"2024-01-02"}, []string{"2024-02-01"}},
	{"week", `F|week: 1`, []string{"2024-01-02", "2024-12-31"}, []string{"2024-01-08"}},
	{"month", `F|month: 12`, []string{"2024-12-01"}, []string{"2024-01-12"}},
	{"year", `F|year: 2024`, []string{"2024-12-01"}, []string{"2023-12-01"}},
	{"hour list", `F|hour: [1, 2]`, []string{"2024-01-02T02:00:00Z"}, []string{"2024-01-02T03:00:00Z"}},
	{"hour|gte", `F|hour|gte: 20`, []string{"2024-01-02T20:00:00Z", "2024-01-02T23:00:00Z"}, []string{"2024-01-02T19:59:59Z", "25"}},
	{"hour|lt", `F|hour|lt: 6`, []string{"2024-01-02T05:59:59Z"}, []string{"2024-01-02T06:00:00Z"}},
	{"minute|lte", `F|minute|lte: 6`, []string{"2024-01-02T00:06:59Z"}, []string{"2024-01-02T00:07:00Z"}},
	{"day|gt", `F|day|gt: 30`, []string{"2024-01-31"}, []string{"2024-01-30"}},
	{"week|gt", `F|week|gt: 51`, []string{"2024-12-25"}, []string{"2024-12-15"}},
	{"month|lt", `F|month|lt: 2`, []string{"2024-01-31"}, []string{"2024-02-01"}},
	{"year|gte", `F|year|gte: 2024`, []string{"2024-01-01"}, []string{"2023-12-31"}},
	{"year|neq", `F|year|neq: 2024`, []string{"2023-01-01", "x", absent}, []string{"2024-01-01"}},
	{"hour|all", `F|hour|all: [3]`, []string{"2024-01-02T03:00:00Z"}, []string{"2024-01-02T04:00:00Z"}},
	{"hour|gte|all", `F|hour|gte|all: [3, 5]`, []string{"2024-01-02T05:00:00Z"}, []string{"2024-01-02T04:00:00Z"}},

	{"fieldref", `F|fieldref: G`, []string{"Ab-C", "ab-c"}, []string{"ab", "G", absent}},
	{"fieldref|cased", `F|fieldref|cased: G`, []string{"Ab-C"}, []string{"ab-c"}},
	{"fieldref|neq", `F|fieldref|neq: G`, []string{"ab", absent}, []string{"ab-C"}},
	{"neq|fieldref", `F|neq|fieldref: G`, []string{"ab"}, []string{"ab-C"}},
	{"fieldref|contains", `F|fieldref|contains: G`, []string{"xab-cx"}, []string{"b-c"}},
	{"fieldref|startswith", `F|fieldref|startswith: G`, []string{"ab-cx"}, []string{"xab-c"}},
	{"fieldref|endswith", `F|fieldref|endswith: G`, []string{"xab-c"}, []string{"ab-cx"}},
	{"fieldref to a field that is not there", `F|fieldref: H`, nil, []string{"", "H", absent}},
	{"fieldref is case-sensitive in the name", `F|fieldref: g`, nil, []string{"ab-c"}},
	{"fieldref list", `F|fieldref: [H, G]`, []string{"ab-c"}, []string{"x"}},
	{"fieldref|all", `F|fieldref|all: [G, K]`, []string{"ab-c"}, []string{"x"}},
	{"fieldref|endswith|neq", `F|fieldref|endswith|neq: G`, []string{"ab"}, []string{"xab-c"}},
}

func TestChains(t *testing.T) {
	for _, list := range [][]chainCase{textChains, encodedChains, typedChains} {
		for _, tt := range list {
			t.Run(tt.name, func(t *testing.T) {
				e := mustRead(t, "s:\n  "+tt.item+"\ncondition: s\n")
				meets := newJudge(e)
				for i, v := range append(append([]string(nil), tt.yes...), tt.no...) {
					f := fields{"G": {"Ab-C"}, "K": {"aB-c"}}
					if v != absent {
						f["F"] = []string{v}
					}
					if got, want := meets(f), i < len(tt.yes); got != want {
						t.Errorf("%s on %q = %v, want %v; expression %s", tt.item, v, got, want, e)
					}
				}
			})
		}
	}
}
