// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"strings"
	"testing"

	"seismo/internal/event"
)

// A term with a list of hundreds of values is cut, and the value that was met is said;
// a value stands as it is, but for what a terminal would act on.
func TestProofLine(t *testing.T) {
	long := "Image|endswith: [" + strings.Repeat(`'\a.exe', `, 40) + `'\z.exe']`
	tests := []struct {
		name string
		item event.ProofItem
		want string
	}{
		{"short", event.ProofItem{Own: "Image", Text: `Image: '\a'`, Value: `C:\a`, Literal: `\a`}, `Image: '\a': "C:\a"`},
		{"controls", event.ProofItem{Own: "Image", Text: "a\x1b", Value: "x\ny"}, `a\x1b: "x\ny"`},
		{"absent", event.ProofItem{Own: "Image", Text: "not Image: 'a'", Absent: true}, "not Image: 'a': absent"},
		{"long", event.ProofItem{Own: "Image", Text: long, Value: `C:\z.exe`, Literal: "\\z.exe\x07"}, long[:160] + `…: "C:\z.exe", meets "\z.exe\x07"`},
		{"long and negated", event.ProofItem{Own: "Image", Text: long, Value: `C:\y`}, long[:160] + `…: "C:\y"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := because(&tt.item); got != tt.want {
				t.Errorf("because(%+v) =\n%s\nwant\n%s", tt.item, got, tt.want)
			}
		})
	}
}
