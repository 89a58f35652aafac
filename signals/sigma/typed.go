// SPDX-License-Identifier: Apache-2.0

// This file turns one value of a detection item, as YAML has it, into what is
// compared: a text with its modifiers, a regular expression, a network, a number, a
// part of a date, a field, or whether there is one.

package sigma

import (
	"errors"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"seismo/internal/pattern"
	"seismo/signals"
)

// The bounds of what one value may be.
const (
	maxName         = 256    // bytes of a field's name
	maxLiteral      = 1024   // bytes of a text without wildcards; package engine takes no longer one
	maxAlternatives = 20_000 // texts that dashes and placeholders make of one value
)

// value adds what the value n comes to.
func (it *item) value(bs []bucket, n *yaml.Node) []bucket {
	if isNull(n) {
		_, encoded := it.chain.find(modifier.encodes)
		switch {
		case it.name == "":
			it.d.report(n, "", "null as a keyword")
		case it.chain.kind != kindText || encoded:
			it.d.report(n, "null means that the field is absent: write it under the field alone", "null beside modifier %s", it.chain.mods[0])
		default:
			return it.put(bs, way{cond: signals.Exists, absent: true}, nil, n)
		}
		return bs
	}
	if !utf8.ValidString(n.Value) {
		it.d.report(n, "", "a value that is not UTF-8")
		return bs
	}
	switch it.chain.kind {
	case kindRegex:
		return it.regex(bs, n)
	case kindCIDR:
		return it.networks(bs, n)
	case kindExists:
		return it.exists(bs, n)
	case kindFieldRef:
		return it.reference(bs, n)
	case kindNumber, kindDate:
		return it.number(bs, n)
	}
	return it.texts(bs, n)
}

// texts adds a text with the modifiers of the chain, in their order.
func (it *item) texts(bs []bucket, n *yaml.Node) []bucket {
	written := n.Value
	if n.Tag == "!!bool" {
		written = strings.ToLower(written) // as JSON has it; YAML takes True for the same
	}
	vs := []template{parseValue(written, it.chain.has(modExpand))}
	for _, m := range it.chain.mods {
		switch {
		case m == modExpand:
			vs = it.fill(vs, n)
		case m == modWindash:
			for i := range vs {
				vs[i] = dashed(vs[i])
			}
		case m.encodes():
			vs = it.encode(vs, m, n)
		case m.places():
			for i := range vs {
				vs[i] = vs[i].surround(m)
			}
		}
		if vs == nil {
			return bs
		}
	}
	if _, placed := it.chain.find(modifier.places); it.name == "" && !placed {
		for i := range vs {
			vs[i] = vs[i].surround(modContains)
		}
	}
	for _, v := range vs {
		all, ok := permutations(v)
		if ok && len(all) > maxDashedGlobs {
			cond, _ := all[0].shape()
			ok = cond != signals.Glob
		}
		if !ok {
			bs = it.pattern(bs, signals.Regex, v.regex(), it.chain.has(modCased), n, nil)
			continue
		}
		for _, one := range all {
			bs = it.text(bs, one, n)
		}
		if it.d.full {
			return bs
		}
	}
	return bs
}

// text adds a value without dashes and placeholders.
func (it *item) text(bs []bucket, v template, n *yaml.Node) []bucket {
	cond, text := v.shape()
	switch {
	case cond == signals.Exists:
		return it.put(bs, way{cond: cond}, nil, n)
	case cond == signals.Glob:
		return it.pattern(bs, cond, text, it.chain.has(modCased), n, nil)
	case len(text) > maxLiteral:
		it.d.report(n, "", "a text of %d bytes to compare with, at most %d are taken", len(text), maxLiteral)
		return bs
	}
	return it.put(bs, way{cond: cond, cased: it.chain.has(modCased)}, &signals.Value{Text: text}, n)
}

// encode encodes each of vs; nil if one can not be.
func (it *item) encode(vs []template, m modifier, n *yaml.Node) []template {
	var out []template
	for _, v := range vs {
		all, ok := permutations(v)
		if !ok {
			it.d.report(n, "", "the dashes of the value make more than %d texts to encode", maxDashed)
			return nil
		}
		for _, one := range all {
			encoded, err := encode(one, m)
			if err != nil {
				it.d.report(n, "", "%s", err)
				return nil
			}
			out = append(out, encoded...)
		}
		if len(out) > maxAlternatives {
			it.d.report(n, "", "the value makes more than %d texts", maxAlternatives)
			return nil
		}
	}
	return out
}

// fill puts the values of the placeholders in their place; nil if one is not known.
func (it *item) fill(vs []template, n *yaml.Node) []template {
	var out []template
	for _, v := range vs {
		all := []template{nil}
		for _, p := range v {
			if p.kind != partHole {
				for i := range all {
					all[i] = all[i].add(p)
				}
				continue
			}
			known := it.placeholder(p.text, n)
			if known == nil {
				return nil
			}
			if len(all)*len(known)+len(out) > maxAlternatives {
				it.d.report(n, "", "the placeholders of the value make more than %d texts", maxAlternatives)
				return nil
			}
			next := make([]template, 0, len(all)*len(known))
			for _, head := range all {
				for _, k := range known {
					whole := head.clone()
					for _, kp := range k {
						whole = whole.add(kp)
					}
					next = append(next, whole)
				}
			}
			all = next
		}
		out = append(out, all...)
	}
	return out
}

// placeholder returns the values that %name% stands for; nil if there are none, which
// was then reported.
func (it *item) placeholder(name string, n *yaml.Node) []template {
	var texts []string
	err := errors.New("no values of placeholders were given")
	if it.d.r.placeholder != nil {
		texts, err = it.d.r.placeholder(name)
	}
	switch {
	case err != nil:
		it.d.report(n, "", "placeholder %%%s%%: %s", name, err)
		return nil
	case len(texts) == 0:
		it.d.report(n, "", "placeholder %%%s%% has no values", name)
		return nil
	}
	out := make([]template, len(texts))
	for i, t := range texts {
		out[i] = parseValue(t, false)
	}
	return out
}

// pattern adds a glob or a regular expression. offset gives the place in n of a byte of
// text; without it the place is that of n.
func (it *item) pattern(bs []bucket, cond signals.Condition, text string, cased bool, n *yaml.Node, offset func(int) int) []bucket {
	var weight int
	var err error
	if cond == signals.Glob {
		var g *pattern.Glob
		if g, err = pattern.ParseGlob(text, false, cased); err == nil {
			weight = g.Weight()
		}
	} else {
		var r *pattern.Regex
		if r, err = pattern.ParseRegex(text, cased); err == nil {
			weight = r.Weight()
		}
	}
	if err != nil {
		it.refused(n, cond, err, offset)
		return bs
	}
	if it.d.heavy(n, weight) {
		return bs
	}
	return it.put(bs, way{cond: cond, cased: cased}, &signals.Value{Text: text}, n)
}

// refused reports what package pattern says.
func (it *item) refused(n *yaml.Node, cond signals.Condition, err error, offset func(int) int) {
	what := "value with wildcards"
	if cond == signals.Regex {
		what = "regular expression"
	}
	bad := new(pattern.Error)
	if !errors.As(err, &bad) {
		it.d.report(n, "", "%s: %s", what, err)
		return
	}
	at := n
	if offset != nil && bad.Offset >= 0 {
		at = inside(n, offset(bad.Offset))
	}
	it.d.report(at, bad.Hint, "%s: %s", what, bad.Message)
}

// networks adds addresses of a network. One address is the network of itself.
func (it *item) networks(bs []bucket, n *yaml.Node) []bucket {
	vs := []template{parseValue(n.Value, it.chain.has(modExpand))}
	if it.chain.has(modExpand) {
		if vs = it.fill(vs, n); vs == nil {
			return bs
		}
	}
	for _, v := range vs {
		text, plain := v.plain()
		if !plain {
			it.d.report(n, "a network is written 10.0.0.0/8 or 2001:db8::/32; a text is tested by startswith", "a network with wildcards")
			return bs
		}
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); err != nil && aerr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			it.d.report(n, "a network is written 10.0.0.0/8 or 2001:db8::/32", "%.60q is not a network", text)
			return bs
		}
		// ::ffff:a.b.c.d is a.b.c.d: addresses compare in their short form.
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		bs = it.put(bs, way{cond: signals.InCIDR}, &signals.Value{Text: text, Address: p.Masked().String()}, n)
	}
	return bs
}

// exists adds whether the field is there.
func (it *item) exists(bs []bucket, n *yaml.Node) []bucket {
	if len(it.nodes) > 1 {
		if n == it.nodes[1] {
			it.d.report(n, "", "exists takes one value")
		}
		return bs
	}
	there := false
	switch strings.ToLower(n.Value) {
	case "true":
		there = true
	case "false":
	default:
		it.d.report(n, "write exists: true or exists: false", "exists takes true or false, not %.60q", n.Value)
		return bs
	}
	return it.put(bs, way{cond: signals.Exists, absent: !there}, nil, n)
}

// reference adds the comparison with another field.
func (it *item) reference(bs []bucket, n *yaml.Node) []bucket {
	name, plain := parseValue(n.Value, false).plain()
	switch {
	case !plain:
		it.d.report(n, "fieldref|contains, |startswith and |endswith compare with a part", "a field reference with wildcards")
		return bs
	case name == "" || len(name) > maxName:
		it.d.report(n, "", "a field reference of %d bytes: a name has 1 to %d", len(name), maxName)
		return bs
	}
	cond := signals.IsField
	switch place, _ := it.chain.find(modifier.places); place {
	case modContains:
		cond = signals.ContainsField
	case modStartsWith:
		cond = signals.BeginsWithField
	case modEndsWith:
		cond = signals.EndsWithField
	}
	return it.put(bs, way{cond: cond, cased: it.chain.has(modCased)}, &signals.Value{Text: name}, n)
}

// decimal is a number as it is compared.
var decimal = regexp.MustCompile(`^-?[0-9]{1,60}(\.[0-9]{1,60})?$`)

// number adds the comparison with a number, or of a part of a date with one.
func (it *item) number(bs []bucket, n *yaml.Node) []bucket {
	text := decimalText(n)
	if !decimal.MatchString(text) {
		it.d.report(n, "", "modifier %s takes a number, not %.60q", it.chain.mods[0], n.Value)
		return bs
	}
	w := way{cond: it.chain.comparison()}
	v := signals.Value{Text: text}
	if m, ok := it.chain.find(modifier.dates); ok {
		i, err := strconv.ParseInt(text, 10, 64)
		bound := dateBounds[m-modMinute]
		switch {
		case err != nil:
			it.d.report(n, "", "modifier %s takes a whole number, not %s", m, text)
			return bs
		case w.cond == signals.Is && (i < bound[0] || i > bound[1]):
			it.d.report(n, "", "no date has %s %d: it is %d to %d", m, i, bound[0], bound[1])
			return bs
		}
		v.Number = i
	}
	return it.put(bs, w, &v, n)
}

// decimalText returns the number n in decimal where YAML has other forms of it.
func decimalText(n *yaml.Node) string {
	if n.Tag != "!!int" && n.Tag != "!!float" || decimal.MatchString(n.Value) {
		return n.Value
	}
	if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
		return strconv.FormatInt(i, 10) // 0x1f, 0o17, 1_000, +1
	}
	if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
		return strconv.FormatFloat(f, 'f', -1, 64) // 1e3
	}
	return n.Value
}

// comparison returns how c compares numbers.
func (c *chain) comparison() signals.Condition {
	switch m, _ := c.find(modifier.orders); m {
	case modLess:
		return signals.Less
	case modLessEqual:
		return signals.LessEqual
	case modGreater:
		return signals.Greater
	case modGreaterEqual:
		return signals.GreaterEqual
	}
	return signals.Is
}

// dateBounds are the values that the parts of a date have, from minute to year. A year
// of ISO 8601 may have 53 weeks.
var dateBounds = [...][2]int64{{0, 59}, {0, 23}, {1, 31}, {1, 53}, {1, 12}, {0, 9999}}
