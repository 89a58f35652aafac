// SPDX-License-Identifier: Apache-2.0

// This file holds regular expressions: what is taken, and matching. The scan of
// their text is in scan.go, folding in fold.go, their literals in needs.go.

package pattern

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// Regex is a regular expression of RE2 (the syntax of Go's regexp/syntax with
// its Perl extensions), searched for anywhere in a value: ^ and $ anchor it. It
// is matched on bytes as they are. A byte that is not part of UTF-8 is one
// character that dots and negated classes match, and that no literal does; \xff
// is the character U+00FF, not a byte.
//
// Unless it is cased, ASCII letters of literals and classes match in both cases:
// [^a] matches neither a nor A. (?i) then says nothing new and is read as such;
// (?-i), and (?i) in a cased one, are refused.
type Regex struct {
	re     *regexp.Regexp
	size   int
	ranges int // of its character classes
	needs  []string

	// What a Searcher goes by.
	prog      *syntax.Prog // nil if it is too large
	shortest  int          // bytes of a match, at least
	bytes     ByteSet
	run       *syntax.Inst // of a repeated class; else nil
	runLength int
	factor    factor
}

// The bounds of a regular expression: its work is at most size times length.
const (
	maxSize   = 10_000 // instructions of the program
	maxDepth  = 100    // of nested parentheses
	maxRanges = 50_000 // of all character classes together
)

// ParseRegex reads a regular expression. Look-around, back-references and
// possessive repeats, which no matcher of bounded work has, are refused by name.
// The error wraps [ErrPattern] and is an [*Error].
func ParseRegex(text string, cased bool) (*Regex, error) {
	if err := checkLength(text); err != nil {
		return nil, err
	}
	s := &scanner{text: text, cased: cased}
	if err := s.scan(); err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(s.out.String(), syntax.Perl)
	if err != nil {
		return nil, explain(text, err)
	}
	if !cased {
		foldTree(tree)
	}
	tree = withoutCaptures(tree)
	if err := checkTree(tree); err != nil {
		return nil, err
	}
	// The tree is printed and parsed again, since regexp compiles texts only.
	re, err := regexp.Compile(printTree(tree))
	if err != nil {
		return nil, explain(text, err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, explain(text, err)
	}
	if len(prog.Inst) > maxSize {
		return nil, tooLarge(len(prog.Inst))
	}
	_, ranges := measure(tree)
	r := &Regex{re: re, size: len(prog.Inst), ranges: ranges, needs: needsOf(tree), shortest: shortestOf(tree), bytes: bytesOf(tree)}
	r.run, r.runLength = runOf(tree)
	r.factor = factorOf(tree.Simplify())
	if len(prog.Inst) <= maxSearchSize {
		r.prog = prog
	}
	return r, nil
}

// Match reports whether r matches anywhere in v. It does not allocate in steady
// state.
func (r *Regex) Match(v []byte) bool { return r.re.Match(v) }

// MatchString reports whether r matches anywhere in s.
func (r *Regex) MatchString(s string) bool { return r.re.MatchString(s) }

// Size returns the number of instructions of r's program: matching takes at most
// about that many steps for each byte.
func (r *Regex) Size() int { return r.size }

// Weight returns about the bytes of memory that r takes.
func (r *Regex) Weight() int { return 4096 + 128*r.size + 64*r.ranges }

// Needs returns literals, ASCII letters in lower case, of which every value that
// r matches contains at least one once it is folded in the same way. Each has at
// least 3 bytes; there are at most 64. None means that nothing is known. The
// caller must not change them.
func (r *Regex) Needs() []string { return r.needs }

func tooLarge(size int) *Error {
	return refuse(-1, "use smaller repeats, or several expressions", "its program has %d instructions, at most %d are taken", size, maxSize)
}

// checkTree refuses a tree whose program would be too large, before it is made.
func checkTree(tree *syntax.Regexp) error {
	if namesInvalid(tree) {
		return refuse(-1, "leave it out; a dot matches such a byte", "the character U+FFFD, which every byte that is not UTF-8 is taken for")
	}
	size, ranges := measure(tree)
	if ranges > maxRanges {
		return refuse(-1, "", "its character classes have %d ranges, at most %d are taken", ranges, maxRanges)
	}
	if size > maxSize {
		return tooLarge(size)
	}
	return nil
}

// namesInvalid reports whether re has U+FFFD as a literal, which would match bytes
// that it does not consist of.
func namesInvalid(re *syntax.Regexp) bool {
	return re.Op == syntax.OpLiteral && slices.Contains(re.Rune, utf8.RuneError) || slices.ContainsFunc(re.Sub, namesInvalid)
}

// measure returns about the number of instructions of re's program, and the
// ranges of the character classes in re's text.
func measure(re *syntax.Regexp) (size, ranges int) {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune), 0
	case syntax.OpCharClass:
		return 1, len(re.Rune) / 2
	}
	for _, sub := range re.Sub {
		s, r := measure(sub)
		size, ranges = min(size+s, 1<<30), ranges+r
	}
	switch re.Op {
	case syntax.OpRepeat:
		// Bounded by the parser: all repeats in each other are at most 1000.
		size = min(size*max(re.Min, re.Max, 1), 1<<30)
	case syntax.OpAlternate:
		size += len(re.Sub) - 1
	case syntax.OpConcat:
	default:
		size++
	}
	return size, ranges
}

// withoutCaptures returns re without its capturing groups, which cost
// instructions and are never asked for.
func withoutCaptures(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	for i, sub := range re.Sub {
		re.Sub[i] = withoutCaptures(sub)
	}
	return re
}

// explain says in our words what regexp/syntax refuses.
func explain(text string, err error) error {
	bad := new(syntax.Error)
	if !errors.As(err, &bad) {
		return refuse(-1, "", "%v", err)
	}
	at := strings.Index(text, bad.Expr)
	if bad.Expr == "" || bad.Expr == text {
		at = -1
	}
	const backslash = `a character that means something is written with a backslash before it, as \( or \.`
	switch bad.Code {
	case syntax.ErrInvalidUTF8:
		return refuse(-1, `a character is written as itself or as \x{e9}; a byte that is no UTF-8 can not be named`, "it is not UTF-8")
	case syntax.ErrInvalidRepeatSize:
		return refuse(at, "", "repeat %q: at most 1000 times are taken, repeats in repeats multiplied", bad.Expr)
	case syntax.ErrLarge:
		return refuse(-1, "use smaller repeats, or several expressions", "its program is too large")
	case syntax.ErrInvalidRepeatOp:
		if strings.HasSuffix(bad.Expr, "+") {
			return refuse(at, "leave out the second +: it changes speed in other engines, here there is nothing to gain", "possessive repeat %q", bad.Expr)
		}
		return refuse(at, backslash, "repeat of a repeat %q", bad.Expr)
	case syntax.ErrMissingRepeatArgument:
		return refuse(at, backslash, "%q repeats nothing", bad.Expr)
	case syntax.ErrMissingParen:
		return refuse(-1, backslash, "a ( is not closed")
	case syntax.ErrUnexpectedParen:
		return refuse(-1, backslash, "a ) closes nothing")
	case syntax.ErrMissingBracket:
		return refuse(at, backslash, "a [ is not closed")
	case syntax.ErrTrailingBackslash:
		return refuse(len(text)-1, `a backslash is written \\`, "it ends in a backslash")
	case syntax.ErrInvalidEscape:
		return refuse(at, `a backslash is written \\`, "unknown escape %q", bad.Expr)
	case syntax.ErrInvalidCharRange:
		return refuse(at, "", "unknown class or wrong range %q", bad.Expr)
	}
	return refuse(at, "", "%s: %q", bad.Code, bad.Expr)
}
