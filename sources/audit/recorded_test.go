// SPDX-License-Identifier: Apache-2.0

// This file runs the parser and the reassembler over recorded logs:
// testdata/recorded.log and, where it lies beside the checkout, the test material.
//
// testdata/recorded.log was recorded for this test on Linux 6.18, x86_64, from
// the audit socket: a shell with login uid 4243 runs ls, id, true and echo, two
// of its subshells at once, connects over IPv4, IPv6 and UNIX sockets, makes,
// renames and removes a file, and becomes nobody by su. Failed execs beyond the
// third were left out.

package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
)

// recordedLines returns the lines of testdata/recorded.log.
func recordedLines(t testing.TB) [][]byte {
	t.Helper()
	return linesOf(t, filepath.Join("testdata", "recorded.log"))
}

func linesOf(t testing.TB, path string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(b, []byte("\n"))
	return lines[:len(lines)-1+min(1, len(lines[len(lines)-1]))]
}

// besideCheckout returns a folder of the test material, or skips.
func besideCheckout(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the test material is not beside the checkout: %v", err)
	}
	return dir
}

// facts is what is known of a log: derived by another parser and compared event
// by event with libauparse 3.0.9.
type facts struct {
	Malformed []int `json:"malformed_lines"`
	Events    []struct {
		ID      string
		Records []string
		Auparse string
	}
}

// The groups of public logs hold the records that libauparse puts into the same
// event, in the same order, and the lines that are no records are those known.
func TestFacts(t *testing.T) {
	dir := besideCheckout(t, "audit")
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.facts.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no facts in %s: %v", dir, err)
	}
	agreed := 0
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want facts
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		log := strings.TrimSuffix(path, ".facts.json")
		name := strings.TrimPrefix(log, dir+"/")
		groups := map[string][]string{} // the types of each group, by id; hosts may share one
		malformed := pushAll(t, NewReassembler(Limits{}), linesOf(t, log), func(g *Group) {
			id := fmt.Sprintf("%d.%03d:%d", g.Time/1e9, g.Time/1e6%1e3, g.Serial)
			var types []string
			for _, r := range g.Records {
				types = append(types, fmt.Sprint(r.Type))
			}
			groups[id] = append(groups[id], strings.Join(types, " "))
		})
		if !slices.Equal(malformed, want.Malformed) {
			t.Errorf("%s: malformed lines %v, want %v", name, malformed, want.Malformed)
		}
		known := map[string]int{}
		for _, e := range want.Events {
			known[e.ID]++
			if e.Auparse != "agrees" {
				continue
			}
			agreed++
			var types []string
			for _, s := range e.Records {
				n, ok := TypeNumber([]byte(s))
				if !ok {
					t.Errorf("%s: event %s: type %s is not known", name, e.ID, s)
				}
				types = append(types, fmt.Sprint(n))
			}
			if !slices.Contains(groups[e.ID], strings.Join(types, " ")) {
				t.Errorf("%s: event %s has records %q, want %q", name, e.ID, groups[e.ID], types)
			}
		}
		for id, g := range groups {
			if len(g) != known[id] {
				t.Errorf("%s: event %s came out as %q, want %d groups", name, id, g, known[id])
			}
		}
	}
	if agreed < 330 {
		t.Errorf("%d events compared, want at least 330", agreed)
	}
}

// Every line of a live recording is a record, every record comes out once, and
// no event is called incomplete but the one that the end of a stretch cut off.
func TestLiveRecordings(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(besideCheckout(t, "linux-audit-live"), "*.log"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, path := range append(paths, filepath.Join("testdata", "recorded.log")) {
		name := filepath.Base(path)
		lines := linesOf(t, path)
		records, incomplete := 0, []string{}
		ids := map[string]bool{}
		malformed := pushAll(t, NewReassembler(Limits{}), lines, func(g *Group) {
			records += len(g.Records)
			id := fmt.Sprintf("%d:%d", g.Time, g.Serial)
			if ids[id] {
				t.Errorf("%s: event %s came out in two parts", name, id)
			}
			ids[id] = true
			if g.Flags&event.Incomplete != 0 {
				incomplete = append(incomplete, dumpGroup(g))
			}
			if g.Flags&event.Truncated != 0 {
				t.Errorf("%s: truncated: %.200s", name, dumpGroup(g))
			}
		})
		if len(malformed) > 0 || records != len(lines) {
			t.Errorf("%s: %d records of %d lines, malformed %v", name, records, len(lines), malformed)
		}
		cut := 0
		if name == "_stream-exec-conn.log" {
			cut = 1
		}
		if len(incomplete) != cut {
			t.Errorf("%s: incomplete: %.600s", name, strings.Join(incomplete, "\n"))
		}
	}
}

// BenchmarkReassemble parses recorded lines and puts them together, without
// decoding them.
func BenchmarkReassemble(b *testing.B) {
	logs := []string{filepath.Join("testdata", "recorded.log")}
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "linux-audit-live")
	for _, name := range []string{"exec", "_stream-exec-conn"} {
		if path := filepath.Join(dir, name+".log"); fileExists(path) {
			logs = append(logs, path)
		}
	}
	for _, path := range logs {
		b.Run("log="+strings.TrimSuffix(filepath.Base(path), ".log"), func(b *testing.B) {
			lines := linesOf(b, path)
			a := NewReassembler(Limits{})
			var events, records, size int
			pushAll(b, a, lines, func(g *Group) { events++; records += len(g.Records); a.Release(g) })
			for _, l := range lines {
				size += len(l) + 1
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				pushAll(b, a, lines, a.Release)
			}
			ns := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(ns/float64(events), "ns/event")
			b.ReportMetric(ns/float64(records)*6, "ns/6records")
		})
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
