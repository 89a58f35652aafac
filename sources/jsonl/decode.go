// SPDX-License-Identifier: Apache-2.0

// This file makes an event of the fields of an object: all of them as own fields, and
// those of the registry that the taxonomy has names for. Which process acted is told
// by internal/process.

package jsonl

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"strings"

	"seismo/internal/event"
	"seismo/internal/process"
	"seismo/internal/taxonomy"
)

// decoder makes events of objects. It keeps the time of the one before, the processes
// that were named, and what many events share.
type decoder struct {
	g       gatherer
	sorter  sorter
	class   *class // of the object at hand
	hosts   map[string]string
	named   process.Named
	naming  process.Naming
	latest  int64 // time of the event before
	ordinal uint64
}

func newDecoder(given *event.Logsource) *decoder {
	d := &decoder{sorter: sorter{given: given}}
	d.g.seed = maphash.MakeSeed()
	return d
}

// read takes the object in text. put then appends its event.
func (d *decoder) read(text []byte, ordinal uint64) error {
	if err := d.g.gather(text); err != nil {
		return err
	}
	d.class, d.ordinal = d.sorter.of(&d.g), ordinal
	if t, ok := d.g.when(); ok {
		d.latest = t
	}
	return nil
}

// put appends the event of the object that was read last.
func (d *decoder) put(b *event.Batch) {
	g, c := &d.g, d.class
	op := c.op
	if c.kind == event.KindNetwork && op == event.OpConnect && isFalse(g.get("Initiated")) {
		op = event.OpAccept
	}
	e := b.Add(c.kind, op)
	e.Time, e.Ordinal, e.Logsource = d.latest, d.ordinal, c.logs
	e.Host = d.host(g.get("Computer"))
	if g.duplicate {
		e.Flags |= event.Duplicate
	}
	for i := range g.list {
		e.AddOwn(0, g.list[i].name, g.list[i].value)
	}
	d.naming = process.Naming{Host: e.Host, ParentGUID: g.get("ParentProcessGuid")}
	hashes := false
	for i := range g.list {
		f := &g.list[i]
		if to := c.target(f); to.field != event.NoField {
			hashes = d.fill(e, to, f.value) || hashes
		}
	}
	if hashes { // the elements of a list must follow each other
		d.fillHashes(e)
	}
	derive(e)
	e.PID, e.PPID = d.naming.PID, d.naming.ParentPID
	d.named.Identify(e, &d.naming)
	d.named.Gone(b)
}

func isFalse(v []byte) bool { return len(v) == 5 && strings.EqualFold(string(v), "false") }

// maxHosts bounds the names of computers of which one copy is kept.
const maxHosts = 4096

func (d *decoder) host(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	if s, ok := d.hosts[string(v)]; ok {
		return s
	}
	s := string(v)
	if len(s) > 256 {
		return s
	}
	if d.hosts == nil || len(d.hosts) >= maxHosts {
		d.hosts = map[string]string{}
	}
	d.hosts[s] = s
	return s
}

// target returns what f fills. What a name means on events of c is remembered by the
// hash of the name.
func (c *class) target(f *field) target {
	slot := &c.targets[f.hash%uint32(len(c.targets))]
	if slot.name == string(f.name) && slot.name != "" {
		return *slot
	}
	service := ""
	if len(c.logs.Services) > 0 {
		service = c.logs.Services[0]
	}
	name := string(f.name)
	to := target{name: name}
	if field, ok := taxonomy.Registry(c.kind, c.op, service, name); ok {
		if in := event.Describe(field); in.Kinds.Has(c.kind) {
			to = target{name, field, in.Type, in.Scope}
		}
	}
	if len(name) <= 64 {
		*slot = to
	}
	return to
}

// fill sets the field that to says to v, if it has none yet and v is one of its type. It returns
// true for a hash, which is for fillHashes.
func (d *decoder) fill(e *event.Event, to target, v []byte) bool {
	n, f := &d.naming, to.field
	if string(v) == "-" { // what Windows and Sysmon write where there is nothing
		return false
	}
	switch to.scope {
	case event.ScopeParent, event.ScopeAncestor:
		switch f {
		case event.ParentPath:
			n.ParentPath = v
		case event.ParentCommandLine:
			n.ParentCommandLine = v
		case event.ParentUserName:
			n.ParentUser = v
		case event.ParentPID:
			n.ParentPID = pid(v)
		}
		return false
	case event.ScopeProcess:
		switch f {
		case event.ProcessGUID:
			if n.GUID == nil {
				n.GUID = v
			}
		case event.ProcessPID:
			if n.PID == 0 {
				n.PID = pid(v)
			}
		}
	}
	if to.typ == event.Hash {
		return true
	}
	if e.Has(f) && f != event.NetworkInitiated {
		return false
	}
	switch to.typ {
	case event.String:
		e.SetText(f, v)
	case event.Integer:
		if i, ok := integer(v); ok {
			e.SetInt(f, i)
		}
	case event.Time:
		if t, ok := parseTime(v); ok {
			e.SetInt(f, t)
		}
	case event.Address:
		if len(v) <= 64 {
			if a, err := netip.ParseAddr(string(v)); err == nil {
				e.SetAddr(f, a)
			}
		}
	case event.List:
		e.AppendElement(f, v)
	}
	return false
}

// maxHashes bounds the hashes of one field; Sysmon writes four.
const maxHashes = 32

// fillHashes sets the hash field of e: lists of NAME=hex joined by commas, and hashes
// that have a name each.
func (d *decoder) fillHashes(e *event.Event) {
	n := 0
	for i := range d.g.list {
		f := &d.g.list[i]
		to := d.class.target(f)
		if to.field == event.NoField || to.typ != event.Hash {
			continue
		}
		name := taxonomy.HashName(string(f.name))
		for part := range bytes.SplitSeq(f.value, []byte(",")) {
			part = bytes.TrimSpace(part)
			if name != "" {
				part = append([]byte(name+"="), part...)
			}
			if n < maxHashes && isHash(part) {
				e.AppendElement(to.field, part)
				n++
			}
		}
	}
}

// isHash reports whether v is NAME=hex.
func isHash(v []byte) bool {
	name, digits, ok := bytes.Cut(v, []byte("="))
	if !ok || len(name) == 0 || len(name) > 16 || len(digits) < 8 || len(digits) > 256 {
		return false
	}
	for _, c := range digits {
		if c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// integer reads a number in decimal digits, with a sign or not, or in hex after 0x.
func integer(v []byte) (int64, bool) {
	if len(v) > 2 && v[0] == '0' && v[1]|0x20 == 'x' {
		var n uint64
		if len(v) > 18 {
			return 0, false
		}
		for _, c := range v[2:] {
			switch {
			case c-'0' <= 9:
				n = n<<4 | uint64(c-'0')
			case c|0x20 >= 'a' && c|0x20 <= 'f':
				n = n<<4 | uint64(c|0x20-'a'+10)
			default:
				return 0, false
			}
		}
		return int64(n), int64(n) >= 0
	}
	if len(v) > 1 && v[0] == '-' {
		n, ok := decimal(v[1:])
		return -n, ok
	}
	return decimal(v)
}

// pid reads a process id; 0 if v is none.
func pid(v []byte) int32 {
	if n, ok := integer(v); ok && n > 0 && n < 1<<31 {
		return int32(n)
	}
	return 0
}

// derive sets the fields that follow from others: the last element of a path, its
// extension, and the remote end of a connection.
func derive(e *event.Event) {
	switch e.Kind {
	case event.KindFile:
		path, ok := e.Text(event.FilePath)
		if !ok {
			return
		}
		name := base(path)
		e.SetText(event.FileName, name)
		if dot := bytes.LastIndexByte(name, '.'); dot > 0 {
			e.SetText(event.FileExtension, name[dot+1:])
		}
	case event.KindDriver:
		if path, ok := e.Text(event.DriverPath); ok {
			e.SetText(event.DriverName, base(path))
		}
	case event.KindRegistry:
		if e.Op != event.OpSetValue && e.Op != event.OpDeleteValue {
			return
		}
		if path, ok := e.Text(event.RegistryKeyPath); ok {
			e.SetText(event.RegistryValueName, base(path))
		}
	case event.KindNetwork:
		direction, address, port := "outbound", event.NetworkDestinationAddress, event.NetworkDestinationPort
		if e.Op == event.OpAccept {
			direction, address, port = "inbound", event.NetworkSourceAddress, event.NetworkSourcePort
		}
		e.SetString(event.NetworkDirection, direction)
		if a, ok := e.Addr(address); ok {
			e.SetAddr(event.NetworkAddress, a)
		}
		if n, ok := e.Int(port); ok {
			e.SetInt(event.NetworkPort, n)
		}
	}
}

// base returns the last element of a path: of one of Unix behind the last slash, of
// others behind the last slash or backslash.
func base(path []byte) []byte {
	cut := `\/`
	if len(path) > 0 && path[0] == '/' {
		cut = "/"
	}
	return path[bytes.LastIndexAny(path, cut)+1:]
}
