// SPDX-License-Identifier: Apache-2.0

// This file says what part a signal has among the others.

package engine

// Silent reports whether signal i is not reported by itself: correlations alone see its
// matches.
func (p *Program) Silent(i uint32) bool { return p.signals[i].silent }

// IsCorrelation reports whether signal i is a correlation of other signals.
func (p *Program) IsCorrelation(i uint32) bool { return p.signals[i].correlation != 0 }
