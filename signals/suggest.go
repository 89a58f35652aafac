// SPDX-License-Identifier: Apache-2.0

// This file finds the word that an author may have meant.

package signals

import "strings"

// didYouMean returns the part of a message that names a suggestion; empty
// without one.
func didYouMean(s string) string {
	if s == "" {
		return ""
	}
	return " (did you mean " + quote(s) + "?)"
}

// Nearest returns the candidate that an author who wrote word may have meant, the
// first of several; empty if none is like it. Candidates are in lower case.
func Nearest(word string, candidates []string) string { return nearest(word, candidates) }

// nearest returns the candidate that is most like word, the first of several;
// empty if none is like it. A third of the word may be wrong.
func nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, bound := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := editDistance(word, c, bound); d < bound {
			best, bound = c, d
		}
	}
	return best
}

// maxSuggest is the number of bytes beyond which a word is like no other.
const maxSuggest = 64

// editDistance returns the number of bytes to insert, remove, change or swap
// with their neighbour to make b of a, or bound if it is bound or more
// (the optimal string alignment distance).
func editDistance(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound || len(a) > maxSuggest || len(b) > maxSuggest {
		return bound
	}
	var before, last, row [maxSuggest + 1]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return min(last[len(b)], bound)
}

// conditionSuggestion returns the condition that a word of another language, or
// a misspelt one, stands for.
func conditionSuggestion(word string) string {
	switch word {
	case "equals", "equal", "eq":
		return "is"
	case "startswith", "beginswith", "begin", "start":
		return "begins with"
	case "endswith", "end":
		return "ends with"
	case "has", "includes":
		return "contains"
	case "cidr":
		return "in cidr"
	case "matches", "match", "regexp", "re", "rlike":
		return "regex"
	case "like", "wildcard", "fnmatch":
		return "glob"
	case "list", "lookup":
		return "in list"
	case "lt":
		return "<"
	case "gt":
		return ">"
	}
	return nearest(word, []string{"is", "contains", "begins with", "starts with", "ends with", "exists", "in cidr", "in list", "glob", "path glob", "regex"})
}
