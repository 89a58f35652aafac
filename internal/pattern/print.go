// SPDX-License-Identifier: Apache-2.0

// This file prints the syntax tree of a regular expression. The method String of
// regexp/syntax does so too, but looks for shorter flags by folding every character
// of every class: 2 ms for one [^/] (BenchmarkParseRegex).

package pattern

import (
	"fmt"
	"regexp/syntax"
	"strconv"
)

// printTree returns a text that means re, whatever its flags. Parentheses in it do
// not capture.
func printTree(re *syntax.Regexp) string { return string(appendTree(nil, re)) }

func appendTree(b []byte, re *syntax.Regexp) []byte {
	switch re.Op {
	case syntax.OpNoMatch:
		return append(b, `[^\x{0}-\x{10ffff}]`...)
	case syntax.OpEmptyMatch:
		return append(b, `(?:)`...)
	case syntax.OpLiteral:
		return appendLiteral(b, re)
	case syntax.OpCharClass:
		return appendClass(b, re.Rune)
	case syntax.OpAnyCharNotNL:
		return append(b, `(?-s:.)`...)
	case syntax.OpAnyChar:
		return append(b, `(?s:.)`...)
	case syntax.OpBeginLine:
		return append(b, `(?m:^)`...)
	case syntax.OpEndLine:
		return append(b, `(?m:$)`...)
	case syntax.OpBeginText:
		return append(b, `\A`...)
	case syntax.OpEndText:
		return append(b, `\z`...)
	case syntax.OpWordBoundary:
		return append(b, `\b`...)
	case syntax.OpNoWordBoundary:
		return append(b, `\B`...)
	case syntax.OpConcat, syntax.OpAlternate, syntax.OpCapture:
		b = append(b, `(?:`...)
		for i, sub := range re.Sub {
			if i > 0 && re.Op == syntax.OpAlternate {
				b = append(b, '|')
			}
			b = appendTree(b, sub)
		}
		return append(b, ')')
	}
	return appendRepeat(b, re)
}

// appendRepeat prints a repetition.
func appendRepeat(b []byte, re *syntax.Regexp) []byte {
	b = append(b, `(?:`...)
	b = appendTree(b, re.Sub[0])
	b = append(b, ')')
	switch re.Op {
	case syntax.OpStar:
		b = append(b, '*')
	case syntax.OpPlus:
		b = append(b, '+')
	case syntax.OpQuest:
		b = append(b, '?')
	case syntax.OpRepeat:
		b = append(b, '{')
		b = strconv.AppendInt(b, int64(re.Min), 10)
		if re.Max != re.Min {
			b = append(b, ',')
			if re.Max >= 0 {
				b = strconv.AppendInt(b, int64(re.Max), 10)
			}
		}
		b = append(b, '}')
	default:
		panic(fmt.Sprintf("pattern: operation %s of regexp/syntax is not known", re.Op))
	}
	if re.Flags&syntax.NonGreedy != 0 {
		b = append(b, '?')
	}
	return b
}

func appendLiteral(b []byte, re *syntax.Regexp) []byte {
	fold := re.Flags&syntax.FoldCase != 0
	if fold {
		b = append(b, `(?i:`...)
	}
	for _, r := range re.Rune {
		b = appendCharacter(b, r)
	}
	if fold {
		b = append(b, ')')
	}
	return b
}

func appendClass(b []byte, ranges []rune) []byte {
	if len(ranges) == 0 {
		return append(b, `[^\x{0}-\x{10ffff}]`...)
	}
	b = append(b, '[')
	for i := 0; i+1 < len(ranges); i += 2 {
		b = appendCharacter(b, ranges[i])
		if ranges[i] != ranges[i+1] {
			b = append(b, '-')
			b = appendCharacter(b, ranges[i+1])
		}
	}
	return append(b, ']')
}

func appendCharacter(b []byte, r rune) []byte {
	if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
		return append(b, byte(r))
	}
	b = append(b, `\x{`...)
	b = strconv.AppendInt(b, int64(r), 16)
	return append(b, '}')
}
