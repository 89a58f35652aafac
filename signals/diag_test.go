// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"encoding/json"
	"strings"
	"testing"

	"seismo/signals"
)

func TestDiagnosticsWrite(t *testing.T) {
	at := func(line, column int) signals.Position {
		return signals.Position{File: "a.yml", Line: line, Column: column}
	}
	tests := []struct {
		name  string
		diags signals.Diagnostics
		want  string
	}{
		{"error with hint", signals.Diagnostics{{Pos: at(2, 3), Message: "m", Hint: "h", Line: "abcdef"}},
			"p: a.yml:2:3: m\n  | abcdef\n  |   ^\np: hint: h\n"},
		{"warning", signals.Diagnostics{{Pos: at(1, 1), Level: signals.Warning, Message: "m", Line: "a"}},
			"p: a.yml:1:1: warning: m\n  | a\n  | ^\n"},
		{"file as a whole", signals.Diagnostics{{Pos: signals.Position{File: "a.yml"}, Message: "can not be read"}},
			"p: a.yml: can not be read\n"},
		{"no file", signals.Diagnostics{{Message: "m"}}, "p: m\n"},
		{"behind the last character", signals.Diagnostics{{Pos: at(1, 4), Message: "m", Line: "abc"}},
			"p: a.yml:1:4: m\n  | abc\n  |    ^\n"},
		{"tabs stay", signals.Diagnostics{{Pos: at(1, 4), Message: "m", Line: "\ta\tb\tc"}},
			"p: a.yml:1:4: m\n  | \ta\tb\tc\n  | \t \t^\n"},
		{"wide characters count once", signals.Diagnostics{{Pos: at(1, 4), Message: "m", Line: "日本語x"}},
			"p: a.yml:1:4: m\n  | 日本語x\n  |    ^\n"},
		{"control, bidi and broken bytes are escaped", signals.Diagnostics{{Pos: at(1, 5), Message: "m\x1b[2J", Hint: "\u202e", Line: "\x1b\u202e\xff\U000e0001x\u0085"}},
			"p: a.yml:1:5: m\\x1b[2J\n  | \\x1b\\u202e\\xff\\U000e0001x\\u0085\n  |                         ^\np: hint: \\u202e\n"},
		{"file names too", signals.Diagnostics{{Pos: signals.Position{File: "\n.yml", Line: 1, Column: 1}, Message: "m"}},
			"p: \\n.yml:1:1: m\n"},
		{"a hint of several is said once", signals.Diagnostics{{Message: "a", Hint: "h"}, {Message: "b", Hint: "h"}, {Message: "c", Hint: "i"}},
			"p: a\np: b\np: hint: h\np: c\np: hint: i\n"},
		{"long line, caret in its middle", signals.Diagnostics{{Pos: at(1, 151), Message: "m", Line: strings.Repeat("a", 150) + strings.Repeat("b", 150)}},
			"p: a.yml:1:151: m\n  | …" + strings.Repeat("a", 50) + strings.Repeat("b", 69) + "…\n  |  " + strings.Repeat(" ", 50) + "^\n"},
		{"long line, caret at its beginning", signals.Diagnostics{{Pos: at(1, 2), Message: "m", Line: strings.Repeat("ä", 300)}},
			"p: a.yml:1:2: m\n  | " + strings.Repeat("ä", 120) + "…\n  |  ^\n"},
		{"long line, caret at its end", signals.Diagnostics{{Pos: at(1, 301), Message: "m", Line: strings.Repeat("ä", 300)}},
			"p: a.yml:1:301: m\n  | …" + strings.Repeat("ä", 50) + "\n  |  " + strings.Repeat(" ", 50) + "^\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := tt.diags.Write(&b, "p"); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != tt.want {
				t.Errorf("Write gives\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestDiagnosticsError(t *testing.T) {
	warning := signals.Diagnostic{Level: signals.Warning, Message: "w"}
	broken := signals.Diagnostic{Pos: signals.Position{File: "a", Line: 1, Column: 2}, Message: "e"}
	tests := []struct {
		diags signals.Diagnostics
		want  string
		has   bool
	}{
		{signals.Diagnostics{broken}, "a:1:2: e", true},
		{signals.Diagnostics{warning, broken}, "a:1:2: e (and 1 more)", true},
		{signals.Diagnostics{warning}, "warning: w", false},
		{nil, "no diagnostics", false},
	}
	for _, tt := range tests {
		if got := tt.diags.Error(); got != tt.want || tt.diags.HasErrors() != tt.has {
			t.Errorf("Error of %v: %q, HasErrors %v; want %q, %v", []signals.Diagnostic(tt.diags), got, tt.diags.HasErrors(), tt.want, tt.has)
		}
	}
}

func TestDiagnosticJSON(t *testing.T) {
	tests := []struct {
		in   signals.Diagnostic
		want string
	}{
		{signals.Diagnostic{Pos: signals.Position{File: "a.yml", Line: 2, Column: 3}, Message: `m "x"`, Hint: "h", Line: "abc", Width: 4},
			`{"file":"a.yml","line":2,"column":3,"width":4,"level":"error","message":"m \"x\"","hint":"h","line_text":"abc"}`},
		{signals.Diagnostic{Pos: signals.Position{File: "a.yml"}, Level: signals.Warning, Message: "m"},
			`{"file":"a.yml","level":"warning","message":"m"}`},
	}
	for _, tt := range tests {
		got, err := json.Marshal(tt.in)
		if err != nil || string(got) != tt.want {
			t.Errorf("Marshal(%v) = %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
}
