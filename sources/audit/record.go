// SPDX-License-Identifier: Apache-2.0

// This file finds the head and the body of one audit record. The fields inside
// a body are in fields.go, their values in string.go and sockaddr.go; records
// become events in reassemble.go.

package audit

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error about bytes that are no audit record,
// or no value of the form asked for.
var ErrMalformed = errors.New("malformed")

// The errors of a record's head are made once: a flood of lines that are no
// records must stay cheap.
var (
	errType   = fmt.Errorf("audit record: no type= at its start: %w", ErrMalformed)
	errName   = fmt.Errorf("audit record: no type name after type=: %w", ErrMalformed)
	errNode   = fmt.Errorf("audit record: no host name of 1 to %d bytes after node=: %w", maxNode, ErrMalformed)
	errStamp  = fmt.Errorf("audit record: no audit(SECONDS.MILLISECONDS:SERIAL) after its type: %w", ErrMalformed)
	errColon  = fmt.Errorf("audit record: no colon after audit(…): %w", ErrMalformed)
	errRange  = fmt.Errorf("audit record: time or serial out of range: %w", ErrMalformed)
	errPrefix = fmt.Errorf("audit record: neither type= nor a syslog line of the kernel: %w", ErrMalformed)
)

// maxNode bounds a host name: DNS names have at most 253 bytes.
const maxNode = 255

// enrichedMark stands between what the kernel wrote and what auditd added with
// log_format = ENRICHED (auditd.conf(5)).
const enrichedMark = 0x1d

// Header is the part of a record that says which event it belongs to.
type Header struct {
	Time   int64  // Unix time, nanoseconds (the kernel stamps milliseconds)
	Serial uint64 // the kernel counts in 32 bits and begins anew at boot
	Node   []byte // the node= of the line, part of it; empty without one
	Type   uint16 // as in Record
}

// ParseLine takes one line of a log apart, without copying: Header.Node and the
// record's Body and Enriched are parts of line. Record.Ordinal is left 0. These
// forms are taken:
//
//	type=NAME msg=audit(SECONDS.MILLISECONDS:SERIAL): body
//	node=HOST type=NAME msg=audit(…): body
//	type=NAME audit(…): body             (as some readers of the socket write it)
//	type=1300 …, type=UNKNOWN[1420] …    (a type by its number)
//	HEADER kernel: [12.3] audit: type=1400 audit(…): body   (syslog, journal, dmesg)
//	HEADER audispd: node=HOST type=NAME msg=audit(…): body
//
// A name that [TypeNumber] does not know gives type 0. What auditd added after
// the mark 0x1d is Enriched. Line ends, blanks and NUL bytes at the end are
// dropped. If line is no record, the error wraps [ErrMalformed] and names what
// was missing. ParseLine allocates nothing.
func ParseLine(line []byte) (Header, Record, error) {
	p := trimTail(line)
	if !hasPrefix(p, "type=") && !hasPrefix(p, "node=") {
		if p = skipSyslog(p); p == nil {
			return Header{}, Record{}, errPrefix
		}
	}
	var h Header
	if hasPrefix(p, "node=") {
		n := bytes.IndexByte(p, ' ')
		if n <= len("node=") || n > len("node=")+maxNode {
			return Header{}, Record{}, errNode
		}
		h.Node, p = p[len("node="):n], p[n+1:]
	}
	if !hasPrefix(p, "type=") {
		return Header{}, Record{}, errType
	}
	p = p[len("type="):]
	n := bytes.IndexByte(p, ' ')
	if n <= 0 {
		return Header{}, Record{}, errName
	}
	h.Type, _ = TypeNumber(p[:n])
	p = p[n+1:]
	if hasPrefix(p, "msg=") {
		p = p[len("msg="):]
	}
	p, err := parseStamp(&h, p)
	if err != nil {
		return Header{}, Record{}, err
	}
	r := Record{Type: h.Type, Body: p}
	if bytes.IndexByte(p, enrichedMark) >= 0 {
		// The text of a user-space record can hold the mark too: auditd's is the last.
		i := bytes.LastIndexByte(p, enrichedMark)
		r.Body, r.Enriched = trimTail(p[:i]), p[i+1:]
	}
	return h, r, nil
}

// ParsePayload takes apart the payload of a netlink message of type typ, in the
// form audit(SECONDS.MILLISECONDS:SERIAL): body. Body is part of payload; there
// is no Enriched part and no Node. Otherwise it is like [ParseLine].
func ParsePayload(typ uint16, payload []byte) (Header, Record, error) {
	h := Header{Type: typ}
	p, err := parseStamp(&h, trimTail(payload))
	if err != nil {
		return Header{}, Record{}, err
	}
	return h, Record{Type: typ, Body: p}, nil
}

// maxSeconds is the last second of which every nanosecond fits into an int64.
const maxSeconds = 1<<63/1_000_000_000 - 1

// parseStamp reads audit(SECONDS.MILLISECONDS:SERIAL): into h and returns what
// follows, without leading blanks. kernel/audit.c writes the stamp with
// "audit(%llu.%03lu:%u): ".
func parseStamp(h *Header, p []byte) ([]byte, error) {
	if !hasPrefix(p, "audit(") {
		return nil, errStamp
	}
	i := len("audit(")
	sec, i, ok := parseDecimal(p, i)
	if !ok || i+5 > len(p) || p[i] != '.' || p[i+4] != ':' {
		return nil, errStamp
	}
	ms, j, _ := parseDecimal(p, i+1)
	if j != i+4 {
		return nil, errStamp
	}
	serial, i, ok := parseDecimal(p, i+5)
	if !ok || i >= len(p) || p[i] != ')' {
		return nil, errStamp
	}
	if i+1 >= len(p) || p[i+1] != ':' {
		return nil, errColon
	}
	if sec > maxSeconds || serial == tooLarge {
		return nil, errRange
	}
	h.Time, h.Serial = int64(sec*1_000_000_000+ms*1_000_000), serial
	p = p[i+2:]
	for len(p) > 0 && p[0] == ' ' {
		p = p[1:]
	}
	return p, nil
}

// tooLarge is what parseDecimal makes of a number that may not fit.
const tooLarge = 1<<64 - 1

// parseDecimal reads the digits of p from i and returns their value and where
// they end; ok is false if there are none. More than 19 digits are tooLarge.
func parseDecimal(p []byte, i int) (v uint64, end int, ok bool) {
	start := i
	for i < len(p) && p[i]-'0' <= 9 {
		v = v*10 + uint64(p[i]-'0')
		i++
	}
	if i-start > 19 {
		v = tooLarge
	}
	return v, i, i > start
}

// maxSyslogHeader bounds the search for the tag of a syslog line.
const maxSyslogHeader = 512

// skipSyslog returns the audit text of a line that a syslog daemon, the journal
// or dmesg wrote for the kernel or for auditd's dispatcher, or nil if it is no
// such line. The program's tag decides, the first word that ends in a colon: a
// line in which some other program quotes an audit record is none.
func skipSyslog(p []byte) []byte {
	if len(p) > 0 && p[0] == '<' { // priority, as in /proc/kmsg
		p = p[bytes.IndexByte(p, '>')+1:]
	}
	if len(p) > 0 && p[0] == '[' { // dmesg: the time alone stands before the text
		return skipKernel(p)
	}
	i := bytes.Index(p[:min(len(p), maxSyslogHeader)], []byte(": "))
	if i < 0 {
		return nil
	}
	tag, rest := p[:i], p[i+2:]
	tag = tag[bytes.LastIndexByte(tag, ' ')+1:]
	switch {
	case string(tag) == "kernel", string(tag) == "audit":
		return skipKernel(rest)
	case hasPrefix(tag, "audispd"), hasPrefix(tag, "audisp-syslog"):
		return rest
	}
	return nil
}

// skipKernel drops "[12.3] " and "audit: " from the start of p.
func skipKernel(p []byte) []byte {
	if len(p) > 0 && p[0] == '[' {
		p = p[bytes.IndexByte(p, ']')+1:]
		if len(p) > 0 && p[0] == ' ' {
			p = p[1:]
		}
	}
	if hasPrefix(p, "audit: ") {
		p = p[len("audit: "):]
	}
	return p
}

func hasPrefix(p []byte, s string) bool { return len(p) >= len(s) && string(p[:len(s)]) == s }

// trimTail drops what writers leave at the end of a line or message.
func trimTail(p []byte) []byte {
	for n := len(p); n > 0; n-- {
		if c := p[n-1]; c != ' ' && c != '\n' && c != '\r' && c != 0 {
			return p[:n]
		}
	}
	return p[:0]
}
