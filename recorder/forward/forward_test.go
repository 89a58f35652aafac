// SPDX-License-Identifier: Apache-2.0

package forward_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/recorder/forward"
	"seismo/signals"
)

var definitions = []signals.Definition{{ID: "id-0", Name: "Na\x1bme", Severity: signals.High, Revision: "r0"}}

func typeName(t uint16) string { return fmt.Sprintf("T%d", t) }

// sample returns a batch with one tagged network event that has something of all.
func sample() *event.Batch {
	b := event.NewBatch(1)
	b.Input = "a.log"
	e := b.Add(event.KindNetwork, event.OpConnect)
	e.ID, e.Time, e.Serial, e.Ordinal, e.PID = 1600000000123456, 1600000000123456789, 42, 7, 9
	e.Host, e.Flags = "h", event.Incomplete|event.Untrusted
	e.SetAddr(event.NetworkAddress, netip.MustParseAddr("2001:db8::1"))
	e.SetInt(event.NetworkPort, 443)
	e.SetInt(event.UserID, 0)
	e.AddRecordType(1300)
	e.AddOwn(0, []byte("a0"), []byte("\xff\x00"))
	e.AddOwn(0, []byte("a0"), []byte("a name that comes again is not told"))
	init := &event.Process{ID: 1, PID: 1, Path: "/sbin/init", UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
	e.Process = &event.Process{ID: 1<<63 + 5, PID: 9, Parent: init, Start: 1600000000000000000, Path: "/bin/x\u202e", Args: []string{"x", ""}, CommandLine: "x ",
		UserID: 0, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
	e.Tags = append(e.Tags, event.Tag{Signal: 0, Proof: []event.ProofItem{
		{Term: 3, Text: "network.port is 443", Event: e.ID, Ordinal: 7, Field: event.NetworkPort, Value: "443", Literal: "443"},
		{Term: 4, Text: "record.'x' exists NOT", Event: e.ID, Ordinal: 7, Own: "x", Absent: true},
	}})
	return b
}

func lines(t *testing.T, o forward.Options, b *event.Batch) string {
	t.Helper()
	var out strings.Builder
	o.W, o.Definitions, o.TypeName = &out, definitions, typeName
	if err := forward.New(o).Write(context.Background(), []*event.Batch{b}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAMatchIsOneLine(t *testing.T) {
	want := `{"time":"2020-09-13T12:26:40.123456789Z",` +
		`"signal":{"id":"id-0","name":"Na\u001bme","severity":"high","revision":"r0"},` +
		`"event":{"id":"1600000000123456","kind":"network","operation":"connect","user.id":0,` +
		`"network.address":"2001:db8::1","network.port":443,"network.initiated":"true","flags":["incomplete","untrusted"]},` +
		`"process":{"process.path":"/bin/x\u202e","process.name":"x\u202e","process.command_line":"x ","process.args":["x",""],` +
		`"process.pid":9,"process.id":"9223372036854775813","process.user_id":0,"process.start_time":"2020-09-13T12:26:40.000000000Z",` +
		`"process.seen_running":0,"process.parent_pid":1,"process.parent_id":"1"},` +
		`"parents":[{"process.path":"/sbin/init","process.pid":1,"process.id":"1"}],` +
		`"proof":[{"term":"0000000000000003","text":"network.port is 443","event":"1600000000123456","record":7,"field":"network.port","value":"443","literal":"443"},` +
		`{"term":"0000000000000004","text":"record.'x' exists NOT","event":"1600000000123456","record":7,"field":"record.x"}],` +
		`"source":{"id":"1600000000.123:42","host":"h","records":["T1300"],"own":[{"record":"T1300","a0":{"hex":"ff00"}}]},` +
		`"input":{"file":"a.log","record":7}}` + "\n"
	if got := lines(t, forward.Options{}, sample()); got != want {
		t.Errorf("line\n%swant\n%s", got, want)
	}
}

func TestWithEventsEveryEventIsOneLine(t *testing.T) {
	b := sample()
	b.Add(event.KindRecord, event.OpRecord).SetString(event.RecordType, "T7")
	got := lines(t, forward.Options{Events: true}, b)
	if n := strings.Count(got, "\n"); n != 2 {
		t.Fatalf("%d lines of 2 events:\n%s", n, got)
	}
	first, second, _ := strings.Cut(got, "\n")
	if !strings.Contains(first, `"signals":[{"id":"id-0",`) || strings.Contains(first, `"proof"`) {
		t.Errorf("a tagged event names its signals, without proof: %s", first)
	}
	if strings.Contains(second, `"process"`) || strings.Contains(second, `"source"`) || strings.Contains(second, `"signals"`) {
		t.Errorf("what an event has not is not there: %s", second)
	}
	if got := lines(t, forward.Options{Events: true, Filter: func(e *event.Event) bool { return false }}, b); got != "" {
		t.Errorf("a filter that takes none let through %s", got)
	}
}

// Whatever bytes an event holds, its line is one JSON object of ASCII, and its
// text is lines without a control character.
func TestHostileBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 0, 60)
		b := event.NewBatch(1)
		e := b.Add(event.KindFile, event.OpRename)
		e.SetText(event.FilePath, text.Draw(t, "path"))
		e.SetText(event.FileTargetPath, text.Draw(t, "target"))
		e.AddRecordType(1)
		e.AddOwn(0, text.Draw(t, "name"), text.Draw(t, "value"))
		e.Process = &event.Process{Path: string(text.Draw(t, "exe")), CommandLine: string(text.Draw(t, "line"))}
		e.Tags = append(e.Tags, event.Tag{Proof: []event.ProofItem{{Text: string(text.Draw(t, "term")), Value: string(text.Draw(t, "seen"))}}})
		var out strings.Builder
		j := forward.New(forward.Options{W: &out, Definitions: definitions, TypeName: typeName})
		if err := j.Write(context.Background(), []*event.Batch{b}); err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(out.String()), &v); err != nil || strings.Count(out.String(), "\n") != 1 {
			t.Fatalf("not one JSON object a line: %v\n%s", err, out.String())
		}
		shown := &forward.Text{W: &out, Definitions: definitions, Events: true}
		if err := shown.Write(context.Background(), []*event.Batch{b}); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.String() {
			if r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e {
				t.Fatalf("%U reached the output:\n%q", r, out.String())
			}
		}
	})
}

// No field that the source names can take the place of another key.
func TestOwnFieldsHideNothing(t *testing.T) {
	b := event.NewBatch(1)
	e := b.Add(event.KindRecord, event.OpRecord)
	e.AddRecordType(1)
	for _, name := range []string{"record", "a", "a", "\xff", `\xff`} {
		e.AddOwn(0, []byte(name), []byte("of "+name))
	}
	got := lines(t, forward.Options{Events: true}, b)
	if want := `"own":[{"record":"T1","a":"of a","\\xff":{"hex":"6f6620ff"}}]`; !strings.Contains(got, want) {
		t.Errorf("line %s lacks %s", got, want)
	}
}

// A long value is cut between two characters.
// A record that carries the names of Sigma is told with its logs and all its values:
// several of one name are a list, and no name hides another.
func TestRecordsWithLogs(t *testing.T) {
	b := event.NewBatch(1)
	e := b.Add(event.KindRecord, event.OpRecord)
	e.Logsource = &event.Logsource{Products: []string{"windows"}, Categories: []string{"a", "b\x1b"}}
	e.Host = "pc"
	for _, f := range [][2]string{{"z", "1"}, {"record", "r"}, {"a", "\xff"}, {"z", "2"}, {"\xff", "x"}, {`\xff`, "y"}, {"", "e"}} {
		e.AddOwn(0, []byte(f[0]), []byte(f[1]))
	}
	want := `"source":{"host":"pc","logsource":{"product":"windows","category":["a","b\u001b"]},` +
		`"own":[{"":"e","\\xff":["x","y"],"a":{"hex":"ff"},"record":"r","z":["1","2"]}]},"input":{"record":0}}`
	if got := lines(t, forward.Options{Events: true}, b); !strings.Contains(got, want) {
		t.Errorf("line\n%s\nwant\n%s", got, want)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	b := event.NewBatch(1)
	e := b.Add(event.KindFile, event.OpWrite)
	e.SetString(event.FilePath, strings.Repeat("ä", 161))
	if got, want := forward.Line(e), " "+strings.Repeat("ä", 160)+"… "; !strings.Contains(got, want) {
		t.Errorf("Line = %s; want %s in it", got, want)
	}
}

func TestTextSaysWhyAndHowMuchWasLeftOut(t *testing.T) {
	var out strings.Builder
	b := sample()
	for range 4 {
		e := b.Add(event.KindFile, event.OpWrite)
		e.SetString(event.FilePath, "/etc/x")
	}
	text := &forward.Text{W: &out, Definitions: definitions, Events: true, PerSecond: 2}
	if err := text.Write(context.Background(), []*event.Batch{b}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MATCH HIGH Na\\x1bme", `because network.port is 443: "443"`, "because record.'x' exists NOT: absent",
		`connect     2001:db8::1 port 443 by /bin/x\u202e pid 9`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "/etc/x"); n > 2 {
		t.Errorf("%d events were shown of one second; want at most 2", n)
	}
}
