// SPDX-License-Identifier: Apache-2.0

// This file is the list of fields: the one place where a field's number, name,
// type, scope, kinds and meaning are written. Look-ups over it are in field.go.

package event

// The fields. A number is stored in signals.bin: it is never reused, and a new
// field goes at the end whatever its kind (TestRegistryIsAppendOnly).
const (
	NoField Field = iota

	ProcessPath
	ProcessName
	ProcessCommandLine
	ProcessArgs
	ProcessCwd
	ProcessPID
	ProcessID
	ProcessUserName
	ProcessUserID
	ProcessGroupName
	ProcessGroupID
	ProcessLoginUserName
	ProcessLoginUserID
	ProcessSession
	ProcessTTY
	ProcessHash
	ProcessStartTime
	ProcessEndTime
	ProcessExitCode
	ProcessContainerID
	ProcessSeenRunning
	ProcessOperation
	ParentPath
	ParentName
	ParentCommandLine
	ParentHash
	ParentUserName
	ParentUserGroup
	ParentPID
	ParentID
	AncestryPath
	AncestryName
	AncestryCommandLine
	AncestryHash
	AncestryUserName
	AncestryUserGroup

	UserName
	UserID
	UserEffectiveName
	UserEffectiveID
	UserLoginName
	UserLoginID

	FilePath
	FileName
	FileExtension
	FileTargetPath
	FileMode
	FileOwner
	FileInode
	FilePathStatus
	FileOperation

	NetworkDirection
	NetworkProtocol
	NetworkAddress
	NetworkPort
	NetworkSourceAddress
	NetworkSourcePort
	NetworkDestinationAddress
	NetworkDestinationPort
	NetworkPath
	NetworkResult
	NetworkOperation

	RegistryKeyPath
	RegistryValueName
	RegistryValueData
	RegistryOperation

	ImagePath
	ImageHash
	ImageSignatureStatus
	ImageSignatureIssuer
	ImageSignatureSubject
	ImageOperation

	DriverPath
	DriverName
	DriverHash
	DriverSignatureStatus
	DriverSignatureIssuer
	DriverSignatureSubject
	DriverOperation

	DNSQuery
	DNSResponse
	DNSType
	DNSStatus
	DNSOperation

	SecurityEventID
	SecurityResult
	SecurityTargetUser
	SecuritySourceAddress
	SecurityLogonType
	SecurityDetails
	SecurityOperation

	SyscallName
	SyscallArguments
	SyscallResult
	SyscallPath
	SyscallOperation

	RecordType
	RecordText

	ProcessOriginalFileName
	ProcessCompany
	ProcessProduct
	ProcessDescription
	ProcessFileVersion
	ProcessIntegrityLevel
	ProcessLogonID
	ProcessLogonGUID
	ProcessGUID

	FileHash
	FileCreationTime
	FilePreviousCreationTime

	NetworkSourceHost
	NetworkDestinationHost
	NetworkInitiated

	RegistryNewName

	ImageOriginalFileName
	ImageCompany
	ImageProduct
	ImageDescription
	ImageFileVersion
	ImageSigned

	DriverSigned

	SecurityTargetDomain
	SecurityLogonID
	SecuritySubjectUser
	SecuritySubjectDomain
	SecurityWorkstation
	SecurityProcessPath
	SecurityStatus
	SecurityAuthenticationPackage

	RecordTargetProcessPath
	RecordTargetProcessPID
	RecordGrantedAccess
	RecordCallTrace
	RecordStartModule
	RecordPipeName
	RecordScript
	RecordObjectName
	RecordObjectType
	RecordShareName
	RecordServiceName
	RecordServicePath

	FileResultPath

	DNSServerAddress
	DNSClientAddress
	DNSClientPort
	DNSProtocol
	DNSTransaction
	DNSAttribution

	NetworkEndsKnown
	SyscallTargetPID

	ProcessCommandLineLength

	numFields
)

// row is a field of the registry as it is written here; [Info] is what callers get.
type row struct {
	field   Field
	name    string
	typ     Type
	scope   Scope
	kind    Kind // KindNone: every kind
	aliases []string
	doc     string
}

var rows = []row{
	{ProcessPath, "process.path", String, ScopeProcess, 0, nil, "Full path of the program the process runs, as the process sees it."},
	{ProcessName, "process.name", String, ScopeProcess, 0, nil, "Last element of process.path."},
	{ProcessCommandLine, "process.command_line", String, ScopeProcess, 0, []string{"process.cmd"}, "Arguments joined by single blanks, the program name first."},
	{ProcessArgs, "process.args", List, ScopeProcess, 0, nil, "Arguments one by one, the program name first."},
	{ProcessCwd, "process.cwd", String, ScopeProcess, 0, nil, "Working directory when the process began."},
	{ProcessPID, "process.pid", Integer, ScopeProcess, 0, nil, "Process id of the operating system. It is used again after the process has ended."},
	{ProcessID, "process.id", Identifier, ScopeProcess, 0, nil, "Id that seismo gave the process; never used again."},
	{ProcessUserName, "process.user_name", String, ScopeProcess, 0, nil, "Name of the user the process began as."},
	{ProcessUserID, "process.user_id", Integer, ScopeProcess, 0, nil, "User id the process began as."},
	{ProcessGroupName, "process.group_name", String, ScopeProcess, 0, []string{"process.user_group"}, "Name of the group the process began as."},
	{ProcessGroupID, "process.group_id", Integer, ScopeProcess, 0, nil, "Group id the process began as."},
	{ProcessLoginUserName, "process.login_user_name", String, ScopeProcess, 0, nil, "Name of the user who logged in (audit: auid); absent where nobody did."},
	{ProcessLoginUserID, "process.login_user_id", Integer, ScopeProcess, 0, nil, "Id of the user who logged in (audit: auid); absent where nobody did."},
	{ProcessSession, "process.session", Integer, ScopeProcess, 0, nil, "Login session; absent outside of one."},
	{ProcessTTY, "process.tty", String, ScopeProcess, 0, nil, "Controlling terminal; absent where there is none."},
	{ProcessHash, "process.hash", Hash, ScopeProcess, 0, nil, "Hashes of the program file, each as NAME=hex; the hash of its imports is IMPHASH=hex."},
	{ProcessStartTime, "process.start_time", Time, ScopeProcess, 0, nil, "When this image of the process began."},
	{ProcessEndTime, "process.end_time", Time, ScopeEvent, KindProcess, nil, "When the process ended (operation end)."},
	{ProcessExitCode, "process.exit_code", Integer, ScopeEvent, KindProcess, nil, "Exit code, or 128 plus the signal that ended the process (operation end); absent where it is not known."},
	{ProcessCommandLineLength, "process.command_line_length", Integer, ScopeEvent, KindProcess, nil, "Bytes that process.command_line had before the recorder cut it (operation create); absent where it is whole."},
	{ProcessContainerID, "process.container_id", String, ScopeProcess, 0, nil, "Container of the process, from its cgroup; absent outside of one."},
	{ProcessOriginalFileName, "process.original_file_name", String, ScopeProcess, 0, nil, "Name that the version resource of the program gives itself; only of Windows."},
	{ProcessCompany, "process.company", String, ScopeProcess, 0, nil, "Company that the version resource of the program names."},
	{ProcessProduct, "process.product", String, ScopeProcess, 0, nil, "Product that the version resource of the program names."},
	{ProcessDescription, "process.description", String, ScopeProcess, 0, nil, "Description in the version resource of the program."},
	{ProcessFileVersion, "process.file_version", String, ScopeProcess, 0, nil, "Version in the version resource of the program."},
	{ProcessIntegrityLevel, "process.integrity_level", String, ScopeProcess, 0, nil, "Integrity level the process began with, as the source gives it (High, S-1-16-12288)."},
	{ProcessLogonID, "process.logon_id", String, ScopeProcess, 0, nil, "Number of the logon session the process belongs to, as the source gives it (0x3e7)."},
	{ProcessLogonGUID, "process.logon_guid", String, ScopeProcess, 0, nil, "GUID that the source gave the logon session."},
	{ProcessGUID, "process.guid", String, ScopeProcess, 0, nil, "GUID that the source gave the process."},
	{ProcessSeenRunning, "process.seen_running", Integer, ScopeProcess, 0, nil, "1 if the process was found running when recording began, else 0."},
	{ProcessOperation, "process.operation", String, ScopeEvent, KindProcess, nil, "create, update (a late value arrived) or end."},
	{ParentPath, "process.parent_path", String, ScopeParent, 0, nil, "process.path of the parent."},
	{ParentName, "process.parent_name", String, ScopeParent, 0, nil, "process.name of the parent."},
	{ParentCommandLine, "process.parent_command_line", String, ScopeParent, 0, []string{"process.parent_cmd"}, "process.command_line of the parent."},
	{ParentHash, "process.parent_hash", Hash, ScopeParent, 0, nil, "process.hash of the parent."},
	{ParentUserName, "process.parent_user_name", String, ScopeParent, 0, nil, "process.user_name of the parent."},
	{ParentUserGroup, "process.parent_user_group", String, ScopeParent, 0, []string{"process.parent_group_name"}, "process.group_name of the parent."},
	{ParentPID, "process.parent_pid", Integer, ScopeParent, 0, nil, "process.pid of the parent."},
	{ParentID, "process.parent_id", Identifier, ScopeParent, 0, nil, "process.id of the parent."},
	{AncestryPath, "process.ancestry_path", String, ScopeAncestor, 0, nil, "process.path of any ancestor or of the process itself."},
	{AncestryName, "process.ancestry_name", String, ScopeAncestor, 0, nil, "process.name of any ancestor or of the process itself."},
	{AncestryCommandLine, "process.ancestry_command_line", String, ScopeAncestor, 0, []string{"process.ancestry_cmd"}, "process.command_line of any ancestor or of the process itself."},
	{AncestryHash, "process.ancestry_hash", Hash, ScopeAncestor, 0, nil, "process.hash of any ancestor or of the process itself."},
	{AncestryUserName, "process.ancestry_user_name", String, ScopeAncestor, 0, nil, "process.user_name of any ancestor or of the process itself."},
	{AncestryUserGroup, "process.ancestry_user_group", String, ScopeAncestor, 0, []string{"process.ancestry_group_name"}, "process.group_name of any ancestor or of the process itself."},

	{UserName, "user.name", String, ScopeEvent, 0, nil, "Name of the real user at the moment of the event."},
	{UserID, "user.id", Integer, ScopeEvent, 0, nil, "Real user id at the moment of the event."},
	{UserEffectiveName, "user.effective_name", String, ScopeEvent, 0, nil, "Name of the effective user at the moment of the event."},
	{UserEffectiveID, "user.effective_id", Integer, ScopeEvent, 0, nil, "Effective user id at the moment of the event."},
	{UserLoginName, "user.login_name", String, ScopeEvent, 0, nil, "Name of the login user at the moment of the event; absent where nobody logged in."},
	{UserLoginID, "user.login_id", Integer, ScopeEvent, 0, nil, "Login user id at the moment of the event; absent where nobody logged in."},

	{FilePath, "file.path", String, ScopeEvent, KindFile, nil, "Full path of the file, as the process sees it. For a rename, the old path."},
	{FileName, "file.name", String, ScopeEvent, KindFile, nil, "Last element of file.path."},
	{FileExtension, "file.extension", String, ScopeEvent, KindFile, nil, "What follows the last dot of file.name; absent without one, or if the only dot is the first byte."},
	{FileTargetPath, "file.target_path", String, ScopeEvent, KindFile, nil, "For a rename the new path; for a link, the path that the link is made at, with file.path what it points to."},
	{FileResultPath, "file.result_path", String, ScopeEvent, KindFile, nil, "Where the file is found afterwards: file.target_path of a rename or link, else file.path."},
	{FileMode, "file.mode", Integer, ScopeEvent, KindFile, nil, "Type and permission bits of the file (st_mode) as the kernel saw them: before a change of mode, except where the call itself gives the new bits."},
	{FileOwner, "file.owner", Integer, ScopeEvent, KindFile, nil, "User id of the file's owner."},
	{FileInode, "file.inode", Integer, ScopeEvent, KindFile, nil, "Inode number."},
	{FilePathStatus, "file.path_status", String, ScopeEvent, KindFile, nil, "\"partial\" if the path could not be made absolute; absent otherwise."},
	{FileHash, "file.hash", Hash, ScopeEvent, KindFile, nil, "Hashes of the file, each as NAME=hex."},
	{FileCreationTime, "file.creation_time", Time, ScopeEvent, KindFile, nil, "Creation time that the file has or was given."},
	{FilePreviousCreationTime, "file.previous_creation_time", Time, ScopeEvent, KindFile, nil, "Creation time that the file had before it was given another."},
	{FileOperation, "file.operation", String, ScopeEvent, KindFile, nil, "create, write (opened for writing, or truncated), delete, rename, permission, link or open."},

	{NetworkDirection, "network.direction", String, ScopeEvent, KindNetwork, nil, "outbound, inbound or listening."},
	{NetworkProtocol, "network.protocol", String, ScopeEvent, KindNetwork, nil, "tcp, udp, unix or another protocol's name; absent where it is not known."},
	{NetworkAddress, "network.address", Address, ScopeEvent, KindNetwork, nil, "Address of the remote end; for operation listen, the local one."},
	{NetworkPort, "network.port", Integer, ScopeEvent, KindNetwork, nil, "Port of the remote end; for operation listen, the local one."},
	{NetworkSourceAddress, "network.source_address", Address, ScopeEvent, KindNetwork, nil, "Address that the connection comes from."},
	{NetworkSourcePort, "network.source_port", Integer, ScopeEvent, KindNetwork, nil, "Port that the connection comes from."},
	{NetworkDestinationAddress, "network.destination_address", Address, ScopeEvent, KindNetwork, nil, "Address that the connection goes to."},
	{NetworkDestinationPort, "network.destination_port", Integer, ScopeEvent, KindNetwork, nil, "Port that the connection goes to."},
	{NetworkPath, "network.path", String, ScopeEvent, KindNetwork, nil, "Path of a UNIX socket; a name in the abstract namespace begins with '@'."},
	{NetworkResult, "network.result", Integer, ScopeEvent, KindNetwork, nil, "0, or the negative error number of the call (-111 refused, -115 still under way)."},
	{NetworkSourceHost, "network.source_host", String, ScopeEvent, KindNetwork, nil, "Name of the host that the connection comes from."},
	{NetworkDestinationHost, "network.destination_host", String, ScopeEvent, KindNetwork, nil, "Name of the host that the connection goes to."},
	{NetworkInitiated, "network.initiated", String, ScopeEvent, KindNetwork, nil, "\"true\" if the process began the connection, \"false\" if it took it; where the source does not say, by the operation: connect or accept."},
	{NetworkEndsKnown, "network.ends_known", String, ScopeEvent, KindNetwork, nil, "Which ends of a connection over IP are sure (Linux audit): both, source, destination or none. An end that is not sure has no fields."},
	{NetworkOperation, "network.operation", String, ScopeEvent, KindNetwork, nil, "connect, accept, listen or disconnect."},

	{RegistryKeyPath, "registry.key_path", String, ScopeEvent, KindRegistry, nil, "Full path of the registry key."},
	{RegistryValueName, "registry.value_name", String, ScopeEvent, KindRegistry, nil, "Name of the value under the key."},
	{RegistryValueData, "registry.value_data", String, ScopeEvent, KindRegistry, nil, "Data written to the value."},
	{RegistryNewName, "registry.new_name", String, ScopeEvent, KindRegistry, nil, "For a rename the new path of the key or value."},
	{RegistryOperation, "registry.operation", String, ScopeEvent, KindRegistry, nil, "create_key, delete_key, set_value, delete_value or rename."},

	{ImagePath, "image.path", String, ScopeEvent, KindImage, nil, "Full path of the library that was loaded."},
	{ImageHash, "image.hash", Hash, ScopeEvent, KindImage, nil, "Hashes of the library, each as NAME=hex."},
	{ImageSignatureStatus, "image.signature_status", String, ScopeEvent, KindImage, nil, "State of the library's signature."},
	{ImageSignatureIssuer, "image.signature_issuer", String, ScopeEvent, KindImage, nil, "Who issued the certificate of the library's signature."},
	{ImageSignatureSubject, "image.signature_subject", String, ScopeEvent, KindImage, nil, "Who signed the library."},
	{ImageOriginalFileName, "image.original_file_name", String, ScopeEvent, KindImage, nil, "Name that the version resource of the library gives itself."},
	{ImageCompany, "image.company", String, ScopeEvent, KindImage, nil, "Company that the version resource of the library names."},
	{ImageProduct, "image.product", String, ScopeEvent, KindImage, nil, "Product that the version resource of the library names."},
	{ImageDescription, "image.description", String, ScopeEvent, KindImage, nil, "Description in the version resource of the library."},
	{ImageFileVersion, "image.file_version", String, ScopeEvent, KindImage, nil, "Version in the version resource of the library."},
	{ImageSigned, "image.signed", String, ScopeEvent, KindImage, nil, "Whether the library is signed, as the source gives it (true, false)."},
	{ImageOperation, "image.operation", String, ScopeEvent, KindImage, nil, "load."},

	{DriverPath, "driver.path", String, ScopeEvent, KindDriver, nil, "Full path of the driver or kernel module file."},
	{DriverName, "driver.name", String, ScopeEvent, KindDriver, nil, "Name of the driver or kernel module."},
	{DriverHash, "driver.hash", Hash, ScopeEvent, KindDriver, nil, "Hashes of the driver file, each as NAME=hex."},
	{DriverSignatureStatus, "driver.signature_status", String, ScopeEvent, KindDriver, nil, "State of the driver's signature."},
	{DriverSignatureIssuer, "driver.signature_issuer", String, ScopeEvent, KindDriver, nil, "Who issued the certificate of the driver's signature."},
	{DriverSignatureSubject, "driver.signature_subject", String, ScopeEvent, KindDriver, nil, "Who signed the driver."},
	{DriverSigned, "driver.signed", String, ScopeEvent, KindDriver, nil, "Whether the driver is signed, as the source gives it (true, false)."},
	{DriverOperation, "driver.operation", String, ScopeEvent, KindDriver, nil, "load or unload."},

	{DNSQuery, "dns.query", String, ScopeEvent, KindDNS, nil, "Name that was asked for."},
	{DNSResponse, "dns.response", String, ScopeEvent, KindDNS, nil, "Answer, as the source gives it."},
	{DNSType, "dns.type", String, ScopeEvent, KindDNS, nil, "Type of record that was asked for (A, AAAA, …)."},
	{DNSStatus, "dns.status", String, ScopeEvent, KindDNS, nil, "Status of the answer."},
	{DNSServerAddress, "dns.server_address", Address, ScopeEvent, KindDNS, nil, "Address of the name server that was asked."},
	{DNSClientAddress, "dns.client_address", Address, ScopeEvent, KindDNS, nil, "Address that asked."},
	{DNSClientPort, "dns.client_port", Integer, ScopeEvent, KindDNS, nil, "Port that asked."},
	{DNSProtocol, "dns.protocol", String, ScopeEvent, KindDNS, nil, "udp or tcp."},
	{DNSTransaction, "dns.transaction", String, ScopeEvent, KindDNS, nil, "answered, unanswered (no answer within 5 s), answer_only (its query was not seen) or second_answer (another answer to a query that had one)."},
	{DNSAttribution, "dns.attribution", String, ScopeEvent, KindDNS, nil, "exact (the process asked), resolver (the process is this host's name server and asked for somebody) or unknown (the event has no process)."},
	{DNSOperation, "dns.operation", String, ScopeEvent, KindDNS, nil, "query."},

	{SecurityEventID, "security.event_id", String, ScopeEvent, KindSecurity, nil, "Type of the record in the words of its source (audit: USER_AUTH; Windows: 4624)."},
	{SecurityResult, "security.result", String, ScopeEvent, KindSecurity, nil, "success or failure; absent where the source does not say."},
	{SecurityTargetUser, "security.target_user", String, ScopeEvent, KindSecurity, nil, "User or group that the event is about."},
	{SecuritySourceAddress, "security.source_address", Address, ScopeEvent, KindSecurity, nil, "Address that the user came from."},
	{SecurityLogonType, "security.logon_type", String, ScopeEvent, KindSecurity, nil, "How the user came: terminal, service or number, as the source gives it."},
	{SecurityDetails, "security.details", String, ScopeEvent, KindSecurity, nil, "What was done, as the source gives it."},
	{SecurityTargetDomain, "security.target_domain", String, ScopeEvent, KindSecurity, nil, "Domain or computer that security.target_user belongs to."},
	{SecurityLogonID, "security.logon_id", String, ScopeEvent, KindSecurity, nil, "Number of the logon session that began, ended or was changed, as the source gives it (0x3e7)."},
	{SecuritySubjectUser, "security.subject_user", String, ScopeEvent, KindSecurity, nil, "User who asked for what was done."},
	{SecuritySubjectDomain, "security.subject_domain", String, ScopeEvent, KindSecurity, nil, "Domain or computer that security.subject_user belongs to."},
	{SecurityWorkstation, "security.workstation", String, ScopeEvent, KindSecurity, nil, "Name of the computer that the user came from."},
	{SecurityProcessPath, "security.process_path", String, ScopeEvent, KindSecurity, nil, "Full path of the program that asked, as the record names it."},
	{SecurityStatus, "security.status", String, ScopeEvent, KindSecurity, nil, "Status code, as the source gives it (0xc000006d)."},
	{SecurityAuthenticationPackage, "security.authentication_package", String, ScopeEvent, KindSecurity, nil, "What checked the user (NTLM, Kerberos, Negotiate)."},
	{SecurityOperation, "security.operation", String, ScopeEvent, KindSecurity, nil, "logon, logoff, authenticate, privilege, account or policy."},

	{SyscallName, "syscall.name", String, ScopeEvent, KindSyscall, nil, "Name of the system call, or its number where the name is not known."},
	{SyscallArguments, "syscall.arguments", List, ScopeEvent, KindSyscall, nil, "Arguments, up to four: numbers in decimal, flags and requests by their names, everything else (pointers) in lower-case hex after 0x. Of calls whose arguments are not known, the first four in hex."},
	{SyscallResult, "syscall.result", Integer, ScopeEvent, KindSyscall, nil, "What the call returned; a negative number is an error."},
	{SyscallPath, "syscall.path", String, ScopeEvent, KindSyscall, nil, "Path that the call was about, where it names one."},
	{SyscallTargetPID, "syscall.target_pid", Integer, ScopeEvent, KindSyscall, nil, "Process id of the process that the call acted upon (ptrace, kill, process_vm_writev)."},
	{SyscallOperation, "syscall.operation", String, ScopeEvent, KindSyscall, nil, "call."},

	{RecordType, "record.type", String, ScopeEvent, KindRecord, nil, "Type of the source's record (audit: SERVICE_START). Its own fields are read as record.'own name'."},
	{RecordText, "record.text", String, ScopeEvent, KindRecord, nil, "The record as it was delivered, without its header."},
	{RecordTargetProcessPath, "record.target_process_path", String, ScopeEvent, KindRecord, nil, "Full path of the process that was acted upon (opened, injected into)."},
	{RecordTargetProcessPID, "record.target_process_pid", Integer, ScopeEvent, KindRecord, nil, "Process id of the process that was acted upon."},
	{RecordGrantedAccess, "record.granted_access", String, ScopeEvent, KindRecord, nil, "Access rights that were asked for or given, as the source gives them (0x1010)."},
	{RecordCallTrace, "record.call_trace", String, ScopeEvent, KindRecord, nil, "Call stack of the process that acted."},
	{RecordStartModule, "record.start_module", String, ScopeEvent, KindRecord, nil, "Module in which a thread made in another process begins."},
	{RecordPipeName, "record.pipe_name", String, ScopeEvent, KindRecord, nil, "Name of the pipe that was made or connected to."},
	{RecordScript, "record.script", String, ScopeEvent, KindRecord, nil, "Text of the script or command that an interpreter was given."},
	{RecordObjectName, "record.object_name", String, ScopeEvent, KindRecord, nil, "Name of the object that was asked for."},
	{RecordObjectType, "record.object_type", String, ScopeEvent, KindRecord, nil, "Type of the object that was asked for."},
	{RecordShareName, "record.share_name", String, ScopeEvent, KindRecord, nil, "Name of the network share."},
	{RecordServiceName, "record.service_name", String, ScopeEvent, KindRecord, nil, "Name of the service."},
	{RecordServicePath, "record.service_path", String, ScopeEvent, KindRecord, nil, "Command that the service runs."},
}
