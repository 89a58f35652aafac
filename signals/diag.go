// SPDX-License-Identifier: Apache-2.0

// This file holds what this package has to say to the author of a signal, and
// how it is shown: place, message, the line with a caret, and a hint. How text
// from files is cut around its caret is in excerpt.go.

package signals

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"seismo/internal/display"
)

// Level tells an error from a warning.
type Level uint8

// The levels. A definition with an error is refused; one with a warning is not.
const (
	Error Level = iota
	Warning
)

// String returns the level as JSON and messages spell it.
func (l Level) String() string {
	if l == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one thing that is wrong, or looks wrong, in a definition.
type Diagnostic struct {
	Pos     Position // Line 0: the file as a whole
	Level   Level
	Code    string // of a warning: a short name of the finding, which stays the same
	ID      string // of the definition that was refused, if it is known
	Message string
	Hint    string // the next step; may be empty
	Line    string // the line of the file that Pos is in, without its end
	Width   int    // number of characters from Pos.Column on that it is about, at least 1
}

// String returns place, level and message on one line, safe for a terminal.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.Pos.File != "" {
		b.WriteString(display.Text(d.Pos.File) + ":")
	}
	if d.Pos.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", d.Pos.Line, d.Pos.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if d.Level == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(display.Text(d.Message))
	if d.Code != "" {
		b.WriteString(" [" + d.Code + "]")
	}
	return b.String()
}

// maxLineText is the length of a line, in bytes, up to which JSON repeats it: a file of
// one line would be written with each diagnostic.
const maxLineText = 16 << 10

// MarshalJSON writes the diagnostic with snake_case keys; code, id, hint, line and
// text are absent where there are none, text also where the line is very long.
func (d Diagnostic) MarshalJSON() ([]byte, error) {
	if len(d.Line) > maxLineText {
		d.Line = ""
	}
	return json.Marshal(struct {
		File    string `json:"file"`
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Width   int    `json:"width,omitempty"`
		Level   string `json:"level"`
		Code    string `json:"code,omitempty"`
		ID      string `json:"id,omitempty"`
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
		Text    string `json:"line_text,omitempty"`
	}{d.Pos.File, d.Pos.Line, d.Pos.Column, d.Width, d.Level.String(), d.Code, d.ID, d.Message, d.Hint, d.Line})
}

// Diagnostics are all findings of one run, sorted by position. As an error it
// stands for all of them.
type Diagnostics []Diagnostic

// Error returns the first error (without one, the first warning) and the number
// of the others.
func (ds Diagnostics) Error() string {
	if len(ds) == 0 {
		return "no diagnostics"
	}
	first := max(0, slices.IndexFunc(ds, func(d Diagnostic) bool { return d.Level == Error }))
	if len(ds) == 1 {
		return ds[first].String()
	}
	return fmt.Sprintf("%s (and %d more)", ds[first], len(ds)-1)
}

// HasErrors reports whether one of ds is an error.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Level == Error })
}

// err returns ds, sorted, as an error; nil if no error is among them.
func (ds Diagnostics) err() error {
	if !ds.HasErrors() {
		return nil
	}
	ds.sort()
	return ds
}

// Sort puts ds in the order of files, lines and columns.
func (ds Diagnostics) Sort() { ds.sort() }

// sort puts ds in the order of files, lines and columns. Those of one place
// stay in the order in which they were found.
func (ds Diagnostics) sort() {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(strings.Compare(a.Pos.File, b.Pos.File), a.Pos.Line-b.Pos.Line, a.Pos.Column-b.Pos.Column)
	})
}

// Write prints ds for a person, every line that is not a quotation led by
// prefix, the name of the program:
//
//	seismo: bad.yml:2:9: unknown field "process.pth" (did you mean "process.path"?)
//	  | signal: process.pth ends with '/curl'
//	  |         ^
//	seismo: hint: "seismo fields" lists the fields of each event kind
//
// A hint that diagnostics in a row share is printed once, after the last of
// them. The error is that of w.
func (ds Diagnostics) Write(w io.Writer, prefix string) error {
	out := bufio.NewWriter(w)
	for i, d := range ds {
		fmt.Fprintf(out, "%s: %s\n", prefix, d)
		if d.Pos.Line > 0 && d.Line != "" {
			text, caret := excerpt(d.Line, d.Pos.Column)
			fmt.Fprintf(out, "  | %s\n  | %s\n", text, caret)
		}
		if d.Hint != "" && (i+1 == len(ds) || ds[i+1].Hint != d.Hint) {
			fmt.Fprintf(out, "%s: hint: %s\n", prefix, display.Text(d.Hint))
		}
	}
	return out.Flush()
}
