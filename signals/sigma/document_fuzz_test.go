// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"errors"
	"strings"
	"testing"

	"seismo/signals"
)

// Any bytes are read without a panic. What is refused is said with its place; what is
// taken has all that a definition needs, is read from its own text again as the same,
// and lowers, or is left out by Link with a reason.
func FuzzDocuments(f *testing.F) {
	correlation := "title: c\ncorrelation:\n  type: temporal\n  rules: [a_rule, b]\n  timespan: 5m\n  group-by: u\n"
	f.Add([]byte(head + logsource + detection))
	f.Add([]byte(head + "name: a_rule\n" + logsource + detection + "---\n" + correlation + "---\ntitle: b\nname: b\ncorrelation: {type: event_count, rules: a_rule, timespan: 1h, condition: {gte: 3}}\n"))
	f.Add([]byte("action: global\ntitle: x\n" + logsource + "---\n" + detection + "---\naction: repeat\nlevel: low\n---\naction: reset\n"))
	f.Add([]byte(head + logsource + "filter:\n  rules: any\n  s: {Host|expand: '%Servers%'}\n  condition: not s\n"))
	f.Add([]byte("--- {title: x, logsource: {product: a}, detection: {s: [k], condition: s}}\n...\n# end\n"))
	f.Add([]byte("id: 00000000-0000-4000-8000-000000000009\nname: Ours\nsignal: user.id is 1\n---\n" + correlation))
	f.Fuzz(func(t *testing.T, src []byte) {
		loaded, err := read(string(src))
		var diags signals.Diagnostics
		if err != nil && !errors.As(err, &diags) {
			t.Fatalf("error %v is no diagnostics", err)
		}
		for _, d := range diags {
			if d.Pos.File != "x.yml" || d.Message == "" {
				t.Errorf("finding %+v lacks place or message", d)
			}
		}
		if err != nil && len(loaded.Refused) == 0 {
			t.Errorf("error %v, but nothing is refused", err)
		}
		for _, d := range loaded.Definitions {
			if d.Language != signals.LanguageSigma {
				continue
			}
			if !signals.IDForm(d.ID) || d.Name == "" || d.Revision == "" || (d.Expr == nil) == (d.Correlation == nil) {
				t.Errorf("definition lacks something: %+v", d)
			}
			if strings.Contains(d.Text, "action") {
				continue // several rules are made of one text
			}
			again, err := read(d.Text)
			if err != nil || len(again.Definitions) != 1 || again.Definitions[0].Revision != d.Revision {
				t.Errorf("text %q is read again as %+v, %v; want revision %s", d.Text, again.Definitions, err, d.Revision)
			}
		}
		in, left := signals.Link(signals.Input{Definitions: loaded.Definitions, Filters: loaded.Filters, Refused: loaded.Refused})
		if len(in.Definitions)+len(in.Filters) < len(loaded.Definitions)+len(loaded.Filters) && len(left) == 0 {
			t.Error("Link leaves something out without a reason")
		}
		if _, err := signals.LowerInput(in); err != nil {
			t.Errorf("what Link leaves is not lowered: %v", err)
		}
	})
}
