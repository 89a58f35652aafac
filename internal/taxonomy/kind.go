// SPDX-License-Identifier: Apache-2.0

// This file says what kind of event a record is that carries Sigma names: by its
// categories, and in the Security log of Windows by its number.

package taxonomy

import (
	"slices"

	"seismo/internal/event"
)

// recordKinds are the kinds of the categories that have one.
var recordKinds = map[string]act{
	"process_creation":         {event.KindProcess, event.OpCreate},
	"process_termination":      {event.KindProcess, event.OpEnd},
	"file_event":               {event.KindFile, event.OpCreate},
	"file_executable_detected": {event.KindFile, event.OpCreate},
	"create_stream_hash":       {event.KindFile, event.OpCreate},
	"file_delete":              {event.KindFile, event.OpDelete},
	"file_delete_detected":     {event.KindFile, event.OpDelete},
	"file_rename":              {event.KindFile, event.OpRename},
	"file_change":              {event.KindFile, event.OpPermission}, // another time of creation: what the file says of itself
	"file_access":              {event.KindFile, event.OpOpen},
	"network_connection":       {event.KindNetwork, event.OpConnect},
	"image_load":               {event.KindImage, event.OpLoad},
	"driver_load":              {event.KindDriver, event.OpLoad},
	"dns_query":                {event.KindDNS, event.OpQuery},
	"dns":                      {event.KindDNS, event.OpQuery},
	"registry_add":             {event.KindRegistry, event.OpCreateKey},
	"registry_delete":          {event.KindRegistry, event.OpDeleteKey},
	"registry_set":             {event.KindRegistry, event.OpSetValue},
	"registry_rename":          {event.KindRegistry, event.OpRename},
}

// registryOps are the operations of Sysmon's EventType.
var registryOps = map[string]event.Op{
	"CreateKey":   event.OpCreateKey,
	"DeleteKey":   event.OpDeleteKey,
	"SetValue":    event.OpSetValue,
	"DeleteValue": event.OpDeleteValue,
	"RenameKey":   event.OpRename,
	"RenameValue": event.OpRename,
}

// securityRecords are records of the Security log by number, as Microsoft's "Advanced
// security audit policy settings" describes them.
var securityRecords = []struct {
	act act
	ids []int
}{
	{act{event.KindProcess, event.OpEnd}, []int{4689}},
	{act{event.KindSecurity, event.OpLogon}, []int{4624, 4625, 4648, 4778}},
	{act{event.KindSecurity, event.OpLogoff}, []int{4634, 4647, 4779}},
	{act{event.KindSecurity, event.OpAuthenticate}, []int{4768, 4769, 4770, 4771, 4772, 4773, 4774, 4775, 4776, 4777}},
	{act{event.KindSecurity, event.OpPrivilege}, []int{4672, 4673, 4674, 4703}},
	{act{event.KindSecurity, event.OpAccount}, []int{4720, 4722, 4723, 4724, 4725, 4726, 4727, 4728, 4729, 4730, 4731,
		4732, 4733, 4734, 4735, 4737, 4738, 4740, 4741, 4742, 4743, 4744, 4745, 4746, 4747, 4748, 4749, 4750, 4751,
		4752, 4753, 4754, 4755, 4756, 4757, 4758, 4759, 4760, 4761, 4762, 4763, 4764, 4765, 4766, 4767, 4780, 4781, 4794}},
	{act{event.KindSecurity, event.OpPolicy}, []int{4704, 4705, 4706, 4707, 4713, 4714, 4715, 4716, 4717, 4718, 4719, 4739,
		4864, 4902, 4904, 4905, 4906, 4907, 4908, 4911, 4912, 4913, 4944, 4945, 4946, 4947, 4948, 4949, 4950, 4954, 4956}},
}

var securityActs = func() map[int]act {
	all := map[int]act{}
	for _, r := range securityRecords {
		for _, id := range r.ids {
			all[id] = r.act
		}
	}
	return all
}()

// Kind returns the kind and the operation of a record that carries Sigma names, by the
// logs that it belongs to, the number of the record (0 if it has none) and its value
// of EventType (empty if it has none). What has no kind of its own is a record.
//
// A connection that was taken, not begun (Initiated: false), is [event.OpAccept]:
// that is for the caller, who knows the values.
func Kind(ls *event.Logsource, eventID int, eventType string) (event.Kind, event.Op) {
	if ls != nil {
		if slices.Contains(ls.Categories, registryEvent) || slices.Contains(ls.Categories, "registry_delete") {
			if op, ok := registryOps[eventType]; ok {
				return event.KindRegistry, op
			}
		}
		for _, category := range ls.Categories {
			if a, ok := recordKinds[category]; ok {
				return a.kind, a.op
			}
		}
		if slices.Contains(ls.Services, security) {
			if a, ok := securityActs[eventID]; ok {
				return a.kind, a.op
			}
		}
	}
	return event.KindRecord, event.OpRecord
}
