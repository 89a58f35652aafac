// SPDX-License-Identifier: Apache-2.0

// This file holds the recorder's side: what it is given, what it counts, and how
// late hashes come out as events. What is known of programs is in known.go, the talk
// with the helper in serve.go.

package imagehash

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"seismo/internal/event"
	"seismo/internal/recent"
)

// Helper is a connection to a helper that runs. Close ends the helper, by force where
// it hangs, and does not wait for that.
type Helper interface {
	io.ReadWriteCloser
	SetWriteDeadline(t time.Time) error
}

// Watcher tells that files that the helper looked at may have changed. It does not
// wait for anything.
type Watcher interface {
	// Changed calls f with the watch of each file that changed since the last call.
	// lost says that not all could be told.
	Changed(f func(watch int32)) (lost bool)
	// Forget ends a watch.
	Forget(watch int32)
	Close() error
}

// Options say what a client works for.
type Options struct {
	Want      Algorithms
	MaxBytes  int64 // larger files are not read
	PerSecond int   // files that are read in a second at most
	// Start starts a helper. It is called again, at most once a minute, when the one
	// before has ended or was ended.
	Start func() (Helper, error)
	// Watch tells of changes; nil: every program is looked at again for each process.
	Watch Watcher
	// Cache has what was read before; nil: nothing.
	Cache *Cache
}

// Stats counts. Asked is the number of processes whose hash was not known at once;
// each comes to be one of Late, Missed or Shed, but for those that still wait.
type Stats struct {
	Known, Asked, Late, Shed uint64 // processes
	Missed                   [numStatus]uint64
	Reads, ReadBytes         uint64 // files, bytes
	Looks                    uint64 // requests that needed no reading
	Starts, Hangs            uint64 // of the helper
}

// Client knows hashes of programs, and finds out those that it does not know. Known
// and Seen are for the goroutine of the process table, Read for that of a source;
// every method may be called from any goroutine.
type Client struct {
	o    Options
	seed maphash.Seed
	wake chan struct{} // there is something to ask
	told chan struct{} // there is something to read
	done chan struct{} // closed by Close
	over chan struct{} // closed when the helper is gone

	mu       sync.Mutex
	cache    *Cache
	entries  map[uint64]*entry
	order    recent.List[*entry]
	watches  map[int32]*watch
	drained  int64 // when changes were last asked for, Unix time, nanoseconds
	looks    queue // entries whose file need only be looked at
	reads    queue // entries whose file must be read
	flight   []*entry
	retired  []int32 // watches that are to end
	asked    uint32  // number of the last request
	doubt    uint32  // changes were missed: watches that come with answers up to this one tell nothing
	waiting  int     // processes, in all entries and out
	tokens   float64
	tokensAt time.Time
	hung     map[uint64]hang // by device
	out      []late
	losses   []event.Loss
	stats    Stats
	closed   bool
	scratch  []event.FileID
}

// late is a hash that came after its process.
type late struct {
	process *event.Process
	hashes  []string
	at      int64
}

// New starts a client and its helper. That the helper can not be started is no error
// but a loss: hashes of the cache are given all the same.
func New(o Options) (*Client, error) {
	if o.Want == 0 || o.PerSecond < 1 || o.Start == nil {
		return nil, errors.New("imagehash: algorithms, a rate and a helper are required")
	}
	c := &Client{o: o, seed: maphash.MakeSeed(), wake: make(chan struct{}, 1), told: make(chan struct{}, 1),
		done: make(chan struct{}), over: make(chan struct{}), cache: o.Cache,
		entries: map[uint64]*entry{}, watches: map[int32]*watch{}, hung: map[uint64]hang{},
		tokens: float64(o.PerSecond), tokensAt: time.Now()}
	if c.cache == nil {
		c.cache = NewCache(o.Want)
	}
	go func() {
		defer close(c.over)
		c.run()
	}()
	return c, nil
}

// Figures returns what was counted.
func (c *Client) Figures() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Save returns the state file of the cache, nil if it is as it was saved last.
func (c *Client) Save() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cache.dirty {
		return nil
	}
	c.cache.dirty = false
	return c.cache.Marshal()
}

// maxUpdates bounds the events of one Read.
const maxUpdates = 1000

// Read appends an update event to b for each process whose hash came to be known
// after it was published. It waits for one. After Close it returns what is left and
// then io.EOF.
func (c *Client) Read(ctx context.Context, b *event.Batch) error {
	for {
		if c.tell(b) {
			return nil
		}
		select {
		case <-c.done:
			if !c.tell(b) {
				return io.EOF
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-c.told:
		}
	}
}

// tell appends what is to be told, and reports whether that was anything.
func (c *Client) tell(b *event.Batch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 && len(c.losses) == 0 {
		return false
	}
	b.Platform = "linux"
	n := min(len(c.out), maxUpdates)
	for _, l := range c.out[:n] {
		e := b.Add(event.KindProcess, event.OpUpdate)
		e.Time, e.PID, e.PPID, e.Process = l.at, l.process.PID, l.process.PPID, l.process
		for _, h := range l.hashes {
			e.AppendElement(event.ProcessHash, []byte(h))
		}
	}
	c.waiting -= n
	rest := copy(c.out, c.out[n:])
	clear(c.out[rest:])
	c.out = c.out[:rest]
	if rest == 0 && cap(c.out) > maxUpdates {
		c.out = nil
	}
	b.Losses = append(b.Losses, c.losses...)
	c.losses = nil
	return true
}

// Stats counts the update events; the figures of the hashes are in Figures.
func (c *Client) Stats() event.SourceStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return event.SourceStats{Assembled: c.stats.Late}
}

// Close ends the helper. Processes that still wait for their hash are counted as shed.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		<-c.over
		return nil
	}
	c.closed = true
	left := 0
	for _, e := range c.entries {
		left += len(e.waiters)
		e.waiters = nil
	}
	c.waiting -= left
	c.shed(left, "the recorder stopped before their hashes were known")
	c.mu.Unlock()
	close(c.done)
	<-c.over
	if c.o.Watch != nil {
		return c.o.Watch.Close()
	}
	return nil
}

// shed counts n processes that will have no hash because of our own bounds.
func (c *Client) shed(n int, why string) {
	if n == 0 {
		return
	}
	c.stats.Shed += uint64(n)
	c.lose(event.Loss{Reason: event.LossShed, Kind: event.KindProcess, Count: uint64(n), Unit: "processes",
		Detail: "hashes of programs: " + why})
}

// lose notes a loss of now; those of one detail are one until they are told.
func (c *Client) lose(l event.Loss) {
	l.From = time.Now().UnixNano()
	l.To = l.From
	if all := event.AddLoss(c.losses, l); len(all) > len(c.losses) {
		c.losses = all
		notify(c.told)
	}
}

// Lose has l told with the next batch: of a cache that could not be read.
func (c *Client) Lose(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose(event.Loss{Reason: event.LossState, Count: 1, Unit: "times", Detail: fmt.Sprintf(format, args...)})
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
