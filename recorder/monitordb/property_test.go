// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

// hostile draws bytes that a kernel may hand on: text, blanks, separators,
// quotes, control bytes, NUL, and what is no UTF-8.
func hostile() *rapid.Generator[string] {
	part := rapid.OneOf(rapid.SampledFrom([]string{"", "/", "\\", " ", "  ", ".", "'", "\"", "\x00", "\xff", "\xc3", "é", "\x1b[2J", "\n", "a", "b.c", "/etc/", "[", ",", "%", "\u202e"}),
		rapid.String(), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) }))
	return rapid.Map(rapid.SliceOfN(part, 0, 5), func(p []string) string { return strings.Join(p, "") })
}

// textColumns are where each string of an event comes back: view and column.
var textColumns = []struct {
	field        event.Field
	view, column string
}{
	{event.FilePath, "file_events", "file"}, {event.FileTargetPath, "file_events", "target_file"}, {event.FilePathStatus, "file_events", "path_status"},
	{event.NetworkDirection, "network_events", "direction"}, {event.NetworkProtocol, "network_events", "protocol"}, {event.NetworkPath, "network_events", "socket_path"},
	{event.RegistryKeyPath, "registry_events", "key_path"}, {event.RegistryValueName, "registry_events", "value_name"}, {event.RegistryValueData, "registry_events", "value_data"},
	{event.ImagePath, "image_events", "path"}, {event.ImageSignatureStatus, "image_events", "signature_status"},
	{event.DriverPath, "driver_events", "ImageLoaded"}, {event.DriverName, "driver_events", "name"}, {event.DriverSignatureSubject, "driver_events", "Signature"},
	{event.DNSQuery, "dns_events", "query"}, {event.DNSResponse, "dns_events", "response"}, {event.DNSStatus, "dns_events", "status"},
	{event.SecurityEventID, "security_events", "event_id"}, {event.SecurityTargetUser, "security_events", "target_user"}, {event.SecurityDetails, "security_events", "details"},
	{event.SyscallName, "syscall_events", "syscall_name"}, {event.SyscallPath, "syscall_events", "path"},
	{event.RecordType, "record_events", "type"}, {event.RecordText, "record_events", "text"},
	{event.UserName, "", "event_user_name"}, {event.UserEffectiveName, "", "effective_user_name"}, {event.UserLoginName, "", "login_user_name"},
}

// Every string that is put into a batch comes back byte by byte, whatever it is.
func TestStringsComeBack(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, filepath.Join(dir, "monitor.db"), Options{cacheSize: 3})
	ids := db.IDs()
	r := reader(t, db.path)
	key := event.ProcessKey(1)
	rapid.Check(t, func(rt *rapid.T) {
		b := event.NewBatch(16)
		b.Platform = rapid.SampledFrom([]string{"linux", "windows", ""}).Draw(rt, "platform")
		key++
		p := &event.Process{ID: key, PID: 5, Start: base, UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
		for _, s := range []*string{&p.Path, &p.Cwd, &p.TTY, &p.ContainerID, &p.UserName, &p.GroupName, &p.LoginUserName, &p.Host, &p.Boot} {
			*s = hostile().Draw(rt, "process")
		}
		if rapid.Bool().Draw(rt, "args known") {
			p.Args = rapid.SliceOfN(hostile(), 0, 4).Draw(rt, "args")
			p.CommandLine = strings.Join(p.Args, " ")
		} else {
			p.CommandLine = hostile().Draw(rt, "command line")
		}
		create := b.Add(event.KindProcess, event.OpCreate)
		create.Time, create.Process = base, p
		want := map[event.Field]string{}
		events := map[event.Kind]*event.Event{}
		for _, k := range event.Kinds()[1:] {
			e := b.Add(k, event.Ops(k)[0])
			e.Time, e.Process = base, p
			events[k] = e
			for _, c := range textColumns {
				if in := event.Describe(c.field); in.Kinds.Has(k) && rapid.Bool().Draw(rt, "set") {
					v := hostile().Draw(rt, in.Name)
					if c.view == "" && k != event.KindFile {
						continue
					}
					want[c.field] = v
					e.SetString(c.field, v)
				}
			}
		}
		elements := rapid.SliceOfN(hostile(), 1, 3).Draw(rt, "elements")
		for _, v := range elements {
			events[event.KindSyscall].AppendElement(event.SyscallArguments, []byte(v))
		}
		own := hostile().Draw(rt, "own")
		events[event.KindRecord].AddOwn(0, []byte("own"), []byte(own))
		ids.Assign(b)
		if err := db.Write(context.Background(), []*event.Batch{b}); err != nil {
			rt.Fatal(err)
		}

		one := func(query string) []any {
			var got []any
			if _, err := r.Query(context.Background(), query, QueryOptions{}, func([]string) error { return nil },
				func(v []any) error { got = v; return nil }); err != nil || got == nil {
				rt.Fatalf("%s: %v, %v", query, got, err)
			}
			return got
		}
		for _, c := range textColumns {
			view, kind := c.view, event.KindFile
			if view == "" {
				view = "file_events"
			} else {
				kind, _ = event.ParseKind(strings.TrimSuffix(view, "_events"))
			}
			got := one(fmt.Sprintf("SELECT %s FROM %s WHERE id = %d", c.column, view, events[kind].ID))[0]
			v, ok := want[c.field]
			if (got != nil) != ok || ok && !bytes.Equal(raw(got), []byte(v)) {
				rt.Errorf("%s = %q comes back as %q (set: %t)", event.Describe(c.field).Name, v, got, ok)
			}
		}
		row := one(fmt.Sprintf("SELECT process_path, process_cwd, tty, container_id, user_name, group_name, login_user_name, host, boot_id, process_command_line, process_args FROM process_events WHERE id = %d", create.ID))
		for i, v := range []string{p.Path, p.Cwd, p.TTY, p.ContainerID, p.UserName, p.GroupName, p.LoginUserName, p.Host, p.Boot, p.CommandLine} {
			if !bytes.Equal(raw(row[i]), []byte(v)) {
				rt.Errorf("process string %d = %q comes back as %q", i, v, row[i])
			}
		}
		if got := list(rt, row[10]); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", p.Args) || (got == nil) != (p.Args == nil) {
			rt.Errorf("args %q come back as %q (%s)", p.Args, got, row[10])
		}
		if got := list(rt, one(fmt.Sprintf("SELECT arguments FROM syscall_events WHERE id = %d", events[event.KindSyscall].ID))[0]); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", elements) {
			rt.Errorf("syscall.arguments %q come back as %q", elements, got)
		}
		if got := one(fmt.Sprintf("SELECT json_extract(own_fields, '$[0][2]') FROM record_events WHERE id = %d", events[event.KindRecord].ID))[0]; string(unhex(got)) != own {
			rt.Errorf("own field %q comes back as %q", own, got)
		}
	})
}

func raw(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	}
	return nil
}

// unhex undoes {"hex":"…"}.
func unhex(v any) []byte {
	var h struct{ Hex string }
	s := raw(v)
	if json.Unmarshal(s, &h) == nil && h.Hex != "" {
		if b, err := hex.DecodeString(h.Hex); err == nil {
			return b
		}
	}
	return s
}

// list reads a JSON array of strings and {"hex":"…"}.
func list(t *rapid.T, v any) []string {
	if v == nil {
		return nil
	}
	var items []any
	if err := json.Unmarshal(raw(v), &items); err != nil {
		t.Fatalf("%q is no JSON array: %v", v, err)
	}
	out := []string{}
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			b, err := hex.DecodeString(m["hex"].(string))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(b))
		} else {
			out = append(out, i.(string))
		}
	}
	return out
}

// A line and its arguments are told apart from others that look alike.
func TestSplitsAtBlanks(t *testing.T) {
	tests := []struct {
		line string
		args []string
		want bool
	}{
		{"ls -l", []string{"ls", "-l"}, true},
		{"ls  -l", []string{"ls", "", "-l"}, true},
		{"ls ", []string{"ls", ""}, true},
		{"", []string{""}, true},
		{"", []string{}, false},
		{"", []string{"", ""}, false},
		{"a b", []string{"a b"}, false},
		{"a b", []string{"a"}, false},
		{"a", []string{"a", "b"}, false},
		{"b", []string{"a"}, false},
		{"a\x00", []string{"a\x00"}, false},
		{"\xff", []string{"\xff"}, false},
	}
	for _, tt := range tests {
		if got := splitsAtBlanks(tt.line, tt.args); got != tt.want {
			t.Errorf("splitsAtBlanks(%q, %q) = %t, want %t", tt.line, tt.args, got, tt.want)
		}
	}
}
