// SPDX-License-Identifier: Apache-2.0

// This file finds the containers of processes that their parents are not in: of the
// first process of a container, which its runtime starts. The others inherit it.

package daemon

import (
	"context"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/recorder"
)

const (
	// containerLooks is how many processes are looked at in a second on average, and
	// containerBurst at once: a look takes about 10 µs. Among hundreds of programs a
	// second the first of a container may be missed; one of those after it is not,
	// and what that one starts inherits it.
	containerLooks = 20
	containerBurst = 100
	maxToLook      = 256
)

// containers is the source of containers that come late.
type containers struct {
	of   func(pid int32, by int64) (string, error)
	look chan toLook
	done chan struct{}
	once sync.Once

	tokens float64 // of the goroutine that calls seen
	at     time.Time
}

type toLook struct {
	process *event.Process
	time    int64
}

func openContainers(*life) (recorder.Source, func(*event.Batch), error) {
	c := newContainers(os.DirFS("/proc"))
	return c, c.seen, nil
}

func newContainers(proc fs.FS) *containers {
	return &containers{of: process.NewContainers(proc).Of, look: make(chan toLook, maxToLook), done: make(chan struct{}), tokens: containerBurst, at: time.Now()}
}

// seen notes processes that may be in a container that nobody knows of.
func (c *containers) seen(b *event.Batch) {
	for _, e := range b.Events() {
		p := e.Process
		if e.Kind != event.KindProcess || e.Op != event.OpCreate || p == nil || p.ContainerID != "" || p.SeenRunning || e.Host != "" {
			continue
		}
		if c.tokens < 1 {
			now := time.Now()
			c.tokens = min(containerBurst, c.tokens+containerLooks*now.Sub(c.at).Seconds())
			if c.at = now; c.tokens < 1 {
				return
			}
		}
		c.tokens--
		select {
		case c.look <- toLook{p, e.Time}:
		default:
			return
		}
	}
}

// Read appends an update event for each process that is found in a container. It
// waits for one.
func (c *containers) Read(ctx context.Context, b *event.Batch) error {
	for {
		select {
		case <-c.done:
			return io.EOF
		case <-ctx.Done():
			return ctx.Err()
		case l := <-c.look:
			if hasEnded(l.process.PID) { // most have, and this is cheaper to find out
				continue
			}
			id, err := c.of(l.process.PID, l.time)
			if err != nil || id == "" {
				continue // it has ended, or is in none
			}
			b.Platform = "linux"
			e := b.Add(event.KindProcess, event.OpUpdate)
			e.Time, e.PID, e.PPID, e.Process = max(time.Now().UnixNano(), l.time), l.process.PID, l.process.PPID, l.process
			e.SetString(event.ProcessContainerID, id)
			return nil
		}
	}
}

// Stats counts nothing: an event that comes is counted by the recorder.
func (c *containers) Stats() event.SourceStats { return event.SourceStats{} }

// Close ends Read.
func (c *containers) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}
