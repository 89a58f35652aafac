// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// BenchmarkDecode takes recorded logs from lines to events: parse, reassemble,
// decode. demand=none is what the recorder does where no signal names an own
// field, demand=all what a replay that prints everything does. events=six are the
// execs of exec.log, with SYSCALL, EXECVE, CWD, two PATHs and PROCTITLE.
func BenchmarkDecode(b *testing.B) {
	dir := corpusDir(b, "linux-audit-live")
	stream := readLines(b, filepath.Join(dir, "_stream-exec-conn.log"), nil)
	six := readLines(b, filepath.Join(dir, "exec.log"), func(line []byte) bool {
		return (bytes.Contains(line, []byte(":333573)")) || bytes.Contains(line, []byte(":333574)"))) &&
			!bytes.Contains(line, []byte("type=BPRM_FCAPS"))
	})
	for _, log := range []struct {
		name  string
		lines [][]byte
	}{{"stream", stream}, {"six", six}} {
		for _, all := range []bool{false, true} {
			name := "events=" + log.name + "/demand=none"
			if all {
				name = "events=" + log.name + "/demand=all"
			}
			b.Run(name, func(b *testing.B) { benchmarkDecode(b, log.lines, all) })
		}
	}
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
