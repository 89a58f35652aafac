// SPDX-License-Identifier: Apache-2.0

// This file checks the literals of a term against the type of its field, and
// turns them into what is compared.

package signals

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"seismo/internal/event"
	"seismo/internal/pattern"
)

// checkValue checks literal v of term t on the field info of type typ, and fills
// in its Number or Address. info is zero for an own name.
func checkValue(info event.Info, typ event.Type, t *TermExpr, v *Value) (hint string, err error) {
	c := t.Cond
	switch {
	case c == InList:
		return checkListName(v)
	case c == Glob || c == PathGlob || c == Regex:
		return checkPattern(t, v)
	case typ == event.Integer:
		return checkInteger(info, v)
	case typ == event.Identifier:
		id, err := strconv.ParseUint(v.Text, 10, 64)
		if err != nil {
			return "an id is a decimal number", fmt.Errorf("%s is not an identifier", quote(v.Text))
		}
		v.Number = int64(id)
	case typ == event.Time:
		return checkTime(v)
	case typ == event.Address && c == InCIDR:
		return checkPrefix(v)
	case typ == event.Address && c == Is:
		return checkAddress(v)
	case typ == event.Hash && c == Is:
		return checkHash(v)
	case c == Is && strings.HasSuffix(info.Name, ".operation"):
		return checkOperation(info, v)
	}
	return "", nil
}

// listName is what a named list can be called: the name of a file on every
// system.
var listName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

func checkListName(v *Value) (hint string, err error) {
	if !listName.MatchString(v.Text) {
		return "a list is called by 1 to 64 of a-z, 0-9, - and _; its values are in lists/NAME.txt", fmt.Errorf("%s is no name of a list", quote(v.Text))
	}
	return "", nil
}

// checkPattern checks a glob or a regular expression, and fills in its weight.
func checkPattern(t *TermExpr, v *Value) (hint string, err error) {
	if t.Cond == Regex {
		var r *pattern.Regex
		if r, err = pattern.ParseRegex(v.Text, t.Cased); err == nil {
			v.weight = r.Weight()
		}
	} else {
		var g *pattern.Glob
		if g, err = pattern.ParseGlob(v.Text, t.Cond == PathGlob, t.Cased); err == nil {
			v.weight = g.Weight()
		}
	}
	if why := new(pattern.Error); errors.As(err, &why) {
		return why.Hint, fmt.Errorf("%s %s: %w", t.Cond, quote(v.Text), err)
	}
	return "", err
}

func checkInteger(info event.Info, v *Value) (hint string, err error) {
	digits := strings.TrimPrefix(v.Text, "-")
	base := 10
	switch lower := strings.ToLower(digits); {
	case strings.HasPrefix(lower, "0x"):
		base, digits = 16, lower[2:]
	case strings.HasPrefix(lower, "0o"):
		base, digits = 8, lower[2:]
	case len(digits) > 1 && digits[0] == '0':
		return "octal is written 0o755, decimal without leading zeros", fmt.Errorf("%s can be read as decimal or as octal", quote(v.Text))
	}
	if strings.ContainsAny(digits, "+-_") {
		return "a number is written 1234, 0x4d2 or 0o2322", fmt.Errorf("%s is not a number", quote(v.Text))
	}
	if strings.HasPrefix(v.Text, "-") {
		digits = "-" + digits
	}
	n, err := strconv.ParseInt(digits, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "", fmt.Errorf("%s does not fit in 64 bits", quote(v.Text))
	case err != nil:
		hint := "a number is written 1234, 0x4d2 or 0o2322"
		if strings.ContainsAny(v.Text, "-:") && v.Text[0] != '-' {
			hint = "a range is two terms: " + info.Name + " >= 1 AND " + info.Name + " <= 9"
		}
		return hint, fmt.Errorf("%s is not a number, but %s is an integer", quote(v.Text), quote(info.Name))
	case strings.HasSuffix(info.Name, "port") && (n < 0 || n > 65535):
		return "", fmt.Errorf("%s is not a port: ports are 0 to 65535", quote(v.Text))
	}
	v.Number = n
	return "", nil
}

func checkTime(v *Value) (hint string, err error) {
	t, err := time.Parse(time.RFC3339Nano, v.Text)
	if err != nil {
		return "a time is written 2026-11-22T13:00:00Z or 2026-11-22T14:00:00.25+01:00", fmt.Errorf("%s is not a time of RFC 3339", quote(v.Text))
	}
	// What time.Time.UnixNano can hold.
	if t.Year() < 1678 || t.Year() > 2261 {
		return "", fmt.Errorf("year of %s is outside of 1678 to 2261", quote(v.Text))
	}
	v.Number = t.UnixNano()
	return "", nil
}

func checkAddress(v *Value) (hint string, err error) {
	a, err := netip.ParseAddr(v.Text)
	switch {
	case err != nil && strings.Contains(v.Text, "/"):
		return "a network is tested by in cidr", fmt.Errorf("%s is not an address", quote(v.Text))
	case err != nil:
		return "an address is written 192.0.2.1 or 2001:db8::1; a part of its text is tested by begins with, ends with or contains",
			fmt.Errorf("%s is not an address", quote(v.Text))
	case a.Zone() != "":
		return "leave out what follows the %", fmt.Errorf("address %s has a zone: zones are not compared", quote(v.Text))
	}
	v.Address = a.Unmap().String()
	return "", nil
}

func checkPrefix(v *Value) (hint string, err error) {
	p, err := netip.ParsePrefix(v.Text)
	if err != nil {
		hint = "a network is written 10.0.0.0/8 or 2001:db8::/32"
		if _, aerr := netip.ParseAddr(v.Text); aerr == nil {
			hint = "one address is tested by is"
		}
		return hint, fmt.Errorf("%s is not a network", quote(v.Text))
	}
	// ::ffff:a.b.c.d is a.b.c.d: addresses compare in their short form.
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	v.Address = p.Masked().String()
	return "", nil
}

const hashHint = "a hash is written 'SHA256=…', or MD5, SHA1 or IMPHASH"

// checkHash checks a value that is to equal a whole NAME=hex.
func checkHash(v *Value) (hint string, err error) {
	lengths := map[string]int{"md5": 32, "sha1": 40, "sha256": 64, "imphash": 32}
	name, digits, named := strings.Cut(v.Text, "=")
	if !named {
		digits, name = v.Text, ""
	}
	isHex := strings.Trim(digits, "0123456789abcdefABCDEF") == ""
	if !named {
		for _, n := range []string{"md5", "sha1", "sha256"} {
			if isHex && len(digits) == lengths[n] {
				return "write " + quoteLiteral(strings.ToUpper(n)+"="+digits), fmt.Errorf("%s lacks the name of its hash", quote(v.Text))
			}
		}
		return hashHint, fmt.Errorf("%s is not a hash", quote(v.Text))
	}
	n, known := lengths[strings.ToLower(name)]
	switch {
	case !known:
		return hashHint, fmt.Errorf("unknown hash %s in %s", quote(name), quote(v.Text))
	case len(digits) != n || !isHex:
		return fmt.Sprintf("%s has %d hex digits", strings.ToUpper(name), n), fmt.Errorf("%s is not a hash", quote(v.Text))
	}
	return "", nil
}

func checkOperation(info event.Info, v *Value) (hint string, err error) {
	kind, _ := event.ParseKind(info.Object())
	var names []string
	for _, op := range event.Ops(kind) {
		names = append(names, op.String())
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, v.Text) }) {
		return "", nil
	}
	return "the operations of " + info.Object() + " events are " + strings.Join(names, ", "),
		fmt.Errorf("unknown operation %s%s", quote(v.Text), didYouMean(nearest(v.Text, names)))
}
