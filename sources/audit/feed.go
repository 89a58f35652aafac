// SPDX-License-Identifier: Apache-2.0

// This file says what the live source asks of a way that records come by: the
// kernel's sockets, the stream that auditd hands to a plugin, a log that is
// followed.

package audit

// Way says by which way records come.
type Way string

// The ways. The zero value stands for WayAuto.
const (
	WayAuto      Way = "auto"      // multicast where others have auditing on, else unicast
	WayUnicast   Way = "unicast"   // the audit role: the kernel sends its records to us
	WayMulticast Way = "multicast" // beside whoever has the role
	WayPlugin    Way = "plugin"    // auditd hands them on
	WayLog       Way = "log"       // the log that auditd writes is followed
)

// Feed is a way in that is opened outside of [OpenKernel] and handed to it, which
// owns it from then on: the stream of a plugin, or a log that is followed.
type Feed struct {
	Way  Way    // WayPlugin or WayLog
	Name string // for messages: the path of the log
	from feed
}

// message is one record as it came: the payload of a netlink message or, if line is
// set, a line of text that begins with its type. data is valid until the next read.
type message struct {
	typ  uint16
	data []byte
	cut  bool // it was longer than a message may be
	line bool
}

// feed is one way that records come by. All methods are called by one goroutine
// at a time.
type feed interface {
	// waitFD is a descriptor that is readable when something has come, or -1: then
	// the feed is asked now and then.
	waitFD() int
	// read hands what is there to use, without waiting; a message is valid until the
	// next read. more says that there may be others at once. The error is ENOBUFS
	// where messages were dropped, io.EOF where no more will ever come.
	read(use func(message)) (more bool, err error)
	close() error
}
