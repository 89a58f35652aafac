// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tables of docs/sigma.md are what package taxonomy says.
func TestPageIsCurrent(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "sigma.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := fill(string(page))
	if err != nil {
		t.Fatal(err)
	}
	if want != string(page) {
		t.Error("docs/sigma.md is not current: run make generate")
	}
}

func TestFill(t *testing.T) {
	marks := ""
	for name := range tables {
		marks += beginMark(name) + "old\n" + endMark + "kept\n"
	}
	got, err := fill(marks)
	if err != nil || strings.Contains(got, "old") || strings.Count(got, "kept\n") != len(tables) || !strings.Contains(got, "| `process_creation` | process create |") {
		t.Errorf("fill = %v\n%s", err, got)
	}
	if again, err := fill(got); err != nil || again != got {
		t.Errorf("filled again: %v, the same: %v", err, again == got)
	}
	for name, page := range map[string]string{
		"no marks": "text", "a mark is not closed": strings.Replace(marks, endMark, "", 1) + "", "a table stands twice": marks + marks,
	} {
		if name == "a mark is not closed" {
			page = strings.ReplaceAll(marks, endMark, "")
		}
		if _, err := fill(page); err == nil {
			t.Errorf("%s: filled without an error", name)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		ids  []int
		want string
	}{{nil, ""}, {[]int{4}, "4"}, {[]int{1, 2}, "1 2"}, {[]int{1, 2, 3, 5, 8, 9, 10, 11}, "1–3 5 8–11"}} {
		if got := numbers(tt.ids); got != tt.want {
			t.Errorf("numbers(%v) = %q, want %q", tt.ids, got, tt.want)
		}
	}
}
