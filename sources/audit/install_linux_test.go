// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"

	libaudit "github.com/elastic/go-libaudit/v2"
)

// answering is a control socket whose kernel answers a request for rules by none,
// if it answers at all.
type answering struct {
	late    bool          // the rules come when nobody waits any more
	refusal syscall.Errno // in place of them
	closed  bool
	waiting []syscall.NetlinkMessage
}

func (a *answering) Send(m syscall.NetlinkMessage) (uint32, error) {
	reply := func(typ uint16, data []byte) {
		a.waiting = append(a.waiting, syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: typ, Seq: 1}, Data: data})
	}
	reply(syscall.NLMSG_ERROR, binary.NativeEndian.AppendUint32(nil, uint32(-int32(a.refusal))))
	if !a.late {
		reply(syscall.NLMSG_DONE, nil)
	}
	return 1, nil
}

func (a *answering) Receive(bool, libaudit.NetlinkParser) ([]syscall.NetlinkMessage, error) {
	if len(a.waiting) == 0 {
		return nil, errors.New("no reply received")
	}
	m := a.waiting[:1]
	a.waiting = a.waiting[1:]
	return m, nil
}

func (a *answering) SendNoWait(m syscall.NetlinkMessage) (uint32, error) { return a.Send(m) }

func (a *answering) Close() error { a.closed = true; return nil }

// A list of rules that comes too late is asked for again over another socket; a
// refusal is believed.
func TestRulesAreAskedForAgain(t *testing.T) {
	const never = 1000
	tests := []struct {
		name    string
		late    int // sockets that answer late
		refusal syscall.Errno
		sockets int // that are used
		ok      bool
	}{
		{"at once", 0, 0, 1, true},
		{"late twice", 2, 0, 3, true},
		{"never", never, 0, asksForRules, false},
		{"refused", 0, syscall.EPERM, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sockets []*answering
			open := func() (*libaudit.AuditClient, error) {
				s := &answering{late: len(sockets) < tt.late, refusal: tt.refusal}
				sockets = append(sockets, s)
				return &libaudit.AuditClient{Netlink: s}, nil
			}
			client, _ := open()
			k := &kernelControl{client: client, open: open}
			_, err := k.Rules()
			if (err == nil) != tt.ok || len(sockets) != tt.sockets {
				t.Errorf("Rules: %v after %d sockets; want success %v after %d", err, len(sockets), tt.ok, tt.sockets)
			}
			if tt.refusal != 0 && !errors.Is(err, ErrPrivilege) {
				t.Errorf("Rules: %v; want ErrPrivilege", err)
			}
			for _, s := range sockets[:len(sockets)-1] {
				if !s.closed {
					t.Error("a socket that was given up is open")
				}
			}
		})
	}
}
