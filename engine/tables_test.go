// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/signals"
)

// drawBytes draws texts of a few hostile bytes, so that literals nest and overlap.
var drawBytes = rapid.Custom(func(t *rapid.T) string {
	n := rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 8, 9, 40, 1024}).Draw(t, "length")
	b := make([]byte, n)
	for i := range b {
		b[i] = rapid.SampledFrom([]byte{'a', 'a', 'a', 'b', 0, 0xff, '\\', 0xc3}).Draw(t, "byte")
	}
	return string(b)
})

// Each table finds in a value the literals that plain comparison finds.
func TestTablesAgreeWithComparison(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literals := rapid.SliceOfNDistinct(drawBytes, 1, 20, rapid.ID[string]).Draw(t, "literals")
		values := rapid.SliceOfN(drawBytes, 1, 6).Draw(t, "values")
		values = append(values, literals[0]+"b", "b"+literals[0], strings.Join(literals, ""))
		for _, at := range []anchor{anchorIs, anchorBegins, anchorEnds, anchorContains} {
			x, keys := tableOf(at, literals)
			for _, v := range values {
				var h hits
				h.begin(len(keys))
				x.columns[0].search(x, []byte(v), &h)
				var got, want []string
				for _, key := range h.keys {
					got = append(got, x.literal(key))
				}
				for _, lit := range literals {
					if at == anchorContains && len(lit) >= gramSize && strings.Contains(v, lit) || at == anchorBegins && strings.HasPrefix(v, lit) ||
						at == anchorEnds && strings.HasSuffix(v, lit) || at == anchorIs && v == lit {
						want = append(want, lit)
					}
				}
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("%s in %q: got %q, want %q", at, v, got, want)
				}
			}
		}
	})
}

// tableOf makes a column of literals under one anchor; of contains, those that are
// long enough.
func tableOf(at anchor, literals []string) (*tables, []uint32) {
	x := &tables{}
	var all []waiting
	for i, lit := range literals {
		if at != anchorContains || len(lit) >= gramSize {
			all = append(all, waiting{trigger{field: event.FilePath, at: at, literal: lit}, uint32(i)})
		}
	}
	x.waits = make([]uint32, len(literals)+1)
	x.freeze(all, false)
	if len(x.columns) == 0 {
		x.columns = make([]column, 1)
	}
	return x, make([]uint32, len(x.keys)/2)
}

// The dictionary is the same as a trie and as a sorted slice.
func TestDictionary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literals := rapid.SliceOfN(drawBytes, 1, 20).Draw(t, "literals")
		reversed := rapid.Bool().Draw(t, "reversed")
		asTrie, asSlice := newDict(literals, reversed), newDict(literals, reversed)
		asSlice.trie = nil
		for _, lit := range literals {
			a, okA := asTrie.find(lit)
			b, okB := asSlice.find(lit)
			if a != b || !okA || !okB || asTrie.literals[a] != lit {
				t.Errorf("find(%q) = %d, %v as a trie and %d, %v as a slice", lit, a, okA, b, okB)
			}
			var want []uint32
			for i, other := range asTrie.literals {
				if other != lit && (!reversed && strings.HasPrefix(other, lit) || reversed && strings.HasSuffix(other, lit)) {
					want = append(want, uint32(i))
				}
			}
			if got, gotSlice := asTrie.implied(lit), asSlice.implied(lit); !slices.Equal(got, want) || !slices.Equal(gotSlice, want) {
				t.Errorf("implied(%q) = %v as a trie, %v as a slice, want %v", lit, got, gotSlice, want)
			}
		}
	})
}

func TestImpliedLiterals(t *testing.T) {
	at := func(cond signals.Condition, lit string) signals.Atom {
		return signals.Atom{Field: event.FilePath, Cond: cond, Literal: lit}
	}
	atoms := []signals.Atom{at(begins, "/tmp/x/y"), at(begins, "/tmp/"), at(begins, "/tmp/x"), at(ends, ".so"), at(ends, "lib.so"), at(has, "/tmp/x")}
	if got, want := fmt.Sprint(ImpliedLiterals(atoms)), "[{0 1} {2 1} {4 3}]"; got != want {
		t.Errorf("ImpliedLiterals = %s, want %s", got, want)
	}
}

// Folding in steps of eight bytes is folding byte by byte.
func TestAppendFolded(t *testing.T) {
	for c := range 256 {
		for n := range 20 {
			in := bytes.Repeat([]byte{byte(c)}, n)
			if got, want := ascii.AppendFolded([]byte("X"), in), "X"+asciiLower(string(in)); string(got) != want {
				t.Errorf("ascii.AppendFolded(X, %q) = %q, want %q", in, got, want)
			}
		}
	}
}

// What is read from damaged tables is refused or can be used without a panic.
func TestDamagedTables(t *testing.T) {
	refused := 0
	for seed := range uint64(400) {
		m := maker{rand.New(rand.NewPCG(seed, 9))}
		p := m.program(t)
		raw := p.tables.appendTo(nil)
		for range 20 {
			bad := slices.Clone(raw)
			at := m.IntN(len(bad))
			if m.IntN(3) == 0 {
				bad = bad[:at]
			} else {
				bad[at] ^= 1 << m.IntN(8)
			}
			q := *p
			var f *fault
			if q.tables, f = decodeTables(bad, &q, tableTables, len(q.terms)); f != nil {
				refused++
				continue
			}
			b := event.NewBatch(4)
			for _, of := range m.pool(3) {
				m.event(b, of)
			}
			q.NewMatcher().Match(b)
		}
	}
	if refused < 400 {
		t.Errorf("only %d damaged tables were refused", refused)
	}
}
