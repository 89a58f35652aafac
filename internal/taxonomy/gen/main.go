// SPDX-License-Identifier: Apache-2.0

// Command gen writes the tables of docs/sigma.md, between their marks, from package
// taxonomy.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(3)
	}
	if err := generate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(2)
	}
}

func generate(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := fill(string(page))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// tables are the tables by the name in their mark.
var tables = map[string]func() string{
	"categories": categoryTable,
	"services":   serviceTable,
	"security":   securityTable,
	"fields":     fieldTable,
}

const endMark = "<!-- end of table -->\n"

func beginMark(name string) string {
	return "<!-- table " + name + ": made by internal/taxonomy/gen, do not edit -->\n"
}

// fill returns page with what stands between the marks made anew. Each table has its
// marks once.
func fill(page string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		before, rest, found := strings.Cut(page, beginMark(name))
		_, after, closed := strings.Cut(rest, endMark)
		if !found || !closed || strings.Contains(after, beginMark(name)) {
			return "", fmt.Errorf("the marks of table %s are not there, or not once", name)
		}
		page = before + beginMark(name) + "\n" + tables[name]() + "\n" + endMark + after
	}
	return page, nil
}

func header(columns ...string) string {
	return line(columns...) + line(slices.Repeat([]string{"---"}, len(columns))...)
}

func line(cells ...string) string {
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func categoryTable() string {
	var b strings.Builder
	b.WriteString(header("category", "typed events", "records that name their log", "kind of such a record"))
	for _, c := range taxonomy.Categories() {
		var records []string
		for _, service := range slices.Sorted(maps.Keys(c.Records)) {
			records = append(records, service+" "+numbers(c.Records[service]))
		}
		kind := c.Record
		if kind == "" {
			kind = "record"
		}
		b.WriteString(line(code(c.Name), strings.Join(c.Typed, ", "), strings.Join(records, ", "), kind))
	}
	return b.String()
}

func serviceTable() string {
	var b strings.Builder
	b.WriteString(header("service", "channels"))
	names, channels := taxonomy.Services()
	for _, name := range names {
		var list []string
		for _, c := range channels[name] {
			list = append(list, code(c))
		}
		b.WriteString(line(code(name), strings.Join(list, ", ")))
	}
	return b.String()
}

func securityTable() string {
	var b strings.Builder
	b.WriteString(header("kind and operation", "records of the Security log"))
	acts, ids := taxonomy.SecurityRecords()
	for _, act := range acts {
		b.WriteString(line(act, numbers(ids[act])))
	}
	return b.String()
}

// numbers writes ids, which are in order, runs of three and more as ranges.
func numbers(ids []int) string {
	var parts []string
	for i := 0; i < len(ids); {
		end := i
		for end+1 < len(ids) && ids[end+1] == ids[end]+1 {
			end++
		}
		if end-i < 2 {
			end = i
			parts = append(parts, fmt.Sprint(ids[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d–%d", ids[i], ids[end]))
		}
		i = end + 1
	}
	return strings.Join(parts, " ")
}

func fieldTable() string {
	var b strings.Builder
	b.WriteString(header("kind", "name", "reads on typed events", "fills from records that name their log"))
	for _, n := range taxonomy.Names() {
		kind := n.Kind.String()
		if n.Kind == event.KindNone {
			kind = "any"
		}
		b.WriteString(line(kind, code(n.Name), code(event.Describe(n.Reads).Name), code(event.Describe(n.Fills).Name)))
	}
	return b.String()
}
