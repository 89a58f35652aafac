// SPDX-License-Identifier: Apache-2.0

// This file says how the source is opened, and makes events of exchanges.

package dns

import (
	"errors"
	"fmt"
	"time"

	"seismo/internal/event"
)

// Errors of [Open].
var (
	// ErrPrivilege: a capability is missing.
	ErrPrivilege = errors.New("missing privilege")
	// ErrUnsupported: this system has no packet sockets.
	ErrUnsupported = errors.New("not supported")
)

// Options say how name queries are taken. The zero value is what a recorder uses.
type Options struct {
	// Gather is how long a batch waits for more events after the first, so that a busy
	// host makes few batches; 0: 200 ms.
	Gather time.Duration
}

const defaultGather = 200 * time.Millisecond

// maxDone bounds the events that wait to be read, maxBytes what they hold. Beyond it
// they are dropped and counted.
const maxDone = 10_000

// fill adds the event of e to b.
func (e *exchange) fill(b *event.Batch, scratch []byte) []byte {
	v := b.Add(event.KindDNS, event.OpQuery)
	v.Time, v.PID = e.time, e.pid
	if e.cut {
		v.Flags |= event.Truncated
	}
	if e.early || len(e.name) == 0 {
		v.Flags |= event.Incomplete
	}
	if len(e.name) > 0 {
		v.SetText(event.DNSQuery, e.name)
		scratch = appendType(scratch[:0], e.class, e.typ)
		v.SetText(event.DNSType, scratch)
	}
	if e.what != unanswered {
		v.SetString(event.DNSStatus, statusName(e.rcode))
	}
	if len(e.response) > 0 {
		v.SetText(event.DNSResponse, e.response)
	}
	v.SetAddr(event.DNSServerAddress, e.server.Addr())
	v.SetAddr(event.DNSClientAddress, e.client.Addr())
	v.SetInt(event.DNSClientPort, int64(e.client.Port()))
	v.SetString(event.DNSProtocol, protocolName(e.proto))
	v.SetString(event.DNSTransaction, e.what)
	how := e.how
	if how == "" {
		how = unknown
	}
	v.SetString(event.DNSAttribution, how)
	return scratch
}

func protocolName(proto uint8) string {
	if proto == protoTCP {
		return "tcp"
	}
	return "udp"
}

// tally counts one cause of loss until it is told.
type tally struct {
	loss event.Loss
}

// losses are the causes, each told at most once a second.
type losses struct {
	dropped, malformed, evicted, shed, flooded, unread tally
	told                                               time.Duration
	any                                                bool
}

// add counts n at Unix time when. The first detail of the time is kept.
func (l *losses) add(t *tally, n uint64, reason, unit string, from, to int64, detail func() string) {
	if n == 0 {
		return
	}
	l.any = true
	if t.loss.Count == 0 {
		t.loss = event.Loss{From: from, To: to, Reason: reason, Kind: event.KindDNS, Unit: unit, Detail: detail()}
	}
	t.loss.Count += n
	t.loss.From, t.loss.To = min(t.loss.From, from), max(t.loss.To, to)
}

// tell moves what was counted to b.
func (l *losses) tell(b *event.Batch) {
	for _, t := range []*tally{&l.dropped, &l.malformed, &l.evicted, &l.shed, &l.flooded, &l.unread} {
		if t.loss.Count > 0 {
			b.Losses = append(b.Losses, t.loss)
			*t = tally{}
		}
	}
	l.any = false
}

// badMessage says of what came over port 53 that it is no message.
func badMessage(p *packet, err error) string {
	return fmt.Sprintf("%s on port 53 that is no DNS message, the first from %s to %s: %v", protocolName(p.proto), p.src, p.dst, err)
}
