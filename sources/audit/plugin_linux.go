// SPDX-License-Identifier: Apache-2.0

// This file takes the records that auditd hands to a plugin: on standard input, which
// auditd (audit 3, /etc/audit/plugins.d) or audispd (audit 2, /etc/audisp/plugins.d)
// connects to itself.

package audit

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// OpenPlugin returns the way in over f, the standard input of a plugin. Text and
// binary form are told apart by the first byte. It ends when auditd closes its end.
// The feed has a descriptor of its own; f stays the caller's.
func OpenPlugin(f *os.File) (*Feed, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("take the records of auditd: %w", err)
	}
	if info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return nil, errors.New("take the records of auditd: standard input is neither a pipe nor a socket: auditd starts a plugin (docs/sources.md has its configuration)")
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("take the records of auditd: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(fmt.Errorf("take the records of auditd: %w", err), unix.Close(fd))
	}
	return &Feed{Way: WayPlugin, Name: "auditd", from: &pluginFeed{fd: fd}}, nil
}

// pluginFeed reads a stream of records.
type pluginFeed struct {
	fd     int
	frames framer
}

func (p *pluginFeed) waitFD() int { return p.fd }

func (p *pluginFeed) close() error { return unix.Close(p.fd) }

func (p *pluginFeed) read(use func(message)) (more bool, err error) {
	room := p.frames.space()
	n, err := unix.Read(p.fd, room)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read what auditd hands on: %w", err)
	case n == 0:
		return false, io.EOF
	}
	p.frames.filled(n)
	for {
		m, ok, err := p.frames.next()
		if err != nil {
			return false, fmt.Errorf("read what auditd hands on: %w", err)
		}
		if !ok {
			return n == len(room), nil
		}
		use(m)
	}
}
