// SPDX-License-Identifier: Apache-2.0

// This file answers questions about the registry: what a field is called, what
// it holds, and which kinds carry it. The list itself is in registry.go.

package event

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// Field is the number of a field in the registry.
type Field uint16

// Type is what a field holds.
type Type uint8

// The types of field.
const (
	String     Type = iota // bytes; usually, not always, UTF-8
	Integer                // signed, 64 bits
	Identifier             // unsigned, 64 bits; JSON writes it as a string
	Address                // an IPv4 or IPv6 address
	Time                   // Unix time in nanoseconds
	Hash                   // a list of NAME=hex
	List                   // a list of strings
)

var typeNames = [...]string{"string", "integer", "identifier", "address", "time", "hash", "list"}

// String returns the name of t as documentation spells it.
func (t Type) String() string { return typeNames[t] }

// Scope is whose value a field holds.
type Scope uint8

// The scopes. An event-scope value belongs to one event; the others belong to
// the event's process, are the same for all its events, and never change once
// the process is published.
const (
	ScopeEvent Scope = iota
	ScopeProcess
	ScopeParent
	ScopeAncestor
)

var scopeNames = [...]string{"event", "process", "parent", "ancestor"}

// String returns the name of s as documentation spells it.
func (s Scope) String() string { return scopeNames[s] }

// Info says what a field is.
type Info struct {
	Field   Field
	Name    string   // object.property, lower case
	Type    Type     //
	Scope   Scope    //
	Kinds   KindSet  // the kinds of event that carry it
	Aliases []string // other names that signals may use
	Doc     string   // one or more sentences
}

// Object returns the part of the name before the dot.
func (i Info) Object() string { return i.Name[:strings.IndexByte(i.Name, '.')] }

// Column returns the part of the name after the dot.
func (i Info) Column() string { return i.Name[strings.IndexByte(i.Name, '.')+1:] }

// The slots of an event. Those that every kind uses come first: the event-scope
// fields of every kind, and the process-scope fields, which hold what the record
// itself says of its process until the process is known.
const (
	commonSlots = 34
	numSlots    = 48
	noSlot      = 0xff
)

// registry is rows in the forms that look-ups need; built once, never changed.
type registry struct {
	infos       []Info // by Field
	byName      map[string]Field
	slots       [numFields]uint8
	fieldAt     [numKinds][numSlots]Field
	opField     [numFields]bool
	fingerprint uint64
}

var theRegistry = newRegistry()

func newRegistry() *registry {
	r := &registry{infos: make([]Info, numFields), byName: map[string]Field{}}
	var used [numKinds]uint8
	common := uint8(0)
	h := fnv.New64a()
	for _, row := range rows {
		in := Info{Field: row.field, Name: row.name, Type: row.typ, Scope: row.scope, Kinds: AllKinds, Aliases: row.aliases, Doc: row.doc}
		if row.kind != KindNone {
			in.Kinds = SetOf(row.kind)
		}
		if r.infos[row.field].Name != "" {
			panic("event: field " + row.name + " stands twice in the registry")
		}
		r.infos[row.field] = in
		for _, name := range append([]string{row.name}, row.aliases...) {
			r.byName[name] = row.field
		}
		fmt.Fprintf(h, "%d %s %d %d %d\n", in.Field, in.Name, in.Type, in.Scope, in.Kinds)
		r.slots[row.field] = noSlot
		switch {
		case strings.HasSuffix(row.name, ".operation"):
			r.opField[row.field] = true
		case row.field == FileResultPath: // always that of another
		case row.scope == ScopeEvent && row.kind == KindNone, row.scope == ScopeProcess:
			r.slots[row.field] = common
			for k := range r.fieldAt {
				r.fieldAt[k][common] = row.field
			}
			common++
		case row.scope == ScopeEvent:
			s := commonSlots + used[row.kind]
			used[row.kind]++
			r.slots[row.field] = s
			r.fieldAt[row.kind][s] = row.field
		}
	}
	if common > commonSlots {
		panic("event: commonSlots is too small for the registry")
	}
	r.slots[NoField] = noSlot
	r.fingerprint = h.Sum64()
	return r
}

// MayBeLate reports whether f is a field of the process, its parent or its
// ancestors whose value is often learned only after the process began, so that a
// signal has to wait for it. An update may bring values of other fields of process
// scope too; nothing waits for those.
func MayBeLate(f Field) bool {
	switch f {
	case ProcessHash, ParentHash, AncestryHash, ProcessContainerID:
		return true
	}
	return false
}

// Fields returns every field in the order of the registry.
func Fields() []Info {
	r := theRegistry
	all := make([]Info, 0, len(rows))
	for _, row := range rows {
		all = append(all, r.infos[row.field])
	}
	return all
}

// Describe returns what f is. A number that is no field gives the zero Info.
func Describe(f Field) Info {
	if f >= numFields {
		return Info{}
	}
	return theRegistry.infos[f]
}

// Lookup returns the field called name, or one of whose aliases is name. ASCII
// letters of either case are the same.
func Lookup(name string) (Info, bool) {
	r := theRegistry
	f, ok := r.byName[strings.ToLower(name)]
	return r.infos[f], ok
}

// Objects returns the first parts of the field names, each once, in the order
// of the registry.
func Objects() []string {
	var out []string
	for _, row := range rows {
		if o := row.name[:strings.IndexByte(row.name, '.')]; !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}

// Fingerprint identifies the registry: numbers, names, types, scopes and kinds
// of all fields. A signals.bin made for another registry is refused by it.
func Fingerprint() uint64 { return theRegistry.fingerprint }
