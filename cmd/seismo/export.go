// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seismo/internal/display"
	"seismo/signals"
)

// newExport returns "signals export".
func newExport() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export PATH...",
		Short: "Write definitions as a bundle of JSON documents",
		Long: `Write signals in the text language as an export bundle, {"signals": […], "labels":
[…]}, to standard output. Signals that were read from such documents (signals.json)
keep all that stood there. Signals in other languages are left out, which is said
on standard error.`,
		Example: "  seismo signals export rules > signals.json",
		Args:    someArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "bundle" {
				return fail(exitUsage, "--format %q: the only format is bundle", format)
			}
			return export(cmd, args)
		},
	}
	cmd.Flags().StringVar(&format, "format", "bundle", "form of the documents: bundle")
	return cmd
}

func export(cmd *cobra.Command, paths []string) error {
	defs, err := loadDefinitions(cmd, paths)
	if err != nil {
		return err
	}
	left := map[string][]string{}
	defs = slices.DeleteFunc(defs, func(d signals.Definition) bool {
		if d.Language == signals.LanguageSignal {
			return false
		}
		left[d.Language] = append(left[d.Language], d.Name)
		return true
	})
	for _, language := range slices.Sorted(maps.Keys(left)) {
		sayLeft(cmd.ErrOrStderr(), language, left[language])
	}
	if len(defs) == 0 {
		return fail(exitBroken, "no signal in the text language in %s", strings.Join(paths, ", "))
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	if err := signals.WriteBundle(out, defs); err != nil {
		return err
	}
	return out.Flush()
}

// maxLeft is the number of signals that are named one by one; a collection of Sigma
// rules has thousands.
const maxLeft = 10

// sayLeft names the signals in a language that are not exported, or says how many they are.
func sayLeft(w io.Writer, language string, names []string) {
	if len(names) > maxLeft {
		fmt.Fprintf(w, "seismo: %d signals are written in %s and left out\n", len(names), language)
		return
	}
	for _, name := range names {
		fmt.Fprintf(w, "seismo: signal %q is written in %s and left out\n", display.Text(name), language)
	}
}
