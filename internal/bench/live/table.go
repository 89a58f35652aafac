// SPDX-License-Identifier: Apache-2.0

// This file writes the results for people: tables in Markdown.

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Contenders that others are compared with, and those that are compared.
const (
	nameOff     = "off"
	nameSeismo  = "seismo"
	nameDefault = "seismo-default"
	nameAuditd  = "auditd"
	nameLaurel  = "laurel"
)

var contenderNames = []string{nameOff, nameSeismo, nameDefault, nameAuditd, nameLaurel}

// column is one column of a table: its heading and its cell for a contender's
// rounds; off are the rounds without anybody, which the load is compared with.
type column struct {
	head string
	cell func(own, off []cell) string
}

func figure(digits int, f func(cell) float64) func(own, off []cell) string {
	return func(own, _ []cell) string { return spreadIn(own, f).text(digits) }
}

func ms(f func(cell) int64) func(own, off []cell) string {
	return figure(1, func(c cell) float64 { return c.perOp(f(c), 1e3) }) // ms for 1,000 is µs for one
}

var (
	colRounds = column{"rounds", func(own, _ []cell) string { return fmt.Sprint(len(own)) }}
	colLost   = column{"kernel lost", func(own, _ []cell) string { return fmt.Sprint(total(own, func(c cell) int { return c.Lost })) }}
	colPeak   = column{"peak MB", figure(1, func(c cell) float64 { return float64(c.Peak) / 1e6 })}
	colSeen   = column{"recorded of expected", recorded}
)

// columnsOf are those of each kind of report. Processor time is user and system
// together: apart they are what the kernel's clock met when it ticked, which tells
// little of a process that runs for a moment only (the lines of JSON have them).
var columnsOf = map[report][]column{
	reportCost: {
		colRounds,
		{"ops/s", figure(0, func(c cell) float64 { return float64(c.Ops) / c.Seconds })},
		{"CPU ms/1,000 ops", ms(cell.cpu)},
		{"kauditd", ms(func(c cell) int64 { return c.Kauditd })},
		colSeen, colLost, colPeak,
		{"stored B/op", figure(0, func(c cell) float64 { return c.perOp(c.Stored, 1) })},
		{"written B/op", figure(0, func(c cell) float64 { return c.perOp(c.Written, 1) })},
		{"load CPU µs/op", ms(func(c cell) int64 { return c.Load })},
		{"load against off", slowdown},
	},
	reportRest: {
		colRounds,
		{"seconds", figure(0, func(c cell) float64 { return c.Measured })},
		{"CPU s", figure(3, func(c cell) float64 { return float64(c.cpu()) / 1e9 })},
		{"% of a core", figure(3, func(c cell) float64 { return float64(c.cpu()) / 1e7 / c.Measured })},
		{"wake-ups/s", figure(1, func(c cell) float64 { return float64(c.Switches) / c.Measured })},
		colSeen, colLost, colPeak,
	},
	reportLatency: {
		colRounds,
		{"matches", func(own, _ []cell) string {
			return fmt.Sprintf("%d of %d", total(own, func(c cell) int { return len(c.Latency) + len(c.Ordinary) }), total(own, func(c cell) int { return c.Ops }))
		}},
		{"high severity: p50 ms", latency(0.50, high)},
		{"p99 ms", latency(0.99, high)},
		{"greatest ms", latency(1, high)},
		{"medium severity: p50 ms", latency(0.50, ordinary)},
		{"p99 ms", latency(0.99, ordinary)},
		{"greatest ms", latency(1, ordinary)},
		colLost,
	},
}

func high(c cell) []int64     { return c.Latency }
func ordinary(c cell) []int64 { return c.Ordinary }

func latency(p float64, of func(cell) []int64) func(own, off []cell) string {
	return figure(1, func(c cell) float64 { return float64(percentile(of(c), p)) / float64(time.Millisecond) })
}

// slowdown compares the load's own processor time with that of the same round
// without anybody.
func slowdown(own, off []cell) string {
	s := ratio(own, off, func(c cell) float64 { return c.perOp(c.Load, 1) })
	if s.n == 0 {
		return "–"
	}
	return s.text(2) + "x"
}

func total(cells []cell, f func(cell) int) (n int) {
	for _, c := range cells {
		n += f(c)
	}
	return n
}

// recorded tells how many of the expected events were found in all rounds, and
// which are missing.
func recorded(own, _ []cell) string {
	found, expected := total(own, func(c cell) int { return c.Score.Found }), total(own, func(c cell) int { return c.Score.Expected })
	text := fmt.Sprintf("%d of %d", found, expected)
	if twice := total(own, func(c cell) int { return c.Score.Twice }); twice > 0 {
		text += fmt.Sprintf(", %d twice", twice)
	}
	for _, name := range whatNames {
		if n := total(own, func(c cell) int { return c.Score.Missing[name] }); n > 0 {
			text += fmt.Sprintf(", %s −%d", name, n)
		}
	}
	return text
}

// tables writes a table for each load that cells are of, in the order of modes.
func tables(w io.Writer, cells []cell) error {
	var b strings.Builder
	for _, m := range modes {
		var found []string
		for _, name := range contenderNames {
			if len(of(cells, m.Name, name)) > 0 {
				found = append(found, name)
			}
		}
		if len(found) > 0 {
			modeTable(&b, m, found, cells)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func modeTable(b *strings.Builder, m mode, names []string, cells []cell) {
	fmt.Fprintf(b, "\n**%s**: %s\n\n", m.Name, m.About)
	columns := columnsOf[m.Kind]
	heads := []string{"contender"}
	for _, c := range columns {
		heads = append(heads, c.head)
	}
	row(b, heads)
	b.WriteString(strings.Repeat("|---", len(heads)) + "|\n")
	off := of(cells, m.Name, nameOff)
	for _, name := range names {
		own := of(cells, m.Name, name)
		line := []string{name}
		for _, c := range columns {
			line = append(line, c.cell(own, off))
		}
		row(b, line)
	}
	if m.Kind == reportCost {
		ratios(b, m, names, cells)
	}
	remarks(b, m, names, cells)
}

func row(b *strings.Builder, line []string) { b.WriteString("| " + strings.Join(line, " | ") + " |\n") }

// ratios writes the processor time of this recorder over that of each peer, paired
// by round.
func ratios(b *strings.Builder, m mode, names []string, cells []cell) {
	for _, own := range []string{nameSeismo, nameDefault} {
		for _, peer := range []string{nameAuditd, nameLaurel} {
			if !slices.Contains(names, own) || !slices.Contains(names, peer) {
				continue
			}
			x, y := of(cells, m.Name, own), of(cells, m.Name, peer)
			cpu := ratio(x, y, func(c cell) float64 { return c.perOp(c.cpu(), 1) })
			fmt.Fprintf(b, "\n%s / %s, CPU by round: %s\n", own, peer, cpu.text(2))
		}
	}
}

// remarks says what the table has no room for.
func remarks(b *strings.Builder, m mode, names []string, cells []cell) {
	for _, name := range names {
		for _, c := range of(cells, m.Name, name) {
			var said []string
			if want := m.Rate * c.Seconds; m.Rate > 0 && float64(c.Ops) < 0.97*want {
				said = append(said, fmt.Sprintf("the load reached %.0f of %.0f operations a second", float64(c.Ops)/c.Seconds, m.Rate))
			}
			if c.Score.First != "" {
				said = append(said, "first missing: "+c.Score.First)
			}
			if c.Stalls > 0 {
				said = append(said, fmt.Sprintf("its database was locked %d times", c.Stalls))
			}
			said = append(said, c.Losses...)
			if len(said) > 0 {
				fmt.Fprintf(b, "\n%s, round %d: %s\n", name, c.Round, strings.Join(said, "; "))
			}
		}
	}
}
