// SPDX-License-Identifier: Apache-2.0

// This file has the result of one cell, and medians and ratios over rounds.

package main

import (
	"fmt"
	"math"
	"slices"
)

// cell is one contender under one load in one round: a line of JSON.
type cell struct {
	Round     int      `json:"round"`
	Mode      string   `json:"mode"`
	Contender string   `json:"contender"`
	Ops       int      `json:"ops"`
	Seconds   float64  `json:"seconds"`            // of the load
	Measured  float64  `json:"measured"`           // seconds of load and drain
	User      int64    `json:"user"`               // nanoseconds of all processes of the contender over load and drain
	System    int64    `json:"system"`             // the same
	Kauditd   int64    `json:"kauditd"`            // nanoseconds of the kernel's audit thread, the same
	Load      int64    `json:"load"`               // nanoseconds of the load and the programs it started
	Late      int64    `json:"late"`               // nanoseconds that the load's latest operation was behind its time
	Score     score    `json:"score"`              // what of it was recorded
	Ends      int      `json:"ends"`               // ends of the load's processes that were recorded
	Lost      int      `json:"lost"`               // records, by the kernel's counter
	Peak      int64    `json:"peak"`               // bytes of memory, the processes' peaks added up
	Stored    int64    `json:"stored"`             // bytes that its files grew by, after its end
	Written   int64    `json:"written"`            // bytes that it sent to storage over load and drain
	Switches  int64    `json:"switches"`           // voluntary context switches of all its threads
	Processes int      `json:"processes"`          // of the contender
	Stalls    int      `json:"stalls"`             // times that its database was locked
	Losses    []string `json:"losses,omitempty"`   // what it says itself that it lost
	Latency   []int64  `json:"latency,omitempty"`  // nanoseconds from program start to visible match of high severity, sorted
	Ordinary  []int64  `json:"ordinary,omitempty"` // the same of a lesser one
}

func (c cell) cpu() int64 { return c.User + c.System }

// perOp returns ns for each operation, in units of unit nanoseconds.
func (c cell) perOp(ns int64, unit float64) float64 {
	return float64(ns) / unit / float64(max(c.Ops, 1))
}

// spread is the median and the ends of some figures.
type spread struct {
	n           int
	mid, lo, hi float64
}

// spreadOf takes figures that may be in any order; those that are no number count
// as not there.
func spreadOf(figures []float64) spread {
	f := slices.DeleteFunc(slices.Clone(figures), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	if len(f) == 0 {
		return spread{mid: math.NaN(), lo: math.NaN(), hi: math.NaN()}
	}
	slices.Sort(f)
	n := len(f)
	return spread{n, (f[(n-1)/2] + f[n/2]) / 2, f[0], f[n-1]}
}

// text writes the median, and the ends in brackets where there is more than one.
func (s spread) text(digits int) string {
	switch {
	case s.n == 0:
		return "–"
	case s.n == 1:
		return fmt.Sprintf("%.*f", digits, s.mid)
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.mid, digits, s.lo, digits, s.hi)
}

// of returns the cells of a contender under a load, in the order of rounds.
func of(all []cell, mode, contender string) []cell {
	var found []cell
	for _, c := range all {
		if c.Mode == mode && c.Contender == contender {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b cell) int { return a.Round - b.Round })
	return found
}

// spreadIn returns figure over the cells.
func spreadIn(cells []cell, figure func(cell) float64) spread {
	f := make([]float64, len(cells))
	for i, c := range cells {
		f[i] = figure(c)
	}
	return spreadOf(f)
}

// ratio divides figure of a by figure of b, round by round: rounds that only one of
// them has, and those where b's figure is zero, are left out.
func ratio(a, b []cell, figure func(cell) float64) spread {
	var f []float64
	for _, x := range a {
		i := slices.IndexFunc(b, func(y cell) bool { return y.Round == x.Round })
		if i >= 0 && figure(b[i]) != 0 {
			f = append(f, figure(x)/figure(b[i]))
		}
	}
	return spreadOf(f)
}

// percentile returns the value that a share p of the sorted values does not exceed.
func percentile(sorted []int64, p float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(max(int(math.Ceil(p*float64(len(sorted))))-1, 0), len(sorted)-1)]
}
