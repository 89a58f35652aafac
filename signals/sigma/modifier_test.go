// SPDX-License-Identifier: Apache-2.0

// This file holds which pairs of modifiers are legal, and tries every one that is.

package sigma

import (
	"slices"
	"strings"
	"testing"
)

// legalPairs has for each modifier those that may stand behind it. Pairs with all, neq
// and cased, which stand anywhere, are listed in both orders.
const legalPairs = `
all: neq cased expand windash utf16le utf16be utf16 wide base64 base64offset contains startswith endswith re cidr fieldref lt lte gt gte minute hour day week month year
neq: all cased expand windash utf16le utf16be utf16 wide base64 base64offset contains startswith endswith re cidr fieldref minute hour day week month year
cased: all neq expand windash utf16le utf16be utf16 wide base64 base64offset contains startswith endswith re fieldref
expand: all neq cased windash utf16le utf16be utf16 wide base64 base64offset contains startswith endswith re cidr
windash: all neq cased expand utf16le utf16be utf16 wide base64 base64offset contains startswith endswith
utf16le: all neq cased base64 base64offset contains startswith endswith
utf16be: all neq cased base64 base64offset contains startswith endswith
utf16: all neq cased base64 base64offset contains startswith endswith
wide: all neq cased base64 base64offset contains startswith endswith
base64: all neq cased utf16le utf16be utf16 wide base64 base64offset contains startswith endswith
base64offset: all neq cased utf16le utf16be wide contains startswith endswith
contains: all neq cased expand windash
startswith: all neq cased expand windash
endswith: all neq cased expand windash
re: all neq cased expand contains startswith endswith i m s
i:
m:
s:
cidr: all neq expand
exists:
fieldref: all neq cased contains startswith endswith
lt: all
lte: all
gt: all
gte: all
minute: all neq lt lte gt gte
hour: all neq lt lte gt gte
day: all neq lt lte gt gte
week: all neq lt lte gt gte
month: all neq lt lte gt gte
year: all neq lt lte gt gte
`

func TestLegalPairs(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(legalPairs)) {
		first, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		want := strings.Fields(rest)
		for _, second := range modifierNames {
			_, c, bad := splitKey("F|" + first + "|" + second)
			if got := bad == nil; got != slices.Contains(want, second) {
				t.Errorf("%s|%s is legal: %v, %+v; want %v", first, second, got, bad, !got)
			}
			if bad == nil && len(c.mods) != 2 {
				t.Errorf("%s|%s: %d modifiers", first, second, len(c.mods))
			}
			if bad != nil && (bad.message == "" || bad.off < 2) {
				t.Errorf("%s|%s: refused without a reason or a place: %+v", first, second, bad)
			}
		}
	}
}

// sampleOf follows a chain of modifiers of plain texts by hand: it returns the value of
// a rule, an event's value that must match, and one that must not.
func sampleOf(mods []string) (value, yes, no string) {
	value, yes = "-Zq1", "-Zq1"
	if slices.Contains(mods, "expand") {
		value, yes = "-Zq1%one%", "-Zq1alpha"
	}
	for _, m := range mods {
		switch m {
		case "windash":
			yes = "―" + yes[1:]
		case "utf16le", "wide":
			yes = wide(yes)
		case "utf16be":
			b := []byte(wide(yes))
			for i := 0; i < len(b); i += 2 {
				b[i], b[i+1] = b[i+1], b[i]
			}
			yes = string(b)
		case "utf16":
			yes = "\xff\xfe" + wide(yes)
		case "base64":
			yes = b64(yes)
		case "base64offset":
			yes = strings.TrimRight(b64(yes), "=")
			if len(yes)%4 != 0 {
				yes = yes[:len(yes)-1] // it has bits of what would follow
			}
		}
	}
	no = "y" + yes[1:] + "y"
	switch {
	case slices.Contains(mods, "contains"):
		yes, no = "x"+yes+"x", yes[1:]
	case slices.Contains(mods, "startswith"):
		yes, no = yes+"x", "x"+yes
	case slices.Contains(mods, "endswith"):
		yes, no = "x"+yes, yes+"x"
	case slices.Contains(mods, "cased"):
		no = swapCase(yes)
	}
	if slices.Contains(mods, "neq") {
		yes, no = no, yes
	}
	return value, yes, no
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// Every legal pair is tried: those of plain texts by a sample made by hand, those of
// other values by a case of typedChains.
func TestEveryLegalPair(t *testing.T) {
	typed := []string{"re", "i", "m", "s", "cidr", "exists", "fieldref", "lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"}
	anywhere := []string{"all", "neq"}
	pairs := 0
	for line := range strings.Lines(strings.TrimSpace(legalPairs)) {
		first, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, second := range strings.Fields(rest) {
			pairs++
			mods := []string{first, second}
			if slices.Contains(typed, first) || slices.Contains(typed, second) {
				// The parts of a date differ in nothing but the part, so do the orders.
				date := slices.Contains(typed[11:], first) || slices.Contains(typed[11:], second)
				if !date && !slices.ContainsFunc(typedChains, func(c chainCase) bool {
					return strings.HasPrefix(c.item, "F|"+first+"|"+second+":") ||
						(slices.Contains(anywhere, first) || first == "cased") && strings.HasPrefix(c.item, "F|"+second+"|"+first+":") ||
						slices.Contains(anywhere, second) && strings.HasPrefix(c.item, "F|"+second+"|"+first+":")
				}) {
					t.Errorf("no case for %s|%s", first, second)
				}
				continue
			}
			value, yes, no := sampleOf(mods)
			e := mustRead(t, "s:\n  F|"+first+"|"+second+": '"+value+"'\ncondition: s\n")
			meets := newJudge(e)
			if !meets(fields{"F": {yes}}) || meets(fields{"F": {no}}) {
				t.Errorf("%s|%s: '%s': on %q %v, on %q %v; want true, false", first, second, value,
					yes, meets(fields{"F": {yes}}), no, meets(fields{"F": {no}}))
			}
		}
	}
	t.Logf("%d legal pairs", pairs)
}
