// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// corpusDir returns a folder of the test material beside the checkout.
func corpusDir(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("needs the test material beside the checkout: %v", err)
	}
	return dir
}

// view is an event as the tests look at it, taken out of its batch.
type view struct {
	kind, op        string
	flags           event.Flags
	time            int64
	serial, ordinal uint64
	pid, ppid       int32
	host            string
	records         []string
	fields          map[string]string
	args            []string
	own             []ownView
}

type ownView struct {
	record      int
	name, value string
}

// get returns the first own field called name of the first record of type typ.
func (v *view) get(typ, name string) (string, bool) {
	for _, o := range v.own {
		if v.records[o.record] == typ && o.name == name {
			return o.value, true
		}
	}
	return "", false
}

func viewOf(e *event.Event) view {
	v := view{kind: e.Kind.String(), op: e.Op.String(), flags: e.Flags, time: e.Time, serial: e.Serial,
		ordinal: e.Ordinal, pid: e.PID, ppid: e.PPID, host: e.Host, fields: map[string]string{}}
	for _, n := range e.RecordTypes() {
		v.records = append(v.records, audit.TypeName(n))
	}
	for _, in := range event.Fields() {
		if !e.Has(in.Field) || strings.HasSuffix(in.Name, ".operation") {
			continue
		}
		switch in.Type {
		case event.String:
			b, _ := e.Text(in.Field)
			v.fields[in.Name] = string(b)
		case event.Address:
			a, _ := e.Addr(in.Field)
			v.fields[in.Name] = a.String()
		case event.List, event.Hash:
			var all []string
			for el := range e.Elements(in.Field) {
				all = append(all, string(el))
			}
			if in.Field == event.ProcessArgs {
				v.args = all
			}
			v.fields[in.Name] = strings.Join(all, "|")
		default:
			n, _ := e.Int(in.Field)
			v.fields[in.Name] = fmt.Sprint(n)
		}
	}
	for o := range e.Own() {
		v.own = append(v.own, ownView{o.Record, string(o.Name), string(o.Value)})
	}
	return v
}

// readAll reads every event of r, and the losses, and checks that the ledgers hold.
func readAll(t testing.TB, r io.Reader, o audit.StreamOptions) ([]view, event.SourceStats, []event.Loss) {
	t.Helper()
	s := audit.NewStream(r, o)
	defer s.Close()
	b := event.NewBatch(16)
	var views []view
	var losses []event.Loss
	for {
		b.Reset()
		err := s.Read(context.Background(), b)
		for _, e := range b.Events() {
			views = append(views, viewOf(e))
		}
		losses = append(losses, b.Losses...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
	}
	st := s.Stats()
	if st.Received != st.Parsed+st.Malformed {
		t.Errorf("ledger: received %d, parsed %d + malformed %d", st.Received, st.Parsed, st.Malformed)
	}
	if st.Assembled != uint64(len(views)) {
		t.Errorf("ledger: assembled %d, events in batches %d", st.Assembled, len(views))
	}
	return views, st, losses
}

func readFile(t testing.TB, path string) ([]view, event.SourceStats, []event.Loss) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, f, audit.StreamOptions{Name: filepath.Base(path), Decode: audit.DecodeOptions{Demand: event.Demand{AllOwn: true}}})
}

// facts is what an independent parser says of a log.
type facts struct {
	Malformed []uint64     `json:"malformed_lines"`
	Events    []factsEvent `json:"events"`
}

type factsEvent struct {
	ID      string   `json:"id"`
	Records []string `json:"records"`
	Argv    []string `json:"argv"`
	Exe     *string  `json:"exe"`
	Comm    *string  `json:"comm"`
	Key     *string  `json:"key"`
	Cwd     *string  `json:"cwd"`
	PID     *string  `json:"pid"`
	Node    string   `json:"node"`
	Paths   []struct {
		Item string  `json:"item"`
		Name *string `json:"name"`
		Type *string `json:"nametype"`
	} `json:"paths"`
	Title   []string `json:"proctitle"`
	Auparse string   `json:"auparse"`
}

// Every event of the corpus on which two other parsers agree is decoded with the
// same id, records, arguments, program, directory and paths.
func TestCorpusFacts(t *testing.T) {
	dir := corpusDir(t, "audit")
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.facts.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no facts in %s: %v", dir, err)
	}
	agreed, same := 0, 0
	for _, path := range paths {
		log := strings.TrimSuffix(path, ".facts.json")
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want facts
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		views, stats, losses := readFile(t, log)
		if got := uint64(len(want.Malformed)); stats.Malformed != got {
			t.Errorf("%s: %d malformed lines (%v), want %d: %v", log, stats.Malformed, losses, got, want.Malformed)
		}
		byID := map[string][]view{}
		for _, v := range views {
			id := fmt.Sprintf("%d.%03d:%d", v.time/1e9, v.time/1e6%1000, v.serial)
			byID[id] = append(byID[id], v)
		}
		for _, e := range want.Events {
			if e.Auparse != "agrees" {
				continue
			}
			agreed++
			i := slices.IndexFunc(byID[e.ID], func(v view) bool { return v.host == e.Node })
			if i < 0 {
				t.Errorf("%s: no event %s (node %q)", log, e.ID, e.Node)
				continue
			}
			if diff := compareFacts(&byID[e.ID][i], &e); diff != "" {
				t.Errorf("%s: event %s: %s", log, e.ID, diff)
				continue
			}
			same++
		}
	}
	t.Logf("%d of %d agreed events are the same", same, agreed)
	if agreed != 330 {
		t.Errorf("the corpus has %d agreed events, 330 when this was written", agreed)
	}
}

func compareFacts(v *view, want *factsEvent) string {
	var diffs []string
	check := func(what string, got, want any) {
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			diffs = append(diffs, fmt.Sprintf("%s = %q, want %q", what, got, want))
		}
	}
	ownOf := func(what, typ, name string, want *string) {
		if want != nil {
			got, _ := v.get(typ, name)
			check(what, got, *want)
		}
	}
	check("records", v.records, want.Records)
	if want.Argv != nil {
		args := v.args
		if v.kind != "process" {
			for _, o := range v.own {
				if v.records[o.record] == "EXECVE" && o.name != "argc" {
					args = append(args, o.value)
				}
			}
		}
		check("arguments", args, want.Argv)
	}
	if want.Exe != nil {
		check("exe", v.fields["process.path"], *want.Exe)
	}
	if want.PID != nil {
		check("pid", v.fields["process.pid"], *want.PID)
	}
	ownOf("comm", "SYSCALL", "comm", want.Comm)
	ownOf("key", "SYSCALL", "key", want.Key)
	ownOf("cwd", "CWD", "cwd", want.Cwd)
	if want.Title != nil {
		got, _ := v.get("PROCTITLE", "proctitle")
		// One log was written by hand, with digits that the kernel writes in
		// upper case: they stay as they are.
		if b, err := hex.DecodeString(got); err == nil && got == strings.ToLower(got) {
			got = string(b)
		}
		check("proctitle", strings.Split(strings.TrimRight(got, "\x00"), "\x00"), want.Title)
	}
	if v.kind == "process" && want.Cwd != nil {
		check("process.cwd", v.fields["process.cwd"], *want.Cwd)
	}
	var names, types, wantNames, wantTypes []string
	for i, typ := range v.records {
		if typ != "PATH" {
			continue
		}
		name, nametype := "(absent)", "(absent)"
		for _, o := range v.own {
			if o.record == i && o.name == "name" {
				name = o.value
			} else if o.record == i && (o.name == "nametype" || o.name == "objtype") {
				nametype = o.value
			}
		}
		names, types = append(names, name), append(types, nametype)
	}
	for _, p := range want.Paths {
		name, nametype := "(absent)", "(absent)"
		if p.Name != nil {
			name = *p.Name
		}
		if p.Type != nil {
			nametype = strings.Trim(*p.Type, `"`)
		}
		wantNames, wantTypes = append(wantNames, name), append(wantTypes, nametype)
	}
	check("path names", names, wantNames)
	check("path types", types, wantTypes)
	return strings.Join(diffs, "; ")
}
