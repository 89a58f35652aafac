// SPDX-License-Identifier: Apache-2.0

// This file checks the tables of a program and fills in what follows from them.
// Build and Load both go through it: what a signals.bin can say is exactly what
// Build accepts.

package engine

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"seismo/signals"
)

// The limits of a program. They bound the time and memory that a hostile
// signals.bin can take, and are far above what rule sets come to: the public
// Sigma rules are about 3,200 signals with 40,000 literals.
const (
	maxSignals  = 20_000
	maxNodes    = 1_000_000 // also bounds the nodes visited over all signals, where signals share some
	maxTerms    = 1_000_000
	maxAtoms    = 1_000_000
	maxResidues = 20_000
	maxChecked  = 8 << 20   // bytes of the syntax trees of all residues: planning one takes about 0.3 µs a byte
	maxRefs     = 4_000_000 // entries of lists: children, atoms of terms, lists of definitions …, for each
	maxDepth    = 132       // levels of a signal's expression, a term alone is 1, see below
	maxLiteral  = 1024      // bytes
	maxText     = 1 << 20   // bytes of any other string

	// maxPatternMemory bounds what the globs and regular expressions take once they are
	// parsed, by their own estimate: those of the public Sigma rules take about 3 MB.
	maxPatternMemory = 64 << 20
)

// maxDepth is what the text language can come to: 64 parentheses inside each
// other (package signals), with an OR of ANDs around and in each of them, and a
// group and a term at the bottom.

// The tables of a program, which are sections of signals.bin too.
const (
	tableStrings      = "strings"
	tableLists        = "lists"
	tableDefinitions  = "definitions"
	tableAtoms        = "atoms"
	tableTerms        = "terms"
	tableNodes        = "nodes"
	tableResidues     = "residues"
	tableSignals      = "signals"
	tableCorrelations = "correlations"
	tableTables       = "tables"
	tableAlone        = "alone"
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

// finish checks every table of p and fills what follows from them: what atoms
// compare with, parsed, and the registry's words on terms. It returns the first
// fault, or nil.
func (p *Program) finish() *fault {
	for _, check := range []func() *fault{p.checkSizes, p.checkDefinitions, p.finishResidues, p.finishAtoms, p.finishTerms, p.checkNodes, p.checkSignals, p.planCorrelations, p.finishMemory} {
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
		{tableResidues, len(p.residues), maxResidues},
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
		if languageNumber(d.Language) < 0 {
			return faultf(tableDefinitions, i, "language %.80q is unknown", d.Language)
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
func definitionStrings(d *signals.Definition) [12]*string {
	return [12]*string{&d.ID, &d.Name, &d.Description, &d.Status, &d.Author, &d.Response, &d.Text, &d.Revision,
		&d.RuleName, &d.Logsource.Product, &d.Logsource.Category, &d.Logsource.Service}
}

// definitionLists returns the lists of d in the order of signals.bin.
func definitionLists(d *signals.Definition) [7]*[]string {
	return [7]*[]string{&d.Techniques, &d.Platforms, &d.References, &d.FalsePositives, &d.Labels, &d.Suppress, &d.Filters}
}

// languages are the languages of expressions; the index of each stands in signals.bin.
var languages = [...]string{signals.LanguageSignal, signals.LanguageCEL, signals.LanguageSigma}

// languageNumber returns the number of a language, or -1 if there is none.
func languageNumber(name string) int { return slices.Index(languages[:], name) }

func badText(s string) string {
	switch {
	case len(s) > maxText:
		return fmt.Sprintf("a text of %d bytes, the limit is %d", len(s), maxText)
	case !utf8.ValidString(s):
		return fmt.Sprintf("text %.80q is not UTF-8", s)
	}
	return ""
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
		s := shape{size: 1, depth: 1, group: n.op == signals.NodeGroup, grouped: true}
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
			s.group, s.grouped = s.group || k.group, s.grouped && k.grouped
		}
		if n.op == signals.NodeTerm {
			s.grouped = p.terms[n.term].group
		}
		shapes[i] = s
	}
	return p.checkRoots(shapes)
}

// checkRoots checks where the expressions of signals begin.
func (p *Program) checkRoots(shapes []shape) *fault {
	if len(p.suppressRoots) > maxRefs {
		return faultf(tableSignals, 0, "%d suppress expressions, the limit is %d", len(p.suppressRoots), maxRefs)
	}
	total := uint32(0)
	for i, sig := range p.signals {
		if sig.correlation != 0 {
			if sig.root != 0 || sig.from != sig.to {
				return faultf(tableSignals, i, "a correlation with an expression")
			}
			continue
		}
		if int(sig.root) >= len(p.nodes) {
			return faultf(tableSignals, i, "root %d of %d nodes", sig.root, len(p.nodes))
		}
		if total += shapes[sig.root].size; total > maxNodes {
			return faultf(tableSignals, i, "signals of more than %d nodes in all", maxNodes)
		}
		for _, root := range p.suppressRoots[sig.from:sig.to] {
			if int(root) >= len(p.nodes) {
				return faultf(tableSignals, i, "root %d of %d nodes", root, len(p.nodes))
			}
			if !shapes[root].grouped {
				return faultf(tableSignals, i, "a suppress expression with a term outside a group")
			}
			if total += shapes[root].size; total > maxNodes {
				return faultf(tableSignals, i, "signals of more than %d nodes in all", maxNodes)
			}
		}
	}
	return nil
}

// shape is what the checks need to know of the expression under a node.
type shape struct {
	size    uint32 // nodes
	depth   uint8
	group   bool // holds a group
	grouped bool // each of its terms is marked as one of a group
}
