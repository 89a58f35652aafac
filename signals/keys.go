// SPDX-License-Identifier: Apache-2.0

// This file reads and checks the keys of one definition. The YAML around them is
// in yaml.go.

package signals

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Statuses returns the words that a definition's status may be, in rising order of
// how far it can be trusted.
func Statuses() []string {
	return []string{"unsupported", "deprecated", "experimental", "test", "stable"}
}

// Platforms returns the platforms that a definition may name.
func Platforms() []string { return []string{"linux", "windows", "macos"} }

// ParseSeverity returns the severity called name, in lower case.
func ParseSeverity(name string) (Severity, bool) {
	i := slices.Index(severityNames[:], name)
	return Severity(max(i, 0)), i >= 0
}

// key is one key of a definition.
type key struct {
	name     string
	required bool
	// read takes the key's value; what is wrong with it has been reported if it
	// returns false.
	read func(f *fileReader, d *Definition, n *yaml.Node) bool
}

// keysOf returns the keys of a definition in the order of the documentation.
func keysOf() []key {
	return []key{
		{"id", true, (*fileReader).id},
		{"name", true, (*fileReader).name},
		{"description", false, text(func(d *Definition) *string { return &d.Description })},
		{"severity", false, (*fileReader).severity},
		{"status", false, (*fileReader).status},
		{"techniques", false, (*fileReader).techniques},
		{"platforms", false, (*fileReader).platforms},
		{"author", false, text(func(d *Definition) *string { return &d.Author })},
		{"references", false, list(func(d *Definition) *[]string { return &d.References })},
		{"falsepositives", false, list(func(d *Definition) *[]string { return &d.FalsePositives })},
		{"response", false, text(func(d *Definition) *string { return &d.Response })},
		{"labels", false, list(func(d *Definition) *[]string { return &d.Labels })},
		{"suppress", false, (*fileReader).suppress},
		{LanguageSignal, false, (*fileReader).signal},
		{LanguageCEL, false, (*fileReader).cel},
	}
}

// otherKeys are keys of other rule formats, each with ours.
func otherKeys() map[string]string {
	return map[string]string{
		"title": "name", "level": "severity", "priority": "severity", "tags": "techniques",
		"platform": "platforms", "os": "platforms", "uuid": "id",
		"condition": "signal", "contents": "signal", "detection": "signal", "expression": "signal", "query": "signal", "rule": "signal",
	}
}

// meantKey returns our key that an unknown one may stand for; empty if there is
// none.
func meantKey(name string) string {
	var candidates []string
	for _, k := range keysOf() {
		candidates = append(candidates, k.name)
	}
	others := otherKeys()
	candidates = append(candidates, slices.Sorted(maps.Keys(others))...)
	found := nearest(name, candidates)
	if ours, ok := others[found]; ok {
		return ours
	}
	return found
}

// definition reads one definition and keeps it if nothing is wrong in it.
func (f *fileReader) definition(n *yaml.Node) {
	d := Definition{Severity: Medium, Pos: f.pos(n)}
	f.found++
	first := len(f.diags)
	keys := keysOf()
	seen := map[string]*yaml.Node{}
	good := f.allBare(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			f.errorAt(k, "", "expected a key, found %s", nodeText(k))
			good = false
			continue
		}
		if first := seen[k.Value]; first != nil {
			f.errorAt(k, "", "key %s stands twice in one definition, first on line %d", quote(k.Value), first.Line)
			good = false
			continue
		}
		seen[k.Value] = k
		at := slices.IndexFunc(keys, func(c key) bool { return c.name == k.Value })
		switch {
		case at >= 0:
			good = f.value(keys[at], &d, v) && good
		default:
			f.unknownKey(k, keys)
			good = false
		}
	}
	for _, k := range keys {
		if k.required && seen[k.name] == nil && !f.hasStandIn(seen, k.name) {
			f.errorAt(n, requiredHintOf(k), "definition without %s", quote(k.name))
			good = false
		}
	}
	good = f.oneExpression(n, seen) && good
	if good {
		d.Revision = revision(&d)
		f.defs = append(f.defs, d)
		return
	}
	f.refuse(first, Refused{ID: d.ID, Name: d.Name, Pos: d.Pos})
}

// requiredHintOf returns the next step for a definition that lacks k.
func requiredHintOf(k key) string {
	if k.name == "id" {
		return idHint
	}
	return requiredHint
}

// oneExpression reports whether exactly one key of n says what the signal is.
func (f *fileReader) oneExpression(n *yaml.Node, seen map[string]*yaml.Node) bool {
	text, cel := seen[LanguageSignal], seen[LanguageCEL]
	switch {
	case text != nil && cel != nil:
		f.errorAt(cel, "make two signals of it, or say it in one of the languages", "a definition with both signal and cel")
		return false
	case text == nil && cel == nil:
		if !f.hasStandIn(seen, LanguageSignal) {
			f.errorAt(n, "a definition has at least id, name and either signal or cel", `definition without "signal" or "cel"`)
		}
		return false
	}
	return true
}

// hasStandIn reports whether a key that is refused stands where name should: one
// error is enough.
func (f *fileReader) hasStandIn(seen map[string]*yaml.Node, name string) bool {
	for k := range seen {
		if len(f.diags) > maxDiags {
			return true // what is said would not be shown
		}
		if k != name && meantKey(k) == name {
			return true
		}
	}
	return false
}

func (f *fileReader) unknownKey(k *yaml.Node, keys []key) {
	if len(f.diags) > maxDiags {
		return // nobody will read what it may stand for
	}
	var names []string
	for _, c := range keys {
		names = append(names, c.name)
	}
	f.errorAt(k, "the keys are "+strings.Join(names, ", "), "unknown key %s%s", quote(k.Value), didYouMean(meantKey(k.Value)))
}

// value reads the value of key k, which is never empty.
func (f *fileReader) value(k key, d *Definition, n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0 {
		return false // said by allBare
	}
	if isNull(n) {
		hint := "leave the key out where it says nothing"
		if k.required || k.name == "signal" || k.name == "cel" {
			hint = requiredHintOf(k)
		}
		f.errorAt(n, hint, "key %s has no value", quote(k.name))
		return false
	}
	return k.read(f, d, n)
}

// scalar returns the text of n, without blanks around it.
func (f *fileReader) scalar(n *yaml.Node, what string) (string, bool) {
	if n.Kind == yaml.AliasNode {
		return "", false // said by allBare
	}
	if n.Kind != yaml.ScalarNode {
		f.errorAt(n, "", "%s is a text, found %s", what, nodeText(n))
		return "", false
	}
	s := strings.TrimSpace(n.Value)
	if s == "" {
		f.errorAt(n, "", "%s is empty", what)
		return "", false
	}
	return s, true
}

// texts returns the texts of the list n.
func (f *fileReader) texts(n *yaml.Node) ([]string, bool) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode {
			hint = "a list of one is written [" + n.Value + "]"
		}
		f.errorAt(n, hint, "expected a list, found %s", nodeText(n))
		return nil, false
	}
	good := true
	var all []string
	for _, k := range n.Content {
		s, ok := f.scalar(k, "a value of a list")
		good = good && ok
		all = append(all, s)
	}
	return all, good
}

func text(to func(*Definition) *string) func(*fileReader, *Definition, *yaml.Node) bool {
	return func(f *fileReader, d *Definition, n *yaml.Node) (ok bool) {
		*to(d), ok = f.scalar(n, "the value")
		return ok
	}
}

func list(to func(*Definition) *[]string) func(*fileReader, *Definition, *yaml.Node) bool {
	return func(f *fileReader, d *Definition, n *yaml.Node) (ok bool) {
		*to(d), ok = f.texts(n)
		return ok
	}
}

const (
	idHint       = "an id is a UUID, made once and kept: uuidgen, or cat /proc/sys/kernel/random/uuid, prints a new one"
	requiredHint = "a definition has at least id, name and either signal or cel"
)

var uuidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

func (f *fileReader) id(d *Definition, n *yaml.Node) bool {
	s, ok := f.scalar(n, "id")
	if ok && !uuidForm.MatchString(s) {
		f.errorAt(n, idHint, "id %s is not a UUID", quote(s))
		return false
	}
	if !ok {
		return false
	}
	d.ID = strings.ToLower(s)
	return f.takeID(n, d.ID)
}

// maxName is the number of bytes of a signal's name.
const maxName = 200

func (f *fileReader) name(d *Definition, n *yaml.Node) bool {
	s, ok := f.scalar(n, "name")
	switch {
	case !ok:
	case len(s) > maxName:
		f.errorAt(n, "what it says at length belongs into description", "name has %d bytes, at most %d are taken", len(s), maxName)
		return false
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		f.errorAt(n, "", "name %s has a character that can not be shown on one line", quote(s))
		return false
	}
	d.Name = s
	return ok
}

func (f *fileReader) severity(d *Definition, n *yaml.Node) bool {
	s, ok := f.oneOf(n, "severity", severityNames[:])
	if ok {
		d.Severity, _ = ParseSeverity(s)
	}
	return ok
}

func (f *fileReader) status(d *Definition, n *yaml.Node) (ok bool) {
	d.Status, ok = f.oneOf(n, "status", Statuses())
	return ok
}

// oneOf returns the text of n if it is one of words.
func (f *fileReader) oneOf(n *yaml.Node, what string, words []string) (string, bool) {
	s, ok := f.scalar(n, what)
	if ok && !slices.Contains(words, s) {
		f.errorAt(n, fmt.Sprintf("%s is one of %s", what, strings.Join(words, ", ")), "unknown %s %s%s", what, quote(s), didYouMean(nearest(s, words)))
		return "", false
	}
	return s, ok
}

func (f *fileReader) platforms(d *Definition, n *yaml.Node) bool {
	if _, ok := f.texts(n); !ok {
		return false
	}
	good := true
	for _, k := range n.Content {
		s, ok := f.oneOf(k, "platform", Platforms())
		good = good && ok
		d.Platforms = append(d.Platforms, s)
	}
	return good
}

var techniqueForm = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

func (f *fileReader) techniques(d *Definition, n *yaml.Node) (good bool) {
	if d.Techniques, good = f.texts(n); !good {
		return false
	}
	for i, s := range d.Techniques {
		if !techniqueForm.MatchString(s) {
			f.errorAt(n.Content[i], "an ATT&CK technique is written T1059 or T1059.004", "%s is not a technique", quote(s))
			good = false
		}
	}
	return good
}
