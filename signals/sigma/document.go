// SPDX-License-Identifier: Apache-2.0

// This file tells the documents of Sigma from others, and puts those together that
// the old form of several documents writes in parts (action: global, reset, repeat).
// What a document says is read in meta.go, correlation.go and filter.go.

package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"seismo/signals"
)

// Language reads Sigma, for [signals.Options].
type Language struct{}

// Claims reports whether n is a rule, a correlation or a filter of Sigma, or a part of
// one. Our own definitions have a key signal or cel.
func (Language) Claims(n *yaml.Node) bool {
	if valueOf(n, "signal") != nil || valueOf(n, "cel") != nil {
		return false
	}
	for _, key := range []string{keyDetection, keyLogsource, keyCorrelation, keyFilter, keyTitle} {
		if valueOf(n, key) != nil {
			return true
		}
	}
	action := valueOf(n, keyAction)
	return action != nil && slices.Contains(actions(), action.Value)
}

// File begins a file.
func (Language) File() func(*signals.Document) {
	f := new(file)
	return f.document
}

// The keys that say what a document is.
const (
	keyTitle       = "title"
	keyDetection   = "detection"
	keyLogsource   = "logsource"
	keyCorrelation = "correlation"
	keyFilter      = "filter"
	keyAction      = "action"
)

// actions returns what a document can do with others of its file, in the old form.
func actions() []string { return []string{"global", "reset", "repeat"} }

// file is what the documents of one file share.
type file struct {
	global, previous docPart // what action global and repeat refer to
	joined           int     // bytes of what was read as a part of more than one document
}

// docPart is a document, or several that were put together.
type docPart struct {
	node    *yaml.Node // nil: there is none
	text    string
	idTaken bool // a rule has the id that stands in node
}

// maxJoined bounds what is read again and again as a part of other documents.
const maxJoined = 8 << 20 // bytes in one file

// document reads d.
func (f *file) document(d *signals.Document) {
	whole := docPart{node: without(d.Node, keyAction), text: d.Text}
	base := &f.global
	if action := valueOf(d.Node, keyAction); action != nil && action.Kind == yaml.ScalarNode {
		switch action.Value {
		case "global":
			f.join(d, &f.global, &whole)
			f.global = whole
			return
		case "reset":
			f.global = docPart{}
			if len(whole.node.Content) == 0 {
				return
			}
		case "repeat":
			if base = &f.previous; base.node == nil {
				d.Errorf(action, "the document that it repeats stands before it", "action repeat without a rule before it")
				return
			}
		default:
			// Any other key and value is the author's own business, but hardly this one.
			if meant := signals.DidYouMean(action.Value, actions()); meant != "" {
				d.Errorf(action, "", "unknown action %s%s", signals.Quote(action.Value), meant)
				return
			}
		}
	}
	inherits := base.node != nil && valueOf(d.Node, keyID) == nil && valueOf(base.node, keyID) != nil
	f.join(d, base, &whole)
	if d.Failed() {
		return
	}
	d.Text = whole.text
	r := &docReader{Document: d, node: whole.node, derive: inherits && base.idTaken}
	r.reader = reader{report: d.Errorf, pos: d.Pos, placeholder: d.Placeholder}
	r.read()
	if inherits {
		base.idTaken = true
	}
	whole.idTaken = true // repeat makes another rule of it
	f.previous = whole
}

// join puts base in front of whole.
func (f *file) join(d *signals.Document, base, whole *docPart) {
	if base.node == nil {
		return
	}
	if f.joined += len(base.text) + len(whole.text); f.joined > maxJoined {
		d.Errorf(d.Node, "write each rule as a whole", "documents that are put together come to more than %d MiB in this file", maxJoined>>20)
		return
	}
	whole.text = base.text + "\n---\n" + whole.text
	whole.node = merged(base.node, whole.node)
}

// merged returns a mapping with the keys of both. Where both have one, the values are
// merged if they are mappings, else that of over stands.
func merged(base, over *yaml.Node) *yaml.Node {
	m := *over
	m.Content = slices.Clone(base.Content)
	at := map[string]int{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		at[m.Content[i].Value] = i + 1
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, v := over.Content[i], over.Content[i+1]
		have, both := at[key.Value]
		switch {
		case !both:
			m.Content = append(m.Content, key, v)
		case v.Kind == yaml.MappingNode && m.Content[have].Kind == yaml.MappingNode:
			m.Content[have] = merged(m.Content[have], v)
		default:
			m.Content[have-1], m.Content[have] = key, v
		}
	}
	return &m
}

// valueOf returns the value of a key of the mapping n; nil if it has no such key.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i].Kind == yaml.ScalarNode {
			return n.Content[i+1]
		}
	}
	return nil
}

// without returns the mapping n without a key.
func without(n *yaml.Node, key string) *yaml.Node {
	if valueOf(n, key) == nil {
		return n
	}
	m := *n
	m.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			m.Content = append(m.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &m
}

// saysNothing reports whether n says nothing.
func saysNothing(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// docReader reads one document.
type docReader struct {
	reader
	*signals.Document
	node   *yaml.Node // the mapping, with what other documents add to it
	derive bool       // the id in node is that of another rule already
}

// read reads the document as what it is.
func (r *docReader) read() {
	var is []string
	for _, key := range []string{keyDetection, keyCorrelation, keyFilter} {
		if valueOf(r.node, key) != nil {
			is = append(is, key)
		}
	}
	switch {
	case len(is) > 1:
		r.Errorf(r.node, "a rule has detection, a correlation has correlation, a filter has filter; put --- between two documents",
			"a document with %s", strings.Join(is, " and "))
	case len(is) == 1 && is[0] == keyCorrelation:
		r.correlation()
	case len(is) == 1 && is[0] == keyFilter:
		r.filter()
	default:
		r.rule()
	}
}

// rule reads a rule.
func (r *docReader) rule() {
	def := signals.Definition{Language: signals.LanguageSigma, Text: r.Text, Severity: signals.Medium, Pos: r.Pos(r.node)}
	good := r.required(keyTitle, keyLogsource, keyDetection)
	r.metadata(&def)
	if n := valueOf(r.node, keyLogsource); n != nil {
		def.Logsource = r.logsource(n)
	}
	if !good {
		return
	}
	r.id(&def, keyDetection)
	detection := valueOf(r.node, keyDetection)
	if detection.Kind != yaml.MappingNode {
		r.Errorf(detection, "it has selections and a condition", "detection is a mapping, found %s", signals.NodeText(detection))
		return
	}
	if def.Expr = r.detection(detection); def.Expr != nil {
		r.Add(def)
	}
}
