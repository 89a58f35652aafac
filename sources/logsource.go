// SPDX-License-Identifier: Apache-2.0

// This file reads logs as they are given on a command line.

package sources

import (
	"fmt"
	"slices"
	"strings"

	"seismo/internal/event"
)

// LogsourceUsage is the help text of a flag whose values [ParseLogsource] takes.
const LogsourceUsage = "logs that records belong to which name none themselves (format json): product=WORD,category=WORD,service=WORD, " +
	"each of them or some; several words are joined by '+', and the flag may be repeated"

// ParseLogsource reads logs in the words of Sigma, as the values of a flag give them:
//
//	product=windows,category=registry_event+registry_set,service=sysmon
//
// What several values say is joined. No value gives nil.
func ParseLogsource(values []string) (*event.Logsource, error) {
	var ls event.Logsource
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			key, words, ok := strings.Cut(strings.TrimSpace(part), "=")
			var list *[]string
			switch strings.TrimSpace(key) {
			case "product":
				list = &ls.Products
			case "category":
				list = &ls.Categories
			case "service":
				list = &ls.Services
			}
			if !ok || list == nil {
				return nil, fmt.Errorf("logsource %q: %q is none of product=WORD, category=WORD and service=WORD", v, part)
			}
			for word := range strings.SplitSeq(words, "+") {
				if word = strings.TrimSpace(word); word == "" {
					return nil, fmt.Errorf("logsource %q: %q has an empty word", v, part)
				}
				if !slices.Contains(*list, word) {
					*list = append(*list, word)
				}
			}
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	return &ls, nil
}
