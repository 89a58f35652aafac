// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"testing"

	"seismo/internal/config"
	"seismo/recorder/monitordb"
)

// A database that is named with --db has the recorder of its folder; a copy has none.
func TestLockOf(t *testing.T) {
	home := config.Paths{Database: filepath.Join("state", "monitor.db"), Lock: filepath.Join("run", "seismo.lock")}
	for _, tt := range []struct{ name, path, want string }{
		{"the database of the home folder", filepath.Join("state", "monitor.db"), home.Lock},
		{"the same, spelt otherwise", filepath.Join("state") + "/./monitor.db", home.Lock},
		{"that of another folder", filepath.Join("var", "monitor.db"), filepath.Join("var", "seismo.lock")},
		{"that of the folder here", "monitor.db", "seismo.lock"},
		{"a copy", filepath.Join("var", "copy.db"), ""},
	} {
		if got := lockOf(tt.path, home); got != tt.want {
			t.Errorf("%s: lockOf(%q) = %q; want %q", tt.name, tt.path, got, tt.want)
		}
	}
}

// The latest loss is said with how much it was, where that is known.
func TestLatestLoss(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    monitordb.Status
		want string
	}{
		{"all", monitordb.Status{LatestLoss: "shed", LatestLossCount: 3, LatestLossUnit: "events", LatestLossDetail: "why"}, "shed, 3 events: why"},
		{"not known how many", monitordb.Status{LatestLoss: "oversize", LatestLossUnit: "events"}, "oversize"},
	} {
		if got := latestLoss(tt.s); got != tt.want {
			t.Errorf("%s: latestLoss = %q; want %q", tt.name, got, tt.want)
		}
	}
}
