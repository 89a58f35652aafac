// SPDX-License-Identifier: Apache-2.0

package taxonomy_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

func logs(ls *event.Logsource) string {
	if ls == nil {
		return "none"
	}
	return fmt.Sprint(ls.Products, ls.Categories, ls.Services)
}

func TestOf(t *testing.T) {
	tests := []struct {
		name     string
		platform string
		kind     event.Kind
		op       event.Op
		want     string
	}{
		{"an exec", "linux", event.KindProcess, event.OpCreate, "[linux] [process_creation] []"},
		{"an exit", "linux", event.KindProcess, event.OpEnd, "[linux] [process_termination] []"},
		{"a late hash has been asked about", "linux", event.KindProcess, event.OpUpdate, "none"},
		{"a file that is made", "linux", event.KindFile, event.OpCreate, "[linux] [file_event] []"},
		{"a file that is overwritten", "linux", event.KindFile, event.OpWrite, "[linux] [file_event] []"},
		{"a link makes a name", "macos", event.KindFile, event.OpLink, "[macos] [file_event] []"},
		{"a file that is removed", "linux", event.KindFile, event.OpDelete, "[linux] [file_delete] []"},
		{"a change of mode has no word", "linux", event.KindFile, event.OpPermission, "none"},
		{"a connection that is taken", "linux", event.KindNetwork, event.OpAccept, "[linux] [network_connection] []"},
		{"a socket that listens is no connection", "linux", event.KindNetwork, event.OpListen, "none"},
		{"a value of the registry is in two", "windows", event.KindRegistry, event.OpSetValue, "[windows] [registry_set registry_event] []"},
		{"a logon has no word", "linux", event.KindSecurity, event.OpLogon, "none"},
		{"a platform that is not known", "plan9", event.KindProcess, event.OpCreate, "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := taxonomy.Of(tt.platform, tt.kind, tt.op)
			if logs(got) != tt.want {
				t.Errorf("Of(%s, %s, %s) = %s, want %s", tt.platform, tt.kind, tt.op, logs(got), tt.want)
			}
			if again := taxonomy.Of(tt.platform, tt.kind, tt.op); again != got {
				t.Errorf("Of(%s, %s, %s) gives another pointer the second time", tt.platform, tt.kind, tt.op)
			}
		})
	}
	if got := logs(taxonomy.Records("linux")); got != "[linux] [] [auditd]" {
		t.Errorf("Records(linux) = %s", got)
	}
	if got := logs(taxonomy.Records("windows")); got != "none" {
		t.Errorf("Records(windows) = %s", got)
	}
}

// A rule for connections is not asked about sockets of one host.
func TestOfEvent(t *testing.T) {
	b := event.NewBatch(3)
	local := b.Add(event.KindNetwork, event.OpConnect)
	local.SetString(event.NetworkPath, "/run/nscd/socket")
	remote := b.Add(event.KindNetwork, event.OpConnect)
	remote.SetAddr(event.NetworkAddress, netip.MustParseAddr("192.0.2.7"))
	file := b.Add(event.KindFile, event.OpCreate)
	for _, tt := range []struct {
		name string
		e    *event.Event
		want string
	}{{"a UNIX socket", local, "none"}, {"an address", remote, "[linux] [network_connection] []"}, {"no socket at all", file, "[linux] [file_event] []"}} {
		if got := logs(taxonomy.OfEvent("linux", tt.e)); got != tt.want {
			t.Errorf("%s: OfEvent = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestKinds(t *testing.T) {
	tests := []struct {
		name                       string
		product, category, service string
		want                       event.KindSet
		records                    bool
	}{
		{"a category", "linux", "process_creation", "", event.SetOf(event.KindProcess), false},
		{"a category of any product", "", "network_connection", "", event.SetOf(event.KindNetwork), false},
		{"a service has its records alone", "linux", "", "auditd", 0, true},
		{"a category of another source", "linux", "process_creation", "sysmon", 0, false},
		{"a service that is not recorded", "linux", "", "sshd", 0, false},
		{"a category that nothing has", "windows", "process_access", "", 0, false},
		{"every act on the registry", "windows", "registry_event", "", event.SetOf(event.KindRegistry), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, records := taxonomy.Kinds(tt.product, tt.category, tt.service)
			if got != tt.want || records != tt.records {
				t.Errorf("Kinds(%q, %q, %q) = %b, %v; want %b, %v", tt.product, tt.category, tt.service, got, records, tt.want, tt.records)
			}
		})
	}
	if kinds, records := taxonomy.Kinds("linux", "", ""); !kinds.Has(event.KindProcess) || !kinds.Has(event.KindFile) || !records {
		t.Errorf("Kinds(linux) = %b, %v; want what is on Linux, and its records", kinds, records)
	}
}

func TestField(t *testing.T) {
	tests := []struct {
		kind event.Kind
		name string
		want string
	}{
		{event.KindProcess, "Image", "process.path"},
		{event.KindFile, "Image", "process.path"},
		{event.KindProcess, "User", "process.user_name"},
		{event.KindFile, "User", "user.name"},
		{event.KindFile, "TargetFilename", "file.result_path"},
		{event.KindProcess, "TargetFilename", ""},
		{event.KindProcess, "image", ""},
		{event.KindImage, "OriginalFileName", "image.original_file_name"},
		{event.KindNetwork, "OriginalFileName", ""},
		{event.KindNetwork, "DestinationIp", "network.destination_address"},
		{event.KindProcess, "NewProcessName", ""},
	}
	for _, tt := range tests {
		f, ok := taxonomy.Field(tt.kind, tt.name)
		if got := event.Describe(f).Name; got != tt.want || ok != (tt.want != "") {
			t.Errorf("Field(%s, %s) = %q, %v; want %q", tt.kind, tt.name, got, ok, tt.want)
		}
	}
}

func TestRegistry(t *testing.T) {
	tests := []struct {
		kind          event.Kind
		op            event.Op
		service, name string
		want          string
	}{
		{event.KindProcess, event.OpCreate, "sysmon", "ProcessId", "process.pid"},
		{event.KindProcess, event.OpCreate, "security", "ProcessId", "process.parent_pid"},
		{event.KindProcess, event.OpCreate, "security", "NewProcessId", "process.pid"},
		{event.KindProcess, event.OpEnd, "security", "ProcessId", "process.pid"},
		{event.KindFile, event.OpCreate, "", "TargetFilename", "file.path"},
		{event.KindFile, event.OpRename, "", "TargetFilename", "file.target_path"},
		{event.KindFile, event.OpRename, "", "SourceFilename", "file.path"},
		{event.KindRecord, event.OpRecord, "sysmon", "TargetImage", "record.target_process_path"},
		{event.KindRecord, event.OpRecord, "sysmon", "SourceImage", "process.path"},
		{event.KindSecurity, event.OpLogon, "security", "TargetLogonId", "security.logon_id"},
		{event.KindSecurity, event.OpLogon, "security", "Nothing", ""},
	}
	for _, tt := range tests {
		f, ok := taxonomy.Registry(tt.kind, tt.op, tt.service, tt.name)
		if got := event.Describe(f).Name; got != tt.want || ok != (tt.want != "") {
			t.Errorf("Registry(%s, %s, %q, %s) = %q, %v; want %q", tt.kind, tt.op, tt.service, tt.name, got, ok, tt.want)
		}
	}
}

func TestKind(t *testing.T) {
	named := func(category, service string) *event.Logsource {
		return &event.Logsource{Products: []string{"windows"}, Categories: []string{category}, Services: []string{service}}
	}
	tests := []struct {
		name      string
		ls        *event.Logsource
		id        int
		eventType string
		want      string
	}{
		{"a category", named("process_creation", ""), 0, "", "process create"},
		{"the registry by EventType", named("registry_event", ""), 0, "RenameKey", "registry rename"},
		{"the registry without one", named("registry_event", ""), 12, "", "record record"},
		{"a value that is deleted", named("registry_delete", ""), 12, "DeleteValue", "registry delete_value"},
		{"a key that is deleted", named("registry_delete", ""), 12, "", "registry delete_key"},
		{"a logon", named("", "security"), 4624, "", "security logon"},
		{"the same number elsewhere", named("", "system"), 4624, "", "record record"},
		{"an end that has no category", named("", "security"), 4689, "", "process end"},
		{"a category without a kind", named("process_access", "sysmon"), 10, "", "record record"},
		{"no logs at all", nil, 1, "", "record record"},
	}
	for _, tt := range tests {
		k, op := taxonomy.Kind(tt.ls, tt.id, tt.eventType)
		if got := k.String() + " " + op.String(); got != tt.want {
			t.Errorf("%s: Kind(%s, %d, %q) = %s, want %s", tt.name, logs(tt.ls), tt.id, tt.eventType, got, tt.want)
		}
		if !slices.Contains(event.Ops(k), op) {
			t.Errorf("%s: kind %s has no operation %s", tt.name, k, op)
		}
	}
}

func TestChannel(t *testing.T) {
	tests := []struct {
		name              string
		channel, provider string
		id                int
		eventType         string
		want              string
	}{
		{"Sysmon's first", "Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon", 1, "", "[windows] [process_creation] [sysmon]"},
		{"the case of a channel does not count", "SECURITY", "", 4688, "", "[windows] [process_creation] [security]"},
		{"a number of no category", "Security", "", 4624, "", "[windows] [] [security]"},
		{"the same number in another channel", "Application", "", 1, "", "[windows] [] [application]"},
		{"a key that is made", "Microsoft-Windows-Sysmon/Operational", "", 12, "CreateKey", "[windows] [registry_event registry_add] [sysmon]"},
		{"a key, and nothing else is known", "Microsoft-Windows-Sysmon/Operational", "", 12, "INFO", "[windows] [registry_event] [sysmon]"},
		{"Sysmon on Linux", "Linux-Sysmon/Operational", "Linux-Sysmon", 11, "", "[linux] [file_event] [sysmon]"},
		{"Sysmon on Linux, a number not known", "Linux-Sysmon/Operational", "Linux-Sysmon", 77, "", "[linux] [] [sysmon]"},
		{"by the provider", "", "Microsoft-Windows-Sysmon", 22, "", "[windows] [dns_query] [sysmon]"},
		{"the provider does not count beside a channel", "System", "Microsoft-Windows-Sysmon", 22, "", "[windows] [] [system]"},
		{"a channel without a name", "Microsoft-Windows-WinRM/Operational", "Microsoft-Windows-WinRM", 91, "", "[windows] [] []"},
		{"nothing", "", "", 0, "", "[windows] [] []"},
		{"PowerShell 7", "PowerShellCore/Operational", "", 4104, "", "[windows] [ps_script] [powershell]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := taxonomy.Channel(tt.channel, tt.provider, tt.id, tt.eventType)
			if logs(got) != tt.want {
				t.Errorf("Channel(%q, %q, %d, %q) = %s, want %s", tt.channel, tt.provider, tt.id, tt.eventType, logs(got), tt.want)
			}
			if again := taxonomy.Channel(tt.channel, tt.provider, tt.id, tt.eventType); again != got {
				t.Errorf("Channel(%q, …) gives another pointer the second time", tt.channel)
			}
		})
	}
}

// words is a string or a list of them.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

// Each recorded event of the corpus says by hand which logs it belongs to: its
// channel, provider, number and type say the same. Where Sigma has two names for a
// category the event has one of them.
func TestChannelOfRecordedEvents(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "..", "..", "shared", "corpus", "engine", "recorded.jsonl.gz"))
	if err != nil {
		t.Skipf("the recorded events are not beside the checkout: %v", err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	derived, differ := 0, map[string]int{}
	for lines.Scan() {
		var e struct {
			Channel   any
			Provider  string `json:"Provider_Name"`
			EventID   int
			EventType any
			Logsource struct{ Product, Category, Service words }
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		channel, _ := e.Channel.(string)
		if channel == "" && e.Provider == "" {
			continue // an audit record
		}
		eventType, _ := e.EventType.(string)
		derived++
		got := taxonomy.Channel(channel, e.Provider, e.EventID, eventType)
		want := e.Logsource
		for _, alias := range []string{"clipboard_capture", "file_delete_detected"} {
			if slices.Contains(got.Categories, alias) {
				want.Category = append(want.Category, alias)
			}
		}
		slices.Sort(want.Category)
		categories := slices.Sorted(slices.Values(got.Categories))
		if !slices.Equal(got.Products, want.Product) || !slices.Equal(categories, want.Category) || !slices.Equal(got.Services, want.Service) {
			differ[fmt.Sprintf("Channel(%q, %q, %d, %q) = %s, the event says %v", channel, e.Provider, e.EventID, eventType, logs(got), e.Logsource)]++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for what, n := range differ {
		t.Errorf("%d events: %s", n, what)
	}
	if derived < 30_000 {
		t.Errorf("the logs of %d events were derived; too few", derived)
	}
	t.Logf("the logs of %d recorded events were derived", derived)
}
