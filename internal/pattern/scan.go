// SPDX-License-Identifier: Apache-2.0

// This file scans the text of a regular expression before it is parsed: nesting,
// what is refused by name, flags, and the classes, whose negation the parsed tree
// no longer shows.

package pattern

import "strings"

// scanner copies the text of a regular expression to out, changed where it is
// not cased: the flag i goes, classes have both cases.
type scanner struct {
	text  string
	cased bool
	out   strings.Builder
	off   int
	depth int
}

// maxRewritten bounds the text with rewritten classes.
const maxRewritten = 1 << 20

func (s *scanner) scan() error {
	for s.off < len(s.text) {
		var err *Error
		switch s.text[s.off] {
		case '\\':
			err = s.escape()
		case '[':
			err = s.class(classEnd(s.text[s.off:]))
		case '(':
			err = s.open()
		case ')':
			s.depth--
			s.copy(1)
		default:
			s.copy(1)
		}
		if err == nil && s.out.Len() > maxRewritten {
			err = refuse(-1, "", "its character classes are too large")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copy passes over n bytes and copies them.
func (s *scanner) copy(n int) {
	end := min(s.off+n, len(s.text))
	s.out.WriteString(s.text[s.off:end])
	s.off = end
}

const (
	boundedHint = "it would take unbounded time; write what is meant as several terms joined by AND, OR and NOT"
	caseHint    = "without cased an expression ignores the case of ASCII letters, with it none does"
)

// escape passes over a backslash and what belongs to it.
func (s *scanner) escape() *Error {
	rest := s.text[s.off:]
	if len(rest) < 2 {
		s.copy(1)
		return nil
	}
	switch c := rest[1]; {
	case c == 'Q':
		n := strings.Index(rest, `\E`)
		if n < 0 {
			n = len(rest)
		} else {
			n += 2
		}
		s.copy(n)
	case c == 'p' || c == 'P':
		return s.class(propertyEnd(rest))
	case c == 'k' || c == 'g', '1' <= c && c <= '9' && (c > '7' || len(rest) < 3 || rest[2] < '0' || rest[2] > '7'):
		return refuse(s.off, boundedHint, "back-reference %s is not supported", rest[:2])
	default:
		s.copy(2)
	}
	return nil
}

// propertyEnd returns the length of a \pN or \p{Name} at the beginning of rest.
func propertyEnd(rest string) int {
	if len(rest) > 2 && rest[2] == '{' {
		return strings.IndexByte(rest, '}') + 1
	}
	return min(3, len(rest))
}

// open passes over a parenthesis and what belongs to it.
func (s *scanner) open() *Error {
	if s.depth++; s.depth > maxDepth {
		return refuse(s.off, "", "parentheses are nested deeper than %d levels", maxDepth)
	}
	rest := s.text[s.off:]
	if !strings.HasPrefix(rest, "(?") {
		s.copy(1)
		return nil
	}
	for _, form := range []struct{ text, name string }{
		{"(?=", "look-ahead"}, {"(?!", "look-ahead"}, {"(?<=", "look-behind"}, {"(?<!", "look-behind"},
		{"(?>", "atomic group"}, {"(?(", "condition"}, {"(?P=", "back-reference"}, {"(?P>", "recursion"},
		{"(?R", "recursion"}, {"(?&", "recursion"}, {"(?|", "branch reset"}, {"(?#", "comment"},
	} {
		if strings.HasPrefix(rest, form.text) {
			hint := boundedHint
			if form.name == "comment" {
				hint = "leave it out"
			}
			return refuse(s.off, hint, "%s %s is not supported", form.name, form.text)
		}
	}
	end := strings.IndexAny(rest, ":)")
	if end < 0 || strings.HasPrefix(rest, "(?P<") || strings.HasPrefix(rest, "(?<") {
		s.copy(2)
		return nil
	}
	return s.flags(rest[2:end], rest[end] == ')')
}

// flags passes over (?flags) if alone, else over the beginning of (?flags: ).
func (s *scanner) flags(flags string, alone bool) *Error {
	start := s.off
	on, off, _ := strings.Cut(flags, "-")
	if i := strings.Trim(flags, "imsU-"); i != "" {
		return refuse(start, "the flags are i, m, s and U", "unknown flag in %.20q", "(?"+flags)
	}
	switch {
	case strings.Contains(off, "i"):
		return refuse(start, caseHint, "(?-i) in an expression")
	case strings.Contains(on, "i") && s.cased:
		return refuse(start, caseHint, "(?i) in a cased expression")
	}
	if alone {
		s.depth--
	}
	end := start + len("(?") + len(flags) + 1
	kept := strings.ReplaceAll(flags, "i", "")
	switch {
	case kept == flags:
		s.copy(end - start)
		return nil
	case kept == "" && alone:
		s.out.WriteString("(?:)")
	default:
		s.out.WriteString("(?" + kept + s.text[end-1:end])
	}
	s.off = end
	return nil
}

// classEnd returns the length of the class at the beginning of rest, or that of
// rest if the class is not closed.
func classEnd(rest string) int {
	i := 1
	if strings.HasPrefix(rest[i:], "^") {
		i++
	}
	for first := true; i < len(rest); first = false {
		switch {
		case rest[i] == ']' && !first:
			return i + 1
		case rest[i] == '\\':
			i++
		case strings.HasPrefix(rest[i:], "[:"):
			if n := strings.Index(rest[i+2:], ":]"); n >= 0 {
				i += n + 3
			}
		}
		i++
	}
	return len(rest)
}
