// SPDX-License-Identifier: Apache-2.0

// This file makes security events: of the records that login programs, user
// management and access policy write, and of the calls that change who a process
// is.

package audit

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"

	"seismo/internal/event"
)

// securityTypes says which record types are security events, and of which
// operation. The numbers are those of include/uapi/linux/audit.h and of libaudit.
var securityTypes = []struct {
	typ  uint16
	name string
	op   event.Op
}{
	{1006, "LOGIN", event.OpLogon},
	{1105, "USER_START", event.OpLogon},
	{1112, "USER_LOGIN", event.OpLogon},
	{1106, "USER_END", event.OpLogoff},
	{1113, "USER_LOGOUT", event.OpLogoff},

	{1100, "USER_AUTH", event.OpAuthenticate},
	{1101, "USER_ACCT", event.OpAuthenticate},
	{1109, "USER_ERR", event.OpAuthenticate},
	{1126, "GRP_AUTH", event.OpAuthenticate},
	{2100, "ANOM_LOGIN_FAILURES", event.OpAuthenticate},
	{2101, "ANOM_LOGIN_TIME", event.OpAuthenticate},
	{2102, "ANOM_LOGIN_SESSIONS", event.OpAuthenticate},
	{2103, "ANOM_LOGIN_ACCT", event.OpAuthenticate},
	{2104, "ANOM_LOGIN_LOCATION", event.OpAuthenticate},

	{1103, "CRED_ACQ", event.OpPrivilege},
	{1104, "CRED_DISP", event.OpPrivilege},
	{1110, "CRED_REFR", event.OpPrivilege},
	{1119, "CHGRP_ID", event.OpPrivilege},
	{1123, "USER_CMD", event.OpPrivilege},
	{1125, "CHUSER_ID", event.OpPrivilege},
	{2300, "USER_ROLE_CHANGE", event.OpPrivilege},

	{1102, "USER_MGMT", event.OpAccount},
	{1108, "USER_CHAUTHTOK", event.OpAccount},
	{1114, "ADD_USER", event.OpAccount},
	{1115, "DEL_USER", event.OpAccount},
	{1116, "ADD_GROUP", event.OpAccount},
	{1117, "DEL_GROUP", event.OpAccount},
	{1132, "GRP_MGMT", event.OpAccount},
	{1133, "GRP_CHAUTHTOK", event.OpAccount},
	{1135, "ACCT_LOCK", event.OpAccount},
	{1136, "ACCT_UNLOCK", event.OpAccount},
	{2301, "ROLE_ASSIGN", event.OpAccount},
	{2302, "ROLE_REMOVE", event.OpAccount},
	{2311, "ROLE_MODIFY", event.OpAccount},

	{1111, "USYS_CONFIG", event.OpPolicy},
	{1305, "CONFIG_CHANGE", event.OpPolicy},
	{1325, "NETFILTER_CFG", event.OpPolicy},
	{1403, "MAC_POLICY_LOAD", event.OpPolicy},
	{1404, "MAC_STATUS", event.OpPolicy},
	{1405, "MAC_CONFIG_CHANGE", event.OpPolicy},
	{1406, "MAC_UNLBL_ALLOW", event.OpPolicy},
	{1407, "MAC_CIPSOV4_ADD", event.OpPolicy},
	{1408, "MAC_CIPSOV4_DEL", event.OpPolicy},
	{1409, "MAC_MAP_ADD", event.OpPolicy},
	{1410, "MAC_MAP_DEL", event.OpPolicy},
	{1411, "MAC_IPSEC_ADDSA", event.OpPolicy},
	{1412, "MAC_IPSEC_DELSA", event.OpPolicy},
	{1413, "MAC_IPSEC_ADDSPD", event.OpPolicy},
	{1414, "MAC_IPSEC_DELSPD", event.OpPolicy},
	{1415, "MAC_IPSEC_EVENT", event.OpPolicy},
	{1416, "MAC_UNLBL_STCADD", event.OpPolicy},
	{1417, "MAC_UNLBL_STCDEL", event.OpPolicy},
	{1418, "MAC_CALIPSO_ADD", event.OpPolicy},
	{1419, "MAC_CALIPSO_DEL", event.OpPolicy},
	{2310, "USER_MAC_POLICY_LOAD", event.OpPolicy},
	{2312, "USER_MAC_CONFIG_CHANGE", event.OpPolicy},
	{2313, "USER_MAC_STATUS", event.OpPolicy},
}

// securityOps is securityTypes by number.
var securityOps = func() (ops [3000]event.Op) {
	for _, t := range securityTypes {
		ops[t.typ] = t.op
	}
	return ops
}()

// securityOp returns the operation of records of type t, OpNone if they are no
// security events.
func securityOp(t uint16) event.Op {
	if int(t) < len(securityOps) {
		return securityOps[t]
	}
	return event.OpNone
}

// KeepsSecurity reports whether all records of security become events: because they are
// wanted, or because a signal asks for the kind.
func (o *DecodeOptions) KeepsSecurity() bool {
	return !o.SecuritySilent || o.Demand.AllOwn || o.Demand.Kinds.Has(event.KindSecurity)
}

// isUnwanted reports whether the event of a record of type t is to be left out:
// one of security, or the start or stop of a service, that no signal asks for.
func (d *Decoder) isUnwanted(t uint16) bool {
	o := &d.opts
	if !o.SecuritySilent || o.Demand.AllOwn {
		return false
	}
	switch {
	case securityOp(t) != event.OpNone:
		if o.KeepsSecurity() {
			return false
		}
	case t == typeServiceStart || t == typeServiceStop:
		if o.Demand.Kinds.Has(event.KindRecord) {
			return false
		}
	default:
		return false
	}
	_, named := slices.BinarySearch(o.Demand.Records, TypeName(t))
	return !named
}

// The records that systemd writes.
const (
	typeServiceStart = 1130
	typeServiceStop  = 1131
)

// claims are the fields that a security record has about what was done. A
// program in user space wrote them inside msg='…'.
type claims struct {
	acct, id, group, newAUID []byte
	addr, hostname, terminal []byte
	cmd, res                 []byte
}

// decodeSecurity makes the event of a security record.
func (d *Decoder) decodeSecurity(b *event.Batch, r *Record, op event.Op) *event.Event {
	if d.sys == nil {
		d.flags |= d.who.readRecord(r)
	}
	text, inner := r.Body, findField(r.Body, "msg")
	var c claims
	if inner != nil {
		text = Unquote(inner)
		d.readClaims(&c, text)
	} else {
		d.readClaims(&c, r.Body)
	}
	e := b.Add(event.KindSecurity, op)
	e.SetString(event.SecurityEventID, TypeName(r.Type))
	setResult(e, c.res)
	switch {
	case c.acct != nil && !isMissing(c.acct):
		d.setDecoded(e, event.SecurityTargetUser, c.acct)
	case c.id != nil:
		e.SetText(event.SecurityTargetUser, Unquote(c.id))
	case c.group != nil && !isMissing(c.group):
		d.setDecoded(e, event.SecurityTargetUser, c.group)
	case r.Type == TypeLogin && c.newAUID != nil:
		e.SetText(event.SecurityTargetUser, c.newAUID)
	}
	for _, v := range [2][]byte{c.addr, c.hostname} {
		if v == nil || isMissing(v) {
			continue
		}
		if a, err := netip.ParseAddr(string(Unquote(v))); err == nil {
			e.SetAddr(event.SecuritySourceAddress, a.WithZone(""))
			break
		}
	}
	if c.terminal != nil && !isMissing(c.terminal) {
		e.SetText(event.SecurityLogonType, Unquote(c.terminal))
	}
	if c.cmd != nil && !isMissing(c.cmd) {
		d.setDecoded(e, event.SecurityDetails, c.cmd)
	} else {
		e.SetText(event.SecurityDetails, bytes.TrimSpace(text))
	}
	return e
}

// readClaims reads the key=value pairs of text.
func (d *Decoder) readClaims(c *claims, text []byte) {
	first := func(to *[]byte, v []byte) {
		if *to == nil {
			*to = v
		} else {
			d.flags |= event.Duplicate
		}
	}
	for s := ScanFields(text); ; {
		k, v, ok := s.Next()
		if !ok {
			return
		}
		switch string(k) {
		case "acct":
			first(&c.acct, v)
		case "id":
			first(&c.id, v)
		case "grp", "new_group":
			first(&c.group, v)
		case "auid":
			first(&c.newAUID, v)
		case "addr":
			first(&c.addr, v)
		case "hostname":
			first(&c.hostname, v)
		case "terminal":
			first(&c.terminal, v)
		case "cmd":
			first(&c.cmd, v)
		case "res", "result":
			first(&c.res, v)
		case "exe":
			if d.who.has&hasExe == 0 {
				d.who.exe, d.who.has = v, d.who.has|hasExe
			}
		}
	}
}

// setDecoded sets f to the decoded string value v.
func (d *Decoder) setDecoded(e *event.Event, f event.Field, v []byte) {
	d.value = AppendValue(d.value[:0], v)
	e.SetText(f, d.value)
}

// setResult sets the result where the record says one.
func setResult(e *event.Event, v []byte) {
	switch string(Unquote(v)) {
	case "success", "1", "yes":
		e.SetString(event.SecurityResult, "success")
	case "failed", "failure", "0", "no":
		e.SetString(event.SecurityResult, "failure")
	}
}

// privilegeArgs is the number of arguments of the calls that change who a
// process is, all of them ids, by name without the 32 of 32-bit architectures.
var privilegeArgs = map[string]int{
	"setuid": 1, "setgid": 1, "setfsuid": 1, "setfsgid": 1, "setgroups": 1,
	"setreuid": 2, "setregid": 2, "setresuid": 3, "setresgid": 3,
}

// decodePrivilege makes the event of a call that changes who the process is, or
// what it may do. The details are the call with its arguments, -1 for "leave
// it", or for capset what the CAPSET record says.
func (d *Decoder) decodePrivilege(b *event.Batch, c call) *event.Event {
	e := b.Add(event.KindSecurity, event.OpPrivilege)
	e.SetString(event.SecurityEventID, c.name)
	if d.who.succeeded() {
		e.SetString(event.SecurityResult, "success")
	} else {
		e.SetString(event.SecurityResult, "failure")
	}
	if d.capset != nil {
		e.SetText(event.SecurityDetails, d.capset)
		return e
	}
	name := c.name
	if len(name) > 2 && name[len(name)-2:] == "32" {
		name = name[:len(name)-2]
	}
	d.value = append(d.value[:0], name...)
	d.value = append(d.value, '(')
	for i := range int8(min(privilegeArgs[name], len(d.who.args))) {
		if i > 0 {
			d.value = append(d.value, ", "...)
		}
		d.value = strconv.AppendInt(d.value, int64(int32(uint32(d.who.arg(i)))), 10)
	}
	d.value = append(d.value, ')')
	e.SetText(event.SecurityDetails, d.value)
	return e
}
