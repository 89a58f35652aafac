// SPDX-License-Identifier: Apache-2.0

// This file says which logs an event belongs to, in the words of Sigma. What those
// words mean on our own kinds of event is in internal/taxonomy.

package event

import "slices"

// Logsource is the logs that an event belongs to: products, categories and services
// in Sigma's spelling. An event may belong to several of each. It is shared by many
// events and never changes once it is set.
type Logsource struct {
	Products, Categories, Services []string
}

// NullSuffix ends the own name under which an event notes that a record has a field
// without a value, null in JSON: the field itself then counts as absent, but for
// who asks whether it was there at all. No field of a rule ends so.
const NullSuffix = "|null"

// Includes reports whether a rule for the product, category and service given is
// asked about events of l. An empty word asks for nothing; a nil l includes only
// what asks for nothing at all.
func (l *Logsource) Includes(product, category, service string) bool {
	if l == nil {
		return product == "" && category == "" && service == ""
	}
	return (product == "" || slices.Contains(l.Products, product)) &&
		(category == "" || slices.Contains(l.Categories, category)) &&
		(service == "" || slices.Contains(l.Services, service))
}
