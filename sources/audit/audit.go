// SPDX-License-Identifier: Apache-2.0

// Package audit makes events of Linux audit records.
//
// The first half is portable and reads logs: a [Stream] takes their records, a
// [Reassembler] puts those of one serial together into a [Group], and a [Decoder] makes
// an event of it. The other half is Linux's own: [OpenKernel] takes the records that the
// kernel gives out, by one of several ways (ways_linux.go; [FollowLog] and [OpenPlugin]
// are those over auditd), and has rules loaded for what is wanted of it. Which rules
// those are is worked out by a pure function ([PlanHost] asks it for this host). What
// was changed in the kernel stands in an undo file first, and [Undo] puts it back,
// whoever had changed it. [Inspect] only looks.
//
// Records are written by programs as well as by the kernel: all that is kept of them is
// bounded, and what can not be read is counted as malformed. A Kernel belongs to one
// goroutine, which calls Read; what other goroutines may call says so. Batches and what
// is in them are the caller's.
package audit
