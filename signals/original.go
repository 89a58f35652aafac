// SPDX-License-Identifier: Apache-2.0

// This file reads the documents of the original, signals.json: the export bundle, a
// bare list, the form of the API, the feed, and the full intel document. What their
// keys mean is in originalkeys.go; they are written in originalwrite.go, and the JSON
// itself is read in jsontree.go.

package signals

import (
	"bytes"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"seismo/internal/display"
)

// The bounds of a file of such documents. A feed of 420 signals has about 0.5 MB.
const (
	maxOriginal      = 16 << 20  // bytes
	maxOriginalLines = 1_000_000 // a line takes about 60 bytes while its file is read
)

// originalType is the type of the documents that are signals, originalVersion that of
// their form.
const (
	originalType    = "tanium-signal"
	originalVersion = "1.0"
)

// Original is a signal as it stood in a document of the original: what this package
// does not know of it is kept for [WriteBundle].
type Original struct {
	node    *jsonNode // the signal in its file
	source  *jsonNode // its source part, where it held one as a text of JSON
	text    string    // its expression
	version int       // the syntax version of text
	file    *jsonNode // the object with the key signals that it stood in; nil in the other shapes
}

// isOriginal reports whether the file called name is read as documents of the original.
func isOriginal(name string) bool { return strings.EqualFold(filepath.Ext(name), ".json") }

// fileLimit is the number of bytes that the file called name may have.
func fileLimit(name string) int {
	if isOriginal(name) {
		return maxOriginal
	}
	return maxFile
}

// parseOriginal is parseFile for documents of the original.
func parseOriginal(name string, src []byte, ids *idPlaces, o *Options) *fileReader {
	f := &fileReader{source: source{file: name, pieces: []piece{{line: 1, column: 1, point: true}}}, ids: ids, options: o}
	if ids.at == nil {
		ids.at = map[string]Position{}
	}
	whole := func(format string, args ...any) *fileReader {
		f.reportAt(Position{File: name}, 1, "", format, args...)
		f.refuse(0, Refused{Pos: Position{File: name}})
		return f
	}
	if len(src) > maxOriginal {
		return whole("file is longer than %d bytes", maxOriginal)
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	if bytes.Count(src, []byte("\n")) > maxOriginalLines {
		return whole("file has more than %d lines", maxOriginalLines)
	}
	f.source = *newSource(name, string(src))
	if at := invalidUTF8(f.text); at >= 0 {
		f.report(at, 1, "JSON is UTF-8", `byte \x%02x is not UTF-8`, f.text[at])
		f.refuse(0, Refused{Pos: f.diags[0].Pos})
		return f
	}
	top, ok := parseJSON(&f.source, "")
	if !ok {
		f.refuse(0, Refused{Pos: f.diags[0].Pos})
		return f
	}
	(&originalReader{f}).top(jsonValue{&top, &f.source, ""})
	if f.found == 0 && len(f.diags) == 0 {
		return whole("file holds no signal definition")
	}
	return f
}

// invalidUTF8 returns the offset of the first byte of s that is not UTF-8, or -1.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

// originalReader reads the documents of one file.
type originalReader struct{ f *fileReader }

// bad reports what is wrong with v.
func (r *originalReader) bad(v jsonValue, hint, format string, args ...any) {
	at := ""
	if v.path != "" {
		at = display.Text(v.path) + ": "
	}
	r.f.reportAt(v.pos(), 1, hint, "%s"+format, append([]any{at}, args...)...)
}

// is reports whether v is of kind, and says so if it is not.
func (r *originalReader) is(v jsonValue, kind jsonKind) bool {
	if v.kind != kind {
		r.bad(v, "", "expected %s, found %s", kind, v.kind)
		return false
	}
	return true
}

const shapesHint = `a file is {"signals": [ … ]}, a list of signals, or one signal with name and contents`

// top reads the whole of a file.
func (r *originalReader) top(v jsonValue) {
	list, file := v, (*jsonNode)(nil)
	if v.kind == jsonObject {
		signals, bundle := v.under("signals")
		data, answer := v.under("data")
		switch {
		case bundle:
			list, file = signals, v.jsonNode
			if labels, ok := v.under("labels"); ok && labels.kind != jsonArray {
				r.refuse(labels, "", "expected a list, found %s", labels.kind)
			}
		case answer && data.kind == jsonArray: // of the API
			list = data
		case answer, v.member("contents") != nil, v.member("compiled") != nil:
			r.signal(v, nil)
			return
		default:
			r.refuse(v, shapesHint, `an object without "signals" and without "contents"`)
			return
		}
	}
	if list.kind != jsonArray {
		r.refuse(list, shapesHint, "expected a list of signals, found %s", list.kind)
		return
	}
	for _, s := range list.list() {
		r.signal(s, file)
	}
}

// refuse reports what is wrong with v, which is no signal.
func (r *originalReader) refuse(v jsonValue, hint, format string, args ...any) {
	first := len(r.f.diags)
	r.bad(v, hint, format, args...)
	r.f.refuse(first, Refused{Pos: v.pos()})
}

// signal reads one signal.
func (r *originalReader) signal(v jsonValue, file *jsonNode) {
	r.f.found++
	first := len(r.f.diags)
	d := Definition{Severity: Medium, Language: LanguageSignal, Pos: v.pos()}
	s := signalReader{originalReader: r, d: &d, original: &Original{node: v.jsonNode, file: file}}
	if !s.read(v) || len(r.f.diags) > first {
		r.f.refuse(first, Refused{ID: d.ID, Name: d.Name, Pos: d.Pos})
		return
	}
	d.Original = s.original
	d.Revision = revision(&d)
	r.f.defs = append(r.f.defs, d)
}

// nested reads the text v as JSON.
func (r *originalReader) nested(v jsonValue) (jsonValue, bool) {
	src := textSource(v.src, v.jsonNode)
	n, ok := parseJSON(src, v.path)
	r.f.diags = append(r.f.diags, src.diags...)
	src.diags = nil
	inner := jsonValue{&n, src, v.path}
	return inner, ok && r.is(inner, jsonObject)
}
