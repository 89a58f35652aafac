// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/signals"
	"seismo/signals/sigma"
)

// read reads a file in which the placeholder %Servers% has two values.
func read(src string) (*signals.Loaded, error) {
	return signals.ParseFileWith("x.yml", []byte(src), signals.Options{
		Languages: []signals.Language{sigma.Language{}},
		Placeholder: func(name string) ([]string, error) {
			if name != "Servers" {
				return nil, errors.New("there is no list of them")
			}
			return []string{"dc01", "dc02"}, nil
		},
	})
}

const (
	head      = "title: A rule\nid: 00000000-0000-4000-8000-000000000001\n"
	logsource = "logsource: {product: windows, category: process_creation}\n"
	detection = "detection:\n  s:\n    Image|endswith: '\\a.exe'\n  condition: s\n"
)

// What a rule says of itself, in the words of a definition.
func TestRule(t *testing.T) {
	src := `# who wrote it
title: A  rule that
  goes on
id: 0D9E5F7A-2F43-4C39-9D0E-3F2F7F6D1B11
name: a_rule
related:
  - {id: 08fbc97d-0a2f-491c-ae21-8ffcfd3174e9, type: derived}
taxonomy: sigma
status: test
description: |
  What it is
  about.
license: MIT
author: Somebody, somebody else
references: [https://example.org/a]
date: 2024-01-31
modified: '2024-02-01'
tags: [attack.execution, attack.t1059.001, attack.T1105, cve.2024-1, detection.threat-hunting]
logsource:
  product: windows
  category: process_creation
  definition: {any: thing}
  custom: [x]
fields: [Image]
falsepositives: Backups
level: high
scope: [server]
house_key: {owner: us, since: 2024-01-01}
` + detection + "\n\n"
	loaded, err := read(src)
	if err != nil || len(loaded.Definitions) != 1 {
		t.Fatalf("%d definitions, %v; want one", len(loaded.Definitions), err)
	}
	got := loaded.Definitions[0]
	if got.Expr == nil || len(got.Revision) != 16 {
		t.Errorf("expression %v, revision %q", got.Expr, got.Revision)
	}
	got.Expr, got.Revision = nil, ""
	want := signals.Definition{
		ID: "0d9e5f7a-2f43-4c39-9d0e-3f2f7f6d1b11", Name: "A rule that goes on", Description: "What it is\nabout.",
		Severity: signals.High, Status: "test", Techniques: []string{"T1059.001", "T1105"},
		Author: "Somebody, somebody else", References: []string{"https://example.org/a"}, FalsePositives: []string{"Backups"},
		Labels:   []string{"attack.execution", "cve.2024-1", "detection.threat-hunting"},
		Language: signals.LanguageSigma, Text: strings.TrimRight(src, "\n"), RuleName: "a_rule",
		Logsource: signals.Logsource{Product: "windows", Category: "process_creation"},
		Pos:       signals.Position{File: "x.yml", Line: 2, Column: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("definition (-want +got):\n%s", diff)
	}
}

// What is left out of a rule has a meaning too.
func TestRuleDefaults(t *testing.T) {
	rule := "title: A rule\n" + logsource + detection
	loaded, err := read(rule + "---\n" + strings.Replace(rule, "A rule", "Another", 1))
	if err != nil {
		t.Fatal(err)
	}
	d, other := loaded.Definitions[0], loaded.Definitions[1]
	if d.Severity != signals.Medium || d.Status != "" {
		t.Errorf("severity %s, status %q; want medium and none", d.Severity, d.Status)
	}
	if !signals.IDForm(d.ID) || d.ID[14] != '8' || !strings.Contains("89ab", d.ID[19:20]) {
		t.Errorf("made id %s is no UUID of version 8", d.ID)
	}
	if other.ID == d.ID {
		t.Errorf("two titles have the id %s", d.ID)
	}
	// Comments, blanks and what others may change are not what the id is made of.
	same, err := read("# moved\nlevel: low\n" + strings.ReplaceAll(rule, "  s:", "  s:   # here"))
	if err != nil || same.Definitions[0].ID != d.ID {
		t.Errorf("the same rule in another form has the id %v, %v; want %s", same.Definitions, err, d.ID)
	}
	if same.Definitions[0].Revision == d.Revision {
		t.Errorf("another text has the same revision %s", d.Revision)
	}
}

// A revision changes with the values of placeholders.
func TestRevisionOfPlaceholders(t *testing.T) {
	src := "title: A rule\n" + logsource + "detection:\n  s:\n    Host|expand: '%Servers%'\n  condition: s\n"
	revision := func(values ...string) string {
		loaded, err := signals.ParseFileWith("x.yml", []byte(src), signals.Options{Languages: []signals.Language{sigma.Language{}},
			Placeholder: func(string) ([]string, error) { return values, nil }})
		if err != nil {
			t.Fatal(err)
		}
		return loaded.Definitions[0].Revision
	}
	if a, again, b := revision("dc01"), revision("dc01"), revision("dc01", "dc02"); a != again || a == b {
		t.Errorf("revisions %s, %s and with another value %s", a, again, b)
	}
}

// Our own definitions and Sigma's stand in one file, and have one space of ids.
func TestMixedFile(t *testing.T) {
	own := "id: 00000000-0000-4000-8000-000000000009\nname: Ours\nsignal: user.id is 1\n"
	loaded, err := read(own + "---\n" + head + logsource + detection + "...\n---\n" + strings.Replace(own, "9\n", "8\n", 1))
	var got []string
	for _, d := range loaded.Definitions {
		got = append(got, fmt.Sprintf("%s %s %d", d.Language, d.Name, d.Pos.Line))
	}
	if diff := cmp.Diff([]string{"signal Ours 1", "sigma A rule 5", "signal Ours 14"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if text := loaded.Definitions[1].Text; text != strings.TrimSpace(head+logsource+detection) {
		t.Errorf("text of the rule is %q", text)
	}
	_, err = read(strings.Replace(own, "9\n", "1\n", 1) + "---\n" + head + logsource + detection)
	if want := `x.yml:6:5: id 00000000-0000-4000-8000-000000000001 stands twice, first at x.yml:1:5`; err == nil || err.Error() != want {
		t.Errorf("id that stands twice: %v; want %s", err, want)
	}
	if _, err := signals.ParseFile("x.yml", []byte(head+logsource+detection)); err == nil {
		t.Error("a rule of Sigma was read by one who did not ask for the language")
	}
}

// The old form of rules in several documents.
func TestActions(t *testing.T) {
	global := "action: global\ntitle: Shared\nid: 00000000-0000-4000-8000-000000000007\nlevel: high\ndetection:\n  condition: s\n"
	first := "logsource: {product: windows}\ndetection:\n  s: {EventID: 1}\n"
	second := "logsource: {product: linux}\nlevel: low\ndetection:\n  s: {EventID: 2}\n"
	tests := []struct {
		name, src string
		want      []string // logsource, level and expression
	}{
		{"global stands before all that follow", global + "---\n" + first + "---\n" + second,
			[]string{"windows high EventID: 1", "linux low EventID: 2"}},
		{"two globals add up", global + "---\naction: global\nlevel: critical\n---\n" + first, []string{"windows critical EventID: 1"}},
		{"reset ends it", global + "---\n" + first + "---\naction: reset\n---\n" + "title: Alone\n" + second + "  condition: s\n",
			[]string{"windows high EventID: 1", "linux low EventID: 2"}},
		{"reset with a rule of its own", global + "---\naction: reset\ntitle: Alone\n" + second + "  condition: s\n", []string{"linux low EventID: 2"}},
		{"repeat changes the rule before", global + "---\n" + first + "---\naction: repeat\nlogsource: {service: sysmon}\n",
			[]string{"windows high EventID: 1", "windows/sysmon high EventID: 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loaded, err := read(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			ids := map[string]bool{}
			for _, d := range loaded.Definitions {
				source := d.Logsource.Product
				if d.Logsource.Service != "" {
					source += "/" + d.Logsource.Service
				}
				got = append(got, source+" "+d.Severity.String()+" "+d.Expr.Term.Text)
				if ids[d.ID] {
					t.Errorf("id %s stands twice", d.ID)
				}
				ids[d.ID] = true
				if again, err := read(d.Text); err != nil || len(again.Definitions) == 0 {
					t.Errorf("the text of %q is not read again: %v", d.Name, err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if strings.HasPrefix(tt.src, "action: global") && !strings.Contains(tt.name, "of its own") && !ids["00000000-0000-4000-8000-000000000007"] {
				t.Errorf("no rule has the id of the global document: %v", ids)
			}
		})
	}
}

// Documents that are repeated without end are refused before they take memory.
func TestActionsAreBounded(t *testing.T) {
	src := "action: global\ntitle: " + strings.Repeat("x", 200) + "\ndescription: " + strings.Repeat("y", 300_000) + "\n" +
		strings.Repeat("---\nlogsource: {product: linux}\n", 20_000)
	_, err := read(src)
	var diags signals.Diagnostics
	if !errors.As(err, &diags) {
		t.Fatalf("error %v", err)
	}
	said := false
	for _, d := range diags {
		said = said || strings.Contains(d.Message, "put together come to more than 8 MiB")
	}
	if !said {
		t.Errorf("the bound is not named by %v", err)
	}
}
