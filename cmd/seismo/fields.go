// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"seismo/internal/celenv"
	"seismo/internal/display"
	"seismo/internal/event"
)

func newFields() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fields [KIND]",
		Short: "List the fields of events",
		Long: `List the fields that events carry, as signals and queries name them. With a kind,
only those of that kind: process, file, network, registry, image, driver, dns,
security, syscall or record. Fields of the process can be read on every kind.`,
		Example: "  seismo fields\n  seismo fields network\n  seismo fields --json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(exitUsage, "seismo fields takes one kind; \"seismo fields --help\" lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fields := event.Fields()
			kinds := event.Kinds()
			if len(args) == 1 {
				k, ok := event.ParseKind(args[0])
				if !ok {
					return fail(exitUsage, "unknown kind %q; \"seismo fields --help\" lists the kinds", args[0])
				}
				kinds = []event.Kind{k}
				own := fields[:0]
				for _, f := range fields {
					if f.Kinds == event.SetOf(k) || k == event.KindProcess && f.Object() == "process" {
						own = append(own, f)
					}
				}
				fields = own
			}
			if asJSON {
				return fieldsJSON(cmd, fields)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KIND\tOPERATIONS")
			for _, k := range kinds {
				fmt.Fprintf(w, "%s\t%s\n", k, opList(k))
			}
			fmt.Fprintln(w, "\nFIELD\tTYPE\tCEL\tSCOPE\tMEANING")
			for _, f := range fields {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.Name, f.Type, celenv.TypeOf(f), f.Scope, f.Doc)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a field")
	return cmd
}

func opList(k event.Kind) string {
	s := ""
	for i, op := range event.Ops(k) {
		if i > 0 {
			s += ", "
		}
		s += op.String()
	}
	return s
}

func fieldsJSON(cmd *cobra.Command, fields []event.Info) error {
	type line struct {
		Name    string   `json:"name"`
		Type    string   `json:"type"`
		Scope   string   `json:"scope"`
		Kinds   []string `json:"kinds"`
		Aliases []string `json:"aliases,omitempty"`
		CEL     string   `json:"cel"` // the type that it has in CEL
		Doc     string   `json:"doc"`
	}
	for _, f := range fields {
		l := line{Name: f.Name, Type: f.Type.String(), Scope: f.Scope.String(), Aliases: f.Aliases, CEL: celenv.TypeOf(f).String(), Doc: f.Doc}
		for _, k := range event.Kinds() {
			if f.Kinds.Has(k) {
				l.Kinds = append(l.Kinds, k.String())
			}
		}
		if err := display.WriteJSON(cmd.OutOrStdout(), l); err != nil {
			return err
		}
	}
	return nil
}

func newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if asJSON {
				return display.WriteJSON(cmd.OutOrStdout(), map[string]string{
					"version": version, "go": runtime.Version(), "platform": platform,
					"registry": fmt.Sprintf("%016x", event.Fingerprint())})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "seismo %s %s %s registry %016x\n", version, runtime.Version(), platform, event.Fingerprint())
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}
