// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/display"
	"seismo/signals"
)

type compileFlags struct {
	output, lists         string
	asJSON, quiet, report bool
	keepGoing             bool
	host                  bool
	mutes                 []mute // with host: the signals that can not fire here
	minStatus, minLevel   string
	dump, sign            string
}

func newCompile() *cobra.Command {
	var f compileFlags
	cmd := &cobra.Command{
		Use:   "compile PATH...",
		Short: "Compile signal definitions into signals.bin",
		Long: `Compile signal definitions into signals.bin, the form that the recorder loads.
A path is a .yml or signals.json file, or a folder that is searched for them. All mistakes
are reported at once; with any, no file is written and an old one stays as it was.
The same definitions always give the same bytes.

--report tells what the signals come to: literals, tables, what each signal waits for
and about what it costs, what of CEL is evaluated as such, and what was refused. It
goes on past definitions that are wrong; no file is written then, and the exit code
is 2 as without it.

--keep-going compiles the rest and lists what was refused, with --json as "refused":
file, line, column, id, message, hint. The exit code is 1 then, and 2 if nothing is
left. A correlation is refused with a rule that it refers to.

--for-this-host names the signals that can not fire here, and why: the settings do not
record that kind of event, no such file is watched, no rule can ask for that system call
or record, or they are for another system. It asks nothing of the kernel and needs no
privilege, unless auditRules is leave; the exit code stays as it is. The list is on
standard error, with --json in "cannot_fire".

Definitions with status unsupported are left out. --min-status leaves out those below
a status, in the order unsupported, deprecated, experimental, test, stable; a
definition without one counts as experimental. --min-level leaves out those below a
severity, but not what a correlation needs that stays.`,
		Example: "  seismo compile -o signals.bin rules\n  seismo compile my-signal.yml\n  seismo compile --report rules\n  seismo compile --keep-going --min-status test --min-level medium sigma/rules",
		Args:    someArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return compile(cmd, f, args) },
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "file to write (default: HOME/signals.bin)")
	cmd.Flags().StringVar(&f.lists, "lists", "", listsUsage+" (values of |expand are compiled, the others only looked for)")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print a JSON object")
	cmd.Flags().BoolVar(&f.report, "report", false, "print what the signals are made of and will cost")
	cmd.Flags().BoolVar(&f.keepGoing, "keep-going", false, "compile what is right, list what was refused")
	cmd.Flags().BoolVar(&f.host, "for-this-host", false, "name the signals that can not fire on this host, and why")
	cmd.Flags().StringVar(&f.minStatus, "min-status", "", "leave out definitions with a status below this one (default: deprecated)")
	cmd.Flags().StringVar(&f.minLevel, "min-level", "", "leave out definitions with a severity below this one")
	cmd.Flags().StringVar(&f.dump, "dump", "", dumpUsage)
	cmd.Flags().StringVar(&f.sign, "sign", "", "sign the file with the private key in this file")
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
	signed, err := signer(f.sign)
	if err != nil {
		return err
	}
	var far compileProgress
	stop := far.show(cmd.ErrOrStderr(), f.quiet, "reading definitions")
	in, made, err := f.choose(cmd, &far, args)
	stop()
	if err != nil {
		return f.wrong(cmd, in, err)
	}
	if f.dump != "" {
		if err := f.dumpOnly(cmd, in.Definitions, made); err != nil || f.output == "" {
			return err
		}
	}
	stop = far.show(cmd.ErrOrStderr(), f.quiet, "compiling "+count(len(in.Definitions), "definition"))
	p, err := buildInput(in)
	stop()
	if err != nil {
		return err
	}
	p = signed(p)
	if err := warnOfLists(cmd, f.lists, args, p); err != nil {
		return err
	}
	if len(made.refused) > 0 && !f.keepGoing {
		if err := printReport(cmd, p, made, f.asJSON); err != nil {
			return err
		}
		return &failure{code: exitBroken}
	}
	if f.output == "" {
		f.output = pathsOf(cmd).Signals
	}
	if err := engine.WriteFile(f.output, p); err != nil {
		return err
	}
	if f.mutes, err = f.forThisHost(cmd, p, args); err != nil {
		return err
	}
	show := func() error { return f.say(cmd, p, made) }
	if f.report {
		show = func() error { return printReport(cmd, p, made, f.asJSON) }
	}
	if err := show(); err != nil || len(made.refused) == 0 {
		return err
	}
	return errFindings
}

// wrong returns err. If it is about some of the definitions only, it says beside it how
// the others are compiled: of a collection of thousands there is always one that is wrong.
func (f *compileFlags) wrong(cmd *cobra.Command, in signals.Input, err error) error {
	var found signals.Diagnostics
	if !errors.As(err, &found) || len(in.Definitions) == 0 || f.keepGoing || f.report {
		return err
	}
	found.Write(cmd.ErrOrStderr(), "seismo")
	fmt.Fprintf(cmd.ErrOrStderr(), "seismo: no file is written; --keep-going compiles the %s that nothing is wrong in\n",
		count(len(in.Definitions), "definition"))
	return &failure{code: exitBroken}
}

// compiled is what became of the definitions that are not in the program.
type compiled struct {
	refused           signals.Diagnostics
	definitions       int // that were refused
	byStatus, byLevel int // that were left out
}

// choose reads the definitions at paths and takes those that are wanted. What is wrong
// is an error unless the rest is to be taken.
func (f *compileFlags) choose(cmd *cobra.Command, far *compileProgress, paths []string) (signals.Input, compiled, error) {
	var made compiled
	selection, err := f.selection()
	if err != nil {
		return signals.Input{}, made, err
	}
	o := readOptions(cmd, f.lists, paths...)
	o.Reading = func(files int) { far.files.Store(int64(files)) }
	in, err := loadInputWith(o, paths)
	if err != nil && (!errors.As(err, &made.refused) || !f.report && !f.keepGoing) {
		return in, made, err
	}
	wrong := len(in.Refused)
	in, made.byStatus, made.byLevel = selection.Apply(in)
	if f.report || f.keepGoing {
		before := len(in.Refused)
		var unlinked signals.Diagnostics
		in, unlinked = signals.Link(in)
		made.refused = append(made.refused, unlinked...)
		made.refused.Sort()
		wrong += len(in.Refused) - before
	}
	made.definitions = wrong
	switch {
	case len(in.Definitions) > 0:
		return in, made, nil
	case len(made.refused) > 0:
		return in, made, made.refused
	case made.byStatus+made.byLevel > 0:
		return in, made, fail(exitBroken, "all definitions in %v were left out: %s", paths, made.leftOut())
	}
	if len(in.Filters) > 0 {
		return in, made, fail(exitBroken, "only filters in %s: the rules that they are joined to are named beside them", strings.Join(paths, ", "))
	}
	return in, made, fail(exitBroken, "no definition in %v: a definition is a .yml, .yaml or signals.json file (docs/signals.md)", paths)
}

// selection returns what --min-status and --min-level ask for.
func (f *compileFlags) selection() (signals.Selection, error) {
	s := signals.Selection{MinStatus: strings.ToLower(f.minStatus)}
	if f.minStatus != "" && !slices.Contains(signals.Statuses(), s.MinStatus) {
		return s, fail(exitUsage, "unknown status %q; want one of %s", f.minStatus, strings.Join(signals.Statuses(), ", "))
	}
	if f.minLevel == "" {
		return s, nil
	}
	var ok bool
	if s.MinLevel, ok = signals.ParseSeverity(strings.ToLower(f.minLevel)); !ok {
		return s, fail(exitUsage, "unknown level %q; want informational, low, medium, high or critical", f.minLevel)
	}
	return s, nil
}

// leftOut says how many definitions were left out, and why; empty if none were.
func (c *compiled) leftOut() string {
	var parts []string
	if c.byStatus > 0 {
		parts = append(parts, fmt.Sprintf("%d by status", c.byStatus))
	}
	if c.byLevel > 0 {
		parts = append(parts, fmt.Sprintf("%d by level", c.byLevel))
	}
	return strings.Join(parts, ", ")
}

// counts returns how many definitions were left out, by the reason.
func (c *compiled) counts() map[string]int {
	return map[string]int{"status": c.byStatus, "level": c.byLevel}
}

// say tells what p, which has been written, came to.
func (f *compileFlags) say(cmd *cobra.Command, p *engine.Program, made compiled) error {
	info, err := os.Stat(f.output)
	if err != nil {
		return err
	}
	digest, sizes := p.Digest(), p.Stats()
	if len(made.refused) > 0 {
		made.refused.Write(cmd.ErrOrStderr(), "seismo")
		fmt.Fprintf(cmd.ErrOrStderr(), "seismo: %d definitions were refused\n", made.definitions)
	}
	if f.asJSON {
		out := map[string]any{"file": f.output, "bytes": info.Size(),
			"signals": sizes.Signals, "terms": sizes.Terms, "atoms": sizes.Atoms, "digest": hex.EncodeToString(digest[:]),
			"left_out": made.counts()}
		if f.keepGoing {
			out["refused_definitions"], out["refused"] = made.definitions, append(signals.Diagnostics{}, made.refused...)
		}
		if f.host {
			out["cannot_fire"] = f.mutes
		}
		return display.WriteJSON(cmd.OutOrStdout(), out)
	}
	if f.host {
		sayMutes(cmd.ErrOrStderr(), f.mutes, p.Signals())
	}
	if !f.quiet {
		left := made.leftOut()
		if left != "" {
			left = "; left out: " + left
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d signals, %d terms, %d atoms, %d bytes, digest %x%s\n",
			f.output, sizes.Signals, sizes.Terms, sizes.Atoms, info.Size(), digest[:8], left)
	}
	return nil
}
