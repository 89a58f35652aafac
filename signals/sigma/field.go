// SPDX-License-Identifier: Apache-2.0

// This file reads one detection item, a field with modifiers and its values, and
// makes the terms of it: values of one condition stay one term, however many they are.

package sigma

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"seismo/internal/event"
	"seismo/signals"
)

// item is one detection item.
type item struct {
	d     *detector
	key   *yaml.Node // nil for a list of keywords
	name  string     // of the field; empty for keywords
	chain chain
	nodes []*yaml.Node // of the values
}

// way is how a value is compared.
type way struct {
	cond   signals.Condition
	cased  bool
	absent bool // only of Exists: the field is not there
}

// bucket is the values of one item that are compared in the same way.
type bucket struct {
	way
	values []signals.Value
	from   []*yaml.Node // the values as written that these came of, each once
}

// keyed reads the item of key and its value, which is one value or a list of them.
func (d *detector) keyed(key, val *yaml.Node) *signals.Expr {
	name, c, bad := splitKey(key.Value)
	switch {
	case bad != nil:
		d.report(inside(key, bad.off), bad.hint, "%s", bad.message)
		return nil
	case strings.Trim(name, " \t") != name:
		d.report(key, "", "field name %.60q has blanks around it", name)
		return nil
	case len(name) > maxName:
		d.report(key, "", "a field name of %d bytes, at most %d are taken", len(name), maxName)
		return nil
	case name == signals.AnyField:
		d.report(key, "a list without a field name is searched for in all of the event", "a field has no wildcards in its name")
		return nil
	}
	it := &item{d: d, key: key, name: name, chain: c}
	if name == "" {
		if m, ok := c.find(func(m modifier) bool { return asksFor(m) != kindText && m != modRe }); ok {
			d.report(key, "write the field before |"+m.String(), "modifier %s without a field", m)
			return nil
		}
	}
	switch val.Kind {
	case yaml.ScalarNode:
		it.nodes = []*yaml.Node{val}
	case yaml.SequenceNode:
		if it.nodes = val.Content; len(it.nodes) == 0 {
			d.report(val, "", "%s has an empty list, which nothing can meet", itemName(key.Value))
			return nil
		}
	default:
		d.report(val, "", "the value of %s is %s, not a text, a number or a list of them", itemName(key.Value), nodeText(val))
		return nil
	}
	return it.expr()
}

// keywords makes an expression of texts that stand without a field.
func (d *detector) keywords(nodes []*yaml.Node) *signals.Expr {
	return (&item{d: d, nodes: nodes}).expr()
}

func itemName(key string) string {
	if strings.HasPrefix(key, "|") || key == "" {
		return "a list of keywords"
	}
	return fmt.Sprintf("%.60q", key)
}

// expr makes the expression of it; nil if something was reported.
func (it *item) expr() *signals.Expr {
	var all []*signals.Expr // of each value if they are joined by AND, else of all
	var buckets []bucket
	joined := it.chain.has(modAll)
	for _, n := range it.nodes {
		if it.d.full {
			return nil
		}
		if n.Kind != yaml.ScalarNode {
			it.d.report(n, "", "%s in a list of values", nodeText(n))
			continue
		}
		buckets = it.value(buckets, n)
		if joined && len(buckets) > 0 {
			all = append(all, it.join(signals.ExprOr, it.terms(buckets)))
			buckets = nil
		}
	}
	if it.d.bad {
		return nil
	}
	if joined {
		return it.join(signals.ExprAnd, all)
	}
	return it.join(signals.ExprOr, it.terms(buckets))
}

// join joins es by op; by AND where neq turns their meaning: different from each value.
func (it *item) join(op signals.ExprOp, es []*signals.Expr) *signals.Expr {
	if it.chain.has(modNeq) {
		op = signals.ExprAnd
	}
	return joined(op, es)
}

// joined joins es, of which there is at least one, by op.
func joined(op signals.ExprOp, es []*signals.Expr) *signals.Expr {
	if len(es) == 1 {
		return es[0]
	}
	return &signals.Expr{Op: op, Pos: es[0].Pos, Kids: es}
}

// put adds v to the bucket of its way; nil is no value. from is the node that it came
// of.
func (it *item) put(bs []bucket, w way, v *signals.Value, from *yaml.Node) []bucket {
	at := slices.IndexFunc(bs, func(b bucket) bool { return b.way == w })
	if at < 0 {
		at = len(bs)
		bs = append(bs, bucket{way: w})
	}
	b := &bs[at]
	if v != nil {
		v.Pos = it.d.r.pos(from)
		b.values = append(b.values, *v)
	}
	if n := len(b.from); n == 0 || b.from[n-1] != from {
		b.from = append(b.from, from)
	}
	it.d.count(from)
	return bs
}

// terms makes a term of each bucket.
func (it *item) terms(bs []bucket) []*signals.Expr {
	out := make([]*signals.Expr, 0, len(bs))
	for i := range bs {
		b := &bs[i]
		pos := it.d.r.pos(b.from[0])
		if it.key != nil {
			pos = it.d.r.pos(it.key)
		}
		t := &signals.TermExpr{
			Pos: pos, CondPos: pos, Object: "record", Property: it.name, Own: true, Foreign: true,
			Cond: b.cond, Cased: b.cased, Values: b.values, Text: it.written(b),
			Negate: b.absent != it.chain.has(modNeq),
		}
		if m, ok := it.chain.find(modifier.dates); ok && b.cond != signals.Exists {
			t.Part = signals.Minute + signals.DatePart(m-modMinute)
		}
		if it.name == "" {
			t.Property = signals.AnyField
		}
		it.d.terms++
		e := &signals.Expr{Op: signals.ExprTerm, Pos: pos, Term: t}
		if it.chain.has(modExists) {
			e = orNull(e)
		}
		out = append(out, e)
	}
	return out
}

// orNull is e, which asks whether a field is there, for fields without a value too.
func orNull(e *signals.Expr) *signals.Expr {
	null := *e.Term
	null.Property += event.NullSuffix
	null.Text += " (null)"
	op := signals.ExprOr
	if null.Negate {
		op = signals.ExprAnd
	}
	return joined(op, []*signals.Expr{e, {Op: signals.ExprTerm, Pos: e.Pos, Term: &null}})
}

// maxTermText is the number of bytes after which a list of values is cut in the text
// of a term, which every match carries.
const maxTermText = 2000

// written returns the term as Sigma writes it, on one line.
func (it *item) written(b *bucket) string {
	var s strings.Builder
	if it.key != nil && it.key.Value != "" {
		s.WriteString(oneLine(it.key.Value) + ": ")
	}
	if len(b.from) == 1 {
		s.WriteString(scalarText(b.from[0]))
		return s.String()
	}
	s.WriteByte('[')
	for i, n := range b.from {
		if i > 0 {
			s.WriteString(", ")
		}
		if s.Len() > maxTermText {
			fmt.Fprintf(&s, "… %d more", len(b.from)-i)
			break
		}
		s.WriteString(scalarText(n))
	}
	s.WriteByte(']')
	return s.String()
}

// scalarText writes a value as YAML on one line: a text in quotes, any other as it is.
func scalarText(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "null"
	case oneLine(n.Value) != n.Value:
		return strconv.Quote(n.Value)
	case n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool" || n.Tag == "!!timestamp":
		return n.Value
	}
	return "'" + strings.ReplaceAll(n.Value, "'", "''") + "'"
}

// oneLine returns s if it can be printed on one line, else quoted.
func oneLine(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}
