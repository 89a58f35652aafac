// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What stands for a placeholder of Sigma, and why nothing does.
func TestPlaceholders(t *testing.T) {
	dir := t.TempDir()
	var many strings.Builder
	for i := range maxPlaceholder + 1 {
		fmt.Fprintf(&many, "host%d\n", i)
	}
	for name, content := range map[string]string{"jump_servers.txt": "# ours\nJump02\n\njump01\nJump02\n", "many.txt": many.String(), "long.txt": strings.Repeat("x", 2000)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		want []string
		err  string
	}{
		{"Jump_Servers", []string{"Jump02", "jump01"}, ""},
		{"jump_servers", []string{"Jump02", "jump01"}, ""},
		{"many", nil, "many.txt has 10001 values, at most 10000 can stand for a placeholder"},
		{"long", nil, "line 1"},
		{"nowhere", nil, "nowhere.txt, which is not there"},
		{"folder", nil, "folder.txt, which is no regular file"},
		{"../etc/passwd", nil, "lists are called by a-z, 0-9, - and _"},
		{"dotted.name", nil, "lists are called by a-z, 0-9, - and _"},
	}
	values := placeholders(dir)
	for _, tt := range tests {
		for range 2 { // a list is read once
			got, err := values(tt.name)
			if !slices.Equal(got, tt.want) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("values of %%%s%% = %q, %v; want %q, %s", tt.name, got, err, tt.want, tt.err)
			}
		}
		if err := os.Remove(filepath.Join(dir, "jump_servers.txt")); err != nil && tt.name == "Jump_Servers" {
			t.Fatal(err)
		}
	}
}
