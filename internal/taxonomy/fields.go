// SPDX-License-Identifier: Apache-2.0

// This file is the list of Sigma's field names that have a field in the registry: what
// a name reads on an event of a typed source, and what it fills on an event whose
// record carries such names.

package taxonomy

import "seismo/internal/event"

// use says where a row of the list counts.
type use uint8

const (
	reads use = 1 << iota // on events of typed sources
	fills                 // on events whose records carry the name
	both  = reads | fills
)

// row is a name on events of one kind, or of every kind that has no row of its own for
// the name (KindNone).
type row struct {
	kind  event.Kind
	name  string
	field event.Field
	use   use
}

const anyKind = event.KindNone

// rows are in the order of docs/sigma.md.
//
// A process is named the same way on every kind: it is the one that acted. Its user is
// that of its start on process events, and the one of the moment on others. The number
// of its logon session on Linux is that of its user, as Sysmon for Linux has it: a
// service that nobody logged in for has one.
// What identifies a process for ever is our own id where the source has no GUID.
var rows = []row{
	{anyKind, "Image", event.ProcessPath, both},
	{anyKind, "CommandLine", event.ProcessCommandLine, both},
	{anyKind, "CurrentDirectory", event.ProcessCwd, both},
	{anyKind, "ProcessId", event.ProcessPID, both},
	{anyKind, "ProcessGuid", event.ProcessID, reads},
	{anyKind, "ProcessGuid", event.ProcessGUID, fills},
	{anyKind, "User", event.UserName, reads},
	{anyKind, "User", event.ProcessUserName, fills},
	{anyKind, "LogonId", event.ProcessUserID, reads},
	{anyKind, "LogonId", event.ProcessLogonID, fills},
	{anyKind, "LogonGuid", event.ProcessLogonGUID, both},
	{anyKind, "TerminalSessionId", event.ProcessSession, both},
	{anyKind, "IntegrityLevel", event.ProcessIntegrityLevel, both},
	{anyKind, "ParentImage", event.ParentPath, both},
	{anyKind, "ParentCommandLine", event.ParentCommandLine, both},
	{anyKind, "ParentProcessId", event.ParentPID, both},
	{anyKind, "ParentProcessGuid", event.ParentID, reads},
	{anyKind, "ParentUser", event.ParentUserName, both},
	{anyKind, "SourceImage", event.ProcessPath, fills},
	{anyKind, "SourceCommandLine", event.ProcessCommandLine, fills},
	{anyKind, "SourceProcessId", event.ProcessPID, fills},
	{anyKind, "SourceProcessGuid", event.ProcessGUID, fills},
	{anyKind, "SourceProcessGUID", event.ProcessGUID, fills},
	{anyKind, "SourceUser", event.ProcessUserName, fills},
	{anyKind, "SubjectLogonId", event.ProcessLogonID, fills},

	{event.KindProcess, "User", event.ProcessUserName, both},
	{event.KindProcess, "Hashes", event.ProcessHash, both},
	{event.KindProcess, "md5", event.ProcessHash, fills},
	{event.KindProcess, "sha1", event.ProcessHash, fills},
	{event.KindProcess, "sha256", event.ProcessHash, fills},
	{event.KindProcess, "Imphash", event.ProcessHash, fills},
	{event.KindProcess, "OriginalFileName", event.ProcessOriginalFileName, both},
	{event.KindProcess, "Company", event.ProcessCompany, both},
	{event.KindProcess, "Product", event.ProcessProduct, both},
	{event.KindProcess, "Description", event.ProcessDescription, both},
	{event.KindProcess, "FileVersion", event.ProcessFileVersion, both},
	{event.KindProcess, "NewProcessName", event.ProcessPath, fills},
	{event.KindProcess, "NewProcessId", event.ProcessPID, fills},
	{event.KindProcess, "ParentProcessName", event.ParentPath, fills},
	{event.KindProcess, "MandatoryLabel", event.ProcessIntegrityLevel, fills},
	{event.KindProcess, "SubjectUserName", event.ProcessUserName, fills},
	{event.KindProcess, "ProcessName", event.ProcessPath, fills},
	{event.KindProcess, "Status", event.ProcessExitCode, fills},

	{event.KindFile, "TargetFilename", event.FileResultPath, reads},
	{event.KindFile, "TargetFilename", event.FilePath, fills},
	{event.KindFile, "SourceFilename", event.FilePath, both},
	{event.KindFile, "FileName", event.FilePath, both},
	{event.KindFile, "Hashes", event.FileHash, both},
	{event.KindFile, "Hash", event.FileHash, both},
	{event.KindFile, "CreationUtcTime", event.FileCreationTime, both},
	{event.KindFile, "PreviousCreationUtcTime", event.FilePreviousCreationTime, both},

	{event.KindNetwork, "Protocol", event.NetworkProtocol, both},
	{event.KindNetwork, "Initiated", event.NetworkInitiated, both},
	{event.KindNetwork, "SourceIp", event.NetworkSourceAddress, both},
	{event.KindNetwork, "SourcePort", event.NetworkSourcePort, both},
	{event.KindNetwork, "SourceHostname", event.NetworkSourceHost, both},
	{event.KindNetwork, "DestinationIp", event.NetworkDestinationAddress, both},
	{event.KindNetwork, "DestinationPort", event.NetworkDestinationPort, both},
	{event.KindNetwork, "DestinationHostname", event.NetworkDestinationHost, both},

	{event.KindRegistry, "TargetObject", event.RegistryKeyPath, both},
	{event.KindRegistry, "Details", event.RegistryValueData, both},
	{event.KindRegistry, "NewName", event.RegistryNewName, both},

	{event.KindImage, "ImageLoaded", event.ImagePath, both},
	{event.KindImage, "Hashes", event.ImageHash, both},
	{event.KindImage, "Signed", event.ImageSigned, both},
	{event.KindImage, "Signature", event.ImageSignatureSubject, both},
	{event.KindImage, "SignatureStatus", event.ImageSignatureStatus, both},
	{event.KindImage, "OriginalFileName", event.ImageOriginalFileName, both},
	{event.KindImage, "Company", event.ImageCompany, both},
	{event.KindImage, "Product", event.ImageProduct, both},
	{event.KindImage, "Description", event.ImageDescription, both},
	{event.KindImage, "FileVersion", event.ImageFileVersion, both},

	{event.KindDriver, "ImageLoaded", event.DriverPath, both},
	{event.KindDriver, "Hashes", event.DriverHash, both},
	{event.KindDriver, "Signed", event.DriverSigned, both},
	{event.KindDriver, "Signature", event.DriverSignatureSubject, both},
	{event.KindDriver, "SignatureStatus", event.DriverSignatureStatus, both},

	{event.KindDNS, "QueryName", event.DNSQuery, both},
	{event.KindDNS, "QueryResults", event.DNSResponse, both},
	{event.KindDNS, "QueryStatus", event.DNSStatus, both},
	{event.KindDNS, "QueryType", event.DNSType, both},
	{event.KindDNS, "query", event.DNSQuery, both},
	{event.KindDNS, "answer", event.DNSResponse, both},
	{event.KindDNS, "record_type", event.DNSType, both},

	{event.KindSecurity, "EventID", event.SecurityEventID, fills},
	{event.KindSecurity, "TargetUserName", event.SecurityTargetUser, fills},
	{event.KindSecurity, "TargetDomainName", event.SecurityTargetDomain, fills},
	{event.KindSecurity, "TargetLogonId", event.SecurityLogonID, fills},
	{event.KindSecurity, "SubjectUserName", event.SecuritySubjectUser, fills},
	{event.KindSecurity, "SubjectDomainName", event.SecuritySubjectDomain, fills},
	{event.KindSecurity, "LogonType", event.SecurityLogonType, fills},
	{event.KindSecurity, "IpAddress", event.SecuritySourceAddress, fills},
	{event.KindSecurity, "WorkstationName", event.SecurityWorkstation, fills},
	{event.KindSecurity, "Workstation", event.SecurityWorkstation, fills},
	{event.KindSecurity, "ProcessName", event.SecurityProcessPath, fills},
	{event.KindSecurity, "Status", event.SecurityStatus, fills},
	{event.KindSecurity, "AuthenticationPackageName", event.SecurityAuthenticationPackage, fills},
	{event.KindSecurity, "PackageName", event.SecurityAuthenticationPackage, fills},
	{event.KindSecurity, "PrivilegeList", event.SecurityDetails, fills},
	{event.KindSecurity, "AuditPolicyChanges", event.SecurityDetails, fills},

	{event.KindRecord, "EventID", event.RecordType, fills},
	{event.KindRecord, "type", event.RecordType, fills},
	{event.KindRecord, "Message", event.RecordText, fills},
	{event.KindRecord, "TargetImage", event.RecordTargetProcessPath, fills},
	{event.KindRecord, "TargetProcessId", event.RecordTargetProcessPID, fills},
	{event.KindRecord, "GrantedAccess", event.RecordGrantedAccess, fills},
	{event.KindRecord, "AccessMask", event.RecordGrantedAccess, fills},
	{event.KindRecord, "CallTrace", event.RecordCallTrace, fills},
	{event.KindRecord, "StartModule", event.RecordStartModule, fills},
	{event.KindRecord, "PipeName", event.RecordPipeName, fills},
	{event.KindRecord, "ScriptBlockText", event.RecordScript, fills},
	{event.KindRecord, "ObjectName", event.RecordObjectName, fills},
	{event.KindRecord, "ObjectType", event.RecordObjectType, fills},
	{event.KindRecord, "ShareName", event.RecordShareName, fills},
	{event.KindRecord, "ServiceName", event.RecordServiceName, fills},
	{event.KindRecord, "ServiceFileName", event.RecordServicePath, fills},
	{event.KindRecord, "ImagePath", event.RecordServicePath, fills},
	{event.KindRecord, "ProcessName", event.ProcessPath, fills},
}

// nameOn is a name on events of a kind.
type nameOn struct {
	kind event.Kind
	name string
}

// index returns the rows that are for u by kind and name.
func index(u use) map[nameOn]event.Field {
	m := map[nameOn]event.Field{}
	for _, r := range rows {
		if r.use&u != 0 {
			m[nameOn{r.kind, r.name}] = r.field
		}
	}
	return m
}

var toRead, toFill = index(reads), index(fills)

// Field returns the field of the registry that name, as Sigma rules spell it, reads on
// events of kind k of a typed source.
func Field(k event.Kind, name string) (event.Field, bool) { return find(toRead, k, name) }

// Registry returns the field of the registry that a value fills which a record carries
// under name, if it is of kind k and operation op. A value of a hash field that is one
// hash has the name [HashName] gives. A field of parent scope is of the parent of the
// event's process: an event has no place for it.
func Registry(k event.Kind, op event.Op, service, name string) (event.Field, bool) {
	switch {
	case k == event.KindFile && op == event.OpRename && name == "TargetFilename":
		return event.FileTargetPath, true
	case k == event.KindProcess && op == event.OpCreate && service == security && name == "ProcessId":
		return event.ParentPID, true // of 4688: the process that made the new one
	}
	return find(toFill, k, name)
}

func find(m map[nameOn]event.Field, k event.Kind, name string) (event.Field, bool) {
	if f, ok := m[nameOn{k, name}]; ok {
		return f, true
	}
	f, ok := m[nameOn{anyKind, name}]
	return f, ok
}

// HashName returns the name that a hash has in a hash field if the record has it under
// a name of its own, as older ones of Sysmon do; empty if name is none of them.
func HashName(name string) string {
	switch name {
	case "md5":
		return "MD5"
	case "sha1":
		return "SHA1"
	case "sha256":
		return "SHA256"
	case "Imphash":
		return "IMPHASH"
	}
	return ""
}
