// SPDX-License-Identifier: Apache-2.0

// Package sigma reads rules, correlations and filters of Sigma (specification 2.1)
// and makes signal definitions of them.
package sigma

import (
	"go.yaml.in/yaml/v4"

	"seismo/signals"
)

// reader reads one document.
type reader struct {
	// report notes what is wrong at a node. A document in which anything is wrong is
	// refused as a whole.
	report func(n *yaml.Node, hint, format string, args ...any)
	// pos returns the place of a node.
	pos func(n *yaml.Node) signals.Position
	// placeholder returns the values of %name% for the modifier expand.
	placeholder func(name string) ([]string, error)
}
