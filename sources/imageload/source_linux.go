// SPDX-License-Identifier: Apache-2.0

// This file holds the live source: it waits for the rings of all processors, reads
// them together, and looks now and then which processors are on.

package imageload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

const (
	// gather is how long records may wait in a ring that is less than a quarter full. A
	// look costs 0.1 ms, most of it for waking up: four a second are 0.04 % of a core.
	gather = 250 * time.Millisecond
	// longest is how long Read waits before it returns with nothing.
	longest = time.Second
	// lookEvery is how often it is asked which processors are on, and what was lost.
	lookEvery = 2 * time.Second

	onlineFile = "/sys/devices/system/cpu/online"
)

// Source reads mappings. It implements recorder.Source.
type Source struct {
	mu     sync.Mutex // held by Read
	ended  bool       // all is released
	taps   []*tap
	reader reader
	size   int // bytes of a ring
	poll   int // epoll
	wakeMu sync.Mutex
	wake   int // eventfd: Close; -1 once it is released
	online func() ([]int, error)
	file   *os.File     // behind online
	said   map[int]bool // processors that could not be listened to, and that was told
	looked time.Time

	closing atomic.Bool
	stats   atomic.Pointer[event.SourceStats]
}

// Open begins to listen to the mappings of all processes. Errors wrap [ErrPrivilege]
// or [ErrUnsupported] where that is the reason.
func Open(o Options) (*Source, error) {
	f, err := os.Open(onlineFile) // kept open: a sandbox may forbid it later
	if err != nil {
		return nil, fmt.Errorf("see which processors are on: %w", err)
	}
	s, err := open(o, func() ([]int, error) {
		buf := make([]byte, 4096)
		n, err := f.ReadAt(buf, 0)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("see which processors are on: %w", err)
		}
		return parseCPUs(string(buf[:n]))
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.file = f
	return s, nil
}

// open is Open for the processors that online names.
func open(o Options, online func() ([]int, error)) (_ *Source, err error) {
	cpus, err := online()
	if err != nil {
		return nil, err
	}
	if o.BatchEvents <= 0 {
		o.BatchEvents = defaultBatchEvents
	}
	s := &Source{online: online, size: o.ringBytes(len(cpus)), poll: -1, wake: -1, said: map[int]bool{}, looked: time.Now(),
		reader: reader{seen: newTracker(), max: o.BatchEvents}}
	s.stats.Store(&event.SourceStats{})
	runtime.SetFinalizer(s, (*Source).release) // for one that is closed and not read to its end
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make an epoll: %w", err)
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	if err := s.watch(s.wake); err != nil {
		return nil, err
	}
	for _, cpu := range cpus {
		if err := s.add(cpu, s.looked.UnixNano()); err != nil && !errors.Is(err, unix.ENODEV) { // it went off meanwhile
			return nil, err
		}
	}
	return s, nil
}

func (s *Source) watch(fd int) error {
	if err := unix.EpollCtl(s.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("wait for image loads: %w", err)
	}
	return nil
}

// add listens to processor cpu from now on.
func (s *Source) add(cpu int, now int64) error {
	t, err := openTap(cpu, s.size, now)
	if err != nil {
		return err
	}
	if err := s.watch(t.fd); err != nil {
		return errors.Join(err, t.close())
	}
	s.taps = append(s.taps, t)
	s.reader.lanes = append(s.reader.lanes, &t.lane)
	return nil
}

// Read appends the events of what was mapped since the last Read, in the order of
// time, and what was lost. It returns after about a second if nothing comes. After
// [Source.Close] it gives what was left over, and then io.EOF.
func (s *Source) Read(ctx context.Context, b *event.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Platform = "linux"
	events, losses := b.Len(), len(b.Losses)
	for began := time.Now(); ; {
		if s.ended {
			return io.EOF
		}
		closing := s.closing.Load()
		if closing {
			s.stop()
		}
		s.drain(b, closing)
		if now := time.Now(); closing || now.Sub(s.looked) >= lookEvery {
			s.look(b, now, closing)
		}
		s.count()
		switch {
		case b.Len() > events || len(b.Losses) > losses:
			return nil
		case closing:
			if err := s.release(); err != nil {
				return err
			}
			return io.EOF
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) >= longest:
			return nil
		}
		if err := s.wait(); err != nil {
			return err
		}
	}
}

// stop ends the writing into all rings. The kernel has no reason to refuse it.
func (s *Source) stop() {
	for _, t := range s.taps {
		t.stop()
	}
}

// drain reads what can be taken of all rings; with all set, all that is written.
func (s *Source) drain(b *event.Batch, all bool) {
	now := time.Now().UnixNano() // before the heads are read: see merge
	for _, t := range s.taps {
		t.fetch()
	}
	s.reader.read(b, now, all)
	for _, t := range s.taps {
		t.release()
	}
}

// wait returns when a ring has filled to a quarter, after a while, or on Close.
func (s *Source) wait() error {
	var ready [8]unix.EpollEvent
	_, err := unix.EpollWait(s.poll, ready[:], int(gather/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for image loads: %w", err)
	}
	return nil
}

// look tells what was lost since the last look, and follows the processors that go
// off and on.
func (s *Source) look(b *event.Batch, now time.Time, closing bool) {
	since := s.looked.UnixNano()
	s.looked = now
	at := now.UnixNano()
	for _, t := range s.taps {
		lost, enabled, err := t.account()
		if err == nil {
			s.reader.lose(b, &t.lane, lost, at)
		}
		if err != nil || enabled == t.enabled {
			t.off = true
		} else if !t.off {
			t.enabled = enabled
		}
		if !t.off {
			t.lived = since
		}
	}
	if closing {
		return
	}
	on, err := s.online()
	if err != nil {
		return // those that are known are read on
	}
	gaps := s.drop(on)
	for _, cpu := range on {
		if slices.ContainsFunc(s.taps, func(t *tap) bool { return t.cpu == cpu }) {
			continue
		}
		since := since
		if lived, ok := gaps[cpu]; ok {
			since = lived
		}
		err := s.add(cpu, at)
		if err == nil {
			delete(s.said, cpu)
			s.late(b, cpu, since, at, "were not seen before it was found to be on")
		} else if !s.said[cpu] && !errors.Is(err, unix.ENODEV) {
			s.said[cpu] = true
			s.late(b, cpu, since, at, "are not seen: "+err.Error())
		}
	}
}

// late tells that image loads of cpu were not seen.
func (s *Source) late(b *event.Batch, cpu int, from, to int64, what string) {
	b.Losses = append(b.Losses, event.Loss{From: from, To: to, Reason: event.LossNotSeen, Kind: event.KindImage, Count: 1, Unit: "times",
		Detail: fmt.Sprintf("image loads of processor %d %s", cpu, what)})
}

// drop closes the rings of processors that are not on, and of those that went off and
// on again, once all in them was read. It returns since when they may have been off.
func (s *Source) drop(on []int) map[int]int64 {
	var gaps map[int]int64
	s.taps = slices.DeleteFunc(s.taps, func(t *tap) bool {
		if t.off = t.off || !slices.Contains(on, t.cpu); !t.off || !t.empty() {
			return false
		}
		s.reader.lanes = slices.DeleteFunc(s.reader.lanes, func(l *lane) bool { return l == &t.lane })
		// It can not fail in a way that leaves something behind that could be put right.
		_ = t.close()
		if gaps == nil {
			gaps = map[int]int64{}
		}
		gaps[t.cpu] = t.lived
		return true
	})
	return gaps
}

// count publishes the figures.
func (s *Source) count() {
	c := &s.reader.counters
	s.stats.Store(&event.SourceStats{Received: c.received, Parsed: c.parsed, Malformed: c.malformed, Assembled: c.events, KernelLost: c.lost})
}

// Stats returns the figures of the last Read.
func (s *Source) Stats() event.SourceStats { return *s.stats.Load() }

// Close ends a Read that waits. What Read gives after it are the records up to then;
// the last one, which returns io.EOF, frees the rings.
func (s *Source) Close() error {
	if s.closing.Swap(true) {
		return nil
	}
	if s.mu.TryLock() { // no Read is under way, and perhaps none comes
		s.stop()
		s.mu.Unlock()
	}
	s.wakeMu.Lock()
	defer s.wakeMu.Unlock()
	if s.wake < 0 {
		return nil
	}
	var one [8]byte
	native.PutUint64(one[:], 1)
	if _, err := unix.Write(s.wake, one[:]); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("end the wait for image loads: %w", err)
	}
	return nil
}

// release frees all; Read returns io.EOF from then on.
func (s *Source) release() (err error) {
	s.ended = true
	runtime.SetFinalizer(s, nil)
	for _, t := range s.taps {
		err = errors.Join(err, t.close())
	}
	s.taps, s.reader.lanes = nil, nil
	s.wakeMu.Lock()
	defer s.wakeMu.Unlock()
	for _, fd := range []*int{&s.poll, &s.wake} {
		if *fd >= 0 {
			err = errors.Join(err, unix.Close(*fd))
			*fd = -1
		}
	}
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
	}
	if err != nil {
		return fmt.Errorf("stop listening to image loads: %w", err)
	}
	return nil
}
