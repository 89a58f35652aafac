// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"seismo/internal/display"
	"seismo/signals"
)

func newLint() *cobra.Command {
	var asJSON bool
	var lists string
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check signal definitions and name what is doubtful in them",
		Long: `Check signal definitions: what is wrong in them (exit code 2) and what is right
but doubtful (exit code 1), such as AND and OR mixed without parentheses. Without
a path the shipped signals are checked.`,
		Example: "  seismo lint rules\n  seismo lint --json my-signal.yml",
		RunE: func(cmd *cobra.Command, args []string) error {
			defer limitMemory()()
			in, err := loadInput(cmd, lists, args)
			var found signals.Diagnostics
			if err != nil && !errors.As(err, &found) {
				return err
			}
			in, _, _ = signals.Selection{}.Apply(in)
			_, unlinked := signals.Link(in)
			found = append(found, unlinked...)
			found.Sort()
			if err != nil && !asJSON {
				return found
			}
			code, broken := exitBroken, len(found) > 0
			if !broken {
				found, code = signals.Lint(in.Definitions), exitFindings
			}
			if asJSON {
				for _, d := range found {
					if err := display.WriteJSON(cmd.OutOrStdout(), d); err != nil {
						return err
					}
				}
			} else {
				found.Write(cmd.OutOrStdout(), "seismo")
				fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %d definitions, %d findings\n", len(in.Definitions), len(found))
			}
			if !broken {
				p, err := buildInput(in)
				if err == nil {
					err = warnOfLists(cmd, lists, args, p)
				}
				if err != nil {
					return err
				}
			}
			if len(found) > 0 {
				return &failure{code: code}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&lists, "lists", "", listsUsage)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a finding")
	return cmd
}
