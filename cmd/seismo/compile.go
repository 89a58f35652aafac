// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/signals"
)

type compileFlags struct {
	output, lists         string
	asJSON, quiet, report bool
}

func newCompile() *cobra.Command {
	var f compileFlags
	cmd := &cobra.Command{
		Use:   "compile PATH...",
		Short: "Compile signal definitions into signals.bin",
		Long: `Compile signal definitions into signals.bin, the form that the recorder loads.
A path is a .yml file or a folder that is searched for them. All mistakes are
reported at once; with any, no file is written and an old one stays as it was.
The same definitions always give the same bytes.

--report tells what the signals come to: literals, tables, what each signal waits for
and about what it costs, what of CEL is evaluated as such, and what was refused. It
goes on past definitions that are wrong; no file is written then, and the exit code
is 2 as without it.`,
		Example: "  seismo compile -o signals.bin rules\n  seismo compile my-signal.yml\n  seismo compile --report rules",
		Args:    someArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return compile(cmd, f, args) },
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "file to write (default: HOME/signals.bin)")
	cmd.Flags().StringVar(&f.lists, "lists", "", listsUsage+" (they are not compiled, only looked for)")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print a JSON object")
	cmd.Flags().BoolVar(&f.report, "report", false, "print what the signals are made of and will cost")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "print nothing if all is well")
	return cmd
}

// softMemory is the memory, in bytes, from which on reading and compiling signals would
// rather collect garbage than take more.
const softMemory = 224 << 20

// limitMemory sets softMemory until the function that it returns is called.
func limitMemory() func() {
	before := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(before, softMemory)) // GOMEMLIMIT may ask for less
	return func() { debug.SetMemoryLimit(before) }
}

func compile(cmd *cobra.Command, f compileFlags, args []string) error {
	defer limitMemory()()
	defs, refused, err := loadForReport(args)
	if err == nil && len(refused) > 0 && !f.report {
		err = refused
	}
	if err != nil {
		return err
	}
	if len(refused) > 0 && len(defs) == 0 {
		return refused
	}
	if len(defs) == 0 {
		return fail(exitBroken, "no definition in %v: a definition is a .yml or .yaml file (docs/signals.md)", args)
	}
	p, err := build(defs)
	if err != nil {
		return err
	}
	if err := warnOfLists(cmd, f.lists, args, p); err != nil {
		return err
	}
	if len(refused) > 0 {
		return printReport(cmd, p, refused, f.asJSON)
	}
	if f.output == "" {
		f.output = pathsOf(cmd).Signals
	}
	if err := engine.WriteFile(f.output, p); err != nil {
		return err
	}
	if f.report {
		return printReport(cmd, p, nil, f.asJSON)
	}
	info, err := os.Stat(f.output)
	if err != nil {
		return err
	}
	digest, sizes := p.Digest(), p.Stats()
	if f.asJSON {
		return display.WriteJSON(cmd.OutOrStdout(), map[string]any{"file": f.output, "bytes": info.Size(),
			"signals": sizes.Signals, "terms": sizes.Terms, "atoms": sizes.Atoms, "digest": hex.EncodeToString(digest[:])})
	}
	if !f.quiet {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d signals, %d terms, %d atoms, %d bytes, digest %x\n",
			f.output, sizes.Signals, sizes.Terms, sizes.Atoms, info.Size(), digest[:8])
	}
	return nil
}

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
			if err == nil {
				p, err := build(defs)
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
