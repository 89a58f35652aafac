// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package imagehash

import "errors"

// ErrAlone is returned where a helper was not started by a recorder.
var ErrAlone = errors.New("programs are hashed on Linux only")

// Serve is the helper's side; there is none on this system.
func Serve() error { return ErrAlone }

// Unconfined returns why there is no helper on this system.
func Unconfined() error { return ErrAlone }
