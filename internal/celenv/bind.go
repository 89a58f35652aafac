// SPDX-License-Identifier: Apache-2.0

// This file prepares the calls of an expression that have a constant argument:
// patterns are compiled once, and own fields and named lists are asked of the
// view. It is the only file that knows the plan of cel-go.

package celenv

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"seismo/internal/event"
	"seismo/internal/pattern"
)

// bindCalls returns the option of a program that replaces the calls of our functions.
func bindCalls() cel.ProgramOption { return cel.CustomDecoratorV2(bindCall) }

func bindCall(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok || !constantArgument(call.Function()) || call.Function() == FnMatches {
		return i, nil
	}
	args := call.Args()
	c, ok := args[len(args)-1].(interpreter.InterpretableConst)
	if !ok {
		return nil, fmt.Errorf("function %s: its argument is not constant", call.Function())
	}
	arg, ok := c.Value().(types.String)
	if !ok {
		return nil, fmt.Errorf("function %s: its argument is not a string", call.Function())
	}
	switch call.Function() {
	case FnOwn, FnHasOwn:
		return &ownCall{id: call.ID(), name: string(arg), has: call.Function() == FnHasOwn}, nil
	case FnInList:
		typ, list := untagList(string(arg))
		return &listCall{id: call.ID(), subject: args[0], list: list, typ: typ}, nil
	}
	test, err := constantTest(call.Function(), string(arg))
	if err != nil {
		return nil, err
	}
	return &testCall{id: call.ID(), subject: args[0], test: test}, nil
}

// constantTest returns what function asks of a string when its argument is arg.
func constantTest(function, arg string) (func(string) bool, error) {
	switch function {
	case FnIMatches:
		re, err := pattern.ParseRegex(arg, false)
		if err != nil {
			return nil, err
		}
		return re.MatchString, nil
	case FnGlob, FnPathGlob:
		g, err := pattern.ParseGlob(arg, function == FnPathGlob, false)
		if err != nil {
			return nil, err
		}
		return g.MatchString, nil
	case FnInCIDR:
		p, ok := ParseNetwork(arg)
		if !ok {
			return nil, fmt.Errorf("%.80q is not a network", arg)
		}
		return func(s string) bool { return inNetwork(s, p) }, nil
	}
	return nil, fmt.Errorf("function %s takes no constant", function)
}

// testCall asks test of a string, or of the elements of a list.
type testCall struct {
	id      int64
	subject interpreter.InterpretableV2
	test    func(string) bool
}

func (c *testCall) ID() int64 { return c.id }

func (c *testCall) Eval(a interpreter.Activation) ref.Val { return c.Exec(interpreter.AsFrame(a)) }

func (c *testCall) Exec(f *interpreter.ExecutionFrame) ref.Val {
	return anyText(c.subject.Exec(f), c.test)
}

// ownCall reads an own field of the event, or asks whether it has it.
type ownCall struct {
	id   int64
	name string
	has  bool
}

func (c *ownCall) ID() int64 { return c.id }

func (c *ownCall) Eval(a interpreter.Activation) ref.Val { return c.Exec(interpreter.AsFrame(a)) }

func (c *ownCall) Exec(f *interpreter.ExecutionFrame) ref.Val {
	v, ok := viewOf(f)
	if !ok {
		return types.NewErr("no event")
	}
	val := v.ownValues(c.name)
	switch {
	case c.has:
		return types.Bool(val != nil)
	case val == nil:
		return types.NewErr("the event has no own field %q", c.name)
	}
	return val
}

// listCall asks whether a value is in a named list.
type listCall struct {
	id      int64
	subject interpreter.InterpretableV2
	list    string
	typ     event.Type
}

func (c *listCall) ID() int64 { return c.id }

func (c *listCall) Eval(a interpreter.Activation) ref.Val { return c.Exec(interpreter.AsFrame(a)) }

func (c *listCall) Exec(f *interpreter.ExecutionFrame) ref.Val {
	subject := c.subject.Exec(f)
	v, ok := viewOf(f)
	if !ok {
		return types.NewErr("no event")
	}
	in := func(s string) bool { return v.InList != nil && v.InList(c.list, c.typ, s) }
	if n, ok := subject.(types.Int); ok {
		return types.Bool(in(strconv.FormatInt(int64(n), 10)))
	}
	return anyText(subject, in)
}

func viewOf(f *interpreter.ExecutionFrame) (*View, bool) {
	x, _ := f.ResolveName(viewName)
	v, ok := x.(*View)
	return v, ok
}

// What a value means to a list depends on its field's type, which a call of inList
// does not have: before planning it is written in front of the list's name.

func tagList(typ event.Type, list string) string { return typ.String() + " " + list }

func untagList(s string) (event.Type, string) {
	word, list, _ := strings.Cut(s, " ")
	for typ := event.String; typ <= event.List; typ++ {
		if typ.String() == word {
			return typ, list
		}
	}
	return event.String, s
}
