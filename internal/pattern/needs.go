// SPDX-License-Identifier: Apache-2.0

// This file finds the literals that a regular expression can not match without.

package pattern

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"seismo/internal/ascii"
)

// The bounds of what is known of a part of an expression.
const (
	minNeed     = 3  // bytes of a literal worth looking for
	maxNeeds    = 64 // alternatives
	maxNeedByte = 64 // bytes up to which alternatives are joined to longer ones
	maxChoice   = 16 // characters of a class that are taken one by one
)

// known is what is known of the texts that a part of an expression matches, all
// of it folded.
type known struct {
	// exact are all of these texts; nil if there are too many.
	exact []string
	// some are literals of which each of these texts contains at least one; nil if
	// nothing is known.
	some []string
}

// needsOf returns the literals of which any match of re contains at least one.
func needsOf(re *syntax.Regexp) []string {
	return analyse(re).best()
}

// best returns the better ones of exact and some as literals to look for.
func (k known) best() []string { return better(usable(k.exact), k.some) }

// usable returns lits without those that contain another one; nil if they are
// too many, or one is too short to look for.
func usable(lits []string) []string {
	if len(lits) == 0 || len(lits) > maxNeeds || shortest(lits) < minNeed {
		return nil
	}
	sorted := slices.Clone(lits)
	slices.SortFunc(sorted, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var out []string
	for _, l := range sorted {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.Contains(l, o) }) {
			out = append(out, l)
		}
	}
	return out
}

func shortest(lits []string) int {
	n := len(lits[0])
	for _, l := range lits {
		n = min(n, len(l))
	}
	return n
}

// better returns what is rarer to find: long literals, and few of them.
func better(a, b []string) []string {
	score := func(lits []string) int {
		if len(lits) == 0 {
			return -1 << 20
		}
		return 4*min(shortest(lits), 12) - len(lits)
	}
	if score(b) > score(a) {
		return b
	}
	return a
}

// analyse returns what is known of re.
func analyse(re *syntax.Regexp) known {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return known{exact: []string{""}}
	case syntax.OpLiteral:
		return analyseLiteral(re)
	case syntax.OpCharClass:
		return known{exact: characters(re.Rune)}
	case syntax.OpCapture:
		return analyse(re.Sub[0])
	case syntax.OpQuest:
		if sub := analyse(re.Sub[0]); sub.exact != nil {
			return known{exact: union(sub.exact, []string{""})}
		}
	case syntax.OpPlus:
		return known{some: analyse(re.Sub[0]).best()}
	case syntax.OpRepeat:
		return analyseRepeat(re)
	case syntax.OpConcat:
		var c chain
		for _, sub := range re.Sub {
			c.add(analyse(sub))
		}
		return c.known()
	case syntax.OpAlternate:
		return analyseAlternate(re)
	}
	return known{} // any character, *, or nothing at all
}

func analyseLiteral(re *syntax.Regexp) known {
	if re.Flags&syntax.FoldCase == 0 {
		return known{exact: literalTexts(re.Rune)}
	}
	var c chain
	for _, r := range re.Rune {
		runes := []rune{r, r}
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			runes = append(runes, o, o)
		}
		c.add(known{exact: characters(runes)})
	}
	return c.known()
}

// literalTexts returns the one text of a literal; nil if a byte that is no UTF-8
// can stand for a character of it.
func literalTexts(rs []rune) []string {
	if slices.Contains(rs, utf8.RuneError) {
		return nil
	}
	return []string{ascii.Fold(string(rs))}
}

// characters returns the characters of a class, folded; nil if they are many, or
// if a byte that is no UTF-8 is one of them.
func characters(ranges []rune) []string {
	n := 0
	for i := 0; i < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if n += int(hi-lo) + 1; n > 2*maxChoice || lo <= utf8.RuneError && utf8.RuneError <= hi {
			return nil
		}
	}
	var out []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			out = union(out, []string{ascii.Fold(string(r))})
		}
	}
	if len(out) > maxChoice {
		return nil
	}
	return out
}

func analyseRepeat(re *syntax.Regexp) known {
	if re.Min == 0 {
		return known{}
	}
	sub := analyse(re.Sub[0])
	var c chain
	n := min(re.Min, maxNeedByte)
	for range n {
		c.add(sub)
	}
	if re.Max != n {
		c.add(known{})
	}
	return c.known()
}

func analyseAlternate(re *syntax.Regexp) known {
	var out known
	for i, sub := range re.Sub {
		k := analyse(sub)
		some := k.best()
		if i == 0 {
			out = known{exact: k.exact, some: some}
			continue
		}
		if out.exact != nil && k.exact != nil {
			out.exact = union(out.exact, k.exact)
		} else {
			out.exact = nil
		}
		if len(out.exact) > maxNeeds {
			out.exact = nil
		}
		if out.some != nil && some != nil {
			out.some = usable(union(out.some, some))
		} else {
			out.some = nil
		}
	}
	return out
}

// union returns the texts of a and b, each once. It may change a.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// chain gathers what is known of parts that follow each other.
type chain struct {
	run     []string // the texts that the last parts can be, joined; nil: only ""
	some    []string // the best of what was known of parts before
	inexact bool     // run is not all parts
}

func (c *chain) add(k known) {
	if k.exact == nil {
		c.flush()
		c.some = better(c.some, k.some)
		return
	}
	if c.run == nil {
		c.run = []string{""}
	}
	if len(c.run)*len(k.exact) > maxNeeds || shortest(c.run) > maxNeedByte {
		c.flush()
		c.run = k.exact
		return
	}
	if len(k.exact) > 1 { // the run may be worth more as it is
		c.some = better(c.some, usable(c.run))
	}
	joined := make([]string, 0, len(c.run)*len(k.exact))
	for _, a := range c.run {
		for _, b := range k.exact {
			joined = append(joined, a+b)
		}
	}
	c.run = union(nil, joined)
}

// flush ends the run: what follows is not known to stand behind it.
func (c *chain) flush() {
	c.some = better(c.some, usable(c.run))
	c.run, c.inexact = nil, true
}

func (c *chain) known() known {
	if !c.inexact {
		if c.run == nil {
			return known{exact: []string{""}}
		}
		return known{exact: c.run, some: c.some}
	}
	return known{some: better(c.some, usable(c.run))}
}
