// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
)

var update = flag.Bool("update", false, "rewrite golden files")

// The numbers of fields, kinds and operations are stored in signals.bin and in
// monitor.db. The golden file may grow at its end; a line of it never changes.
func TestRegistryIsAppendOnly(t *testing.T) {
	var b strings.Builder
	fields := event.Fields()
	slices.SortFunc(fields, func(a, b event.Info) int { return int(a.Field) - int(b.Field) })
	for _, k := range event.Kinds() {
		fmt.Fprintf(&b, "kind %d %s", k, k)
		for _, op := range event.Ops(k) {
			fmt.Fprintf(&b, " %d=%s", op, op)
		}
		b.WriteByte('\n')
	}
	for _, f := range fields {
		fmt.Fprintf(&b, "field %d %s %s %s\n", f.Field, f.Name, f.Type, f.Scope)
	}
	const golden = "testdata/registry.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	for _, line := range strings.Split(strings.TrimSpace(string(want)), "\n") {
		if !slices.Contains(got, line) {
			t.Errorf("the registry no longer has %q", line)
		}
	}
	if len(got) != len(strings.Split(string(want), "\n")) {
		t.Errorf("the registry has grown: run go test ./internal/event -update and review the new lines at the end of %s", golden)
	}
}

func TestFieldsAreWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^(process|user|file|network|registry|image|driver|dns|security|syscall|record)\.[a-z][a-z0-9_]*$`)
	seen := map[string]bool{}
	for i, f := range event.Fields() {
		if !name.MatchString(f.Name) {
			t.Errorf("field %q has no proper name", f.Name)
		}
		if f.Field == event.NoField || f.Doc == "" || f.Kinds == 0 || !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("field %s (row %d) lacks its number, its kinds or its sentence", f.Name, i)
		}
		for _, n := range append([]string{f.Name}, f.Aliases...) {
			if seen[n] {
				t.Errorf("the name %s stands twice", n)
			}
			seen[n] = true
			if got, ok := event.Lookup(strings.ToUpper(n)); !ok || got.Field != f.Field {
				t.Errorf("Lookup(%q) = %v, %v; want %s", strings.ToUpper(n), got.Name, ok, f.Name)
			}
		}
		if got := event.Describe(f.Field); got.Name != f.Name {
			t.Errorf("Describe(%d) = %s; want %s", f.Field, got.Name, f.Name)
		}
	}
	if _, ok := event.Lookup("process.pth"); ok {
		t.Error("Lookup(process.pth) found a field")
	}
	for _, k := range event.Kinds() {
		if got, ok := event.ParseKind(strings.ToUpper(k.String())); !ok || got != k {
			t.Errorf("ParseKind(%q) = %v, %v", k, got, ok)
		}
		if len(event.Ops(k)) == 0 {
			t.Errorf("kind %s has no operation", k)
		}
	}
}

// What a parent or an ancestor has is a field of the process of the same type.
func TestProcessField(t *testing.T) {
	for _, in := range event.Fields() {
		got := event.Describe(event.ProcessField(in.Field))
		switch in.Scope {
		case event.ScopeEvent:
			if got.Name != "" {
				t.Errorf("ProcessField(%s) = %s, want none", in.Name, got.Name)
			}
		default:
			name := strings.NewReplacer("parent_", "", "ancestry_", "", "user_group", "group_name").Replace(in.Name)
			if got.Name != name || got.Type != in.Type || got.Scope != event.ScopeProcess {
				t.Errorf("ProcessField(%s) = %s (%s), want %s (%s)", in.Name, got.Name, got.Type, name, in.Type)
			}
		}
	}
}
