// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"strings"
	"testing"

	"seismo/signals"
)

// Without suppress and cel, a revision is that of before these keys were there.
func TestRevisionStays(t *testing.T) {
	defs, err := signals.ParseFile("x.yml", []byte("id: 00000000-0000-4000-8000-000000000001\nname: n\nsignal: user.id is 1\n"))
	if err != nil {
		t.Fatal(explained(err))
	}
	const want = "dbd9a5df6e7a9d0c"
	if got := defs[0].Revision; got != want {
		t.Errorf("revision %s, want %s", got, want)
	}
}

func TestSuppressBound(t *testing.T) {
	file := func(n int) []byte {
		return []byte("id: 00000000-0000-4000-8000-000000000001\nname: n\nsignal: user.id is 1\nsuppress:\n" + strings.Repeat("- user.id is 2\n", n))
	}
	defs, err := signals.ParseFile("x.yml", file(100))
	if err != nil || len(defs[0].SuppressExprs) != 100 {
		t.Errorf("100 expressions: %v", err)
	}
	if _, err := signals.ParseFile("x.yml", file(101)); err == nil || !strings.Contains(err.Error(), "suppress has 101 expressions, at most 100 are taken") {
		t.Errorf("101 expressions: %v", err)
	}
}
