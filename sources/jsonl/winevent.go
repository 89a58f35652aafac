// SPDX-License-Identifier: Apache-2.0

// This file gathers the fields of nested events of the Windows event log: the XML of
// an event as JSON, in the spellings of evtx_dump, chainsaw, python-evtx and others.
// An XML attribute is a member of "#attributes", of "@attributes" or of a sibling
// called NAME_attributes, or has a key that begins with '@'; the text of an element
// that has attributes is "#text".

package jsonl

import "bytes"

// windowsEvent gathers the event in node ev, whose System element is node system.
// What the object root has beside the event is flattened.
func (g *gatherer) windowsEvent(root, ev, system int32) {
	g.windows = true
	g.element(system, nil)
	for at := range g.children(ev) {
		switch n := &g.nodes[at]; string(n.key) {
		case "EventData":
			g.eventData(at)
		case "UserData":
			g.userData(at)
		case "RenderingInfo":
			if m := g.child(at, "Message"); m > 0 {
				g.put([]byte("Message"), m)
			}
		default:
			if ev != root && at != system && !isAttributes(n.key) {
				g.put(n.key, at)
			}
		}
	}
	for at := range g.children(root) {
		if n := &g.nodes[at]; !g.isLogsource(at) && ev != root && at != ev && !isAttributes(n.key) {
			g.put(n.key, at)
		} else if ev == root && at != system && !isPart(n.key) && !isAttributes(n.key) && !g.isLogsource(at) {
			g.put(n.key, at)
		}
	}
}

// isPart reports whether key is that of a part of an event that is gathered by itself.
func isPart(key []byte) bool {
	switch string(key) {
	case "System", "EventData", "UserData", "RenderingInfo", "logsource":
		return true
	}
	return false
}

// isAttributes reports whether key holds the attributes of its object.
func isAttributes(key []byte) bool {
	switch string(key) {
	case "#attributes", "@attributes", "Event_attributes", "xmlns", "@xmlns", "attributes":
		return true
	}
	return false
}

// element gathers the children of a System element: a text under the name of the
// child, an attribute under both names joined by '_', as Sigma spells them
// (Provider_Name).
func (g *gatherer) element(i int32, prefix []byte) {
	for at := range g.children(i) {
		n := &g.nodes[at]
		switch {
		case isAttributes(n.key) && n.kind == kindObject:
			g.attributes(at, prefix)
		case string(n.key) == "#text":
			g.once(prefix, at)
		case bytes.HasPrefix(n.key, []byte("@")):
			g.once(g.underscore(prefix, n.key[1:]), at)
		case n.kind == kindObject && bytes.HasSuffix(n.key, []byte("_attributes")):
			g.attributes(at, n.key[:len(n.key)-len("_attributes")])
		case n.kind == kindObject && prefix == nil:
			g.element(at, n.key)
		case prefix == nil:
			g.once(n.key, at)
		default: // <Provider Name="x"/> as {"Provider": {"Name": "x"}}
			g.once(g.underscore(prefix, n.key), at)
		}
	}
}

func (g *gatherer) attributes(i int32, prefix []byte) {
	for at := range g.children(i) {
		g.once(g.underscore(prefix, g.nodes[at].key), at)
	}
}

// once gathers node i as name, unless name has a value.
func (g *gatherer) once(name []byte, i int32) {
	if len(name) == 0 || g.has(name) {
		g.duplicate = g.duplicate || len(name) > 0
		return
	}
	if g.nodes[i].kind != kindNull { // an element of the envelope that is empty says nothing
		g.put(name, i)
	}
}

// eventData gathers the members of an EventData element, and the elements of Data
// lists by their Name attribute. Data without a name is called Data.
func (g *gatherer) eventData(i int32) {
	switch n := &g.nodes[i]; n.kind {
	case kindObject:
	case kindArray:
		for at := range g.children(i) {
			g.data(at)
		}
		return
	default: // a text
		g.put(n.key, i)
		return
	}
	for at := range g.children(i) {
		n := &g.nodes[at]
		switch {
		case isAttributes(n.key), bytes.HasSuffix(n.key, []byte("_attributes")) && n.kind == kindObject, bytes.HasPrefix(n.key, []byte("@")):
		case string(n.key) == "Data" && n.kind == kindArray:
			for d := range g.children(at) {
				g.data(d)
			}
		case string(n.key) == "Data":
			g.data(at)
		case n.kind == kindObject:
			g.text(n.key, at)
		case g.repeated(i, at, n.key):
			g.duplicate = true
		default:
			g.put(n.key, at)
		}
	}
}

// data gathers one Data element: a bare text, or an object of a name and a text.
func (g *gatherer) data(i int32) {
	if g.nodes[i].kind != kindObject {
		g.put([]byte("Data"), i)
		return
	}
	name := []byte("Data")
	of := i
	for at := range g.children(i) {
		if isAttributes(g.nodes[at].key) && g.nodes[at].kind == kindObject {
			of = at
		}
	}
	for _, key := range [...]string{"Name", "@Name", "name"} {
		if at := g.child(of, key); at > 0 && g.nodes[at].kind == kindString {
			name = g.nodes[at].val
			break
		}
	}
	for _, key := range [...]string{"#text", "text", "Text", "value", "Value", "content", "$"} {
		if at := g.child(i, key); at > 0 {
			g.put(name, at)
			return
		}
	}
	if string(name) != "Data" {
		g.add(name, empty) // <Data Name="x"/>
		return
	}
	g.eventData(i) // an object for each value, by its name
}

// text gathers node i, an element with attributes, as name: its text, or what is
// nested in it.
func (g *gatherer) text(name []byte, i int32) {
	if at := g.child(i, "#text"); at > 0 {
		g.put(name, at)
		return
	}
	for at := range g.children(i) {
		n := &g.nodes[at]
		switch {
		case isAttributes(n.key), bytes.HasPrefix(n.key, []byte("@")):
		case n.kind == kindObject:
			g.text(g.join(name, n.key), at)
		default:
			g.put(g.join(name, n.key), at)
		}
	}
}

// userData gathers the fields of the element in a UserData element, under their own
// names.
func (g *gatherer) userData(i int32) {
	if n := &g.nodes[i]; n.kind != kindObject {
		g.put(n.key, i)
		return
	}
	for at := range g.children(i) {
		n := &g.nodes[at]
		switch {
		case isAttributes(n.key), bytes.HasSuffix(n.key, []byte("_attributes")), bytes.HasPrefix(n.key, []byte("@")):
		case n.kind == kindObject:
			g.eventData(at)
		default:
			g.put(n.key, at)
		}
	}
}
