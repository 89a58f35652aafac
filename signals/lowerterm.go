// SPDX-License-Identifier: Apache-2.0

// This file lowers terms: their literals become atoms, and equal terms and atoms
// become one. Expressions are lowered in lower.go.

package signals

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"seismo/internal/ascii"
	"seismo/internal/event"
)

// term returns the number of term t, negated or not.
func (l *lowerer) term(t *TermExpr, negate, group bool, d *Definition) uint32 {
	l.scratch.atoms = appendAtoms(l.scratch.atoms[:0], t)
	atoms := l.scratch.atoms
	l.scratch.form = appendTerm(l.scratch.form[:0], t, atoms, negate, group)
	sum := sha256.Sum256(l.scratch.form)
	if n, ok := l.terms[sum]; ok {
		return n
	}
	id := binary.BigEndian.Uint64(sum[:8])
	if l.ids[id] {
		l.fail(t.Pos, "term %s of signal %s has the same id as another one; write it in another way", quote(t.Text), quote(d.Name))
	}
	l.ids[id] = true
	term := Term{
		ID: id, Text: t.Text, Field: t.Field, Kinds: termKinds(t),
		Cond: t.Cond, Negate: negate, Cased: t.Cased, Part: t.Part, Group: group,
	}
	if t.Own {
		term.Own = t.Property
	}
	if t.Residue != nil {
		term.Residue = l.residue(t.Residue)
	}
	if negate != t.Negate { // NOT was pushed down: the text says what is judged
		var b strings.Builder
		t.print(&b, negate)
		term.Text = b.String()
	}
	term.Atoms = make([]uint32, len(atoms))
	for i, a := range atoms {
		term.Atoms[i] = l.atom(a)
	}
	l.termAtoms += len(atoms)
	n := uint32(len(l.set.Terms))
	l.set.Terms = append(l.set.Terms, term)
	l.terms[sum] = n
	return n
}

func (l *lowerer) atom(a Atom) uint32 {
	n, ok := l.atoms[a]
	if !ok {
		n = uint32(len(l.set.Atoms))
		l.set.Atoms = append(l.set.Atoms, a)
		l.atoms[a] = n
	}
	return n
}

// residue returns the number of r. Residues with the same text are one.
func (l *lowerer) residue(r *ResidueExpr) uint32 {
	n, ok := l.residues[r.Text]
	if !ok {
		n = uint32(len(l.set.Residues))
		l.set.Residues = append(l.set.Residues, Residue{Text: r.Text, Checked: r.Checked, Fields: r.Fields, Own: r.Own, Cost: r.Cost})
		l.residues[r.Text] = n
	}
	return n
}

// termAtoms returns the comparisons of t, each once, in text order.
func termAtoms(t *TermExpr) []Atom { return appendAtoms(nil, t) }

// manyAtoms is the number of a term's atoms from which on doubles are found by a
// map.
const manyAtoms = 16

// appendAtoms appends what termAtoms returns to atoms, which is empty.
func appendAtoms(atoms []Atom, t *TermExpr) []Atom {
	if t.Residue != nil {
		return append(atoms, t.Residue.Guards...)
	}
	a := Atom{Field: t.Field, Cond: t.Cond, Cased: t.Cased, Part: t.Part}
	typ := event.String
	if t.Own {
		a.Own = t.Property
	} else {
		typ = event.Describe(t.Field).Type
	}
	if t.Cond == Exists {
		return append(atoms, a)
	}
	var seen map[Atom]bool
	for i := range t.Values {
		v := &t.Values[i]
		switch {
		case t.Part != NoPart:
			a.Number = v.Number
		case t.Cond == InList || t.Cond == Regex: // a regular expression is folded when it is parsed
			a.Literal = v.Text
		case t.Cond >= IsField && t.Cond <= EndsWithField: // an own name is case-sensitive
			a.Literal = v.Text
		case t.Own && t.Cond == InCIDR:
			a.Literal = v.Address
		case typ == event.Integer || typ == event.Identifier || typ == event.Time:
			a.Number = v.Number
		case typ == event.Address && (t.Cond == Is || t.Cond == InCIDR):
			a.Literal = v.Address
		case t.Cased:
			a.Literal = v.Text
		default:
			a.Literal = ascii.Fold(v.Text)
		}
		switch {
		case len(t.Values) < manyAtoms:
			if slices.Contains(atoms, a) {
				continue
			}
		case seen[a]:
			continue
		case seen == nil:
			seen = make(map[Atom]bool, len(t.Values))
			fallthrough
		default:
			seen[a] = true
		}
		atoms = append(atoms, a)
	}
	return atoms
}

// canonicalTerm returns the form whose SHA-256 begins with the term's id (64
// bits, big endian). It has, each as the length in bytes (64 bits, big endian)
// and the bytes: "field" and the name in the registry, or "own" and the own name,
// or "cel" and the text of a residue; the condition as signals spell it; one byte
// each, 0 or 1, for negation, cased and group; and the values, each once, in the
// order of their bytes: a literal as it is compared, a number as 8 bytes, big
// endian; a residue has none. If it is a residue, or events of any kind meet it,
// the set of kinds follows as a number of 64 bits. If a part of a date is taken,
// "part" and its name follow.
func canonicalTerm(t *TermExpr, atoms []Atom, negate, group bool) string {
	return string(appendTerm(nil, t, atoms, negate, group))
}

// appendTerm appends the form of [canonicalTerm] to c.
func appendTerm(c canonical, t *TermExpr, atoms []Atom, negate, group bool) canonical {
	switch {
	case t.Residue != nil:
		c.text("cel")
		c.text(t.Residue.Text)
		atoms = nil
	case t.Own:
		c.text("own")
		c.text(t.Property)
	default:
		c.text("field")
		c.text(event.Describe(t.Field).Name)
	}
	c.text(t.Cond.String())
	c.number(3)
	for _, set := range [3]bool{negate, t.Cased, group} {
		if set {
			c = append(c, 1)
		} else {
			c = append(c, 0)
		}
	}
	if len(atoms) == 1 {
		c.number(1)
		c.value(&atoms[0])
	} else {
		sorted := make([]string, len(atoms))
		for i := range atoms {
			var v canonical
			v.value(&atoms[i])
			sorted[i] = string(v[8:])
		}
		slices.Sort(sorted)
		c.list(sorted)
	}
	if t.Residue != nil || t.AnyKind {
		c.number(int(termKinds(t)))
	}
	if t.Part != NoPart {
		c.text("part")
		c.text(t.Part.String())
	}
	return c
}

// value appends what a compares with.
func (c *canonical) value(a *Atom) {
	if a.Literal == "" && a.Cond != Exists {
		c.number(8)
		c.number(int(a.Number))
		return
	}
	c.text(a.Literal)
}
