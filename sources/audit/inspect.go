// SPDX-License-Identifier: Apache-2.0

// This file says what a look at the audit system tells: the rules in force with what
// they see, and findings. It is done in inspect_linux.go and inforce_linux.go; nothing
// there changes anything.

package audit

// InForce are the audit rules that the kernel has.
type InForce struct {
	Rules []ForceRule // in the kernel's order
	Sees  Sees
}

// ForceRule is a rule that the kernel has.
type ForceRule struct {
	Text string // as auditctl(8) takes it
	Ours bool   // it carries our key and no other
	wire []byte
}

// Finding is something about the audit system that a person should know.
type Finding struct {
	What string // what is, in a sentence
	Next string // what to do about it
}

// InspectOptions say what a host is looked at for.
type InspectOptions struct {
	UndoPath   string
	LeaveRules bool // the rules in force are to be used
}

// Inspection is what a look at the audit system tells.
type Inspection struct {
	// Facts are sentences on how the audit system is: whoever reads them needs no advice.
	Facts    []string
	Findings []Finding
	// Denied says why the kernel was not asked; nil if it was.
	Denied error
}
