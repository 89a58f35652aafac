// SPDX-License-Identifier: Apache-2.0

// This file makes signals for benchmarks, in the shape of the public Sigma rules for
// process creation: how many values a rule has, how long they are, on which fields
// and under which conditions, how often there is a negation or a regular
// expression. The words come from the events that are judged, so that about as many
// signals are met in part, and in whole, as by real rules. The same seed gives the
// same signals.

package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"seismo/internal/event"
	"seismo/signals"
)

// vocabulary is what literals are made of.
type vocabulary struct {
	commands []string // command lines, folded
	programs []string // last elements of paths, with the separator before it, as often as they occur
	folders  []string // beginnings of paths
	words    []string // of command lines, 2 to 12 bytes
}

// generator makes signals.
type generator struct {
	r     *rand.Rand
	words vocabulary
	short bool // the signal at hand may have literals of one to three bytes
	own   bool // the events have record.'OriginalFileName'
}

// logNormal draws a number whose median and 90th percentile are given.
func (g *generator) logNormal(median, p90 float64) float64 {
	return median * math.Exp(g.r.NormFloat64()*math.Log(p90/median)/1.2816)
}

func pick[E any](g *generator, of []E) E { return of[g.r.IntN(len(of))] }

func (g *generator) chance(p float64) bool { return g.r.Float64() < p }

// length draws the length of a literal: 4, 12 and 34 bytes at the 10th, 50th and
// 90th percentile.
func (g *generator) length() int {
	if g.short && g.chance(0.06) {
		return 1 + g.r.IntN(3)
	}
	return min(max(int(g.logNormal(12, 34)), 4), 232)
}

// fragment returns a literal of n bytes: seldom a piece of a command line that
// occurs, mostly words of such in another order.
func (g *generator) fragment(n int) string {
	if n >= 12 && g.chance(0.005) {
		if c := pick(g, g.words.commands); len(c) > n {
			at := g.r.IntN(len(c) - n)
			return c[at : at+n]
		}
	}
	if n < gramSize { // marks of a shell's syntax
		mark := ""
		for range n {
			mark += pick(g, []string{"^", "`", "|", ";", "{", "&", "#", "!", "@", "~"})
		}
		return mark
	}
	if n < 8 { // an option
		option := " -"
		for range 8 {
			option += string(byte('a' + g.r.IntN(26)))
		}
		return option[:n]
	}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(pick(g, []string{" ", "-", "\\", ".", "/", " --", "=", "_", ""}))
		w := pick(g, g.words.words)
		if g.chance(0.8) { // a word nobody uses
			w = string(byte('a'+g.r.IntN(26))) + w[:len(w)/2] + string(byte('a'+g.r.IntN(26)))
		}
		b.WriteString(w)
	}
	return b.String()[:n]
}

func (g *generator) fragments(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = g.fragment(g.length())
	}
	return out
}

// programs returns n ends of paths, a share of them of programs that occur.
func (g *generator) programs(n int, known float64) []string {
	out := make([]string, n)
	for i := range out {
		if out[i] = pick(g, g.words.programs); !g.chance(known) {
			out[i] = fmt.Sprintf("\\%s%d.exe", pick(g, g.words.words), g.r.IntN(100))
		}
	}
	return out
}

// values draws how many values a signal has: 6 at the median, 84 at the 99th
// percentile.
func (g *generator) values() int { return min(max(int(g.logNormal(6, 25)), 1), 1100) }

// signal makes one signal.
func (g *generator) signal() expr {
	n := g.values()
	var kids []expr
	if g.short = g.chance(0.55); g.short {
		k := min(n, 1+g.r.IntN(4))
		known := 0.5 // of the programs occur, if more is asked than a program
		if n -= k; n <= 0 {
			known = 0.003
		}
		image := ask("process.path", ends, g.programs(k, known)...)
		if g.own && g.chance(0.5) {
			names := g.programs(1, known)
			image = or(image, ask("record.'OriginalFileName'", equal, strings.TrimLeft(names[0], `\/`)))
		}
		kids = append(kids, image)
	}
	if g.chance(0.15) {
		kids = append(kids, ask("process.parent_path", ends, g.programs(1+g.r.IntN(3), 0.5)...))
	}
	if n > 0 {
		kids = append(kids, g.commandLine(n))
	}
	if g.chance(0.04) {
		kids = append(kids, ask("process.command_line", signals.Regex, fmt.Sprintf(`%s[0-9]{1,4}\s+-%c`, strings.Trim(pick(g, g.words.words), `\/.()[]{}*+?^$|"'`), 'a'+g.r.IntN(26))))
	}
	if g.chance(0.21) {
		kids = append(kids, not(pickOne(g, ask("process.parent_path", begins, pick(g, g.words.folders)),
			ask("process.path", begins, pick(g, g.words.folders)), ask("process.command_line", has, g.fragments(1+g.r.IntN(3))...))))
	}
	return and(kids...)
}

func pickOne(g *generator, of ...expr) expr { return pick(g, of) }

// commandLine makes the part of a signal on command lines, with n values: one
// selection, or several of which all or one must be met.
func (g *generator) commandLine(n int) expr {
	on := func(n int) expr { return ask("process.command_line", has, g.fragments(n)...) }
	switch {
	case n > 2 && g.chance(0.3):
		return and(on(n/2), on(n-n/2))
	case n < 6 && g.chance(0.3):
		kids := make([]expr, n)
		for i := range kids {
			kids[i] = on(1)
		}
		return and(kids...)
	case n > 2 && g.chance(0.15):
		return or(on(n/2), and(on(1), on(n-n/2)))
	}
	return on(n)
}

// signals makes n signals.
func (g *generator) signals(n int) []expr {
	out := make([]expr, n)
	for i := range out {
		out[i] = g.signal()
	}
	return out
}

// linuxSignals makes n signals in the proportions of Linux rules: most on programs
// and command lines, some on files, connections and records.
func (g *generator) linuxSignals(n int) []expr {
	out := make([]expr, n)
	for i := range out {
		switch i % 8 {
		case 0, 1, 2, 3, 4:
			out[i] = g.signal()
		case 5:
			out[i] = and(ask("file.path", begins, fmt.Sprintf("/etc/%s%d/", pick(g, g.words.words), i), pick(g, g.words.folders)+pick(g, g.words.words)+fmt.Sprint(i%100)),
				ask("file.operation", equal, "create", "write"), not(ask("process.path", begins, pick(g, g.words.folders))))
		case 6:
			out[i] = and(number("network.port", equal, int64(1024+i), 4444), ask("process.path", ends, g.programs(3, 0.5)...))
		default:
			out[i] = and(ask("file.path", ends, "/."+pick(g, g.words.words), fmt.Sprintf("/authorized_keys%d", i)), not(ask("process.user_name", equal, "root")))
		}
	}
	return out
}

// largeSet lowers many signals; unlike setBuilder it finds terms and atoms by hash.
type largeSet struct {
	set   signals.Set
	atoms map[signals.Atom]uint32
	terms map[string]uint32
}

// newLargeSet lowers exprs, for process events; each as one group if grouped.
func newLargeSet(exprs []expr, kinds event.KindSet, grouped bool) *signals.Set {
	b := largeSet{atoms: map[signals.Atom]uint32{}, terms: map[string]uint32{}}
	for i, e := range exprs {
		if grouped {
			e = group(e)
		}
		root := b.node(e, false)
		b.set.Signals = append(b.set.Signals, signals.Signal{Root: root, Kinds: kinds})
		b.set.Definitions = append(b.set.Definitions, signals.Definition{ID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i),
			Name: fmt.Sprintf("signal %d", i), Severity: signals.Low, Text: e.text(), Revision: "00"})
	}
	return &b.set
}

func (b *largeSet) node(e expr, inGroup bool) uint32 {
	n := signals.Node{Op: e.op}
	if e.op == signals.NodeTerm {
		n.Term = b.term(e.term, inGroup)
	}
	for _, k := range e.kids {
		n.Kids = append(n.Kids, b.node(k, inGroup || e.op == signals.NodeGroup))
	}
	b.set.Nodes = append(b.set.Nodes, n)
	return uint32(len(b.set.Nodes) - 1)
}

func (b *largeSet) term(t testTerm, inGroup bool) uint32 {
	name := fmt.Sprint(t.text(), inGroup)
	if i, ok := b.terms[name]; ok {
		return i
	}
	var one setBuilder // lowers this one
	one.term(t, inGroup)
	out := one.set.Terms[0]
	for i, ref := range out.Atoms {
		a := one.set.Atoms[ref]
		at, ok := b.atoms[a]
		if !ok {
			at = uint32(len(b.set.Atoms))
			b.atoms[a] = at
			b.set.Atoms = append(b.set.Atoms, a)
		}
		out.Atoms[i] = at
	}
	b.terms[name] = uint32(len(b.set.Terms))
	b.set.Terms = append(b.set.Terms, out)
	return b.terms[name]
}
