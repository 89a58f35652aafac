// SPDX-License-Identifier: Apache-2.0

// This file decides which logs the event at hand belongs to, and of what kind it is:
// by what the object says, then by what the caller said, then by channel, provider
// and number, or by what ECS says of its category.

package jsonl

import (
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

// maxRemembered bounds the distinct logs that are remembered. The pointer of one is
// shared by all its events; beyond the bound they are made anew.
const maxRemembered = 512

// maxKey bounds the bytes of what is remembered of one.
const maxKey = 1024

// maxLogsource bounds the bytes of the keys and words of an object's logsource: whoever
// judges the event may keep the logs for as long as they live.
const maxLogsource = 1024

// class is what the logs of an event say it is.
type class struct {
	logs     *event.Logsource
	kind     event.Kind
	op       event.Op
	platform string
	targets  [512]target // by the hash of the name, what names mean on it
}

// target is the field of the registry that a name fills, event.NoField for none, with
// its type and scope.
type target struct {
	name  string
	field event.Field
	typ   event.Type
	scope event.Scope
}

// sorter remembers the classes by what they depend on.
type sorter struct {
	given *event.Logsource // what the caller said; nil for nothing
	known map[string]*class
	logs  map[string]*event.Logsource // by content
	key   []byte
}

// of returns the class of the event that g has gathered.
func (s *sorter) of(g *gatherer) *class {
	eventType, id := g.get("EventType"), g.first("EventID")
	s.key = append(append(append(s.key[:0], id...), 0), eventType...)
	switch {
	case g.logsource > 0:
		s.key = appendNodes(append(s.key, 1), g.nodes[g.logsource:g.nodes[g.logsource].next])
	case s.given != nil:
	case g.hasChannel():
		s.key = append(append(s.key, 2), g.get("Channel")...)
		s.key = append(append(s.key, 0), g.get("Provider_Name")...)
	default:
		s.key = append(s.key, 3)
		if g.ecs {
			s.key = g.appendECS(s.key)
		}
	}
	if known, ok := s.known[string(s.key)]; ok {
		return known
	}
	if len(s.key) > maxKey {
		s.key = nil
		return s.make(g, id, string(eventType))
	}
	if len(s.known) >= maxRemembered {
		s.known = nil
	}
	if s.known == nil {
		s.known = map[string]*class{}
	}
	made := s.make(g, id, string(eventType))
	s.known[string(s.key)] = made
	return made
}

// make is of without the memory.
func (s *sorter) make(g *gatherer, id []byte, eventType string) *class {
	number := 0
	if n, ok := decimal(id); ok && n < 1<<31 {
		number = int(n)
	}
	var ls *event.Logsource
	switch {
	case g.logsource > 0:
		ls = s.share(g.named())
	case s.given != nil:
		ls = s.given
	case g.hasChannel():
		ls = taxonomy.Channel(string(g.get("Channel")), string(g.get("Provider_Name")), number, eventType)
	case g.ecs:
		ls = s.share(g.logsOfECS())
	default:
		ls = s.share(event.Logsource{})
	}
	made := &class{logs: ls}
	made.kind, made.op = taxonomy.Kind(ls, number, eventType)
	if len(ls.Products) > 0 {
		made.platform = strings.ToLower(ls.Products[0])
	}
	return made
}

// share returns the one pointer for logs of this content.
func (s *sorter) share(ls event.Logsource) *event.Logsource {
	var key strings.Builder
	for _, list := range [...][]string{ls.Products, ls.Categories, ls.Services} {
		for _, word := range list {
			key.WriteString(word)
			key.WriteByte(0)
		}
		key.WriteByte(1)
	}
	if known := s.logs[key.String()]; known != nil {
		return known
	}
	if key.Len() > maxKey {
		return &ls
	}
	if s.logs == nil || len(s.logs) >= maxRemembered {
		s.logs = map[string]*event.Logsource{}
	}
	s.logs[key.String()] = &ls
	return &ls
}

// hasChannel reports whether the event says of which log of Windows, or of Sysmon, it is.
func (g *gatherer) hasChannel() bool {
	return g.windows || g.get("Channel") != nil || g.get("Provider_Name") != nil && g.get("EventID") != nil
}

// shortLogsource reports whether the logsource of the object is within its bound.
func (g *gatherer) shortLogsource() bool {
	size := 0
	for i := g.logsource; i < int(g.nodes[g.logsource].next); i++ {
		size += len(g.nodes[i].key) + len(g.nodes[i].val)
	}
	return size <= maxLogsource
}

// named returns the logs that the object names: product, category and service, each
// a string or a list of strings.
func (g *gatherer) named() event.Logsource {
	var ls event.Logsource
	root := int32(g.logsource)
	ls.Products = g.words(g.child(root, "product"))
	ls.Categories = g.words(g.child(root, "category"))
	ls.Services = g.words(g.child(root, "service"))
	return ls
}

// words returns the strings in node i, which is one or a list of them. Node 0 has none.
func (g *gatherer) words(i int32) (out []string) {
	if i == 0 {
		return nil
	}
	n := &g.nodes[i]
	if n.kind == kindArray {
		for at := range g.children(i) {
			for _, w := range g.words(at) {
				if !slices.Contains(out, w) {
					out = append(out, w)
				}
			}
		}
		return out
	}
	if n.kind == kindString && len(n.val) > 0 {
		return []string{string(n.val)}
	}
	return nil
}

func appendNodes(dst []byte, nodes []node) []byte {
	for i := range nodes {
		dst = append(append(append(dst, byte(nodes[i].kind)), nodes[i].key...), 0)
		dst = append(append(dst, nodes[i].val...), 0)
	}
	return dst
}

// The fields of ECS that say what an event is about.
var ecsWords = [...]string{"host.os.type", "host.os.platform", "host.os.family", "agent.type", "event.category", "event.type",
	"event.action", "event.dataset"}

// appendECS appends what the logs of an event of ECS depend on.
func (g *gatherer) appendECS(dst []byte) []byte {
	for i := range g.list {
		f := &g.list[i]
		for w, name := range ecsWords {
			if string(f.name) == name && len(f.value) <= 64 {
				dst = append(append(append(dst, byte(w+4)), f.value...), 0)
			}
		}
	}
	return dst
}

// productOfECS returns the product that an event of ECS is of, empty if it does not say.
func (g *gatherer) productOfECS() string {
	for _, name := range [...]string{"host.os.type", "host.os.platform", "host.os.family"} {
		switch os := strings.ToLower(string(g.get(name))); os {
		case "linux", "windows", "macos":
			return os
		case "darwin":
			return "macos"
		case "ubuntu", "debian", "redhat", "centos", "fedora", "suse", "amazon":
			return "linux"
		}
	}
	if g.holds("agent.type", "winlogbeat") {
		return "windows"
	}
	return ""
}

// logsOfECS returns the logs of an event of ECS by its category and type, which may
// have several values each.
func (g *gatherer) logsOfECS() event.Logsource {
	var ls event.Logsource
	if p := g.productOfECS(); p != "" {
		ls.Products = []string{p}
	}
	is := func(name, value string) bool { return g.holds(name, value) }
	add := func(category string) { ls.Categories = append(ls.Categories, category) }
	if is("event.category", "process") && !is("event.category", "library") {
		switch {
		case is("event.type", "start"):
			add("process_creation")
		case is("event.type", "end"):
			add("process_termination")
		}
	}
	if is("event.category", "file") {
		switch {
		case is("event.action", "rename"):
			add("file_rename")
		case is("event.type", "deletion"):
			add("file_delete")
		case is("event.type", "creation"), is("event.type", "change"):
			add("file_event")
		case is("event.type", "access"):
			add("file_access")
		}
	}
	if is("event.category", "registry") {
		add("registry_event")
		switch {
		case is("event.type", "deletion"):
			add("registry_delete")
		case is("event.type", "creation"):
			add("registry_add")
		case is("event.type", "change"):
			add("registry_set")
		}
	}
	switch {
	case is("event.category", "driver"):
		add("driver_load")
	case is("event.category", "library"):
		add("image_load")
	case g.get("dns.question.name") != nil:
		add("dns_query")
	case is("event.category", "network"):
		add("network_connection")
	}
	return ls
}
