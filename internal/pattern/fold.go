// SPDX-License-Identifier: Apache-2.0

// This file makes a regular expression match ASCII letters in both cases: classes
// in its text, where [^a] still shows that it is negated, and then every literal
// and class of its tree.

package pattern

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
)

// class passes over the class of n bytes that begins here, which is [ ] or a
// \p{Name}, and copies it with both cases.
func (s *scanner) class(n int) *Error {
	start := s.off
	text := s.text[start : start+max(n, 1)]
	if s.cased {
		s.copy(len(text))
		return nil
	}
	negated := false
	positive := text
	switch {
	case text[0] == '\\':
		positive = "[" + text + "]"
	case strings.HasPrefix(text, "[^"):
		negated, positive = true, "["+text[2:]
		if positive[1:] != "" && positive[1] == '^' {
			positive = `[\^` + positive[2:]
		}
	}
	if part := caseBound(positive); part != "" {
		return refuse(start, "add cased to make case count", "%s is about the case of letters", part)
	}
	ranges, ok := classRanges(positive)
	if !ok { // the parser of the whole says what is wrong
		s.copy(len(text))
		return nil
	}
	both := bothCases(ranges)
	if slices.Equal(both, ranges) {
		s.copy(len(text))
		return nil
	}
	s.off += len(text)
	s.out.WriteByte('[')
	if negated {
		s.out.WriteByte('^')
	}
	for i := 0; i < len(both); i += 2 {
		fmt.Fprintf(&s.out, `\x{%x}-\x{%x}`, both[i], both[i+1])
	}
	s.out.WriteByte(']')
	return nil
}

// classRanges returns the ranges of class, rising, each as its first and last
// character. ok is false if class is wrong.
func classRanges(class string) (ranges []rune, ok bool) {
	re, err := syntax.Parse(class, syntax.Perl)
	if err != nil {
		return nil, false
	}
	switch {
	case re.Op == syntax.OpCharClass:
		return re.Rune, true
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1:
		r := re.Rune[0]
		if re.Flags&syntax.FoldCase == 0 {
			return []rune{r, r}, true
		}
		var both []rune // a class of two characters that fold to each other
		for o := unicode.SimpleFold(r); ; o = unicode.SimpleFold(o) {
			both = append(both, o, o)
			if o == r {
				return canonical(both), true
			}
		}
	}
	return nil, false // matches all or nothing: case is nothing to it
}

// caseBound returns a negated part of a class whose characters are chosen by
// their case, such as \P{Lu}; empty if there is none. Folding it would make it
// match everything.
func caseBound(class string) string {
	for i := 1; i < len(class); i++ {
		n := 0
		switch rest := class[i:]; {
		case strings.HasPrefix(rest, "[:^"):
			n = strings.Index(rest, ":]") + 2
		case strings.HasPrefix(rest, `\P`), strings.HasPrefix(rest, `\p{^`):
			n = propertyEnd(rest)
		case rest[0] == '\\':
			i++
			continue
		default:
			continue
		}
		if part := class[i:min(i+n, len(class))]; n > 1 {
			if ranges, ok := classRanges("[" + part + "]"); ok && !slices.Equal(bothCases(ranges), ranges) {
				return part
			}
			i += n - 1
		}
	}
	return ""
}

// bothCases returns ranges with the other case of each ASCII letter in them.
func bothCases(ranges []rune) []rune {
	out := slices.Clone(ranges)
	for i := 0; i < len(ranges); i += 2 {
		for _, letters := range []struct{ from, to, other rune }{{'A', 'Z', 'a' - 'A'}, {'a', 'z', 'A' - 'a'}} {
			lo, hi := max(ranges[i], letters.from), min(ranges[i+1], letters.to)
			if lo <= hi {
				out = append(out, lo+letters.other, hi+letters.other)
			}
		}
	}
	return canonical(out)
}

// canonical returns ranges in rising order, those that touch joined.
func canonical(ranges []rune) []rune {
	pairs := make([][2]rune, 0, len(ranges)/2)
	for i := 0; i < len(ranges); i += 2 {
		pairs = append(pairs, [2]rune{ranges[i], ranges[i+1]})
	}
	slices.SortFunc(pairs, func(a, b [2]rune) int { return int(a[0]) - int(b[0]) })
	var out []rune
	for _, p := range pairs {
		if n := len(out); n > 0 && p[0] <= out[n-1]+1 {
			out[n-1] = max(out[n-1], p[1])
		} else {
			out = append(out, p[0], p[1])
		}
	}
	return out
}

// foldTree makes every literal and class of re match both cases of ASCII
// letters. Classes that were negated in the text have both cases already.
func foldTree(re *syntax.Regexp) {
	for _, sub := range re.Sub {
		foldTree(sub)
	}
	switch re.Op {
	case syntax.OpCharClass:
		re.Rune = bothCases(re.Rune)
	case syntax.OpLiteral:
		foldLiteral(re)
	}
}

// foldLiteral turns a literal with ASCII letters into a concatenation of
// literals and classes. It does not set the flag FoldCase on them: that folds as
// Unicode does. Where the parser has set it, for a class of two characters that
// fold to each other alone, such as [éÉ], there is nothing left to do.
func foldLiteral(re *syntax.Regexp) {
	if re.Flags&syntax.FoldCase != 0 || !slices.ContainsFunc(re.Rune, isLetter) {
		return
	}
	var parts []*syntax.Regexp // share nothing with re, which may hold its own characters
	literal := func(rs []rune) {
		if len(rs) > 0 {
			parts = append(parts, &syntax.Regexp{Op: syntax.OpLiteral, Flags: re.Flags, Rune: slices.Clone(rs)})
		}
	}
	from := 0
	for i, r := range re.Rune {
		if isLetter(r) {
			literal(re.Rune[from:i])
			parts = append(parts, &syntax.Regexp{Op: syntax.OpCharClass, Flags: re.Flags, Rune: bothCases([]rune{r, r})})
			from = i + 1
		}
	}
	literal(re.Rune[from:])
	if len(parts) == 1 {
		*re = *parts[0]
		return
	}
	*re = syntax.Regexp{Op: syntax.OpConcat, Flags: re.Flags, Sub: parts}
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
