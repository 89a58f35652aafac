// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/sources/audit"
)

// BenchmarkMatch judges recorded events: every log of a live Linux audit corpus,
// through decoder and process table, as one batch. ns/test is the time of one
// signal on one event.
func BenchmarkMatch(b *testing.B) {
	batch := recorded(b)
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("signals=%d", n), func(b *testing.B) {
			m := compile(b, manySignals(n)).NewMatcher()
			b.ReportAllocs()
			for b.Loop() {
				m.Match(batch)
				for _, e := range batch.Events() {
					e.Tags = e.Tags[:0]
				}
			}
			tests := uint64(0)
			for _, n := range m.Evaluations() {
				tests += n
			}
			events := float64(b.N * batch.Len())
			b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(tests), "ns/test")
		})
	}
}

// BenchmarkLoad reads a signals.bin from memory.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("signals=%d", n), func(b *testing.B) {
			raw := encoded(b, compile(b, manySignals(n)))
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := load(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// manySignals returns n different signals in YAML, in the proportions of Linux
// rules: most on programs and command lines, some on files and connections.
func manySignals(n int) string {
	shapes := []string{
		`process.path ends with ('/tool%d', '/tool%[1]d.py') AND process.command_line contains ('--flag%[1]d', ' -x%[1]d ')`,
		`process.command_line contains 'secret%d' AND process.command_line contains 'upload' AND process.parent_name is NOT (dpkg, rpm)`,
		`process.name is (nc%d, ncat%[1]d, socat%[1]d) AND process.ancestry_name is (sshd, nginx)`,
		`file.path begins with ('/etc/service%d/', '/usr/lib/service%[1]d/') AND file.operation is (create, write) AND process.path begins with NOT '/usr/bin/'`,
		`process.path begins with ('/tmp/%d', '/var/tmp/%[1]d', '/dev/shm/%[1]d')`,
		`group(network.port is (%d, 4444) AND network.address in cidr NOT ('10.0.0.0/8', '127.0.0.0/8') AND process.name is (bash, sh))`,
		`file.path ends with ('/.profile%d', '/authorized_keys%[1]d') AND process.user_name is NOT root`,
		`process.path begins with '/usr/' AND process.args is '--option%d'`,
	}
	var all []string
	for i := range n {
		all = append(all, definition(i, fmt.Sprintf(shapes[i%len(shapes)], i+1)))
	}
	return strings.Join(all, "---\n")
}

// corpus returns the folder of recorded audit logs beside the checkout.
func corpus(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "shared", "corpus", "linux-audit-live"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("needs recorded audit logs: %v", err)
	}
	return dir
}

// recorded returns the events of the corpus, with their processes, in one batch.
func recorded(t testing.TB) *event.Batch {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(corpus(t), "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs in the corpus: %v", err)
	}
	all := event.NewBatch(4096)
	all.Platform = "linux"
	for _, path := range logs {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		table := process.NewTable(process.Options{})
		src := audit.NewStream(bytes.NewReader(raw), audit.StreamOptions{Name: path, BatchEvents: 1 << 20,
			Decode: audit.DecodeOptions{Demand: event.Demand{AllOwn: true}}})
		for err == nil {
			err = src.Read(context.Background(), all)
		}
		if !errors.Is(err, io.EOF) {
			t.Fatalf("read %s: %v", path, err)
		}
		table.Apply(all) // those of the logs before have their processes
	}
	new(event.IDs).Assign(all)
	return all
}

// On recorded events the package's evaluator and the second one of naive_test.go
// agree, and signals that fit what was recorded fire.
func TestRecordedEvents(t *testing.T) {
	batch := recorded(t)
	exprs := []expr{
		ask("process.path", ends, "/bash", "/python3", "/true"),
		and(ask("file.path", begins, "/etc/", "/tmp/"), ask("file.operation", equal, "write", "create")),
		group(and(number("network.port", greater, 0), ask("process.path", exists))),
		and(ask("record.'exe'", exists), not(ask("record.'success'", equal, "yes"))),
		and(ask("process.ancestry_path", has, "bin"), not(ask("process.command_line", has, "sleep")), ask("process.args", has, "-")),
		or(ask("security.event_id", begins, "USER_"), ask("syscall.name", exists)),
	}
	var b setBuilder
	for i, e := range exprs {
		b.add(fmt.Sprint(i), event.AllKinds, e)
	}
	m := b.program(t).NewMatcher()
	m.Match(batch)
	for _, ev := range batch.Events() {
		got := map[uint32]int{}
		for _, tag := range ev.Tags {
			got[tag.Signal] = len(tag.Proof)
		}
		for i, e := range exprs {
			if want := len(naiveFire(e, ev)); got[uint32(i)] != want {
				t.Errorf("%s on %s %s event %d: %d items of proof, want %d", e.text(), ev.Kind, ev.Op, ev.ID, got[uint32(i)], want)
			}
		}
	}
	for i, n := range m.Counts() {
		if n == 0 {
			t.Errorf("%s fires on none of %d recorded events: it shows nothing", exprs[i].text(), batch.Len())
		}
	}
}
