// SPDX-License-Identifier: Apache-2.0

package daemon

import "seismo/internal/imagehash"

// helperOptions says how helpers are started. A warning says that every program has
// to be looked at again whenever it runs.
func helperOptions(o *imagehash.Options) (warning, err error) {
	s, watch, warning := imagehash.NewStarter(HashHelper)
	o.Start, o.Watch = s.Start, watch
	return warning, nil
}

// CanHash returns why this program can hash no programs, nil if it can.
func CanHash() error { return imagehash.Unconfined() }
