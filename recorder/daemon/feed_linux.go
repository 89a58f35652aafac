// SPDX-License-Identifier: Apache-2.0

// This file opens the ways that records come by which are not the kernel's own.

package daemon

import (
	"os"

	"seismo/internal/event"
	"seismo/sources/audit"
)

// followLog follows the log of auditd, from where the recording before this one ended
// if that was in this boot.
func followLog(path string, last event.Position) (*audit.Feed, error) {
	var o audit.FollowOptions
	if last.Serial != 0 && last.Boot == thisHost().boot {
		o.Since, o.Serial = last.Time, uint32(last.Serial)
	}
	return audit.FollowLog(path, o)
}

// openPlugin takes what auditd hands to standard input.
func openPlugin() (*audit.Feed, error) { return audit.OpenPlugin(os.Stdin) }
