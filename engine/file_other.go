// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package engine

// openFlags has nothing to add: the system has no flag that refuses links.
const openFlags = 0

func isLink(error) bool { return false }

// syncDir does nothing: the system keeps no directory that can be synchronised.
func syncDir(string) error { return nil }
