// SPDX-License-Identifier: Apache-2.0

// This file finds the ends of connections that the records do not have: a
// connect shows no source, an accept no destination, a bind to port 0 no port.

package audit

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
	"seismo/internal/sockdiag"
)

const (
	// endsWait is how long an event waits for its ends.
	endsWait = 50 * time.Millisecond
	// maxQuestions bounds the sockets that are asked for at once.
	maxQuestions = 256
	// endsShare is the part of the time that asking may take: the kernel walks
	// over all sockets of the host for each answer.
	endsShare = 20
)

// socketEnds are the answer. Invalid ends are not known.
type socketEnds struct{ local, remote netip.AddrPort }

// endsFinder asks the kernel for the ends of sockets, in a goroutine of its own; a
// nil one asks nobody. The other methods are called by the reader. An event whose question comes too
// late or too often stays as the record has it.
type endsFinder struct {
	pending []pendingEnds
	ask     chan []socketQuestion
	answers chan []socketEnds
	busy    bool // an answer is still due
	stopped chan struct{}
	wait    time.Duration // endsWait
	share   time.Duration // endsShare
}

// pendingEnds is an event that waits.
type pendingEnds struct {
	e *event.Event
	q SocketQuestion
}

// socketQuestion is a question with the inode of the socket that it is about.
type socketQuestion struct {
	SocketQuestion
	inode uint32
}

// newEndsFinder returns a finder, nil where the kernel does not answer.
func newEndsFinder() *endsFinder { return newEndsFinderOf(endsWait, endsShare) }

func newEndsFinderOf(wait, share time.Duration) *endsFinder {
	diag, err := openSockDiag()
	if err != nil {
		return nil
	}
	f := &endsFinder{wait: wait, share: share, ask: make(chan []socketQuestion, 1), answers: make(chan []socketEnds, 1), stopped: make(chan struct{})}
	go f.run(diag)
	return f
}

// close ends the goroutine and waits for it: at most as long as an answer takes.
// Later events keep the ends that they have.
func (f *endsFinder) close() {
	if f == nil || f.ask == nil {
		return
	}
	close(f.ask)
	<-f.stopped
	f.ask = nil
}

// hook fills in what the decoder asks.
func (f *endsFinder) hook(o *DecodeOptions) {
	if f == nil {
		return
	}
	o.AskEnds = func(e *event.Event, q SocketQuestion) {
		if len(f.pending) < maxQuestions {
			f.pending = append(f.pending, pendingEnds{e, q})
		}
	}
}

// settle has the questions of the batch at hand answered, and waits for that up
// to endsWait. Afterwards nothing refers to the batch.
func (f *endsFinder) settle() {
	if f == nil {
		return
	}
	if f.busy {
		select {
		case <-f.answers: // of questions that were given up
			f.busy = false
		default:
		}
	}
	if questions := f.questions(); len(questions) > 0 {
		f.ask <- questions
		timer := time.NewTimer(f.wait)
		select {
		case answers := <-f.answers:
			for i := range answers {
				f.take(&f.pending[i], answers[i])
			}
		case <-timer.C:
			f.busy = true
		}
		timer.Stop()
	}
	clear(f.pending)
	f.pending = f.pending[:0]
}

// questions returns those that can be asked now, and leaves what they are of pending:
// many a descriptor is closed by now.
func (f *endsFinder) questions() (open []socketQuestion) {
	if f.busy || f.ask == nil {
		return nil
	}
	kept := f.pending[:0]
	for _, p := range f.pending {
		if inode := socketInode(p.q.PID, p.q.FD); inode != 0 {
			kept = append(kept, p)
			open = append(open, socketQuestion{p.q, inode})
		}
	}
	clear(f.pending[len(kept):])
	f.pending = kept
	return open
}

// take sets what an answer says of an event, unless its place in the batch was
// given to another.
func (f *endsFinder) take(p *pendingEnds, a socketEnds) {
	e := p.e
	if e.Kind != event.KindNetwork || e.Serial != p.q.Serial || e.Op != p.q.Op || !a.local.IsValid() {
		return
	}
	if p.q.Op == event.OpListen {
		e.SetAddr(event.NetworkAddress, a.local.Addr())
		e.SetInt(event.NetworkPort, int64(a.local.Port()))
		return
	}
	source, destination := a.local, a.remote
	if p.q.Op == event.OpAccept {
		source, destination = a.remote, a.local
	}
	e.SetAddr(event.NetworkAddress, a.remote.Addr())
	e.SetInt(event.NetworkPort, int64(a.remote.Port()))
	e.SetAddr(event.NetworkSourceAddress, source.Addr())
	e.SetInt(event.NetworkSourcePort, int64(source.Port()))
	e.SetAddr(event.NetworkDestinationAddress, destination.Addr())
	e.SetInt(event.NetworkDestinationPort, int64(destination.Port()))
	e.SetString(event.NetworkEndsKnown, "both")
}

// run answers questions until it is closed.
func (f *endsFinder) run(diag *sockDiag) {
	defer close(f.stopped)
	defer diag.close()
	var free time.Time // until then it has had its share
	for questions := range f.ask {
		began := time.Now()
		answers := make([]socketEnds, len(questions))
		if !began.Before(free) {
			answerEnds(diag, questions, answers, began.Add(f.wait))
			took := time.Since(began)
			free = began.Add(took * f.share)
		}
		f.answers <- answers
	}
}

// waiting is a question on its way: for the socket with an inode.
type waiting struct {
	q *socketQuestion
	a *socketEnds
}

// may reports whether the socket can be one of a protocol and family.
func (w *waiting) may(protocol string, family uint8) bool {
	r := w.q.Remote
	return !w.a.local.IsValid() && (w.q.Protocol == "" || w.q.Protocol == protocol) &&
		(!r.IsValid() || r.Addr().Is4() == (family == unix.AF_INET))
}

// answerEnds answers questions. A socket is told by its inode, which /proc says
// of the descriptor, and must have the remote end that the record has: a
// descriptor can be another socket by now.
func answerEnds(diag *sockDiag, questions []socketQuestion, answers []socketEnds, end time.Time) {
	var open, listening []waiting
	for i := range questions {
		w := waiting{&questions[i], &answers[i]}
		if w.q.Op == event.OpListen {
			listening = append(listening, w)
		} else {
			open = append(open, w)
		}
	}
	answerOf(diag, "tcp", stateAllButListen, open, end)
	answerOf(diag, "udp", sockdiag.AllStates, open, end)
	answerOf(diag, "tcp", stateListen, listening, end)
	answerOf(diag, "udp", sockdiag.AllStates, listening, end)
}

// answerOf answers those of ws that may be of a protocol.
func answerOf(diag *sockDiag, protocol string, states uint32, ws []waiting, end time.Time) {
	q := diagQuery{protocol: unix.IPPROTO_TCP, states: states}
	if protocol == "udp" {
		q.protocol = unix.IPPROTO_UDP
	}
	for _, q.family = range [2]uint8{unix.AF_INET, unix.AF_INET6} {
		var of []waiting
		all := false
		q.remotePorts = q.remotePorts[:0]
		for _, w := range ws {
			if w.may(protocol, q.family) {
				of = append(of, w)
				all = all || !w.q.Remote.IsValid()
				q.remotePorts = append(q.remotePorts, w.q.Remote.Port())
			}
		}
		if len(of) == 0 {
			continue
		}
		if all {
			q.remotePorts = nil
		}
		slices.Sort(q.remotePorts)
		q.remotePorts = slices.Compact(q.remotePorts)
		_ = diag.each(q, end, func(s sockdiag.Socket) { // what was found before an error is answered
			for _, w := range of {
				if w.q.inode == s.Inode && !w.a.local.IsValid() && sameRemote(w.q.Remote, s.Remote) {
					*w.a = socketEnds{s.Local, s.Remote}
				}
			}
		})
	}
}

// sameRemote reports whether a socket's remote end is the one that was said: the
// unspecified address means this host.
func sameRemote(said, is netip.AddrPort) bool {
	if !said.IsValid() {
		return true
	}
	return said.Port() == is.Port() && (said.Addr().Unmap() == is.Addr().Unmap() || said.Addr().Unmap().IsUnspecified())
}

// socketInode returns the inode of the socket that a descriptor is, 0 if it is
// none or gone.
func socketInode(pid, fd int32) uint32 {
	path, err := unix.BytePtrFromString(descriptorLink(pid, fd))
	if err != nil {
		return 0
	}
	var link [64]byte
	// It does not wait, so the runtime need not know of it (internal/pollset). The
	// folder does not matter: the path is absolute.
	n, _, errno := unix.RawSyscall6(unix.SYS_READLINKAT, 0, uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&link[0])), uintptr(len(link)), 0, 0)
	if errno != 0 {
		return 0
	}
	text, ok := strings.CutPrefix(string(link[:n]), "socket:[")
	if !ok {
		return 0
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(inode)
}
