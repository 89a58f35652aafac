// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// generatedSet returns n signals in the shape of public rules: each is AND of two
// terms on the process with seven literals each, of 4 to 32 bytes; every twentieth
// has a glob besides, and with regexes every tenth a regular expression.
func generatedSet(n int, regexes bool) *signals.Set {
	g := setGenerator{state: 1, terms: map[string]uint32{}}
	for i := range n {
		var kids []uint32
		for _, field := range []event.Field{event.ProcessCommandLine, event.ProcessPath} {
			cond := [...]signals.Condition{signals.Contains, signals.EndsWith, signals.BeginsWith, signals.Is}[g.next()%4]
			var values []string
			for range 7 {
				values = append(values, g.word(4+int(g.next()%16+g.next()%13)))
			}
			kids = append(kids, g.term(field, cond, values))
		}
		if regexes && i%10 == 0 {
			kids = append(kids, g.term(event.ProcessCommandLine, signals.Regex, []string{`(?:curl|wget)\s+-[a-z]+\s+https?://[^/]{4,` + fmt.Sprint(20+i%40) + `}/` + g.word(5)}))
		}
		if i%20 == 0 {
			kids = append(kids, g.term(event.ProcessPath, signals.Glob, []string{"*/" + g.word(6) + "?/*." + g.word(3)}))
		}
		g.signal(i, kids)
	}
	return &g.set
}

type setGenerator struct {
	set   signals.Set
	state uint64
	terms map[string]uint32
}

// next returns the next number of a fixed sequence (xorshift).
func (g *setGenerator) next() uint64 {
	g.state ^= g.state << 13
	g.state ^= g.state >> 7
	g.state ^= g.state << 17
	return g.state >> 11
}

func (g *setGenerator) word(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz0123456789-./"[g.next()%36]
	}
	return string(b)
}

// term adds a term with a literal each and returns its node.
func (g *setGenerator) term(f event.Field, cond signals.Condition, values []string) uint32 {
	text := fmt.Sprintf("%s %s ('%s')", event.Describe(f).Name, cond, strings.Join(values, "', '"))
	t := signals.Term{ID: g.next(), Text: text, Field: f, Kinds: event.AllKinds, Cond: cond}
	for _, v := range values {
		t.Atoms = append(t.Atoms, uint32(len(g.set.Atoms)))
		g.set.Atoms = append(g.set.Atoms, signals.Atom{Field: f, Cond: cond, Literal: v})
	}
	g.set.Terms = append(g.set.Terms, t)
	g.set.Nodes = append(g.set.Nodes, signals.Node{Term: uint32(len(g.set.Terms) - 1)})
	return uint32(len(g.set.Nodes) - 1)
}

func (g *setGenerator) signal(i int, kids []uint32) {
	var text []string
	for _, k := range kids {
		text = append(text, g.set.Terms[g.set.Nodes[k].Term].Text)
	}
	g.set.Nodes = append(g.set.Nodes, signals.Node{Op: signals.NodeAnd, Kids: kids})
	g.set.Signals = append(g.set.Signals, signals.Signal{Root: uint32(len(g.set.Nodes) - 1), Kinds: event.SetOf(event.KindProcess)})
	g.set.Definitions = append(g.set.Definitions, signals.Definition{
		ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i), Name: "Generated signal " + g.word(20), Description: "Detects " + g.word(30) + " " + g.word(60),
		Severity: signals.Severity(i % 5), Status: "test", Techniques: []string{fmt.Sprintf("T%04d", 1000+i%600)}, Platforms: []string{"windows"},
		Author: "author " + fmt.Sprint(i%50), References: []string{"https://example.org/" + g.word(30)}, FalsePositives: []string{"Unknown"},
		Language: signals.LanguageSignal, Text: strings.Join(text, " AND "), Revision: fmt.Sprintf("%016x", g.next()),
	})
}

// 5,000 signals of 14 literals take at most 20 MB; how long it takes is what
// BenchmarkLoadFile says.
func TestLoadMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signals.bin")
	p, err := Build(generatedSet(5000, false))
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, p); err != nil {
		t.Fatal(err)
	}
	p = nil
	q, used, _ := loadMeasured(t, path)
	if used > 20<<20 {
		t.Errorf("%d signals take %d bytes, want at most 20 MB", q.Signals(), used)
	}
}

// loadMeasured returns the program at path with the memory that it takes, and that
// which loading it took in all.
func loadMeasured(t testing.TB, path string) (p *Program, kept, taken int64) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p, err := LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	return p, int64(after.HeapAlloc) - int64(before.HeapAlloc), int64(after.TotalAlloc) - int64(before.TotalAlloc)
}

// BenchmarkLoadFile loads generated signals from a file.
func BenchmarkLoadFile(b *testing.B) {
	for _, n := range []int{1000, 5000, 20000, -5000} {
		regexes := false
		if n < 0 {
			n, regexes = -n, true
		}
		b.Run(fmt.Sprintf("signals=%d,regexes=%v", n, regexes), func(b *testing.B) {
			p, err := Build(generatedSet(n, regexes))
			if err != nil {
				b.Fatal(err)
			}
			path := filepath.Join(b.TempDir(), "signals.bin")
			if err := WriteFile(path, p); err != nil {
				b.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				b.Fatal(err)
			}
			p = nil
			p, kept, taken := loadMeasured(b, path)
			for b.Loop() {
				if _, err := LoadFile(path); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(kept)/1e6, "MB-kept")
			b.ReportMetric(float64(taken)/1e6, "MB-taken")
			b.ReportMetric(float64(info.Size())/1e6, "MB-file")
			runtime.KeepAlive(p)
		})
	}
}

// A large set is written and read back as it was.
func TestRoundTripOfManySignals(t *testing.T) {
	p, err := Build(generatedSet(300, true))
	if err != nil {
		t.Fatal(err)
	}
	b := encoded(t, p)
	got, err := load(b)
	if err != nil {
		t.Fatal(err)
	}
	if again := encoded(t, got); !bytes.Equal(again, b) {
		t.Errorf("%d bytes are written again as %d others", len(b), len(again))
	}
}
