// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// BenchmarkDecode takes recorded logs from lines to events: parse, reassemble,
// decode. demand=none is what the recorder does where no signal names an own
// field, demand=all what a replay that prints everything does. events=six are the
// execs of a recorded log, with SYSCALL, EXECVE, CWD, two PATHs and PROCTITLE;
// events=recorded is that log whole; events=stream, where the test material is
// there, execs and connects of two programs at full speed, interleaved.
func BenchmarkDecode(b *testing.B) {
	logs := map[string][][]byte{"recorded": readLines(b, "testdata/recorded.log", nil)}
	execs := map[string]bool{}
	for _, line := range logs["recorded"] {
		if bytes.HasPrefix(line, []byte("type=EXECVE ")) {
			execs[serialOf(line)] = true
		}
	}
	for _, line := range logs["recorded"] {
		if execs[serialOf(line)] && !bytes.Contains(line, []byte("type=BPRM_FCAPS")) {
			logs["six"] = append(logs["six"], line)
		}
	}
	stream := filepath.Join("..", "..", "..", "shared", "corpus", "linux-audit-live", "_stream-exec-conn.log")
	if _, err := os.Stat(stream); err == nil {
		logs["stream"] = readLines(b, stream, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		for _, demand := range []string{"none", "all"} {
			b.Run("events="+name+"/demand="+demand, func(b *testing.B) { benchmarkDecode(b, logs[name], demand == "all") })
		}
	}
}

// serialOf returns the serial number of a record, as text.
func serialOf(line []byte) string {
	_, rest, _ := bytes.Cut(line, []byte(":"))
	serial, _, _ := bytes.Cut(rest, []byte(")"))
	return string(serial)
}

func readLines(b *testing.B, path string, keep func([]byte) bool) [][]byte {
	raw, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var lines [][]byte
	for line := range bytes.Lines(raw) {
		if keep == nil || keep(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func benchmarkDecode(b *testing.B, lines [][]byte, all bool) {
	asm := audit.NewReassembler(audit.Limits{})
	dec := audit.NewDecoder(audit.DecodeOptions{Demand: event.Demand{AllOwn: all}})
	batch := event.NewBatch(1000)
	events, size := 0, 0
	pop := func() {
		for g := asm.Pop(); g != nil; g = asm.Pop() {
			if batch.Full(1000) {
				batch.Reset()
			}
			if dec.Decode(g, batch) {
				events++
			}
			asm.Release(g)
		}
	}
	run := func() {
		for _, line := range lines {
			h, r, err := audit.ParseLine(line)
			if err != nil {
				b.Fatal(err)
			}
			asm.Push(h, r, 0)
			pop()
			size += len(line)
		}
		asm.Flush()
		pop()
	}
	for events < 4000 { // until every batch and buffer has its size
		run()
	}
	events, size = 0, 0
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	b.ReportMetric(float64(size)/b.Elapsed().Seconds()/1e6, "MB/s")
}
