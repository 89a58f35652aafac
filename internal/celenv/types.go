// SPDX-License-Identifier: Apache-2.0

// This file gives the objects of the field registry CEL types: process, file and
// the others are variables, and their properties the fields of a struct type.
// Their values are read in view.go.

package celenv

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"seismo/internal/event"
)

// typePrefix leads the name of an object's type, which nobody writes.
const typePrefix = "seismo."

// TypeOf returns the CEL type of field f.
func TypeOf(f event.Info) *types.Type {
	if f.Scope == event.ScopeAncestor {
		return types.NewListType(types.StringType)
	}
	switch f.Type {
	case event.Integer:
		return types.IntType
	case event.Identifier:
		return types.UintType
	case event.Time:
		return types.TimestampType
	case event.List, event.Hash:
		return types.NewListType(types.StringType)
	}
	return types.StringType
}

// Field returns the field that object and property name, spelt as the registry or
// one of its aliases spells it: CEL is case-sensitive.
func Field(object, property string) (event.Info, bool) {
	name := object + "." + property
	info, ok := event.Lookup(name)
	return info, ok && name == strings.ToLower(name)
}

// provider adds the types of the objects to those of cel-go.
type provider struct {
	types.Provider
	objects map[string]*types.Type      // by name of the object
	fields  map[string][]string         // by name of the type
	byName  map[string]*types.FieldType // by name of type and field, with a dot between
	typeOf  map[string]*types.Type      // by name of the type
}

func newProvider(base types.Provider) *provider {
	p := &provider{Provider: base, objects: map[string]*types.Type{}, fields: map[string][]string{},
		byName: map[string]*types.FieldType{}, typeOf: map[string]*types.Type{}}
	for _, object := range event.Objects() {
		t := types.NewObjectType(typePrefix + object)
		p.objects[object], p.typeOf[t.TypeName()] = t, t
	}
	for _, f := range event.Fields() {
		name := typePrefix + f.Object()
		ft := &types.FieldType{Type: TypeOf(f), IsSet: tester(f.Field), GetFrom: getter(f.Field)}
		for _, column := range append([]string{f.Name}, f.Aliases...) {
			_, column, _ = strings.Cut(column, ".")
			p.fields[name] = append(p.fields[name], column)
			p.byName[name+"."+column] = ft
		}
	}
	return p
}

func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if t, ok := p.typeOf[name]; ok {
		return types.NewTypeTypeWithParam(t), true
	}
	return p.Provider.FindStructType(name)
}

func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if names, ok := p.fields[name]; ok {
		return names, true
	}
	return p.Provider.FindStructFieldNames(name)
}

func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if _, ok := p.typeOf[name]; ok {
		ft, ok := p.byName[name+"."+field]
		return ft, ok
	}
	return p.Provider.FindStructFieldType(name, field)
}

// NewValue is never reached for an object: expressions that make one are refused.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.typeOf[name]; ok {
		return types.NewErr("%s can not be made", name)
	}
	return p.Provider.NewValue(name, fields)
}

func tester(f event.Field) ref.FieldTester {
	return func(target any) bool {
		o, ok := target.(*object)
		return ok && o.view.value(f) != nil
	}
}

func getter(f event.Field) ref.FieldGetter {
	absent := fmt.Errorf("%s is absent", event.Describe(f).Name)
	return func(target any) (any, error) {
		o, ok := target.(*object)
		if !ok {
			return nil, absent
		}
		switch v := o.view.value(f).(type) {
		case nil:
			return nil, absent
		case *types.Err:
			return nil, v
		default:
			return v, nil
		}
	}
}

// object is the value of a variable: what is asked of it is read from the view.
type object struct {
	view *View
	typ  *types.Type
}

func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s has no form as %v", o.typ.TypeName(), t)
}

func (o *object) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("%s has no form as %s", o.typ.TypeName(), t.TypeName())
}

func (o *object) Equal(other ref.Val) ref.Val {
	same, ok := other.(*object)
	return types.Bool(ok && same == o)
}

func (o *object) Type() ref.Type { return o.typ }
func (o *object) Value() any     { return o }
