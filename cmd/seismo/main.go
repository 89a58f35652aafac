// SPDX-License-Identifier: Apache-2.0

// Command seismo is a flight recorder with detection for endpoints. Every verb
// has a file of its own here; what a verb does lives in the packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"seismo/engine"
	"seismo/internal/config"
	"seismo/internal/display"
	"seismo/internal/namedlist"
	"seismo/recorder/daemon"
	"seismo/recorder/monitordb"
	"seismo/signals"
	"seismo/sources"
	"seismo/sources/audit"
)

// version is set by the linker (see Makefile).
var version = "unknown"

// The exit codes.
const (
	exitDone     = 0
	exitFindings = 1 // findings, or an expectation that failed
	exitBroken   = 2 // broken signals or data
	exitUsage    = 3 // wrong arguments or configuration
	exitDenied   = 4 // a privilege is missing
	exitRunning  = 5 // already running

	exitInterrupted = 130 // as a shell says of a program that SIGINT ended
)

// failure is an error with an exit code. A failure without text was said
// already.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}
func (f *failure) Unwrap() error { return f.err }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

var errFindings = &failure{code: exitFindings}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its surroundings as arguments; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	var diags signals.Diagnostics
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "seismo: interrupted")
		return exitInterrupted
	case errors.As(err, &diags):
		diags.Write(stderr, "seismo")
	case err.Error() != "":
		for _, line := range strings.Split(err.Error(), "\n") {
			fmt.Fprintln(stderr, "seismo:", display.Text(line))
		}
		if errors.Is(err, monitordb.ErrNotDatabase) {
			fmt.Fprintln(stderr, `seismo: hint: a monitor.db that is damaged is set aside when "seismo record" starts; "sqlite3 FILE .recover" reads what is left of it`)
		}
		if f := (*failure)(nil); errors.Is(err, fs.ErrPermission) && !errors.As(err, &f) {
			fmt.Fprintln(stderr, "seismo: hint: run it as root, or name a folder or file of your own")
		}
	}
	return code
}

// exitCode tells what kind of error err is.
func exitCode(err error) int {
	var f *failure
	var diags signals.Diagnostics
	switch {
	case errors.As(err, &f):
		return f.code
	case errors.Is(err, config.ErrConfig):
		return exitUsage
	case errors.Is(err, daemon.ErrRunning), errors.Is(err, audit.ErrRunning), errors.Is(err, audit.ErrHeld):
		return exitRunning
	case errors.Is(err, audit.ErrPrivilege), errors.Is(err, fs.ErrPermission):
		return exitDenied
	case errors.As(err, &diags), errors.Is(err, engine.ErrFormat), errors.Is(err, engine.ErrDamaged),
		errors.Is(err, engine.ErrVersion), errors.Is(err, engine.ErrRegistry), errors.Is(err, engine.ErrUnsigned),
		errors.Is(err, engine.ErrSignature), errors.Is(err, namedlist.ErrList),
		errors.Is(err, monitordb.ErrNotDatabase), errors.Is(err, monitordb.ErrVersion), errors.Is(err, sources.ErrEVTX):
		return exitBroken
	}
	return exitUsage
}

// newRoot returns the command with all its verbs.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "seismo VERB",
		Short: "Flight recorder with detection for endpoints",
		Long: `seismo records what happens on this host (processes, files, network, security),
asks a compiled set of signals about every event, and keeps both in one SQLite
file, monitor.db.

Exit codes: 0 done, 1 findings or a failed expectation, 2 broken signals or
data, 3 wrong arguments or configuration, 4 missing privilege, 5 already running.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownVerb,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fail(exitUsage, "%w; \"%s --help\" lists the flags", err, cmd.CommandPath())
	})
	root.PersistentFlags().String("home", os.Getenv("SEISMO_HOME"), "folder for all files (default: SEISMO_HOME, else /etc/seismo, /var/lib/seismo, /run/seismo)")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	root.AddCommand(newRecord(), newCompile(), newLint(), newTest(), newReplay(), newExplain(), newQuery(),
		newFields(), newSignals(), newStatus(), newDoctor(), newHashHelper(), newVersion())
	return root
}

// knownVerb is for commands that have others below them: an argument is a verb that
// there is not.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return fail(exitUsage, "unknown verb %q%s; \"%s --help\" lists them", args[0], hint, cmd.CommandPath())
}

// exactArgs is cobra's check with our exit code.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fail(exitUsage, "%s needs %s; \"%s --help\" shows how", cmd.Name(), what, cmd.CommandPath())
		}
		return nil
	}
}

func someArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fail(exitUsage, "%s needs at least one file or folder; \"%s --help\" shows how", cmd.Name(), cmd.CommandPath())
	}
	return nil
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fail(exitUsage, "%s takes no argument %q; \"%s --help\" shows how", cmd.Name(), args[0], cmd.CommandPath())
	}
	return nil
}
