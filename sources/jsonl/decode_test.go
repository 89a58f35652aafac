// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
)

func TestParseTime(t *testing.T) {
	tests := []struct{ in, want string }{
		{"2026-04-20T10:00:35.646624Z", "2026-04-20T10:00:35.646624Z"},
		{"2026-04-20T10:00:35Z", "2026-04-20T10:00:35Z"},
		{"2026-04-20 10:00:35.640", "2026-04-20T10:00:35.64Z"},
		{"2026-04-20t10:00:35,5z", "2026-04-20T10:00:35.5Z"},
		{"2026-04-20T10:00:35+02:00", "2026-04-20T08:00:35Z"},
		{"2026-04-20 10:00:35.1234567891234 -0130", "2026-04-20T11:30:35.123456789Z"},
		{"2026-04-20 10:00:35 +05", "2026-04-20T05:00:35Z"},
		{" 2026-04-20 10:00:35 UTC ", "2026-04-20T10:00:35Z"},
		{"2024-02-29", "2024-02-29T00:00:00Z"},
		{"2000-12-31T23:59:60Z", "2001-01-01T00:00:00Z"},
		{"1776679235", "2026-04-20T10:00:35Z"},
		{"1776679235.25", "2026-04-20T10:00:35.25Z"},
		{"1776679235646", "2026-04-20T10:00:35.646Z"},
		{"1776679235646624", "2026-04-20T10:00:35.646624Z"},
		{"1776679235646624123", "2026-04-20T10:00:35.646624123Z"},
		{"/Date(1776679235646)/", "2026-04-20T10:00:35.646Z"},
		{"2023-02-29", ""}, {"2026-13-01", ""}, {"2026-00-10", ""}, {"2026-04-20T24:00:00Z", ""}, {"2026-04-20T10:00", ""},
		{"2026-04-20T10:00:35X", ""}, {"2026-04-20T10:00:35+25:00", ""}, {"1969-12-31T23:59:59Z", ""}, {"2500-01-01", ""},
		{"", ""}, {"12", ""}, {"1776679235.x", ""}, {"yesterday", ""}, {"-1776679235", ""}, {"99999999999999999999", ""},
	}
	for _, tt := range tests {
		got := ""
		if ns, ok := parseTime([]byte(tt.in)); ok {
			got = time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
		}
		if got != tt.want {
			t.Errorf("parseTime(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// What parseTime makes of RFC 3339 is what package time makes of it.
func FuzzParseTime(f *testing.F) {
	f.Add(int64(0), int16(0))
	f.Add(int64(951782400e9), int16(-90))
	f.Fuzz(func(t *testing.T, ns int64, minutes int16) {
		in := time.Unix(0, ns).In(time.FixedZone("", int(minutes)%1440*60)).Format(time.RFC3339Nano)
		got, ok := parseTime([]byte(in))
		if ns >= 0 && ns/1e9 <= maxTime && (!ok || got != ns) {
			t.Errorf("parseTime(%q) = %d, %v, want %d", in, got, ok, ns)
		}
		if ns < 0 && ok {
			t.Errorf("parseTime(%q) = %d: before 1970", in, got)
		}
	})
}

// An object without a time has that of the one before.
func TestTimes(t *testing.T) {
	in := `{"a":1}
{"UtcTime":"2026-01-01 00:00:01.000","@timestamp":"2027-01-01T00:00:00Z"}
{"a":2,"time":"never"}
{"ts":1776679235}
`
	var got []string
	read(t, strings.NewReader(in), StreamOptions{}, func(b *event.Batch) {
		for _, e := range b.Events() {
			got = append(got, time.Unix(0, e.Time).UTC().Format(time.DateTime))
		}
	})
	want := "1970-01-01 00:00:00|2026-01-01 00:00:01|2026-01-01 00:00:01|2026-04-20 10:00:35"
	if strings.Join(got, "|") != want {
		t.Errorf("times %s, want %s", strings.Join(got, "|"), want)
	}
}

// registryFields returns the registry fields of e; of its process, if that began, those
// that the record told.
func registryFields(e *event.Event) string {
	var out []string
	for _, f := range event.Fields() {
		if !e.Has(f.Field) || f.Scope == event.ScopeParent || f.Scope == event.ScopeAncestor || f.Column() == "operation" ||
			f.Field == event.FileResultPath || e.Process != nil && e.Kind != event.KindProcess && f.Scope == event.ScopeProcess ||
			f.Field == event.ProcessID || f.Field == event.ProcessPID || f.Field == event.ProcessSeenRunning {
			continue
		}
		switch v, ok := e.Text(f.Field); {
		case f.Type == event.Address:
			a, _ := e.Addr(f.Field)
			out = append(out, fmt.Sprintf("%s=%s", f.Name, a))
		case f.Type == event.List || f.Type == event.Hash:
			var list []string
			for el := range e.Elements(f.Field) {
				list = append(list, string(el))
			}
			out = append(out, fmt.Sprintf("%s=%q", f.Name, list))
		case ok && f.Type == event.String:
			out = append(out, fmt.Sprintf("%s=%s", f.Name, v))
		default:
			n, _ := e.Int(f.Field)
			out = append(out, fmt.Sprintf("%s=%d", f.Name, n))
		}
	}
	return strings.Join(out, " ")
}

func TestRegistryFields(t *testing.T) {
	sysmon := func(id int, rest string) string {
		return fmt.Sprintf(`{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":%d,%s}`, id, rest)
	}
	tests := []struct{ name, in, want string }{
		{"a file", sysmon(11, `"TargetFilename":"C:\\a\\b.tar.gz","CreationUtcTime":"1970-01-01 00:00:01.000"`),
			`file.path=C:\a\b.tar.gz file.name=b.tar.gz file.extension=gz file.creation_time=1000000000`},
		{"a connection", sysmon(3, `"Protocol":"tcp","Initiated":"true","SourceIp":"10.0.0.1","SourcePort":"50000","DestinationIp":"::ffff:10.0.0.2","DestinationPort":443`),
			`network.direction=outbound network.protocol=tcp network.address=10.0.0.2 network.port=443 network.source_address=10.0.0.1 network.source_port=50000 ` +
				`network.destination_address=10.0.0.2 network.destination_port=443 network.initiated=true`},
		{"a connection that was taken", sysmon(3, `"Initiated":"false","SourceIp":"10.0.0.1","SourcePort":"50000","DestinationIp":"10.0.0.2","DestinationPort":443`),
			`network.direction=inbound network.address=10.0.0.1 network.port=50000 network.source_address=10.0.0.1 network.source_port=50000 ` +
				`network.destination_address=10.0.0.2 network.destination_port=443 network.initiated=false`},
		{"values that do not fit", sysmon(3, `"SourceIp":"-","SourcePort":"x","DestinationIp":"host","DestinationPort":"0x1bb"`),
			`network.direction=outbound network.port=443 network.destination_port=443 network.initiated=true`},
		{"a dash for nothing", sysmon(1, `"Image":"C:\\p.exe","Company":"-","Hashes":"-","ParentUser":"-","LogonGuid":"-"`),
			`process.path=C:\p.exe process.name=p.exe`},
		{"a registry value", sysmon(13, `"TargetObject":"HKLM\\Run\\x","Details":"y","EventType":"SetValue"`),
			`registry.key_path=HKLM\Run\x registry.value_name=x registry.value_data=y`},
		{"hashes", sysmon(7, `"ImageLoaded":"C:\\x.dll","Hashes":"SHA1=0123456789ABCDEF0123456789ABCDEF01234567,MD5=?,IMPHASH=0123456789abcdef0123456789abcdef"`),
			`image.path=C:\x.dll image.hash=["SHA1=0123456789ABCDEF0123456789ABCDEF01234567" "IMPHASH=0123456789abcdef0123456789abcdef"]`},
		{"a driver", sysmon(6, `"ImageLoaded":"C:\\d\\x.sys","Signed":true`), `driver.path=C:\d\x.sys driver.name=x.sys driver.signed=true`},
		{"a name", sysmon(22, `"QueryName":"example.com","QueryStatus":"0"`), `dns.query=example.com dns.status=0`},
		{"a logon", `{"Channel":"Security","EventID":4624,"TargetUserName":"bob","LogonType":3,"IpAddress":"10.0.0.1"}`,
			`security.event_id=4624 security.target_user=bob security.source_address=10.0.0.1 security.logon_type=3`},
		{"a process", sysmon(1, `"Image":"C:\\p.exe","CommandLine":"p","User":"D\\u","OriginalFileName":"o","ProcessId":"0x10"`),
			`process.path=C:\p.exe process.name=p.exe process.command_line=p process.user_name=D\u process.original_file_name=o`},
		{"hashes with names of their own", `{"md5":"0123456789abcdef0123456789abcdef","CommandLine":"x","sha256":"-","logsource":{"category":"process_creation"}}`,
			`process.command_line=x process.hash=["MD5=0123456789abcdef0123456789abcdef"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			oneEvent(t, tt.in, StreamOptions{}, func(e *event.Event) {
				if got := registryFields(e); got != tt.want {
					t.Errorf("%s:\n got %s\nwant %s", tt.in, got, tt.want)
				}
			})
		})
	}
}

// Processes are told apart by computer and GUID; without one by computer, pid and the
// record of their start; what names none is alone.
func TestProcesses(t *testing.T) {
	line := func(host string, id int, rest string) string {
		channel := "Microsoft-Windows-Sysmon/Operational"
		if id > 1000 {
			channel = "Security"
		}
		return fmt.Sprintf(`{"Channel":%q,"EventID":%d,"Computer":%q,"UtcTime":"2026-01-01 00:00:0%d.000",%s}`+"\n", channel, id, host, id%7, rest)
	}
	in := line("a", 1, `"ProcessGuid":"{AAAAAAAA-1}","ProcessId":10,"Image":"C:\\one.exe","CommandLine":"one","ParentProcessGuid":"{BBBBBBBB-1}","ParentImage":"C:\\parent.exe"`) +
		line("a", 1, `"ProcessGuid":"aaaaaaaa-2","ProcessId":10,"Image":"C:\\two.exe","ParentProcessGuid":"AAAAAAAA-1","ParentImage":"C:\\not-asked.exe"`) +
		line("b", 3, `"ProcessGuid":"aaaaaaaa-2","ProcessId":10,"Image":"C:\\other.exe"`) +
		line("a", 11, `"ProcessGuid":"{AAAAAAAA-2}","ProcessId":10,"Image":"C:\\two.exe"`) +
		line("a", 11, `"ProcessGuid":"{00000000-0000-0000-0000-000000000000}","TargetFilename":"C:\\f"`) +
		line("b", 4688, `"NewProcessId":"0x14","NewProcessName":"C:\\three.exe","ProcessId":"0xb"`) +
		line("b", 4689, `"ProcessId":"0x14","ProcessName":"C:\\three.exe"`) +
		line("b", 4689, `"ProcessId":"0x14","ProcessName":"C:\\else.exe"`) +
		line("a", 4689, `"ProcessId":"0x14","ProcessName":"C:\\three.exe"`)
	want := []string{`C:\one.exe<C:\parent.exe`, `C:\two.exe<C:\one.exe<C:\parent.exe`, `C:\other.exe`, `C:\two.exe<C:\one.exe<C:\parent.exe`, "alone",
		`C:\three.exe`, `C:\three.exe`, "alone", "alone"}
	var got []string
	keys := map[string]event.ProcessKey{}
	read(t, strings.NewReader(in), StreamOptions{}, func(b *event.Batch) {
		for _, e := range b.Events() {
			if e.Process == nil {
				got = append(got, "alone")
				continue
			}
			var chain []string
			for p := range e.Process.Ancestry() {
				chain = append(chain, p.Path)
			}
			at := e.Host + strings.Join(chain, "<")
			if id, ok := keys[at]; ok && id != e.Process.ID {
				t.Errorf("%s has two ids", at)
			}
			keys[at] = e.Process.ID
			got = append(got, strings.Join(chain, "<"))
		}
	})
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("processes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
