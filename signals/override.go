// SPDX-License-Identifier: Apache-2.0

// This file reads overrides.yml: what one host makes of signals whose definitions
// are left alone. It is changed in overrideedit.go; what a program does with it is
// in package engine.

package signals

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Override is what a host makes of one signal.
type Override struct {
	ID       string    // of the signal; a UUID in lower case
	Disabled bool      // the signal never fires
	Severity *Severity // that it fires with; nil: that of its definition
	Reason   string    // for people
	Pos      Position
}

// maxReason bounds the reason of an override, in bytes.
const maxReason = 1024

// LoadOverrides reads the overrides in the file at path; without the file there are
// none. The error is a [Diagnostics] with all that is wrong in the file, or that of
// reading it.
func LoadOverrides(path string) ([]Override, error) {
	src, err := ReadOverridesFile(path)
	if err != nil || src == nil {
		return nil, err
	}
	return ParseOverrides(path, src)
}

// ReadOverridesFile returns the content of the overrides file at path; nil if there
// is none.
func ReadOverridesFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read overrides: %w", err)
	}
	if !info.Mode().IsRegular() { // opening a pipe waits for a writer
		return nil, fmt.Errorf("read overrides: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read overrides: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read overrides: %w", err)
	}
	return src, nil
}

// ParseOverrides reads the overrides in src, the content of the file called name: a
// YAML list of mappings with id and any of enabled, severity and reason. The error
// is a [Diagnostics] with all that is wrong; there are no overrides with it.
func ParseOverrides(name string, src []byte) ([]Override, error) {
	_, list, err := parseOverrides(name, src)
	return list, err
}

const overrideHint = "an override is an entry like: - {id: …, enabled: false, severity: low, reason: …}"

// parseOverrides is ParseOverrides; it also returns the document, nil if there is
// none.
func parseOverrides(name string, src []byte) (*yaml.Node, []Override, error) {
	f := &fileReader{source: source{file: name}}
	if len(src) > maxFile {
		f.reportAt(Position{File: name}, 1, "", "file is longer than %d bytes", maxFile)
		return nil, nil, f.diags.err()
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // a byte order mark
	f.lines = splitLines(string(src))
	if !f.characters(src) {
		return nil, nil, f.diags.err()
	}
	docs := f.documents(src)
	var list []Override
	switch {
	case len(f.diags) > 0 || len(docs) == 0:
	case len(docs) > 1:
		f.errorAt(docs[1], "", "expected one list of overrides, found a second document")
	case len(docs[0].Content) == 0 || isNull(docs[0].Content[0]):
	case docs[0].Content[0].Kind != yaml.SequenceNode:
		f.errorAt(docs[0].Content[0], overrideHint, "expected a list of overrides, found %s", nodeText(docs[0].Content[0]))
	case f.allBare(docs[0].Content[0]):
		seen := map[string]Position{}
		for _, n := range docs[0].Content[0].Content {
			o := f.override(n)
			if first, twice := seen[o.ID]; twice && o.ID != "" {
				f.errorAt(n, "", "a second override of signal %s; the first is in line %d", quote(o.ID), first.Line)
			}
			seen[o.ID] = o.Pos
			list = append(list, o)
		}
	}
	if err := f.diags.err(); err != nil {
		return nil, nil, err
	}
	if len(docs) == 0 {
		return nil, nil, nil
	}
	return docs[0], list, nil
}

// override reads one entry.
func (f *fileReader) override(n *yaml.Node) Override {
	o := Override{Pos: f.pos(n)}
	if n.Kind != yaml.MappingNode {
		f.errorAt(n, overrideHint, "expected an override, found %s", nodeText(n))
		return o
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			f.errorAt(key, "", "key %s stands twice", quote(key.Value))
		}
		seen[key.Value] = true
		if value.Kind != yaml.ScalarNode || isNull(value) {
			f.errorAt(value, "", "expected the value of %s, found %s", quote(key.Value), nodeText(value))
			continue
		}
		f.overrideKey(&o, key, value)
	}
	if !seen["id"] {
		f.errorAt(n, overrideHint, "an override has no id: which signal is it for?")
	}
	return o
}

func (f *fileReader) overrideKey(o *Override, key, value *yaml.Node) {
	switch key.Value {
	case "id":
		if !uuidForm.MatchString(value.Value) {
			f.errorAt(value, `the id of a signal is a UUID; "seismo signals list" prints them`, "id %s is not a UUID", quote(value.Value))
		}
		o.ID = strings.ToLower(value.Value)
	case "enabled":
		if value.Tag != "!!bool" {
			f.errorAt(value, "", "enabled is true or false, not %s", quote(value.Value))
		}
		o.Disabled = strings.EqualFold(value.Value, "false")
	case "severity":
		s, ok := ParseSeverity(strings.ToLower(value.Value))
		if !ok {
			f.oneOf(value, "severity", severityNames[:])
		}
		o.Severity = &s
	case "reason":
		if o.Reason = value.Value; len(o.Reason) > maxReason {
			f.errorAt(value, "", "the reason has %d bytes, the limit is %d", len(o.Reason), maxReason)
		}
	default:
		f.errorAt(key, overrideHint, "unknown key %s", quote(key.Value))
	}
}
