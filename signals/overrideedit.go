// SPDX-License-Identifier: Apache-2.0

// This file changes one entry of overrides.yml. How the file is read is in
// override.go.

package signals

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// EditOverrides returns src, the content of the overrides file called name, with o
// in place of what it says of signal o.ID; an override that changes nothing takes
// the entry away. All other entries and the comments stay. The errors are those of
// [ParseOverrides], and one for a reason that such a file can not hold.
func EditOverrides(name string, src []byte, o Override) ([]byte, error) {
	if len(o.Reason) > maxReason || strings.ContainsAny(o.Reason, "\r\n") || !utf8.ValidString(o.Reason) {
		return nil, fmt.Errorf("a reason is text (UTF-8) of at most %d bytes in one line", maxReason)
	}
	doc, list, err := parseOverrides(name, src)
	if err != nil {
		return nil, err
	}
	if doc == nil || len(doc.Content) == 0 {
		doc = &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{{}}}
	}
	root := doc.Content[0]
	if root.Kind != yaml.SequenceNode {
		*root = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", HeadComment: root.HeadComment, FootComment: root.FootComment}
	}
	at := slices.IndexFunc(list, func(have Override) bool { return have.ID == o.ID })
	if at < 0 && !o.changes() {
		return src, nil
	}
	switch {
	case !o.changes():
		root.Content = slices.Delete(root.Content, at, at+1)
	case at >= 0:
		n := overrideNode(o)
		old := root.Content[at]
		n.HeadComment, n.LineComment, n.FootComment = old.HeadComment, old.LineComment, old.FootComment
		root.Content[at] = n
	default:
		root.Content = append(root.Content, overrideNode(o))
	}
	if len(root.Content) == 0 {
		root.Style = yaml.FlowStyle
	} else {
		root.Style = 0
	}
	out, err := yaml.Dump(doc)
	if err != nil {
		return nil, fmt.Errorf("write overrides: %w", err)
	}
	if _, err := ParseOverrides(name, out); err != nil { // what is written is read back
		return nil, err
	}
	return out, nil
}

// changes reports whether o makes anything of its signal.
func (o *Override) changes() bool { return o.Disabled || o.Severity != nil }

func overrideNode(o Override) *yaml.Node {
	text := func(s string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	}
	word := func(tag, s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: s} }
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	add := func(key string, value *yaml.Node) { n.Content = append(n.Content, word("!!str", key), value) }
	add("id", text(o.ID))
	if o.Disabled {
		add("enabled", word("!!bool", "false"))
	}
	if o.Severity != nil {
		add("severity", word("!!str", o.Severity.String()))
	}
	if o.Reason != "" {
		add("reason", text(o.Reason))
	}
	return n
}
