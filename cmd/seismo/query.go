// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"seismo/internal/display"
	"seismo/recorder/monitordb"
)

func newQuery() *cobra.Command {
	var db string
	var asJSON, asCSV bool
	var limit int
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "query SQL",
		Short: "Ask monitor.db in SQL, read-only",
		Long: `Run one SELECT on monitor.db while the recorder goes on writing. The views to ask are
process_events, processes, file_events, network_events, registry_events,
image_events, driver_events, dns_events, security_events, syscall_events,
record_events, combined_events (all kinds), signal_matches, signal_counts,
suspensions, collections (what was asked of the kernel when) and losses.
docs/format/monitor-db.md has their columns; "PRAGMA table_info(file_events)" lists
those of one.`,
		Example: `  seismo query --home ./var "SELECT timestamp, process_path, file FROM file_events ORDER BY id DESC LIMIT 10"
  seismo query --db monitor.db --json "SELECT * FROM signal_counts"`,
		Args: exactArgs(1, "one SQL statement"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && asCSV {
				return fail(exitUsage, "--json and --csv exclude each other")
			}
			if limit < 0 || timeout < 0 {
				return fail(exitUsage, "--limit %d --timeout %v: a number of rows is not negative, nor a time", limit, timeout)
			}
			if db == "" {
				db = pathsOf(cmd).Database
			}
			r, err := monitordb.OpenReader(db)
			if err != nil {
				return err
			}
			defer r.Close()
			out := bufio.NewWriter(cmd.OutOrStdout())
			var w rowWriter = newTable(out)
			if asJSON {
				w = &jsonRows{w: out}
			} else if asCSV {
				w = &csvRows{w: csv.NewWriter(out)}
			}
			cut, err := r.Query(cmd.Context(), args[0], monitordb.QueryOptions{Limit: limit, Timeout: timeout}, w.columns, w.row)
			if err == nil {
				err = errors.Join(w.end(), out.Flush())
			}
			if err != nil && strings.Contains(err.Error(), "no such table") {
				err = fmt.Errorf("%w; \"seismo query --help\" lists the views", err)
			}
			if err != nil {
				return err
			}
			if cut {
				fmt.Fprintf(cmd.ErrOrStderr(), "seismo: stopped after %d rows; --limit allows more\n", limit)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "database to ask (default: HOME/monitor.db)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a row")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print comma separated values with a line of names")
	cmd.Flags().IntVar(&limit, "limit", 1000, "rows to print at most; 0 means all")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "stop a statement that takes longer; 0 means never")
	return cmd
}

// rowWriter writes the rows of an answer in one form.
type rowWriter interface {
	columns(names []string) error
	row(values []any) error
	end() error
}

// valueText returns v as one line of text that is safe to print.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return display.Text(string(v))
	case string:
		return display.Text(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return display.Text(fmt.Sprint(v))
}

type tableRows struct{ w *tabwriter.Writer }

func newTable(w io.Writer) *tableRows {
	return &tableRows{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
}

func (t *tableRows) columns(names []string) error {
	cells := make([]string, len(names))
	for i, n := range names {
		cells[i] = display.Text(strings.ToUpper(n))
	}
	return t.line(cells)
}

func (t *tableRows) row(values []any) error {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = valueText(v)
	}
	return t.line(cells)
}

func (t *tableRows) line(cells []string) error {
	_, err := fmt.Fprintln(t.w, strings.Join(cells, "\t"))
	return err
}

func (t *tableRows) end() error { return t.w.Flush() }

type jsonRows struct {
	w     io.Writer
	names []string
	line  []byte
}

func (j *jsonRows) columns(names []string) error { j.names = names; return nil }

func (j *jsonRows) row(values []any) error {
	b := append(j.line[:0], '{')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = display.AppendJSONKey(b, j.names[i])
		switch v := v.(type) {
		case nil:
			b = append(b, "null"...)
		case int64:
			if v > 1<<53 || v < -1<<53 { // readers of JSON keep numbers in 53 bits
				b = display.AppendJSON(b, strconv.FormatInt(v, 10))
			} else {
				b = strconv.AppendInt(b, v, 10)
			}
		case float64:
			if math.IsInf(v, 0) { // SQLite has no NaN, JSON has neither
				b = display.AppendJSON(b, strconv.FormatFloat(v, 'g', -1, 64))
			} else {
				b = strconv.AppendFloat(b, v, 'g', -1, 64)
			}
		case []byte:
			b = display.AppendJSON(b, string(v))
		default:
			b = display.AppendJSON(b, fmt.Sprint(v))
		}
	}
	j.line = append(b, '}', '\n')
	_, err := j.w.Write(j.line)
	return err
}

func (j *jsonRows) end() error { return nil }

type csvRows struct{ w *csv.Writer }

func (c *csvRows) columns(names []string) error {
	safe := make([]string, len(names))
	for i, n := range names {
		safe[i] = csvCell(display.Text(n))
	}
	return c.w.Write(safe)
}

func (c *csvRows) row(values []any) error {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = valueText(v)
		switch v.(type) {
		case int64, float64:
		default:
			cells[i] = csvCell(cells[i])
		}
	}
	return c.w.Write(cells)
}

// csvCell keeps a spreadsheet from taking text for a formula.
func csvCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

func (c *csvRows) end() error { c.w.Flush(); return c.w.Error() }
