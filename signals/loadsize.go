// SPDX-License-Identifier: Apache-2.0

// This file bounds what many files may hold together, while they are read: their
// syntax trees take a kilobyte a term, long before lowering counts them.

package signals

import "fmt"

// The bounds of all definitions that are loaded together. A set at one of them is
// compiled in some 300 MB.
const (
	maxLoadedTerms    = 250_000
	maxLoadedValues   = 500_000
	maxLoadedLiterals = 16 << 20 // bytes
	maxLoadedResidues = 64 << 20 // bytes of what stays CEL, encoded
	maxLoadedTexts    = 96 << 20 // bytes of documents in other languages; 20,000 of 5 KB
)

// size is how much of each there is.
type size struct{ terms, values, literals, residues, texts int }

// add counts what d consists of.
func (s *size) add(d *Definition) {
	if d.Expr != nil { // a correlation has none
		s.expr(d.Expr)
	}
	if d.Language == LanguageSigma {
		s.texts += len(d.Text)
	}
	for _, e := range d.SuppressExprs {
		s.expr(e)
	}
}

// addFilter counts what f consists of.
func (s *size) addFilter(f *Filter) {
	s.texts += len(f.Text)
	s.expr(f.Expr)
}

func (s *size) expr(e *Expr) {
	for _, k := range e.Kids {
		s.expr(k)
	}
	if e.Term == nil {
		return
	}
	s.terms++
	s.values += len(e.Term.Values)
	for i := range e.Term.Values {
		s.literals += len(e.Term.Values[i].Text)
	}
	if r := e.Term.Residue; r != nil {
		s.residues += len(r.Checked)
	}
}

// excess names what there is too much of; empty if nothing is.
func (s *size) excess() string {
	switch {
	case s.terms > maxLoadedTerms:
		return fmt.Sprintf("%d terms", maxLoadedTerms)
	case s.values > maxLoadedValues:
		return fmt.Sprintf("%d values", maxLoadedValues)
	case s.literals > maxLoadedLiterals:
		return fmt.Sprintf("%d MiB of literals", maxLoadedLiterals>>20)
	case s.residues > maxLoadedResidues:
		return fmt.Sprintf("%d MiB of CEL that is evaluated as such", maxLoadedResidues>>20)
	case s.texts > maxLoadedTexts:
		return fmt.Sprintf("%d MiB of documents", maxLoadedTexts>>20)
	}
	return ""
}
