// SPDX-License-Identifier: Apache-2.0

// This file bounds the cost of an expression before it ever runs: cel-go
// estimates it from the sizes that values can have, which are given here.

package celenv

import (
	"math"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/types"

	"seismo/internal/event"
)

// MaxCost is the greatest cost that an expression may come to on the largest
// values there can be. A unit of cel-go's cost is one step, or ten bytes looked
// at: about 20 ns, so an event takes 40 ms at worst.
const MaxCost = 2_000_000

// sizes are the lengths of values that a cost is estimated for.
type sizes struct{ path, name, text, element, list uint64 }

// largest are those that the limits of a view allow. The elements of a list have
// so many bytes on average, which is what counts for costs that grow with bytes.
var largest = sizes{path: 4096, name: 256, text: MaxSubject, element: MaxBytes / MaxList, list: MaxList}

// typical are those of usual events.
var typical = sizes{path: 32, name: 12, text: 100, element: 12, list: 8}

// estimate returns the cost of the checked expression a with values of the sizes
// s; the greatest number if there is no bound.
func estimate(env *cel.Env, a *cel.Ast, s sizes) uint64 {
	c, err := env.EstimateCost(a, estimator{s})
	if err != nil {
		return math.MaxUint64
	}
	return c.Max
}

type estimator struct{ sizes }

// EstimateSize returns the size of a value that cel-go does not know.
func (s estimator) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	most := s.text
	path := n.Path()
	kind := types.UnspecifiedKind
	if n.Type() != nil {
		kind = n.Type().Kind()
	}
	switch {
	case kind == types.BoolKind, kind == types.IntKind, kind == types.UintKind, kind == types.DoubleKind, kind == types.TimestampKind, kind == types.DurationKind:
		most = 1
	case kind == types.ListKind:
		most = s.list
	case len(path) > 0 && path[len(path)-1] == "@items":
		most = s.element
	case len(path) == 2:
		if info, ok := Field(path[0], path[1]); ok {
			most = s.field(info)
		}
	}
	return &checker.SizeEstimate{Min: 0, Max: most}
}

func (s sizes) field(f event.Info) uint64 {
	switch f.Field {
	case event.ProcessPath, event.ParentPath, event.FilePath, event.FileTargetPath, event.ProcessCwd, event.ImagePath, event.DriverPath, event.SyscallPath:
		return s.path
	case event.ProcessName, event.ParentName, event.FileName, event.FileExtension, event.UserName, event.ProcessUserName:
		return s.name
	}
	if f.Type == event.Address {
		return 45 // of an IPv6 address with an IPv4 one in it
	}
	return s.text
}

// EstimateCallCost returns the cost of our functions; nil for those of CEL.
func (s estimator) EstimateCallCost(function, _ string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	if function == FnOwn {
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(10), ResultSize: &checker.SizeEstimate{Max: s.list}}
	}
	if function == FnHasOwn {
		return &checker.CallEstimate{CostEstimate: checker.FixedCostEstimate(10)}
	}
	if _, folded := foldedTests[function]; !folded && !constantArgument(function) || function == FnMatches || target == nil || len(args) != 1 {
		return nil
	}
	bytes, calls := s.size(*target).Max, uint64(1)
	if t := (*target).Type(); t != nil && t.Kind() == types.ListKind {
		bytes, calls = saturate(bytes, s.element), bytes
	}
	each := uint64(1) // for ten bytes
	switch function {
	case FnGlob, FnPathGlob:
		each += s.size(args[0]).Max / 64
	case FnIMatches:
		each += s.size(args[0]).Max / 4
	case FnInList, FnInCIDR:
		each = 2
	case FnIContains:
		each += s.size(args[0]).Max / 10
	}
	most := saturate(bytes/uint64(1/common.StringTraversalCostFactor)+1, each)
	return &checker.CallEstimate{CostEstimate: checker.CostEstimate{Min: 1, Max: most}.Add(checker.FixedCostEstimate(saturate(calls, 2)))}
}

func (s estimator) size(n checker.AstNode) checker.SizeEstimate {
	if known := n.ComputedSize(); known != nil {
		return *known
	}
	return *s.EstimateSize(n)
}

// saturate returns a*b, or the greatest number if that is more.
func saturate(a, b uint64) uint64 {
	if a != 0 && b > math.MaxUint64/a {
		return math.MaxUint64
	}
	return a * b
}
