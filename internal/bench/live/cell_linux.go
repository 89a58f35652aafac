// SPDX-License-Identifier: Apache-2.0

// This file measures one cell: one contender under one load.

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"seismo/internal/bench/tiny"
	"seismo/internal/livelock"
)

// What a cell waits for: the contender to come to rest before the load, and to have
// done all of it afterwards. At rest it uses less than quiet in restEvery. Both times
// are longer than the second that this recorder keeps events for.
const (
	restEvery = 500 * time.Millisecond
	quiet     = 10 * time.Millisecond
	startRest = 20 * time.Second // at most
	restLeast = 2 * time.Second
	drainMost = 60 * time.Second
)

// bench is what all cells of a run share.
type bench struct {
	place
	seconds float64
	stall   time.Duration // how long the database is locked now and then; 0: never
	kauditd int           // process id, 0 where it is not known
	self    string        // this program
	keep    bool          // the folders of cells are kept
}

// measure runs one cell in a turn of its own. The contender has ended and the kernel
// is as before when it returns, whatever the error.
func (b *bench) measure(ctx context.Context, m mode, name string, round int) (c cell, err error) {
	runtime.LockOSThread() // what is started is told to end when this thread does
	defer runtime.UnlockOSThread()
	p := b.place
	if p.dir, err = os.MkdirTemp(b.base, name+"-"); err != nil {
		return c, err
	}
	if !b.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	}
	if err := os.Chmod(p.dir, 0o755); err != nil { // LAUREL gives its privileges up
		return c, err
	}
	who, err := newContender(name, m, p)
	if err != nil {
		return c, err
	}
	r := &cellRun{bench: b, mode: m, who: who, mark: mark()}
	r.cell = cell{Round: round, Mode: m.Name, Contender: name}
	if err := r.inTurn(ctx); err != nil {
		return c, fmt.Errorf("%s under %s: %w", name, m.Name, err)
	}
	if name == nameOff {
		return r.cell, nil
	}
	found := newSeen(r.mark, r.done.Port)
	if r.cell.Losses, err = who.count(found); err != nil {
		return c, fmt.Errorf("count what %s has: %w", name, err)
	}
	r.cell.Score, r.cell.Ends = found.against(m, r.done), found.ends
	return r.cell, nil
}

// mark returns a word that stands in no other name.
func mark() string { return "s" + rand.Text()[:8] }

// cellRun is one cell while it is measured.
type cellRun struct {
	*bench
	mode mode
	who  contender
	mark string
	cell cell
	done done
}

// inTurn does all that needs the kernel, within a time that is ample.
func (r *cellRun) inTurn(ctx context.Context) (err error) {
	t, err := takeTurn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.End()) }()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.seconds*overtime*float64(time.Second))+startLimit+startRest+drainMost)
	defer cancel()
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		return r.who.stop()
	}
	defer func() { err = errors.Join(err, stop()) }() // before the turn ends
	if err := r.who.start(ctx); err != nil {
		return err
	}
	if err := rest(ctx, r.who.pid(), restLeast, startRest); err != nil {
		return err
	}
	size, err := r.who.size()
	if err != nil {
		return err
	}
	if err := r.underLoad(ctx); err != nil {
		return err
	}
	if err := stop(); err != nil {
		return err
	}
	after, err := r.who.size()
	r.cell.Stored = after - size
	return err
}

// underLoad runs the load and what goes with it, and measures meanwhile.
func (r *cellRun) underLoad(ctx context.Context) error {
	before, err := livelock.Read()
	if err != nil {
		return err
	}
	used, err := measure(r.who.pid())
	if err != nil {
		return err
	}
	thread := clockOf(r.kauditd)
	began := time.Now()
	beside, err := r.beside()
	if err != nil {
		return err
	}
	r.done, err = r.load(ctx)
	if err == nil && r.mode.Kind != reportRest { // what time costs is not to be thinned by a time without load
		err = rest(ctx, r.who.pid(), restLeast, drainMost)
	}
	if err = errors.Join(err, beside()); err != nil {
		return err
	}
	after, err := measure(r.who.pid())
	if err != nil {
		return err
	}
	c := &r.cell
	c.Measured = time.Since(began).Seconds()
	c.User, c.System = after.since(used)
	c.Kauditd = clockOf(r.kauditd) - thread
	c.Peak, c.Processes = after.peak, after.processes
	c.Written, c.Switches = after.written-used.written, after.switches-used.switches
	c.Ops, c.Seconds, c.Load, c.Late = r.done.Ops, r.done.Seconds, r.done.CPU, r.done.Late
	s, err := livelock.Read()
	c.Lost = int(s.Lost - before.Lost)
	return err
}

// clockOf returns the processor time of a kernel thread, 0 where it is not known.
func clockOf(pid int) int64 {
	if pid == 0 {
		return 0
	}
	ns, err := processClock(pid)
	if err != nil {
		return 0
	}
	return ns
}

// rest waits at least so long, then until the contender has nothing to do.
func rest(ctx context.Context, pid int, least, most time.Duration) error {
	if pid == 0 {
		least, most = 0, 0
	}
	began := time.Now()
	last, err := measure(pid)
	for err == nil {
		took := time.Since(began)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(restEvery):
		}
		var now usage
		if now, err = measure(pid); err != nil {
			break
		}
		idle := time.Duration(now.total-last.total) < quiet
		if last = now; idle && took >= least || took > most {
			return nil
		}
	}
	return err
}

// load runs the load's process and returns what it did.
func (r *cellRun) load(ctx context.Context) (d done, err error) {
	o := order{Mode: r.mode.Name, Seconds: r.seconds, Mark: r.mark, Watched: r.watched, Tiny: r.tiny, Fork: r.fork,
		Times: r.mode.Kind == reportLatency}
	in, err := json.Marshal(o)
	if err != nil {
		return d, err
	}
	cmd := exec.CommandContext(ctx, r.self, loadVerb)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// A call that a signal of Go's scheduler breaks off is begun again, and recorded twice.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	if err := cmd.Run(); err != nil {
		return d, fmt.Errorf("run the load: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		return d, fmt.Errorf("read what the load did: %w", err)
	}
	return d, nil
}

// beside begins what goes on during the load; what it returns ends it.
func (r *cellRun) beside() (end func() error, err error) {
	own, ok := r.who.(*seismo)
	switch {
	case !ok:
	case r.mode.Kind == reportLatency:
		return r.watchMatches(own)
	case r.stall > 0:
		return r.stallWriter(own)
	}
	return func() error { return nil }, nil
}

// setUp makes the folders and programs of a run; the caller removes base.
func (b *bench) setUp(ctx context.Context, under string) (err error) {
	if b.base, err = os.MkdirTemp(under, "seismo-bench-"); err != nil {
		return err
	}
	if err := os.Chmod(b.base, 0o755); err != nil {
		return err
	}
	b.watched = filepath.Join(b.base, "watched")
	b.tiny, b.fork = filepath.Join(b.base, "tiny"), filepath.Join(b.base, "fork")
	err = errors.Join(os.Mkdir(b.watched, 0o755), tiny.Write(b.tiny, tiny.Exit), tiny.Write(b.fork, tiny.Fork))
	if err != nil {
		return err
	}
	for _, program := range []string{b.tiny, b.fork} {
		if err := exec.CommandContext(ctx, program).Run(); err != nil {
			return fmt.Errorf("try the program of the load: %w", err)
		}
	}
	if b.seismo == "" {
		b.seismo = filepath.Join(b.base, "seismo")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.seismo, "seismo/cmd/seismo")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make builds it: with cgo the hash helper can not confine itself
		out, err := build.CombinedOutput()
		if err != nil {
			return fmt.Errorf("build the recorder: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	b.kauditd = kauditdPID()
	b.self, err = os.Executable()
	return err
}
