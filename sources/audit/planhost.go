// SPDX-License-Identifier: Apache-2.0

// This file says what a plan for this host is made of. Which folders are there is looked
// up in planhost_linux.go; other systems have no rules (planhost_other.go).

package audit

// HostOptions say what rules are planned for on this host.
type HostOptions struct {
	Monitor Monitor
	// Roots are the folders whose files are watched; nil stands for [DefaultRoots].
	// Those that do not exist are left out.
	Roots []string
	// Exclude are folders in which changes are not recorded: the recorder's own.
	Exclude []string
	// Paths are paths of files, or beginnings of them, that signals name.
	Paths []Wanted
	// Calls and Records are those of [RuleOptions].
	Calls, Records []Wanted
}
