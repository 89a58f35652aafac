// SPDX-License-Identifier: Apache-2.0

// Command gen writes docs/fields.md from the field registry.
package main

import (
	"fmt"
	"os"
	"strings"

	"seismo/internal/event"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(3)
	}
	if err := os.WriteFile(os.Args[1], []byte(fieldsPage()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(2)
	}
}

const head = `# Fields

Every event has a kind and an operation, and carries the fields of its kind. Fields of a process
can be read on every kind of event: they are those of the process that acted. This page is
written from the registry in internal/event (make generate); "seismo fields" prints the same.

A signal reads a field as object.property. Scope says whose value it is: the event's own, that of
its process, of the process's parent, or of any ancestor (the process itself counts as one).

## Kinds and operations

| kind | operations |
|---|---|
`

func fieldsPage() string {
	var b strings.Builder
	b.WriteString(head)
	for _, k := range event.Kinds() {
		fmt.Fprintf(&b, "| %s | ", k)
		for i, op := range event.Ops(k) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(op.String())
		}
		b.WriteString(" |\n")
	}
	for _, object := range event.Objects() {
		fmt.Fprintf(&b, "\n## %s\n\n| field | type | scope | meaning |\n|---|---|---|---|\n", object)
		for _, f := range event.Fields() {
			if f.Object() != object {
				continue
			}
			doc := f.Doc
			if len(f.Aliases) > 0 {
				doc += " Also written " + strings.Join(f.Aliases, ", ") + "."
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.Name, f.Type, f.Scope, doc)
		}
	}
	return b.String()
}
