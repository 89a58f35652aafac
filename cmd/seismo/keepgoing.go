// SPDX-License-Identifier: Apache-2.0

// This file builds signals from definitions of which some may be wrong: for the verbs
// that judge logs, the others are used where that is asked for.

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/signals"
)

// keepGoingFlag is the name of the flag that sets signalSource.keepGoing.
const keepGoingFlag = "keep-going"

const keepGoingUsage = "use the definitions that nothing is wrong in, and say how many are"

// build reads the definitions at paths, the shipped ones where none are given, and makes
// a program of those that do not say of themselves that they can not be used.
func (s signalSource) build(cmd *cobra.Command, paths ...string) (*engine.Program, error) {
	in, err := loadInput(cmd, s.lists, paths)
	var wrong signals.Diagnostics
	if err != nil && !errors.As(err, &wrong) {
		return nil, err
	}
	refused := len(in.Refused)
	in, _, _ = signals.Selection{}.Apply(in)
	if !s.keepGoing {
		var p *engine.Program
		if err == nil {
			p, err = buildInput(in)
		}
		return p, onlySome(cmd, in, err)
	}
	before := len(in.Refused)
	in, unlinked := signals.Link(in)
	refused += len(in.Refused) - before
	if wrong = append(wrong, unlinked...); len(wrong) > 0 {
		wrong.Sort()
		if len(in.Definitions) == 0 {
			return nil, wrong
		}
		sayRefused(cmd.ErrOrStderr(), paths, wrong, refused, len(in.Definitions))
	}
	return buildInput(in)
}

// onlySome returns err, which reading or building in gave. If it is about some of the
// definitions only, and the verb can do without them, it is said with how that is done.
func onlySome(cmd *cobra.Command, in signals.Input, err error) error {
	var wrong signals.Diagnostics
	if !errors.As(err, &wrong) || cmd.Flags().Lookup(keepGoingFlag) == nil {
		return err
	}
	rest, unlinked := signals.Link(in)
	if len(rest.Definitions) == 0 || len(in.Refused) == 0 && len(unlinked) == 0 {
		return err
	}
	wrong.Write(cmd.ErrOrStderr(), "seismo")
	fmt.Fprintf(cmd.ErrOrStderr(), "seismo: --%s uses the %s that nothing is wrong in\n", keepGoingFlag, count(len(rest.Definitions), "definition"))
	return &failure{code: exitBroken}
}

// maxRefusedShown is the number of findings that are said where the rest is used.
const maxRefusedShown = 3

// sayRefused says shortly what is wrong in the definitions at paths, of which others are
// used.
func sayRefused(w io.Writer, paths []string, wrong signals.Diagnostics, refused, used int) {
	fmt.Fprintf(w, "seismo: refused: %s; used: %d\n", count(refused, "definition"), used)
	shown := 0
	for _, d := range wrong {
		if d.Level != signals.Error {
			continue
		}
		if shown++; shown <= maxRefusedShown {
			fmt.Fprintf(w, "seismo: %s\n", d)
		}
	}
	more := ""
	if shown > maxRefusedShown {
		more = fmt.Sprintf("and %s; ", count(shown-maxRefusedShown, "more finding"))
	}
	for _, path := range paths {
		fmt.Fprintf(w, "seismo: %s\"seismo lint %s\" shows them all\n", more, display.Text(path))
	}
}
