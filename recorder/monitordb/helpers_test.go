// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/signals"
)

// testClock is what the databases of tests take for now.
func testClock() time.Time { return time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC) }

func openDB(t testing.TB, path string, o Options) *DB {
	t.Helper()
	if o.Now == nil {
		o.Now = testClock
	}
	db, err := Open(path, o)
	if err != nil {
		t.Fatalf("Open(%q): %v", path, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func newDB(t testing.TB) *DB {
	t.Helper()
	return openDB(t, filepath.Join(t.TempDir(), "monitor.db"), Options{})
}

func write(t testing.TB, db *DB, batches ...*event.Batch) {
	t.Helper()
	if err := db.Write(context.Background(), batches); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// ask returns the rows that a query gives, values separated by |.
func ask(t testing.TB, path, query string) []string {
	t.Helper()
	r, err := OpenReader(path)
	if err != nil {
		t.Fatalf("OpenReader(%q): %v", path, err)
	}
	defer r.Close()
	var out []string
	_, err = r.Query(context.Background(), query, QueryOptions{}, func([]string) error { return nil },
		func(values []any) error { out = append(out, line(values)); return nil })
	if err != nil {
		t.Fatalf("Query(%q): %v", query, err)
	}
	return out
}

func line(values []any) string {
	cells := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			cells[i] = "NULL"
		case []byte:
			cells[i] = "x'" + hex.EncodeToString(v) + "'"
		default:
			cells[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(cells, "|")
}

func wantRows(t testing.TB, path, query string, want ...string) {
	t.Helper()
	got := ask(t, path, query)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\n got %q\nwant %q", query, got, want)
	}
}

// base is when the events of tests begin: 2020-11-10 08:14:56.155 UTC.
const base = int64(1604996096155) * 1e6

// process returns a process that began n seconds after base.
func process(n int, path string, args ...string) *event.Process {
	return &event.Process{ID: event.ProcessKey(0xfedcba9876540000 + uint64(n)), PID: int32(1000 + n), Start: base + int64(n)*1e9,
		Path: path, Args: args, CommandLine: strings.Join(args, " "), Cwd: "/root", TTY: "pts0", Boot: "boot-1",
		UserID: 1000, UserName: "ann", GroupID: 100, GroupName: "users", LoginUserID: 1000, LoginUserName: "ann", Session: 7}
}

// adder fills a batch with events a millisecond apart.
type adder struct {
	b   *event.Batch
	ids *event.IDs
	n   int64
}

func newAdder(ids *event.IDs) *adder {
	b := event.NewBatch(16)
	b.Platform = "linux"
	return &adder{b: b, ids: ids}
}

func (a *adder) add(k event.Kind, op event.Op, p *event.Process) *event.Event {
	e := a.b.Add(k, op)
	e.Time = base + a.n*1e6
	a.n++
	e.Serial = 90000 + uint64(a.n)
	if p != nil {
		e.Process, e.PID, e.PPID = p, p.PID, p.PPID
	}
	e.ID = a.ids.Next(e.Time)
	return e
}

// everyKind returns a batch with at least one event of each kind and operation
// that the tables treat in a way of its own.
func everyKind(ids *event.IDs) *event.Batch {
	a := newAdder(ids)
	init := process(0, "/usr/lib/systemd/systemd", "/sbin/init")
	init.SeenRunning, init.Start, init.PID = true, base-3600e9, 1
	shell := process(1, "/bin/bash", "-bash")
	shell.Parent, shell.PPID, shell.Start = init, 1, base
	fork := process(2, "/bin/bash", "-bash")
	fork.Parent, fork.Forked = shell, true
	curl := process(3, "/tmp/.x/curl", "curl", "-o", "a b", "http://x/")
	curl.Parent, curl.PPID, curl.Previous, curl.ContainerID = shell, shell.PID, fork, "c0ffee"
	curl.Hash = []string{"MD5=00ff", "SHA256=abcd"}

	e := a.add(event.KindProcess, event.OpCreate, shell)
	e.SetInt(event.UserID, 1000)
	e.SetString(event.UserName, "ann")
	e.SetInt(event.UserEffectiveID, 0)
	e.SetString(event.UserEffectiveName, "root")
	e = a.add(event.KindProcess, event.OpCreate, curl)
	curl.Start = e.Time

	e = a.add(event.KindFile, event.OpWrite, curl)
	e.SetString(event.FilePath, "/tmp/.x/a b.sh")
	e.SetString(event.FileName, "a b.sh")
	e.SetString(event.FileExtension, "sh")
	e.SetInt(event.FileMode, 0o100644)
	e.SetInt(event.FileOwner, 0)
	e.SetInt(event.FileInode, 131074)
	e.SetInt(event.UserEffectiveID, 0)
	e.Flags = event.Truncated
	e = a.add(event.KindFile, event.OpRename, curl)
	e.SetString(event.FilePath, "x")
	e.SetString(event.FileTargetPath, "/etc/cron.d/x")
	e.SetString(event.FilePathStatus, "partial")

	e = a.add(event.KindNetwork, event.OpConnect, curl)
	e.SetString(event.NetworkDirection, "outbound")
	e.SetString(event.NetworkProtocol, "tcp")
	e.SetAddr(event.NetworkAddress, netip.MustParseAddr("192.0.2.7"))
	e.SetInt(event.NetworkPort, 443)
	e.SetAddr(event.NetworkDestinationAddress, netip.MustParseAddr("192.0.2.7"))
	e.SetInt(event.NetworkDestinationPort, 443)
	e.SetInt(event.NetworkResult, -115)
	e = a.add(event.KindNetwork, event.OpAccept, shell)
	e.SetAddr(event.NetworkSourceAddress, netip.MustParseAddr("2001:db8::1"))
	e.SetInt(event.NetworkSourcePort, 50000)
	e = a.add(event.KindNetwork, event.OpConnect, shell)
	e.SetString(event.NetworkProtocol, "unix")
	e.SetString(event.NetworkPath, "@/tmp/dbus")

	e = a.add(event.KindRegistry, event.OpSetValue, shell)
	e.SetString(event.RegistryKeyPath, `HKLM\Software\Run`)
	e.SetString(event.RegistryValueName, "x")
	e.SetString(event.RegistryValueData, `C:\x.exe`)
	e = a.add(event.KindImage, event.OpLoad, shell)
	e.SetString(event.ImagePath, "/lib/x.so")
	e.AppendElement(event.ImageHash, []byte("SHA256=01"))
	e.SetString(event.ImageSignatureStatus, "Valid")
	e.SetString(event.ImageSignatureIssuer, "CA")
	e.SetString(event.ImageSignatureSubject, "Maker")
	e = a.add(event.KindDriver, event.OpLoad, shell)
	e.SetString(event.DriverPath, "/lib/modules/x.ko")
	e.SetString(event.DriverName, "x")
	e.AppendElement(event.DriverHash, []byte("SHA256=02"))
	e.SetString(event.DriverSignatureStatus, "Unsigned")
	e = a.add(event.KindDNS, event.OpQuery, curl)
	e.SetString(event.DNSQuery, "example.org")
	e.SetString(event.DNSResponse, "192.0.2.7")
	e.SetString(event.DNSType, "A")
	e.SetString(event.DNSStatus, "0")
	e = a.add(event.KindSecurity, event.OpAuthenticate, shell)
	e.SetString(event.SecurityEventID, "USER_AUTH")
	e.SetString(event.SecurityResult, "failure")
	e.SetString(event.SecurityTargetUser, "root")
	e.SetAddr(event.SecuritySourceAddress, netip.MustParseAddr("198.51.100.9"))
	e.SetString(event.SecurityLogonType, "ssh")
	e.SetString(event.SecurityDetails, "PAM:authentication")
	e = a.add(event.KindSyscall, event.OpCall, shell)
	e.SetString(event.SyscallName, "ptrace")
	for _, v := range []string{"10", "3e8", "0", "0"} {
		e.AppendElement(event.SyscallArguments, []byte(v))
	}
	e.SetInt(event.SyscallResult, -1)
	e.SetString(event.SyscallPath, "/proc/1/mem")
	e = a.add(event.KindRecord, event.OpRecord, nil)
	e.PID, e.Host = 1, "web1"
	e.SetString(event.RecordType, "SERVICE_START")
	e.SetString(event.RecordText, "pid=1 unit=cron")
	e.SetString(event.ProcessPath, "/usr/lib/systemd/systemd")
	e.AddRecordType(1130)
	e.AddOwn(0, []byte("unit"), []byte("cron"))
	e.AddOwn(0, []byte("msg"), []byte{0xff, 'x'})

	a.add(event.KindProcess, event.OpUpdate, curl).AppendElement(event.ProcessHash, []byte("SHA256=beef"))
	e = a.add(event.KindProcess, event.OpEnd, curl)
	e.SetInt(event.ProcessExitCode, 137)
	e.SetInt(event.ProcessEndTime, e.Time+5e6)
	a.b.Losses = append(a.b.Losses, event.Loss{From: base, To: base + 2e9, Reason: event.LossKernel, Count: 12, Unit: "records", Detail: "lost counter"},
		event.Loss{From: base, To: base, Reason: event.LossOversize, Kind: event.KindFile, Unit: "events"})
	return a.b
}

// definitions returns n signals.
func definitions(n int) []signals.Definition {
	defs := make([]signals.Definition, n)
	for i := range defs {
		defs[i] = signals.Definition{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Revision: fmt.Sprintf("%016x", 0xabc0+i),
			Name: fmt.Sprintf("signal %d", i), Severity: signals.High, Techniques: []string{"T1059.004"},
			Platforms: []string{"linux"}, Text: "process.path ends with '/curl'"}
	}
	return defs
}

func setDefinitions(t testing.TB, db *DB, defs []signals.Definition) {
	t.Helper()
	if err := db.SetDefinitions(context.Background(), defs, "digest"); err != nil {
		t.Fatalf("SetDefinitions: %v", err)
	}
}
