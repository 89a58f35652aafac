// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
)

// read returns what is read of in, one batch after the other.
func read(t *testing.T, in io.Reader, o StreamOptions, each func(*event.Batch)) *Stream {
	t.Helper()
	s := NewStream(in, o)
	b := event.NewBatch(10)
	for {
		err := s.Read(context.Background(), b)
		if errors.Is(err, io.EOF) {
			return s
		}
		if err != nil {
			t.Fatalf("Read = %v", err)
		}
		each(b)
		b.Reset()
	}
}

// oneEvent reads in, which is one object, and calls f with its event.
func oneEvent(t *testing.T, in string, o StreamOptions, f func(*event.Event)) {
	t.Helper()
	n := 0
	read(t, strings.NewReader(in), o, func(b *event.Batch) {
		for _, l := range b.Losses {
			t.Errorf("%s: %s", in, l.Detail)
		}
		for _, e := range b.Events() {
			n++
			f(e)
		}
	})
	if n != 1 {
		t.Errorf("%s: %d events, want 1", in, n)
	}
}

// own returns the own fields of e as name=value.
func own(e *event.Event) (out []string) {
	for f := range e.Own() {
		out = append(out, fmt.Sprintf("%s=%s", f.Name, f.Value))
	}
	return out
}

// describe returns what e is, in a word each.
func describe(e *event.Event) string {
	var parts []string
	for _, list := range [][]string{e.Logsource.Products, e.Logsource.Categories, e.Logsource.Services} {
		parts = append(parts, strings.Join(list, "+"))
	}
	return fmt.Sprintf("%s %s of %s at %s", e.Kind, e.Op, strings.Join(parts, "/"), e.Host)
}

func TestForms(t *testing.T) {
	const sysmonSystem = `"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}},"EventID":1,"Level":4,` +
		`"TimeCreated":{"#attributes":{"SystemTime":"2026-04-20T10:00:35.646624Z"}},"Correlation":null,` +
		`"Execution":{"#attributes":{"ProcessID":32}},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"pc","Security":{"#attributes":{"UserID":"S-1-5-18"}}}`
	system := []string{"Provider_Name=Microsoft-Windows-Sysmon", "EventID=1", "Level=4", "TimeCreated_SystemTime=2026-04-20T10:00:35.646624Z",
		"Execution_ProcessID=32", "Channel=Microsoft-Windows-Sysmon/Operational", "Computer=pc", "Security_UserID=S-1-5-18"}
	const created = "process create of windows/process_creation/sysmon at pc"
	tests := []struct {
		name, in string
		what     string
		own      []string
	}{
		{"flat, with its logs", `{"Image":"/bin/sh","logsource":{"product":"linux","category":"process_creation"}}`,
			"process create of linux/process_creation/ at ", []string{"Image=/bin/sh"}},
		{"flat, several logs", `{"TargetObject":"k","logsource":{"product":["windows"],"category":["registry_event","registry_set"],"service":["sysmon"]}}`,
			"registry set_value of windows/registry_event+registry_set/sysmon at ", []string{"TargetObject=k"}},
		{"flat, logs by its channel", `{"EventID":"4624","Channel":"Security","Computer":"dc","TargetUserName":"bob"}`,
			"security logon of windows//security at dc", []string{"EventID=4624", "Channel=Security", "Computer=dc", "TargetUserName=bob"}},
		{"nothing tells the logs", `{"a":"b"}`, "record record of // at ", []string{"a=b"}},
		{"a value that is called logsource", `{"logsource":"x"}`, "record record of // at ", []string{"logsource=x"}},
		{"all kinds of value", `{"s":"x","n":-1.50,"t":true,"f":false,"z":null,"a":["1",2,null,[true]],"o":{"p":{"q":"r"}},"e":"","d.e":1}`, "record record of // at ",
			[]string{"s=x", "n=-1.50", "t=true", "f=false", "z|null=", "a=1", "a=2", "a=true", "o.p.q=r", "e=", "d.e=1"}},
		{"objects in an array", `{"a":[{"b":1},{"b":2,"c":3}]}`, "record record of // at ", []string{"a.b=1", "a.b=2", "a.c=3"}},

		{"nested, as evtx_dump writes it", `{"Event":{"#attributes":{"xmlns":"x"},` + sysmonSystem + `,"EventData":{"Image":"C:\\a.exe","ProcessId":7}}}`,
			created, append(slices.Clone(system), `Image=C:\a.exe`, "ProcessId=7")},
		{"nested, attributes beside the element, as chainsaw writes it", `{"Event":{"System":{"Provider_attributes":{"Name":"Microsoft-Windows-Sysmon"},"EventID":1,"Level":4,` +
			`"TimeCreated_attributes":{"SystemTime":"2026-04-20T10:00:35.646624Z"},"Execution_attributes":{"ProcessID":32},"Channel":"Microsoft-Windows-Sysmon/Operational",` +
			`"Computer":"pc","Security_attributes":{"UserID":"S-1-5-18"}},"EventData":{"Image":"C:\\a.exe"}},"Event_attributes":{"xmlns":"x"}}`,
			created, append(slices.Clone(system), `Image=C:\a.exe`)},
		{"nested, attributes with an at sign and a list of Data", `{"Event":{"@xmlns":"x","System":{"Provider":{"@Name":"Microsoft-Windows-Sysmon","@Guid":null},"EventID":{"@Qualifiers":"0","#text":"1"},"Level":"4",` +
			`"TimeCreated":{"@SystemTime":"2026-04-20T10:00:35.646624Z"},"Execution":{"@ProcessID":"32"},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"pc","Security":{"@UserID":"S-1-5-18"}},` +
			`"EventData":{"Data":[{"@Name":"Image","#text":"C:\\a.exe"},{"@Name":"Empty"},{"Name":"Other","text":"o"},{"#attributes":{"Name":"Third"},"#text":"t"}]}}}`,
			created, []string{"Provider_Name=Microsoft-Windows-Sysmon", "EventID_Qualifiers=0", "EventID=1", "Level=4", "TimeCreated_SystemTime=2026-04-20T10:00:35.646624Z",
				"Execution_ProcessID=32", "Channel=Microsoft-Windows-Sysmon/Operational", "Computer=pc", "Security_UserID=S-1-5-18",
				`Image=C:\a.exe`, "Empty=", "Other=o", "Third=t"}},
		{"nested, Data without names", `{"Event":{"System":{"EventID":800,"Channel":"Windows PowerShell","Computer":"pc"},"EventData":{"Data":{"#text":["one","two"]},"Binary":null}}}`,
			"record record of windows/ps_classic_script/powershell-classic at pc", []string{"EventID=800", "Channel=Windows PowerShell", "Computer=pc", "Data=one", "Data=two", "Binary|null="}},
		{"nested, an object for each value", `{"Event":{"System":{"EventID":1,"Channel":"Security"},"EventData":[{"a":"1"},{"Data":{"@Name":"b","#text":"2"}},{"Name":"c","value":3},"d"],"UserData":"text"}}`,
			"record record of windows//security at ", []string{"EventID=1", "Channel=Security", "a=1", "b=2", "c=3", "Data=d", "UserData=text"}},
		{"nested, UserData", `{"Event":{"System":{"EventID":5858,"Channel":"Microsoft-Windows-WMI-Activity/Operational","Computer":"pc"},` +
			`"UserData":{"Operation_ClientFailure":{"#attributes":{"xmlns":"x"},"Id":"{0}","User":"u"}}}}`,
			"record record of windows//wmi at pc", []string{"EventID=5858", "Channel=Microsoft-Windows-WMI-Activity/Operational", "Computer=pc", "Id={0}", "User=u"}},
		{"nested, without the Event around it", `{"System":{"EventID":1,"Channel":"Security","Computer":"pc"},"EventData":{"a":"b"},"more":"m"}`,
			"record record of windows//security at pc", []string{"EventID=1", "Channel=Security", "Computer=pc", "a=b", "more=m"}},
		{"nested, a name of System in EventData as well", `{"Event":{"System":{"EventID":1,"Channel":"Security","Task":5},"EventData":{"Task":"x"}}}`,
			"record record of windows//security at ", []string{"EventID=1", "Channel=Security", "Task=5", "Task=x"}},
		{"nested, with logs of its own", `{"Event":{"System":{"EventID":1,"Channel":"Security"},"EventData":{}},"logsource":{"product":"windows","service":"x"}}`,
			"record record of windows//x at ", []string{"EventID=1", "Channel=Security"}},
		{"nested, the start of a process in the Security log", `{"Event":{"System":{"EventID":4688,"Channel":"Security","Computer":"pc"},"EventData":{"NewProcessName":"C:\\a.exe",` +
			`"ProcessId":"0x14","ParentProcessName":"C:\\b.exe","SubjectUserName":"u","MandatoryLabel":"S-1-16-8192"}}}`,
			"process create of windows/process_creation/security at pc", []string{"EventID=4688", "Channel=Security", "Computer=pc", `NewProcessName=C:\a.exe`,
				"ProcessId=0x14", `ParentProcessName=C:\b.exe`, "SubjectUserName=u", "MandatoryLabel=S-1-16-8192",
				`Image=C:\a.exe`, `ParentImage=C:\b.exe`, "User=u", "IntegrityLevel=S-1-16-8192"}},
		{"flat, the start of a process in the Security log with a name of Sigma", `{"EventID":4688,"Channel":"Security","NewProcessName":"C:\\a.exe","Image":"C:\\c.exe"}`,
			"process create of windows/process_creation/security at ", []string{"EventID=4688", "Channel=Security", `NewProcessName=C:\a.exe`, `Image=C:\c.exe`}},
		{"another record with such names", `{"EventID":4689,"Channel":"Security","NewProcessName":"C:\\a.exe","SubjectUserName":"u"}`,
			"process end of windows//security at ", []string{"EventID=4689", "Channel=Security", `NewProcessName=C:\a.exe`, "SubjectUserName=u"}},

		{"Winlogbeat, nested", `{"winlog":{"channel":"Security","event_id":"4688","computer_name":"pc","provider_name":"Microsoft-Windows-Security-Auditing","event_data":{"NewProcessName":"C:\\a.exe"}},` +
			`"event":{"code":"4688"},"message":"m","process":{"executable":"C:\\b.exe"}}`,
			"process create of windows/process_creation/security at pc", []string{"Channel=Security", "EventID=4688", "Computer=pc", "Provider_Name=Microsoft-Windows-Security-Auditing",
				`NewProcessName=C:\a.exe`, "event.code=4688", "Message=m", `process.executable=C:\b.exe`, `Image=C:\b.exe`}},
		{"Winlogbeat, dotted", `{"winlog.channel":"Security","event.code":4624,"winlog.event_data.IpAddress":"::1","host.name":"pc"}`,
			"security logon of windows//security at pc", []string{"Channel=Security", "event.code=4624", "IpAddress=::1", "host.name=pc", "EventID=4624", "Computer=pc"}},
		{"ECS, a process", `{"@timestamp":"2026-01-01T00:00:00Z","host":{"name":"h","os":{"type":"linux"}},"event":{"category":["process"],"type":["start"]},` +
			`"process":{"executable":"/bin/sh","command_line":"sh -c id","pid":7,"parent":{"executable":"/bin/bash"},"hash":{"md5":"0123456789abcdef0123456789abcdef","sha1":"x"}},"user":{"name":"u","domain":"d"}}`,
			"process create of linux/process_creation/ at h", []string{"@timestamp=2026-01-01T00:00:00Z", "host.name=h", "host.os.type=linux", "event.category=process", "event.type=start",
				"process.executable=/bin/sh", "process.command_line=sh -c id", "process.pid=7", "process.parent.executable=/bin/bash",
				"process.hash.md5=0123456789abcdef0123456789abcdef", "process.hash.sha1=x", "user.name=u", "user.domain=d",
				"Computer=h", "Image=/bin/sh", "CommandLine=sh -c id", "ProcessId=7", "ParentImage=/bin/bash", `User=d\u`, "Hashes=SHA1=x,MD5=0123456789abcdef0123456789abcdef"}},
		{"ECS, dotted, a connection", `{"event.category":"network","host.os.type":"macos","destination.ip":"10.0.0.1","destination.port":443,"network.direction":"egress"}`,
			"network connect of macos/network_connection/ at ", []string{"event.category=network", "host.os.type=macos", "destination.ip=10.0.0.1", "destination.port=443", "network.direction=egress",
				"DestinationIp=10.0.0.1", "DestinationPort=443", "Initiated=true"}},
		{"Winlogbeat, exported by Elasticsearch", `{"_index":"i","_source":{"winlog":{"channel":"Security","event_id":1,"event_data":{"a":"b"}},"logsource":{"product":"p"}}}`,
			"record record of p// at ", []string{"Channel=Security", "EventID=1", "a=b"}},
		{"OTRF, data without names", `{"Channel":"Windows PowerShell","Hostname":"ws","EventID":800,"Message":"m"}`,
			"record record of windows/ps_classic_script/powershell-classic at ws", []string{"Channel=Windows PowerShell", "Hostname=ws", "EventID=800", "Message=m", "Computer=ws", "Data=m"}},
		{"OTRF", `{"SourceName":"Microsoft-Windows-Sysmon","Channel":"Microsoft-Windows-Sysmon/Operational","Hostname":"ws","EventID":12,"EventType":"DeleteValue","TargetObject":"HKLM\\a","tags":["x","y"]}`,
			"registry delete_value of windows/registry_event+registry_delete/sysmon at ws", []string{"SourceName=Microsoft-Windows-Sysmon", "Channel=Microsoft-Windows-Sysmon/Operational",
				"Hostname=ws", "EventID=12", "EventType=DeleteValue", `TargetObject=HKLM\a`, "tags=x", "tags=y", "Computer=ws", "Provider_Name=Microsoft-Windows-Sysmon"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !json.Valid([]byte(tt.in)) {
				t.Fatalf("%s is no JSON", tt.in)
			}
			oneEvent(t, tt.in, StreamOptions{}, func(e *event.Event) {
				if got := describe(e); got != tt.what {
					t.Errorf("%s:\n it is %s\nwant %s", tt.in, got, tt.what)
				}
				if got := own(e); !slices.Equal(got, tt.own) {
					t.Errorf("%s:\nown fields %q\n      want %q", tt.in, got, tt.own)
				}
				if e.Flags != 0 {
					t.Errorf("%s: flags %b", tt.in, e.Flags)
				}
			})
		})
	}
}

// Of a key that stands twice in an object the first counts, and the event says so.
func TestDuplicateKeys(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"a":1,"a":2}`, "a=1"},
		{`{"o":{"a":1,"a":2}}`, "o.a=1"},
		{`{"Event":{"System":{"EventID":1,"EventID":2},"EventData":{"a":"x","a":"y"}}}`, "EventID=1 a=x"},
		{`{"a":null,"b":1,"a":2}`, "a|null= b=1"},
		{`{"logsource":{"product":"p"},"logsource":{"product":"q"}}`, ""},
	}
	for _, tt := range tests {
		oneEvent(t, tt.in, StreamOptions{}, func(e *event.Event) {
			if got := strings.Join(own(e), " "); got != tt.want || e.Flags != event.Duplicate {
				t.Errorf("%s: own fields %s with flags %b, want %s with %b", tt.in, got, e.Flags, tt.want, event.Duplicate)
			}
		})
	}
	oneEvent(t, `{"o":{"a":null},"a":2,"b":[1,1]}`, StreamOptions{}, func(e *event.Event) {
		if got := strings.Join(own(e), " "); got != "o.a|null= a=2 b=1 b=1" || e.Flags != 0 {
			t.Errorf("own fields %s with flags %b, want no duplicate", got, e.Flags)
		}
	})
}

// The logs given count where the object names none, whatever its channel.
func TestLogsourceGiven(t *testing.T) {
	given := &event.Logsource{Products: []string{"linux"}, Categories: []string{"file_event"}}
	for in, want := range map[string]string{
		`{"Channel":"Security","EventID":4624}`: "file create of linux/file_event/ at ",
		`{"logsource":{"product":"macos"}}`:     "record record of macos// at ",
	} {
		oneEvent(t, in, StreamOptions{Logsource: given}, func(e *event.Event) {
			if got := describe(e); got != want {
				t.Errorf("%s: it is %s, want %s", in, got, want)
			}
		})
	}
}
