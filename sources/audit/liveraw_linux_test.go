// SPDX-License-Identifier: Apache-2.0

// This test writes what the live kernel says as a log, for measurements on events of
// one's own (BenchmarkSigmaLive in package engine):
//
//	SEISMO_LIVE_WRITE=/tmp/live.log go test ./sources/audit -run TestLiveLog -count=1 -v
//
// The records are those that the product's own rules make. They are read from the
// multicast group on which the kernel repeats them, beside the source under test.

package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"seismo/internal/event"
	"seismo/sources/audit"
)

// liveLogEvents is how many events a log gets that is asked for. Without it there is
// one round of work, a few hundred.
const liveLogEvents = 25_000

// liveEvent is what is compared of an event.
type liveEvent struct {
	serial uint64
	kind   event.Kind
	op     event.Op
}

// A log of the kernel's records gives the events that the live source gave, while
// scripts, builds, file tools and connections of many kinds run; nothing is lost.
func TestLiveLog(t *testing.T) {
	path, want := os.Getenv("SEISMO_LIVE_WRITE"), liveLogEvents
	if path == "" {
		path, want = filepath.Join(t.TempDir(), "live.log"), 1
	}
	o := live(t)
	raw := openRawLog(t, path)
	k := record(t, o).kernel
	began := time.Now()
	seen, losses, rounds := readWhile(t, k, want, func(round int) error {
		return exec.Command("/bin/sh", "testdata/livemix.sh", o.Roots[0], strconv.Itoa(round)).Run()
	})
	took := time.Since(began)
	records := raw.end()
	if s := k.Stats(); s.KernelLost != 0 || s.Overruns != 0 || s.SerialGaps != 0 || s.Malformed != 0 || len(losses) != 0 {
		t.Errorf("stats %+v, losses %+v; want none lost", s, losses)
	}
	logged, kinds := readLog(t, path)
	missing := 0
	for e := range seen {
		if !logged[e] {
			if missing++; missing < 5 {
				t.Errorf("the log lacks %v %v %d", e.kind, e.op, e.serial)
			}
		}
	}
	if len(seen) < want || kinds[event.KindProcess] == 0 || kinds[event.KindFile] == 0 || kinds[event.KindNetwork] == 0 {
		t.Errorf("%d events, by kind %v; want at least %d, with processes, files and connections", len(seen), kinds, want)
	}
	t.Logf("%d records, %d events of %d rounds in %v, %d of them not in the log; by kind in the log %v", records, len(seen), rounds, took.Round(time.Second), missing, kinds)
}

// readWhile calls work, round after round, until k has given want events, and returns
// these with all that came until k was closed.
func readWhile(t *testing.T, k *audit.Kernel, want int, work func(round int) error) (seen map[liveEvent]bool, losses []event.Loss, rounds int) {
	t.Helper()
	seen = map[liveEvent]bool{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	b := event.NewBatch(1000)
	read := func() error {
		b.Reset()
		err := k.Read(ctx, b)
		for _, e := range b.Events() {
			seen[liveEvent{e.Serial, e.Kind, e.Op}] = true
		}
		losses = append(losses, b.Losses...)
		return err
	}
	ended := make(chan error, 1)
	next := func() { rounds++; round := rounds; go func() { ended <- work(round) }() }
	for next(); ; {
		if err := read(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("round %d of the work to record: %v", rounds, err)
			}
		default:
			continue
		}
		if len(seen) >= want {
			break
		}
		next()
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		if err := read(); errors.Is(err, io.EOF) {
			return seen, losses, rounds
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// readLog reads the log again, as "seismo replay" does.
func readLog(t *testing.T, path string) (events map[liveEvent]bool, kinds map[event.Kind]int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s := audit.NewStream(file, audit.StreamOptions{Name: path})
	defer s.Close()
	events, kinds = map[liveEvent]bool{}, map[event.Kind]int{}
	for b := event.NewBatch(1000); ; b.Reset() {
		err := s.Read(t.Context(), b)
		for _, e := range b.Events() {
			events[liveEvent{e.Serial, e.Kind, e.Op}] = true
			kinds[e.Kind]++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Stats().Malformed; n != 0 {
		t.Errorf("%d lines of the log are no records", n)
	}
	return events, kinds
}

// rawLog writes the kernel's records as lines.
type rawLog struct {
	t       *testing.T
	fd      int
	file    *os.File
	out     *bufio.Writer
	stop    chan struct{}
	ended   chan error
	records int
}

// openRawLog begins to write records to path.
func openRawLog(t *testing.T, path string) *rawLog {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	wait := unix.NsecToTimeval(int64(200 * time.Millisecond))
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.AUDIT_NLGRP_READLOG - 1)}))
	if err != nil {
		t.Skipf("NOT RUN, the kernel's records cannot be had from its multicast group: %v", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l := &rawLog{t: t, fd: fd, file: file, out: bufio.NewWriterSize(file, 1<<20), stop: make(chan struct{}), ended: make(chan error, 1)}
	go func() { l.ended <- l.write() }()
	return l
}

// end waits until nothing more comes, and returns how many records were written.
func (l *rawLog) end() int {
	l.t.Helper()
	close(l.stop)
	if err := errors.Join(<-l.ended, l.out.Flush(), l.file.Close()); err != nil {
		l.t.Fatalf("write the kernel's records: %v", err)
	}
	return l.records
}

// write writes until it is told to stop and the socket is empty.
func (l *rawLog) write() error {
	message := make([]byte, 16<<10)
	for {
		n, from, err := unix.Recvfrom(l.fd, message, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			select {
			case <-l.stop:
				return nil
			default:
				continue
			}
		case err != nil:
			return err // also ENOBUFS: the log would have a hole
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 || n <= unix.SizeofNlMsghdr {
			continue
		}
		typ := binary.NativeEndian.Uint16(message[4:])
		text := bytes.TrimRight(message[unix.SizeofNlMsghdr:n], "\x00\n")
		if !bytes.HasPrefix(text, []byte("audit(")) {
			continue
		}
		l.records++
		if _, err := fmt.Fprintf(l.out, "type=%s msg=%s\n", audit.TypeName(typ), bytes.ReplaceAll(text, []byte("\n"), []byte(" "))); err != nil {
			return err
		}
	}
}
