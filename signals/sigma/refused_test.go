// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"errors"
	"strings"
	"testing"

	"seismo/signals"
)

// What is wrong in a document is said at its place, and nothing of it is taken.
func TestRefusedDocuments(t *testing.T) {
	correlation := func(section string) string {
		return "title: A correlation\nid: 00000000-0000-4000-8000-000000000002\ncorrelation:\n" + section
	}
	const counting = "  type: event_count\n  rules: [a]\n  timespan: 1h\n"
	rule := logsource + detection
	tests := []struct{ name, src, want string }{
		{"a misspelt section", head + logsource + strings.Replace(detection, "detection", "detecton", 1), `4:1: unknown key "detecton" (did you mean "detection"?)`},
		{"a misspelt title", strings.Replace(head, "title", "tilte", 1) + rule, `1:1: unknown key "tilte" (did you mean "title"?)`},
		{"a misspelt logsource", head + strings.Replace(rule, "logsource", "log_source", 1), `3:1: unknown key "log_source" (did you mean "logsource"?)`},
		{"a misspelt key of the logsource", head + strings.Replace(rule, "category", "categry", 1), `3:31: unknown key "categry" (did you mean "category"?)`},
		{"only a misspelt key of the logsource", head + "logsource: {produkt: windows}\n" + detection, `3:13: unknown key "produkt" (did you mean "product"?)`},
		{"a selection beside the detection", head + rule + "selection: {a: b}\n", `8:1: unknown key "selection" (did you mean "detection"?)`},
		{"no title", rule, `1:1: rule without "title"`},
		{"no logsource", head + detection, `1:1: rule without "logsource"`},
		{"no detection", head + logsource, `1:1: rule without "detection"`},
		{"a section without value", head + logsource + "detection:\n", `4:11: key "detection" has no value`},
		{"a title that is a list", "title: [a]\n" + rule, `1:8: expected a text, found a list`},
		{"a title that is a number", "title: 4711\n" + rule, `1:8: expected a text, found the value "4711", which YAML takes for a number`},
		{"a title that is too long", "title: " + strings.Repeat("x", 257) + "\n" + rule, `1:8: title has more than 256 characters`},
		{"a title with a control picture", "title: \"a\\eb\"\n" + rule, `1:8: title "a\x1bb" has a character that can not be shown`},
		{"an id that is no UUID", "title: a\nid: 4711-a\n" + rule, `2:5: id "4711-a" is not a UUID`},
		{"an id that is a number", "title: a\nid: 4711\n" + rule, `2:5: expected a text, found the value "4711", which YAML takes for a number`},
		{"an unknown status", head + "status: tests\n" + rule, `3:9: unknown status "tests" (did you mean "test"?)`},
		{"an unknown level", head + "level: severe\n" + rule, `3:8: unknown level "severe"`},
		{"a level that is a number", head + "level: 4\n" + rule, `3:8: expected a text, found the value "4", which YAML takes for a number`},
		{"another taxonomy", head + "taxonomy: ours\n" + rule, `3:11: taxonomy "ours" is not known`},
		{"tags that are a text", head + "tags: attack.t1059\n" + rule, `3:7: expected a list, found the value "attack.t1059"`},
		{"a tag that is a mapping", head + "tags: [{a: b}]\n" + rule, `3:8: expected a text, found a mapping`},
		{"references that are a mapping", head + "references: {a: b}\n" + rule, `3:13: expected a list, found a mapping`},
		{"related without type", head + "related: [{id: x}]\n" + rule, `3:11: expected a mapping with id and type, found a mapping`},
		{"a date that is a list", head + "date: []\n" + rule, `3:7: expected a text, found a list`},
		{"a logsource that is a text", head + "logsource: windows\n" + detection, `3:12: logsource is a mapping, found the value "windows"`},
		{"a logsource that says nothing", head + "logsource: {definition: x}\n" + detection, `3:12: logsource without product, category and service`},
		{"a product that is a list", head + "logsource: {product: [windows]}\n" + detection, `3:22: expected a text, found a list`},
		{"a product in upper case", head + "logsource: {product: Windows}\n" + detection, `3:22: unknown product "Windows" (did you mean "windows"?)`},
		{"a detection that is a list", head + logsource + "detection: [a]\n", `4:12: detection is a mapping, found a list`},
		{"a key that stands twice", head + "level: low\nlevel: low\n" + rule, `4:1: key "level" stands twice in one mapping, first on line 3`},
		{"a field that stands twice", head + logsource + "detection:\n  s:\n    a: 1\n    a: 2\n  condition: s\n", `7:5: key "a" stands twice in one mapping, first on line 6`},
		{"a key that is a list", head + "[a, b]: c\n" + rule, `3:1: expected a key, found a list`},
		{"an anchor and an alias", head + logsource + "detection:\n  s: &a {x: 1}\n  t: *a\n  condition: s or t\n", `5:6: anchor "&a": a definition has no anchors and aliases`},
		{"a merge key", head + logsource + "detection:\n  s:\n    <<: {x: 1}\n  condition: s\n", `6:5: key "<<" merges mappings: a definition has none that are shared`},
		{"a tag", head + "author: !!python/object:os.system [id]\n" + rule, `3:9: tag "!!python/object:os.system": a definition has no YAML tags`},
		{"a placeholder without values", head + logsource + "detection:\n  s:\n    a|expand: '%users%'\n  condition: s\n", `6:15: placeholder %users%: there is no list of them`},
		{"a rule in a list", "- " + strings.ReplaceAll(strings.TrimSpace(head+rule), "\n", "\n  ") + "\n", `1:3: a rule of Sigma in a list`},
		{"a rule and a correlation", head + rule + "correlation: {type: temporal}\n", `1:1: a document with detection and correlation`},
		{"an action that is misspelt", head + "action: gobal\n" + rule, `3:9: unknown action "gobal" (did you mean "global"?)`},
		{"nothing to repeat", "action: repeat\nlevel: low\n", `1:9: action repeat without a rule before it`},

		{"a correlation that is a list", "title: c\ncorrelation: [a]\n", `2:14: correlation is a mapping, found a list`},
		{"a correlation without type", correlation("  rules: [a]\n  timespan: 1h\n  condition: {gte: 2}\n"), `4:3: correlation without "type"`},
		{"a correlation without rules", correlation("  type: temporal\n  rules: []\n  timespan: 1h\n"), `5:10: rules is empty`},
		{"a correlation without timespan", correlation("  type: temporal\n  rules: [a, b]\n"), `4:3: correlation without "timespan"`},
		{"a correlation without condition", correlation(counting), `4:3: correlation event_count without "condition"`},
		{"an unknown key", correlation(counting + "  condition: {gte: 2}\n  groupby: [a]\n"), `8:3: unknown key "groupby" (did you mean "group-by"?)`},
		{"an unknown type", correlation("  type: event_counts\n  rules: [a]\n  timespan: 1h\n"), `4:9: unknown type "event_counts" (did you mean "event_count"?)`},
		{"a type that calculates", correlation("  type: value_sum\n  rules: [a]\n  timespan: 1h\n  condition: {gte: 2, field: b}\n"), `4:9: type value_sum calculates with the values of a field`},
		{"a rule that stands twice", correlation("  type: temporal\n  rules: [a, a]\n  timespan: 1h\n"), `5:14: rule "a" stands twice`},
		{"a timespan without unit", correlation("  type: temporal\n  rules: [a]\n  timespan: 10\n"), `6:13: "10" is no timespan`},
		{"a timespan of nothing", correlation("  type: temporal\n  rules: [a]\n  timespan: 0s\n"), `6:13: timespan is zero`},
		{"a timespan in months", correlation("  type: temporal\n  rules: [a]\n  timespan: 1M\n"), `6:13: timespan "1M": months and years have no one length`},
		{"a timespan that is too long", correlation("  type: temporal\n  rules: [a]\n  timespan: 31d\n"), `6:13: timespan "31d" is longer than 30 days`},
		{"a timespan beyond numbers", correlation("  type: temporal\n  rules: [a]\n  timespan: 999999999w\n"), `6:13: timespan "999999999w" is longer than 30 days`},
		{"a condition over names", correlation("  type: temporal\n  rules: [a, b]\n  timespan: 1h\n  condition: a and not b\n"), `7:14: a condition over the names of rules: only their number is counted`},
		{"a condition that is a text", correlation(counting + "  condition: '>= 2'\n"), `7:14: condition is a mapping, found the value ">= 2"`},
		{"a condition of no number", correlation(counting + "  condition: {gte: many}\n"), `7:20: gte compares with a whole number of 0 to 100000, found the value "many"`},
		{"a condition of less than nothing", correlation(counting + "  condition: {lt: 0}\n"), `7:14: no number meets the condition`},
		{"a condition of nothing", correlation(counting + "  condition: {lt: 1}\n"), `7:14: only 0 meets the condition: that nothing happened at all is told by no event`},
		{"a condition of exactly nothing", correlation(counting + "  condition: {eq: 0}\n"), `7:14: only 0 meets the condition: that nothing happened at all is told by no event`},
		{"a condition that excludes what it asks for", correlation(counting + "  condition: {eq: 5, neq: 5}\n"), `7:14: no number meets the condition`},
		{"a condition that contradicts itself", correlation(counting + "  condition: {gt: 5, lte: 5}\n"), `7:14: no number meets the condition`},
		{"an unknown comparison", correlation(counting + "  condition: {get: 5}\n"), `7:15: unknown key "get" (did you mean "gt"?)`},
		{"values without a field", correlation("  type: value_count\n  rules: [a]\n  timespan: 1h\n  condition: {gte: 5}\n"), `7:14: value_count counts the values of a field, but condition has no field`},
		{"a field without values", correlation(counting + "  condition: {gte: 5, field: a}\n"), `7:30: condition of event_count has a field`},
		{"an alias that is a text", correlation(counting + "  condition: {gte: 5}\n  aliases: {user: a}\n"), `8:19: alias "user" is a mapping, found the value "a"`},
		{"too many fields", correlation(counting + "  condition: {gte: 5}\n  group-by: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]\n"), `8:13: group-by has 17 fields, at most 16 are taken`},
		{"generate that is a text", correlation(counting + "  condition: {gte: 5}\n  generate: maybe\n"), `8:13: generate is true or false, found the value "maybe"`},

		{"a filter that is a list", head + logsource + "filter: [a]\n", `4:9: filter is a mapping, found a list`},
		{"a filter without condition", head + logsource + "filter:\n  rules: any\n  s: {a: 1}\n", `5:3: the detection has no condition`},
		{"any rule and one more", head + logsource + "filter:\n  rules: [any, a]\n  s: {a: 1}\n  condition: not s\n", `5:10: rules has "any" beside others`},
		{"a filter of nothing", head + "filter:\n  s: {a: 1}\n  condition: not s\n", `1:1: filter without "logsource"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loaded, err := read(tt.src)
			var diags signals.Diagnostics
			if !errors.As(err, &diags) || !strings.Contains(diags[0].String(), tt.want) {
				t.Errorf("%s\nerror %v; want %s", tt.src, err, tt.want)
			}
			if n := len(loaded.Definitions) + len(loaded.Filters); n != 0 || len(loaded.Refused) == 0 {
				t.Errorf("%d definitions and filters taken, %d refused", n, len(loaded.Refused))
			}
			if strings.Contains(tt.src, "\nid: 00000000") && diags[0].ID == "" && loaded.Refused[0].ID != "" {
				t.Errorf("the finding %v lacks the id of its document", diags[0])
			}
		})
	}
}

// A YAML bomb is refused for its anchors; nothing is expanded.
func TestYAMLBomb(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		ref := "*" + string(c-1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat(ref+", ", 8) + ref + "]\n"
	}
	_, err := read(head + logsource + detection + bomb)
	if err == nil || !strings.Contains(err.Error(), `anchor "&a"`) {
		t.Errorf("bomb: %v", err)
	}
	if _, err := read(head + logsource + "x: " + strings.Repeat("[", 5000) + "\n"); err == nil || !strings.Contains(err.Error(), "x.yml:") {
		t.Errorf("deep lists: %v", err)
	}
}
