// SPDX-License-Identifier: Apache-2.0

// This file holds the values of Sigma: texts with wildcards, escapes and placeholders,
// and the condition that the shape of a value comes to.

package sigma

import (
	"regexp"
	"strings"

	"seismo/signals"
)

// template is a text with wildcards, in parts.
type template []part

// part is a stretch of a value.
type part struct {
	kind partKind
	text string // of partText; the name of partHole
}

type partKind uint8

const (
	partText partKind = iota
	partStar          // *: any characters, also none
	partOne           // ?: one character
	partDash          // any of dashes
	partHole          // a placeholder that is not filled yet
)

func textValue(s string) template { return template(nil).addText(s) }

// add appends p. A star beside a star says nothing.
func (v template) add(p part) template {
	if n := len(v); p.kind == partStar && n > 0 && v[n-1].kind == partStar {
		return v
	}
	if p.kind == partText {
		return v.addText(p.text)
	}
	return append(v, p)
}

// addText appends s to the text at the end of v.
func (v template) addText(s string) template {
	if s == "" {
		return v
	}
	if n := len(v); n > 0 && v[n-1].kind == partText {
		v[n-1].text += s
		return v
	}
	return append(v, part{kind: partText, text: s})
}

func (v template) clone() template { return append(template(nil), v...) }

// plain returns the text of a value without wildcards.
func (v template) plain() (string, bool) {
	switch {
	case len(v) == 0:
		return "", true
	case len(v) == 1 && v[0].kind == partText:
		return v[0].text, true
	}
	return "", false
}

// parseValue reads a text as Sigma's specification says: * and ? are wildcards, a
// backslash takes their meaning from them and from another backslash, and is itself
// before any other character. With holes, %name% is a placeholder and \% a percent sign.
func parseValue(s string, holes bool) template {
	var v template
	from := 0
	flush := func(to, next int) {
		v = v.addText(s[from:to])
		from = next
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '*' || s[i+1] == '?' || holes && s[i+1] == '%'):
			flush(i, i+1)
			i++
		case c == '*' || c == '?':
			flush(i, i+1)
			p := part{kind: partStar}
			if c == '?' {
				p.kind = partOne
			}
			v = v.add(p)
		case c == '%' && holes:
			if name := placeholderAt(s[i:]); name != "" {
				flush(i, i+len(name)+2)
				v = append(v, part{kind: partHole, text: name})
				i = from - 1
			}
		}
	}
	flush(len(s), len(s))
	return v
}

// placeholderName is what stands between two percent signs.
var placeholderName = regexp.MustCompile(`^%([A-Za-z0-9_.-]{1,64})%`)

// placeholderAt returns the name of the placeholder that s begins with; empty if there
// is none.
func placeholderAt(s string) string {
	if m := placeholderName.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// surround puts the wildcards around v that m stands for.
func (v template) surround(m modifier) template {
	var out template
	if m == modContains || m == modEndsWith {
		out = out.add(part{kind: partStar})
	}
	for _, p := range v {
		out = out.add(p)
	}
	if m == modContains || m == modStartsWith {
		out = out.add(part{kind: partStar})
	}
	return out
}

// shape returns the condition that v comes to, and the text that is compared: for Glob
// in the language of package pattern. v has no dashes and no placeholders.
func (v template) shape() (signals.Condition, string) {
	inner, before, after := v, false, false
	if len(inner) > 0 && inner[0].kind == partStar {
		inner, before = inner[1:], true
	}
	if n := len(inner); n > 0 && inner[n-1].kind == partStar {
		inner, after = inner[:n-1], true
	}
	text, plain := inner.plain()
	switch {
	case !plain:
		return signals.Glob, v.glob()
	case text == "" && (before || after):
		return signals.Exists, ""
	case before && after:
		return signals.Contains, text
	case before:
		return signals.EndsWith, text
	case after:
		return signals.BeginsWith, text
	}
	return signals.Is, text
}

// globEscapes writes what means something in a glob for itself.
var globEscapes = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// glob returns v in the language of globs, in which a wildcard for one character, which
// is several bytes, is [u+].
func (v template) glob() string {
	var b strings.Builder
	for _, p := range v {
		switch p.kind {
		case partStar:
			b.WriteByte('*')
		case partOne:
			b.WriteString("[u+]")
		default:
			b.WriteString(globEscapes.Replace(p.text))
		}
	}
	return b.String()
}

// dashClass is a regular expression for any of dashes.
const dashClass = `[-/\x{2013}\x{2014}\x{2015}]`

// regex returns a regular expression, searched for anywhere, for the texts that are v.
func (v template) regex() string {
	before, after := `\A`, `\z`
	if n := len(v); n > 0 && v[n-1].kind == partStar {
		v, after = v[:n-1], ""
	}
	if len(v) > 0 && v[0].kind == partStar {
		v, before = v[1:], ""
	}
	return before + v.partRegex() + after
}

// partRegex returns a regular expression for v as a part of a text.
func (v template) partRegex() string {
	var b strings.Builder
	for _, p := range v {
		switch p.kind {
		case partStar:
			b.WriteString(`(?s:.*)`)
		case partOne:
			b.WriteString(`(?s:.)`)
		case partDash:
			b.WriteString(dashClass)
		default:
			b.WriteString(regexp.QuoteMeta(p.text))
		}
	}
	return b.String()
}
