// SPDX-License-Identifier: Apache-2.0

// This file turns conditions into expressions: names and patterns are resolved to the
// search identifiers of the detection.

package sigma

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"seismo/signals"
)

// maxConditions is the number of conditions of one detection.
const maxConditions = 100

// conditions reads one condition, or a list of them, which are joined by OR.
func (d *detector) conditions(n *yaml.Node) *signals.Expr {
	if n.Kind != yaml.SequenceNode {
		return d.condition(n)
	}
	if len(n.Content) == 0 || len(n.Content) > maxConditions {
		d.report(n, "", "a list of %d conditions, 1 to %d are taken", len(n.Content), maxConditions)
		return nil
	}
	var any []*signals.Expr
	for _, k := range n.Content {
		if e := d.condition(k); e != nil && !d.full {
			any = append(any, e)
		}
	}
	if d.bad {
		return nil
	}
	return joined(signals.ExprOr, any)
}

func (d *detector) condition(n *yaml.Node) *signals.Expr {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.report(n, "", "the condition is %s, not a text", nodeText(n))
		return nil
	}
	c, bad := parseCondition(n.Value)
	if bad != nil {
		d.report(inside(n, bad.off), bad.hint, "%s", bad.message)
		return nil
	}
	return d.resolve(c, n)
}

// resolve returns the expression that c, a part of the condition n, stands for.
func (d *detector) resolve(c *cond, n *yaml.Node) *signals.Expr {
	if d.full {
		return nil
	}
	e := &signals.Expr{Pos: d.r.pos(inside(n, c.off))}
	switch c.op {
	case condName:
		for i := range d.searches {
			if d.searches[i].name == c.name {
				return d.named(&d.searches[i], n)
			}
		}
		d.unknown(inside(n, c.off), c.name)
		return nil
	case condSome, condAll:
		return d.quantified(c, n)
	case condNot:
		e.Op = signals.ExprNot
	case condAnd:
		e.Op = signals.ExprAnd
	case condOr:
		e.Op = signals.ExprOr
	}
	for _, k := range c.kids {
		kid := d.resolve(k, n)
		if kid == nil && !d.bad {
			return nil
		}
		e.Kids = append(e.Kids, kid)
	}
	return e
}

// quantified returns the expression of 1 of and all of.
func (d *detector) quantified(c *cond, n *yaml.Node) *signals.Expr {
	var all []*signals.Expr
	hidden := false
	for i := range d.searches {
		s := &d.searches[i]
		if c.name != "them" && !wild(c.name, s.name) {
			continue
		}
		if strings.HasPrefix(s.name, "_") {
			hidden = true // by convention left out of them and of patterns
			continue
		}
		all = append(all, d.named(s, n))
		if d.full {
			return nil
		}
	}
	switch at := inside(n, c.off); {
	case len(all) == 0 && hidden:
		d.report(at, "those that begin with _ are named one by one", "no search identifier for %.60q", c)
		return nil
	case len(all) == 0 && c.name != "them" && !strings.Contains(c.name, "*"):
		d.unknown(at, c.name)
		return nil
	case len(all) == 0:
		d.report(at, "", "no search identifier for %.60q", c)
		return nil
	}
	if len(all) == 1 || d.bad {
		return all[0]
	}
	op := signals.ExprOr
	if c.op == condAll {
		op = signals.ExprAnd
	}
	return &signals.Expr{Op: op, Pos: d.r.pos(inside(n, c.off)), Kids: all}
}

// wild reports whether the whole of name matches pattern, in which * stands for any
// characters.
func wild(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(name, p)
		if i < 0 {
			return false
		}
		name = name[i+len(p):]
	}
	return true
}
