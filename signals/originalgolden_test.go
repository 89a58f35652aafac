// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"seismo/signals"
)

// What is read of each public shape, and its compiled structure.
func TestOriginalGolden(t *testing.T) {
	goldenOf(t, "original", ".json", ".txt", func(t *testing.T, name string, src []byte) string {
		defs, err := signals.ParseFile(name, src)
		if err != nil {
			var diags signals.Diagnostics
			errors.As(err, &diags)
			diags.Write(os.Stderr, "seismo")
			t.Fatalf("ParseFile: %v", err)
		}
		var b strings.Builder
		for i := range defs {
			d := &defs[i]
			fmt.Fprintf(&b, "%s %s\n%d:%d severity=%s status=%q author=%q\n", d.ID, d.Name, d.Pos.Line, d.Pos.Column, d.Severity, d.Status, d.Author)
			fmt.Fprintf(&b, "description=%q techniques=%q platforms=%q labels=%q suppress=%q\n", d.Description, d.Techniques, d.Platforms, d.Labels, d.Suppress)
			fmt.Fprintf(&b, "references=%q falsepositives=%q response=%q\n", d.References, d.FalsePositives, d.Response)
			c, err := signals.Compile(d)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(c, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s\n\n", text)
		}
		return b.String()
	})
}

// What is wrong is named with its place in the file and in the document.
func TestOriginalRefusedGolden(t *testing.T) {
	goldenOf(t, "badoriginal", ".json", ".txt", func(t *testing.T, name string, src []byte) string {
		defs, err := signals.ParseFile(name, src)
		var diags signals.Diagnostics
		if !errors.As(err, &diags) {
			t.Fatalf("ParseFile: %v; want diagnostics", err)
		}
		var b strings.Builder
		if err := diags.Write(&b, "seismo"); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d definitions\n", len(defs))
		return b.String()
	})
}
