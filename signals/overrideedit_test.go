// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"seismo/signals"
)

func severity(s signals.Severity) *signals.Severity { return &s }

// The ids of the signals in these tests.
const (
	idA = "aaaaaaaa-0000-4000-8000-000000000000"
	idB = "bbbbbbbb-0000-4000-8000-000000000000"
	idC = "cccccccc-0000-4000-8000-000000000000"
)

func TestParseOverrides(t *testing.T) {
	at := signals.Position{File: "o.yml", Line: 1, Column: 3}
	tests := []struct {
		name, in string
		want     []signals.Override
		err      string // a part of it
	}{
		{"nothing", "", nil, ""},
		{"only a comment", "# none yet\n", nil, ""},
		{"an empty list", "[]\n", nil, ""},
		{"all keys", "- {id: A, enabled: false, severity: high, reason: too loud}\n",
			[]signals.Override{{ID: idA, Disabled: true, Severity: severity(signals.High), Reason: "too loud", Pos: at}}, ""},
		{"enabled", "- id: A\n  enabled: true\n", []signals.Override{{ID: idA, Pos: at}}, ""},
		{"no list", "id: A\n", nil, "o.yml:1:1: expected a list of overrides, found a mapping"},
		{"no mapping", "- A\n", nil, "expected an override"},
		{"no id", "- enabled: false\n", nil, "has no id"},
		{"no UUID", "- {id: x}\n", nil, "is not a UUID"},
		{"an unknown key", "- id: A\n  enable: false\n", nil, `o.yml:2:3: unknown key "enable"`},
		{"a word that is no severity", "- {id: A, severity: loud}\n", nil, `unknown severity "loud"`},
		{"a word that is no truth", "- {id: A, enabled: 'false'}\n", nil, "enabled is true or false"},
		{"no value", "- {id: A, enabled: }\n", nil, `expected the value of "enabled"`},
		{"twice the same signal", "- {id: A}\n- {id: A}\n", nil, "a second override of signal"},
		{"twice the same key", "- {id: A, id: A}\n", nil, "stands twice"},
		{"an alias", "- &x {id: A}\n- *x\n", nil, "anchor"},
		{"two documents", "- {id: A}\n---\n- {id: A}\n", nil, "second document"},
		{"no YAML", "- {id: A\n", nil, "YAML"},
		{"not UTF-8", "- {id: \xff}\n", nil, "not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := strings.ReplaceAll(tt.in, "A", strings.ToUpper(idA))
			got, err := signals.ParseOverrides("o.yml", []byte(in))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("ParseOverrides(%q): %v; want error %q", in, err, tt.err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("ParseOverrides(%q) = %+v; want %+v", in, got, tt.want)
			}
		})
	}
}

func TestEditOverrides(t *testing.T) {
	const before = "# ours\n- id: " + idA + " # first\n  enabled: false\n# second\n- id: " + idB + "\n  severity: low\n"
	tests := []struct {
		name, in string
		o        signals.Override
		want     string
	}{
		{"the first", "", signals.Override{ID: idC, Disabled: true, Reason: `say "why": - #1`},
			"- id: \"" + idC + "\"\n  enabled: false\n  reason: \"say \\\"why\\\": - #1\"\n"},
		{"one more", before, signals.Override{ID: idC, Severity: severity(signals.High)},
			"# ours\n- id: " + idA + " # first\n  enabled: false\n# second\n- id: " + idB + "\n  severity: low\n- id: \"" + idC + "\"\n  severity: high\n"},
		{"another severity", before, signals.Override{ID: idB, Severity: severity(signals.Critical)},
			"# ours\n- id: " + idA + " # first\n  enabled: false\n# second\n- id: \"" + idB + "\"\n  severity: critical\n"},
		{"taken away", before, signals.Override{ID: idA}, "# second\n- id: " + idB + "\n  severity: low\n"},
		{"the last one", "- {id: " + idA + ", enabled: false}\n", signals.Override{ID: idA}, "[]\n"},
		{"none to take away", before, signals.Override{ID: idC}, before},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := signals.EditOverrides("o.yml", []byte(tt.in), tt.o)
			if err != nil || string(got) != tt.want {
				t.Errorf("EditOverrides(%q, %+v) = %q, %v; want %q", tt.in, tt.o, got, err, tt.want)
			}
		})
	}
	for _, reason := range []string{"a\nb", "\r", "\xff", strings.Repeat("x", 2000)} {
		got, err := signals.EditOverrides("o.yml", nil, signals.Override{ID: idA, Disabled: true, Reason: reason})
		if err == nil || !strings.HasPrefix(err.Error(), "a reason is text") {
			t.Errorf("EditOverrides with the reason %q = %q, %v; want an error about the reason", reason, got, err)
		}
	}
}

func TestLoadOverrides(t *testing.T) {
	dir := t.TempDir()
	if got, err := signals.LoadOverrides(filepath.Join(dir, "none")); got != nil || err != nil {
		t.Errorf("LoadOverrides of no file = %v, %v; want none", got, err)
	}
	if _, err := signals.LoadOverrides(dir); err == nil {
		t.Error("LoadOverrides of a folder: no error")
	}
	path := filepath.Join(dir, "overrides.yml")
	if err := os.WriteFile(path, []byte("- {id: "+idA+", enabled: false}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := signals.LoadOverrides(path); len(got) != 1 || !got[0].Disabled || err != nil {
		t.Errorf("LoadOverrides = %+v, %v; want one that is disabled", got, err)
	}
}

// What the reader takes, an edit keeps: all other overrides say the same after it.
func FuzzEditOverrides(f *testing.F) {
	f.Add([]byte("- {id: "+idA+", enabled: false}\n# x\n- id: "+idB+"\n  severity: low\n  reason: |\n    c\n"), idA, "why")
	f.Fuzz(func(t *testing.T, src []byte, id, reason string) {
		before, err := signals.ParseOverrides("o", src)
		if err != nil {
			return
		}
		out, err := signals.EditOverrides("o", src, signals.Override{ID: id, Disabled: true, Reason: reason})
		if err != nil {
			return
		}
		after, err := signals.ParseOverrides("o", out)
		if err != nil {
			t.Fatalf("EditOverrides of %q gives %q: %v", src, out, err)
		}
		strip := func(list []signals.Override) map[string]signals.Override {
			m := map[string]signals.Override{}
			for _, o := range list {
				o.Pos = signals.Position{}
				m[o.ID] = o
			}
			return m
		}
		want := strip(before)
		want[id] = signals.Override{ID: id, Disabled: true, Reason: reason}
		if got := strip(after); !reflect.DeepEqual(got, want) {
			t.Errorf("EditOverrides of %q gives %q: %+v; want %+v", src, out, got, want)
		}
	})
}
