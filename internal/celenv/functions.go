// SPDX-License-Identifier: Apache-2.0

// This file declares the functions that expressions have beside those of CEL,
// and compares text as the text language does. How the constant arguments of a
// call are prepared once is in bind.go.

package celenv

import (
	"net/netip"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"seismo/internal/ascii"
)

// The names of our functions.
const (
	FnOwn         = "own"
	FnHasOwn      = "hasOwn"
	FnIEquals     = "iequals"
	FnIContains   = "icontains"
	FnIStartsWith = "istartsWith"
	FnIEndsWith   = "iendsWith"
	FnGlob        = "glob"
	FnPathGlob    = "pathGlob"
	FnIMatches    = "imatches"
	FnInCIDR      = "inCIDR"
	FnInList      = "inList"
	FnMatches     = "matches" // CEL's own; its pattern must be constant too
)

// foldedTests are the comparisons that do not regard the case of ASCII letters.
var foldedTests = map[string]func(s, arg string) bool{
	FnIEquals:     ascii.Equal[string, string],
	FnIContains:   foldContains,
	FnIStartsWith: func(s, p string) bool { return len(s) >= len(p) && ascii.Equal(s[:len(p)], p) },
	FnIEndsWith:   func(s, p string) bool { return len(s) >= len(p) && ascii.Equal(s[len(s)-len(p):], p) },
}

// constantArgument names the functions whose last argument must be a literal.
func constantArgument(function string) bool {
	switch function {
	case FnOwn, FnHasOwn, FnGlob, FnPathGlob, FnIMatches, FnInCIDR, FnInList, FnMatches:
		return true
	}
	return false
}

// functions declares our functions. Those of a constant argument have no binding
// of use: planning replaces their calls.
func functions() []cel.EnvOption {
	list := cel.ListType(cel.StringType)
	opts := []cel.EnvOption{
		cel.Function(FnOwn, cel.Overload("own_string", []*cel.Type{cel.StringType}, list, cel.UnaryBinding(unplanned1))),
		cel.Function(FnHasOwn, cel.Overload("has_own_string", []*cel.Type{cel.StringType}, cel.BoolType, cel.UnaryBinding(unplanned1))),
		cel.Function(FnInList,
			cel.MemberOverload("int_inList", []*cel.Type{cel.IntType, cel.StringType}, cel.BoolType, cel.BinaryBinding(unplanned2))),
	}
	for name, test := range foldedTests {
		opts = append(opts, onText(name, func(subject, arg ref.Val) ref.Val {
			a, ok := arg.(types.String)
			if !ok {
				return types.MaybeNoSuchOverloadErr(arg)
			}
			return anyText(subject, func(s string) bool { return test(s, string(a)) })
		}))
	}
	for _, name := range []string{FnGlob, FnPathGlob, FnIMatches, FnInCIDR, FnInList} {
		opts = append(opts, onText(name, unplanned2))
	}
	return opts
}

// onText declares a member function of a string, and of a list of strings, which
// it is true of if it is true of any.
func onText(name string, binding func(subject, arg ref.Val) ref.Val) cel.EnvOption {
	return cel.Function(name,
		cel.MemberOverload("string_"+name, []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(binding)),
		cel.MemberOverload("list_"+name, []*cel.Type{cel.ListType(cel.StringType), cel.StringType}, cel.BoolType, cel.BinaryBinding(binding)))
}

func unplanned1(ref.Val) ref.Val      { return types.NewErr("call was not planned") }
func unplanned2(_, _ ref.Val) ref.Val { return types.NewErr("call was not planned") }

// anyText reports whether test is true of subject, or of any of its elements.
func anyText(subject ref.Val, test func(string) bool) ref.Val {
	switch v := subject.(type) {
	case types.String:
		return types.Bool(test(string(v)))
	case traits.Lister:
		n, ok := v.Size().(types.Int)
		for i := types.Int(0); ok && i < n; i++ {
			s, isText := v.Get(i).(types.String)
			if !isText {
				return types.MaybeNoSuchOverloadErr(v.Get(i))
			}
			if test(string(s)) {
				return types.True
			}
		}
		return types.False
	}
	return types.MaybeNoSuchOverloadErr(subject)
}

func foldContains(s, part string) bool {
	if part == "" {
		return true
	}
	// The first byte is looked for in both cases; the rest is compared there.
	first := ascii.Lower(part[0])
	for at := 0; at+len(part) <= len(s); at++ {
		if ascii.Lower(s[at]) == first && ascii.Equal(s[at:at+len(part)], part) {
			return true
		}
	}
	return false
}

// ParseNetwork reads what inCIDR is given: a network, with ::ffff:a.b.c.d taken for
// a.b.c.d, or one address.
func ParseNetwork(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// inNetwork reports whether s is the text of an address in p. Text that is no
// address is in no network.
func inNetwork(s string, p netip.Prefix) bool {
	if len(s) > len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255") || strings.IndexByte(s, '%') >= 0 {
		return false
	}
	a, err := netip.ParseAddr(s)
	return err == nil && p.Contains(a.Unmap())
}
