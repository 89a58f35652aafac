// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"testing"
	"unsafe"

	"seismo/internal/event"
)

// What follows from the operation or from another field need not be set.
func TestDerivedFields(t *testing.T) {
	type set struct {
		field event.Field
		value string
	}
	tests := []struct {
		name  string
		kind  event.Kind
		op    event.Op
		set   []set
		field event.Field
		want  string
		ok    bool
	}{
		{"a connection that was begun", event.KindNetwork, event.OpConnect, nil, event.NetworkInitiated, "true", true},
		{"a connection that was taken", event.KindNetwork, event.OpAccept, nil, event.NetworkInitiated, "false", true},
		{"a socket that listens", event.KindNetwork, event.OpListen, nil, event.NetworkInitiated, "", false},
		{"what the source says counts", event.KindNetwork, event.OpConnect, []set{{event.NetworkInitiated, "false"}}, event.NetworkInitiated, "false", true},
		{"no connection at all", event.KindFile, event.OpCreate, nil, event.NetworkInitiated, "", false},
		{"a file that is made", event.KindFile, event.OpCreate, []set{{event.FilePath, "/a"}}, event.FileResultPath, "/a", true},
		{"a file with another name", event.KindFile, event.OpRename, []set{{event.FilePath, "/a"}, {event.FileTargetPath, "/b"}}, event.FileResultPath, "/b", true},
		{"a file without a path", event.KindFile, event.OpCreate, nil, event.FileResultPath, "", false},
		{"no file at all", event.KindImage, event.OpLoad, []set{{event.ImagePath, "/a"}}, event.FileResultPath, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := event.NewBatch(1).Add(tt.kind, tt.op)
			for _, s := range tt.set {
				e.SetString(s.field, s.value)
			}
			name := event.Describe(tt.field).Name
			if got, ok := e.Text(tt.field); string(got) != tt.want || ok != tt.ok {
				t.Errorf("Text(%s) = %q, %v; want %q, %v", name, got, ok, tt.want, tt.ok)
			}
			if got := e.Has(tt.field); got != tt.ok {
				t.Errorf("Has(%s) = %v, want %v", name, got, tt.ok)
			}
		})
	}
}

func TestWindowsFacts(t *testing.T) {
	said := map[event.Field]string{event.ProcessCompany: "Contoso", event.ProcessLogonID: "0x3e7"}
	p := &event.Process{Windows: event.MakeWindowsFacts(func(f event.Field) string { return said[f] })}
	for _, f := range event.WindowsFields() {
		if got, ok := p.Text(f); got != said[f] || ok != (got != "") {
			t.Errorf("Text(%s) = %q, %v; want %q", event.Describe(f).Name, got, ok, said[f])
		}
		if event.Describe(f).Scope != event.ScopeProcess {
			t.Errorf("%s is of %s scope", event.Describe(f).Name, event.Describe(f).Scope)
		}
	}
	if w := event.MakeWindowsFacts(func(event.Field) string { return "" }); w != nil {
		t.Errorf("facts of which none was said: %+v, want nil", w)
	}
	if _, ok := new(event.Process).Text(event.ProcessCompany); ok {
		t.Error("a process without such facts has a company")
	}
}

// An event is cleared before each use: a field more in the registry is not to make
// all events larger unseen.
func TestSizeOfEvent(t *testing.T) {
	const most = 544
	if got := unsafe.Sizeof(event.Event{}); got > most {
		t.Errorf("an event takes %d bytes, at most %d were meant", got, most)
	}
}
