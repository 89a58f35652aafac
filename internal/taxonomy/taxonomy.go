// SPDX-License-Identifier: Apache-2.0

// Package taxonomy knows how events of ours are called in Sigma: which logs an event
// of a kind belongs to, and which field of the registry a Sigma name reads on it; and
// the reverse for sources whose records carry Sigma names: which kind of event such a
// record is, and which fields of the registry its values fill. The front end, the
// engine and the sources ask the same tables, and docs/sigma.md is written from them.
//
// Sigma's words are those of its specification (appendix "taxonomy" and the
// descriptions of its logsources); which record of Sysmon and of the Windows event
// log has which number is from Microsoft's documentation of the two.
package taxonomy

import (
	"slices"

	"seismo/internal/event"
)

// The products that events of typed sources are of: names of platforms are the
// products of Sigma.
var products = []string{"linux", "windows", "macos"}

// act is what an event did.
type act struct {
	kind event.Kind
	op   event.Op
}

// categories are the categories of Sigma that an event of a typed source belongs to.
// What is missing has none: Sigma has no word for it (a change of permission, a file
// that is opened for reading, an account that is made).
//
//   - A file that is opened for writing or truncated is a file_event, as one that is
//     created: Sysmon's record 11, on which the rules are written, says both. So is a
//     new name of a file, made by a link.
//   - A late value (update) is none: the rules for process_creation have been asked.
//   - A socket that begins to listen or ends is no network_connection, nor is one that
//     has no address on a network ([OfEvent]).
var categories = map[act]string{
	{event.KindProcess, event.OpCreate}:       "process_creation",
	{event.KindProcess, event.OpEnd}:          "process_termination",
	{event.KindFile, event.OpCreate}:          "file_event",
	{event.KindFile, event.OpWrite}:           "file_event",
	{event.KindFile, event.OpLink}:            "file_event",
	{event.KindFile, event.OpDelete}:          "file_delete",
	{event.KindFile, event.OpRename}:          "file_rename",
	{event.KindFile, event.OpOpen}:            "file_access",
	{event.KindNetwork, event.OpConnect}:      "network_connection",
	{event.KindNetwork, event.OpAccept}:       "network_connection",
	{event.KindRegistry, event.OpCreateKey}:   "registry_add",
	{event.KindRegistry, event.OpDeleteKey}:   "registry_delete",
	{event.KindRegistry, event.OpDeleteValue}: "registry_delete",
	{event.KindRegistry, event.OpSetValue}:    "registry_set",
	{event.KindRegistry, event.OpRename}:      "registry_rename",
	{event.KindImage, event.OpLoad}:           "image_load",
	{event.KindDriver, event.OpLoad}:          "driver_load",
	{event.KindDNS, event.OpQuery}:            "dns_query",
}

// registryEvent is the category that every event of the Windows registry belongs to
// besides its own.
const registryEvent = "registry_event"

// typed has the logs of each act on each product.
var typed = func() map[string]map[act]*event.Logsource {
	all := map[string]map[act]*event.Logsource{}
	for _, product := range products {
		all[product] = map[act]*event.Logsource{}
		for a, category := range categories {
			ls := &event.Logsource{Products: []string{product}, Categories: []string{category}}
			if a.kind == event.KindRegistry {
				ls.Categories = append(ls.Categories, registryEvent)
			}
			all[product][a] = ls
		}
	}
	return all
}()

// Of returns the logs that an event of a typed source belongs to, one whose
// [event.Event.Logsource] is not set; nil if Sigma has no name for it. The result is
// the same pointer each time.
func Of(platform string, kind event.Kind, op event.Op) *event.Logsource {
	return typed[platform][act{kind, op}]
}

// OfEvent is [Of] for the event e. A socket that has no address on a network, one of
// UNIX for instance, makes no network_connection: rules for these take an address that
// is absent for a remote one.
func OfEvent(platform string, e *event.Event) *event.Logsource {
	if Local(e) {
		return nil
	}
	return Of(platform, e.Kind, e.Op)
}

// Local reports whether e is of a socket that has no address on a network.
func Local(e *event.Event) bool {
	return e.Kind == event.KindNetwork && !e.Has(event.NetworkAddress)
}

var auditd = &event.Logsource{Products: []string{"linux"}, Services: []string{"auditd"}}

// Records returns the logs that each record of an event of a typed source belongs to
// by itself; nil if the records of that platform's sources are in no log that Sigma
// has a name for. The result is the same pointer each time.
func Records(platform string) *event.Logsource {
	if platform == "linux" {
		return auditd
	}
	return nil
}

// Kinds returns the kinds of event of typed sources that a rule for the logs given can
// be asked about, and whether it is asked about their records one by one.
func Kinds(product, category, service string) (kinds event.KindSet, records bool) {
	for _, p := range products {
		for a, ls := range typed[p] {
			if ls.Includes(product, category, service) {
				kinds |= event.SetOf(a.kind)
			}
		}
	}
	return kinds, auditd.Includes(product, category, service)
}

// Acts returns the kinds and operations of typed sources that belong to category, in
// the order of their numbers.
func Acts(category string) []string {
	var found []act
	for a, c := range categories {
		if c == category || category == registryEvent && a.kind == event.KindRegistry {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b act) int {
		return (int(a.kind)-int(b.kind))<<8 + int(a.op) - int(b.op)
	})
	words := make([]string, len(found))
	for i, a := range found {
		words[i] = a.kind.String() + " " + a.op.String()
	}
	return words
}
