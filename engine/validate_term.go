// SPDX-License-Identifier: Apache-2.0

// This file checks the atoms, terms and residues of a program and parses what they
// compare with. The other tables are checked in validate.go.

package engine

import (
	"fmt"
	"net/netip"
	"slices"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/internal/pattern"
	"seismo/signals"
)

func (p *Program) finishAtoms() *fault {
	p.prepareAtoms()
	for i := range p.atoms {
		a := &p.atoms[i]
		in := event.Describe(a.field)
		if (a.own == "") != (in.Name != "") {
			return faultf(tableAtoms, i, "field %d with own name %.80q names no field", a.field, a.own)
		}
		if bad := badText(a.own); bad != "" {
			return faultf(tableAtoms, i, "%s", bad)
		}
		typ := typeOf(a.own, in)
		if what := checkAtom(a, typ); what != "" {
			return faultf(tableAtoms, i, "%s", what)
		}
		if what := p.parseAtom(a, typ); what != "" {
			return faultf(tableAtoms, i, "%s", what)
		}
	}
	return nil
}

// prepareAtoms finds the names of lists, and takes the memory for what is parsed.
func (p *Program) prepareAtoms() {
	var prefixes, globs, regexes int
	var names []string
	for i := range p.atoms {
		switch a := &p.atoms[i]; a.cond {
		case signals.InCIDR:
			prefixes++
		case signals.Is:
			if event.Describe(a.field).Type == event.Address {
				prefixes++
			}
		case signals.Glob, signals.PathGlob:
			globs++
		case signals.Regex:
			regexes++
		case signals.InList:
			names = append(names, a.literal)
		}
	}
	names = p.residueLists(names)
	slices.Sort(names)
	p.listNames = slices.Compact(names)
	p.lists = make([]*namedlist.List, len(p.listNames))
	for i, name := range p.listNames {
		p.lists[i] = namedlist.Empty(name)
	}
	p.prefixes = make([]netip.Prefix, 0, prefixes)
	p.patternMemory = 0
	p.globs, p.regexes = make([]*pattern.Glob, 0, globs), make([]*pattern.Regex, 0, regexes)
}

// typeOf returns the type that a field is compared as: the source's own fields
// are strings.
func typeOf(own string, in event.Info) event.Type {
	if own != "" {
		return event.String
	}
	return in.Type
}

// checkAtom checks that a's condition and value fit the type of its field. It
// returns what is wrong, or "".
func checkAtom(a *atom, typ event.Type) string {
	limit := maxLiteral
	if a.cond == signals.Glob || a.cond == signals.PathGlob || a.cond == signals.Regex {
		limit = pattern.MaxText
	}
	if len(a.literal) > limit {
		return fmt.Sprintf("a literal of %d bytes, the limit is %d: %.40q…", len(a.literal), limit, a.literal)
	}
	if a.own != "" && (a.part != signals.NoPart || isComparison(a.cond) || a.cond == signals.InCIDR || readsOther(a.cond)) {
		return checkOwnAtom(a)
	}
	number := typ == event.Integer || typ == event.Identifier || typ == event.Time
	fits, compares, folds := false, number, !number // with a number; as text that is folded unless cased
	switch a.cond {
	case signals.Exists:
		if a.literal != "" || a.number != 0 {
			return "exists with a value"
		}
		return ""
	case signals.Is:
		fits = true
	case signals.Contains, signals.BeginsWith, signals.EndsWith, signals.Glob, signals.PathGlob:
		fits = !number
	case signals.Regex:
		fits, folds = !number, false
	case signals.Less, signals.LessEqual, signals.Greater, signals.GreaterEqual:
		fits = number
	case signals.InCIDR:
		fits = typ == event.Address
	case signals.InList:
		fits, compares, folds = typ != event.Time, false, false
	}
	switch {
	case !a.cond.Valid():
		return fmt.Sprintf("condition %d is unknown", a.cond)
	case a.part != signals.NoPart:
		return fmt.Sprintf("part %q of a date on type %s", a.part, typ)
	case !fits:
		return fmt.Sprintf("condition %q does not fit type %s", a.cond, typ)
	case compares && a.literal != "":
		return fmt.Sprintf("literal %.80q on type %s", a.literal, typ)
	case !compares && a.number != 0:
		return fmt.Sprintf("number %d on type %s", a.number, typ)
	case folds && !a.cased && !ascii.IsFolded(a.literal):
		return fmt.Sprintf("literal %.80q has upper-case letters but is not cased", a.literal)
	}
	return ""
}

// isComparison reports whether c compares which of two values is greater.
func isComparison(c signals.Condition) bool {
	return c >= signals.Less && c <= signals.GreaterEqual
}

// checkOwnAtom is checkAtom for what the values of own fields, which are texts, are
// read as before they are compared: dates, numbers, addresses, and other fields.
func checkOwnAtom(a *atom) string {
	switch {
	case !a.part.Valid():
		return fmt.Sprintf("part %d of a date is unknown", a.part)
	case a.part != signals.NoPart && a.cond != signals.Is && !isComparison(a.cond):
		return fmt.Sprintf("condition %q on a part of a date", a.cond)
	case a.part != signals.NoPart && a.literal != "":
		return fmt.Sprintf("literal %.80q for a part of a date", a.literal)
	case a.part == signals.NoPart && a.number != 0:
		return fmt.Sprintf("number %d on an own field", a.number)
	case readsOther(a.cond) && (a.literal == "" || a.literal == signals.AnyField || a.own == signals.AnyField):
		return fmt.Sprintf("condition %q of %.80q with %.80q: not two fields", a.cond, a.own, a.literal)
	case readsOther(a.cond):
		return badName(a.literal)
	case a.part == signals.NoPart && isComparison(a.cond):
		if _, ok := parseDecimal([]byte(a.literal)); !ok {
			return fmt.Sprintf("%.80q is no decimal number", a.literal)
		}
	}
	return ""
}

// parseAtom parses what a compares with. It returns what is wrong, or "".
func (p *Program) parseAtom(a *atom, typ event.Type) string {
	switch {
	case typ == event.Address && a.cond == signals.Is, a.cond == signals.InCIDR:
		prefix, ok := parsePrefix(a.literal, a.cond)
		if !ok {
			return fmt.Sprintf("%.80q is no canonical address or prefix", a.literal)
		}
		a.aux = uint32(len(p.prefixes))
		p.prefixes = append(p.prefixes, prefix)
	case a.cond == signals.Glob || a.cond == signals.PathGlob:
		g, err := pattern.ParseGlob(a.literal, a.cond == signals.PathGlob, a.cased)
		if err != nil {
			return err.Error()
		}
		if what := p.weigh(g.Weight()); what != "" {
			return what
		}
		a.aux = uint32(len(p.globs))
		p.globs = append(p.globs, g)
	case a.cond == signals.Regex:
		r, err := pattern.ParseRegex(a.literal, a.cased)
		if err != nil {
			return err.Error()
		}
		if what := p.weigh(r.Weight()); what != "" {
			return what
		}
		a.aux = uint32(len(p.regexes))
		p.regexes = append(p.regexes, r)
	case a.cond == signals.InList:
		if !namedlist.ValidName(a.literal) {
			return fmt.Sprintf("%.80q is no name of a list", a.literal)
		}
		at, _ := slices.BinarySearch(p.listNames, a.literal)
		a.aux = uint32(at)
	}
	return ""
}

// weigh adds n bytes to what globs and regular expressions take. It returns what is
// wrong, or "".
func (p *Program) weigh(n int) string {
	if p.patternMemory += n; p.patternMemory > maxPatternMemory {
		return fmt.Sprintf("globs and regular expressions take more than %d bytes of memory", maxPatternMemory)
	}
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
		for _, s := range [2]string{t.text, t.own} {
			if bad := badText(s); bad != "" {
				return faultf(tableTerms, i, "%s", bad)
			}
		}
		for _, ref := range p.atomRefs[t.from:t.to] {
			if int(ref) >= len(p.atoms) {
				return faultf(tableTerms, i, "atom %d of %d", ref, len(p.atoms))
			}
		}
		finish := p.finishFieldTerm
		if t.cond == signals.Residual {
			finish = p.finishResidualTerm
		}
		if what := finish(t); what != "" {
			return faultf(tableTerms, i, "%s", what)
		}
	}
	return nil
}

// finishFieldTerm checks a term on a field and fills in what the registry says of
// it. It returns what is wrong, or "".
func (p *Program) finishFieldTerm(t *term) string {
	in := event.Describe(t.field)
	if (t.own == "") != (in.Name != "") {
		return fmt.Sprintf("field %d with own name %.80q names no field", t.field, t.own)
	}
	carries := in.Kinds
	if t.own != "" {
		carries = event.AllKinds
	}
	// !has(field) of CEL is true on an event of a kind that has no such field.
	without := t.cond == signals.Exists && t.negate && t.kinds == event.AllKinds
	switch {
	case t.kinds == 0 || t.kinds&^carries != 0 && !without:
		return fmt.Sprintf("kinds %#x are not among those that carry the field (%#x)", t.kinds, carries)
	case !t.cond.Valid():
		return fmt.Sprintf("condition %d is unknown", t.cond)
	case t.from == t.to:
		return "no atoms"
	case t.residue != 0:
		return fmt.Sprintf("condition %q with residue %d", t.cond, t.residue)
	}
	for _, ref := range p.atomRefs[t.from:t.to] {
		if a := &p.atoms[ref]; a.field != t.field || a.own != t.own || a.cond != t.cond || a.cased != t.cased || a.part != t.part {
			return fmt.Sprintf("atom %d is on another field or condition", ref)
		}
	}
	t.onEvent = t.own != "" || in.Scope == event.ScopeEvent
	t.valueType, t.scope = typeOf(t.own, in), in.Scope
	return ""
}

// finishResidualTerm is finishFieldTerm for a part of a CEL expression.
func (p *Program) finishResidualTerm(t *term) string {
	switch {
	case int(t.residue) >= len(p.residues):
		return fmt.Sprintf("residue %d of %d", t.residue, len(p.residues))
	case t.field != event.NoField || t.own != "":
		return fmt.Sprintf("a residue on field %d with own name %.80q", t.field, t.own)
	case t.negate || t.cased || t.part != signals.NoPart:
		return "a residue that is negated or cased, or on a date"
	case !t.group:
		return "a residue outside a group"
	case t.kinds == 0 || t.kinds&^event.AllKinds != 0:
		return fmt.Sprintf("kinds %#x are not among those known (%#x)", t.kinds, event.AllKinds)
	}
	if t.onEvent = p.residues[t.residue].onEvent(); t.onEvent {
		return ""
	}
	// What it comes to is kept for all events of a process.
	if t.scope = event.ScopeProcess; t.kinds != event.AllKinds {
		return fmt.Sprintf("a residue on the process alone with kinds %#x", t.kinds)
	}
	return ""
}

// finishResidues checks the parts of CEL expressions, and plans them.
func (p *Program) finishResidues() *fault {
	checked := 0
	for i := range p.residues {
		r := &p.residues[i]
		if checked += len(r.checked); checked > maxChecked {
			return faultf(tableResidues, i, "syntax trees of more than %d bytes in all", maxChecked)
		}
		if bad := badText(r.text); bad != "" {
			return faultf(tableResidues, i, "%s", bad)
		}
		if len(r.checked) > maxText {
			return faultf(tableResidues, i, "a syntax tree of %d bytes, the limit is %d", len(r.checked), maxText)
		}
		for k, f := range r.fields {
			if event.Describe(f).Name == "" {
				return faultf(tableResidues, i, "field %d is unknown", f)
			}
			if k > 0 && r.fields[k-1] >= f {
				return faultf(tableResidues, i, "field %d does not come after field %d", f, r.fields[k-1])
			}
		}
		for k, name := range r.own {
			if bad := badText(name); bad != "" {
				return faultf(tableResidues, i, "%s", bad)
			}
			if name == "" || k > 0 && r.own[k-1] >= name {
				return faultf(tableResidues, i, "own name %.80q is empty or does not come after the one before", name)
			}
		}
	}
	return p.planResidues()
}
