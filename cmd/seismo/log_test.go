// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What the recorder logs of names from outside does not steer a terminal, is told in
// full, and is JSON.
func TestLogIsHarmless(t *testing.T) {
	const name = "日 \x1b]0;x\a\u202e\u0085\U000e0001\x7f"
	var out bytes.Buffer
	log := newLog(&out, "info")
	log.Warn().Str("signal", name).Msg("looked for " + name)
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return strings.ContainsRune("\x1b\a\u202e\u0085\U000e0001\x7f", r) }); i >= 0 {
		t.Errorf("logged %q; byte %d is no character that is shown", out.String(), i)
	}
	var line struct{ Signal, Message string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("logged %q: %v", out.String(), err)
	}
	if line.Signal != name || line.Message != "looked for "+name {
		t.Errorf("logged signal %q and message %q; want the name %q in both", line.Signal, line.Message, name)
	}
}
