// SPDX-License-Identifier: Apache-2.0

// This file shows what is collected: the latest row of what the recorder noted.

package main

import (
	"strings"

	"seismo/internal/display"
	"seismo/recorder/monitordb"
)

// showCollection writes what is collected in one line, and what is not in one each.
func showCollection(line func(name, format string, args ...any), c monitordb.Collection) {
	if c.Start == 0 {
		return
	}
	line("collected", "since %s (%s) by %s: %s; %s, %s, %s", moment(c.Start), display.Text(c.Reason), display.Text(c.Source),
		display.Text(strings.Join(c.Kinds, " ")), count(len(c.Paths), "folder"), count(len(c.Calls), "system call"), count(len(c.Rules), "audit rule"))
	for _, u := range c.Unmet {
		line("not collected", "%s", display.Text(u))
	}
}

// collectionJSON adds the same to a JSON object.
func collectionJSON(out map[string]any, c monitordb.Collection) {
	if c.Start == 0 {
		return
	}
	list := func(l []string) []string { return append([]string{}, l...) }
	out["collection"] = map[string]any{"since": moment(c.Start), "reason": c.Reason, "source": c.Source, "kinds": list(c.Kinds),
		"paths": list(c.Paths), "calls": list(c.Calls), "own_names": list(c.Own), "rules": list(c.Rules), "unmet": list(c.Unmet)}
}
