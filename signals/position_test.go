// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"seismo/signals"
)

// An error in an expression is shown where it stands in the file, in every form
// that YAML has for a text. The character in question is marked by being the
// first of the unknown field "bad.field".
func TestPositionsInYAML(t *testing.T) {
	tests := []struct{ name, signal string }{
		{"plain", "signal: process.name is é AND bad.field is x\n"},
		{"plain on several lines", "signal: process.name is a\n  AND process.cwd is b   \n\n  AND bad.field is x\n"},
		{"plain with a comment of YAML behind it", "signal: bad.field is x # comment\n"},
		{"single quotes", "signal: 'process.name is ''é'' AND bad.field is x'\n"},
		{"single quotes on several lines", "signal: 'process.name is ''a''\n\n\n   AND  process.cwd is b\n AND bad.field is x'\n"},
		{"double quotes", `signal: "process.name is '\x41\t\u00e9\U0001F600' AND bad.field is x"` + "\n"},
		{"double quotes on several lines", "signal: \"process.name is a \\\n   AND process.cwd is b\n   \\tAND bad.field is x\"\n"},
		{"literal", "signal: |\n  process.name is a\n\n    AND // é\n  bad.field is x\n"},
		{"literal that keeps its end", "signal: |+\n  process.name is a AND\n  bad.field is x\n\n\n"},
		{"literal that drops its end", "signal: |-  # comment\n\n    process.name is a AND\n    bad.field is x"},
		{"literal with a given indentation", "signal: |1\n   process.name is a AND\n bad.field is x\n"},
		{"folded", "signal: >\n  process.name is 'a  b'\n  AND process.cwd is b\n\n    AND process.tty is c\n\n  AND bad.field is x\n"},
		{"folded that drops its end", "signal: >-\n   process.name is a AND\n   bad.field is x\n\n"},
		{"in a flow mapping", "signal: {x: 1}\n"},
		{"line ends of Windows", "signal: |\r\n  process.name is a\r\n  AND bad.field is x\r\n"},
		{"after a character of many columns", "signal: process.name is 日本語 AND bad.field is x\n"},
		{"with tabs", "signal: |\n  process.name is a\tAND\tbad.field is x\n"},
	}
	for _, tt := range tests {
		if tt.name == "in a flow mapping" {
			tt.signal = "" // the whole file, below
		}
		file := "id: 00000000-0000-4000-8000-000000000001\nname: x\n" + tt.signal
		if tt.signal == "" {
			file = "[{id: 00000000-0000-4000-8000-000000000001, name: é, signal: 'process.name is ''a'' AND bad.field is x'}]\n"
		}
		t.Run(tt.name, func(t *testing.T) {
			line, column := 0, 0
			for i, l := range strings.Split(file, "\n") {
				if at := strings.Index(l, "bad.field"); at >= 0 {
					line, column = i+1, len([]rune(l[:at]))+1
				}
			}
			_, err := signals.ParseFile("x.yml", []byte(file))
			var diags signals.Diagnostics
			if !errors.As(err, &diags) || len(diags) != 1 {
				t.Fatalf("ParseFile(%q): error %v, want one diagnostic", file, err)
			}
			d := diags[0]
			if got, want := fmt.Sprint(d.Pos), fmt.Sprint(signals.Position{File: "x.yml", Line: line, Column: column}); got != want {
				t.Errorf("ParseFile(%q): %v at %s, want %s", file, d.Message, got, want)
			}
			if !strings.Contains(d.Line, "bad.field") {
				t.Errorf("ParseFile(%q): line %q lacks what the message is about", file, d.Line)
			}
		})
	}
}

// A byte order mark is no character of the file.
func TestByteOrderMark(t *testing.T) {
	_, err := signals.ParseFile("x.yml", []byte("\ufeffid: nonsense\nname: x\nsignal: user.id is 1\n"))
	if got, want := fmt.Sprint(err), `x.yml:1:5: id "nonsense" is not a UUID`; got != want {
		t.Errorf("ParseFile: %s, want %s", got, want)
	}
}
