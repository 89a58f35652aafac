// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package audit

import (
	"context"
	"fmt"
	"runtime"

	"seismo/internal/event"
)

// Kernel is the live source of Linux; on this system there is none.
type Kernel struct{}

func unsupported() error {
	return fmt.Errorf("record the kernel's audit records on %s: %w", runtime.GOOS, ErrUnsupported)
}

// OpenKernel fails with [ErrUnsupported].
func OpenKernel(KernelOptions) (*Kernel, error) { return nil, unsupported() }

// Read fails with [ErrUnsupported].
func (*Kernel) Read(context.Context, *event.Batch) error { return unsupported() }

// Stats returns zeroes.
func (*Kernel) Stats() event.SourceStats { return event.SourceStats{} }

// Warnings returns none.
func (*Kernel) Warnings() []string { return nil }

// ProcEvents fails with [ErrUnsupported].
func (*Kernel) ProcEvents() error { return unsupported() }

// SetDemand fails with [ErrUnsupported].
func (*Kernel) SetDemand(event.Demand) ([]string, error) { return nil, unsupported() }

// State returns zeroes.
func (*Kernel) State() State { return State{} }

// Notices returns none.
func (*Kernel) Notices() []Notice { return nil }

// Continued says no.
func (*Kernel) Continued() bool { return false }

// Close does nothing.
func (*Kernel) Close() error { return nil }

// Undo fails with [ErrUnsupported].
func Undo(string) (UndoReport, error) { return UndoReport{}, unsupported() }

// CheckUndoFile says nothing.
func CheckUndoFile(string) error { return nil }

// CheckPrivilege fails with [ErrUnsupported].
func CheckPrivilege() error { return unsupported() }
