// SPDX-License-Identifier: Apache-2.0

// Package rules holds the signals that seismo ships: rules/PLATFORM/NAME.yml, one
// definition a file, in the language of package signals. Each has a folder of
// recorded events under fixtures/ that it must tag, and of near misses that it
// must not; rules_test.go changes every part of every signal and asks that a
// recording notices.
package rules

import "embed"

// FS holds the definitions, as PLATFORM/NAME.yml.
//
//go:embed linux/*.yml
var FS embed.FS
