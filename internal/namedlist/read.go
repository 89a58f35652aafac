// SPDX-License-Identifier: Apache-2.0

// This file reads named lists. What is asked of them is in namedlist.go.

package namedlist

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"seismo/internal/ascii"
)

// suffix ends the name of a list's file.
const suffix = ".txt"

// maxLine bounds a line of a list's file, a comment too.
const maxLine = 64 << 10

// ErrList says that a file is no named list, or that the list is too large.
var ErrList = errors.New("not a named list")

// Load reads the lists in dir, by name: that of the list called x is x.txt.
// Without the directory there are none. What is called otherwise is left alone. A
// symbolic link is followed, as it is for a file of definitions; what is then no
// regular file is an error.
//
// The lists that can be read are returned with an error too; it names each file
// that can not, and wraps [ErrList] or the error of reading.
func Load(dir string) (map[string]*List, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]*List{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load lists: %w", err)
	}
	lists := map[string]*List{}
	var faults []error
	for _, entry := range entries {
		name, is := strings.CutSuffix(entry.Name(), suffix)
		path := filepath.Join(dir, entry.Name())
		switch {
		case !is || strings.HasPrefix(name, "."):
		case !ValidName(name):
			faults = append(faults, fmt.Errorf("load list %s: a list is called by a-z, 0-9, - and _, at most %d of them: %w", path, maxName, ErrList))
		default:
			l, err := load(name, path)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			lists[name] = l
		}
	}
	return lists, errors.Join(faults...)
}

// load reads the list called name from the file at path. What is no regular
// file is refused before it is opened: opening a pipe waits for a writer.
func load(name, path string) (*List, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("load list: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load list %s: not a regular file: %w", path, ErrList)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("load list %s: %d bytes, the limit is %d: %w", path, info.Size(), maxFile, ErrList)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load list: %w", err)
	}
	defer f.Close()
	l, err := read(name, f, int(info.Size()))
	if err != nil {
		return nil, fmt.Errorf("load list %s: %w", path, err)
	}
	return l, nil
}

// Read reads the list called name from r: one value a line, blanks around it do
// not count. A line that begins with # and an empty one say nothing. A value that
// stands twice counts once. An error names the line and wraps [ErrList], or is that
// of r.
func Read(name string, r io.Reader) (*List, error) {
	if !ValidName(name) {
		return nil, fmt.Errorf("list %.80q: a list is called by a-z, 0-9, - and _, at most %d of them: %w", name, maxName, ErrList)
	}
	size := 0
	if in, ok := r.(interface{ Len() int }); ok { // bytes.Reader and the like
		size = min(in.Len(), maxFile)
	}
	l, err := read(name, r, size)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", name, err)
	}
	return l, nil
}

// reader gathers the values of a list.
type reader struct {
	list     *List
	bytes    []byte
	prefixes []netip.Prefix
}

// read reads a list of about size bytes; 0: not known.
func read(name string, r io.Reader, size int) (*List, error) {
	lr := &reader{list: &List{name: name}, bytes: make([]byte, 0, size)}
	in := bufio.NewReaderSize(io.LimitReader(r, maxFile+1), maxLine)
	read := 0
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("line %d has more than %d bytes: %w", n, maxLine, ErrList)
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if read += len(line); read > maxFile {
			return nil, fmt.Errorf("line %d: more than %d bytes: %w", n, maxFile, ErrList)
		}
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // a byte order mark
		}
		if what := lr.line(line); what != "" {
			return nil, fmt.Errorf("line %d: %s: %w", n, what, ErrList)
		}
		if err == io.EOF {
			return lr.finish(), nil
		}
	}
}

// line takes one line. It returns what is wrong with it, or "".
func (lr *reader) line(line []byte) string {
	v := bytes.Trim(line, " \t\r\n")
	l := lr.list
	switch {
	case len(v) == 0 || line[0] == '#':
		return ""
	case len(v) > maxValue:
		return fmt.Sprintf("a value of %d bytes, the limit is %d", len(v), maxValue)
	case len(l.ends) == maxValues:
		return fmt.Sprintf("more than %d values", maxValues)
	}
	lr.bytes = append(lr.bytes, v...)
	l.ends = append(l.ends, uint32(len(lr.bytes)))
	return ""
}

// finish makes the tables of the list that was read.
func (lr *reader) finish() *List {
	l := lr.list
	l.seed = maphash.MakeSeed()
	size := 1
	for size < 2*len(l.ends) {
		size *= 2
	}
	l.table = make([]uint32, size)
	l.bytes = lr.bytes
	mask := uint64(size - 1)
	kept, from, to := 0, uint32(0), uint32(0)
	for _, end := range l.ends {
		v := lr.bytes[from:end]
		from = end
		at := hash(l.seed, v) & mask
		for l.table[at] != 0 && !bytes.Equal(v, l.value(l.table[at]-1)) {
			at = (at + 1) & mask
		}
		if l.table[at] != 0 {
			continue
		}
		lr.typed(v)
		l.lengths[len(v)/64] |= 1 << (len(v) % 64)
		to += uint32(copy(lr.bytes[to:], v))
		l.ends[kept] = to
		kept++
		l.table[at] = uint32(kept)
	}
	l.ends, l.bytes = exactly(l.ends[:kept]), exactly(lr.bytes[:to])
	slices.Sort(l.numbers)
	slices.Sort(l.large)
	l.numbers, l.large = exactly(slices.Compact(l.numbers)), exactly(slices.Compact(l.large))
	lr.prefixTables()
	return l
}

// exactly returns s in memory that is not much more than it needs.
func exactly[E any](s []E) []E {
	if cap(s)-len(s) > len(s)/8 {
		return append(make([]E, 0, len(s)), s...)
	}
	return s
}

// typed notes v as a number, an address or a prefix if it is one.
func (lr *reader) typed(v []byte) {
	digits, dots := true, false
	for i, c := range v {
		switch {
		case '0' <= c && c <= '9', c == '-' && i == 0:
		case c == '.', c == ':':
			digits, dots = false, true
		case c == '/', 'a' <= ascii.Lower(c) && ascii.Lower(c) <= 'f':
			digits = false
		default:
			return
		}
	}
	switch {
	case dots && len(v) <= len("0000:0000:0000:0000:0000:0000:255.255.255.255/128"):
		if prefix, ok := parsePrefix(string(v)); ok {
			lr.prefixes = append(lr.prefixes, prefix)
		}
	case digits && len(v) <= len("18446744073709551615"):
		lr.number(string(v))
	}
}

func (lr *reader) number(v string) {
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		lr.list.numbers = append(lr.list.numbers, n)
	} else if n, err := strconv.ParseUint(v, 10, 64); err == nil {
		lr.list.large = append(lr.list.large, n)
	}
}

// parsePrefix reads an address or a prefix, whose bits beyond its length do not
// count. One of IPv4 in IPv6 form is that of IPv4.
func parsePrefix(v string) (netip.Prefix, bool) {
	if !strings.Contains(v, "/") {
		a, err := netip.ParseAddr(v)
		if err != nil {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(v)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// prefixTables puts the prefixes that were read into tables by their length.
func (lr *reader) prefixTables() {
	var by4 [33][]uint32
	var by6 [129][]address6
	for _, p := range lr.prefixes {
		if n := p.Bits(); p.Addr().Is4() {
			by4[n] = append(by4[n], number4(p.Addr()))
		} else {
			by6[n] = append(by6[n], number6(p.Addr()))
		}
	}
	for n := len(by4) - 1; n >= 0; n-- {
		if len(by4[n]) > 0 {
			slices.Sort(by4[n])
			lr.list.ip4 = append(lr.list.ip4, prefixes4{n, exactly(slices.Compact(by4[n]))})
		}
	}
	for n := len(by6) - 1; n >= 0; n-- {
		if len(by6[n]) > 0 {
			slices.SortFunc(by6[n], address6.compare)
			lr.list.ip6 = append(lr.list.ip6, prefixes6{n, exactly(slices.Compact(by6[n]))})
		}
	}
}

func number4(a netip.Addr) uint32 {
	raw := a.As4()
	return binary.BigEndian.Uint32(raw[:])
}

func number6(a netip.Addr) address6 {
	raw := a.As16()
	return address6{binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])}
}

// mask4 returns n one bits, then zeros.
func mask4(n int) uint32 { return ^uint32(0) << (32 - n) }

// masked returns a with all but its first n bits zero.
func (a address6) masked(n int) address6 {
	if n <= 64 {
		return address6{a.high & (^uint64(0) << (64 - n)), 0}
	}
	return address6{a.high, a.low & (^uint64(0) << (128 - n))}
}

func (a address6) compare(b address6) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}
