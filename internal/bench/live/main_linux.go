// SPDX-License-Identifier: Apache-2.0

// Command live measures this recorder against auditd and LAUREL on this host: what
// each costs under the same loads, what of each operation it has recorded, and what
// the load itself is slowed down by. It needs root, auditd and, for that contender,
// laurel; docs/performance.md says how it is run and has its figures.
//
// The contenders take turns within each round, with a pause in which others may use
// the kernel's audit system; the kernel is left as it was found.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loadVerb is the argument with which this program is the load.
const loadVerb = "load"

func main() {
	if len(os.Args) == 2 && os.Args[1] == loadVerb {
		exit(runLoad(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	s, err := parseArgs(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = s.run(ctx, os.Stdout, os.Stderr)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// settings are what the command line says.
type settings struct {
	modes      []mode
	contenders []string
	rounds     int
	seconds    float64
	stall      time.Duration
	under      string
	json       string
	seismo     string
	keep       bool
}

func parseArgs(args []string, w io.Writer) (s settings, err error) {
	f := flag.NewFlagSet("live", flag.ContinueOnError)
	f.SetOutput(w)
	var names []string
	for _, m := range modes {
		names = append(names, m.Name)
	}
	modeList := f.String("mode", "exec500,exec2000,conn2000,file1000", "loads, separated by commas: "+strings.Join(names, ", "))
	contenderList := f.String("contenders", strings.Join([]string{nameOff, nameSeismo, nameAuditd, nameLaurel}, ","),
		"who is measured, separated by commas: "+strings.Join(contenderNames, ", "))
	f.IntVar(&s.rounds, "rounds", 5, "how often each contender is measured under each load")
	f.Float64Var(&s.seconds, "seconds", 10, "how long a load lasts")
	f.DurationVar(&s.stall, "stall", 0, "keep this recorder from writing to its database for so long, every 3 s")
	f.StringVar(&s.under, "dir", "/opt", "folder that a private one is made in; one below /tmp makes a shipped signal fire on every program of the load")
	f.StringVar(&s.json, "json", "", "append each result as a line of JSON to this file")
	f.StringVar(&s.seismo, "seismo", "", "recorder to measure; default: it is built from this checkout")
	f.BoolVar(&s.keep, "keep", false, "keep the private folder with all logs and databases")
	if err := f.Parse(args); err != nil {
		return s, err
	}
	for _, name := range strings.Split(*modeList, ",") {
		m, err := modeOf(name)
		if err != nil {
			return s, err
		}
		s.modes = append(s.modes, m)
	}
	s.contenders = strings.Split(*contenderList, ",")
	for _, name := range s.contenders {
		if !slices.Contains(contenderNames, name) {
			return s, fmt.Errorf("no contender is called %q", name)
		}
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("%q is no option", f.Arg(0))
	case s.rounds < 1 || s.seconds <= 0 || s.seconds > 3600:
		return s, errors.New("at least one round, and more than no seconds and at most 3600, are measured")
	}
	return s, nil
}

// missing says what is not there that the run needs.
func (s settings) missing() error {
	if unix.Geteuid() != 0 {
		return errors.New("the kernel's audit system can be had by root only: run it with sudo")
	}
	need := map[string]string{"auditctl": "auditd"}
	for _, name := range s.contenders {
		if name == nameAuditd || name == nameLaurel {
			need[name], need["auditd"] = name, "auditd"
		}
	}
	for program, pack := range need {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not there (apt-get install %s), or leave it out with -contenders: %w", program, pack, err)
		}
	}
	return nil
}

// run measures everything and writes the tables to out, progress to w.
func (s settings) run(ctx context.Context, out, w io.Writer) (err error) {
	if err := s.missing(); err != nil {
		return err
	}
	lines, err := s.openLines()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lines.Close()) }()
	b := &bench{place: place{seismo: s.seismo}, seconds: s.seconds, stall: s.stall, keep: s.keep}
	defer func() {
		if b.base != "" && !s.keep {
			err = errors.Join(err, os.RemoveAll(b.base))
		}
	}()
	if err := b.setUp(ctx, s.under); err != nil {
		return err
	}
	cells, err := s.measureAll(ctx, b, lines, w)
	return errors.Join(err, tables(out, cells))
}

// openLines opens the file that each result is appended to.
func (s settings) openLines() (io.WriteCloser, error) {
	if s.json == "" {
		return noLines{}, nil
	}
	return os.OpenFile(s.json, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

type noLines struct{}

func (noLines) Write(b []byte) (int, error) { return len(b), nil }
func (noLines) Close() error                { return nil }

// measureAll goes through rounds, loads and contenders. A cell that can not be
// measured is left out and part of the error; the others go on.
func (s settings) measureAll(ctx context.Context, b *bench, lines io.Writer, w io.Writer) (cells []cell, all error) {
	enc := json.NewEncoder(lines)
	for round := 1; round <= s.rounds; round++ {
		for _, m := range s.modes {
			for _, name := range s.contenders {
				if m.Kind == reportLatency && name != nameSeismo && name != nameDefault {
					continue // they have no matches
				}
				c, err := b.measure(ctx, m, name, round)
				if ctx.Err() != nil {
					return cells, errors.Join(all, err, context.Cause(ctx))
				}
				if err == nil {
					err = enc.Encode(c)
					cells = append(cells, c)
				}
				if err != nil {
					all = errors.Join(all, fmt.Errorf("round %d: %w", round, err))
					fmt.Fprintf(w, "round %d of %d, %s, %s: %v\n", round, s.rounds, m.Name, name, err)
					continue
				}
				fmt.Fprintf(w, "round %d of %d, %s, %s: %d operations in %.1f s, CPU %.1f ms/1,000, recorded %d of %d, lost %d\n", round, s.rounds,
					m.Name, name, c.Ops, c.Seconds, c.perOp(c.cpu(), 1e3), c.Score.Found, c.Score.Expected, c.Lost)
				pause(ctx)
			}
		}
	}
	return cells, all
}

// pause lets others that wait for the kernel's audit system have their turn.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}
