// SPDX-License-Identifier: Apache-2.0

// This file says which field of an event goes into which column of its kind's
// table (schema.sql), and writes the rows. Process events are in process.go.

package monitordb

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"seismo/internal/event"
)

// storage is how a column holds a value.
type storage uint8

const (
	asNumber  storage = iota // the number itself
	asStr                    // number of a str
	asPath                   // number of a path
	asAddress                // number of a str that is the address in text
	asHash                   // number of a str that is the hashes joined by commas
	asValue                  // the text itself: seldom the same twice
	asList                   // a JSON array
)

type column struct {
	name  string
	field event.Field
	as    storage
}

// tables has the own columns of each kind. Every field of a kind is either here
// or follows from one that is (TestEveryFieldIsStored).
var tables = [...][]column{
	event.KindFile: {
		{"path", event.FilePath, asPath}, {"target", event.FileTargetPath, asPath},
		{"mode", event.FileMode, asNumber}, {"owner", event.FileOwner, asNumber},
		{"inode", event.FileInode, asNumber}, {"path_status", event.FilePathStatus, asStr}},
	event.KindNetwork: {
		{"direction", event.NetworkDirection, asStr}, {"protocol", event.NetworkProtocol, asStr},
		{"address", event.NetworkAddress, asAddress}, {"port", event.NetworkPort, asNumber},
		{"source_address", event.NetworkSourceAddress, asAddress}, {"source_port", event.NetworkSourcePort, asNumber},
		{"destination_address", event.NetworkDestinationAddress, asAddress}, {"destination_port", event.NetworkDestinationPort, asNumber},
		{"path", event.NetworkPath, asPath}, {"result", event.NetworkResult, asNumber},
		{"ends_known", event.NetworkEndsKnown, asStr}},
	event.KindRegistry: {
		{"key_path", event.RegistryKeyPath, asPath}, {"value_name", event.RegistryValueName, asStr},
		{"value_data", event.RegistryValueData, asValue}},
	event.KindImage: {
		{"path", event.ImagePath, asPath}, {"hash", event.ImageHash, asHash},
		{"signature_status", event.ImageSignatureStatus, asStr}, {"signature_issuer", event.ImageSignatureIssuer, asStr},
		{"signature_subject", event.ImageSignatureSubject, asStr}},
	event.KindDriver: {
		{"path", event.DriverPath, asPath}, {"name", event.DriverName, asStr}, {"hash", event.DriverHash, asHash},
		{"signature_status", event.DriverSignatureStatus, asStr}, {"signature_issuer", event.DriverSignatureIssuer, asStr},
		{"signature_subject", event.DriverSignatureSubject, asStr}},
	event.KindDNS: {
		{"query", event.DNSQuery, asStr}, {"response", event.DNSResponse, asValue},
		{"type", event.DNSType, asStr}, {"status", event.DNSStatus, asStr},
		{"server_address", event.DNSServerAddress, asAddress}, {"client_address", event.DNSClientAddress, asAddress},
		{"client_port", event.DNSClientPort, asNumber}, {"protocol", event.DNSProtocol, asStr},
		{"exchange", event.DNSTransaction, asStr}, {"attribution", event.DNSAttribution, asStr}},
	event.KindSecurity: {
		{"event_id", event.SecurityEventID, asStr}, {"result", event.SecurityResult, asStr},
		{"target_user", event.SecurityTargetUser, asStr}, {"source_address", event.SecuritySourceAddress, asAddress},
		{"logon_type", event.SecurityLogonType, asStr}, {"details", event.SecurityDetails, asValue}},
	event.KindSyscall: {
		{"name", event.SyscallName, asStr}, {"arguments", event.SyscallArguments, asList},
		{"result", event.SyscallResult, asNumber}, {"path", event.SyscallPath, asPath},
		{"target_pid", event.SyscallTargetPID, asNumber}},
	event.KindRecord: {
		{"type", event.RecordType, asStr}, {"text", event.RecordText, asValue}},
}

// eventTables are all tables whose row ids are ids of events, besides proc.event.
func eventTables() []string {
	names := []string{"proc_end", "proc_attr"}
	for k := range tables {
		if tables[k] != nil {
			names = append(names, event.Kind(k).String())
		}
	}
	return names
}

// insertEventSQL returns the statement that adds an event of kind k. The common
// columns come first.
func insertEventSQL(k event.Kind) string {
	names := []string{"id", "proc", "op", "identity", "serial", "flags"}
	for _, c := range tables[k] {
		names = append(names, c.name)
	}
	return "INSERT INTO " + k.String() + " (" + strings.Join(names, ", ") + ") VALUES (" +
		strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ") + ")"
}

// insertEvent writes an event that is of no process kind.
func (db *DB) insertEvent(e *event.Event, proc driver.Value) error {
	s := db.st.insertEvent[e.Kind]
	if s == nil {
		return fmt.Errorf("event %d: kind %d has no table", e.ID, e.Kind)
	}
	who, err := db.dict.eventIdentity(e)
	if err != nil {
		return err
	}
	s.set(0, int64(e.ID), proc, int64(e.Op), who, orNull(int64(e.Serial)), int64(e.Flags))
	for i, c := range tables[e.Kind] {
		v, err := db.columnValue(e, c)
		if err != nil {
			return fmt.Errorf("event %d, %s: %w", e.ID, event.Describe(c.field).Name, err)
		}
		s.set(6+i, v)
	}
	if _, err := s.run(); err != nil {
		return fmt.Errorf("event %d of kind %s: %w", e.ID, e.Kind, err)
	}
	return nil
}

// columnValue returns what column c holds for e, NULL where e has no value.
func (db *DB) columnValue(e *event.Event, c column) (driver.Value, error) {
	switch c.as {
	case asNumber:
		if n, ok := e.Int(c.field); ok {
			return n, nil
		}
	case asStr:
		if v, ok := e.Text(c.field); ok {
			return db.dict.str(v)
		}
	case asPath:
		if v, ok := e.Text(c.field); ok {
			return db.dict.path(v)
		}
	case asValue:
		if v, ok := e.Text(c.field); ok {
			return textValue(string(v)), nil
		}
	case asAddress:
		if a, ok := e.Addr(c.field); ok {
			db.scratch = a.AppendTo(db.scratch[:0])
			return db.dict.str(db.scratch)
		}
	case asHash:
		if e.Has(c.field) {
			return db.dict.strOf(joinHashes(elements(e, c.field)))
		}
	case asList:
		if e.Has(c.field) {
			return string(appendStrings(nil, elements(e, c.field))), nil
		}
	}
	return nil, nil
}

func elements(e *event.Event, f event.Field) []string {
	var list []string
	for v := range e.Elements(f) {
		list = append(list, string(v))
	}
	return list
}
