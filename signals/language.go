// SPDX-License-Identifier: Apache-2.0

// This file lets definitions in other languages stand beside our own: a package that
// knows such a language reads its documents, and what is the same for all of them is
// here: places, ids, bounds, and the text as it was written. Package signals/sigma is
// one.

package signals

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"seismo/internal/display"
)

// Options say what is read beside our own definitions.
type Options struct {
	Languages []Language
	// Placeholder returns the values that stand for a name, in languages that have such
	// names. Nil means that there are none.
	Placeholder func(name string) ([]string, error)
	// Reading is called before a file is read, with the number of those that were read;
	// nil: nobody asks.
	Reading func(files int)
}

// Language is a language with documents of its own.
type Language interface {
	// Claims reports whether the mapping n, a whole YAML document, is one of the
	// language.
	Claims(n *yaml.Node) bool
	// File begins a file. The function that it returns is called for each document of
	// the file that the language claims, in their order.
	File() func(*Document)
}

// Loaded is what was read of files.
type Loaded struct {
	Definitions []Definition
	Filters     []Filter
	// Refused are the definitions and filters in which something is wrong, and the files
	// that could not be read.
	Refused []Refused
}

// Refused is a definition, a filter or a file that was not taken, with the names that
// others may refer to it by, as far as they are known.
type Refused struct {
	ID, Name, RuleName string
	Pos                Position
	// LeftOut says why it was not taken if nothing is wrong in it.
	LeftOut string
}

// maxDocument bounds the text of one document in another language. Of 3,181 public
// rules of Sigma the longest has 295 KB, hashes of drivers; the next 40 KB.
const maxDocument = maxFile

// Document is one YAML document in another language, while it is read. All that is
// wrong is reported by Errorf; then nothing of the document is taken.
type Document struct {
	// Node is a mapping without aliases, anchors and tags, with keys that are texts and
	// stand once, at every level. Text is the document as it was written.
	Node *yaml.Node
	Text string
	// What the reader knows of it so far: messages and references name it.
	ID, Name, RuleName string

	file   *fileReader
	failed bool
	used   []string // the placeholders that were asked for, with their values
}

// Errorf reports what is wrong at n. Hint is the next step; it may be empty.
func (d *Document) Errorf(n *yaml.Node, hint, format string, args ...any) {
	d.failed = true
	d.file.errorAt(n, hint, format, args...)
}

// Failed reports whether something is wrong in d.
func (d *Document) Failed() bool { return d.failed }

// Pos returns the place of n.
func (d *Document) Pos(n *yaml.Node) Position { return d.file.pos(n) }

// maxKeptLine bounds the line that is kept of a reference, for messages.
const maxKeptLine = 512

// Reference returns the reference name, which stands at n.
func (d *Document) Reference(n *yaml.Node, name string) Reference {
	r := Reference{Name: name, Pos: d.Pos(n)}
	if line := d.file.line(r.Pos.Line); len(line) <= maxKeptLine {
		r.Line = strings.Clone(line) // not the whole file with it
	}
	return r
}

var errNoPlaceholders = errors.New("there are no values for placeholders here")

// Placeholder returns the values of a placeholder. They become a part of the
// definition's revision.
func (d *Document) Placeholder(name string) ([]string, error) {
	if d.file.options.Placeholder == nil {
		return nil, errNoPlaceholders
	}
	values, err := d.file.options.Placeholder(name)
	if err == nil {
		var form canonical
		form.text(name)
		form.list(values)
		d.used = append(d.used, string(form))
	}
	return values, err
}

// TakeID makes id, which stands at n, the document's, and reports one that another
// definition has.
func (d *Document) TakeID(n *yaml.Node, id string) {
	d.ID = strings.ToLower(id)
	if !d.file.takeID(n, d.ID) {
		d.failed = true
	}
}

// IDForm reports whether id is a UUID.
func IDForm(id string) bool { return uuidForm.MatchString(id) }

// Add takes def, if nothing is wrong in the document. Revision is filled in.
func (d *Document) Add(def Definition) {
	if d.failed {
		return
	}
	def.Revision = revisionWith(&def, d.expanded())
	d.file.defs = append(d.file.defs, def)
}

// AddFilter takes filter, if nothing is wrong in the document.
func (d *Document) AddFilter(filter Filter) {
	if d.failed {
		return
	}
	filter.expanded = d.expanded()
	d.file.filters = append(d.file.filters, filter)
}

// expanded returns the canonical form of the placeholders that were asked for and
// their values.
func (d *Document) expanded() string {
	slices.Sort(d.used)
	return strings.Join(slices.Compact(d.used), "")
}

// foreign reads the document root by its language.
func (f *fileReader) foreign(language int, root *yaml.Node) {
	f.found++
	first := len(f.diags)
	d := &Document{Node: root, Text: f.documentText(root), file: f}
	// What others refer to it by is known even if nothing else is read.
	d.ID, d.Name, d.RuleName = strings.ToLower(scalarKey(root, "id")), scalarKey(root, "title"), scalarKey(root, "name")
	if !IDForm(d.ID) {
		d.ID = ""
	}
	good := f.firstBare(root) && f.onceKeys(root)
	if len(d.Text) > maxDocument {
		f.errorAt(root, "", "document has %d bytes, at most %d are taken", len(d.Text), maxDocument)
		good = false
	}
	if f.readers == nil {
		f.readers = make([]func(*Document), len(f.options.Languages))
	}
	if f.readers[language] == nil {
		f.readers[language] = f.options.Languages[language].File()
	}
	if good {
		f.readers[language](d)
		good = !d.failed
	}
	if !good {
		f.refuse(first, Refused{ID: d.ID, Name: d.Name, RuleName: d.RuleName, Pos: f.pos(root)})
	}
}

// scalarKey returns the text of a key of the mapping n; empty if it has none.
func scalarKey(n *yaml.Node, key string) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := n.Content[i+1]; n.Content[i].Value == key && v.Kind == yaml.ScalarNode {
			return v.Value
		}
	}
	return ""
}

// refuse notes what was refused for the diagnostics from first on, which get its id.
func (f *fileReader) refuse(first int, r Refused) {
	for i := first; i < len(f.diags); i++ {
		f.diags[i].ID = r.ID
	}
	f.refused = append(f.refused, r)
}

// claimed returns the language that the mapping n is in, -1 if it is our own.
func (f *fileReader) claimed(n *yaml.Node) int {
	return slices.IndexFunc(f.options.Languages, func(l Language) bool { return l.Claims(n) })
}

// firstBare reports whether n and all that is in it are bare; the first that is not is
// said.
func (f *fileReader) firstBare(n *yaml.Node) bool {
	return f.bare(n) && !slices.ContainsFunc(n.Content, func(k *yaml.Node) bool { return !f.firstBare(k) })
}

// onceKeys reports whether the keys of n, and of what is in it, are texts that stand
// once in their mapping.
func (f *fileReader) onceKeys(n *yaml.Node) bool {
	if len(n.Content) == 0 {
		return true
	}
	good := true
	seen := map[string]*yaml.Node{}
	for i, k := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			good = f.onceKeys(k) && good
			continue
		}
		switch first := seen[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			f.errorAt(k, "", "expected a key, found %s", nodeText(k))
			good = false
		case k.Tag == "!!merge":
			f.errorAt(k, "write the keys out where they are needed", "key %s merges mappings: a definition has none that are shared", quote(k.Value))
			good = false
		case first != nil:
			f.errorAt(k, "", "key %s stands twice in one mapping, first on line %d", quote(k.Value), first.Line)
			good = false
		default:
			seen[k.Value] = k
		}
	}
	return good
}

// documentText returns the text of the document whose root is given, with the
// comments before it and without blanks at its end. A line that begins with --- or
// ... parts documents wherever it stands (YAML 1.2, 9.1.2: no value may hold one).
func (f *fileReader) documentText(root *yaml.Node) string {
	if f.markers == nil {
		f.markers = []int{}
		for i, line := range f.lines {
			if isMarker(line) {
				f.markers = append(f.markers, i+1)
			}
		}
	}
	from, to := 1, len(f.lines)
	after, _ := slices.BinarySearch(f.markers, root.Line+1)
	if after < len(f.markers) {
		to = f.markers[after] - 1
	}
	head := ""
	if after > 0 {
		from = f.markers[after-1] + 1
		head = strings.TrimLeft(f.line(from - 1)[3:], " \t") // --- {a: b}
	}
	text := strings.Join(f.lines[min(from-1, to):to], "\n")
	if head != "" {
		text = head + "\n" + text
	}
	return strings.TrimRight(text, " \t\r\n")
}

// isMarker reports whether line parts two documents.
func isMarker(line string) bool {
	return (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")) && (len(line) == 3 || line[3] == ' ' || line[3] == '\t')
}

// takeID notes that id stands at n, and reports one that stands elsewhere too.
func (f *fileReader) takeID(n *yaml.Node, id string) bool {
	if first, twice := f.ids.at[id]; twice {
		f.errorAt(n, idHint, "id %s stands twice, first at %s:%d:%d", id, display.Text(first.File), first.Line, first.Column)
		return false
	}
	f.ids.at[id] = f.pos(n)
	return true
}

// Quote returns s between double quotes, cut and escaped, for a message.
func Quote(s string) string { return quote(s) }

// DidYouMean returns the part of a message that names the candidate most like word;
// empty if none is like it.
func DidYouMean(word string, candidates []string) string {
	return didYouMean(nearest(word, candidates))
}

// NodeText names what n is, for a message.
func NodeText(n *yaml.Node) string { return nodeText(n) }
