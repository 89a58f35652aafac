// SPDX-License-Identifier: Apache-2.0

// This file reads the detection section of a rule or a filter: its search identifiers
// and, through condition.go, how they are joined.

package sigma

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"seismo/signals"
)

// The bounds of one detection section.
const (
	maxValues  = 100_000  // counted as often as the condition names them
	maxTerms   = 20_000   // counted in the same way
	maxWeight  = 16 << 20 // bytes of memory of its globs and regular expressions
	maxReports = 50
)

// detector reads one detection section.
type detector struct {
	r        *reader
	searches []search // in the order written
	bad      bool     // something was reported
	full     bool     // a bound was reached, or too much was reported: no more is read
	reports  int
	values   int
	terms    int
	weight   int
}

// search is what a search identifier stands for.
type search struct {
	name          string
	expr          *signals.Expr
	values, terms int
}

// report notes what is wrong at n.
func (d *detector) report(n *yaml.Node, hint, format string, args ...any) {
	d.bad = true
	if d.reports++; d.reports <= maxReports {
		d.r.report(n, hint, format, args...)
		return
	}
	d.full = true
}

// count counts a value, which came of n.
func (d *detector) count(n *yaml.Node) {
	if d.values++; d.values > maxValues && !d.full {
		d.report(n, "make several rules of it", "more than %d values in a rule", maxValues)
		d.full = true
	}
}

// heavy counts the memory of a pattern, and reports whether it is too much.
func (d *detector) heavy(n *yaml.Node, weight int) bool {
	if d.weight += weight; d.weight <= maxWeight {
		return false
	}
	if !d.full {
		d.report(n, "make several rules of it", "wildcards and regular expressions that take more than %d MiB of memory in a rule", maxWeight>>20)
	}
	d.full = true
	return true
}

// detection reads the mapping n, which holds search identifiers and a condition. It
// returns the whole expression, or nil if something was reported. Each term of it is on
// an own name, [signals.AnyField] for keywords.
func (r *reader) detection(n *yaml.Node) *signals.Expr {
	d := &detector{r: r}
	if n == nil || n.Kind != yaml.MappingNode {
		d.report(n, "", "a detection is a mapping of search identifiers with a condition, not %s", nodeText(n))
		return nil
	}
	var condition *yaml.Node
	keys := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && !d.full; i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if !d.key(key, keys) {
			continue
		}
		switch {
		case key.Value == "condition":
			condition = val
		case key.Value == "timeframe" && val.Kind == yaml.ScalarNode:
			d.report(key, correlationHint, "a timeframe belongs to the old aggregations, which conditions do not have any more")
		default:
			d.search(key, val)
		}
	}
	if condition == nil && !d.full {
		d.report(n, "write how the search identifiers are joined, as condition: selection and not filter", "the detection has no condition")
	}
	if condition == nil || d.full {
		return nil
	}
	e := d.conditions(condition)
	if d.bad {
		return nil
	}
	return e
}

// key reports whether n can be a key of a mapping that has the keys in seen, and adds it.
func (d *detector) key(n *yaml.Node, seen map[string]bool) bool {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.report(n, "", "%s as a key", nodeText(n))
	case n.Tag == "!!merge":
		d.report(n, "write the keys out", "a merge key")
	case !utf8.ValidString(n.Value):
		d.report(n, "", "a key that is not UTF-8")
	case seen[n.Value]:
		d.report(n, "the values of both can stand in a list; joined by AND they are a list of |all", "key %.60q stands twice", n.Value)
	default:
		seen[n.Value] = true
		return true
	}
	return false
}

// search reads what a search identifier stands for.
func (d *detector) search(key, val *yaml.Node) {
	s := search{name: key.Value}
	values, terms := d.values, d.terms
	switch val.Kind {
	case yaml.MappingNode:
		s.expr = d.mapping(val)
	case yaml.SequenceNode:
		s.expr = d.list(key, val)
	case yaml.ScalarNode:
		if isNull(val) {
			d.report(key, "", "search identifier %.60q has nothing in it", key.Value)
		} else {
			s.expr = d.keywords([]*yaml.Node{val})
		}
	default:
		d.report(val, "", "%s in search identifier %.60q", nodeText(val), key.Value)
	}
	s.values, s.terms = d.values-values, d.terms-terms
	d.searches = append(d.searches, s)
}

// mapping reads detection items, which are joined by AND.
func (d *detector) mapping(n *yaml.Node) *signals.Expr {
	if len(n.Content) == 0 {
		d.report(n, "", "an empty mapping, which asks for nothing")
		return nil
	}
	var all []*signals.Expr
	keys := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && !d.full; i += 2 {
		if !d.key(n.Content[i], keys) {
			continue
		}
		if e := d.keyed(n.Content[i], n.Content[i+1]); e != nil {
			all = append(all, e)
		}
	}
	if d.bad || len(all) == 0 {
		return nil
	}
	return joined(signals.ExprAnd, all)
}

// list reads a list of mappings and keywords, which are joined by OR. Keywords that
// stand beside each other are one item.
func (d *detector) list(key, n *yaml.Node) *signals.Expr {
	if len(n.Content) == 0 {
		d.report(n, "", "search identifier %.60q has an empty list, which nothing can meet", key.Value)
		return nil
	}
	var any []*signals.Expr
	for i := 0; i < len(n.Content) && !d.full; {
		k, from := n.Content[i], i
		i++
		var e *signals.Expr
		switch k.Kind {
		case yaml.MappingNode:
			e = d.mapping(k)
		case yaml.ScalarNode:
			for i < len(n.Content) && n.Content[i].Kind == yaml.ScalarNode {
				i++
			}
			e = d.keywords(n.Content[from:i])
		default:
			d.report(k, "a list holds mappings, which are joined by OR, or keywords", "%s in a list of search identifier %.60q", nodeText(k), key.Value)
		}
		if e != nil {
			any = append(any, e)
		}
	}
	if d.bad || len(any) == 0 {
		return nil
	}
	return joined(signals.ExprOr, any)
}

// named returns the expression of the search identifier s, and counts it.
func (d *detector) named(s *search, n *yaml.Node) *signals.Expr {
	if d.values += s.values; d.values > maxValues {
		d.count(n)
	}
	if d.terms += s.terms; d.terms > maxTerms && !d.full {
		d.report(n, "make several rules of it", "more than %d terms in a rule, counted as often as the condition names them", maxTerms)
		d.full = true
	}
	return s.expr
}

// unknown reports that no search identifier is called name.
func (d *detector) unknown(n *yaml.Node, name string) {
	var names, lower []string
	for i := range d.searches {
		names = append(names, fmt.Sprintf("%.60s", d.searches[i].name))
		lower = append(lower, strings.ToLower(d.searches[i].name))
	}
	meant := ""
	if i := slices.Index(lower, signals.Nearest(name, lower)); i >= 0 {
		meant = fmt.Sprintf(" (did you mean %q?)", names[i])
	}
	hint := "the detection has no search identifiers"
	if len(names) > 0 {
		hint = "the detection has " + strings.Join(names[:min(len(names), 12)], ", ")
	}
	d.report(n, hint, "the condition names %.60q, which the detection does not have%s", name, meant)
}

// isNull reports whether n says nothing.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// nodeText names what n is, for a message.
func nodeText(n *yaml.Node) string {
	switch {
	case n == nil || isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	}
	return fmt.Sprintf("the value %.60q", n.Value)
}

// inside returns a node for a place in the scalar n: that of byte off of its value. Where
// the text of the file may differ from the value, it is n itself.
func inside(n *yaml.Node, off int) *yaml.Node {
	if off <= 0 || off > len(n.Value) || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.DoubleQuotedStyle) != 0 || strings.ContainsAny(n.Value, "\r\n") {
		return n
	}
	before := n.Value[:off]
	at := *n
	at.Column += utf8.RuneCountInString(before)
	if n.Style&yaml.SingleQuotedStyle != 0 {
		at.Column += 1 + strings.Count(before, "'")
	}
	at.Value, at.Style = n.Value[off:], 0
	if end := strings.IndexAny(at.Value, " |()"); end > 0 {
		at.Value = at.Value[:end]
	}
	return &at
}
