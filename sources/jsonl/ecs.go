// SPDX-License-Identifier: Apache-2.0

// This file knows how Elastic names fields: the Elastic Common Schema (ECS 8), and
// what Winlogbeat adds to it. A name that Sigma has another word for gets that word,
// whether its keys are nested or joined by dots; others stay as they are.

package jsonl

import "bytes"

const (
	eventDataPrefix = "winlog.event_data."
	userDataPrefix  = "winlog.user_data."
)

// rename returns the name that Sigma has for name, or name.
func (g *gatherer) rename(name []byte) []byte {
	if bytes.IndexByte(name, '.') < 0 {
		if g.ecs && string(name) == "message" {
			return []byte("Message")
		}
		return name
	}
	if !g.ecs {
		return name
	}
	if bytes.HasPrefix(name, []byte(eventDataPrefix)) {
		return name[len(eventDataPrefix):]
	}
	if bytes.HasPrefix(name, []byte(userDataPrefix)) {
		return name[len(userDataPrefix):]
	}
	if to, ok := elastic[string(name)]; ok {
		return to
	}
	return name
}

// elastic maps names of ECS and Winlogbeat to those of Sigma. Where an event of
// Winlogbeat has both the fields of the event and those of ECS, the former are kept:
// completeECS fills in only what is missing.
var elastic = byName(map[string]string{
	"winlog.channel":           "Channel",
	"winlog.event_id":          "EventID",
	"winlog.provider_name":     "Provider_Name",
	"winlog.provider_guid":     "Provider_Guid",
	"winlog.computer_name":     "Computer",
	"winlog.record_id":         "EventRecordID",
	"winlog.task":              "Task",
	"winlog.opcode":            "Opcode",
	"winlog.keywords":          "Keywords",
	"winlog.version":           "Version",
	"winlog.level":             "Level",
	"winlog.activity_id":       "Correlation_ActivityID",
	"winlog.process.pid":       "Execution_ProcessID",
	"winlog.process.thread.id": "Execution_ThreadID",
	"winlog.user.identifier":   "Security_UserID",
	"winlog.time_created":      "TimeCreated_SystemTime",
})

// fallbacks are the names of Sigma that are filled from the first of the names of ECS
// that the object has, where it does not have them otherwise.
var fallbacks = []struct {
	sigma string
	ecs   []string
}{
	{"Provider_Name", []string{"event.provider"}},
	{"EventID", []string{"event.code"}},
	{"Computer", []string{"host.name", "host.hostname"}},
	{"Image", []string{"process.executable"}},
	{"CommandLine", []string{"process.command_line"}},
	{"CurrentDirectory", []string{"process.working_directory"}},
	{"ProcessId", []string{"process.pid"}},
	{"ProcessGuid", []string{"process.entity_id"}},
	{"OriginalFileName", []string{"process.pe.original_file_name"}},
	{"Company", []string{"process.pe.company"}},
	{"Product", []string{"process.pe.product"}},
	{"Description", []string{"process.pe.description"}},
	{"FileVersion", []string{"process.pe.file_version"}},
	{"ParentImage", []string{"process.parent.executable"}},
	{"ParentCommandLine", []string{"process.parent.command_line"}},
	{"ParentProcessId", []string{"process.parent.pid"}},
	{"ParentProcessGuid", []string{"process.parent.entity_id"}},
	{"ImageLoaded", []string{"dll.path"}},
	{"TargetFilename", []string{"file.path"}},
	{"SourceFilename", []string{"file.Ext.original.path"}},
	{"DestinationIp", []string{"destination.ip"}},
	{"DestinationPort", []string{"destination.port"}},
	{"DestinationHostname", []string{"destination.domain"}},
	{"SourceIp", []string{"source.ip"}},
	{"SourcePort", []string{"source.port"}},
	{"SourceHostname", []string{"source.domain"}},
	{"Protocol", []string{"network.transport"}},
	{"QueryName", []string{"dns.question.name"}},
	{"QueryResults", []string{"dns.resolved_ip"}},
	{"TargetObject", []string{"registry.path"}},
	{"Details", []string{"registry.data.strings"}},
}

func byName(m map[string]string) map[string][]byte {
	out := make(map[string][]byte, len(m))
	for from, to := range m {
		out[from] = []byte(to)
	}
	return out
}

// looksElastic reports whether the object has the names of ECS: nested objects, or
// keys joined by dots, that only ECS has.
func (g *gatherer) looksElastic() bool {
	sets := 0
	for at := range g.children(g.root) {
		n := &g.nodes[at]
		key, _, dotted := bytes.Cut(n.key, []byte("."))
		if !dotted && n.kind != kindObject {
			continue
		}
		switch string(key) {
		case "event", "process", "host", "agent", "file", "dns", "registry", "destination", "source", "network", "user", "dll":
			sets++
			if dotted || g.child(at, "executable") > 0 || g.child(at, "category") > 0 || g.child(at, "command_line") > 0 {
				return true
			}
		}
	}
	return sets >= 2
}

// completeECS fills in what Sigma has names for and the object has only in those of
// ECS. The values of ECS stay under their own names as well.
func (g *gatherer) completeECS() {
	library := g.holds("event.category", "library") || g.holds("event.category", "driver")
	for _, f := range fallbacks {
		if f.sigma == "TargetFilename" && library {
			f.sigma = "ImageLoaded"
		}
		if g.has([]byte(f.sigma)) {
			continue
		}
		for _, name := range f.ecs {
			if g.copyAll(f.sigma, name) {
				break
			}
		}
	}
	g.completeUser()
	g.completeHashes()
	if d := g.get("network.direction"); d != nil && g.get("Initiated") == nil {
		switch string(d) {
		case "egress", "outbound":
			g.add([]byte("Initiated"), []byte("true"))
		case "ingress", "inbound":
			g.add([]byte("Initiated"), []byte("false"))
		}
	}
}

// copyAll gives name every value of from, and reports whether there was one.
func (g *gatherer) copyAll(name, from string) bool {
	found := false
	if g.get(from) == nil {
		return false
	}
	for i, n := 0, len(g.list); i < n; i++ {
		if string(g.list[i].name) == from {
			g.add([]byte(name), g.list[i].value)
			found = true
		}
	}
	return found
}

// holds reports whether value is one of the values of name.
func (g *gatherer) holds(name, value string) bool {
	for i := range g.list {
		if string(g.list[i].name) == name && string(g.list[i].value) == value {
			return true
		}
	}
	return false
}

// completeUser makes the User of Sysmon, DOMAIN\name, of user.domain and user.name.
func (g *gatherer) completeUser() {
	name, domain := g.get("user.name"), g.get("user.domain")
	if name == nil || g.get("User") != nil {
		return
	}
	if len(domain) > 0 {
		from := len(g.names)
		g.names = append(append(append(g.names, domain...), '\\'), name...)
		name = g.names[from:len(g.names):len(g.names)]
	}
	g.add([]byte("User"), name)
}

// completeHashes makes the Hashes of Sysmon, a list of NAME=hex joined by commas.
func (g *gatherer) completeHashes() {
	if g.get("Hashes") != nil {
		return
	}
	for _, set := range [...]string{"process", "dll", "file"} {
		from := len(g.names)
		for _, h := range [...]struct{ label, name string }{{"SHA1=", ".hash.sha1"}, {"MD5=", ".hash.md5"},
			{"SHA256=", ".hash.sha256"}, {"IMPHASH=", ".pe.imphash"}} {
			if v := g.get(set + h.name); v != nil {
				if len(g.names) > from {
					g.names = append(g.names, ',')
				}
				g.names = append(append(g.names, h.label...), v...)
			}
		}
		if len(g.names) > from {
			g.add([]byte("Hashes"), g.names[from:len(g.names):len(g.names)])
			return
		}
	}
}
