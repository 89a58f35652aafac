// SPDX-License-Identifier: Apache-2.0

// This file is the socket to the kernel's audit system (netlink(7), kernel/audit.c):
// the product's own is what is tried, so it is not used here.

package livelock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// control is a socket that the kernel is asked over.
type control struct {
	fd  int
	seq uint32
	buf []byte
}

// answerLimit is how long the kernel may take: a thread of its own answers, which a
// busy machine runs late. In seconds.
const answerLimit = 10

func dial() (*control, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		return nil, fmt.Errorf("open an audit socket: %w", err)
	}
	c := &control{fd: fd, buf: make([]byte, 64<<10)}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerLimit})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set up an audit socket: %w", err)
	}
	return c, nil
}

func (c *control) close() { unix.Close(c.fd) }

// ask sends a request and gives its answers to use, which does not keep them, until that says that there are no
// more, or the kernel acknowledges or refuses.
func (c *control) ask(typ, flags uint16, data []byte, use func(typ uint16, body []byte) (done bool)) error {
	c.seq++
	ne := binary.NativeEndian
	m := ne.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(data)))
	m = ne.AppendUint16(m, typ)
	m = ne.AppendUint16(m, unix.NLM_F_REQUEST|flags)
	m = ne.AppendUint32(m, c.seq)
	m = ne.AppendUint32(m, 0)
	if err := unix.Sendto(c.fd, append(m, data...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for {
		n, from, err := unix.Recvfrom(c.fd, c.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
			continue // not of the kernel
		}
		messages, err := syscall.ParseNetlinkMessage(c.buf[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch {
			case m.Header.Seq != c.seq:
			case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
				if e := int32(ne.Uint32(m.Data)); e != 0 {
					return unix.Errno(-e)
				}
				return nil
			case use != nil && use(m.Header.Type, m.Data):
				return nil
			}
		}
	}
}

// change sends a request that the kernel acknowledges.
func (c *control) change(typ uint16, data []byte) error {
	return c.ask(typ, unix.NLM_F_ACK, data, nil)
}

// Words of struct audit_status, and their bits in its first one.
const (
	wordEnabled, bitEnabled = 1, unix.AUDIT_STATUS_ENABLED
	wordFailure, bitFailure = 2, unix.AUDIT_STATUS_FAILURE
	wordPID, bitPID         = 3, unix.AUDIT_STATUS_PID
	wordRate, bitRate       = 4, unix.AUDIT_STATUS_RATE_LIMIT
	wordBacklog, bitBacklog = 5, unix.AUDIT_STATUS_BACKLOG_LIMIT
	wordLost                = 6
	wordWait, bitWait       = 9, unix.AUDIT_STATUS_BACKLOG_WAIT_TIME
	statusWords             = 11
)

func (c *control) state() (s State, err error) {
	err = c.ask(unix.AUDIT_GET, 0, nil, func(typ uint16, body []byte) bool {
		if typ != unix.AUDIT_GET || len(body) < 4*(wordWait+1) {
			return false
		}
		word := func(n int) uint32 { return binary.NativeEndian.Uint32(body[4*n:]) }
		s = State{Enabled: word(wordEnabled), Failure: word(wordFailure), PID: word(wordPID), Rate: word(wordRate),
			Backlog: word(wordBacklog), Wait: word(wordWait), Lost: word(wordLost)}
		return true
	})
	if err != nil {
		return s, fmt.Errorf("read the audit status: %w", err)
	}
	err = c.ask(unix.AUDIT_LIST_RULES, 0, nil, func(typ uint16, body []byte) bool {
		if typ == unix.AUDIT_LIST_RULES {
			s.Rules = append(s.Rules, slices.Clone(body)) // the buffer is used again
		}
		return typ == unix.NLMSG_DONE
	})
	if err != nil {
		return s, fmt.Errorf("list the audit rules: %w", err)
	}
	return s, nil
}

// set sets one word of the audit status.
func (c *control) set(word int, bit, value uint32) error {
	status := make([]byte, 4*statusWords)
	binary.NativeEndian.PutUint32(status, bit)
	binary.NativeEndian.PutUint32(status[4*word:], value)
	return c.change(unix.AUDIT_SET, status)
}
