// SPDX-License-Identifier: Apache-2.0

// Package pattern knows what globs and regular expressions of signals mean. It
// checks them ([ParseGlob], [ParseRegex]), matches them on raw bytes, and says
// which literals a match can not do without, by which package engine finds the
// candidates. What is matched is bounded: a glob costs a few operations for each
// byte and 64 characters of the pattern, a regular expression at most its
// [Regex.Size] for each byte; neither backtracks.
//
// Case: unless a pattern is cased, ASCII letters match in both cases and every
// other byte exactly. So K never matches U+212A KELVIN SIGN, which Unicode folds
// to it.
//
// A [Glob] or [Regex] never changes and may be used by many goroutines at once.
package pattern

import (
	"errors"
	"fmt"
)

// MaxText is the number of bytes that a pattern may have.
const MaxText = 4096

// ErrPattern is wrapped by every error of this package.
var ErrPattern = errors.New("bad pattern")

// Error says why a pattern was refused. It wraps [ErrPattern].
type Error struct {
	Offset  int    // of the byte of the pattern that it is about; -1 if not known
	Message string // what is refused
	Hint    string // what to write instead; may be empty
}

// Error returns the message and, where it is known, the place, counted in bytes
// from 1.
func (e *Error) Error() string {
	if e.Offset < 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (at byte %d)", e.Message, e.Offset+1)
}

// Unwrap returns ErrPattern.
func (e *Error) Unwrap() error { return ErrPattern }

func refuse(offset int, hint, format string, args ...any) *Error {
	return &Error{Offset: offset, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// checkLength refuses what no pattern may be.
func checkLength(text string) *Error {
	switch {
	case text == "":
		return refuse(-1, "", "an empty pattern")
	case len(text) > MaxText:
		return refuse(-1, "", "a pattern of %d bytes, at most %d are taken", len(text), MaxText)
	}
	return nil
}
