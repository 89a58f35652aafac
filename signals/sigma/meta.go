// SPDX-License-Identifier: Apache-2.0

// This file reads what every document of Sigma says of itself (specification 2.1,
// "Components"), and the logsource.

package sigma

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"seismo/signals"
)

const keyID = "id"

// docKey is one key of a document that has a meaning for all.
type docKey struct {
	name string
	read func(r *docReader, def *signals.Definition, n *yaml.Node)
}

// keysOf returns the keys that documents have beside those that say what they are. All
// others are their authors' own.
func keysOf() []docKey {
	texts := func(to func(*signals.Definition) *[]string) func(*docReader, *signals.Definition, *yaml.Node) {
		return func(r *docReader, def *signals.Definition, n *yaml.Node) {
			list := r.texts(n)
			if to != nil {
				*to(def) = list
			}
		}
	}
	text := func(to func(*signals.Definition) *string) func(*docReader, *signals.Definition, *yaml.Node) {
		return func(r *docReader, def *signals.Definition, n *yaml.Node) {
			s, _ := r.text(n)
			if to != nil {
				*to(def) = strings.TrimSpace(s)
			}
		}
	}
	oneOrMore := func(to func(*signals.Definition) *[]string) func(*docReader, *signals.Definition, *yaml.Node) {
		return func(r *docReader, def *signals.Definition, n *yaml.Node) {
			list := r.oneOrMore(n)
			if to != nil {
				*to(def) = list
			}
		}
	}
	return []docKey{
		{keyTitle, (*docReader).title},
		{keyID, func(*docReader, *signals.Definition, *yaml.Node) {}}, // read by id, which needs the others
		{"name", text(func(d *signals.Definition) *string { return &d.RuleName })},
		{"related", (*docReader).related},
		{"taxonomy", (*docReader).taxonomy},
		{"status", (*docReader).status},
		{"description", text(func(d *signals.Definition) *string { return &d.Description })},
		{"license", text(nil)},
		{"author", text(func(d *signals.Definition) *string { return &d.Author })},
		{"references", texts(func(d *signals.Definition) *[]string { return &d.References })},
		{"date", (*docReader).date},
		{"modified", (*docReader).date},
		{"tags", (*docReader).tags},
		{"falsepositives", oneOrMore(func(d *signals.Definition) *[]string { return &d.FalsePositives })},
		{"level", (*docReader).level},
		{"fields", oneOrMore(nil)},
		{"scope", oneOrMore(nil)},
	}
}

// required reports whether the document has all keys that are given, each with a value.
// A key that is nearly one of them is refused, whether that one is there or not: what
// stands under it would be lost.
func (r *docReader) required(names ...string) bool {
	good := true
	known := []string{keyDetection, keyLogsource, keyCorrelation, keyFilter, keyAction, keyGenerate}
	for _, k := range keysOf() {
		known = append(known, k.name)
	}
	near := map[string]bool{}
	for i := 0; i+1 < len(r.node.Content); i += 2 {
		k := r.node.Content[i]
		if slices.Contains(known, k.Value) {
			continue
		}
		for _, name := range names {
			if meant := signals.DidYouMean(k.Value, []string{name}); meant != "" {
				r.Errorf(k, "", "unknown key %s%s", signals.Quote(k.Value), meant)
				near[name], good = true, false
				break
			}
		}
	}
	what := names[len(names)-1]
	for _, name := range names {
		switch v := valueOf(r.node, name); {
		case v == nil && !near[name]:
			r.Errorf(r.node, "a document of Sigma has at least "+strings.Join(names, ", "), "%s without %s", documentKind(what), signals.Quote(name))
			good = false
		case v != nil && saysNothing(v):
			r.Errorf(v, "", "key %s has no value", signals.Quote(name))
			good = false
		}
	}
	return good
}

// documentKind names what a document is that has the key.
func documentKind(key string) string {
	if key == keyDetection {
		return "rule"
	}
	return key
}

// metadata reads what the document says of itself.
func (r *docReader) metadata(def *signals.Definition) {
	keys := keysOf()
	for i := 0; i+1 < len(r.node.Content); i += 2 {
		at := slices.IndexFunc(keys, func(k docKey) bool { return k.name == r.node.Content[i].Value })
		if v := r.node.Content[i+1]; at >= 0 && !saysNothing(v) {
			keys[at].read(r, def, v)
		}
	}
	if def.Name != "" {
		r.Name = def.Name
	}
	r.RuleName = def.RuleName
}

// text returns the text n. A number, a date or a truth value is none.
func (r *docReader) text(n *yaml.Node) (string, bool) {
	switch {
	case n.Kind != yaml.ScalarNode || saysNothing(n):
		r.Errorf(n, "", "expected a text, found %s", signals.NodeText(n))
	case n.Tag != "!!str":
		r.Errorf(n, "between quotes it is a text", "expected a text, found %s, which YAML takes for %s", signals.NodeText(n), tagText(n.Tag))
	default:
		return n.Value, true
	}
	return "", false
}

// tagText names what YAML takes a value for.
func tagText(tag string) string {
	switch tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return "something else"
}

// texts returns the texts of the list n; elements without value are none.
func (r *docReader) texts(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode {
			hint = "a list of one is written [" + n.Value + "]"
		}
		r.Errorf(n, hint, "expected a list, found %s", signals.NodeText(n))
		return nil
	}
	var all []string
	for _, k := range n.Content {
		if saysNothing(k) {
			continue
		}
		if s, ok := r.text(k); ok && strings.TrimSpace(s) != "" {
			all = append(all, strings.TrimSpace(s))
		}
	}
	return all
}

// oneOrMore returns the text n, or the texts of the list n.
func (r *docReader) oneOrMore(n *yaml.Node) []string {
	if n.Kind == yaml.SequenceNode {
		return r.texts(n)
	}
	if s, ok := r.text(n); ok && strings.TrimSpace(s) != "" {
		return []string{strings.TrimSpace(s)}
	}
	return nil
}

// oneOf returns the text n if it is one of words.
func (r *docReader) oneOf(n *yaml.Node, what string, words []string) string {
	s, ok := r.text(n)
	if ok && !slices.Contains(words, s) {
		r.Errorf(n, what+" is one of "+strings.Join(words, ", "), "unknown %s %s%s", what, signals.Quote(s), signals.DidYouMean(s, words))
		return ""
	}
	return s
}

// maxTitle is the number of characters of a title (specification 2.1, "Title").
const maxTitle = 256

func (r *docReader) title(def *signals.Definition, n *yaml.Node) {
	s, ok := r.text(n)
	s = strings.Join(strings.Fields(s), " ") // one line, also where it was folded over several
	switch {
	case !ok:
	case s == "":
		r.Errorf(n, "", "title is empty")
	case utf8.RuneCountInString(s) > maxTitle:
		r.Errorf(n, "what it says at length belongs into description", "title has more than %d characters", maxTitle)
	case strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }):
		r.Errorf(n, "", "title %s has a character that can not be shown", signals.Quote(s))
	}
	def.Name = s
}

func (r *docReader) related(_ *signals.Definition, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		r.Errorf(n, "each element has an id and a type", "expected a list, found %s", signals.NodeText(n))
		return
	}
	for _, k := range n.Content {
		id, typ := valueOf(k, keyID), valueOf(k, "type")
		if k.Kind != yaml.MappingNode || id == nil || typ == nil {
			r.Errorf(k, "", "expected a mapping with id and type, found %s", signals.NodeText(k))
			continue
		}
		r.text(id)
		r.text(typ)
	}
}

func (r *docReader) taxonomy(_ *signals.Definition, n *yaml.Node) {
	if s, ok := r.text(n); ok && s != "sigma" {
		r.Errorf(n, "write the rule with the names of the taxonomy sigma", "taxonomy %s is not known", signals.Quote(s))
	}
}

func (r *docReader) status(def *signals.Definition, n *yaml.Node) {
	def.Status = r.oneOf(n, "status", signals.Statuses())
}

func (r *docReader) level(def *signals.Definition, n *yaml.Node) {
	var words []string
	for s := signals.Informational; s <= signals.Critical; s++ {
		words = append(words, s.String())
	}
	def.Severity, _ = signals.ParseSeverity(r.oneOf(n, "level", words))
}

// date checks a date, which YAML may know as one.
func (r *docReader) date(_ *signals.Definition, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!timestamp" && n.Tag != "!!int" { // 2024-01-31, 20240131
		r.text(n)
	}
}

var techniqueTag = regexp.MustCompile(`^attack\.t[0-9]{4}(\.[0-9]{3})?$`)

// tags splits the tags in techniques of ATT&CK and labels.
func (r *docReader) tags(def *signals.Definition, n *yaml.Node) {
	for _, tag := range r.texts(n) {
		if lower := strings.ToLower(tag); techniqueTag.MatchString(lower) {
			def.Techniques = append(def.Techniques, strings.ToUpper(strings.TrimPrefix(lower, "attack.")))
		} else {
			def.Labels = append(def.Labels, tag)
		}
	}
}

// logsource reads which logs the document is for.
func (r *docReader) logsource(n *yaml.Node) signals.Logsource {
	var l signals.Logsource
	if n.Kind != yaml.MappingNode {
		if !saysNothing(n) { // said by required
			r.Errorf(n, logsourceHint, "logsource is a mapping, found %s", signals.NodeText(n))
		}
		return l
	}
	found := r.nearlyLogsource(n)
	for _, of := range []struct {
		key string
		to  *string
	}{{"product", &l.Product}, {"category", &l.Category}, {"service", &l.Service}} {
		v := valueOf(n, of.key)
		if v == nil || saysNothing(v) {
			continue
		}
		found = true
		s, ok := r.text(v)
		switch {
		case !ok:
		case s == "":
			r.Errorf(v, logsourceHint, "%s is empty", of.key)
		case s != strings.ToLower(s):
			r.Errorf(v, "the words of a logsource are in lower case", "unknown %s %s (did you mean %s?)", of.key, signals.Quote(s), signals.Quote(strings.ToLower(s)))
		}
		*of.to = s
	}
	if !found {
		r.Errorf(n, logsourceHint, "logsource without product, category and service")
	}
	return l
}

// nearlyLogsource reports whether a key of the logsource n is nearly one that says which
// logs are meant, and refuses it: without it the rule would be for more logs than it says.
func (r *docReader) nearlyLogsource(n *yaml.Node) bool {
	known := []string{"product", "category", "service"}
	found := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if slices.Contains(known, k.Value) {
			continue
		}
		if meant := signals.DidYouMean(k.Value, known); meant != "" {
			r.Errorf(k, "", "unknown key %s%s", signals.Quote(k.Value), meant)
			found = true
		}
	}
	return found
}

const logsourceHint = "a logsource has at least one of product, category and service"

// id gives def its id: the one that is written, or one made of the title, the
// logsource and what stands under the key.
func (r *docReader) id(def *signals.Definition, key string) {
	n := valueOf(r.node, keyID)
	if n == nil || saysNothing(n) {
		def.ID = r.madeID("", def.Name, key)
		r.TakeID(r.node, def.ID)
		return
	}
	s, ok := r.text(n)
	switch {
	case !ok:
	case !signals.IDForm(s):
		r.Errorf(n, "an id is a UUID; without one seismo makes it of title and "+key, "id %s is not a UUID", signals.Quote(s))
	case r.derive:
		def.ID = r.madeID(strings.ToLower(s), def.Name, key)
		r.TakeID(r.node, def.ID)
	default:
		def.ID = strings.ToLower(s)
		r.TakeID(n, def.ID)
	}
}

// madeID returns a UUID of version 8 (RFC 9562, 5.8) made of the SHA-256 of what is
// given, the logsource and what stands under the key: a rule keeps it until it means
// something else.
func (r *docReader) madeID(shared, title, key string) string {
	form := appendForm(appendForm(nil, shared), title)
	form = appendNode(form, valueOf(r.node, keyLogsource))
	form = appendNode(form, valueOf(r.node, key))
	u := sha256.Sum256(form)
	u[6] = 0x80 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// appendNode appends a form of n that is different for different contents.
func appendNode(form []byte, n *yaml.Node) []byte {
	if n == nil {
		return append(form, 0)
	}
	form = append(form, 1, byte(n.Kind))
	form = appendForm(appendForm(form, n.Tag), n.Value)
	form = binary.BigEndian.AppendUint64(form, uint64(len(n.Content)))
	for _, k := range n.Content {
		form = appendNode(form, k)
	}
	return form
}

func appendForm(form []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(form, uint64(len(s))), s...)
}
