// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/sources/audit"
)

// BenchmarkEngine judges process creations, each of a process of its own, with
// generated signals, beside the loop of bench_loop_test.go, which must find the same.
// The figures that count: ns/event, and how many times that the loop takes. Candidates
// are the signals that a process is asked about once, judged are those that it does
// not rule out.
func BenchmarkEngine(b *testing.B) {
	batch, words := processCreations(b)
	for _, grouped := range []bool{true, false} {
		for _, n := range []int{10, 100, 1000, 5000, 20000} {
			b.Run(fmt.Sprintf("signals=%d/grouped=%v", n, grouped), func(b *testing.B) {
				g := &generator{r: rand.New(rand.NewPCG(1, 2)), words: words, own: true}
				benchmark(b, batch, g.signals(n), event.SetOf(event.KindProcess), grouped)
			})
		}
	}
}

// BenchmarkEngineLinux judges all events of the recorded Linux logs: of all kinds,
// several of a process.
func BenchmarkEngineLinux(b *testing.B) {
	batch := recorded(b)
	words := wordsOf(batch)
	for _, n := range []int{10, 100, 1000, 5000} {
		b.Run(fmt.Sprintf("signals=%d", n), func(b *testing.B) {
			g := &generator{r: rand.New(rand.NewPCG(1, 2)), words: words}
			benchmark(b, batch, g.linuxSignals(n), event.AllKinds, true)
		})
	}
}

// benchmark measures the engine and the loop on batch.
func benchmark(b *testing.B, batch *event.Batch, exprs []expr, kinds event.KindSet, grouped bool) {
	set := newLargeSet(exprs, kinds, grouped)
	began := time.Now()
	p, err := Build(set)
	if err != nil {
		b.Fatal(err)
	}
	compile := time.Since(began)
	raw := encoded(b, p)
	p, heap, took := loaded(b, raw)
	l := newLoop(exprs)
	perLoop, tests, hits := timeLoop(l, batch)
	m := p.NewMatcher()
	ended := endedOf(batch)
	judge := func() {
		for _, e := range batch.Events() {
			e.Tags = e.Tags[:0]
		}
		batch.Ended = append(batch.Ended[:0], ended...)
		m.Match(batch)
	}
	judge()
	compareHits(b, batch, hits)
	before, looked := m.Evaluations(), m.finder.looked
	b.ReportAllocs()
	for b.Loop() {
		judge()
	}
	judged := uint64(0)
	for i, n := range m.Evaluations() {
		judged += n - before[i]
	}
	events := float64(b.N * batch.Len())
	perEvent := float64(b.Elapsed().Nanoseconds()) / events
	total := 0
	for _, h := range hits {
		total += len(h)
	}
	b.ReportMetric(perEvent, "ns/event")
	b.ReportMetric(perLoop, "loop-ns/event")
	b.ReportMetric(perLoop/perEvent, "x-loop")
	b.ReportMetric(tests, "loop-Mtests/s")
	b.ReportMetric(float64(judged)/events, "judged/event")
	b.ReportMetric(float64(m.finder.looked-looked)/events, "candidates/event")
	b.ReportMetric(float64(total)/float64(batch.Len()), "hits/event")
	b.ReportMetric(float64(heap)/(1<<20), "heap-MB")
	b.ReportMetric(float64(took.Microseconds())/1e3, "load-ms")
	b.ReportMetric(compile.Seconds(), "compile-s")
	b.ReportMetric(0, "ns/op")
}

// loaded loads raw and returns what that took.
func loaded(b *testing.B, raw []byte) (p *Program, heap int64, took time.Duration) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	p, err := load(raw)
	if err != nil {
		b.Fatal(err)
	}
	took = time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	return p, int64(after.HeapAlloc) - int64(before.HeapAlloc), took
}

// timeLoop runs the loop over events of batch for a while, and returns the
// nanoseconds of an event, the millions of signals it tests in a second, and the
// signals that fire on each event.
func timeLoop(l *loop, batch *event.Batch) (perEvent, tests float64, hits map[*event.Event][]int) {
	hits = map[*event.Event][]int{}
	for _, e := range batch.Events() {
		l.match(e, func(i int) { hits[e] = append(hits[e], i) })
	}
	events, tested := 0, 0
	for began := time.Now(); ; events++ {
		// In steps that are prime to the number of events, so that it is a sample of all.
		tested += l.match(batch.Events()[events*1009%batch.Len()], func(int) {})
		if took := time.Since(began); took > 500*time.Millisecond {
			return float64(took.Nanoseconds()) / float64(events+1), float64(tested) / float64(took.Microseconds()), hits
		}
	}
}

// compareHits checks that the engine found what the loop found. What fires on the
// process alone fires when it is created.
func compareHits(b *testing.B, batch *event.Batch, hits map[*event.Event][]int) {
	for _, e := range batch.Events() {
		var got []int
		for _, t := range e.Tags {
			got = append(got, int(t.Signal))
		}
		if !slices.Equal(got, hits[e]) {
			b.Fatalf("%s %s event %d: signals %v, the loop finds %v", e.Kind, e.Op, e.ID, got, hits[e])
		}
	}
}

// endedOf returns the processes of batch, so that each pass over it is the first.
func endedOf(batch *event.Batch) []event.ProcessKey {
	var ended []event.ProcessKey
	seen := map[*event.Process]bool{}
	for _, e := range batch.Events() {
		if e.Process == nil {
			continue
		}
		for p := range e.Process.Ancestry() {
			if !seen[p] {
				seen[p] = true
				ended = append(ended, p.ID)
			}
		}
	}
	return ended
}

// processCreations returns the process creations of the recorded Windows events,
// with the words that occur in them; without that corpus those of the Linux logs.
func processCreations(b *testing.B) (*event.Batch, vocabulary) {
	f, err := os.Open(filepath.Join(corpus(b), "..", "engine", "recorded.jsonl.gz"))
	if err != nil {
		b.Logf("the recorded Windows events are absent, process creations of Linux stand for them: %v", err)
		batch := recorded(b)
		batch.Keep(func(e *event.Event) bool { return e.Kind == event.KindProcess && e.Op == event.OpCreate })
		return batch, wordsOf(batch)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	batch := event.NewBatch(4096)
	batch.Platform = "windows"
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if bytes.Contains(lines.Bytes(), []byte(`"process_creation"`)) {
			addCreation(b, batch, lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil {
		b.Fatal(err)
	}
	new(event.IDs).Assign(batch)
	return batch, wordsOf(batch)
}

// addCreation adds the process creation of a line: Sigma's field names at the top.
func addCreation(b *testing.B, batch *event.Batch, line []byte) {
	var in map[string]any
	if err := json.Unmarshal(line, &in); err != nil {
		b.Fatal(err)
	}
	text := func(name string) string {
		s, _ := in[name].(string)
		return s
	}
	id := event.ProcessKey(2*batch.Len() + 2)
	process := &event.Process{ID: id, Path: text("Image"), CommandLine: text("CommandLine"), Cwd: text("CurrentDirectory"), UserName: text("User"),
		UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
	if text("ParentImage") != "" {
		process.Parent = &event.Process{ID: id + 1, Path: text("ParentImage"), CommandLine: text("ParentCommandLine"), UserName: text("ParentUser"),
			UserID: event.NoID, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID}
	}
	e := batch.Add(event.KindProcess, event.OpCreate)
	e.Time = int64(batch.Len()) * 1_000_000
	e.Process = process
	for _, own := range []string{"Channel", "Company", "Description", "Hashes", "IntegrityLevel", "OriginalFileName", "Product"} {
		if v := text(own); v != "" {
			e.AddOwn(0, []byte(own), []byte(v))
		}
	}
}

// wordsOf returns the vocabulary of the processes of batch.
func wordsOf(batch *event.Batch) vocabulary {
	var v vocabulary
	folders, words := map[string]bool{}, map[string]bool{}
	for _, e := range batch.Events() {
		if e.Process == nil || e.Process.Path == "" {
			continue
		}
		path, command := asciiLower(e.Process.Path), asciiLower(e.Process.CommandLine)
		at := max(strings.LastIndexAny(path, `\/`), 0)
		v.programs = append(v.programs, path[at:])
		folders[path[:at+1]] = true
		v.commands = append(v.commands, command)
		for _, w := range strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(` "\/.,:;=()-`, r) }) {
			if len(w) >= 2 && len(w) <= 12 && !strings.ContainsAny(w, "'\n") {
				words[w] = true
			}
		}
	}
	v.folders, v.words = slices.Sorted(maps.Keys(folders)), slices.Sorted(maps.Keys(words))
	return v
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
		group(and(ask("file.path", begins, "/etc/", "/tmp/"), ask("file.operation", equal, "write", "create"))),
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

// BenchmarkHostileValue searches values that were made to be slow: a megabyte of one
// byte, or of the beginnings of literals, against literals that share their grams.
func BenchmarkHostileValue(b *testing.B) {
	var exprs []expr
	for i := range 2000 {
		n := 4 + i%60
		exprs = append(exprs, ask("file.path", has, strings.Repeat("a", n), strings.Repeat("a", n)+string(rune('b'+i%20)), fmt.Sprintf("/usr/lib/%s%04d", strings.Repeat("a", n%8), i)))
	}
	p, err := Build(newLargeSet(exprs, event.SetOf(event.KindFile), true))
	if err != nil {
		b.Fatal(err)
	}
	for name, v := range map[string]string{"one-byte": strings.Repeat("a", 1<<20), "beginnings": strings.Repeat("/usr/lib/aaa", 1<<20/12),
		"text": strings.Repeat("The quick brown fox jumps over the lazy dog. ", 1<<20/45)} {
		b.Run("value="+name, func(b *testing.B) {
			x := p.tables
			var h hits
			b.SetBytes(int64(len(v)))
			for b.Loop() {
				h.begin(len(x.keys) / 2)
				x.columns[0].search(x, []byte(v), &h)
			}
		})
	}
}
