// SPDX-License-Identifier: Apache-2.0

// This file checks the tables of a program and fills in what follows from them.
// Build and Load both go through it: what a signals.bin can say is exactly what
// Build accepts.

package engine

import (
	"fmt"
	"net/netip"
	"unicode/utf8"

	"seismo/internal/event"
	"seismo/signals"
)

// The limits of a program. They bound the time and memory that a hostile
// signals.bin can take, and are far above what rule sets come to: the public
// Sigma rules are about 3,200 signals with 40,000 literals.
const (
	maxSignals = 20_000
	maxNodes   = 1_000_000 // also bounds the nodes visited over all signals, where signals share some
	maxTerms   = 1_000_000
	maxAtoms   = 200_000
	maxRefs    = 2_000_000 // entries of lists: children, atoms of terms, lists of definitions
	maxDepth   = 132       // levels of a signal's expression, a term alone is 1, see below
	maxLiteral = 1024      // bytes
	maxText    = 1 << 20   // bytes of any other string
)

// maxDepth is what the text language can come to: 64 parentheses inside each
// other (package signals), with an OR of ANDs around and in each of them, and a
// group and a term at the bottom.

// The tables of a program, which are sections of signals.bin too.
const (
	tableStrings     = "strings"
	tableLists       = "lists"
	tableDefinitions = "definitions"
	tableAtoms       = "atoms"
	tableTerms       = "terms"
	tableNodes       = "nodes"
	tableSignals     = "signals"
)

// fault is a rule that an entry of a table breaks.
type fault struct {
	table string
	index int
	what  string
}

func faultf(table string, index int, format string, args ...any) *fault {
	return &fault{table, index, fmt.Sprintf(format, args...)}
}

// finish checks every table of p and fills what follows from them: the parsed
// addresses of atoms and the registry's words on terms. It returns the first
// fault, or nil.
func (p *Program) finish() *fault {
	for _, check := range []func() *fault{p.checkSizes, p.checkDefinitions, p.finishAtoms, p.finishTerms, p.checkNodes, p.checkSignals} {
		if f := check(); f != nil {
			return f
		}
	}
	return nil
}

func (p *Program) checkSizes() *fault {
	for _, t := range []struct {
		table       string
		have, limit int
	}{
		{tableDefinitions, len(p.definitions), maxSignals},
		{tableSignals, len(p.signals), maxSignals},
		{tableNodes, len(p.nodes), maxNodes},
		{tableTerms, len(p.terms), maxTerms},
		{tableAtoms, len(p.atoms), maxAtoms},
	} {
		if t.have > t.limit {
			return faultf(t.table, t.limit, "%d entries, the limit is %d", t.have, t.limit)
		}
	}
	if len(p.signals) != len(p.definitions) {
		return faultf(tableSignals, min(len(p.signals), len(p.definitions)),
			"%d programs for %d definitions", len(p.signals), len(p.definitions))
	}
	return nil
}

func (p *Program) checkDefinitions() *fault {
	refs := 0
	for i := range p.definitions {
		d := &p.definitions[i]
		if d.ID == "" {
			return faultf(tableDefinitions, i, "no id")
		}
		if i > 0 && p.definitions[i-1].ID >= d.ID {
			return faultf(tableDefinitions, i, "id %.80q does not come after id %.80q", d.ID, p.definitions[i-1].ID)
		}
		if d.Severity > signals.Critical {
			return faultf(tableDefinitions, i, "severity %d is unknown", d.Severity)
		}
		for _, s := range definitionStrings(d) {
			if bad := badText(*s); bad != "" {
				return faultf(tableDefinitions, i, "%s", bad)
			}
		}
		for _, list := range definitionLists(d) {
			refs += len(*list)
			for _, s := range *list {
				if bad := badText(s); bad != "" {
					return faultf(tableDefinitions, i, "%s", bad)
				}
			}
		}
		if refs > maxRefs {
			return faultf(tableDefinitions, i, "more than %d list entries", maxRefs)
		}
	}
	return nil
}

// definitionStrings returns the strings of d in the order of signals.bin.
func definitionStrings(d *signals.Definition) [8]*string {
	return [8]*string{&d.ID, &d.Name, &d.Description, &d.Status, &d.Author, &d.Response, &d.Text, &d.Revision}
}

// definitionLists returns the lists of d in the order of signals.bin.
func definitionLists(d *signals.Definition) [5]*[]string {
	return [5]*[]string{&d.Techniques, &d.Platforms, &d.References, &d.FalsePositives, &d.Labels}
}

func badText(s string) string {
	switch {
	case len(s) > maxText:
		return fmt.Sprintf("a text of %d bytes, the limit is %d", len(s), maxText)
	case !utf8.ValidString(s):
		return fmt.Sprintf("text %.80q is not UTF-8", s)
	}
	return ""
}

func (p *Program) finishAtoms() *fault {
	for i := range p.atoms {
		a := &p.atoms[i]
		in := event.Describe(a.field)
		if (a.own == "") != (in.Name != "") {
			return faultf(tableAtoms, i, "field %d with own name %.80q names no field", a.field, a.own)
		}
		if bad := badText(a.own); bad != "" {
			return faultf(tableAtoms, i, "%s", bad)
		}
		if len(a.literal) > maxLiteral {
			return faultf(tableAtoms, i, "a literal of %d bytes, the limit is %d: %.40q…", len(a.literal), maxLiteral, a.literal)
		}
		if what := p.finishAtom(a, typeOf(a.own, in)); what != "" {
			return faultf(tableAtoms, i, "%s", what)
		}
	}
	return nil
}

// typeOf returns the type that a field is compared as: the source's own fields
// are strings.
func typeOf(own string, in event.Info) event.Type {
	if own != "" {
		return event.String
	}
	return in.Type
}

// finishAtom checks that a's condition and value fit the type of its field, and
// parses its address. It returns what is wrong, or "".
func (p *Program) finishAtom(a *atom, typ event.Type) string {
	number := typ == event.Integer || typ == event.Identifier || typ == event.Time
	fits := false
	switch a.cond {
	case signals.Exists:
		if a.literal != "" || a.number != 0 {
			return "exists with a value"
		}
		return ""
	case signals.Is:
		fits = true
	case signals.Contains, signals.BeginsWith, signals.EndsWith:
		fits = !number
	case signals.Less, signals.LessEqual, signals.Greater, signals.GreaterEqual:
		fits = number
	case signals.InCIDR:
		fits = typ == event.Address
	}
	switch {
	case !a.cond.Valid():
		return fmt.Sprintf("condition %d is unknown", a.cond)
	case !fits:
		return fmt.Sprintf("condition %q does not fit type %s", a.cond, typ)
	case number && a.literal != "":
		return fmt.Sprintf("literal %.80q on type %s", a.literal, typ)
	case !number && a.number != 0:
		return fmt.Sprintf("number %d on type %s", a.number, typ)
	case !number && !a.cased && !isFolded(a.literal):
		return fmt.Sprintf("literal %.80q has upper-case letters but is not cased", a.literal)
	}
	if typ != event.Address || a.cond != signals.Is && a.cond != signals.InCIDR {
		return ""
	}
	prefix, ok := parsePrefix(a.literal, a.cond)
	if !ok {
		return fmt.Sprintf("%.80q is no canonical address or prefix", a.literal)
	}
	a.prefix = uint32(len(p.prefixes))
	p.prefixes = append(p.prefixes, prefix)
	return ""
}

// parsePrefix reads the canonical text of an address (Is) or of a masked prefix
// (InCIDR). An address becomes the prefix that holds it alone.
func parsePrefix(text string, cond signals.Condition) (netip.Prefix, bool) {
	if cond == signals.InCIDR {
		prefix, err := netip.ParsePrefix(text)
		return prefix, err == nil && prefix == prefix.Masked() && !prefix.Addr().Is4In6() && prefix.String() == text
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() || a.String() != text {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func (p *Program) finishTerms() *fault {
	if len(p.atomRefs) > maxRefs {
		return faultf(tableTerms, 0, "%d atoms of terms, the limit is %d", len(p.atomRefs), maxRefs)
	}
	for i := range p.terms {
		t := &p.terms[i]
		in := event.Describe(t.field)
		if (t.own == "") != (in.Name != "") {
			return faultf(tableTerms, i, "field %d with own name %.80q names no field", t.field, t.own)
		}
		for _, s := range []string{t.text, t.own} {
			if bad := badText(s); bad != "" {
				return faultf(tableTerms, i, "%s", bad)
			}
		}
		carries := in.Kinds
		if t.own != "" {
			carries = event.AllKinds
		}
		switch {
		case t.kinds == 0 || t.kinds&^carries != 0:
			return faultf(tableTerms, i, "kinds %#x are not among those that carry the field (%#x)", t.kinds, carries)
		case !t.cond.Valid():
			return faultf(tableTerms, i, "condition %d is unknown", t.cond)
		case t.from == t.to:
			return faultf(tableTerms, i, "no atoms")
		}
		for _, ref := range p.atomRefs[t.from:t.to] {
			if int(ref) >= len(p.atoms) {
				return faultf(tableTerms, i, "atom %d of %d", ref, len(p.atoms))
			}
			if a := &p.atoms[ref]; a.field != t.field || a.own != t.own || (a.cond == signals.Exists) != (t.cond == signals.Exists) {
				return faultf(tableTerms, i, "atom %d is on another field or condition", ref)
			}
		}
		t.onEvent = t.own != "" || in.Scope == event.ScopeEvent
		t.valueType, t.scope = typeOf(t.own, in), in.Scope
	}
	return nil
}

// checkNodes checks that children come before their parents, which rules out
// cycles, and that no expression is too deep or too large. Nodes may be shared;
// size is what an expression comes to when each use counts.
func (p *Program) checkNodes() *fault {
	if len(p.kids) > maxRefs {
		return faultf(tableNodes, 0, "%d children, the limit is %d", len(p.kids), maxRefs)
	}
	shapes := make([]shape, len(p.nodes))
	for i := range p.nodes {
		n := &p.nodes[i]
		kids := p.kids[n.from:n.to]
		s := shape{size: 1, depth: 1, group: n.op == signals.NodeGroup}
		switch {
		case n.op > signals.NodeGroup:
			return faultf(tableNodes, i, "operation %d is unknown", n.op)
		case n.op == signals.NodeTerm && len(kids) > 0:
			return faultf(tableNodes, i, "a term with children")
		case n.op == signals.NodeTerm && int(n.term) >= len(p.terms):
			return faultf(tableNodes, i, "term %d of %d", n.term, len(p.terms))
		case n.op == signals.NodeGroup && len(kids) != 1, n.op != signals.NodeTerm && len(kids) == 0:
			return faultf(tableNodes, i, "%d children", len(kids))
		}
		for _, kid := range kids {
			if int(kid) >= i {
				return faultf(tableNodes, i, "child %d does not come before it", kid)
			}
			k := &shapes[kid]
			if s.size += k.size; s.size > maxNodes {
				return faultf(tableNodes, i, "an expression of more than %d nodes", maxNodes)
			}
			if s.depth = max(s.depth, k.depth+1); s.depth > maxDepth {
				return faultf(tableNodes, i, "an expression of more than %d levels", maxDepth)
			}
			if n.op == signals.NodeGroup && k.group {
				return faultf(tableNodes, i, "a group within a group")
			}
			s.group = s.group || k.group
		}
		shapes[i] = s
	}
	total := uint32(0)
	for i, sig := range p.signals {
		if int(sig.root) >= len(p.nodes) {
			return faultf(tableSignals, i, "root %d of %d nodes", sig.root, len(p.nodes))
		}
		if total += shapes[sig.root].size; total > maxNodes {
			return faultf(tableSignals, i, "signals of more than %d nodes in all", maxNodes)
		}
	}
	return nil
}

// shape is what the checks need to know of the expression under a node.
type shape struct {
	size  uint32 // nodes
	depth uint8
	group bool // holds a group
}

func (p *Program) checkSignals() *fault {
	for i, s := range p.signals {
		if s.kinds == 0 || s.kinds&^event.AllKinds != 0 {
			return faultf(tableSignals, i, "kinds %#x are not among those known (%#x)", s.kinds, event.AllKinds)
		}
	}
	return nil
}
