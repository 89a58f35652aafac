// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/signals"
)

func newCompile() *cobra.Command {
	var output string
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "compile PATH...",
		Short: "Compile signal definitions into signals.bin",
		Long: `Compile signal definitions into signals.bin, the form that the recorder loads.
A path is a .yml file or a folder that is searched for them. All mistakes are
reported at once; with any, no file is written and an old one stays as it was.
The same definitions always give the same bytes.`,
		Example: "  seismo compile -o signals.bin rules\n  seismo compile my-signal.yml",
		Args:    someArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			defs, err := signals.Load(args)
			if err != nil {
				return err
			}
			if len(defs) == 0 {
				return fail(exitBroken, "no definition in %v: a definition is a .yml or .yaml file (docs/signals.md)", args)
			}
			p, err := build(defs)
			if err != nil {
				return err
			}
			if output == "" {
				output = pathsOf(cmd).Signals
			}
			if err := engine.WriteFile(output, p); err != nil {
				return err
			}
			info, err := os.Stat(output)
			if err != nil {
				return err
			}
			digest, sizes := p.Digest(), p.Stats()
			if asJSON {
				return display.WriteJSON(cmd.OutOrStdout(), map[string]any{"file": output, "bytes": info.Size(),
					"signals": sizes.Signals, "terms": sizes.Terms, "atoms": sizes.Atoms, "digest": hex.EncodeToString(digest[:])})
			}
			if !quiet {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %d signals, %d terms, %d atoms, %d bytes, digest %x\n",
					output, sizes.Signals, sizes.Terms, sizes.Atoms, info.Size(), digest[:8])
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write (default: HOME/signals.bin)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing if all is well")
	return cmd
}

func newLint() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check signal definitions and name what is doubtful in them",
		Long: `Check signal definitions: what is wrong in them (exit code 2) and what is right
but doubtful (exit code 1), such as AND and OR mixed without parentheses. Without
a path the shipped signals are checked.`,
		Example: "  seismo lint rules\n  seismo lint --json my-signal.yml",
		RunE: func(cmd *cobra.Command, args []string) error {
			defs, err := loadDefinitions(args)
			var found signals.Diagnostics
			if err != nil && (!asJSON || !errors.As(err, &found)) {
				return err
			}
			code := exitBroken
			if err == nil {
				found, code = signals.Lint(defs), exitFindings
			}
			if asJSON {
				for _, d := range found {
					if err := display.WriteJSON(cmd.OutOrStdout(), d); err != nil {
						return err
					}
				}
			} else {
				found.Write(cmd.OutOrStdout(), "seismo")
				fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %d definitions, %d findings\n", len(defs), len(found))
			}
			if len(found) > 0 {
				return &failure{code: code}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a finding")
	return cmd
}
