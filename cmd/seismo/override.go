// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"seismo/internal/display"
	"seismo/signals"
)

// newOverrides returns the verbs below "seismo signals" that change overrides.yml.
func newOverrides() []*cobra.Command {
	var path, reason string
	edit := func(cmd *cobra.Command, name string, change func(*signals.Override)) error {
		return editOverride(cmd, path, name, func(o *signals.Override) {
			change(o)
			if cmd.Flags().Changed("reason") {
				o.Reason = reason
			}
		})
	}
	disable := &cobra.Command{
		Use:     "disable NAME|ID",
		Short:   "Switch a signal off on this host",
		Example: "  seismo signals disable \"Cron persistence\" --reason \"our own jobs\"",
		Args:    exactArgs(1, "the name or id of a signal"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return edit(cmd, args[0], func(o *signals.Override) { o.Disabled = true })
		},
	}
	enable := &cobra.Command{
		Use:     "enable NAME|ID",
		Short:   "Switch a signal on again",
		Example: "  seismo signals enable 97b2e345",
		Args:    exactArgs(1, "the name or id of a signal"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return edit(cmd, args[0], func(o *signals.Override) { o.Disabled = false })
		},
	}
	severity := &cobra.Command{
		Use:   "severity NAME|ID WORD",
		Short: "Give a signal another severity on this host",
		Long: `The severity is informational, low, medium, high or critical; "default" takes that of
its definition again.`,
		Example: "  seismo signals severity 97b2e345 low\n  seismo signals severity \"Reverse shell\" default",
		Args:    exactArgs(2, "the name or id of a signal, and a severity or \"default\""),
		RunE: func(cmd *cobra.Command, args []string) error {
			var to *signals.Severity
			if word := strings.ToLower(args[1]); word != "default" {
				s, ok := signals.ParseSeverity(word)
				if !ok {
					return fail(exitUsage, "unknown severity %q; want informational, low, medium, high, critical or default", args[1])
				}
				to = &s
			}
			return edit(cmd, args[0], func(o *signals.Override) { o.Severity = to })
		},
	}
	for _, c := range []*cobra.Command{disable, enable, severity} {
		c.Long = strings.TrimSpace(c.Long + `

The change is written to HOME/overrides.yml; definitions are left alone. A running
recorder takes it over within seconds. The id may be cut to what no other signal's
id begins with.`)
		c.Long = c.Short + ".\n\n" + c.Long
		c.Flags().StringVar(&path, "signals", "", signalsUsage)
		c.Flags().StringVar(&reason, "reason", "", "why, for whoever reads it later")
	}
	return []*cobra.Command{disable, enable, severity}
}

// editOverride changes what overrides.yml says of the signal that name means.
func editOverride(cmd *cobra.Command, path, name string, change func(*signals.Override)) error {
	base, from, err := signalSource{signals: path}.program(cmd)
	if err != nil {
		return err
	}
	i, err := findSignal(base, name, from)
	if err != nil {
		return err
	}
	d := &base.Definitions()[i]
	file := pathsOf(cmd).Overrides
	src, err := signals.ReadOverridesFile(file)
	if err != nil {
		return err
	}
	list, err := signals.ParseOverrides(file, src)
	if err != nil {
		return err
	}
	o := signals.Override{ID: d.ID}
	for _, have := range list {
		if have.ID == d.ID {
			o = have
		}
	}
	change(&o)
	if !o.Disabled && o.Severity == nil {
		o.Reason = ""
	}
	out, err := signals.EditOverrides(file, src, o)
	if err != nil {
		return err
	}
	if err := replaceFile(file, out); err != nil {
		return err
	}
	state, severity := "on", d.Severity
	if o.Disabled {
		state = "off"
	}
	if o.Severity != nil {
		severity = *o.Severity
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, severity %s (%s)\n", display.Text(d.Name), state, severity, display.Text(file))
	return nil
}

// replaceFile puts content at path in whole, or leaves the file as it was. The mode
// of a file that was there stays; a new one is for its owner.
func replaceFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
