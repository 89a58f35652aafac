// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/signals"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// tb is what *testing.T and *rapid.T have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// encoded returns p as it is written.
func encoded(t tb, p *Program) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("WriteTo = %d, %v; wrote %d bytes", n, err, b.Len())
	}
	return b.Bytes()
}

func load(b []byte) (*Program, error) { return Load(bytes.NewReader(b), int64(len(b))) }

// reload returns p written and read back, and checks that nothing changed.
func reload(t tb, p *Program) *Program {
	t.Helper()
	b := encoded(t, p)
	got, err := load(b)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if !reflect.DeepEqual(withoutPlans(got), withoutPlans(p)) {
		t.Errorf("Load(WriteTo(p)) = %+v, want %+v", got, p)
	}
	if again := encoded(t, got); !bytes.Equal(again, b) {
		t.Errorf("WriteTo(Load(b)) has %d other bytes than b", len(again))
	}
	return got
}

// smallSet is a set with something of everything.
func smallSet() *signals.Set {
	var b setBuilder
	b.add("11111111-1111-4111-8111-111111111111", event.SetOf(event.KindFile, event.KindNetwork), or(
		and(ask("process.path", ends, "/bash", "/sh"), not(cased(ask("file.path", begins, "/Home/"))), ask("file.path", exists)),
		group(and(ask("network.address", inCIDR, "10.0.0.0/8"), number("network.port", greater, 1023)))), "linux")
	b.add("22222222-2222-4222-8222-222222222222", event.AllKinds, and(ask("record.'Own Name'", has, "\xffx"), ask("network.address", equal, "::1")))
	b.add("33333333-3333-4333-8333-333333333333", event.SetOf(event.KindProcess), ask("process.ancestry_name", equal, "sshd"))
	d := b.set.Definitions
	d[0].Description, d[0].Author, d[0].Response = "A shell — écrit.", "seismo", "look"
	d[0].Techniques, d[0].References = []string{"T1059.004", "T1071"}, []string{"https://example.org/"}
	d[0].FalsePositives, d[0].Labels, d[0].Status = []string{"backup"}, []string{"shell", "net"}, "stable"
	d[1].Labels = []string{}
	d[2].Severity = signals.Informational
	d[2].Suppress = []string{"process.user_name is backup", "process.group_name is backup"}
	for _, field := range []string{"process.user_name", "process.group_name"} {
		b.set.Signals[2].Suppress = append(b.set.Signals[2].Suppress, b.node(ask(field, equal, "backup"), true))
	}
	b.add("44444444-4444-4444-8444-444444444444", event.SetOf(event.KindFile), group(or(
		ask("file.path", signals.Glob, "*.so.[*]"), ask("file.path", signals.PathGlob, "/etc/*/key"),
		cased(ask("file.path", signals.Regex, `^/tmp/\w+$`)), ask("file.name", signals.InList, "bad-names"),
		ask("process.hash", signals.InList, "bad-hashes"))))
	b.addResidual("55555555-5555-4555-8555-555555555555")
	return &b.set
}

// addResidual adds a signal that is a part of a CEL expression behind two guards, on
// different fields.
func (b *setBuilder) addResidual(id string) {
	text := `file.path + process.path == "/a/b" && own("Own") != ["x"]`
	guards := []uint32{b.atom(signals.Atom{Field: event.FilePath, Cond: begins, Cased: true, Literal: "/a"}),
		b.atom(signals.Atom{Field: event.ProcessPath, Cond: ends, Cased: true, Literal: "b"})}
	b.set.Residues = append(b.set.Residues, signals.Residue{Text: text, Checked: encodedCEL(text), Cost: 1 << 40,
		Fields: []event.Field{event.ProcessPath, event.FilePath}, Own: []string{"Own"}})
	b.set.Terms = append(b.set.Terms, signals.Term{ID: 55, Text: text, Kinds: event.SetOf(event.KindFile), Cond: signals.Residual, Group: true,
		Atoms: guards, Residue: uint32(len(b.set.Residues) - 1)})
	n := uint32(len(b.set.Nodes))
	b.set.Nodes = append(b.set.Nodes, signals.Node{Op: signals.NodeTerm, Term: uint32(len(b.set.Terms) - 1)}, signals.Node{Op: signals.NodeGroup, Kids: []uint32{n}})
	b.set.Signals = append(b.set.Signals, signals.Signal{Root: n + 1, Kinds: event.SetOf(event.KindFile)})
	b.set.Definitions = append(b.set.Definitions, signals.Definition{ID: id, Name: "residue", Language: signals.LanguageCEL, Text: text})
}

func smallProgram(t testing.TB) *Program {
	t.Helper()
	p, err := Build(smallSet())
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return p
}

func TestRoundTrip(t *testing.T) {
	p := smallProgram(t)
	b := encoded(t, p)
	if again := encoded(t, smallProgram(t)); !bytes.Equal(again, b) {
		t.Errorf("the same set gave other bytes")
	}
	if got := reload(t, p); got.Digest() != p.Digest() || p.Digest() != sha256.Sum256(b[:len(b)-checksumSize]) {
		t.Errorf("Digest() = %x and %x after Load, want the checksum of the file", p.Digest(), got.Digest())
	}
	empty, err := Build(&signals.Set{})
	if err != nil {
		t.Fatalf("Build of no signals: %v", err)
	}
	reload(t, empty)
}

// Place and syntax tree are not of the content: they change no byte.
func TestPlaceIsNotStored(t *testing.T) {
	s := smallSet()
	s.Definitions[0].Pos = signals.Position{File: "x.yml", Line: 3, Column: 1}
	s.Definitions[0].Expr = new(signals.Expr)
	p, err := Build(s)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	if p.Digest() != smallProgram(t).Digest() {
		t.Errorf("the digest changes with the place of a definition")
	}
	if d := p.Definitions()[0]; d.Pos != (signals.Position{}) || d.Expr != nil {
		t.Errorf("Definitions()[0] has place %v and expression %v", d.Pos, d.Expr)
	}
}

func TestGoldenDump(t *testing.T) {
	got := dump(encoded(t, smallProgram(t)))
	path := filepath.Join("testdata", "small.dump")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("signals.bin as text differs from %s (-want +got); go test -update rewrites it:\n%s", path, diff)
	}
}

// A file cut short or changed in one byte is refused, by name, with little memory.
func TestDamage(t *testing.T) {
	whole := encoded(t, smallProgram(t))
	kindOf := func(at int) error {
		switch {
		case at < len(magic):
			return ErrFormat
		case at < len(magic)+4:
			return ErrVersion
		}
		return ErrDamaged
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	trials := 0
	for n := range whole {
		if p, err := load(whole[:n]); p != nil || !errors.Is(err, ErrDamaged) {
			t.Errorf("Load of the first %d bytes = %v, %v; want %v", n, p, err, ErrDamaged)
		}
		if p, err := Load(bytes.NewReader(whole[:n]), int64(len(whole))); p != nil || !errors.Is(err, ErrDamaged) {
			t.Errorf("Load of %d bytes said to be %d = %v, %v; want %v", n, len(whole), p, err, ErrDamaged)
		}
		trials += 2
	}
	changed := bytes.Clone(whole)
	for n := range whole {
		for _, bits := range []byte{0x01, 0x80, 0xff} {
			changed[n] ^= bits
			if p, err := load(changed); p != nil || !errors.Is(err, kindOf(n)) {
				t.Errorf("Load with byte %d changed by %#x = %v, %v; want %v", n, bits, p, err, kindOf(n))
			}
			changed[n] ^= bits
			trials++
		}
	}
	runtime.ReadMemStats(&after)
	if perTrial := int(after.TotalAlloc-before.TotalAlloc) / trials; perTrial > 2*len(whole) {
		t.Errorf("Load takes %d bytes of memory for a damaged file of %d, want at most twice its size", perTrial, len(whole))
	}
	if _, err := load(append(bytes.Clone(whole), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("Load with a byte too many: %v; want %v", err, ErrDamaged)
	}
}

// seal puts the right checksum at the end of b.
func seal(b []byte) []byte {
	sum := sha256.Sum256(b[:len(b)-checksumSize])
	copy(b[len(b)-checksumSize:], sum[:])
	return b
}

// A file that somebody made, with the right checksum, is believed no more than
// one that is damaged: the message names the section and the offset.
func TestHostile(t *testing.T) {
	whole := encoded(t, smallProgram(t))
	le := binary.LittleEndian
	sectionAt := func(s int) int { return int(le.Uint64(whole[headerSize+s*sectionEntry+8:])) }
	type edit struct {
		at    int
		value uint32
	}
	table := func(s, field int, value uint32) edit { return edit{headerSize + s*sectionEntry + field, value} }
	in := func(s, at int, value uint32) edit { return edit{sectionAt(s) + at, value} }
	tests := []struct {
		name string
		edit edit
		want string // in the message
		err  error
	}{
		{"other registry", edit{16, 1}, "offset 16: registry fingerprint", ErrRegistry},
		{"section count", edit{12, 1 << 30}, "offset 12", ErrDamaged},
		{"section id", table(sectionAtoms, 0, 9), "section atoms, table", ErrDamaged},
		{"gap between sections", table(sectionNodes, 8, 5), "section nodes, table", ErrDamaged},
		{"more entries than bytes", table(sectionTerms, 4, 900_000), "section terms, table", ErrDamaged},
		{"more strings than bytes", table(sectionStrings, 4, 900_000), "section strings, table", ErrDamaged},
		{"more entries than the limit", table(sectionSignals, 4, 1<<32-1), "section signals, table", ErrDamaged},
		{"section beyond the file", table(sectionStrings, 16, 1<<31), "section strings, table", ErrDamaged},
		{"first string not empty", in(sectionStrings, 0, 1), "section strings, entry 0", ErrDamaged},
		{"string that ends before it begins", in(sectionStrings, 8, 0), "section strings, entry 2", ErrDamaged},
		{"string beyond the others", in(sectionStrings, 4, 1<<31), "section strings, entry 1", ErrDamaged},
		{"unknown string", in(sectionDefinitions, 4, 1<<31), "section definitions, entry 0", ErrDamaged},
		{"unknown severity", in(sectionDefinitions, 48, 5), "section definitions, entry 0", ErrDamaged},
		{"unknown language", in(sectionDefinitions, 52, 3), "language 3 is unknown", ErrDamaged},
		{"list longer than all", in(sectionDefinitions, 56, 1<<32-1), "section definitions, entry 0", ErrDamaged},
		{"string no longer used", in(sectionDefinitions, 4, 0), "nothing refers to this string", ErrDamaged},
		{"field 0 without own name", in(sectionAtoms, 0, 0), "section atoms, entry 0", ErrDamaged},
		{"unknown condition", in(sectionAtoms, 0, uint32(event.ProcessPath)|0x70<<16), "condition 112 is unknown", ErrDamaged},
		{"unknown flag of an atom", in(sectionAtoms, 0, uint32(event.ProcessPath)|0x80<<24), "section atoms, entry 0", ErrDamaged},
		{"number on a string field", in(sectionAtoms, 12, 7), "section atoms, entry 0", ErrDamaged},
		{"kinds that there are not", in(sectionTerms, 16, 1<<31), "section terms, entry 0", ErrDamaged},
		{"term without atoms", in(sectionTerms, 20, 0), "", ErrDamaged},
		{"unknown operation", in(sectionNodes, 0, 4), "section nodes, entry 0", ErrDamaged},
		{"term that there is not", in(sectionNodes, 4, 99), "section nodes, entry 0", ErrDamaged},
		{"root that there is not", in(sectionSignals, 0, 1000), "section signals, entry 0", ErrDamaged},
		{"signal for no kind", in(sectionSignals, 4, 0), "section signals, entry 0", ErrDamaged},
		{"suppress expression that there is not", in(sectionSignals, 8, 1), "section signals, entry 2", ErrDamaged},
		{"residue of an ordinary term", in(sectionTerms, 28, 1), "with residue 1", ErrDamaged},
		{"residue without a text of its own", in(sectionResidues, 0, 1<<31), "section residues, entry 0", ErrDamaged},
		{"residue with more fields than lists have", in(sectionResidues, 16, 1<<31), "section residues, entry 0", ErrDamaged},
		{"residue with another list", in(sectionResidues, 16, 3), "a list of 2 entries, 1 are left", ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(whole)
			le.PutUint32(b[tt.edit.at:], tt.edit.value)
			p, err := load(seal(b))
			if p != nil || !errors.Is(err, tt.err) || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("Load = %v, %v; want %v naming %q", p, err, tt.err, tt.want)
			}
		})
	}
}

// Whatever number stands in a word of the file, Load refuses it, or gives a program
// that is written with the same bytes and judges events.
func TestHostileWords(t *testing.T) {
	whole := encoded(t, smallProgram(t))
	le := binary.LittleEndian
	accepted := 0
	for at := tablesAt; at+4 <= len(whole)-checksumSize; at += 4 {
		was := le.Uint32(whole[at:])
		for _, value := range []uint32{was + 1, was - 1, was ^ 1<<16, 1<<32 - 1} {
			b := bytes.Clone(whole)
			le.PutUint32(b[at:], value)
			p, err := load(seal(b))
			if err != nil {
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("Load with %#x at offset %d: %v; want %v", value, at, err, ErrDamaged)
				}
				continue
			}
			accepted++
			if again := encoded(t, p); !bytes.Equal(again, b) {
				t.Errorf("Load took %#x at offset %d, which WriteTo writes otherwise", value, at)
			}
			judgeSome(p)
		}
	}
	if accepted == 0 {
		t.Errorf("no changed file was taken: nothing was shown of those")
	}
}

// judgeSome judges events of several kinds with p, in both modes.
func judgeSome(p *Program) {
	for _, plain := range []bool{false, true} {
		batch := event.NewBatch(4)
		fileEvent("/etc/passwd").addTo(batch)
		fileEvent("/tmp/evil.so.*").addTo(batch)
		execEvent(family()).addTo(batch)
		e := batch.Add(event.KindNetwork, event.OpConnect)
		e.SetAddr(event.NetworkAddress, netip.MustParseAddr("10.1.2.3"))
		e.AddOwn(0, []byte("Own Name"), []byte("\xffx"))
		p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: plain}).Match(batch)
	}
}

func TestForeign(t *testing.T) {
	tests := []struct {
		name string
		in   string
		err  error
	}{
		{"empty", "", ErrDamaged},
		{"a text", "id: 1\nname: x\n", ErrFormat},
		{"a short text", "id", ErrFormat},
		{"an executable", "\x7fELF\x02\x01\x01\x00", ErrFormat},
		{"newer", magic + "\x04\x00\x00\x00" + "whatever it says from here on, at any length", ErrVersion},
		{"version 1", magic + "\x01\x00\x00\x00" + "whatever", ErrVersion},
		{"version 2", magic + "\x02\x00\x00\x00" + "whatever", ErrVersion},
		{"older", magic + "\x00\x00\x00\x00", ErrVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if p, err := load([]byte(tt.in)); p != nil || !errors.Is(err, tt.err) {
				t.Errorf("Load(%q) = %v, %v; want %v", tt.in, p, err, tt.err)
			}
		})
	}
	if _, err := Load(bytes.NewReader(nil), maxFile+1); !errors.Is(err, ErrFormat) {
		t.Errorf("Load of %d bytes: %v; want %v", maxFile+1, err, ErrFormat)
	}
	if _, err := Load(bytes.NewReader(nil), -1); !errors.Is(err, ErrDamaged) {
		t.Errorf("Load of -1 bytes: %v; want %v", err, ErrDamaged)
	}
}

// Whatever the bytes, Load gives an error or a program that is written with the
// same bytes and can judge an event.
func FuzzLoad(f *testing.F) {
	whole := encoded(f, smallProgram(f))
	f.Add(whole, true)
	f.Add(whole[:100], false)
	f.Add([]byte(magic), false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed && len(b) >= minFile { // else nothing gets past the checksum
			b = bytes.Clone(b)
			binary.LittleEndian.PutUint64(b[16:], event.Fingerprint())
			binary.LittleEndian.PutUint64(b[24:], uint64(len(b)))
			seal(b)
		}
		p, err := load(b)
		if err != nil {
			for _, known := range []error{ErrFormat, ErrDamaged, ErrVersion, ErrRegistry} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("Load gave an error of no known kind: %v", err)
		}
		if again := encoded(t, p); !bytes.Equal(again, b) {
			t.Errorf("Load took %d bytes that WriteTo writes as %d others", len(b), len(again))
		}
		judgeSome(p)
	})
}
