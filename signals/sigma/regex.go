// SPDX-License-Identifier: Apache-2.0

// This file holds the modifier re: the flags of a regular expression, and the
// placeholders in it.

package sigma

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"seismo/internal/pattern"
	"seismo/signals"
)

// leadingFlags is what a regular expression says of itself as a whole; caseFlags is what
// one says of the case of letters in a part of it.
var (
	leadingFlags = regexp.MustCompile(`^\(\?([imsU]+)\)`)
	caseFlags    = regexp.MustCompile(`\(\?[msU]*(i|-[msU]*i)`)
)

// regex adds a regular expression. It counts the case of letters, unless the modifier i
// or a flag (?i) in it says otherwise: then ASCII letters match in both.
func (it *item) regex(bs []bucket, n *yaml.Node) []bucket {
	body, flags, fold := it.flags(n.Value)
	if fold && it.chain.has(modCased) {
		it.d.report(n, "leave one of them out", "modifier cased beside (?i)")
		return bs
	}
	skipped := len(n.Value) - len(body)
	offset := func(i int) int { return i + skipped }
	if it.chain.has(modExpand) {
		filled := it.fillRegex(body, n)
		if filled == "" && body != "" {
			return bs
		}
		if filled != body {
			body, offset = filled, nil
		}
	}
	if caseFlags.MatchString(body) && (!it.chain.has(modI) || strings.Contains(body, "-")) {
		// Case counts in a part: it is said letter by letter.
		whole := body
		if fold {
			whole = "(?i)" + body
		}
		folded, err := pattern.FoldScopes(whole)
		if err != nil {
			it.refused(n, signals.Regex, err, nil)
			return bs
		}
		body, fold, offset = folded, false, nil
	}
	if place, ok := it.chain.find(modifier.places); ok && place != modContains {
		// What stands in parentheses must be an expression by itself.
		if before := it.d.reports; len(it.pattern(nil, signals.Regex, body, !fold, n, offset)) == 0 && it.d.reports > before {
			return bs
		}
		if place == modStartsWith {
			body = `\A(?:` + body + `)`
		} else {
			body = `(?:` + body + `)\z`
		}
		offset = nil
	}
	if flags != "" {
		prefix := "(?" + flags + ")"
		body = prefix + body
		if inner := offset; inner != nil {
			offset = func(i int) int { return max(0, inner(i-len(prefix))) }
		}
	}
	return it.pattern(bs, signals.Regex, body, !fold, n, offset)
}

// flags takes the flags at the beginning of a regular expression off it. flags has those
// and the chain's, without i, which fold tells.
func (it *item) flags(text string) (body, flags string, fold bool) {
	body, fold = text, it.chain.has(modI)
	for _, f := range []modifier{modM, modS} {
		if it.chain.has(f) {
			flags += f.String()
		}
	}
	for {
		m := leadingFlags.FindStringSubmatch(body)
		if m == nil {
			return body, flags, fold
		}
		body = body[len(m[0]):]
		fold = fold || strings.Contains(m[1], "i")
		flags += strings.ReplaceAll(m[1], "i", "")
	}
}

// fillRegex puts the values of placeholders into a regular expression, each meaning
// what it does elsewhere; empty if one is not known.
func (it *item) fillRegex(s string, n *yaml.Node) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		name := ""
		if s[i] == '%' {
			name = placeholderAt(s[i:])
		}
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i += 2
		case name == "":
			b.WriteByte(s[i])
			i++
		default:
			known := it.placeholder(name, n)
			if known == nil {
				return ""
			}
			b.WriteString("(?:")
			for k, v := range known {
				if k > 0 {
					b.WriteByte('|')
				}
				b.WriteString(v.partRegex())
			}
			b.WriteByte(')')
			i += len(name) + 2
		}
	}
	return b.String()
}
