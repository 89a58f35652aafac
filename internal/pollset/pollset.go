// SPDX-License-Identifier: Apache-2.0

// Package pollset waits for descriptors through the Go runtime, on Linux, and makes that
// cheap. A thread that blocks in ppoll(2) by itself keeps its place in the scheduler until
// the runtime's monitor takes it away, and the monitor then looks every 20 µs for a while:
// at 40 waits a second that was a fifth of the recorder's processor time. A goroutine that
// the runtime parks costs none of it.
//
// For the same reason the time is measured by the kernel, not by the runtime: for each
// timer of its own the runtime wakes two threads, the one that waits and its monitor. And
// calls that never wait are made without telling the runtime, which would wake its monitor
// to see that they end. With all three a wake-up of a reader is a wake-up of one thread.
package pollset
