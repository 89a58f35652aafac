// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// importTable reads the import table of docs/ARCHITECTURE.md: what of ours each
// package may import. A package that is not there is a mistake, and so is a name
// that its package does not import any more.
func importTable(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "| package | imports of ours |\n|---|---|\n")
	table := map[string]string{}
	for _, line := range strings.Split(section, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			break
		}
		list := strings.TrimSpace(cells[2])
		if list == "none" {
			list = ""
		}
		table[strings.TrimSpace(cells[1])] = list
	}
	if len(table) < 10 {
		t.Fatalf("docs/ARCHITECTURE.md has an import table of %d rows", len(table))
	}
	return table
}

// outside names what only some packages may import of the rest of the world.
var outside = map[string][]string{
	"modernc.org/sqlite":             {"recorder/monitordb"},
	"github.com/elastic/go-libaudit": {"sources/audit"},
	"github.com/spf13/cobra":         {"cmd/seismo"},
	"github.com/rs/zerolog":          {"cmd/seismo", "recorder/daemon"},
	"go.yaml.in/yaml":                {"fixtures", "signals", "signals/sigma"},
}

func TestImportTable(t *testing.T) {
	imports := importTable(t)
	page, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for pkg, allowed := range imports {
		if allowed == "" {
			allowed = "none"
		}
		if row := "| " + pkg + " | " + allowed + " |"; !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/ARCHITECTURE.md lacks the row %s", row)
		}
	}
	for _, system := range []string{"linux", "windows", "darwin"} {
		cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "seismo/...")
		cmd.Env = append(cmd.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list on %s: %v", system, err)
		}
		used := map[string][]string{}
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			pkg, list, _ := strings.Cut(line, ":")
			pkg = strings.TrimPrefix(pkg, "seismo/")
			allowed, known := imports[pkg]
			if !known {
				t.Errorf("%s: package %s is not in the import table: say in docs/ARCHITECTURE.md what it is for, then add its row", system, pkg)
			}
			for _, imp := range strings.Fields(list) {
				if ours, ok := strings.CutPrefix(imp, "seismo/"); ok {
					used[pkg] = append(used[pkg], ours)
					if !slices.Contains(strings.Fields(allowed), ours) {
						t.Errorf("%s: package %s imports %s, which the import table does not allow", system, pkg, ours)
					}
				}
				for path, who := range outside {
					if strings.HasPrefix(imp, path) && !slices.Contains(who, pkg) {
						t.Errorf("%s: package %s imports %s; only %v may", system, pkg, imp, who)
					}
				}
			}
		}
		if system != "linux" {
			continue
		}
		for pkg, allowed := range imports {
			for _, imp := range strings.Fields(allowed) {
				if !slices.Contains(used[pkg], imp) {
					t.Errorf("the import table allows %s to import %s, but it does not", pkg, imp)
				}
			}
		}
	}
}
