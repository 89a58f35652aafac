// SPDX-License-Identifier: Apache-2.0

package ascii_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/ascii"
)

// Every way to fold agrees with a table of the 26 letters, on all bytes and at
// every offset within a word.
func TestFolding(t *testing.T) {
	table := map[byte]byte{}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		table[c] = "abcdefghijklmnopqrstuvwxyz"[i]
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "in")
		want := bytes.Clone(in)
		for i, c := range in {
			if l, ok := table[c]; ok {
				want[i] = l
			}
			if got := ascii.Lower(c); got != want[i] {
				t.Fatalf("Lower(%q) = %q, want %q", c, got, want[i])
			}
		}
		if got := ascii.Fold(string(in)); got != string(want) {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
		if got := ascii.AppendFolded([]byte("X"), in); string(got) != "X"+string(want) {
			t.Errorf("AppendFolded(%q) = %q, want %q", in, got, want)
		}
		if got := ascii.IsFolded(string(in)); got != bytes.Equal(in, want) {
			t.Errorf("IsFolded(%q) = %v", in, got)
		}
		if !ascii.Equal(in, string(want)) || len(in) > 0 && ascii.Equal(in, want[1:]) {
			t.Errorf("Equal(%q, %q) is wrong", in, want)
		}
		if i := rapid.IntRange(0, 40).Draw(t, "at"); i < len(in) {
			other := bytes.Clone(want)
			other[i] ^= 0x80
			if ascii.Equal(in, other) {
				t.Errorf("Equal(%q, %q) = true", in, other)
			}
		}
	})
}
