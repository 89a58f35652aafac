// SPDX-License-Identifier: Apache-2.0

// This file holds the names and numbers of the record types.

package audit

import (
	"bytes"
	"strconv"
)

// The record types that the package itself looks at
// (include/uapi/linux/audit.h, and audit-userspace's audit-records.h for those
// of user space).
const (
	TypeUser        uint16 = 1005
	TypeLogin       uint16 = 1006
	TypeUserLogin   uint16 = 1112
	TypeUserCmd     uint16 = 1123
	TypeDaemonStart uint16 = 1200
	TypeSyscall     uint16 = 1300
	TypePath        uint16 = 1302
	TypeIPC         uint16 = 1303
	TypeSocketcall  uint16 = 1304
	TypeSockaddr    uint16 = 1306
	TypeCWD         uint16 = 1307
	TypeExecve      uint16 = 1309
	TypeMQOpen      uint16 = 1312
	TypeFDPair      uint16 = 1317
	TypeObjPID      uint16 = 1318
	TypeEOE         uint16 = 1320
	TypeBPRMFcaps   uint16 = 1321
	TypeCapset      uint16 = 1322
	TypeMmap        uint16 = 1323
	TypeSeccomp     uint16 = 1326
	TypeProctitle   uint16 = 1327
	TypeKernModule  uint16 = 1330
	TypeBPF         uint16 = 1334
	TypeUringop     uint16 = 1336
	TypeOpenat2     uint16 = 1337
	TypeAVC         uint16 = 1400
	TypeAbend       uint16 = 1701
)

// minType is the smallest number of a record type.
const minType = 1000

// typeNames are the names by number less minType. 1420 is not in it: it is
// IPE_ACCESS since Linux 6.12, and was MAC_TASK_CONTEXTS in kernels of Ubuntu
// before, so the number says more than either name.
var typeNames = [...]string{
	1000 - minType: "GET", 1001 - minType: "SET", 1002 - minType: "LIST", 1003 - minType: "ADD",
	1004 - minType: "DEL", 1005 - minType: "USER", 1006 - minType: "LOGIN",
	1007 - minType: "WATCH_INS", 1008 - minType: "WATCH_REM", 1009 - minType: "WATCH_LIST",
	1010 - minType: "SIGNAL_INFO", 1011 - minType: "ADD_RULE", 1012 - minType: "DEL_RULE",
	1013 - minType: "LIST_RULES", 1014 - minType: "TRIM", 1015 - minType: "MAKE_EQUIV",
	1016 - minType: "TTY_GET", 1017 - minType: "TTY_SET", 1018 - minType: "SET_FEATURE",
	1019 - minType: "GET_FEATURE",
	1100 - minType: "USER_AUTH", 1101 - minType: "USER_ACCT", 1102 - minType: "USER_MGMT",
	1103 - minType: "CRED_ACQ", 1104 - minType: "CRED_DISP", 1105 - minType: "USER_START",
	1106 - minType: "USER_END", 1107 - minType: "USER_AVC", 1108 - minType: "USER_CHAUTHTOK",
	1109 - minType: "USER_ERR", 1110 - minType: "CRED_REFR", 1111 - minType: "USYS_CONFIG",
	1112 - minType: "USER_LOGIN", 1113 - minType: "USER_LOGOUT", 1114 - minType: "ADD_USER",
	1115 - minType: "DEL_USER", 1116 - minType: "ADD_GROUP", 1117 - minType: "DEL_GROUP",
	1118 - minType: "DAC_CHECK", 1119 - minType: "CHGRP_ID", 1120 - minType: "TEST",
	1121 - minType: "TRUSTED_APP", 1122 - minType: "USER_SELINUX_ERR", 1123 - minType: "USER_CMD",
	1124 - minType: "USER_TTY", 1125 - minType: "CHUSER_ID", 1126 - minType: "GRP_AUTH",
	1127 - minType: "SYSTEM_BOOT", 1128 - minType: "SYSTEM_SHUTDOWN",
	1129 - minType: "SYSTEM_RUNLEVEL", 1130 - minType: "SERVICE_START",
	1131 - minType: "SERVICE_STOP", 1132 - minType: "GRP_MGMT", 1133 - minType: "GRP_CHAUTHTOK",
	1134 - minType: "MAC_CHECK", 1135 - minType: "ACCT_LOCK", 1136 - minType: "ACCT_UNLOCK",
	1137 - minType: "USER_DEVICE", 1138 - minType: "SOFTWARE_UPDATE",
	1200 - minType: "DAEMON_START", 1201 - minType: "DAEMON_END", 1202 - minType: "DAEMON_ABORT",
	1203 - minType: "DAEMON_CONFIG", 1204 - minType: "DAEMON_RECONFIG",
	1205 - minType: "DAEMON_ROTATE", 1206 - minType: "DAEMON_RESUME", 1207 - minType: "DAEMON_ACCEPT",
	1208 - minType: "DAEMON_CLOSE", 1209 - minType: "DAEMON_ERR",
	1300 - minType: "SYSCALL", 1302 - minType: "PATH", 1303 - minType: "IPC",
	1304 - minType: "SOCKETCALL", 1305 - minType: "CONFIG_CHANGE", 1306 - minType: "SOCKADDR",
	1307 - minType: "CWD", 1309 - minType: "EXECVE", 1311 - minType: "IPC_SET_PERM",
	1312 - minType: "MQ_OPEN", 1313 - minType: "MQ_SENDRECV", 1314 - minType: "MQ_NOTIFY",
	1315 - minType: "MQ_GETSETATTR", 1316 - minType: "KERNEL_OTHER", 1317 - minType: "FD_PAIR",
	1318 - minType: "OBJ_PID", 1319 - minType: "TTY", 1320 - minType: "EOE",
	1321 - minType: "BPRM_FCAPS", 1322 - minType: "CAPSET", 1323 - minType: "MMAP",
	1324 - minType: "NETFILTER_PKT", 1325 - minType: "NETFILTER_CFG", 1326 - minType: "SECCOMP",
	1327 - minType: "PROCTITLE", 1328 - minType: "FEATURE_CHANGE", 1329 - minType: "REPLACE",
	1330 - minType: "KERN_MODULE", 1331 - minType: "FANOTIFY", 1332 - minType: "TIME_INJOFFSET",
	1333 - minType: "TIME_ADJNTPVAL", 1334 - minType: "BPF", 1335 - minType: "EVENT_LISTENER",
	1336 - minType: "URINGOP", 1337 - minType: "OPENAT2", 1338 - minType: "DM_CTRL",
	1339 - minType: "DM_EVENT",
	1400 - minType: "AVC", 1401 - minType: "SELINUX_ERR", 1402 - minType: "AVC_PATH",
	1403 - minType: "MAC_POLICY_LOAD", 1404 - minType: "MAC_STATUS",
	1405 - minType: "MAC_CONFIG_CHANGE", 1406 - minType: "MAC_UNLBL_ALLOW",
	1407 - minType: "MAC_CIPSOV4_ADD", 1408 - minType: "MAC_CIPSOV4_DEL",
	1409 - minType: "MAC_MAP_ADD", 1410 - minType: "MAC_MAP_DEL", 1411 - minType: "MAC_IPSEC_ADDSA",
	1412 - minType: "MAC_IPSEC_DELSA", 1413 - minType: "MAC_IPSEC_ADDSPD",
	1414 - minType: "MAC_IPSEC_DELSPD", 1415 - minType: "MAC_IPSEC_EVENT",
	1416 - minType: "MAC_UNLBL_STCADD", 1417 - minType: "MAC_UNLBL_STCDEL",
	1418 - minType: "MAC_CALIPSO_ADD", 1419 - minType: "MAC_CALIPSO_DEL",
	1421 - minType: "IPE_CONFIG_CHANGE", 1422 - minType: "IPE_POLICY_LOAD",
	1423 - minType: "LANDLOCK_ACCESS", 1424 - minType: "LANDLOCK_DOMAIN",
	1425 - minType: "MAC_TASK_CONTEXTS", 1426 - minType: "MAC_OBJ_CONTEXTS",
	1500 - minType: "APPARMOR", 1501 - minType: "APPARMOR_AUDIT", 1502 - minType: "APPARMOR_ALLOWED",
	1503 - minType: "APPARMOR_DENIED", 1504 - minType: "APPARMOR_HINT",
	1505 - minType: "APPARMOR_STATUS", 1506 - minType: "APPARMOR_ERROR",
	1507 - minType: "APPARMOR_KILL",
	1700 - minType: "ANOM_PROMISCUOUS", 1701 - minType: "ANOM_ABEND", 1702 - minType: "ANOM_LINK",
	1703 - minType: "ANOM_CREAT",
	1800 - minType: "INTEGRITY_DATA", 1801 - minType: "INTEGRITY_METADATA",
	1802 - minType: "INTEGRITY_STATUS", 1803 - minType: "INTEGRITY_HASH",
	1804 - minType: "INTEGRITY_PCR", 1805 - minType: "INTEGRITY_RULE",
	1806 - minType: "INTEGRITY_EVM_XATTR", 1807 - minType: "INTEGRITY_POLICY_RULE",
	2000 - minType: "KERNEL",
	2100 - minType: "ANOM_LOGIN_FAILURES", 2101 - minType: "ANOM_LOGIN_TIME",
	2102 - minType: "ANOM_LOGIN_SESSIONS", 2103 - minType: "ANOM_LOGIN_ACCT",
	2104 - minType: "ANOM_LOGIN_LOCATION", 2105 - minType: "ANOM_MAX_DAC",
	2106 - minType: "ANOM_MAX_MAC", 2107 - minType: "ANOM_AMTU_FAIL",
	2108 - minType: "ANOM_RBAC_FAIL", 2109 - minType: "ANOM_RBAC_INTEGRITY_FAIL",
	2110 - minType: "ANOM_CRYPTO_FAIL", 2111 - minType: "ANOM_ACCESS_FS", 2112 - minType: "ANOM_EXEC",
	2113 - minType: "ANOM_MK_EXEC", 2114 - minType: "ANOM_ADD_ACCT", 2115 - minType: "ANOM_DEL_ACCT",
	2116 - minType: "ANOM_MOD_ACCT", 2117 - minType: "ANOM_ROOT_TRANS",
	2118 - minType: "ANOM_LOGIN_SERVICE", 2119 - minType: "ANOM_LOGIN_ROOT",
	2120 - minType: "ANOM_ORIGIN_FAILURES", 2121 - minType: "ANOM_SESSION",
	2200 - minType: "RESP_ANOMALY", 2201 - minType: "RESP_ALERT", 2202 - minType: "RESP_KILL_PROC",
	2203 - minType: "RESP_TERM_ACCESS", 2204 - minType: "RESP_ACCT_REMOTE",
	2205 - minType: "RESP_ACCT_LOCK_TIMED", 2206 - minType: "RESP_ACCT_UNLOCK_TIMED",
	2207 - minType: "RESP_ACCT_LOCK", 2208 - minType: "RESP_TERM_LOCK", 2209 - minType: "RESP_SEBOOL",
	2210 - minType: "RESP_EXEC", 2211 - minType: "RESP_SINGLE", 2212 - minType: "RESP_HALT",
	2213 - minType: "RESP_ORIGIN_BLOCK", 2214 - minType: "RESP_ORIGIN_BLOCK_TIMED",
	2215 - minType: "RESP_ORIGIN_UNBLOCK_TIMED",
	2300 - minType: "USER_ROLE_CHANGE", 2301 - minType: "ROLE_ASSIGN", 2302 - minType: "ROLE_REMOVE",
	2303 - minType: "LABEL_OVERRIDE", 2304 - minType: "LABEL_LEVEL_CHANGE",
	2305 - minType: "USER_LABELED_EXPORT", 2306 - minType: "USER_UNLABELED_EXPORT",
	2307 - minType: "DEV_ALLOC", 2308 - minType: "DEV_DEALLOC", 2309 - minType: "FS_RELABEL",
	2310 - minType: "USER_MAC_POLICY_LOAD", 2311 - minType: "ROLE_MODIFY",
	2312 - minType: "USER_MAC_CONFIG_CHANGE", 2313 - minType: "USER_MAC_STATUS",
	2400 - minType: "CRYPTO_TEST_USER", 2401 - minType: "CRYPTO_PARAM_CHANGE_USER",
	2402 - minType: "CRYPTO_LOGIN", 2403 - minType: "CRYPTO_LOGOUT",
	2404 - minType: "CRYPTO_KEY_USER", 2405 - minType: "CRYPTO_FAILURE_USER",
	2406 - minType: "CRYPTO_REPLAY_USER", 2407 - minType: "CRYPTO_SESSION",
	2408 - minType: "CRYPTO_IKE_SA", 2409 - minType: "CRYPTO_IPSEC_SA",
	2500 - minType: "VIRT_CONTROL", 2501 - minType: "VIRT_RESOURCE",
	2502 - minType: "VIRT_MACHINE_ID", 2503 - minType: "VIRT_INTEGRITY_CHECK",
	2504 - minType: "VIRT_CREATE", 2505 - minType: "VIRT_DESTROY", 2506 - minType: "VIRT_MIGRATE_IN",
	2507 - minType: "VIRT_MIGRATE_OUT",
}

// typeNumbers are the numbers by name.
var typeNumbers = func() map[string]uint16 {
	m := make(map[string]uint16, len(typeNames))
	for i, name := range typeNames {
		if name != "" {
			m[name] = uint16(i + minType)
		}
	}
	m["IPE_ACCESS"] = 1420
	return m
}()

// TypeName returns the name of record type n, as auditd writes it after type=,
// or UNKNOWN[n].
func TypeName(n uint16) string {
	if i := int(n) - minType; i >= 0 && i < len(typeNames) && typeNames[i] != "" {
		return typeNames[i]
	}
	return "UNKNOWN[" + strconv.Itoa(int(n)) + "]"
}

// TypeNumber returns the number of the record type that name stands for: a name
// of [TypeName], UNKNOWN[n], or the number itself. ok is false for others. It
// allocates nothing.
func TypeNumber(name []byte) (n uint16, ok bool) {
	// These are nearly all records of a loaded host; the map costs three times as much.
	switch string(name) {
	case "SYSCALL":
		return TypeSyscall, true
	case "EXECVE":
		return TypeExecve, true
	case "CWD":
		return TypeCWD, true
	case "PATH":
		return TypePath, true
	case "PROCTITLE":
		return TypeProctitle, true
	case "EOE":
		return TypeEOE, true
	case "SOCKADDR":
		return TypeSockaddr, true
	}
	if n, ok := typeNumbers[string(name)]; ok {
		return n, true
	}
	if hasPrefix(name, "UNKNOWN[") && bytes.HasSuffix(name, []byte("]")) {
		name = name[len("UNKNOWN[") : len(name)-1]
	}
	v, end, ok := parseDecimal(name, 0)
	if !ok || end != len(name) || v > 1<<16-1 {
		return 0, false
	}
	return uint16(v), true
}
