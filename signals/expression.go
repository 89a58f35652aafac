// SPDX-License-Identifier: Apache-2.0

// This file reads the keys of a definition that hold expressions: signal, cel and
// suppress. The other keys are in keys.go, the languages in parser.go and cel.go.

package signals

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxSuppress is the number of suppress expressions of a definition.
const maxSuppress = 100

// signal reads an expression of the text language.
func (f *fileReader) signal(d *Definition, n *yaml.Node) (ok bool) {
	d.Language = LanguageSignal
	d.Text, d.Expr, ok = f.expression(n, LanguageSignal, parse)
	return ok
}

// cel reads an expression of CEL.
func (f *fileReader) cel(d *Definition, n *yaml.Node) (ok bool) {
	d.Language = LanguageCEL
	d.Text, d.Expr, ok = f.expression(n, LanguageCEL, func(src *source) (*Expr, int) {
		e, _ := parseCEL(src)
		return e, celComment(src.text)
	})
	return ok
}

// celComment returns the offset of the first comment of a CEL expression, or -1.
func celComment(text string) int {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '/':
			if strings.HasPrefix(text[i:], "//") {
				return i
			}
		case '\'', '"':
			raw := i > 0 && (text[i-1] == 'r' || text[i-1] == 'R')
			quote := text[i : i+1]
			if three := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], three) {
				quote = three
			}
			i += len(quote)
			for i < len(text) && !strings.HasPrefix(text[i:], quote) {
				if text[i] == '\\' && !raw {
					i++
				}
				i++
			}
			i += len(quote) - 1
		}
	}
	return -1
}

// suppress reads a list of expressions of the text language.
func (f *fileReader) suppress(d *Definition, n *yaml.Node) bool {
	if _, ok := f.texts(n); !ok {
		return false
	}
	if len(n.Content) > maxSuppress {
		f.errorAt(n, "join expressions by OR", "suppress has %d expressions, at most %d are taken", len(n.Content), maxSuppress)
		return false
	}
	good := true
	for _, k := range n.Content {
		text, e, ok := f.expression(k, "suppress", parseSuppress)
		good = good && ok
		d.Suppress, d.SuppressExprs = append(d.Suppress, text), append(d.SuppressExprs, e)
	}
	return good
}

// expression reads the expression n by parse, which returns the offset of its
// first comment beside it, or -1.
func (f *fileReader) expression(n *yaml.Node, key string, parse func(*source) (*Expr, int)) (string, *Expr, bool) {
	if _, ok := f.scalar(n, key); !ok {
		return "", nil, false
	}
	src := &source{file: f.file, lines: f.lines, text: strings.TrimRight(n.Value, " \t\r\n")}
	joined := false
	if src.pieces = []piece{{line: max(1, n.Line), column: max(1, n.Column), point: true}}; len(src.text) <= maxText {
		src.pieces, joined = scalarPieces(f.lines, n)
	}
	e, comment := parse(src)
	if comment >= 0 && joined {
		hint := key + ": |"
		if key == "suppress" {
			hint = "- |"
		}
		src.report(comment, 2, "with "+strconv.Quote(hint)+" YAML leaves the lines as they are", "a comment runs to the end of its line, and YAML has made one line of this value")
	}
	for i := range src.diags {
		if src.diags[i].Message == unclosedLiteral && n.Style == 0 && strings.Contains(f.line(src.diags[i].Pos.Line), " #") {
			src.diags[i].Hint = `YAML ends the value at " #"; below "signal: |", indented, it does not`
		}
	}
	f.diags = append(f.diags, src.diags[:min(len(src.diags), max(0, maxDiags+1-len(f.diags)))]...)
	return strings.TrimSpace(n.Value), e, len(src.diags) == 0
}
