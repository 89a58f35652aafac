// SPDX-License-Identifier: Apache-2.0

// This file holds the modifiers of Sigma, and which of them may stand beside each
// other and in which order (specification 2.1, appendix on modifiers). What each does
// to a value is in value.go, encode.go, windash.go and typed.go.

package sigma

import (
	"fmt"
	"slices"
	"strings"

	"seismo/signals"
)

// modifier is one word behind the name of a field.
type modifier uint8

const (
	modAll modifier = iota
	modNeq
	modCased
	modExpand
	modWindash
	modUTF16LE
	modUTF16BE
	modUTF16
	modWide
	modBase64
	modBase64Offset
	modContains
	modStartsWith
	modEndsWith
	modRe
	modI
	modM
	modS
	modCIDR
	modExists
	modFieldRef
	modLess
	modLessEqual
	modGreater
	modGreaterEqual
	modMinute
	modHour
	modDay
	modWeek
	modMonth
	modYear
	numModifiers
)

var modifierNames = [numModifiers]string{"all", "neq", "cased", "expand", "windash",
	"utf16le", "utf16be", "utf16", "wide", "base64", "base64offset",
	"contains", "startswith", "endswith", "re", "i", "m", "s", "cidr", "exists", "fieldref",
	"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"}

// String returns the modifier as Sigma spells it.
func (m modifier) String() string { return modifierNames[m] }

// encodes reports whether m turns a text into other bytes.
func (m modifier) encodes() bool { return m >= modUTF16LE && m <= modBase64Offset }

func (m modifier) isUTF16() bool { return m >= modUTF16LE && m <= modWide }

// places reports whether m says where in a value the text stands.
func (m modifier) places() bool { return m >= modContains && m <= modEndsWith }

func (m modifier) flag() bool { return m >= modI && m <= modS }

func (m modifier) orders() bool { return m >= modLess && m <= modGreaterEqual }

func (m modifier) dates() bool { return m >= modMinute && m <= modYear }

// kind is what the values of a detection item are read as.
type kind uint8

const (
	kindText kind = iota
	kindRegex
	kindCIDR
	kindExists
	kindFieldRef
	kindNumber
	kindDate
)

// asksFor returns the kind that m asks for; kindText if it asks for none.
func asksFor(m modifier) kind {
	switch {
	case m == modRe:
		return kindRegex
	case m == modCIDR:
		return kindCIDR
	case m == modExists:
		return kindExists
	case m == modFieldRef:
		return kindFieldRef
	case m.orders():
		return kindNumber
	case m.dates():
		return kindDate
	}
	return kindText
}

// chain is the modifiers of one detection item, checked.
type chain struct {
	mods []modifier // in the order written
	kind kind
}

func (c *chain) has(m modifier) bool { return slices.Contains(c.mods, m) }

// find returns the first of c's modifiers that test accepts.
func (c *chain) find(test func(modifier) bool) (modifier, bool) {
	if i := slices.IndexFunc(c.mods, test); i >= 0 {
		return c.mods[i], true
	}
	return 0, false
}

// wrong is what is wrong with a key, and where: off is the byte of the key.
type wrong struct {
	off           int
	hint, message string
}

// maxChain is the number of modifiers of a key.
const maxChain = 16

// splitKey takes a key apart: the name of a field, empty for keywords, and modifiers.
func splitKey(key string) (name string, c chain, bad *wrong) {
	name, rest, modified := strings.Cut(key, "|")
	if !modified {
		return name, c, nil
	}
	off := len(name) + 1
	for _, word := range strings.Split(rest, "|") {
		m := modifier(slices.Index(modifierNames[:], word))
		if int(m) >= int(numModifiers) {
			return name, c, unknownModifier(word, off)
		}
		if bad := c.add(m); bad != nil {
			bad.off = off
			return name, c, bad
		}
		off += len(word) + 1
	}
	return name, c, c.ended(len(name) + 1)
}

func unknownModifier(word string, off int) *wrong {
	bad := &wrong{off: off, hint: "the modifiers are " + strings.Join(modifierNames[:], ", ")}
	if strings.TrimSpace(word) == "" {
		bad.message = "a modifier is missing behind |"
		return bad
	}
	near := signals.Nearest(strings.TrimSpace(word), modifierNames[:])
	switch strings.ToLower(word) {
	case "ignorecase":
		near = "i"
	case "multiline":
		near = "m"
	case "dotall":
		near = "s"
	case "beginswith":
		near = "startswith"
	case "regex", "regexp":
		near = "re"
	case "ne":
		near = "neq"
	}
	bad.message = fmt.Sprintf("unknown modifier %.40q", word)
	if near != "" {
		bad.message += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return bad
}

// add appends m, if it may stand behind what is there.
func (c *chain) add(m modifier) *wrong {
	if len(c.mods) == maxChain {
		return refuse("", "more than %d modifiers", maxChain)
	}
	if m != modBase64 && c.has(m) {
		return refuse("leave one out", "modifier %s stands twice", m)
	}
	if bad := c.order(m); bad != nil {
		return bad
	}
	if k := asksFor(m); k != kindText {
		c.kind = k
	}
	c.mods = append(c.mods, m)
	return nil
}

func refuse(hint, format string, args ...any) *wrong {
	return &wrong{hint: hint, message: fmt.Sprintf(format, args...)}
}

// order refuses m behind modifiers that it can not follow.
func (c *chain) order(m modifier) *wrong {
	switch {
	case m == modAll || m == modNeq || m == modCased:
		return nil // about all values: they stand anywhere
	case m.flag() && c.kind != kindRegex:
		return refuse("write re|"+m.String(), "modifier %s belongs to re", m)
	case m.flag():
		return nil
	case m.places():
		return c.orderPlace(m)
	case m.encodes():
		return c.orderEncoding(m)
	case asksFor(m) != kindText:
		return c.orderKind(m)
	}
	// expand and windash
	before, after := c.find(modifier.encodes)
	switch {
	case after:
		return refuse(fmt.Sprintf("write %s|%s", m, before), "modifier %s after %s, which has changed the text", m, before)
	case m == modWindash && c.kind != kindText, m == modExpand && c.kind != kindText && c.kind != kindRegex && c.kind != kindCIDR:
		return c.senseless(m)
	}
	return nil
}

// senseless says that m has no meaning for what the chain asks for.
func (c *chain) senseless(m modifier) *wrong {
	by, _ := c.find(func(m modifier) bool { return asksFor(m) != kindText })
	return refuse("", "modifier %s has no meaning beside %s", m, by)
}

func (c *chain) orderPlace(m modifier) *wrong {
	if other, twice := c.find(modifier.places); twice {
		return refuse("make two keys of them, or use wildcards", "modifier %s after %s: a text has one place", m, other)
	}
	switch c.kind {
	case kindText, kindRegex, kindFieldRef:
		return nil
	}
	return c.senseless(m)
}

func (c *chain) orderEncoding(m modifier) *wrong {
	if c.kind != kindText {
		return c.senseless(m)
	}
	if place, after := c.find(modifier.places); after {
		return refuse(fmt.Sprintf("write %s|%s", m, place), "modifier %s after %s: its wildcards can not be encoded", m, place)
	}
	for _, before := range slices.Backward(c.mods) {
		if before == modBase64 || before == modBase64Offset {
			break
		}
		if m.isUTF16() && before.isUTF16() {
			return refuse("leave one out", "modifier %s after %s: the text is UTF-16 already", m, before)
		}
	}
	if c.has(modBase64Offset) && (m == modBase64 || m == modUTF16) {
		return refuse("", "modifier %s after base64offset, which leaves pieces of a text", m)
	}
	return nil
}

// orderKind refuses m, which says what the values are, where something else was said.
func (c *chain) orderKind(m modifier) *wrong {
	dated := m.orders() && c.kind == kindDate // a part of a date is compared as a number
	if by, second := c.find(func(m modifier) bool { return asksFor(m) != kindText }); second && !dated {
		hint := "make two keys of them"
		if m.dates() && by.orders() {
			hint = fmt.Sprintf("write %s|%s", m, by)
		}
		return refuse(hint, "modifier %s after %s", m, by)
	}
	for _, before := range c.mods {
		switch {
		case before == modAll || before == modNeq || before == modCased:
		case before == modExpand && (m == modRe || m == modCIDR):
		case dated && before.dates():
		case before.places() && (m == modRe || m == modFieldRef):
			return refuse(fmt.Sprintf("write %s|%s", m, before), "modifier %s after %s", m, before)
		default:
			return refuse("", "modifier %s after %s, which it has no meaning beside", m, before)
		}
	}
	return nil
}

// ended refuses what no modifier to come can make right; off is where the first one
// stands.
func (c *chain) ended(off int) *wrong {
	bad := func(hint, format string, args ...any) *wrong {
		w := refuse(hint, format, args...)
		w.off = off
		return w
	}
	switch {
	case c.kind == kindExists && len(c.mods) > 1:
		return bad("the value says whether the field is there: exists: true or exists: false", "exists beside other modifiers")
	case c.has(modCased) && c.has(modI):
		return bad("leave one of them out", "modifiers cased and i contradict each other")
	case c.has(modCased) && c.kind != kindText && c.kind != kindRegex && c.kind != kindFieldRef:
		return c.at(off, c.senseless(modCased))
	case c.has(modNeq) && c.ordered():
		return bad("not less is gte, not greater is lte", "neq beside a comparison")
	}
	return nil
}

func (c *chain) at(off int, w *wrong) *wrong {
	w.off = off
	return w
}

func (c *chain) ordered() bool {
	_, ok := c.find(modifier.orders)
	return ok
}
