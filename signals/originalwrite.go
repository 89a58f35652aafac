// SPDX-License-Identifier: Apache-2.0

// This file writes definitions as the export bundle of the original.

package signals

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// WriteBundle writes defs to w as one export bundle of the original, in the order of
// defs: an object with the keys signals and labels. All must be in the text language
// and have a checked expression.
//
// A definition that was read from a document of the original is written with all that
// stood there, also what this package does not know; if it was a bundle, with the
// same content. Of the others, what has no key in the original is written under the
// key seismo, so that reading gives the same definition.
func WriteBundle(w io.Writer, defs []Definition) error {
	bundle := object{}
	list := jsonNode{kind: jsonArray}
	labels := newLabels()
	fresh := false
	for i := range defs {
		d := &defs[i]
		if d.Language != LanguageSignal || d.Expr == nil {
			return fmt.Errorf("write signal %s: only checked expressions of the text language can be written as documents of the original", quote(d.Name))
		}
		if d.Original != nil {
			list.kids = append(list.kids, d.Original.bundled())
			if file := d.Original.file; file != nil && !labels.files[file] {
				labels.file(file)
				bundle.take(file)
			}
			continue
		}
		fresh = true
		list.kids = append(list.kids, freshSignal(d))
		labels.names(d.Labels)
	}
	bundle.set("signals", list)
	if i := slices.Index(bundle.keys, "labels"); i < 0 && fresh || i >= 0 && bundle.kids[i].kind == jsonArray {
		bundle.set("labels", labels.list)
	}
	top := bundle.node()
	_, err := w.Write(append(top.appendJSON(nil, ""), '\n'))
	return err
}

// object is an object that is being made.
type object struct {
	keys []string
	kids []jsonNode
}

// set gives key a value, at its place if it is there already.
func (o *object) set(key string, n jsonNode) {
	if i := slices.Index(o.keys, key); i >= 0 {
		o.kids[i] = n
		return
	}
	o.keys, o.kids = append(o.keys, key), append(o.kids, n)
}

// take adds the members of n whose keys o does not have.
func (o *object) take(n *jsonNode) {
	for i, key := range n.keys {
		if !slices.Contains(o.keys, key) {
			o.set(key, n.kids[i])
		}
	}
}

func (o *object) text(key, s string) {
	if s != "" {
		o.set(key, jsonNode{kind: jsonString, text: s})
	}
}

func (o *object) texts(key string, all []string) {
	if len(all) > 0 {
		o.set(key, textList(all))
	}
}

func (o *object) node() jsonNode { return jsonNode{kind: jsonObject, keys: o.keys, kids: o.kids} }

func textList(all []string) jsonNode {
	n := jsonNode{kind: jsonArray}
	for _, s := range all {
		n.kids = append(n.kids, jsonNode{kind: jsonString, text: s})
	}
	return n
}

// labelList gathers the labels of a bundle: those of the files that signals were read
// from, as they stood there, and the names of others.
type labelList struct {
	list  jsonNode
	seen  map[string]bool
	files map[*jsonNode]bool
}

func newLabels() *labelList {
	return &labelList{list: jsonNode{kind: jsonArray}, seen: map[string]bool{}, files: map[*jsonNode]bool{}}
}

// file takes the labels of a file. Of the first file all are taken, whatever they are.
func (l *labelList) file(top *jsonNode) {
	first := len(l.files) == 0
	l.files[top] = true
	all := top.member("labels")
	if all == nil {
		return
	}
	for i := range all.kids {
		name := ""
		if n := all.kids[i].member("name"); n != nil {
			name = n.text
		}
		if first || name == "" || !l.seen[name] {
			l.list.kids = append(l.list.kids, all.kids[i])
		}
		l.seen[name] = true
	}
}

func (l *labelList) names(all []string) {
	for _, name := range all {
		if l.seen[name] {
			continue
		}
		l.seen[name] = true
		var o object
		o.text("name", name)
		o.set("description", jsonNode{kind: jsonString})
		l.list.kids = append(l.list.kids, o.node())
	}
}

// wrapper returns what stands around the data of a signal.
func wrapper() object {
	var o object
	o.text("type", originalType)
	o.text("typeVersion", originalVersion)
	o.set("isSchemaValid", jsonNode{kind: jsonBool, text: "true"})
	return o
}

func number(n int) jsonNode { return jsonNode{kind: jsonNumber, text: strconv.Itoa(n)} }

// dataKeys are the keys that belong into the data of a signal of a bundle; all others
// stand beside it.
func dataKeys() []string {
	return []string{"id", "name", "description", "contents", "syntax_version", "mitreAttack", "mitreAttacks", "platforms",
		"labels", "severity", "suppressionRules", oursKey}
}

// bundled returns the signal as it stands in a bundle.
func (o *Original) bundled() jsonNode {
	if o.node.member("data") != nil {
		return *o.node
	}
	around := wrapper()
	var data object
	source := o.source
	if c := o.node.member("contents"); c != nil && c.kind == jsonObject {
		source = c
	}
	if source != nil {
		data.take(source)
	}
	for i, key := range o.node.keys {
		in := slices.Contains(dataKeys(), key)
		switch {
		case key == "contents" && source != nil: // it is what has become data
		case in && !slices.Contains(data.keys, key):
			data.set(key, o.node.kids[i])
		default:
			around.set(key, o.node.kids[i])
		}
	}
	if n := data.node(); n.member("contents") == nil {
		data.text("contents", o.text)
	}
	if n := data.node(); n.member("syntax_version") == nil {
		data.set("syntax_version", number(o.version))
	}
	around.set("data", data.node())
	return around.node()
}

// freshSignal returns d as a signal of a bundle.
func freshSignal(d *Definition) jsonNode {
	var data, ours object
	data.text("id", d.ID)
	data.text("name", d.Name)
	data.set("description", jsonNode{kind: jsonString, text: d.Description})
	data.text("contents", d.Text)
	version, _ := syntaxVersion(d.Expr)
	data.set("syntax_version", number(version))
	techniques := jsonNode{kind: jsonArray}
	for _, t := range d.Techniques {
		var o object
		o.text("id", t)
		techniques.kids = append(techniques.kids, o.node())
	}
	var attack object
	attack.set("techniques", techniques)
	data.set("mitreAttack", attack.node())
	platforms := slices.Clone(d.Platforms)
	for i, p := range platforms {
		if p == "macos" {
			platforms[i] = "mac"
		}
	}
	data.set("platforms", textList(platforms))
	data.set("labels", textList(d.Labels))
	severity := d.Severity.String()
	if d.Severity == Informational {
		severity = "info"
	}
	data.text("severity", severity)
	if len(d.Suppress) > 0 {
		rules := jsonNode{kind: jsonArray}
		for i, s := range d.Suppress {
			var o object
			o.text("name", "suppress "+strconv.Itoa(i+1))
			o.text("contents", s)
			rules.kids = append(rules.kids, o.node())
		}
		data.set("suppressionRules", rules)
	}
	ours.text("status", d.Status)
	ours.text("author", d.Author)
	ours.texts("references", d.References)
	ours.texts("falsepositives", d.FalsePositives)
	ours.text("response", d.Response)
	if len(ours.keys) > 0 {
		data.set(oursKey, ours.node())
	}
	around := wrapper()
	around.set("data", data.node())
	return around.node()
}
