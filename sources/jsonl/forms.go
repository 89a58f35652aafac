// SPDX-License-Identifier: Apache-2.0

// This file knows the forms that objects come in, and gathers the fields of each
// under the names that Sigma rules call them by. How Elastic names its fields is in
// ecs.go.

package jsonl

import (
	"bytes"
	"fmt"
)

// gatherer makes fields of nodes.
type gatherer struct {
	scanner
	fields
	duplicate bool    // a key stood twice in an object
	root      int32   // index of the object that holds the fields
	logsource int     // index of the node that says the logs; 0 for none
	windows   bool    // the object is an event of the Windows event log
	ecs       bool    // names are those of Elastic
	nulls     []int32 // members that are null
}

// maxNulls bounds the members that are null of which a second value is not taken.
const maxNulls = 64

// gather reads the object in and gathers its fields.
func (g *gatherer) gather(in []byte) error {
	g.fields.reset()
	g.duplicate, g.logsource, g.windows, g.ecs, g.nulls = false, 0, false, false, g.nulls[:0]
	if err := g.parse(in); err != nil {
		return err
	}
	g.gatherForm()
	if g.logsource > 0 && !g.shortLogsource() {
		return fmt.Errorf("its logsource takes more than %d bytes: %w", maxLogsource, ErrMalformed)
	}
	if g.over() {
		return fmt.Errorf("the names and values of its fields take more than %d bytes: %w", maxSize, ErrMalformed)
	}
	return nil
}

// gatherForm recognises the form of the object and gathers its fields.
func (g *gatherer) gatherForm() {
	g.root = 0
	if at := g.child(0, "_source"); at > 0 && g.nodes[at].kind == kindObject { // as Elasticsearch exports it
		g.root = at
	}
	root := g.root
	ev, system := int32(0), int32(0)
	for i := range g.children(root) {
		n := &g.nodes[i]
		switch string(n.key) {
		case "Event":
			if at := g.child(i, "System"); at > 0 {
				ev, system = i, at
			}
		case "System":
			if n.kind == kindObject && system == 0 && (g.child(root, "EventData") > 0 || g.child(root, "UserData") > 0) {
				ev, system = root, i
			}
		case "winlog", "ecs":
			g.ecs = true
		default:
			if bytes.HasPrefix(n.key, []byte("winlog.")) || bytes.HasPrefix(n.key, []byte("ecs.")) {
				g.ecs = true
			}
		}
	}
	if system > 0 {
		g.windowsEvent(root, ev, system)
		g.completeNewProcess()
		return
	}
	g.ecs = g.ecs || g.looksElastic()
	g.flatten(root, nil)
	if g.ecs {
		g.completeECS()
	}
	g.completeWindows()
	g.completeNewProcess()
}

// children goes over the indices of the members or elements of node i. Of members
// with one key only the first counts.
func (g *gatherer) children(i int32) func(yield func(int32) bool) {
	return func(yield func(int32) bool) {
		for at := i + 1; at < g.nodes[i].next; at = g.nodes[at].next {
			if !yield(at) {
				return
			}
		}
	}
}

// child returns the index of the member of node i called key; 0 if there is none.
func (g *gatherer) child(i int32, key string) int32 {
	for at := range g.children(i) {
		if string(g.nodes[at].key) == key {
			return at
		}
	}
	return 0
}

// flatten gathers the values in node i. The names of nested ones are their keys
// joined by dots.
func (g *gatherer) flatten(i int32, prefix []byte) {
	for at := range g.children(i) {
		n := &g.nodes[at]
		if i == g.root && g.isLogsource(at) {
			continue
		}
		name := g.join(prefix, n.key)
		if n.kind == kindObject {
			g.flatten(at, name)
			continue
		}
		name = g.rename(name)
		h := g.hash(name)
		if (len(g.nulls) > 0 || g.hasHashed(name, h)) && g.repeated(i, at, name) {
			g.duplicate = true
		} else if n.kind <= kindFalse { // one value
			g.addHashed(name, n.val, h)
		} else {
			g.put(name, at)
		}
	}
}

// repeated reports whether the key of the member at of node i stood before it in that
// object. Its values are called name.
func (g *gatherer) repeated(i, at int32, name []byte) bool {
	key := g.nodes[at].key
	for _, before := range g.nulls { // which left no field
		if before > i && bytes.Equal(g.nodes[before].key, key) && g.isChild(i, before) {
			return true
		}
	}
	if !g.has(name) {
		return false
	}
	for before := range g.children(i) { // as a rule another object had the name
		if before == at {
			return false
		}
		if bytes.Equal(g.nodes[before].key, key) {
			return true
		}
	}
	return false
}

func (g *gatherer) isChild(i, at int32) bool {
	for child := range g.children(i) {
		if child >= at {
			return child == at
		}
	}
	return false
}

// put gathers the values of node i as those of name. The elements of an array are
// several values; what is nested in them is flattened under name.
func (g *gatherer) put(name []byte, i int32) {
	switch n := &g.nodes[i]; n.kind {
	case kindNull:
		if n.key != nil && len(g.nulls) < maxNulls {
			g.nulls = append(g.nulls, i)
			g.addNull(name)
		}
	case kindObject:
		g.flatten(i, name)
	case kindArray:
		some := false
		for at := range g.children(i) {
			g.put(name, at)
			some = true
		}
		if !some && n.key != nil {
			g.addNull(name)
		}
	default:
		g.add(name, n.val)
	}
}

// isLogsource reports whether node i is the logs that the object names, and notes it.
func (g *gatherer) isLogsource(i int32) bool {
	n := &g.nodes[i]
	if string(n.key) != "logsource" || n.kind != kindObject {
		return false
	}
	if g.logsource == 0 {
		g.logsource = int(i)
	} else {
		g.duplicate = true
	}
	return true
}

// completeWindows gives a flat record of the Windows event log the names that Sigma
// has for what other programs call otherwise (NXLog: Hostname, SourceName).
func (g *gatherer) completeWindows() {
	if !g.has([]byte("EventID")) || !g.has([]byte("Channel")) {
		return
	}
	g.windows = true
	g.alias("Computer", "Hostname", "host.name")
	g.alias("Provider_Name", "SourceName", "ProviderName")
	g.alias("Execution_ProcessID", "ExecutionProcessID")
	g.alias("EventRecordID", "RecordNumber", "RecordId")
	if string(g.get("Channel")) == "Windows PowerShell" {
		// Its data have no names: collectors that flatten records keep the text alone.
		g.alias("Data", "Message")
	}
}

// completeNewProcess gives record 4688 of the Security log, the start of a process, the
// names that rules for process_creation are written with, as Sigma's specification maps
// them ("field usage"); without them a rule's filters would not hold on it. ProcessId is
// left alone: there it is the parent's.
func (g *gatherer) completeNewProcess() {
	if string(g.get("EventID")) != "4688" || g.get("NewProcessName") == nil {
		return
	}
	g.alias("Image", "NewProcessName")
	g.alias("ParentImage", "ParentProcessName")
	g.alias("User", "SubjectUserName")
	g.alias("IntegrityLevel", "MandatoryLabel")
}

// alias gives name the first value of the first of others that has one, if it has
// none itself.
func (g *gatherer) alias(name string, others ...string) {
	if g.get(name) != nil {
		return
	}
	if v := g.first(others...); v != nil {
		g.add([]byte(name), v)
	}
}
