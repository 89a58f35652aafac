// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/signals"
)

// block is a fenced block of docs/signals.md.
type block struct{ info, text string }

// documentation returns docs/signals.md and its fenced blocks.
func documentation(t *testing.T) (page string, blocks []block) {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("..", "docs", "signals.md"))
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	var b block
	for line := range strings.Lines(string(src)) {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && inside:
			blocks = append(blocks, b)
			inside = false
		case fence:
			b, inside = block{info: strings.TrimSpace(info)}, true
		case inside:
			b.text += line
		}
	}
	if inside {
		t.Fatalf("block %q is not closed", b.info)
	}
	return string(src), blocks
}

// Every example of docs/signals.md is what the page says: "yaml" and "json" blocks are
// definitions without mistake and without doubt, each line of a "signal" block is
// an expression, and a "yaml bad" block gives the "text" block behind it.
func TestDocumentation(t *testing.T) {
	_, blocks := documentation(t)
	count := map[string]int{}
	for i, b := range blocks {
		count[b.info]++
		switch b.info {
		case "yaml":
			defs, err := signals.ParseFile("good.yml", []byte(b.text))
			if err != nil {
				t.Errorf("in\n%s%s", b.text, explained(err))
			}
			if found := signals.Lint(defs); len(found) > 0 {
				t.Errorf("in\n%s%s", b.text, explained(found))
			}
			if _, err := signals.Lower(defs); err != nil {
				t.Errorf("in\n%s%v", b.text, err)
			}
		case "json":
			defs, err := signals.ParseFile("good.json", []byte(b.text))
			if err != nil {
				t.Errorf("in\n%s%s", b.text, explained(err))
			}
			if found := signals.Lint(defs); len(found) > 0 {
				t.Errorf("in\n%s%s", b.text, explained(found))
			}
		case "signal":
			for line := range strings.Lines(b.text) {
				e, err := signals.ParseExpr("line", strings.TrimSpace(line))
				if err != nil {
					t.Errorf("%s%s", line, explained(err))
					continue
				}
				for _, d := range signals.Lint([]signals.Definition{{Expr: e}}) {
					if d.Code != "no-positive" && d.Code != "no-literal" { // a term shown alone
						t.Errorf("%s: %v", line, d)
					}
				}
			}
		case "cel":
			for line := range strings.Lines(b.text) {
				if _, err := signals.ParseCEL("line", strings.TrimSpace(line)); err != nil {
					t.Errorf("%s%s", line, explained(err))
				}
			}
		case "yaml bad":
			_, err := signals.ParseFile("bad.yml", []byte(b.text))
			var diags signals.Diagnostics
			if !errors.As(err, &diags) {
				t.Errorf("no mistake in\n%s", b.text)
				continue
			}
			if i+1 == len(blocks) || blocks[i+1].info != "text" {
				t.Errorf("no text block behind\n%s", b.text)
				continue
			}
			if diff := cmp.Diff(blocks[i+1].text, strings.TrimPrefix(explained(err), "\n")); diff != "" {
				t.Errorf("what is said about\n%sdiffers (-page +got):\n%s", b.text, diff)
			}
		case "text", "":
		default:
			t.Errorf("block with unknown mark %q", b.info)
		}
	}
	if count["yaml"] < 3 || count["signal"] < 5 || count["yaml bad"] < 1 {
		t.Errorf("blocks by mark: %v; too few were found", count)
	}
}

// The page names every field, with its type, every operation and every keyword.
func TestDocumentationIsComplete(t *testing.T) {
	page, _ := documentation(t)
	row := func(object, column string) string {
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "| "+object+" |") && strings.Contains(line, "`") == (column == "property") {
				return line
			}
		}
		return ""
	}
	for _, f := range event.Fields() {
		want := "`" + f.Column() + "`"
		if f.Type != event.String {
			want += " (" + f.Type.String() + ")"
		}
		if !strings.Contains(row(f.Object(), "property"), want) {
			t.Errorf("row of %s lacks %s", f.Object(), want)
		}
		for _, alias := range f.Aliases {
			if strings.HasSuffix(alias, "_cmd") && !strings.Contains(page, "`"+alias+"`") {
				t.Errorf("page lacks %s", alias)
			}
		}
	}
	for _, kind := range event.Kinds() {
		for _, op := range event.Ops(kind) {
			if !strings.Contains(row(kind.String(), "operation"), op.String()) {
				t.Errorf("row of kind %s lacks operation %s", kind, op)
			}
		}
	}
	for c := signals.Is; c < signals.Residual; c++ {
		if !strings.Contains(page, "`"+c.String()+"`") {
			t.Errorf("page lacks condition %s", c)
		}
	}
}
