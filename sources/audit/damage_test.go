// SPDX-License-Identifier: Apache-2.0

// This file damages single events of recorded logs: all the others decode as
// before, and what can not be read is counted.

package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// damages are what can happen to the lines of one event. Each returns the lines
// that stand in their place.
var damages = []struct {
	name string
	do   func(t *rapid.T, lines [][]byte) [][]byte
}{
	{"a record is lost", func(t *rapid.T, lines [][]byte) [][]byte {
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "record")
		return slices.Delete(lines, i, i+1)
	}},
	{"a record comes twice", func(t *rapid.T, lines [][]byte) [][]byte {
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "record")
		return slices.Insert(lines, i, bytes.Clone(lines[i]))
	}},
	{"the records come in another order", func(t *rapid.T, lines [][]byte) [][]byte {
		return rapid.Permutation(lines).Draw(t, "order")
	}},
	{"a record is cut short", func(t *rapid.T, lines [][]byte) [][]byte {
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "record")
		from := bytes.Index(lines[i], []byte("): ")) + 3
		lines[i] = append(bytes.Clone(lines[i][:rapid.IntRange(from, len(lines[i])-1).Draw(t, "length")]), '\n')
		return lines
	}},
	{"bytes of the text are others", func(t *rapid.T, lines [][]byte) [][]byte {
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "record")
		line := bytes.Clone(lines[i])
		from := bytes.Index(line, []byte("): ")) + 3
		for range rapid.IntRange(1, 8).Draw(t, "bytes") {
			if from < len(line)-1 {
				at := rapid.IntRange(from, len(line)-2).Draw(t, "place")
				if line[at] = rapid.Byte().Draw(t, "byte"); line[at] == '\n' {
					line[at] = 0xff
				}
			}
		}
		lines[i] = line
		return lines
	}},
	{"every key stands twice", func(t *rapid.T, lines [][]byte) [][]byte {
		for i, line := range lines {
			from := bytes.Index(line, []byte("): ")) + 3
			body := bytes.TrimSpace(line[from:])
			lines[i] = fmt.Appendf(nil, "%s%s %s\n", line[:from], body, body)
		}
		return lines
	}},
	{"what a line says about its event can not be read", func(t *rapid.T, lines [][]byte) [][]byte {
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "record")
		lines[i] = bytes.Replace(lines[i], []byte("audit("), rapid.SampledFrom([][]byte{[]byte("audit["), []byte("(" /* a stamp is missing */), nil}).Draw(t, "stamp"), 1)
		return lines
	}},
	{"there are very many arguments", func(t *rapid.T, lines [][]byte) [][]byte {
		stamp := lines[0][bytes.Index(lines[0], []byte("audit(")) : bytes.Index(lines[0], []byte("): "))+3]
		for i := range rapid.IntRange(1, 400).Draw(t, "records") {
			lines = slices.Insert(lines, 1, fmt.Appendf(nil, "type=EXECVE msg=%sa%d=\"%s\"\n", stamp, i+7, bytes.Repeat([]byte("x"), 5000)))
		}
		return lines
	}},
}

// Whatever happens to the records of one event, every other event decodes exactly
// as before, and each line is counted once.
func TestDamageStaysWhereItIs(t *testing.T) {
	logs := []string{filepath.Join("testdata", "recorded.log")}
	for _, name := range []string{"session", "rename", "execveat-memfd", "useradd", "io_uring-list"} {
		path := filepath.Join("..", "..", "..", "shared", "corpus", "linux-audit-live", name+".log")
		if _, err := os.Stat(path); err == nil {
			logs = append(logs, path)
		}
	}
	for _, path := range logs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var order []string
			events := map[string][][]byte{}
			for line := range bytes.Lines(raw) {
				serial := serialOf(line)
				if events[serial] == nil {
					order = append(order, serial)
				}
				events[serial] = append(events[serial], line)
			}
			whole := rowsBySerial(t, raw, nil)
			rapid.Check(t, func(rt *rapid.T) {
				victim := rapid.SampledFrom(order).Draw(rt, "event")
				d := damages[rapid.IntRange(0, len(damages)-1).Draw(rt, "damage")]
				hurt := d.do(rt, slices.Clone(events[victim]))
				var damaged []byte
				lines := uint64(0)
				for line := range bytes.Lines(raw) {
					if serialOf(line) != victim {
						damaged = append(damaged, line...)
						lines++
						continue
					}
					for _, l := range hurt { // all of it where its first line was
						damaged = append(damaged, l...)
						lines++
					}
					hurt = nil
				}
				var stats event.SourceStats
				got := rowsBySerial(t, damaged, &stats)
				for serial, want := range whole {
					if serial != victim && !slices.Equal(got[serial], want) {
						rt.Fatalf("%s, event %s: event %s is now %q, was %q", d.name, victim, serial, got[serial], want)
					}
				}
				if stats.Received > lines || stats.Received != stats.Parsed+stats.Malformed {
					rt.Fatalf("%s: %d records of %d lines, parsed %d, malformed %d", d.name, stats.Received, lines, stats.Parsed, stats.Malformed)
				}
			})
		})
	}
}

// rowsBySerial decodes a log and returns all that each event holds. What bind and
// socket say of a descriptor is told to later events by design, so the protocol
// and the ends of sockets are left out.
func rowsBySerial(t *testing.T, log []byte, stats *event.SourceStats) map[string][]string {
	views, st, _ := readAll(t, bytes.NewReader(log), audit.StreamOptions{Name: "log", Decode: audit.DecodeOptions{Demand: event.Demand{AllOwn: true}}})
	if stats != nil {
		*stats = st
	}
	rows := map[string][]string{}
	for i := range views {
		v := &views[i]
		if v.kind == "network" || v.kind == "syscall" && (v.fields["syscall.name"] == "bind" || v.fields["syscall.name"] == "listen") {
			v.kind, v.op, v.fields = "socket", "", nil
		}
		v.ordinal = 0
		rows[fmt.Sprint(v.serial)] = append(rows[fmt.Sprint(v.serial)], fmt.Sprintf("%+v", *v))
	}
	return rows
}
