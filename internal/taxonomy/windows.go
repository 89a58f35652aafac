// SPDX-License-Identifier: Apache-2.0

// This file says which logs a record of the Windows event log belongs to, by its
// channel, its provider and its number: the table of services of Sigma's
// specification, with the channels that later versions of Windows write beside them.

package taxonomy

import (
	"slices"
	"strings"

	"seismo/internal/event"
)

// channel is a channel of the event log and the service that it is in Sigma.
type channel struct {
	name     string
	services []string
}

// channels are in the order of the services. Names of channels are compared without
// regard to the case of ASCII letters.
var channels = []channel{
	{"Application", []string{"application"}},
	{"Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant", []string{"application-experience"}},
	{"Microsoft-Windows-Application-Experience/Program-Telemetry", []string{"application-experience"}},
	{"Microsoft-Windows-AppLocker/EXE and DLL", []string{"applocker"}},
	{"Microsoft-Windows-AppLocker/MSI and Script", []string{"applocker"}},
	{"Microsoft-Windows-AppLocker/Packaged app-Deployment", []string{"applocker"}},
	{"Microsoft-Windows-AppLocker/Packaged app-Execution", []string{"applocker"}},
	{"Microsoft-Windows-AppModel-Runtime/Admin", []string{"appmodel-runtime"}},
	{"Microsoft-Windows-AppXDeploymentServer/Operational", []string{"appxdeployment-server"}},
	{"Microsoft-Windows-AppxPackaging/Operational", []string{"appxpackaging-om"}},
	{"Microsoft-Windows-BitLocker/BitLocker Management", []string{"bitlocker"}},
	{"Microsoft-Windows-Bits-Client/Operational", []string{"bits-client"}},
	{"Microsoft-Windows-CAPI2/Operational", []string{"capi2"}},
	{"Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational", []string{"certificateservicesclient-lifecycle-system"}},
	{"Microsoft-Windows-CodeIntegrity/Operational", []string{"codeintegrity-operational"}},
	{"Microsoft-Windows-DHCP-Server/Operational", []string{"dhcp"}},
	{"Microsoft-Windows-Diagnosis-Scripted/Operational", []string{"diagnosis-scripted"}},
	{"Microsoft-Windows-DNS Client Events/Operational", []string{"dns-client"}},
	{"Microsoft-Windows-DNS-Client/Operational", []string{"dns-client"}},
	{"DNS Server", []string{"dns-server"}},
	{"Microsoft-Windows-DNS-Server/Analytical", []string{"dns-server-analytic"}},
	{"Microsoft-Windows-DNS-Server/Audit", []string{"dns-server-audit"}},
	{"Microsoft-Windows-DNSServer/Analytical", []string{"dns-server-analytic"}},
	{"Microsoft-Windows-DNSServer/Audit", []string{"dns-server-audit"}},
	{"Microsoft-Windows-DriverFrameworks-UserMode/Operational", []string{"driver-framework"}},
	{"Microsoft-Windows-Windows Firewall With Advanced Security/Firewall", []string{"firewall-as"}},
	{"Microsoft-Windows-Hyper-V-Worker", []string{"hyper-v-worker"}},
	{"Microsoft-Windows-Hyper-V-Worker-Admin", []string{"hyper-v-worker"}},
	{"Microsoft-Windows-Hyper-V-Worker-Operational", []string{"hyper-v-worker"}},
	{"Microsoft-IIS-Configuration/Administrative", []string{"iis-configuration"}},
	{"Microsoft-IIS-Configuration/Operational", []string{"iis-configuration"}},
	{"Microsoft-Windows-Kernel-EventTracing", []string{"kernel-event-tracing"}},
	{"Microsoft-Windows-Kernel-EventTracing/Admin", []string{"kernel-event-tracing"}},
	{"Microsoft-Windows-Kernel-ShimEngine/Diagnostic", []string{"kernel-shimengine"}},
	{"Microsoft-Windows-Kernel-ShimEngine/Operational", []string{"kernel-shimengine"}},
	{"Microsoft-Windows-LDAP-Client/Debug", []string{"ldap", "ldap_debug"}},
	{"Microsoft-Windows-LSA/Operational", []string{"lsa-server"}},
	{"MSExchange Management", []string{"msexchange-management"}},
	{"Microsoft-Windows-Ntfs/Operational", []string{"ntfs"}},
	{"Microsoft-Windows-NTLM/Operational", []string{"ntlm"}},
	{"OpenSSH/Operational", []string{"openssh"}},
	{"Microsoft-Windows-PowerShell/Operational", []string{"powershell"}},
	{"PowerShellCore/Operational", []string{"powershell"}},
	{"Windows PowerShell", []string{"powershell-classic"}},
	{"Microsoft-Windows-PrintService/Admin", []string{"printservice-admin"}},
	{"Microsoft-Windows-PrintService/Operational", []string{"printservice-operational"}},
	{"RPCFW", []string{"rpc-firewall"}},
	{"Security", []string{"security"}},
	{"Microsoft-Windows-Security-Mitigations/Kernel Mode", []string{"security-mitigations"}},
	{"Microsoft-Windows-Security-Mitigations/KernelMode", []string{"security-mitigations"}},
	{"Microsoft-Windows-Security-Mitigations/User Mode", []string{"security-mitigations"}},
	{"Microsoft-Windows-Security-Mitigations/UserMode", []string{"security-mitigations"}},
	{"Microsoft-Windows-SENSE/Operational", []string{"sense"}},
	{"Microsoft-ServiceBus-Client/Admin", []string{"servicebus-client", "microsoft-servicebus-client"}},
	{"Microsoft-ServiceBus-Client/Operational", []string{"servicebus-client", "microsoft-servicebus-client"}},
	{"Microsoft-Windows-Shell-Core/Operational", []string{"shell-core"}},
	{"Microsoft-Windows-SmbClient/Connectivity", []string{"smbclient-connectivity"}},
	{"Microsoft-Windows-SmbClient/Security", []string{"smbclient-security"}},
	{"Microsoft-Windows-SMBServer/Connectivity", []string{"smbserver-connectivity"}},
	{"Microsoft-Windows-Sysmon/Operational", []string{"sysmon"}},
	{"System", []string{"system"}},
	{"Microsoft-Windows-TaskScheduler/Operational", []string{"taskscheduler"}},
	{"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational", []string{"terminalservices-localsessionmanager"}},
	{"Microsoft-Windows-VHDMP/Operational", []string{"vhdmp"}},
	{"Microsoft-Windows-VHDMP-Operational", []string{"vhdmp"}},
	{"Microsoft-Windows-Windows Defender/Operational", []string{"windefend"}},
	{"Microsoft-Windows-WMI-Activity/Operational", []string{"wmi"}},
}

// Services that have categories by the numbers of their records.
const (
	sysmon            = "sysmon"
	security          = "security"
	powershell        = "powershell"
	powershellClassic = "powershell-classic"
)

// providers stand for a channel in records that do not name theirs.
var providers = map[string]string{
	"microsoft-windows-sysmon":            sysmon,
	"linux-sysmon":                        sysmon,
	"microsoft-windows-security-auditing": security,
	"microsoft-windows-powershell":        powershell,
}

// recordCategories are the categories of a record by service and number. Where Sigma
// has had two names for one, the record belongs to both. The categories of Sysmon's
// 12 depend on its EventType too.
var recordCategories = map[string]map[int][]string{
	sysmon: {
		1: {"process_creation"}, 2: {"file_change"}, 3: {"network_connection"}, 4: {"sysmon_status"},
		5: {"process_termination"}, 6: {"driver_load"}, 7: {"image_load"}, 8: {"create_remote_thread"},
		9: {"raw_access_thread"}, 10: {"process_access"}, 11: {"file_event"}, 12: {registryEvent},
		13: {registryEvent, "registry_set"}, 14: {registryEvent, "registry_rename"}, 15: {"create_stream_hash"},
		16: {"sysmon_status"}, 17: {"pipe_created"}, 18: {"pipe_created"}, 19: {"wmi_event"}, 20: {"wmi_event"},
		21: {"wmi_event"}, 22: {"dns_query"}, 23: {"file_delete"}, 24: {"clipboard_change", "clipboard_capture"},
		25: {"process_tampering"}, 26: {"file_delete", "file_delete_detected"}, 27: {"file_block_executable"},
		28: {"file_block_shredding"}, 29: {"file_executable_detected"}, 255: {"sysmon_error"},
	},
	// The values of 4657 (registry) and 5156 (network) have other names than those that
	// rules for the categories read: these are in the service alone.
	security:          {4688: {"process_creation"}},
	powershell:        {4103: {"ps_module"}, 4104: {"ps_script"}},
	powershellClassic: {400: {"ps_classic_start"}, 600: {"ps_classic_provider_start"}, 800: {"ps_classic_script"}},
}

// registryActs are the categories of Sysmon's record 12 by its EventType.
var registryActs = map[string]string{
	"CreateKey":   "registry_add",
	"DeleteKey":   "registry_delete",
	"DeleteValue": "registry_delete",
}

// logKey is what the logs of a record depend on.
type logKey struct {
	linux    bool
	service  string // the first of its services
	id       int
	registry string // category by EventType
}

// windowsLogs has the logs of every record that has categories; with id 0 those of the
// other records of a service.
var windowsLogs = func() map[logKey]*event.Logsource {
	all := map[logKey]*event.Logsource{{}: {Products: []string{"windows"}}}
	for _, c := range channels {
		all[logKey{service: c.services[0]}] = &event.Logsource{Products: []string{"windows"}, Services: c.services}
	}
	all[logKey{linux: true, service: sysmon}] = &event.Logsource{Products: []string{"linux"}, Services: []string{sysmon}}
	for service, records := range recordCategories {
		for id, categories := range records {
			all[logKey{service: service, id: id}] = &event.Logsource{Products: []string{"windows"}, Categories: categories, Services: []string{service}}
		}
	}
	for id, categories := range recordCategories[sysmon] {
		all[logKey{linux: true, service: sysmon, id: id}] = &event.Logsource{Products: []string{"linux"}, Categories: categories, Services: []string{sysmon}}
	}
	for _, category := range registryActs {
		all[logKey{service: sysmon, id: 12, registry: category}] = &event.Logsource{Products: []string{"windows"},
			Categories: []string{registryEvent, category}, Services: []string{sysmon}}
	}
	return all
}()

// serviceOf has the first service of a channel by its name in lower case.
var serviceOf = func() map[string]string {
	all := map[string]string{"linux-sysmon/operational": sysmon}
	for _, c := range channels {
		all[strings.ToLower(c.name)] = c.services[0]
	}
	return all
}()

// Channel returns the logs that a record of the Windows event log, or of Sysmon on
// Linux, belongs to. provider counts where channel is empty. eventType is the value of
// EventType, which says what Sysmon's record 12 is about; it is empty if there is
// none. A record of a channel that has no name in Sigma belongs to product windows.
// The result is the same pointer each time, never nil.
func Channel(channel, provider string, eventID int, eventType string) *event.Logsource {
	key := logKey{id: eventID}
	if channel != "" {
		key.service = serviceOf[strings.ToLower(channel)]
		key.linux = strings.EqualFold(channel, "Linux-Sysmon/Operational")
	} else {
		key.service = providers[strings.ToLower(provider)]
		key.linux = strings.EqualFold(provider, "Linux-Sysmon")
	}
	if key.service == sysmon && eventID == 12 && !key.linux {
		key.registry = registryActs[eventType]
	}
	if ls := windowsLogs[key]; ls != nil {
		return ls
	}
	key.id, key.registry = 0, ""
	return windowsLogs[key]
}

// Services returns the services of Windows that [Channel] knows, each with its
// channels, in the order of the names.
func Services() (names []string, of map[string][]string) {
	of = map[string][]string{}
	for _, c := range channels {
		for _, s := range c.services {
			of[s] = append(of[s], c.name)
		}
	}
	for s := range of {
		names = append(names, s)
	}
	slices.Sort(names)
	return names, of
}
