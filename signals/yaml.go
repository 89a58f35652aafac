// SPDX-License-Identifier: Apache-2.0

// This file reads signal definitions from YAML. The keys of a definition are in
// keys.go; files and directories are read in load.go.

package signals

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// The bounds of a definition file.
const (
	maxFile      = 1 << 20 // bytes
	maxYAMLDepth = 32      // lists and mappings inside each other
)

// ParseFile reads the definitions in src, the content of the file called name:
// one YAML document or several, each a definition or a list of them. All
// expressions are checked.
//
// The error is a [Diagnostics] with all that is wrong in the file; the
// definitions returned with it are those in which nothing is wrong.
func ParseFile(name string, src []byte) ([]Definition, error) {
	loaded, err := ParseFileWith(name, src, Options{})
	return loaded.Definitions, err
}

// ParseFileWith is [ParseFile] for files that may hold documents in other languages
// too. What was read is never nil.
func ParseFileWith(name string, src []byte, o Options) (*Loaded, error) {
	f := parseFile(name, src, new(idPlaces), &o)
	return &Loaded{Definitions: f.defs, Filters: f.filters, Refused: f.refused}, f.diags.err()
}

// idPlaces are the places of the ids that have been read, by id.
type idPlaces struct{ at map[string]Position }

// parseFile reads the definitions in src. Ids that stand in ids already are
// refused; those of src are added.
func parseFile(name string, src []byte, ids *idPlaces, o *Options) *fileReader {
	if isOriginal(name) {
		return parseOriginal(name, src, ids, o)
	}
	f := &fileReader{source: source{file: name, pieces: []piece{{line: 1, column: 1, point: true}}}, ids: ids, options: o}
	if ids.at == nil {
		ids.at = map[string]Position{}
	}
	if len(src) > maxFile {
		f.reportAt(Position{File: name}, 1, "", "file is longer than %d bytes", maxFile)
		f.refuse(0, Refused{Pos: Position{File: name}})
		return f
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // a byte order mark
	f.lines = splitLines(string(src))
	if !f.characters(src) {
		f.refuse(0, Refused{Pos: Position{File: name}})
		return f
	}
	documents := f.documents(src)
	for _, doc := range documents {
		f.document(doc)
	}
	if f.found == 0 && len(f.diags) == 0 {
		f.reportAt(Position{File: name}, 1, "", "file holds no signal definition")
		f.refuse(0, Refused{Pos: Position{File: name}})
	}
	return f
}

// fileReader gathers the definitions and the diagnostics of one file.
type fileReader struct {
	source
	ids     *idPlaces
	options *Options
	found   int // definitions, good or not
	defs    []Definition
	filters []Filter
	refused []Refused
	// readers are those of the options' languages, once they are needed; markers are the
	// lines that part documents.
	readers []func(*Document)
	markers []int
}

// errorAt reports a diagnostic at n; width is that of its value in characters.
func (f *fileReader) errorAt(n *yaml.Node, hint, format string, args ...any) {
	width := 1
	if n.Kind == yaml.ScalarNode && n.Style == 0 {
		width = max(1, utf8.RuneCountInString(n.Value))
	}
	f.reportAt(f.pos(n), width, hint, format, args...)
}

func (f *fileReader) pos(n *yaml.Node) Position {
	return Position{f.file, max(1, n.Line), max(1, n.Column)}
}

// characters reports the first byte or character that a definition file may not
// hold. YAML counts some of them as ends of lines, which editors do not.
func (f *fileReader) characters(src []byte) bool {
	line, column := 1, 1
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		pos := Position{f.file, line, column}
		switch {
		case r == utf8.RuneError && n == 1:
			f.reportAt(pos, 1, "a definition file is UTF-8", `byte \x%02x is not UTF-8`, src[i])
			return false
		case r == '\n':
			line, column = line+1, 0
		case r == '\t', r == '\r' && i+1 < len(src) && src[i+1] == '\n':
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
			f.reportAt(pos, 1, "", "character U+%04X is not allowed in a definition file", r)
			return false
		}
		column++
		i += n
	}
	return true
}

// documents parses src up to the first error of its YAML, which it reports.
func (f *fileReader) documents(src []byte) []*yaml.Node {
	loader, err := yaml.NewLoader(bytes.NewReader(src), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxYAMLDepth))))
	if err != nil {
		f.yamlError(err)
		return nil
	}
	var docs []*yaml.Node
	for {
		n := new(yaml.Node)
		err := loader.Load(n)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			f.yamlError(err)
			return docs
		}
		docs = append(docs, n)
	}
}

// yamlError reports an error of the YAML package at its place, if it has one.
func (f *fileReader) yamlError(err error) {
	pos := Position{File: f.file}
	message := err.Error()
	var at *yaml.LoadError
	if errors.As(err, &at) {
		message = at.Message
		if line := at.Mark.Line; line > 0 {
			pos.Line = min(line, len(f.lines))
			pos.Column = utf8.RuneCountInString(f.line(pos.Line)) + 1 // the end, which may be given as a line too many
			if line == pos.Line {
				pos.Column = min(max(1, at.Mark.Column), pos.Column)
			}
		}
	}
	hint := ""
	switch {
	case strings.HasPrefix(f.line(pos.Line), "\t"):
		hint = "YAML indents with blanks, not with tabs"
	case strings.Contains(message, "mapping values are not allowed"):
		hint = `a text with a colon and a blank in it, or with quotes around a part of it, stands below "signal: |", indented`
	}
	f.reportAt(pos, 1, hint, "YAML: %s", strings.TrimPrefix(message, "yaml: "))
	f.refuse(len(f.diags), Refused{Pos: pos})
}

// document reads one document.
func (f *fileReader) document(doc *yaml.Node) {
	if len(doc.Content) == 0 {
		return
	}
	root := doc.Content[0]
	switch {
	case root.Kind == yaml.MappingNode:
		if language := f.claimed(root); language >= 0 {
			f.foreign(language, root)
		} else {
			f.definition(root)
		}
	case root.Kind == yaml.SequenceNode:
		f.bare(root)
		for _, n := range root.Content {
			if n.Kind != yaml.MappingNode {
				f.errorAt(n, "", "expected a signal definition, found %s", nodeText(n))
				f.refuse(len(f.diags), Refused{Pos: f.pos(n)})
				continue
			}
			if f.claimed(n) >= 0 {
				f.found++
				f.errorAt(n, "each is a document of its own, with a line --- between two of them", "a rule of Sigma in a list")
				f.refuse(len(f.diags), Refused{Pos: f.pos(n)})
				continue
			}
			f.definition(n)
		}
	case isNull(root):
		// An empty document: a file may begin or end with a separator.
	default:
		f.errorAt(root, "a definition is a mapping with id, name and signal or cel", "expected a signal definition or a list of them, found %s", nodeText(root))
		f.refuse(len(f.diags), Refused{Pos: f.pos(root)})
	}
}

// bare reports whether n is free of what definitions do without: aliases,
// anchors and tags.
func (f *fileReader) bare(n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		f.errorAt(n, "write the value out where it is needed", "alias %s: a definition has no anchors and aliases", quote("*"+n.Value))
	case n.Anchor != "":
		f.errorAt(n, "write the value out where it is needed", "anchor %s: a definition has no anchors and aliases", quote("&"+n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		f.errorAt(n, "", "tag %s: a definition has no YAML tags", quote(n.Tag))
	default:
		return true
	}
	return false
}

// allBare reports whether n and all that is in it are bare.
func (f *fileReader) allBare(n *yaml.Node) bool {
	good := f.bare(n)
	for _, k := range n.Content {
		good = f.allBare(k) && good
	}
	return good
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// nodeText names what n is, for a message.
func nodeText(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case isNull(n):
		return "nothing"
	}
	return fmt.Sprintf("the value %s", quote(n.Value))
}
