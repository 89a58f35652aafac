// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"context"
	"fmt"
	"reflect"
	"testing"
)

// What is collected is read back as it was written, the latest of it by the status; one
// row ends where the next one begins, or where the recorder stopped.
func TestCollections(t *testing.T) {
	ctx := context.Background()
	db := newDB(t)
	first := Collection{Start: base, Source: "unicast", Reason: "start", Kinds: []string{"process"}, Paths: []string{"/etc", "/\xff"}, Own: []string{"*"}}
	second := Collection{Start: base + 2e9, Source: "unicast", Reason: "signals", Kinds: []string{"process", "syscall"}, Calls: []string{"execve", "sethostname"},
		Rules: []string{"-a always,exit -S sethostname -k seismo"}, Unmet: []string{`signal "a\b" asks for "x"`}}
	if err := db.NoteHost(ctx, Host{Time: base}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []Collection{first, second} {
		if err := db.NoteCollection(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	r, err := OpenReader(db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := r.Status(ctx)
	if err != nil || !reflect.DeepEqual(s.Collection, second) {
		t.Errorf("Status: %+v, %v; want %+v", s.Collection, err, second)
	}
	wantRows(t, db.path, "SELECT end_time_raw - begin_time_raw, reason, paths, own_names FROM collections ORDER BY begin_time",
		`2000|start|["/etc",{"hex":"2fff"}]|["*"]`, `NULL|signals|[]|[]`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantRows(t, db.path, fmt.Sprintf("SELECT end_time_raw >= %d FROM collections WHERE reason = 'signals'", (base+2e9)/1e6), "1")
}
