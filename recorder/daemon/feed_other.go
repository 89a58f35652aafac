// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package daemon

import (
	"seismo/internal/event"
	"seismo/sources/audit"
)

func followLog(string, event.Position) (*audit.Feed, error) { return nil, audit.ErrUnsupported }

func openPlugin() (*audit.Feed, error) { return nil, audit.ErrUnsupported }
