// SPDX-License-Identifier: Apache-2.0

// Package signals knows the language of signals: it reads definitions, checks
// them and lowers them to the form that package engine compiles. docs/signals.md
// describes the language for those who write in it.
//
// The way goes in one direction, and does not depend on the host: [Load] or
// [ParseFile] give a [Definition] for each signal, with its checked expression
// ([Expr]); [Lower] makes one [Set] of all of them, boolean programs over terms
// and atoms that all signals share; [Lint] names what is allowed but doubtful.
// What is wrong in the files comes all at once, as [Diagnostics], each with its
// place.
//
// All that is returned belongs to the caller. An expression is not changed after
// it has been parsed.
package signals
