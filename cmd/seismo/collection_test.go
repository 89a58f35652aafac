// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"seismo/recorder/monitordb"
)

// The status tells in one line what is collected and in another what is not; nothing of
// it reaches a terminal as it is.
func TestShowCollection(t *testing.T) {
	c := monitordb.Collection{Start: 1e9, Source: "unicast", Reason: "signals", Kinds: []string{"process", "file"}, Paths: []string{"/etc"},
		Calls: []string{"execve", "mount"}, Rules: []string{"-a x"}, Unmet: []string{"signal \x1b[2J asks"}}
	var b strings.Builder
	show := func(c monitordb.Collection) {
		showCollection(func(name, format string, args ...any) { fmt.Fprintf(&b, name+": "+format+"\n", args...) }, c)
	}
	show(monitordb.Collection{}) // none was noted
	show(c)
	want := "collected: since 1970-01-01T00:00:01Z (signals) by unicast: process file; 1 folder, 2 system calls, 1 audit rule\nnot collected: signal \\x1b[2J asks\n"
	if b.String() != want {
		t.Errorf("showCollection writes %q; want %q", b.String(), want)
	}
	out := map[string]any{}
	collectionJSON(out, monitordb.Collection{})
	if len(out) > 0 {
		t.Errorf("collectionJSON of nothing: %v", out)
	}
	collectionJSON(out, c)
	if m, ok := out["collection"].(map[string]any); !ok || m["own_names"] == nil || m["source"] != "unicast" {
		t.Errorf("collectionJSON: %v; want the collection, with empty lists for what is not there", out)
	}
}
