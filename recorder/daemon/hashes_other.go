// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package daemon

import "seismo/internal/imagehash"

// helperOptions says that nothing is hashed on this system.
func helperOptions(*imagehash.Options) (warning, err error) { return nil, imagehash.ErrAlone }

// CanHash returns why this program can hash no programs: nothing is recorded on this
// system, so it is not asked to.
func CanHash() error { return nil }
