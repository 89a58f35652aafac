// SPDX-License-Identifier: Apache-2.0

// This file prints what definitions are compiled to, for people and other programs.

package main

import (
	"bufio"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seismo/internal/display"
	"seismo/signals"
)

const dumpUsage = "print what each signal is compiled to, and write no file unless -o names one: json (the public compiled structure), text (the expression in its plain form)"

// dumpOnly prints defs. If that is all that is asked for, it says what was refused
// beside them, as compiling does.
func (f *compileFlags) dumpOnly(cmd *cobra.Command, defs []signals.Definition, made compiled) error {
	if err := dump(cmd.OutOrStdout(), f.dump, defs); err != nil || f.output != "" || len(made.refused) == 0 {
		return err
	}
	made.refused.Write(cmd.ErrOrStderr(), "seismo")
	fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %d definitions were refused\n", made.definitions)
	return errFindings
}

// dump prints defs in the form that format names.
func dump(w io.Writer, format string, defs []signals.Definition) error {
	one := dumpJSON
	switch format {
	case "json":
	case "text":
		one = dumpText
	default:
		return fail(exitUsage, "--dump %q: the forms are json and text", format)
	}
	out := bufio.NewWriter(w)
	for i := range defs {
		if err := one(out, &defs[i]); err != nil {
			return err
		}
	}
	return out.Flush()
}

// dumpJSON prints one JSON object: of a signal in the text language its compiled
// structure, of the others the text.
func dumpJSON(w io.Writer, d *signals.Definition) error {
	type line struct {
		ID       string            `json:"id"`
		Name     string            `json:"name"`
		Language string            `json:"language"`
		Compiled *signals.Compiled `json:"compiled,omitempty"`
		Text     string            `json:"text,omitempty"`
	}
	l := line{ID: d.ID, Name: d.Name, Language: d.Language}
	if d.Language != signals.LanguageSignal {
		l.Text = d.Text
		return display.WriteJSON(w, l)
	}
	var err error
	if l.Compiled, err = signals.Compile(d); err != nil {
		return err
	}
	return display.WriteJSON(w, l)
}

// dumpText prints id and name, and below them the expression as the parser
// understood it.
func dumpText(w io.Writer, d *signals.Definition) error {
	text := "(" + d.Language + ")"
	if d.Correlation != nil {
		text = "(correlation)"
	}
	if d.Expr != nil {
		text = d.Expr.String()
	}
	_, err := fmt.Fprintf(w, "%s %s\n    %s\n", d.ID, display.Text(d.Name), display.Text(text))
	return err
}
