// SPDX-License-Identifier: Apache-2.0

// This file rewrites regular expressions in which only a part ignores case.

package pattern

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// FoldScopes returns a regular expression without the flag i that means, cased, what
// text means with it: within the reach of (?i) and (?i: ), up to a (?-i), ASCII letters
// match in both cases, also those of classes and escapes, and every other character
// exactly. The result is for [ParseRegex], which also says what is wrong with it; the
// error, an [*Error] that wraps [ErrPattern], is about what could not be rewritten.
func FoldScopes(text string) (string, error) {
	if err := checkLength(text); err != nil {
		return "", err
	}
	f := &folder{scanner: scanner{text: text, cased: true}}
	for f.off < len(f.text) {
		if err := f.step(); err != nil {
			return "", err
		}
		if f.out.Len() > maxRewritten {
			return "", refuse(-1, "", "its character classes are too large")
		}
	}
	return f.out.String(), nil
}

// folder is a scanner that knows where the flag i is set.
type folder struct {
	scanner
	fold  bool
	outer []bool // fold of each open parenthesis, as it was before
}

var (
	flagGroup  = regexp.MustCompile(`^\(\?([imsU]*)(-[imsU]*)?([:)])`)
	namedGroup = regexp.MustCompile(`^\(\?P?<\w+>`)
	repetition = regexp.MustCompile(`^(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})`)
	codeEscape = regexp.MustCompile(`^\\(?:x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]+\}|[0-7]{1,3})`)
)

// step passes over one part of the text.
func (f *folder) step() *Error {
	rest := f.text[f.off:]
	f.cased = !f.fold
	switch c := rest[0]; {
	case c == '(':
		return f.group(rest)
	case c == ')':
		if n := len(f.outer); n > 0 {
			f.fold, f.outer = f.outer[n-1], f.outer[:n-1]
		}
		f.copy(1)
	case c == '[':
		return f.class(classEnd(rest))
	case c == '\\':
		return f.escaped(rest)
	case f.fold && isLetter(rune(c)):
		f.letter(c)
	default:
		f.copy(1)
	}
	return nil
}

// letter writes both cases of c, which is passed over.
func (f *folder) letter(c byte) {
	f.out.Write([]byte{'[', c &^ 0x20, c | 0x20, ']'})
	f.off++
}

// group passes over a parenthesis, with its flags or its name.
func (f *folder) group(rest string) *Error {
	if m := namedGroup.FindString(rest); m != "" {
		f.outer = append(f.outer, f.fold)
		f.copy(len(m))
		return nil
	}
	m := flagGroup.FindStringSubmatch(rest)
	if m == nil {
		f.outer = append(f.outer, f.fold)
		return f.open()
	}
	fold := (f.fold || strings.Contains(m[1], "i")) && !strings.Contains(m[2], "i")
	kept := strings.ReplaceAll(m[1], "i", "")
	if off := strings.ReplaceAll(m[2], "i", ""); len(off) > 1 {
		kept += off
	}
	if m[3] == ":" {
		f.outer = append(f.outer, f.fold)
		f.out.WriteString("(?" + kept + ":")
	} else if kept == "" {
		// Package regexp passes over such a group: what repeats would repeat what stands
		// before it.
		if repetition.MatchString(rest[len(m[0]):]) {
			return refuse(f.off+len(m[0]), "write it behind what is repeated", "a repetition behind %s", m[0])
		}
		f.out.WriteString("(?:)")
	} else {
		f.out.WriteString("(?" + kept + ")")
	}
	f.fold = fold
	f.off += len(m[0])
	return nil
}

// escaped passes over a backslash and what belongs to it.
func (f *folder) escaped(rest string) *Error {
	if !f.fold {
		return f.escape()
	}
	if strings.HasPrefix(rest, `\Q`) {
		literal, _, closed := strings.Cut(rest[2:], `\E`)
		f.off += 2
		for i := range len(literal) {
			if isLetter(rune(literal[i])) {
				f.letter(literal[i])
				continue
			}
			f.out.WriteString(regexp.QuoteMeta(literal[i : i+1]))
			f.off++
		}
		if closed {
			f.off += 2
		}
		return nil
	}
	if m := codeEscape.FindString(rest); m != "" {
		if re, err := syntax.Parse(m, syntax.Perl); err == nil && re.Op == syntax.OpLiteral && len(re.Rune) == 1 && isLetter(re.Rune[0]) {
			f.letter(byte(re.Rune[0]))
			f.off += len(m) - 1
			return nil
		}
	}
	return f.escape()
}
