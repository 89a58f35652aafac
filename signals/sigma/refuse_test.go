// SPDX-License-Identifier: Apache-2.0

// This file shows what of a detection is refused, at which place and why.

package sigma

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// Each detection is refused with one finding: place, message, and a part of the hint.
func TestRefusedItems(t *testing.T) {
	tests := []struct{ item, message, hint string }{
		{"F|containz: a", `2:5: unknown modifier "containz" (did you mean "contains"?)`, "contains"},
		{"F|Contains: a", `2:5: unknown modifier "Contains" (did you mean "contains"?)`, ""},
		{"F|all|regex: a", `2:9: unknown modifier "regex" (did you mean "re"?)`, ""},
		{"F|: a", `2:5: a modifier is missing behind |`, ""},
		{"F||all: a", `2:5: a modifier is missing behind |`, ""},
		{"F |all: a", `2:3: field name "F " has blanks around it`, ""},
		{"F|contains|re: a", "2:14: modifier re after contains", "re|contains"},
		{"F|startswith|re: a", "2:16: modifier re after startswith", "re|startswith"},
		{"F|base64|re: a", "2:12: modifier re after base64, which it has no meaning beside", ""},
		{"F|windash|re: a", "2:13: modifier re after windash, which it has no meaning beside", ""},
		{"F|re|windash: a", "2:8: modifier windash has no meaning beside re", ""},
		{"F|re|base64: a", "2:8: modifier base64 has no meaning beside re", ""},
		{"F|i: a", "2:5: modifier i belongs to re", "re|i"},
		{"F|contains|m: a", "2:14: modifier m belongs to re", "re|m"},
		{"F|i|re: a", "2:5: modifier i belongs to re", "re|i"},
		{"F|re|i|cased: a", "2:5: modifiers cased and i contradict each other", ""},
		{"F|re|cased: (?i)a", "2:15: modifier cased beside (?i)", ""},
		{"F|lt|gt: 5", "2:8: modifier gt after lt", "two keys"},
		{"F|lte|lte: 5", "2:9: modifier lte stands twice", ""},
		{"F|hour|gte|lt: 5", "2:14: modifier lt after hour", ""},
		{"F|gte|hour: 5", "2:9: modifier hour after gte", "hour|gte"},
		{"F|hour|day: 5", "2:10: modifier day after hour", ""},
		{"F|lt|neq: 5", "2:5: neq beside a comparison", "gte"},
		{"F|lt|cased: 5", "2:5: modifier cased has no meaning beside lt", ""},
		{"F|lt|contains: 5", "2:8: modifier contains has no meaning beside lt", ""},
		{"F|contains|lt: 5", "2:14: modifier lt after contains, which it has no meaning beside", ""},
		{"F|contains|base64: a", "2:14: modifier base64 after contains: its wildcards can not be encoded", "base64|contains"},
		{"F|endswith|wide: a", "2:14: modifier wide after endswith: its wildcards can not be encoded", ""},
		{"F|contains|startswith: a", "2:14: modifier startswith after contains: a text has one place", ""},
		{"F|base64|windash: a", "2:12: modifier windash after base64, which has changed the text", "windash|base64"},
		{"F|base64|expand: a", "2:12: modifier expand after base64, which has changed the text", ""},
		{"F|base64offset|base64: a", "2:18: modifier base64 after base64offset, which leaves pieces of a text", ""},
		{"F|wide|utf16: a", "2:10: modifier utf16 after wide: the text is UTF-16 already", ""},
		{"F|exists|all: true", "2:5: exists beside other modifiers", "exists: true"},
		{"F|exists|neq: true", "2:5: exists beside other modifiers", ""},
		{"F|exists|contains: true", "2:12: modifier contains has no meaning beside exists", ""},
		{"F|cidr|contains: 10.0.0.0/8", "2:10: modifier contains has no meaning beside cidr", ""},
		{"F|cidr|cased: 10.0.0.0/8", "2:5: modifier cased has no meaning beside cidr", ""},
		{"F|contains|fieldref: G", "2:14: modifier fieldref after contains", "fieldref|contains"},
		{"F|fieldref|windash: G", "2:14: modifier windash has no meaning beside fieldref", ""},
		{"F|fieldref|lt: G", "2:14: modifier lt after fieldref", ""},
		{"F|all|all: a", "2:9: modifier all stands twice", ""},
		{"F|cidr|re: a", "2:10: modifier re after cidr", ""},

		{"F|exists: yes please", `2:13: exists takes true or false, not "yes please"`, "exists: true"},
		{"F|exists: 1", `2:13: exists takes true or false, not "1"`, ""},
		{"F|exists: [true, false]", "2:20: exists takes one value", ""},
		{"F|exists: null", "2:13: null beside modifier exists", "under the field alone"},
		{"F|cidr: 10.0.0.0/33", `2:11: "10.0.0.0/33" is not a network`, "10.0.0.0/8"},
		{"F|cidr: host", `2:11: "host" is not a network`, ""},
		{"F|cidr: '10.*'", "2:11: a network with wildcards", "startswith"},
		{"F|lt: five", `2:9: modifier lt takes a number, not "five"`, ""},
		{"F|lt: .inf", `2:9: modifier lt takes a number, not ".inf"`, ""},
		{"F|lt: ''", `2:9: modifier lt takes a number, not ""`, ""},
		{"F|hour: 24", "2:11: no date has hour 24: it is 0 to 23", ""},
		{"F|month: 0", "2:12: no date has month 0: it is 1 to 12", ""},
		{"F|hour: 1.5", "2:11: modifier hour takes a whole number, not 1.5", ""},
		{"F|fieldref: 'G*'", "2:15: a field reference with wildcards", ""},
		{"F|fieldref: ''", "2:15: a field reference of 0 bytes: a name has 1 to 256", ""},
		{"F|base64: 'a*'", "2:13: base64 of a value with wildcards", ""},
		{"F|base64offset|contains: 'a?b'", "2:28: base64offset of a value with wildcards", ""},
		{"F|base64offset|contains: 'a'", "2:28: base64offset of 1 bytes: no character of the Base64 form is sure", ""},
		{"F|base64offset|contains: ''", "2:28: base64offset of 0 bytes: no character of the Base64 form is sure", ""},
		{"F|wide: 'a?'", "2:11: wide of a value with the wildcard ?: a character is two bytes or four there", ""},
		{"F|wide|base64: 'a*'", "2:18: base64 of a value with wildcards", ""},
		{"F|windash|base64: '-a -b -c -d -e'", "2:21: the dashes of the value make more than 3000 texts to encode", ""},
		{"F|expand: '%unknown%'", "2:13: placeholder %unknown%: no values are known", ""},
		{"F|expand: '%none%'", "2:13: placeholder %none% has no values", ""},
		{"F|re: '(?=a)b'", "2:9: regular expression: look-ahead (?= is not supported", "AND, OR and NOT"},
		{"F|re: 'a(?!b)'", "2:11: regular expression: look-ahead (?! is not supported", ""},
		{`F|re: '(a)\1'`, `2:13: regular expression: back-reference \1 is not supported`, ""},
		{"F|re: '(?m)a(?<!b)'", "2:15: regular expression: look-behind (?<! is not supported", ""},
		{"F|re: 'a(?i)b(?=c)'", "2:9: regular expression: look-ahead (?= is not supported", ""},
		{"F|re: ''", "2:9: regular expression: an empty pattern", ""},
		{"F|re|startswith: 'a)(b'", "", ""},
		{"F: []", `2:6: "F" has an empty list, which nothing can meet`, ""},
		{"F: {a: b}", `2:6: the value of "F" is a mapping, not a text, a number or a list of them`, ""},
		{"F: [a, [b]]", "2:10: a list in a list of values", ""},
		{"F: [a, {b: c}]", "2:10: a mapping in a list of values", ""},
		{"'|all': {a: b}", "2:11: the value of a list of keywords is a mapping, not a text, a number or a list of them", ""},
		{"'|all': null", "2:11: null as a keyword", ""},
		{"'|exists': true", "2:3: modifier exists without a field", "before |exists"},
		{"'|cidr': 10.0.0.0/8", "2:3: modifier cidr without a field", ""},
		{"'|gt': 5", "2:3: modifier gt without a field", ""},
		{"'*': a", "2:3: a field has no wildcards in its name", "without a field name"},
		{"F: a\n  F: b", `3:3: key "F" stands twice`, ""},
		{"F|base64: null", "2:13: null beside modifier base64", ""},
		{strings.Repeat("n", 257) + ": a", "2:3: a field name of 257 bytes, at most 256 are taken", ""},
		{"F: " + strings.Repeat("v", 1025), "2:6: a text of 1025 bytes to compare with, at most 1024 are taken", ""},
		{"F: a*" + strings.Repeat("v", 5000), "2:6: value with wildcards: a pattern of 5002 bytes, at most 4096 are taken", ""},
		{"F|" + strings.Repeat("base64|", 17) + "all: a", "2:117: more than 16 modifiers", ""},
	}
	for _, tt := range tests {
		checkRefused(t, "s:\n  "+tt.item+"\ncondition: s\n", tt.message, tt.hint)
	}
}

// checkRefused reads text, which must be refused with message; an empty one stands for
// any.
func checkRefused(t *testing.T, text, message, hint string) {
	t.Helper()
	e, found := readDetection(t, text)
	if e != nil {
		t.Errorf("detection(%.200s) = %s, want it refused: %s", text, e, message)
		return
	}
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%d:%d: %s", f.line, f.column, f.message))
	}
	if all := strings.Join(got, "; "); message != "" && all != message {
		t.Errorf("detection(%.200s):\n got %s\nwant %s", text, all, message)
	}
	if !strings.Contains(found[0].hint, hint) {
		t.Errorf("detection(%.200s): hint %q, want it to say %q", text, found[0].hint, hint)
	}
}

func TestRefusedDetections(t *testing.T) {
	tests := []struct{ text, message, hint string }{
		{"s: {A: x}", "1:1: the detection has no condition", "condition: selection"},
		{"[a]", "1:1: a detection is a mapping of search identifiers with a condition, not a list", ""},
		{"s:\ncondition: s", `1:1: search identifier "s" has nothing in it`, ""},
		{"s: {}\ncondition: s", "1:4: an empty mapping, which asks for nothing", ""},
		{"s: []\ncondition: s", `1:4: search identifier "s" has an empty list, which nothing can meet`, ""},
		{"s: [{}]\ncondition: s", "1:5: an empty mapping, which asks for nothing", ""},
		{"s: [[a]]\ncondition: s", `1:5: a list in a list of search identifier "s"`, "joined by OR"},
		{"s: [null]\ncondition: s", "1:5: null as a keyword", ""},
		{"s: {A: x}\ns: {B: y}\ncondition: s", `2:1: key "s" stands twice`, ""},
		{"s: {A: x}\ncondition: s\ncondition: s", `3:1: key "condition" stands twice`, ""},
		{"s: {A: x}\ntimeframe: 5m\ncondition: s", "2:1: a timeframe belongs to the old aggregations, which conditions do not have any more", "correlation"},
		{"s: {A: x}\ncondition: s | count() by B > 5", `2:14: aggregation "| count()": conditions do not have them any more`, "correlation"},
		{"s: {A: x}\ncondition: s |", `2:14: aggregation "| ?": conditions do not have them any more`, "correlation"},
		{"s: {A: x}\nb: {A: y}\ncondition: s near b", "3:14: near: conditions do not have it any more", "correlation"},
		{"s: {A: x}\ncondition: near s", "2:12: near: conditions do not have it any more", "correlation"},
		{"selection: {A: x}\ncondition: selecton", `2:12: the condition names "selecton", which the detection does not have (did you mean "selection"?)`, "selection"},
		{"Sel: {A: x}\ncondition: a or sel", `2:12: the condition names "a", which the detection does not have; 2:17: the condition names "sel", which the detection does not have (did you mean "Sel"?)`, "Sel"},
		{"s: {A: x}\ncondition: s and 1 of t*", `2:18: no search identifier for "1 of t*"`, ""},
		{"_s: {A: x}\ncondition: 1 of _s*", `2:12: no search identifier for "1 of _s*"`, "one by one"},
		{"_s: {A: x}\ncondition: all of them", `2:12: no search identifier for "all of them"`, "one by one"},
		{"s: {A: x}\ncondition: 1 of t", `2:12: the condition names "t", which the detection does not have (did you mean "s"?)`, ""},
		{"s: {A: x}\ncondition: 2 of s*", `2:12: "2" of`, "1 of, any of and all of"},
		{"s: {A: x}\ncondition: s*", `2:12: pattern "s*" without 1 of or all of`, "1 of s*"},
		{"s: {A: x}\ncondition: ''", "2:12: an empty condition", ""},
		{"s: {A: x}\ncondition:", "2:11: the condition is nothing, not a text", ""},
		{"s: {A: x}\ncondition: {a: b}", "2:12: the condition is a mapping, not a text", ""},
		{"s: {A: x}\ncondition: []", "2:12: a list of 0 conditions, 1 to 100 are taken", ""},
		{"s: {A: x}\ncondition: [s, [s]]", "2:16: the condition is a list, not a text", ""},
		{"s: {A: x}\ncondition: s and", "2:17: the condition ends where a search identifier is expected", ""},
		{"s: {A: x}\ncondition: s s", `2:14: "s" in a condition, where and, or or the end is expected`, ""},
		{"s: {A: x}\ncondition: (s", "2:14: the condition ends where and, or or ) is expected", ""},
		{"s: {A: x}\ncondition: s)", `2:13: ")" in a condition, where and, or or the end is expected`, ""},
		{"s: {A: x}\ncondition: ()", `2:13: ")" in a condition, where a search identifier is expected`, ""},
		{"s: {A: x}\ncondition: or s", `2:12: "or" in a condition, where a search identifier is expected`, ""},
		{"s: {A: x}\ncondition: s && s", `2:14: "&" in a condition`, "and, or, not"},
		{"s: {A: x}\ncondition: s || s", `2:14: "|" in a condition`, "and, or, not"},
		{"s: {A: x}\ncondition: s, s", "2:13: a comma in a condition", ""},
		{"s: {A: x}\ncondition: not", "2:15: the condition ends where a search identifier is expected", ""},
		{"s: {A: x}\ncondition: 1 of", "2:16: the condition ends where them or a pattern is expected", ""},
		{"s: {A: x}\ncondition: 1 of (s*)", `2:17: "(" in a condition, where them or a pattern is expected`, ""},
		{"s: {A: x}\ncondition: '" + strings.Repeat("(", 51) + "s'", "2:63: parentheses and nots are nested deeper than 50 levels", ""},
		{"s: {A: x}\ncondition: " + strings.Repeat("not ", 51) + "s", "2:212: parentheses and nots are nested deeper than 50 levels", ""},
		{"s: {A: x}\ncondition: s é", `2:14: "é" in a condition, where and, or or the end is expected`, ""},
	}
	for _, tt := range tests {
		checkRefused(t, tt.text, tt.message, tt.hint)
	}
}

// Aliases, merges and what YAML can make besides are refused without a panic.
func TestRefusedNodes(t *testing.T) {
	for _, text := range []string{"s: &a {A: x}\nt: *a\ncondition: s or t", "s: {A: &a x, B: *a}\ncondition: s", "s: {<<: {A: x}}\ncondition: s", "? [a]\n: x\ncondition: s", "s: {[a]: x}\ncondition: s"} {
		checkRefused(t, text, "", "")
	}
	var found []finding
	if e := newTestReader(&found, nil).detection(nil); e != nil || len(found) != 1 {
		t.Errorf("detection(nil) = %v, %v", e, found)
	}
	found = nil
	odd := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "s"}}}
	if e := newTestReader(&found, nil).detection(odd); e != nil || len(found) != 1 {
		t.Errorf("detection of half a pair = %v, %v", e, found)
	}
}

// What a rule can make of little text is bounded.
func TestBounds(t *testing.T) {
	dashes := "' -a -b -c -d'"
	list := strings.TrimSuffix(strings.Repeat(dashes+", ", 200), ", ")
	checkRefused(t, "s: {'F|windash': ["+list+"]}\ncondition: s", "1:2579: more than 100000 values in a rule", "several rules")

	var many strings.Builder
	many.WriteString("s:\n  - F: x\n")
	for range 200 {
		many.WriteString("  - {F: x, G: y}\n")
	}
	many.WriteString("condition: s" + strings.Repeat(" or s", 60) + "\n")
	checkRefused(t, many.String(), "203:12: more than 20000 terms in a rule, counted as often as the condition names them", "")

	long := strings.Repeat("n", 100_000)
	checkRefused(t, "? "+long+"\n: {A: x}\ncondition: s", `3:12: the condition names "s", which the detection does not have`, "the detection has "+long[:60])
	if _, found := readDetection(t, "? "+long+"\n: {A: x}\ncondition: s"); len(found) != 1 || len(found[0].hint) > 100 {
		t.Errorf("findings %.300v, want one with a short hint", found)
	}

	bad := "s: {'F|cidr': [" + strings.TrimSuffix(strings.Repeat("x, ", 500), ", ") + "]}\ncondition: s"
	if _, found := readDetection(t, bad); len(found) != maxReports {
		t.Errorf("%d findings, want %d", len(found), maxReports)
	}
	heavy := "s: {'F|re': [" + strings.TrimSuffix(strings.Repeat("'a{1000}', ", 500), ", ") + "]}\ncondition: s"
	checkRefused(t, heavy, "", "several rules")
	checkRefused(t, "s: {A: x}\ncondition: "+strings.Repeat("s or ", 4000)+"s", "2:12: a condition of 20001 bytes, at most 16384 are taken", "")
}
