// SPDX-License-Identifier: Apache-2.0

// This file holds hostile forms of programs that were compiled from Sigma: rules of all
// sorts of values, filters, correlations of all types, and a signature. Whatever is
// changed in them, with the right checksum or not, is refused or can be used in full.

package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
	"seismo/signals/sigma"
)

// manySorts has a rule with each sort of value, and a correlation of each type.
const manySorts = `title: Values
name: values
logsource: {product: windows, category: process_creation}
detection:
  a: {Image|endswith: ['\cmd.exe', '\a*b\?.exe'], User: null, Count|gte: 10, Hour|hour|lt: 6, Count2: 7}
  b: {CommandLine|re|i: 'x(y|z)+\d', Other|re: '^a.c$', Image|fieldref|startswith: Dir, Address|cidr: ['10.0.0.0/8', 'fe80::/10'], Empty: ''}
  c: {CommandLine|windash|contains: ' -enc ', Script|wide|base64offset|contains: 'http', There|exists: true, Name|cased: Ab, No|neq: [x, y]}
  keys: [mimikatz, 'sek*lsa']
  condition: a or b or c or all of keys
---
title: Records
name: records
logsource: {product: linux, service: auditd}
detection:
  words: {'|all': [truncate, '-s']}
  one: {type: EXECVE, a0|endswith: sh}
  condition: words or (one and not words)
---
title: Filter
logsource: {product: windows}
filter: {rules: any, s: {User|startswith: 'NT '}, condition: not s}
---
title: Events
correlation: {type: event_count, rules: [values, records], group-by: [U], timespan: 5m, condition: {gte: 2, lte: 9}, generate: true}
---
title: Different
correlation: {type: value_count, rules: [values], group-by: [U, V], timespan: 1h, condition: {field: W, gt: 1}}
---
title: Both
name: both
correlation: {type: temporal, rules: [values, records], timespan: 1h, group-by: [x], aliases: {x: {values: U, records: V}}}
---
title: In Order
correlation: {type: temporal_ordered, rules: [records, both], timespan: 1d}
---
title: Few
correlation: {type: event_count, rules: [values], timespan: 1m, group-by: [U], condition: {lt: 3}}
`

// sigmaProgram compiles the documents in text.
func sigmaProgram(tb testing.TB, text string) *Program {
	tb.Helper()
	loaded, err := signals.ParseFileWith("x.yml", []byte(text), signals.Options{Languages: []signals.Language{sigma.Language{}}})
	if err != nil {
		tb.Fatal(err)
	}
	set, err := signals.LowerInput(signals.Input{Definitions: loaded.Definitions, Filters: loaded.Filters})
	if err != nil {
		tb.Fatal(err)
	}
	p, err := Build(set)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// manyEvents has events on which most of manySorts fires.
func manyEvents(first event.ID) *event.Batch {
	b := event.NewBatch(8)
	windows := &event.Logsource{Products: []string{"windows"}, Categories: []string{"process_creation"}}
	linux := &event.Logsource{Products: []string{"linux"}, Services: []string{"auditd"}}
	for n, own := range [][]ownField{
		{{0, "Image", `C:\x\CMD.exe`}, {0, "Count", "12"}, {0, "Hour", "2026-11-22T03:00:00Z"}, {0, "Count2", "7"}, {0, "U", "u"}, {0, "V", "v"}, {0, "W", "1"}},
		{{0, "CommandLine", "XYZ1"}, {0, "Other", "abc"}, {0, "Image", "/bin/sh"}, {0, "Dir", "/BIN"}, {0, "Address", "10.1.1.1"}, {0, "Empty", ""}, {0, "U", "u"}, {0, "U", "w"}, {0, "V", "v"}, {0, "W", "2"}},
		{{0, "CommandLine", "a /enc b"}, {0, "Script", "aAB0AHQAcA"}, {0, "There", ""}, {0, "Name", "Ab"}, {0, "U", "u"}, {0, "V", "v"}, {0, "W", "3"}},
		{{0, "x", "MIMIKATZ"}, {0, "y", "sek: lsa"}, {0, "U", "u"}},
		{{0, "type", "EXECVE"}, {0, "a0", "/bin/sh"}, {0, "a1", "truncate -s"}, {0, "U", "u"}, {0, "V", "u"}},
	} {
		e := testEvent{kind: event.KindProcess, op: event.OpCreate, own: own}.addTo(b)
		e.ID, e.Time, e.Logsource = first+event.ID(n), int64(first)*1e9+int64(n)*1e9, windows
		if n == 4 {
			e.Logsource = linux
		}
	}
	return b
}

// use does with p what a recorder and its commands do, and returns the matches.
func use(tb testing.TB, p *Program) (matches int) {
	tb.Helper()
	for _, plain := range []bool{false, true} {
		m := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain})
		m.MatchExplaining(manyEvents(1), func(x *Explainer) {
			for i := range p.Signals() {
				x.Explain(uint32(i), ExplainOptions{All: true})
				x.Nearness(uint32(i), ExplainOptions{})
			}
		})
		var state bytes.Buffer
		if err := m.SaveState(&state); err != nil {
			tb.Errorf("SaveState: %v", err)
		}
		again := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain})
		if err := again.LoadState(&state); err != nil {
			tb.Errorf("LoadState of what SaveState wrote: %v", err)
		}
		last := manyEvents(11)
		again.Match(last)
		again.Flush(last)
		for _, e := range last.Events() {
			matches += len(e.Tags)
		}
	}
	p.Report()
	p.Demand()
	p.MissingLists()
	return matches
}

// What is signed with the right checksum and what is not: no changed byte of a signed file
// passes for the file.
func TestSignedDamage(t *testing.T) {
	key, public := testKey(1)
	whole := encoded(t, sigmaProgram(t, manySorts).Sign(key))
	for at := range whole {
		for _, bits := range []byte{0x01, 0xff} {
			b := bytes.Clone(whole)
			b[at] ^= bits
			p, err := load(b)
			if err == nil && p.Verify(public) == nil {
				t.Errorf("byte %d changed by %#x: loaded and verified", at, bits)
			}
			if inSignature := at >= len(whole)-signatureSize+len(signatureMagic); (err == nil) != inSignature {
				t.Errorf("byte %d changed by %#x: %v; only the key and the value of the signature are for Verify", at, bits, err)
			}
		}
	}
}

// Whatever stands in some words of a file with the right checksum, Load refuses it or
// gives a program that is written with the same bytes and can be used.
func TestSigmaHostileWords(t *testing.T) {
	p := sigmaProgram(t, manySorts)
	if n := use(t, p); n < 10 {
		t.Fatalf("%d matches before anything was changed: too few to show anything", n)
	}
	whole := encoded(t, p)
	random := rand.New(rand.NewPCG(3, 4))
	le, trials, accepted := binary.LittleEndian, 3000, 0
	if testing.Short() {
		trials = 500
	}
	for range trials {
		b := bytes.Clone(whole)
		for range 1 + random.IntN(2) {
			at := tablesAt + random.IntN(len(b)-tablesAt-checksumSize-4)
			switch random.IntN(4) {
			case 0:
				b[at] ^= 1 << random.IntN(8)
			case 1:
				le.PutUint32(b[at:], le.Uint32(b[at:])+uint32(random.IntN(5))-2)
			case 2: // one word in place of another
				from := tablesAt + random.IntN(len(b)-tablesAt-checksumSize-4)
				copy(b[at:at+4], whole[from:from+4])
			default:
				le.PutUint32(b[at:], []uint32{0, 1, 1 << 31, ^uint32(0)}[random.IntN(4)])
			}
		}
		checkHostile(t, seal(b), &accepted)
		if t.Failed() {
			return
		}
	}
	if accepted == 0 {
		t.Errorf("no changed file was taken: nothing was shown of those")
	}
}

// checkHostile loads b, and uses it if it is taken.
func checkHostile(tb testing.TB, b []byte, accepted *int) {
	tb.Helper()
	p, err := load(b)
	if err != nil {
		for _, known := range []error{ErrFormat, ErrDamaged, ErrVersion, ErrRegistry} {
			if errors.Is(err, known) {
				return
			}
		}
		tb.Fatalf("Load gave an error of no known kind: %v", err)
	}
	*accepted++
	if again := encoded(tb, p); !bytes.Equal(again, b) {
		tb.Errorf("Load took %d bytes that WriteTo writes as %d others", len(b), len(again))
	}
	use(tb, p)
}

// FuzzLoad for programs of Sigma: what it finds begins with the sections that hold the
// alone signals and the correlations.
func FuzzLoadSigma(f *testing.F) {
	p := sigmaProgram(f, manySorts)
	f.Add(encoded(f, p))
	f.Add(encoded(f, sigmaProgram(f, fmt.Sprintf("title: T\nlogsource: {product: windows}\ndetection: {s: {A: %q}, condition: s}\n", "b"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < minFile {
			return
		}
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint64(b[16:], event.Fingerprint())
		binary.LittleEndian.PutUint64(b[24:], uint64(len(b)))
		accepted := 0
		checkHostile(t, seal(b), &accepted)
	})
}
