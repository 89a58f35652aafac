// SPDX-License-Identifier: Apache-2.0

// This file makes a definition of one signal in a document of the original, key by
// key.

package signals

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"seismo/internal/display"
)

// signalReader reads one signal.
type signalReader struct {
	*originalReader
	d        *Definition
	original *Original
	parts    []jsonValue // where keys are looked for; the first that has one counts
}

// get returns the value of a key.
func (s *signalReader) get(key string) (jsonValue, bool) {
	for _, p := range s.parts {
		if v, ok := p.under(key); ok {
			return v, true
		}
	}
	return jsonValue{}, false
}

// read reads the signal v. What is wrong has been reported if it returns false.
func (s *signalReader) read(v jsonValue) bool {
	if !s.is(v, jsonObject) {
		return false
	}
	if typ, ok := v.under("type"); ok && (typ.kind != jsonString || typ.text != originalType) {
		s.bad(typ, "other kinds of intelligence are no signals", "type %s is not %s", quote(typ.text), quote(originalType))
		return false
	}
	data := v
	if inner, ok := v.under("data"); ok {
		if data = inner; !s.is(data, jsonObject) {
			return false
		}
	}
	s.parts = []jsonValue{data}
	contents, ok := s.contents(data)
	s.name()
	if !ok {
		return false
	}
	s.expression(contents)
	s.id()
	s.syntax()
	if text, ok := s.text("description"); ok {
		s.d.Description = text
	}
	s.severity()
	s.techniques()
	s.platforms()
	s.labels()
	s.suppress()
	s.ours()
	return true
}

// text returns the text under key, without blanks around it.
func (s *signalReader) text(key string) (string, bool) {
	v, ok := s.get(key)
	if !ok || !s.is(v, jsonString) {
		return "", false
	}
	return strings.TrimSpace(v.text), true
}

// contents finds the expression of data: as a text, as JSON in a text or in an
// object (the source part of an intel document), or only beside its compiled form.
func (s *signalReader) contents(data jsonValue) (jsonValue, bool) {
	v, ok := data.under("contents")
	if ok && v.kind == jsonString && strings.HasPrefix(strings.TrimSpace(v.text), "{") {
		if v, ok = s.nested(v); !ok {
			return v, false
		}
		s.original.source = v.jsonNode
	}
	if ok && v.kind == jsonObject {
		s.parts = []jsonValue{v, data}
		source := v
		if v, ok = v.under("contents"); !ok {
			s.bad(source, "", `source part without "contents"`)
			return v, false
		}
	}
	compiled, has := data.under("compiled")
	if has && compiled.kind == jsonString {
		if compiled, has = s.nested(compiled); !has {
			return v, false
		}
	}
	text := jsonValue{}
	if has {
		if !s.is(compiled, jsonObject) {
			return v, false
		}
		s.parts = append(s.parts, compiled) // for its syntax_version
		text, has = compiled.under("text")
	}
	switch {
	case !ok && !has:
		s.bad(data, shapesHint, `signal without "contents"`)
		return v, false
	case !ok:
		return text, s.is(text, jsonString)
	case !s.is(v, jsonString):
		return v, false
	case has && (text.kind != jsonString || strings.TrimSpace(text.text) != strings.TrimSpace(v.text)):
		s.bad(text, "leave the compiled form out: it follows from the text", "the compiled form is one of another text than contents")
		return v, false
	}
	return v, true
}

// expression reads the text of the signal.
func (s *signalReader) expression(v jsonValue) {
	s.d.Text, s.d.Expr = s.parse(v, parse)
	s.original.text = s.d.Text
}

func (s *signalReader) parse(v jsonValue, parse func(*source) (*Expr, int)) (string, *Expr) {
	src := textSource(v.src, v.jsonNode)
	src.text = strings.TrimRight(src.text, " \t\r\n")
	e, _ := parse(src)
	for i := range src.diags {
		src.diags[i].Message = display.Text(v.path) + ": " + src.diags[i].Message
	}
	s.f.diags = append(s.f.diags, src.diags[:min(len(src.diags), max(0, maxDiags+1-len(s.f.diags)))]...)
	return strings.TrimSpace(src.text), e
}

func (s *signalReader) name() {
	v, ok := s.get("name")
	switch {
	case !ok:
		s.bad(s.parts[0], shapesHint, `signal without "name"`)
	case !s.is(v, jsonString):
	case strings.TrimSpace(v.text) == "":
		s.bad(v, "", "name is empty")
	case len(v.text) > maxName:
		s.bad(v, "what it says at length belongs into description", "name has %d bytes, at most %d are taken", len(v.text), maxName)
	case strings.ContainsFunc(strings.TrimSpace(v.text), func(r rune) bool { return !unicode.IsPrint(r) }):
		s.bad(v, "", "name %s has a character that can not be shown on one line", quote(v.text))
	default:
		s.d.Name = strings.TrimSpace(v.text)
	}
}

// id takes the id if it is a UUID. Numbers and names, which other systems have for
// ids, mean nothing beyond them: then one is made.
func (s *signalReader) id() {
	v, ok := s.get("id")
	if ok && v.kind == jsonString && uuidForm.MatchString(strings.TrimSpace(v.text)) {
		s.d.ID = strings.ToLower(strings.TrimSpace(v.text))
	} else {
		if ok && v.kind != jsonString && v.kind != jsonNumber {
			s.bad(v, "", "expected a text or a number, found %s", v.kind)
		}
		v = s.parts[0]
		if s.d.Name == "" || s.d.Text == "" {
			return // said
		}
		s.d.ID = madeID(s.d.Name, s.d.Text)
	}
	if first, twice := s.f.ids.at[s.d.ID]; twice {
		s.bad(v, "a signal without a UUID gets one of its name and contents", "id %s stands twice, first at %s:%d:%d", s.d.ID, display.Text(first.File), first.Line, first.Column)
		return
	}
	s.f.ids.at[s.d.ID] = v.pos()
}

// madeID returns a UUID of version 8 (RFC 9562, 5.8) that follows from texts.
func madeID(texts ...string) string {
	var form canonical
	form.list(texts)
	sum := sha256.Sum256(form)
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// syntax checks the syntax version that the document gives, if it does.
func (s *signalReader) syntax() {
	needed, what := syntaxPlain, ""
	if s.d.Expr != nil {
		needed, what = syntaxVersion(s.d.Expr)
	}
	s.original.version = needed
	v, ok := s.get("syntax_version")
	if !ok || !s.is(v, jsonNumber) {
		return
	}
	switch said, err := strconv.Atoi(v.text); {
	case err != nil || said < 1:
		s.bad(v, "", "syntax_version %s is not a whole number above 0", quote(v.text))
	case said > syntaxOurs:
		s.bad(v, "", "syntax_version %d is newer than this seismo, which knows %d", said, syntaxOurs)
	case said < needed:
		s.bad(v, fmt.Sprintf(`write "syntax_version": %d, or leave it out`, needed),
			"syntax_version is %d, but %s needs %d", said, what, needed)
	default:
		s.original.version = said
	}
}

func (s *signalReader) severity() {
	v, ok := s.get("severity")
	if !ok || !s.is(v, jsonString) {
		return
	}
	name := strings.ToLower(v.text)
	if name == "info" {
		name = Informational.String()
	}
	severity, known := ParseSeverity(name)
	if !known {
		s.bad(v, "severity is one of info, "+strings.Join(severityNames[:], ", "), "unknown severity %s%s", quote(v.text), didYouMean(nearest(name, severityNames[:])))
		return
	}
	s.d.Severity = severity
}

// techniques reads mitreAttack, or of mitreAttacks the newest version of ATT&CK.
func (s *signalReader) techniques() {
	v, ok := s.get("mitreAttack")
	if ok && v.kind == jsonString {
		v, ok = s.nested(v)
	} else if !ok {
		if v, ok = s.get("mitreAttacks"); ok && s.is(v, jsonObject) {
			v, ok = newest(v)
		}
	}
	if !ok || !s.is(v, jsonObject) {
		return
	}
	list, ok := v.under("techniques")
	if !ok || !s.is(list, jsonArray) {
		return
	}
	for _, t := range list.list() {
		id := t
		if t.kind == jsonObject {
			if id, ok = t.under("id"); !ok {
				s.bad(t, "", `technique without "id"`)
				continue
			}
		}
		if !s.is(id, jsonString) {
			continue
		}
		name := strings.ToUpper(strings.TrimSpace(id.text))
		if !techniqueForm.MatchString(name) {
			s.bad(id, "an ATT&CK technique is written T1059 or T1059.004", "%s is not a technique", quote(id.text))
			continue
		}
		if !slices.Contains(s.d.Techniques, name) {
			s.d.Techniques = append(s.d.Techniques, name)
		}
	}
}

// newest returns the value under the key of v that is a v with the greatest number.
func newest(v jsonValue) (jsonValue, bool) {
	best, at := -1, ""
	for _, key := range v.keys {
		if n, err := strconv.Atoi(strings.TrimPrefix(key, "v")); err == nil && strings.HasPrefix(key, "v") && n > best && v.member(key) != nil {
			best, at = n, key
		}
	}
	return v.under(at)
}

func (s *signalReader) platforms() {
	v, ok := s.get("platforms")
	if !ok || !s.is(v, jsonArray) {
		return
	}
	for _, p := range v.list() {
		if !s.is(p, jsonString) {
			continue
		}
		name := strings.ToLower(strings.TrimSpace(p.text))
		if name == "mac" {
			name = "macos"
		}
		switch {
		case !slices.Contains(Platforms(), name):
			s.bad(p, "the platforms are windows, linux and mac", "unknown platform %s%s", quote(p.text), didYouMean(nearest(name, Platforms())))
		case !slices.Contains(s.d.Platforms, name):
			s.d.Platforms = append(s.d.Platforms, name)
		}
	}
}

// labels reads the names of labels. Numbers mean something only to the server that
// gave them.
func (s *signalReader) labels() {
	v, ok := s.get("labels")
	if !ok || !s.is(v, jsonArray) {
		return
	}
	for _, l := range v.list() {
		if l.kind == jsonNumber {
			continue
		}
		if l.kind == jsonObject {
			object := l
			if l, ok = l.under("name"); !ok {
				s.bad(object, "", `label without "name"`)
				continue
			}
		}
		if s.is(l, jsonString) && strings.TrimSpace(l.text) != "" {
			s.d.Labels = append(s.d.Labels, strings.TrimSpace(l.text))
		}
	}
}

// suppress reads the suppression rules, each an expression in contents.
func (s *signalReader) suppress() {
	v, ok := s.get("suppressionRules")
	if !ok || !s.is(v, jsonArray) {
		return
	}
	if len(v.kids) > maxSuppress {
		s.bad(v, "join expressions by OR", "%d suppression rules, at most %d are taken", len(v.kids), maxSuppress)
		return
	}
	for _, rule := range v.list() {
		text := rule
		if rule.kind == jsonObject {
			if text, ok = rule.under("contents"); !ok {
				s.bad(rule, "", `suppression rule without "contents"`)
				continue
			}
		}
		if s.is(text, jsonString) {
			text, e := s.parse(text, parseSuppress)
			s.d.Suppress, s.d.SuppressExprs = append(s.d.Suppress, text), append(s.d.SuppressExprs, e)
		}
	}
}

// oursKey is the key under which WriteBundle puts what only our definitions have.
const oursKey = "seismo"

// ours reads what only our definitions have.
func (s *signalReader) ours() {
	v, ok := s.get(oursKey)
	if !ok || !s.is(v, jsonObject) {
		return
	}
	text := func(key string, to *string) {
		if v, ok := v.under(key); ok && s.is(v, jsonString) {
			*to = v.text
		}
	}
	list := func(key string, to *[]string) {
		v, ok := v.under(key)
		if !ok || !s.is(v, jsonArray) {
			return
		}
		for _, l := range v.list() {
			if s.is(l, jsonString) {
				*to = append(*to, l.text)
			}
		}
	}
	text("author", &s.d.Author)
	text("response", &s.d.Response)
	list("references", &s.d.References)
	list("falsepositives", &s.d.FalsePositives)
	text("status", &s.d.Status)
	if s.d.Status != "" && !slices.Contains(Statuses(), s.d.Status) {
		at, _ := v.under("status")
		s.bad(at, "status is one of "+strings.Join(Statuses(), ", "), "unknown status %s", quote(s.d.Status))
	}
}
