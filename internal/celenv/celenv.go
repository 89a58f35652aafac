// SPDX-License-Identifier: Apache-2.0

// Package celenv knows the CEL environment of seismo: which variables, types
// and functions an expression has, how it is checked and bounded, and how a
// checked expression is planned and evaluated on one event.
//
// [Compile] checks the text of an expression. [Checked.Encode] writes a part of it
// for signals.bin, and [Plan] makes a [Program] of what was written, after checking
// all of it again: the bytes may be anyone's. A Program never changes; each
// goroutine evaluates it with a [View] of its own.
//
// CEL keeps its own meaning: comparison is exact, a field that is absent is an
// error, && and || absorb errors where the other side decides, and an error is
// not true. A CEL string holds the bytes of an event as they are, whatever their
// encoding; size() counts a byte that is not UTF-8 as one character.
package celenv

import (
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
)

// The limits of an expression. Those that cel-go has itself are set in newEnv.
const (
	MaxText          = 64 << 10 // bytes of an expression
	maxDepth         = 48       // nesting that the parser takes
	maxNodes         = 16 << 10 // nodes of the syntax tree, macros expanded
	maxNesting       = 2        // comprehensions within each other
	maxRegexSize     = 2000     // instructions of a compiled regular expression of matches
	maxOwnName       = 256      // bytes, as in the text language
	maxErrors        = 20       // that the parser goes on after
	stringsVersion   = 5        // of cel-go's string functions: their meaning stays the same, and from 5 on they have a cost
	setsVersion      = 0
	mathVersion      = 1
	maxCheckedLength = 1 << 20 // bytes of an encoded expression
)

// environment is built on first use: it takes milliseconds, which commands
// that see no CEL do not pay.
var environment = sync.OnceValues(newEnv)

// newEnv makes the environment. cel-go's own limit on regular expressions is not set:
// in v0.31.0 it panics on a repeat such as a{2} (RegexProgramSize compiles what was not
// simplified); ours is in rules.go. The libraries come first: cel-go takes a type
// provider only once they have registered their types.
func newEnv() (*cel.Env, error) {
	base, err := cel.NewEnv(
		ext.Strings(ext.StringsVersion(stringsVersion)),
		ext.Sets(ext.SetsVersion(setsVersion)),
		ext.Math(ext.MathVersion(mathVersion)),
		cel.EnableMacroCallTracking(),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(MaxText),
		cel.ParserErrorRecoveryLimit(maxErrors),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(cel.ValidateComprehensionNestingLimit(maxNesting), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	)
	if err != nil {
		return nil, err
	}
	provider := newProvider(base.CELTypeProvider())
	opts := []cel.EnvOption{cel.CustomTypeProvider(provider)}
	for name, typ := range provider.objects {
		opts = append(opts, cel.Variable(name, typ))
	}
	return base.Extend(append(opts, functions()...)...)
}
