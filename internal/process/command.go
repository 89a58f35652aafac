// SPDX-License-Identifier: Apache-2.0

// This file makes the command lines and arguments of processes.

package process

import (
	"bytes"
	"hash/maphash"

	"seismo/internal/event"
)

// commands has those command lines of late that may come again: scripts and timers
// run the same ones over and over. The zero value is ready.
type commands struct {
	seed  maphash.Seed
	slots *[commandSlots]commandLine
}

type commandLine struct {
	joined string
	args   []string
}

const (
	commandSlots  = 256
	maxCommonLine = 512 // bytes; longer ones seldom come twice
)

// arguments copies the command line and the arguments of e. As a rule the one
// is the other joined by blanks, and they share one copy.
func (t *Table) arguments(e *event.Event) (line string, args []string) {
	raw, hasLine := e.Text(event.ProcessCommandLine)
	if !e.Has(event.ProcessArgs) {
		return string(raw), nil
	}
	n, joined := 0, t.scratch[:0]
	for v := range e.Elements(event.ProcessArgs) {
		if n++; n > 1 {
			joined = append(joined, ' ')
		}
		joined = append(joined, v...)
	}
	t.scratch = joined
	if cap(t.scratch) > maxScratch {
		t.scratch = nil
	}
	c := t.commands.of(e, joined, n)
	if line = c.joined; hasLine && !bytes.Equal(raw, joined) {
		line = string(raw)
	}
	return line, c.args
}

// of returns the command line with the n arguments of e, which are joined.
func (k *commands) of(e *event.Event, joined []byte, n int) commandLine {
	if len(joined) > maxCommonLine {
		return newCommandLine(e, joined, n)
	}
	if k.slots == nil {
		k.seed, k.slots = maphash.MakeSeed(), new([commandSlots]commandLine)
	}
	slot := &k.slots[maphash.Bytes(k.seed, joined)%commandSlots]
	if !slot.is(e, joined, n) {
		*slot = newCommandLine(e, joined, n)
	}
	return *slot
}

// is reports whether c is the command line with the n arguments of e. The same
// line may be made of other arguments.
func (c *commandLine) is(e *event.Event, joined []byte, n int) bool {
	if c.args == nil || c.joined != string(joined) || len(c.args) != n {
		return false
	}
	i := 0
	for v := range e.Elements(event.ProcessArgs) {
		if len(v) != len(c.args[i]) {
			return false
		}
		i++
	}
	return true
}

func newCommandLine(e *event.Event, joined []byte, n int) commandLine {
	c := commandLine{joined: string(joined), args: make([]string, 0, n)}
	rest := c.joined
	for v := range e.Elements(event.ProcessArgs) {
		c.args = append(c.args, rest[:len(v)])
		rest = rest[min(len(v)+1, len(rest)):]
	}
	return c
}

// maxScratch bounds the memory that is held on to for the longest command line.
const maxScratch = 256 << 10
