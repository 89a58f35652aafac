// SPDX-License-Identifier: Apache-2.0

// This file makes random CEL expressions, events and processes for
// cel_oracle_test.go. Literals and values come from one small pool, so that they
// meet often.

package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"seismo/internal/event"
)

// celPool are texts with what is easily got wrong: case, characters that Unicode
// folds to ASCII, what a decoder makes of bad bytes, and NUL.
var celPool = []string{"", "a", "A", "ab", "AB", "Ab", "abc", "k", "K", "\u212a", "é", "É", "\ufffd", "a\ufffd", "\x00", "a\x00b", "sh", "Sh", "/bin/sh", "/BIN/sh",
	"/tmp/x", "10.0.0.1", "::1", "write", "x y", "MD5=d41d8cd98f00b204e9800998ecf8427e"}

// celBytes are values that no literal can be.
var celBytes = []string{"\xff", "a\xff", "A\xffB", "\xc3", "\xe2\x84", "k\xc3\xa9\xe2", "/bin/\xfe"}

var celNumbers = []int64{0, 1, -1, 7, 443, 65535, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1}

// celMaker makes expressions.
type celMaker struct{ *rand.Rand }

func celPick[T any](r *rand.Rand, s ...T) T { return s[r.IntN(len(s))] }

func (m celMaker) one(s ...string) string { return celPick(m.Rand, s...) }

// literal returns a string literal.
func (m celMaker) literal() string { return celLiteral(celPick(m.Rand, celPool...)) }

// celLiteral returns the literal for s, which is UTF-8: CEL has the escapes of Go.
func celLiteral(s string) string { return strconv.QuoteToASCII(s) }

func (m celMaker) listOf(item func() string) string {
	items := make([]string, 1+m.IntN(3))
	for i := range items {
		items[i] = item()
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// number returns an integer literal; MinInt64 is one in CEL.
func (m celMaker) number() string { return strconv.FormatInt(celPick(m.Rand, celNumbers...), 10) }

func (m celMaker) id() string { return fmt.Sprintf("%du", uint64(celPick(m.Rand, celNumbers...))) }

func (m celMaker) time() string {
	return `timestamp("` + m.one("2026-11-22T13:00:00Z", "1970-01-01T00:00:00.000000007Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z") + `")`
}

func (m celMaker) text() string {
	return m.one("process.path", "process.name", "process.command_line", "process.cmd", "process.parent_path", "process.container_id", "file.path", "file.operation",
		"network.address", "user.name", "process.user_name", "process.operation", "record.text")
}

func (m celMaker) integer() string {
	return m.one("process.pid", "process.user_id", "process.parent_pid", "network.port", "user.id", "file.mode")
}

func (m celMaker) list() string {
	return m.one("process.args", "process.ancestry_name", "process.ancestry_hash", "process.hash", "syscall.arguments", `own("key")`, `own("Key")`)
}

func (m celMaker) field() string {
	for {
		if f := celPick(m.Rand, m.text(), m.integer(), "process.id", "process.start_time", m.list()); !strings.HasPrefix(f, "own") {
			return f
		}
	}
}

// expr returns an expression of type bool.
func (m celMaker) expr(depth int) string {
	if depth == 0 {
		return m.atom()
	}
	e := func() string { return m.expr(m.IntN(depth)) }
	switch m.IntN(9) {
	case 0, 1:
		return "(" + e() + " && " + e() + ")"
	case 2, 3:
		return "(" + e() + " || " + e() + ")"
	case 4:
		return "!(" + e() + ")"
	case 5:
		return "(" + e() + " ? " + e() + " : " + e() + ")"
	case 6:
		return "(" + e() + m.one(" == ", " != ") + m.one("true", "false") + ")"
	}
	return m.atom()
}

func (m celMaker) atom() string {
	switch m.IntN(12) {
	case 0:
		return "has(" + m.field() + ")"
	case 1:
		return `hasOwn("` + m.one("key", "Key", "b") + `")`
	case 2, 3:
		return m.numeric()
	case 4, 5:
		return m.quantified()
	case 6:
		return m.onList()
	case 7:
		return m.residual()
	}
	return m.onText(m.text())
}

func (m celMaker) numeric() string {
	op := m.one("==", "!=", "<", "<=", ">", ">=")
	f, value := m.integer(), m.number
	switch m.IntN(4) {
	case 0:
		f, value = "process.id", m.id
	case 1:
		f, value = "process.start_time", m.time
	}
	switch m.IntN(5) {
	case 0:
		return f + " in " + m.listOf(value)
	case 1:
		return value() + " " + op + " " + f
	case 2:
		return m.integer() + `.inList("` + m.one("some", "none") + `")`
	}
	return f + " " + op + " " + value()
}

// onText returns a test on the text that f is.
func (m celMaker) onText(f string) string {
	switch m.IntN(12) {
	case 0, 1:
		return f + m.one(" == ", " != ") + m.literal()
	case 2:
		return m.literal() + m.one(" == ", " != ") + f
	case 3:
		return f + " in " + m.listOf(m.literal)
	case 4, 5:
		return f + m.one("", ".lowerAscii()", ".upperAscii()") + m.one(".contains(", ".startsWith(", ".endsWith(") + m.literal() + ")"
	case 6:
		return f + m.one(".lowerAscii()", ".upperAscii()") + m.one(" == ", " != ") + m.literal()
	case 7:
		return f + m.one(".iequals(", ".icontains(", ".istartsWith(", ".iendsWith(") + m.literal() + ")"
	case 8:
		if m.IntN(8) == 0 { // what terms do not take
			return f + ".matches(" + celLiteral(m.one(`\x{fffd}`, "(?i)k", "")) + ")"
		}
		return f + m.one(".matches(", ".imatches(") + celLiteral(m.one("a", "^a.*$", "[^a]", `\.`, "k", ".", "^.$", "[[:upper:]]", "sh$", "(a|b)+c", "^$", "(?s)a.b", `\pL`, `\bk`)) + ")"
	case 9:
		return f + m.one(".glob(", ".pathGlob(") + celLiteral(m.one("*", "a?", "/*/sh", "/BIN/*", "**", "?", "K", "*\ufffd*")) + ")"
	case 10:
		return f + ".inCIDR(" + celLiteral(m.one("10.0.0.0/8", "::/0", "0.0.0.0/0", "::1", "::ffff:10.0.0.0/104")) + ")"
	}
	return f + `.inList("` + m.one("some", "none") + `")`
}

func (m celMaker) onList() string {
	f := m.list()
	switch m.IntN(4) {
	case 0:
		return m.literal() + " in " + f
	case 1:
		return f + m.one(".iequals(", ".icontains(", ".istartsWith(", ".iendsWith(") + m.literal() + ")"
	case 2:
		return f + m.one(".imatches(", ".glob(", ".pathGlob(") + celLiteral(m.one("a", "k", "a.", "sh")) + ")"
	}
	return f + m.one(`.inList("some")`, `.inCIDR("10.0.0.0/8")`)
}

func (m celMaker) quantified() string {
	pred := m.onText("v")
	switch m.IntN(5) {
	case 0:
		pred = "!(" + pred + ")"
	case 1, 2:
		pred += m.one(" || ", " && ") + m.onText("v")
	case 3:
		if m.IntN(3) == 0 {
			pred += m.one(" || ", " && ") + m.atomWithoutLoop()
		}
	}
	return m.list() + m.one(".exists(v, ", ".exists(v, ", ".all(v, ", ".exists_one(v, ") + pred + ")"
}

func (m celMaker) atomWithoutLoop() string {
	return m.one(m.onText(m.text()), m.numeric(), "has("+m.field()+")")
}

// residual returns a test that no term says.
func (m celMaker) residual() string {
	f, g := m.text(), m.text()
	switch m.IntN(9) {
	case 0:
		return f + m.one(" == ", " < ", " >= ") + g
	case 1:
		return f + ".size()" + m.one(" == ", " > ") + m.one("0", "1", "2", "7")
	case 2:
		return f + ".substring(1)" + " == " + m.literal()
	case 3:
		return m.list() + "[" + m.one("0", "1", "5") + "] == " + m.literal()
	case 4:
		return f + ".contains(" + g + ")"
	case 5:
		return m.list() + ".filter(v, " + m.onText("v") + ").size() > 0"
	case 6:
		return f + ".icontains(" + g + ")"
	case 7:
		return m.integer() + " + 1 > " + m.integer()
	}
	return f + `.split("/").exists(v, v == ` + m.literal() + ")"
}

// value returns a text of an event.
func (m celMaker) value() string {
	if m.IntN(4) == 0 {
		return celPick(m.Rand, celBytes...)
	}
	return celPick(m.Rand, celPool...)
}

func (m celMaker) values() []string {
	all := make([]string, m.IntN(4))
	for i := range all {
		all[i] = m.value()
	}
	return all
}

// process returns a process, its parent and so on, with a number of its own.
func (m celMaker) process(key *event.ProcessKey, ancestors int) *event.Process {
	*key++
	p := &event.Process{ID: *key, PID: int32(m.IntN(3)), PPID: int32(m.IntN(2)), UserID: int64(m.IntN(3)) - 1, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
	maybe := func(s *string) {
		if m.IntN(3) > 0 {
			*s = m.value()
		}
	}
	maybe(&p.Path)
	maybe(&p.CommandLine)
	maybe(&p.UserName)
	maybe(&p.ContainerID)
	if m.IntN(3) > 0 {
		p.Args = m.values()
	}
	if m.IntN(3) > 0 {
		p.Hash = m.values()
	}
	if m.IntN(2) > 0 {
		p.Start = celPick[int64](m.Rand, 7, 1_795_352_400_000_000_000, math.MaxInt64)
	}
	if ancestors > 0 && m.IntN(3) > 0 {
		p.Parent = m.process(key, ancestors-1)
	}
	if ancestors > 0 && m.IntN(4) == 0 {
		p.Previous = m.process(key, ancestors-1)
	}
	return p
}

// events returns a batch of n events.
func (m celMaker) events(n int) *event.Batch {
	b := event.NewBatch(n)
	key := event.ProcessKey(100)
	for range n {
		kind := celPick(m.Rand, event.KindProcess, event.KindFile, event.KindNetwork, event.KindSyscall, event.KindRecord)
		e := b.Add(kind, celPick(m.Rand, event.Ops(kind)...))
		m.fill(e)
		if m.IntN(5) > 0 {
			e.Process = m.process(&key, 2)
			if m.IntN(20) == 0 {
				e.Process.ID = math.MaxUint64 - e.Process.ID
			}
		}
	}
	return b
}

// fill gives e values: what its kind has, and what its record says of its process.
func (m celMaker) fill(e *event.Event) {
	for _, in := range event.Fields() {
		own := in.Scope == event.ScopeEvent && in.Kinds.Has(e.Kind) && !strings.HasSuffix(in.Name, ".operation") && !isDerived(in.Field)
		said := in.Scope == event.ScopeProcess && in.Field != event.ProcessID
		if !own && !said || m.IntN(3) == 0 {
			continue
		}
		switch in.Type {
		case event.String:
			e.SetString(in.Field, m.value())
		case event.Address:
			e.SetAddr(in.Field, netip.MustParseAddr(m.one("10.0.0.1", "::1", "192.0.2.7", "2001:db8::ab", "::ffff:10.0.0.1")))
		case event.List, event.Hash:
			for _, v := range m.values() {
				e.AppendElement(in.Field, []byte(v))
			}
		default:
			e.SetInt(in.Field, celPick(m.Rand, celNumbers...))
		}
	}
	for record := range m.IntN(3) {
		e.AddRecordType(uint16(record))
	}
	for record := range len(e.RecordTypes()) {
		for range m.IntN(3) {
			e.AddOwn(record, []byte(m.one("key", "Key")), []byte(m.value()))
		}
	}
}
