// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package imageload

import (
	"context"
	"fmt"
	"runtime"

	"seismo/internal/event"
)

// Source is the live source of Linux; on this system there is none.
type Source struct{}

func unsupported() error {
	return fmt.Errorf("record image loads on %s: %w", runtime.GOOS, ErrUnsupported)
}

// Open fails with [ErrUnsupported].
func Open(Options) (*Source, error) { return nil, unsupported() }

// Read fails with [ErrUnsupported].
func (*Source) Read(context.Context, *event.Batch) error { return unsupported() }

// Stats returns zeroes.
func (*Source) Stats() event.SourceStats { return event.SourceStats{} }

// Close does nothing.
func (*Source) Close() error { return nil }
