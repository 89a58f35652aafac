// SPDX-License-Identifier: Apache-2.0

// This file starts and ends what is measured. How this recorder is run and asked is
// in recorder_linux.go, auditd and LAUREL are in peers_linux.go.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// contender is one that records. It is used for one cell, in a folder of its own.
type contender interface {
	// start runs it; when it returns nil, it records.
	start(ctx context.Context) error
	// pid is its first process, 0 before start and of nobody.
	pid() int
	// stop ends it in the regular way, by force where that takes too long.
	stop() error
	// size is the bytes of its files that grow with what is recorded.
	size() (int64, error)
	// count finds the events of the load; it is called after stop. losses is what
	// the contender itself says that it did not keep.
	count(s *seen) (losses []string, err error)
}

// place is where a run keeps its files.
type place struct {
	base    string // of the run, removed at its end
	dir     string // of the cell
	watched string // the folder whose files are recorded
	seismo  string // the binary
	tiny    string // programs that the load starts
	fork    string
}

func newContender(name string, m mode, p place) (contender, error) {
	switch name {
	case nameOff:
		return nobody{}, nil
	case nameSeismo, nameDefault:
		return &seismo{place: p, mode: m, full: name == nameDefault}, nil
	case nameAuditd, nameLaurel:
		return &auditd{place: p, laurel: name == nameLaurel}, nil
	}
	return nil, fmt.Errorf("no contender is called %q", name)
}

// nobody records nothing: what the load costs by itself.
type nobody struct{}

func (nobody) start(context.Context) error     { return nil }
func (nobody) pid() int                        { return 0 }
func (nobody) stop() error                     { return nil }
func (nobody) size() (int64, error)            { return 0, nil }
func (nobody) count(s *seen) ([]string, error) { return nil, nil }

// daemon is a process that runs until it is told to end.
type daemon struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when err is set
	err   error
}

// How long a contender may take to begin, and to end after SIGTERM.
const (
	startLimit = 60 * time.Second
	stopLimit  = 60 * time.Second
)

// launch starts a command with its output in the file at log. The kernel tells it to
// end when we are killed; a signal of the terminal does not reach it, so that we can
// end everything in order.
func launch(log string, name string, args ...string) (*daemon, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	d := &daemon{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = out, out
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	return d, nil
}

// until waits until ready says so.
func (d *daemon) until(ctx context.Context, log string, ready func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if ok, err := ready(); ok || err != nil {
			return err
		}
		select {
		case <-d.ended:
			return fmt.Errorf("%s ended at its start: %v: %s", d.name(), d.err, tail(log))
		case <-ctx.Done():
			return fmt.Errorf("%s does not begin: %w: %s", d.name(), context.Cause(ctx), tail(log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *daemon) name() string { return filepath.Base(d.cmd.Path) }

// stop ends it. An error is returned where it had ended before, or had to be killed.
func (d *daemon) stop(log string) error {
	select {
	case <-d.ended:
		return fmt.Errorf("%s ended before it was told to: %v: %s", d.name(), d.err, tail(log))
	default:
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end %s: %w", d.name(), err)
	}
	select {
	case <-d.ended:
	case <-time.After(stopLimit):
		err := fmt.Errorf("%s did not end within %v and was killed", d.name(), stopLimit)
		err = errors.Join(err, d.cmd.Process.Kill())
		<-d.ended
		return err
	}
	return nil
}

// tail returns the end of a file.
func tail(path string) string {
	b, _ := os.ReadFile(path)
	return string(b[max(0, len(b)-2000):])
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
