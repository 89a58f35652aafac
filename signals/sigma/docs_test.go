// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/signals"
	"seismo/signals/sigma"
)

// load reads a file of the page. %Name% has two values.
func load(name, text string) (*signals.Loaded, error) {
	return signals.ParseFileWith(name, []byte(text), signals.Options{
		Languages:   []signals.Language{sigma.Language{}},
		Placeholder: func(string) ([]string, error) { return []string{"one", "two"}, nil },
	})
}

// lower compiles what was loaded.
func lower(l *signals.Loaded) error {
	_, err := signals.LowerInput(signals.Input{Definitions: l.Definitions, Filters: l.Filters})
	return err
}

// Every example of docs/sigma.md is what the page says: "yaml" blocks are files without
// mistake, each line of an "item" block is an item of a detection, and a "yaml bad" block
// gives the "text" block behind it.
func TestDocumentation(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("..", "..", "docs", "sigma.md"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	blocks := strings.Split(string(src), "```")
	for i := 1; i < len(blocks); i += 2 {
		info, text, _ := strings.Cut(blocks[i], "\n")
		count[info]++
		switch info {
		case "yaml":
			loaded, err := load("page.yml", text)
			if err == nil {
				err = lower(loaded)
			}
			if err != nil {
				t.Errorf("in\n%s%v", text, err)
			}
		case "item":
			for line := range strings.Lines(text) {
				rule := fmt.Sprintf("title: T\nlogsource: {product: windows}\ndetection:\n  s:\n    %s  condition: s\n", line)
				loaded, err := load("item.yml", rule)
				if err == nil {
					err = lower(loaded)
				}
				if err != nil {
					t.Errorf("%s%v", line, err)
				}
			}
		case "yaml bad":
			_, err := load("bad.yml", text)
			var diags signals.Diagnostics
			if !errors.As(err, &diags) || i+2 >= len(blocks) {
				t.Errorf("no mistake in\n%s", text)
				continue
			}
			var said strings.Builder
			diags.Write(&said, "seismo")
			next, want, _ := strings.Cut(blocks[i+2], "\n")
			if diff := cmp.Diff(want, said.String()); next != "text" || diff != "" {
				t.Errorf("what is said about\n%sdiffers (-page +got):\n%s", text, diff)
			}
		case "text", "":
		default:
			t.Errorf("block with unknown mark %q", info)
		}
	}
	if count["yaml"] < 6 || count["item"] < 3 || count["yaml bad"] < 1 {
		t.Errorf("blocks by mark: %v; too few were found", count)
	}
}
